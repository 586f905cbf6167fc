package pickleproto

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Unmarshaler is implemented by types that take their Python value themselves. v is a value of
// the model (nil, bool, int64, *big.Int, float64, string, Bytes, Tuple, *List, *Dict, *Object
// ...), which the method may keep but must not change: other places may share it.
type Unmarshaler interface{ UnmarshalPickle(v any) error }

// unmarshal decodes the pickle at the beginning of data into what v points to. With whole set
// the pickle must be all of data; otherwise its length goes to *n.
func unmarshal(data []byte, v any, c *config, whole bool, n *int) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return errNilTarget
	}
	if c.binding.err != nil {
		return c.binding.err
	}
	target, isAny := v.(*any)
	var plan *typePlan
	if !isAny {
		plan = planOf(rv.Type().Elem())
		if used, ok := unmarshalFast(data, rv.Elem(), plan, c, whole); ok {
			if n != nil {
				*n = used
			}
			return nil
		}
	}
	x, used, err := decode(data, c)
	if err != nil {
		return err
	}
	if whole && used != len(data) {
		return errTrailing(used)
	}
	if isAny {
		*target = x
	} else if err := bindInto(rv.Elem(), x, plan, data[:used], c); err != nil {
		return err
	}
	if n != nil {
		*n = used
	}
	return nil
}

// bindInto binds x to target, which is unchanged if that fails. data are the pickle's bytes, in
// which the place of an error is looked up; nil if there are none.
func bindInto(target reflect.Value, x any, p *typePlan, data []byte, c *config) error {
	received := len(data)
	b := binder{c: c, work: c.limits.workFor(received), memory: c.limits.memoryFor(received), received: received}
	defer b.release()
	fresh := reflect.New(p.t).Elem()
	fresh.Set(target)
	if err := b.bind(x, fresh, p); err != nil {
		var at *bindError
		if errors.As(err, &at) {
			return at.finish(data, c)
		}
		return err
	}
	target.Set(fresh)
	return nil
}

// binder carries Python values into Go variables: one call of Unmarshal. Each shared Python
// object becomes one Go value per Go type, so that sharing and cycles survive; a count of steps
// and of bytes bounds what a small pickle of much sharing may grow into.
type binder struct {
	c        *config
	depth    int64
	work     int64 // steps left
	memory   int64 // bytes left
	acquired int64 // of the budget
	received int
	shared   map[sharedKey]reflect.Value
	strings  map[stringID]string
	meter    *meter // see costs
}

// costs is the meter of the stdlib classes among the values.
func (b *binder) costs() *meter {
	if b.meter == nil {
		b.meter = newMeter(b.take)
	}
	return b.meter
}

type sharedKey struct {
	id any // a pointer of the value model, or a tupleRef
	t  reflect.Type
}

type tupleRef struct {
	first *any
	n     int
}

type stringID struct {
	address uintptr
	n       int
}

// identityOf returns what tells x from other values of the same content, nil where nothing does.
func identityOf(x any) any {
	switch x := x.(type) {
	case *List, *Dict, *Set, *FrozenSet, *Object, *ByteArray, *Complex, *PersistentID, *Buffer:
		return x
	case Tuple:
		if len(x) > 0 {
			return tupleRef{&x[0], len(x)}
		}
	}
	return nil
}

func (b *binder) known(x any, t reflect.Type) (reflect.Value, sharedKey, bool) {
	key := sharedKey{identityOf(x), t}
	if key.id == nil {
		return reflect.Value{}, key, false
	}
	v, ok := b.shared[key]
	return v, key, ok
}

func (b *binder) share(key sharedKey, v reflect.Value) {
	if key.id == nil {
		return
	}
	if b.shared == nil {
		b.shared = map[sharedKey]reflect.Value{}
	}
	b.shared[key] = v
}

func (b *binder) take(n int64) error {
	if n > b.memory {
		max := b.c.limits.memoryFor(b.received)
		return &LimitError{Limit: "memory", Value: uint64(max - b.memory + n), Max: uint64(max), Offset: -1}
	}
	b.memory -= n
	if b.c.budget != nil {
		if !b.c.budget.Acquire(n) {
			return &LimitError{Limit: "budget", Value: uint64(b.c.budget.Used() + n), Max: uint64(b.c.budget.Max()), Offset: -1}
		}
		b.acquired += n
	}
	return nil
}

func (b *binder) release() {
	if b.acquired > 0 {
		b.c.budget.Release(b.acquired)
	}
}

// mostBindDepth bounds the depth when nothing else does: a Go stack may grow to a gigabyte.
const mostBindDepth = 100_000

func (b *binder) enter() error {
	b.depth++
	if most := min(b.c.limits.Depth, mostBindDepth); b.depth > most {
		return &LimitError{Limit: "depth", Value: uint64(b.depth), Max: uint64(most), Offset: -1}
	}
	return nil
}

func mismatch(x any, t reflect.Type) error {
	return &bindError{err: TypeError{Python: pythonType(x), Go: t, Offset: -1}}
}

func mismatchf(x any, t reflect.Type, format string, args ...any) error {
	return &bindError{err: TypeError{Python: pythonType(x), Go: t, Offset: -1,
		Msg: fmt.Sprintf("Python %s into Go %v: ", pythonType(x), t) + fmt.Sprintf(format, args...)}}
}

func mismatchErr(x any, t reflect.Type, err error) error {
	return &bindError{err: TypeError{Python: pythonType(x), Go: t, Offset: -1, Err: err,
		Msg: fmt.Sprintf("Python %s into Go %v: %v", pythonType(x), t, err)}}
}

// bind puts x into v, whose type is p's. What v holds already stays as far as x does not mention
// it: struct fields, entries of maps, what pointers point to; all of it copied first.
func (b *binder) bind(x any, v reflect.Value, p *typePlan) error {
	b.work--
	if b.work < 0 {
		max := uint64(b.c.limits.workFor(b.received))
		return &LimitError{Limit: "work", Value: max + 1, Max: max, Offset: -1}
	}
	if p.unmarshaler {
		if err := v.Addr().Interface().(Unmarshaler).UnmarshalPickle(x); err != nil {
			return mismatchErr(x, p.t, err)
		}
		return nil
	}
	if len(b.c.binding.converters) > 0 && p.kind != bindAny && p.kind != bindModel {
		if ok, err := b.convert(x, v, p); ok || err != nil {
			return err
		}
	}
	if p.std {
		made, ok, err := stdlibInto(x, p.t, b.costs())
		if err != nil {
			return mismatchErr(x, p.t, err)
		}
		if ok {
			if made == nil {
				v.SetZero()
			} else {
				v.Set(reflect.ValueOf(made))
			}
			return nil
		}
	}
	if p.text {
		if s, ok := textOf(x); ok {
			if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
				return mismatchErr(x, p.t, err)
			}
			return nil
		}
	}
	if len(b.c.binding.byType) > 0 {
		if value, ok := b.enumValue(x, p.t); ok {
			x = value
		}
	}
	switch p.kind {
	case bindBool:
		if x, ok := x.(bool); ok {
			v.SetBool(x)
			return nil
		}
	case bindInt, bindUint:
		if ok, err := bindInteger(x, v, p); ok || err != nil {
			return err
		}
	case bindFloat:
		if ok, err := bindFloating(x, v, p); ok || err != nil {
			return err
		}
	case bindComplex:
		if c, ok := x.(*Complex); ok {
			if p.t.Kind() == reflect.Complex64 && v.OverflowComplex(complex(c.Real, c.Imag)) {
				return mismatchf(x, p.t, "it overflows")
			}
			v.SetComplex(complex(c.Real, c.Imag))
			return nil
		}
		var f float64
		fv := reflect.ValueOf(&f).Elem()
		if ok, err := bindFloating(x, fv, planOf(fv.Type())); ok || err != nil {
			v.SetComplex(complex(f, 0))
			return err
		}
	case bindString:
		switch x := x.(type) {
		case string:
			s, err := b.keepString(x)
			v.SetString(s)
			return err
		case ByteString:
			if !utf8.ValidString(string(x)) {
				return mismatchf(x, p.t, "it is not UTF-8; WithPython2Strings says what it is")
			}
			s, err := b.keepString(string(x))
			v.SetString(s)
			return err
		}
	case bindBigInt:
		if n, ok := integerOf(x); ok {
			v.Addr().Interface().(*big.Int).Set(n)
			return nil
		}
	case bindByteSlice:
		if ok, err := b.bindBytes(x, v, p); ok || err != nil {
			return err
		}
		return b.bindSlice(x, v, p)
	case bindSlice:
		return b.bindSlice(x, v, p)
	case bindArray:
		return b.bindArray(x, v, p)
	case bindMap, bindSetMap:
		return b.bindMap(x, v, p)
	case bindStruct:
		return b.bindStruct(x, v, p)
	case bindPointer:
		return b.bindPointer(x, v, p)
	case bindAny:
		if x == nil {
			v.SetZero()
		} else {
			v.Set(reflect.ValueOf(x))
		}
		return nil
	case bindInterface:
		return b.bindInterface(x, v, p)
	case bindModel:
		if s, ok := x.(ByteString); ok && p.t == reflect.TypeFor[Bytes]() {
			x = Bytes(s)
		}
		if x == nil && p.t.Kind() == reflect.Pointer {
			v.SetZero()
			return nil
		}
		if o, ok := x.(*Object); ok && p.t == reflect.TypeFor[*ByteArray]() {
			if s, _, ok := binaryOf(o); ok {
				known, key, shared := b.known(x, p.t)
				if !shared {
					known = reflect.ValueOf(&ByteArray{Data: []byte(s)})
					b.share(key, known)
				}
				v.Set(known)
				return b.take(int64(len(s)))
			}
		}
	}
	return b.assign(x, v, p)
}

// convert asks the converters for an instance's Go value.
func (b *binder) convert(x any, v reflect.Value, p *typePlan) (ok bool, err error) {
	o, isObject := x.(*Object)
	if !isObject || p.kind == bindPointer {
		return false, nil
	}
	for _, f := range b.c.binding.converters {
		made, ok, err := f(o, p.t)
		if err != nil {
			return false, mismatchErr(x, p.t, err)
		}
		if !ok {
			continue
		}
		if made == nil || !reflect.TypeOf(made).AssignableTo(p.t) {
			return false, mismatchf(x, p.t, "the converter made a %T", made)
		}
		v.Set(reflect.ValueOf(made))
		return true, nil
	}
	return false, nil
}

// assign takes x as it is, which a hook (WithPersistentLoad, WithExtension) may have made to be
// just the type that is wanted.
func (b *binder) assign(x any, v reflect.Value, p *typePlan) error {
	if x != nil && reflect.TypeOf(x).AssignableTo(p.t) {
		v.Set(reflect.ValueOf(x))
		return nil
	}
	if p.kind == bindUnsupported && !p.std {
		return mismatchf(x, p.t, "such a type holds no Python value")
	}
	return mismatch(x, p.t)
}

// keepString copies a string that may lie in the message, so that it keeps nothing else alive. A
// string that Python shares is copied once.
func (b *binder) keepString(s string) (string, error) {
	if b.c.lend || b.c.copyStrings || len(s) == 0 {
		return s, nil
	}
	const short = 32 // below, the map costs more than the copy
	if len(s) > short {
		id := stringID{stringAddress(s), len(s)}
		if kept, ok := b.strings[id]; ok {
			return kept, nil
		}
		if err := b.take(int64(len(s))); err != nil {
			return "", err
		}
		kept := strings.Clone(s)
		if b.strings == nil {
			b.strings = map[stringID]string{}
		}
		b.strings[id] = kept
		return kept, nil
	}
	return strings.Clone(s), b.take(int64(len(s)))
}

func bindInteger(x any, v reflect.Value, p *typePlan) (ok bool, err error) {
	var n int64
	switch x := x.(type) {
	case int64:
		n = x
	case Int:
		n = int64(x)
	case Long:
		n = int64(x)
	case *big.Int:
		if p.kind == bindUint && x.IsUint64() && !v.OverflowUint(x.Uint64()) {
			v.SetUint(x.Uint64())
			return true, nil
		}
		if p.kind == bindInt && x.IsInt64() && !v.OverflowInt(x.Int64()) {
			v.SetInt(x.Int64())
			return true, nil
		}
		return false, overflow(x, p.t)
	default:
		return false, nil
	}
	switch {
	case p.kind == bindInt && !v.OverflowInt(n):
		v.SetInt(n)
	case p.kind == bindUint && n >= 0 && !v.OverflowUint(uint64(n)):
		v.SetUint(uint64(n))
	default:
		return false, overflow(x, p.t)
	}
	return true, nil
}

func overflow(x any, t reflect.Type) error {
	text := fmt.Sprint(x)
	if n, ok := x.(*big.Int); ok && n.BitLen() > 128 {
		text = fmt.Sprintf("of %d bits", n.BitLen())
	}
	return &bindError{err: TypeError{Python: pythonType(x), Go: t, Offset: -1,
		Msg: fmt.Sprintf("Python %s %s overflows Go %v", pythonType(x), text, t)}}
}

// bindFloating takes floats, and ints that a float holds exactly.
func bindFloating(x any, v reflect.Value, p *typePlan) (ok bool, err error) {
	var f float64
	switch x := x.(type) {
	case float64:
		if v.OverflowFloat(x) {
			return false, &bindError{err: TypeError{Python: "float", Go: p.t, Offset: -1,
				Msg: fmt.Sprintf("Python float %v overflows Go %v", x, p.t)}}
		}
		v.SetFloat(x)
		return true, nil
	case int64, Int, Long, *big.Int:
		n, _ := integerOf(x)
		if n.BitLen() <= 1024 {
			var accuracy big.Accuracy
			f, accuracy = new(big.Float).SetInt(n).Float64()
			if accuracy == big.Exact && (p.t.Kind() == reflect.Float64 || float64(float32(f)) == f) && !math.IsInf(f, 0) {
				v.SetFloat(f)
				return true, nil
			}
		}
		return false, mismatchf(x, p.t, "it does not hold this int exactly")
	}
	return false, nil
}

func integerOf(x any) (*big.Int, bool) {
	switch x := x.(type) {
	case int64:
		return big.NewInt(x), true
	case Int:
		return big.NewInt(int64(x)), true
	case Long:
		return big.NewInt(int64(x)), true
	case *big.Int:
		return x, true
	}
	return nil, false
}

// binaryOf returns the content of Python's binary types.
func binaryOf(x any) (s string, data []byte, ok bool) {
	switch x := x.(type) {
	case Bytes:
		return string(x), nil, true
	case ByteString:
		return string(x), nil, true
	case *ByteArray:
		return "", x.Data, true
	case *Buffer:
		return "", x.Data, x.Data != nil
	case *Object:
		// Up to 3.7, and below protocol 3, a bytearray is bytearray(text, 'latin-1').
		in, isInstance := instanceOf(x)
		if isInstance && in.class == (Global{Module: "builtins", Name: "bytearray"}) && in.plain() && len(in.args) == 2 {
			if encoding, isText := textOf(in.args[1]); isText && encoding == "latin-1" {
				s, ok = bytesOf(in.args[0])
				return s, nil, ok
			}
		}
	}
	return "", nil, false
}

func (b *binder) bindBytes(x any, v reflect.Value, p *typePlan) (ok bool, err error) {
	s, data, ok := binaryOf(x)
	if !ok {
		return false, nil
	}
	known, key, shared := b.known(x, p.t)
	if shared {
		v.Set(known)
		return true, nil
	}
	n := len(s) + len(data)
	if err := b.take(int64(n)); err != nil {
		return false, err
	}
	kept := make([]byte, n)
	copy(kept[copy(kept, s):], data)
	v.SetBytes(kept)
	b.share(key, keepValue(v))
	return true, nil
}

// keepValue returns v's value apart from the variable, which goes on to change.
func keepValue(v reflect.Value) reflect.Value {
	kept := reflect.New(v.Type()).Elem()
	kept.Set(v)
	return kept
}

// itemsOf returns the items of what Python iterates over item by item.
func itemsOf(x any) (items []any, ok bool) {
	switch x := x.(type) {
	case *List:
		return x.Items(), true
	case Tuple:
		return x, true
	case *Set:
		items = make([]any, 0, x.Len())
		for item := range x.All() {
			items = append(items, item)
		}
		return items, true
	case *FrozenSet:
		items = make([]any, 0, x.Len())
		for item := range x.All() {
			items = append(items, item)
		}
		return items, true
	case *Object:
		if in, isInstance := instanceOf(x); isInstance {
			return in.sequence(x)
		}
	}
	return nil, false
}

func (b *binder) bindSlice(x any, v reflect.Value, p *typePlan) error {
	if x == nil {
		v.SetZero()
		return nil
	}
	known, key, shared := b.known(x, p.t)
	if shared {
		v.Set(known)
		return nil
	}
	if l, ok := x.(*List); ok && l.packed != nil {
		if made, ok, err := b.copyPacked(l.packed, p); ok || err != nil {
			if err == nil {
				b.share(key, made)
				v.Set(made)
			}
			return err
		}
	}
	items, ok := itemsOf(x)
	if !ok {
		return b.assign(x, v, p)
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer func() { b.depth-- }()
	if err := b.take(int64(len(items)) * p.elem.size); err != nil {
		return err
	}
	made := reflect.MakeSlice(p.t, len(items), len(items))
	b.share(key, made) // before the items, which may refer to it
	for i, item := range items {
		if err := b.bind(item, made.Index(i), p.elem); err != nil {
			return under(err, step{kind: stepIndex, index: i})
		}
	}
	v.Set(made)
	return nil
}

// bindArray follows encoding/json: what the array has no room for is left out, what is missing
// becomes zero. An array of bytes takes bytes of just its length.
// copyPacked makes the slice of a packed list without a box for each item, where the items are
// those of the slice as they are.
func (b *binder) copyPacked(l *packed, p *typePlan) (made reflect.Value, ok bool, err error) {
	switch {
	case l.ints != nil && (p.t == reflect.TypeFor[[]int64]() || p.t == reflect.TypeFor[[]int]() && math.MaxInt == math.MaxInt64):
	case l.floats != nil && p.t == reflect.TypeFor[[]float64]():
	default:
		return made, false, nil
	}
	if err := b.take(int64(l.len()) * p.elem.size); err != nil {
		return made, false, err
	}
	made = reflect.MakeSlice(p.t, l.len(), l.len())
	switch s := made.Interface().(type) {
	case []int64:
		copy(s, l.ints)
	case []int:
		for i, n := range l.ints {
			s[i] = int(n)
		}
	case []float64:
		copy(s, l.floats)
	}
	return made, true, nil
}

func (b *binder) bindArray(x any, v reflect.Value, p *typePlan) error {
	if p.elem.isPlain(reflect.Uint8) {
		if id, ok, _ := stdlibInto(x, reflect.TypeFor[UUID](), nil); ok && v.Len() == len(UUID{}) {
			reflect.Copy(v, reflect.ValueOf(id.(UUID)))
			return nil
		}
		if s, data, ok := binaryOf(x); ok {
			if len(s)+len(data) != v.Len() {
				return mismatchf(x, p.t, "there are %d bytes", len(s)+len(data))
			}
			reflect.Copy(v, reflect.ValueOf(append([]byte(s), data...)).Convert(reflect.SliceOf(p.elem.t)))
			return nil
		}
	}
	items, ok := itemsOf(x)
	if !ok {
		return b.assign(x, v, p)
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer func() { b.depth-- }()
	v.SetZero()
	for i, item := range items[:min(len(items), v.Len())] {
		if err := b.bind(item, v.Index(i), p.elem); err != nil {
			return under(err, step{kind: stepIndex, index: i})
		}
	}
	return nil
}

func (b *binder) bindPointer(x any, v reflect.Value, p *typePlan) error {
	if x == nil {
		v.SetZero()
		return nil
	}
	known, key, shared := b.known(x, p.t)
	if shared {
		v.Set(known)
		return nil
	}
	if reflect.TypeOf(x).AssignableTo(p.t) && !p.elem.unmarshaler && p.elem.kind != bindBigInt {
		v.Set(reflect.ValueOf(x))
		return nil
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer func() { b.depth-- }()
	if err := b.take(p.elem.size); err != nil {
		return err
	}
	made := reflect.New(p.elem.t)
	if !v.IsNil() {
		made.Elem().Set(v.Elem())
	}
	if made.Type() != p.t {
		made = made.Convert(p.t)
	}
	b.share(key, made)
	if err := b.bind(x, made.Elem(), p.elem); err != nil {
		return err
	}
	v.Set(made)
	return nil
}

// bindInterface chooses the Go type for an interface with methods: the one registered for the
// instance's class, or what a hook made.
func (b *binder) bindInterface(x any, v reflect.Value, p *typePlan) error {
	if x == nil {
		v.SetZero()
		return nil
	}
	if o, ok := x.(*Object); ok {
		if g, ok := classOfObject(o); ok {
			if t, ok := b.c.binding.byName[plainGlobal(g)]; ok {
				if !t.Implements(p.t) {
					t = reflect.PointerTo(t)
				}
				if t.Implements(p.t) {
					made := reflect.New(t).Elem()
					if err := b.bind(x, made, planOf(t)); err != nil {
						return err
					}
					v.Set(made)
					return nil
				}
			}
		}
	}
	if o, ok := x.(*Object); ok { // an *Exception is an error
		made, known, err := convert(o, b.costs())
		if err != nil {
			return mismatchErr(x, p.t, err)
		}
		if known && made != nil && reflect.TypeOf(made).AssignableTo(p.t) {
			v.Set(reflect.ValueOf(made))
			return nil
		}
	}
	return b.assign(x, v, p)
}

func plainGlobal(g Global) Global { return Global{Module: g.Module, Name: g.Name} }

// enumValue returns the value of an enum's member, which Python writes as cls(value), when t is
// registered as that enum.
func (b *binder) enumValue(x any, t reflect.Type) (any, bool) {
	tag, ok := b.c.binding.byType[t]
	if !ok || tag.form != formEnum {
		return nil, false
	}
	o, ok := x.(*Object)
	if !ok || o.How != ByReduce {
		return nil, false
	}
	g, _ := o.Callable.(Global)
	args, _ := o.Args.(Tuple)
	if plainGlobal(g) != tag.name || len(args) != 1 {
		return nil, false
	}
	return args[0], true
}

func (b *binder) bindMap(x any, v reflect.Value, p *typePlan) error {
	if x == nil {
		v.SetZero()
		return nil
	}
	known, key, shared := b.known(x, p.t)
	if shared {
		v.Set(known)
		return nil
	}
	var dict *Dict
	var record []attribute
	var items []any
	switch x := x.(type) {
	case *Dict:
		dict = x
	case *Set, *FrozenSet:
		if p.kind != bindSetMap {
			return b.assign(x, v, p)
		}
		items, _ = itemsOf(x)
	case *Object:
		in, ok := instanceOf(x)
		if !ok {
			return b.assign(x, v, p)
		}
		in.meter = b.costs()
		if dict, ok = in.mapping(x); ok {
			break
		}
		if record, ok = in.record(x.How); !ok || len(record) == 0 || record[0].name == "" {
			return b.assign(x, v, p)
		}
		dict = nil
	default:
		return b.assign(x, v, p)
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer func() { b.depth-- }()
	n := len(items) + len(record)
	if dict != nil {
		n += dict.Len()
	}
	const perEntry = 8 // of the table itself, about
	if err := b.take(int64(n) * (p.key.size + p.elem.size + perEntry)); err != nil {
		return err
	}
	made := reflect.MakeMapWithSize(p.t, n+v.Len())
	for it := v.MapRange(); it.Next(); {
		made.SetMapIndex(it.Key(), it.Value())
	}
	b.share(key, made)
	kv := reflect.New(p.t.Key()).Elem()
	ev := reflect.New(p.t.Elem()).Elem()
	for _, item := range items {
		kv.SetZero()
		if err := b.bindKey(item, kv, p.key); err != nil {
			return under(err, step{kind: stepKey, key: item})
		}
		made.SetMapIndex(kv, ev)
	}
	entry := func(k, e any, attr bool) error {
		kv.SetZero()
		if err := b.bindKey(k, kv, p.key); err != nil {
			return under(err, step{kind: stepKey, key: k, attr: attr})
		}
		ev.SetZero()
		if err := b.bind(e, ev, p.elem); err != nil {
			return under(err, step{kind: stepValue, key: k, attr: attr})
		}
		made.SetMapIndex(kv, ev)
		return nil
	}
	for _, a := range record {
		if err := entry(a.name, a.value, true); err != nil {
			return err
		}
	}
	if dict != nil {
		for k, e := range dict.All() {
			if err := entry(k, e, false); err != nil {
				return err
			}
		}
	}
	v.Set(made)
	return nil
}

// bindKey binds a dict's key; Go cannot hash all that Python can (a tuple in an `any`).
func (b *binder) bindKey(x any, v reflect.Value, p *typePlan) error {
	if err := b.bind(x, v, p); err != nil {
		return err
	}
	if !v.Comparable() {
		return mismatchf(x, p.t, "Go cannot hash it as a key; *Dict can")
	}
	return nil
}

func (b *binder) bindStruct(x any, v reflect.Value, p *typePlan) error {
	if p.fields.err != nil {
		return p.fields.err
	}
	var dict *Dict
	var items []any
	var record []attribute
	switch x := x.(type) {
	case *Dict:
		dict = x
	case Tuple:
		if f := b.c.classOf(p.t, p.fields).form; f != formTuple && f != formNamedTuple {
			return b.assign(x, v, p)
		}
		if len(x) != len(p.fieldPlans) {
			return mismatchf(x, p.t, "%d items for %d fields", len(x), len(p.fieldPlans))
		}
		items = x
	case *Object:
		in, ok := instanceOf(x)
		if !ok {
			return b.assign(x, v, p)
		}
		in.meter = b.costs()
		if dict, ok = in.mapping(x); ok {
			break
		}
		dict = nil
		if record, ok = in.record(x.How); !ok {
			return b.assign(x, v, p)
		}
		if len(record) > 0 && record[0].name == "" && len(record) != len(p.fieldPlans) {
			return mismatchf(x, p.t, "%d items for %d fields", len(record), len(p.fieldPlans))
		}
	default:
		return b.assign(x, v, p)
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer func() { b.depth-- }()
	w := structBinder{b: b, v: v, p: p, seen: make([]bool, len(p.fieldPlans))}
	for i, item := range items {
		if err := w.field(i, item); err != nil {
			return under(err, step{kind: stepIndex, index: i})
		}
	}
	for i, a := range record {
		if a.name == "" {
			if err := w.field(i, a.value); err != nil {
				return under(err, step{kind: stepArg, index: i})
			}
		} else if err := w.entry(a.name, a.value, true); err != nil {
			return err
		}
	}
	if dict != nil {
		for k, item := range dict.All() {
			if err := w.entry(k, item, false); err != nil {
				return err
			}
		}
	}
	if b.c.binding.requireFields {
		for i, f := range p.fields.fields {
			if !w.seen[i] && !f.omitEmpty && !f.omitZero {
				return &bindError{err: TypeError{Python: pythonType(x), Go: p.t, Offset: -1,
					Msg: fmt.Sprintf("Python %s into Go %v: no key %q", pythonType(x), p.t, f.name)}}
			}
		}
	}
	return nil
}

// structBinder fills one struct.
type structBinder struct {
	b    *binder
	v    reflect.Value
	p    *typePlan
	seen []bool
}

func (w *structBinder) entry(k, x any, attr bool) error {
	i, ok := -1, false
	if name, isText := textOf(k); isText {
		i, ok = w.p.fields.lookup(name)
	}
	if !ok {
		if w.b.c.binding.disallowUnknown {
			return &bindError{err: TypeError{Python: pythonType(k), Go: w.p.t, Offset: -1,
				Msg: fmt.Sprintf("no field for key %s in Go %v", keyLiteral(k), w.p.t)},
				steps: []step{{kind: stepKey, key: k, attr: attr}}}
		}
		return nil
	}
	if err := w.field(i, x); err != nil {
		return under(err, step{kind: stepValue, key: k, attr: attr})
	}
	return nil
}

func (w *structBinder) field(i int, x any) error {
	fv, err := w.p.fields.fields[i].reach(w.v)
	if err != nil {
		return err
	}
	if w.seen[i] { // two keys that differ in case: the later one replaces, and does not add to, the first
		fv.SetZero()
	}
	w.seen[i] = true
	return w.b.bind(x, fv, w.p.fieldPlans[i])
}

// keyLiteral writes a key for an error: as Python would where that is short and simple.
func keyLiteral(k any) string {
	switch k := k.(type) {
	case string:
		return strconv.Quote(clip(k))
	case ByteString:
		return strconv.Quote(clip(string(k)))
	case Bytes:
		return "b" + strconv.Quote(clip(string(k)))
	case nil:
		return "None"
	case bool:
		if k {
			return "True"
		}
		return "False"
	case int64, Int, Long, float64:
		return fmt.Sprint(k)
	}
	return "<" + pythonType(k) + ">"
}
