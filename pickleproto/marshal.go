package pickleproto

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"time"
	"unsafe"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Marshaler is implemented by types that say themselves what they are in Python: a value of the
// model, or any other Go value that can be marshalled.
type Marshaler interface{ MarshalPickle() (any, error) }

// ProtocolMarshaler is a Marshaler that is something else at one protocol than at another.
type ProtocolMarshaler interface {
	Marshaler
	MarshalPickleProtocol(protocol int) (any, error)
}

func marshal(dst []byte, v any, c *config) ([]byte, error) {
	if c.binding.err != nil {
		return dst, c.binding.err
	}
	out, err := encode(dst, v, c)
	if at, ok := err.(*bindError); ok {
		err = at.finish(nil, c)
	}
	return out, err
}

// goValues is the encoder's knowledge of Go values that are no Python values.
type goValues struct {
	memo  map[goIdentity]uint32 // what was written as it came, where goIndex has no better way
	made  map[any]any           // what was written by way of a Python value: that value
	maker maker
}

// goIdentity is what makes two mentions of a Go value one Python object: type and address, and for
// a slice the length. Types of size zero have no identity, nor have empty slices.
type goIdentity struct {
	plan    *savePlan
	address unsafe.Pointer
	n       int
}

// enumConstant is a Go constant of a registered enum, of which Python has one object each.
type enumConstant struct{ v any }

// savePlan is how values of one Go type are written. It is immutable once made, and cached.
type savePlan struct {
	t      reflect.Type
	number uint32 // of the plan, from 1; one for each type
	save   func(e *encoder, p *savePlan, v reflect.Value) error
	elem   *savePlan
	key    *savePlan
	fields *structFields
	plans  []*savePlan // of the fields
	omits  bool        // a field has omitempty or omitzero
	made   bool        // written by way of a Python value, thus identified by its address
	direct bool        // a struct that is a dict, written as it is
}

var (
	marshalerType     = reflect.TypeFor[Marshaler]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
	errorType         = reflect.TypeFor[error]()
)

// saveGo writes a Go value that is no Python value.
func (e *encoder) saveGo(v any) error {
	if len(e.c.binding.byType) == 0 {
		switch v := v.(type) { // what turns up in []any and map[string]any
		case int:
			e.saveInt(int64(v))
			return nil
		case []any:
			return e.saveSlice(savePlanOf(reflect.TypeFor[[]any]()), reflect.ValueOf(v))
		case map[string]any:
			return e.saveMap(savePlanOf(reflect.TypeFor[map[string]any]()), reflect.ValueOf(v))
		}
	}
	rv := reflect.ValueOf(v)
	return e.saveKnown(savePlanOf(rv.Type()), rv)
}

// saveReflect is save for a value at hand by reflection.
func (e *encoder) saveReflect(p *savePlan, v reflect.Value) error {
	if len(e.buf) >= e.frameLimit {
		e.nextFrame()
	}
	if e.c.persistentID != nil {
		return e.save(v.Interface())
	}
	return e.saveKnown(p, v)
}

// saveKnown writes v, whose frame boundary and persistent id have been seen to.
func (e *encoder) saveKnown(p *savePlan, v reflect.Value) error {
	if len(e.c.binding.byType) > 0 {
		if tag, ok := e.c.binding.byType[p.t]; ok {
			return e.saveTagged(p, v, tag)
		}
	}
	return p.save(e, p, v)
}

func unsupported(_ *encoder, p *savePlan, _ reflect.Value) error {
	return &TypeError{Go: p.t, Offset: -1}
}

// saveModel writes values of the model's own types.
func saveModel(e *encoder, _ *savePlan, v reflect.Value) error {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
	return e.saveValue(v.Interface())
}

// saveMade writes x, the Python value that stands for the Go value of identity id from now on.
func (e *encoder) saveMade(id, x any) error {
	if id != nil {
		if e.gov.made == nil {
			e.gov.made = map[any]any{}
		}
		e.gov.made[id] = x
	}
	e.keep = append(e.keep, x)
	if err := e.enter(); err != nil {
		return err
	}
	defer func() { e.depth-- }()
	return e.saveValue(x)
}

// identity returns what identifies the Go value behind a pointer or a map, nil for none.
func (e *encoder) identity(p *savePlan, address unsafe.Pointer) any {
	if address == nil || p.t.Kind() == reflect.Pointer && p.t.Elem().Size() == 0 {
		return nil
	}
	return goIdentity{plan: p, address: address}
}

func saveStd(e *encoder, p *savePlan, v reflect.Value) error {
	var id any
	x := v.Interface()
	switch v.Kind() {
	case reflect.Pointer:
		id = e.identity(p, v.UnsafePointer())
		if known, ok := e.gov.made[id]; ok && id != nil {
			return e.saveValue(known)
		}
	case reflect.Struct: // the table has pointers for what has identity in Python
		if stdlibType(reflect.PointerTo(p.t)) {
			pointer := reflect.New(p.t)
			pointer.Elem().Set(v)
			x = pointer.Interface()
		}
	}
	if e.c.binding.truncateNanos {
		switch t := x.(type) {
		case time.Time:
			x = t.Truncate(time.Microsecond)
		case time.Duration:
			x = t.Truncate(time.Microsecond)
		}
	}
	e.gov.maker.protocol = e.proto
	made, ok, err := e.gov.maker.object(x)
	switch {
	case err != nil:
		return marshalError(p.t, err)
	case !ok:
		return &TypeError{Go: p.t, Offset: -1}
	}
	return e.saveMade(id, made)
}

func marshalError(t reflect.Type, err error) error {
	switch err.(type) {
	case *TypeError, *LimitError, *bindError:
		return err
	}
	return &TypeError{Go: t, Offset: -1, Msg: fmt.Sprintf("Go %v: %v", t, err), Err: err}
}

func saveMarshaler(e *encoder, p *savePlan, v reflect.Value) error {
	var id any
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Map {
		if v.IsNil() {
			e.buf = append(e.buf, wire.OpNone)
			return nil
		}
		id = e.identity(p, v.UnsafePointer())
		if known, ok := e.gov.made[id]; ok && id != nil {
			return e.saveValue(known)
		}
	}
	var x any
	var err error
	switch m := v.Interface().(type) {
	case ProtocolMarshaler:
		x, err = m.MarshalPickleProtocol(e.proto)
	case Marshaler:
		x, err = m.MarshalPickle()
	}
	if err != nil {
		return marshalError(p.t, err)
	}
	return e.saveMade(id, x)
}

func saveText(e *encoder, p *savePlan, v reflect.Value) error {
	if (v.Kind() == reflect.Pointer || v.Kind() == reflect.Map) && v.IsNil() {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
	text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return marshalError(p.t, err)
	}
	s := string(text)
	e.keep = append(e.keep, s)
	return e.saveStr(s)
}

// saveError writes an error that is no *Exception as the exception that says most about it.
func saveError(e *encoder, p *savePlan, v reflect.Value) error {
	if (v.Kind() == reflect.Pointer || v.Kind() == reflect.Map || v.Kind() == reflect.Slice) && v.IsNil() {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
	err := v.Interface().(error)
	x := NewException("RuntimeError", err.Error())
	var exception *Exception
	if errors.As(err, &exception) {
		x = exception
	}
	return saveStd(e, savePlanOf(reflect.TypeFor[*Exception]()), reflect.ValueOf(x))
}

func saveBool(e *encoder, _ *savePlan, v reflect.Value) error {
	e.saveBool(v.Bool())
	return nil
}

func saveInt(e *encoder, _ *savePlan, v reflect.Value) error {
	e.saveInt(v.Int())
	return nil
}

func saveUint(e *encoder, _ *savePlan, v reflect.Value) error {
	e.saveUint(v.Uint())
	return nil
}

func (e *encoder) saveUint(n uint64) {
	if n <= math.MaxInt64 {
		e.saveInt(int64(n))
	} else {
		e.saveBigInt(new(big.Int).SetUint64(n))
	}
}

func saveFloat(e *encoder, _ *savePlan, v reflect.Value) error {
	e.saveFloat(v.Float())
	return nil
}

func saveComplex(e *encoder, _ *savePlan, v reflect.Value) error {
	c := &Complex{real(v.Complex()), imag(v.Complex())}
	e.keep = append(e.keep, c)
	return e.saveComplex(c)
}

func saveString(e *encoder, _ *savePlan, v reflect.Value) error { return e.saveStr(v.String()) }

func saveBigInt(e *encoder, _ *savePlan, v reflect.Value) error {
	n := v.Interface().(big.Int)
	e.saveBigInt(&n)
	return nil
}

func saveByteSlice(e *encoder, _ *savePlan, v reflect.Value) error {
	if v.IsNil() {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
	return e.saveBytes(Bytes(stringOf(v.Bytes())))
}

func saveByteArray(e *encoder, p *savePlan, v reflect.Value) error {
	b := make([]byte, v.Len())
	reflect.Copy(reflect.ValueOf(b), v)
	s := Bytes(stringOf(b))
	e.keep = append(e.keep, s)
	return e.saveBytes(s)
}

func saveInterface(e *encoder, _ *savePlan, v reflect.Value) error {
	if v.IsNil() {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
	return e.saveValue(v.Elem().Interface())
}

func savePointer(e *encoder, p *savePlan, v reflect.Value) error {
	if v.IsNil() {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
	if _, tagged := e.c.binding.byType[p.elem.t]; tagged || p.elem.made {
		id := e.identity(p, v.UnsafePointer())
		if known, ok := e.gov.made[id]; ok && id != nil {
			return e.saveValue(known)
		}
		x, err := e.madeOf(p.elem, v.Elem())
		if err != nil {
			return err
		}
		return e.saveMade(id, x)
	}
	if p.elem.direct && p.elem.t.Size() > 0 {
		index, found := e.goIndex(goIdentity{plan: p, address: v.UnsafePointer()})
		if found {
			e.memoGet(index)
			return nil
		}
		return e.saveStruct(p.elem, v.Elem(), index)
	}
	// A pointer to a pointer is one step, so that one to itself ends at the depth limit.
	if err := e.enter(); err != nil {
		return err
	}
	err := e.saveKnown(p.elem, v.Elem())
	e.depth--
	return err
}

// goIndex returns the memo index of a Go value, or gives it the next one. The pickler's own table
// knows it by its address, with the type's number in the bits that no address has.
func (e *encoder) goIndex(id goIdentity) (index uint32, found bool) {
	const addressBits = 48
	address := uint64(uintptr(id.address))
	if math.MaxUint>>32 != 0 && address>>addressBits == 0 && id.n < 1<<28 && id.plan.number < 1<<(64-addressBits) {
		return e.memo.findOrAdd(uintptr(address|uint64(id.plan.number)<<addressBits), memoTag(id.n, kindGo))
	}
	if index, found = e.gov.memo[id]; found {
		return index, true
	}
	if e.gov.memo == nil {
		e.gov.memo = map[goIdentity]uint32{}
	}
	index = e.freshIndex()
	e.gov.memo[id] = index
	return index, false
}

// freshIndex returns the memo index of what nothing can refer to again.
func (e *encoder) freshIndex() uint32 {
	index := uint32(e.memo.n)
	e.memo.n++
	return index
}

// saveTagged writes a value of a registered type.
func (e *encoder) saveTagged(p *savePlan, v reflect.Value, tag classTag) error {
	x, err := e.taggedOf(p, v, tag)
	if err != nil {
		return err
	}
	return e.saveMade(nil, x)
}

func saveStructMade(e *encoder, p *savePlan, v reflect.Value) error {
	x, err := e.madeOf(p, v)
	if err != nil {
		return err
	}
	return e.saveMade(nil, x)
}

// madeOf returns the Python value that a struct becomes which is not simply a dict.
func (e *encoder) madeOf(p *savePlan, v reflect.Value) (any, error) {
	if tag, ok := e.c.binding.byType[p.t]; ok {
		return e.taggedOf(p, v, tag)
	}
	return e.taggedOf(p, v, p.fields.class)
}

func (e *encoder) taggedOf(p *savePlan, v reflect.Value, tag classTag) (any, error) {
	if tag.form == formEnum {
		id := enumConstant{v.Interface()}
		if x, ok := e.gov.made[id]; ok {
			return x, nil
		}
		value, err := e.plainValue(v)
		if err != nil {
			return nil, err
		}
		x := &Object{How: ByReduce, Callable: tag.name, Args: Tuple{value}}
		if e.gov.made == nil {
			e.gov.made = map[any]any{}
		}
		e.gov.made[id] = x
		return x, nil
	}
	if p.fields == nil {
		return nil, &TypeError{Go: p.t, Offset: -1}
	}
	if p.fields.err != nil {
		return nil, p.fields.err
	}
	if tag.form == formTuple || tag.form == formNamedTuple {
		items := make(Tuple, len(p.fields.fields))
		for i := range p.fields.fields {
			if fv, ok := p.fields.fields[i].find(v); ok {
				items[i] = fv.Interface()
			}
		}
		if tag.form == formTuple {
			return items, nil
		}
		return newNamedTuple(tag.name, items, e.proto), nil
	}
	state := NewDict()
	for i := range p.fields.fields {
		f := &p.fields.fields[i]
		fv, ok := f.find(v)
		if !ok || f.omit(fv) {
			continue
		}
		if err := state.Set(f.name, fv.Interface()); err != nil {
			return nil, err
		}
	}
	if tag.form == formSlots {
		return newInstance(tag.name, nil, state, e.proto)
	}
	return newInstance(tag.name, state, nil, e.proto)
}

// plainValue returns the number or text of a value of basic kind, without its type.
func (e *encoder) plainValue(v reflect.Value) (any, error) {
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return uint64Value(v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return v.Float(), nil
	case reflect.String:
		return v.String(), nil
	}
	return nil, &TypeError{Go: v.Type(), Offset: -1}
}

// Structs that are dicts.

func saveStructValue(e *encoder, p *savePlan, v reflect.Value) error {
	return e.saveStruct(p, v, e.freshIndex())
}

func (e *encoder) beginDict(index uint32) {
	if e.bin {
		e.buf = append(e.buf, wire.OpEmptyDict)
	} else {
		e.buf = append(e.buf, wire.OpMark, wire.OpDict)
	}
	e.memoPut(index)
}

// entries writes the opcodes around n keys and values, in batches as batchDictExact.
func (e *encoder) entries(n int, entry func(i int) error) error {
	switch {
	case n == 0:
		return nil
	case n == 1 || !e.bin:
		for i := range n {
			if err := entry(i); err != nil {
				return err
			}
			e.buf = append(e.buf, wire.OpSetItem)
		}
		return nil
	}
	for i := 0; ; {
		e.buf = append(e.buf, wire.OpMark)
		end := min(n, i+batchSize)
		full := end-i == batchSize
		for ; i < end; i++ {
			if err := entry(i); err != nil {
				return err
			}
		}
		e.buf = append(e.buf, wire.OpSetItems)
		if !full {
			return nil
		}
	}
}

func (e *encoder) saveStruct(p *savePlan, v reflect.Value, index uint32) error {
	if p.fields.err != nil {
		return p.fields.err
	}
	e.beginDict(index)
	if err := e.enter(); err != nil {
		return err
	}
	fields := p.fields.fields
	n := len(fields)
	var present []int
	if p.omits {
		present = make([]int, 0, n)
		for i := range fields {
			if fv, ok := fields[i].find(v); ok && !fields[i].omit(fv) {
				present = append(present, i)
			}
		}
		n = len(present)
	}
	err := e.entries(n, func(i int) error {
		if present != nil {
			i = present[i]
		}
		f := &fields[i]
		if err := e.saveKeyStr(f.name); err != nil {
			return err
		}
		fv, _ := f.find(v)
		if err := e.saveReflect(p.plans[i], fv); err != nil {
			return under(err, step{kind: stepValue, key: f.name})
		}
		return nil
	})
	e.depth--
	return err
}

// saveKeyStr is save for a str.
func (e *encoder) saveKeyStr(s string) error {
	if len(e.buf) >= e.frameLimit {
		e.nextFrame()
	}
	if e.c.persistentID != nil {
		return e.save(s)
	}
	return e.saveStr(s)
}

// Slices and arrays.

func saveSlice(e *encoder, p *savePlan, v reflect.Value) error { return e.saveSlice(p, v) }

func (e *encoder) saveSlice(p *savePlan, v reflect.Value) error {
	if v.IsNil() {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
	n := v.Len()
	if n == 0 || p.t.Elem().Size() == 0 {
		return e.saveListOf(p, v, n, e.freshIndex())
	}
	index, found := e.goIndex(goIdentity{plan: p, address: v.UnsafePointer(), n: n})
	if found {
		e.memoGet(index)
		return nil
	}
	return e.saveListOf(p, v, n, index)
}

func saveArray(e *encoder, p *savePlan, v reflect.Value) error {
	return e.saveListOf(p, v, v.Len(), e.freshIndex())
}

func (e *encoder) saveListOf(p *savePlan, v reflect.Value, n int, index uint32) error {
	if e.bin {
		e.buf = append(e.buf, wire.OpEmptyList)
	} else {
		e.buf = append(e.buf, wire.OpMark, wire.OpList)
	}
	e.memoPut(index)
	if n == 0 {
		return nil
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer func() { e.depth-- }()
	if n == 1 || !e.bin {
		for i := range n {
			if err := e.saveReflect(p.elem, v.Index(i)); err != nil {
				return under(err, step{kind: stepIndex, index: i})
			}
			e.buf = append(e.buf, wire.OpAppend)
		}
		return nil
	}
	items := e.basicItems(v)
	for i := 0; i < n; {
		e.buf = append(e.buf, wire.OpMark)
		end := min(n, i+batchSize)
		if items != nil {
			if err := items(i, end); err != nil {
				return err
			}
		} else {
			for j := i; j < end; j++ {
				if err := e.saveReflect(p.elem, v.Index(j)); err != nil {
					return under(err, step{kind: stepIndex, index: j})
				}
			}
		}
		i = end
		e.buf = append(e.buf, wire.OpAppends)
	}
	return nil
}

// basicItems returns what writes items of the slices that need no reflection, nil for others.
func (e *encoder) basicItems(v reflect.Value) func(from, to int) error {
	if v.Kind() != reflect.Slice || e.c.persistentID != nil {
		return nil
	}
	switch s := v.Interface().(type) {
	case []int:
		return func(from, to int) error { saveInts(e, s[from:to]); return nil }
	case []int64:
		return func(from, to int) error { saveInts(e, s[from:to]); return nil }
	case []int32:
		return func(from, to int) error { saveInts(e, s[from:to]); return nil }
	case []float64:
		return func(from, to int) error {
			for _, f := range s[from:to] {
				if len(e.buf) >= e.frameLimit {
					e.nextFrame()
				}
				e.saveFloat(f)
			}
			return nil
		}
	case []string:
		return func(from, to int) error {
			for i, text := range s[from:to] {
				if len(e.buf) >= e.frameLimit {
					e.nextFrame()
				}
				if err := e.saveStr(text); err != nil {
					return under(err, step{kind: stepIndex, index: from + i})
				}
			}
			return nil
		}
	}
	return nil
}

func saveInts[T int | int32 | int64](e *encoder, s []T) {
	for _, n := range s {
		if len(e.buf) >= e.frameLimit {
			e.nextFrame()
		}
		e.saveInt(int64(n))
	}
}
