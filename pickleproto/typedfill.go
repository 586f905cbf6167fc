package pickleproto

import (
	"encoding/binary"
	"math"
	"reflect"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// How the typed fast path fills Go variables. See the NOTE in typed.go.

// fastField is what a struct's plan says of a field to the fast path.
type fastField struct {
	name   string
	offset uintptr
	kind   fastKind
	fill   fastFunc // nil where only the machine will do
}

// fastKind names the field types that are read without a call by way of fill.
type fastKind uint8

const (
	fastOther fastKind = iota
	fastString
	fastInt64
	fastFloat64
)

// finishFast completes a struct's plan once all plans that it refers to have their fill.
func (p *typePlan) finishFast() {
	for i, f := range p.fields.fields {
		ff := fastField{name: f.name, fill: p.fieldPlans[i].fast}
		t := p.t
		for _, n := range f.index {
			if f.viaPtr {
				break // which fastFor refuses
			}
			sf := t.Field(n)
			ff.offset += sf.Offset
			t = sf.Type
		}
		if ff.fill != nil {
			switch f.typ.Kind() {
			case reflect.String:
				ff.kind = fastString
			case reflect.Int64:
				ff.kind = fastInt64
			case reflect.Float64:
				ff.kind = fastFloat64
			}
		}
		p.fastFields = append(p.fastFields, ff)
	}
}

// fastFor returns the fast way to read p's type, nil if there is none.
func fastFor(p *typePlan) fastFunc {
	if p.unmarshaler || p.text || p.std {
		return nil
	}
	switch p.kind {
	case bindBool:
		return fillBool
	case bindInt, bindUint:
		return fillInteger(p.t.Kind())
	case bindFloat:
		if p.t.Kind() == reflect.Float32 {
			return fillFloat32
		}
		return fillFloat64
	case bindString:
		return fillString
	case bindByteSlice:
		return fillBytes
	case bindSlice:
		if f := basicSlice(p); f != nil {
			return f
		}
		return func(r *reader, v place) bool { return p.elem.fast != nil && r.slice(v, p) }
	case bindArray:
		return func(r *reader, v place) bool { return p.elem.fast != nil && r.array(v, p) }
	case bindMap:
		if f := basicMap(p); f != nil {
			return f
		}
		if k := p.key.kind; k != bindString && k != bindInt && k != bindUint {
			return nil
		}
		return func(r *reader, v place) bool {
			return p.key.fast != nil && p.elem.fast != nil && r.mapping(v, p)
		}
	case bindSetMap:
		if p.t.Elem() != reflect.TypeFor[struct{}]() {
			return nil
		}
		switch p.t.Key() {
		case reflect.TypeFor[int64]():
			return func(r *reader, v place) bool { return setOf(r, at[map[int64]struct{}](v), (*reader).integer) }
		case reflect.TypeFor[string]():
			return func(r *reader, v place) bool { return setOf(r, at[map[string]struct{}](v), (*reader).str) }
		}
	case bindStruct:
		// Promotion through pointers is the binder's.
		if p.fields.err != nil || len(p.fields.fields) > 64 {
			return nil
		}
		for _, f := range p.fields.fields {
			if f.viaPtr {
				return nil
			}
		}
		return func(r *reader, v place) bool { return r.structure(v, p) }
	case bindPointer:
		return func(r *reader, v place) bool { return p.elem.fast != nil && r.pointer(v, p) }
	case bindAny:
		return fillAny
	}
	return nil
}

// Scalars.

func fillBool(r *reader, v place) bool {
	switch r.peek() {
	case wire.OpNewTrue:
		*at[bool](v) = true
	case wire.OpNewFalse:
		*at[bool](v) = false
	default:
		return false
	}
	r.pos++
	return true
}

func fillInteger(k reflect.Kind) fastFunc {
	switch k {
	case reflect.Int:
		return fillInt[int]
	case reflect.Int8:
		return fillInt[int8]
	case reflect.Int16:
		return fillInt[int16]
	case reflect.Int32:
		return fillInt[int32]
	case reflect.Int64:
		return fillInt[int64]
	case reflect.Uint:
		return fillInt[uint]
	case reflect.Uint8:
		return fillInt[uint8]
	case reflect.Uint16:
		return fillInt[uint16]
	case reflect.Uint32:
		return fillInt[uint32]
	case reflect.Uint64:
		return fillInt[uint64]
	}
	return nil
}

func fillInt[T anyInt](r *reader, v place) bool {
	n, ok := r.integer()
	x := T(n)
	*at[T](v) = x
	return ok && int64(x) == n && (x < 0) == (n < 0)
}

func fillFloat64(r *reader, v place) (ok bool) {
	*at[float64](v), ok = r.float()
	return ok
}

func fillFloat32(r *reader, v place) bool {
	op := r.peek()
	f, ok := r.float()
	*at[float32](v) = float32(f)
	return ok && fitsFloat32(f, op)
}

// fitsFloat32 reports whether f, which op wrote, may become a float32: a float if it does not
// overflow, an int if nothing is lost.
func fitsFloat32(f float64, op byte) bool {
	if op != wire.OpBinFloat {
		return float64(float32(f)) == f
	}
	return !(math.Abs(f) > math.MaxFloat32) || math.IsInf(f, 0)
}

func fillString(r *reader, v place) (ok bool) {
	*at[string](v), ok = r.str()
	return ok
}

func fillBytes(r *reader, v place) bool {
	n := uint64(0)
	op := r.peek()
	begin := r.pos
	d := r.data[r.pos:r.end]
	head := 0
	switch {
	case op == wire.OpNone:
		r.pos++
		*at[[]byte](v) = nil
		return true
	case op == wire.OpShortBinBytes && len(d) >= 2:
		n, head = uint64(d[1]), 2
	case op == wire.OpBinBytes && len(d) >= 5:
		n, head = uint64(binary.LittleEndian.Uint32(d[1:])), 5
	case op == wire.OpBinBytes8 && len(d) >= 9:
		n, head = binary.LittleEndian.Uint64(d[1:]), 9
	default:
		return false
	}
	if n > uint64(len(d)-head) || !r.charge(int(n)) {
		return false
	}
	*at[[]byte](v) = append(make([]byte, 0, n), d[head:head+int(n)]...)
	r.pos += head + int(n)
	return r.put(begin)
}

// slabItems is how many values behind interfaces are allocated together, at most.
const slabItems = 256

// slab returns a slab for more values of a kind, n of which the last one held.
func slab[T any](r *reader, n int, size int) ([]T, bool) {
	n = min(max(4, 2*n), slabItems)
	return make([]T, 0, n), r.charge(n * size)
}

// fillAny reads scalars into an interface, as the machine makes them. Containers are the machine's.
func fillAny(r *reader, v place) bool {
	switch op := r.peek(); op {
	case wire.OpNone:
		r.pos++
		*at[any](v) = nil
		return true
	case wire.OpNewTrue:
		r.pos++
		*at[any](v) = true
		return true
	case wire.OpNewFalse:
		r.pos++
		*at[any](v) = false
		return true
	case wire.OpBinFloat:
		f, ok := r.float()
		if ok && len(r.floats) == cap(r.floats) {
			r.floats, ok = slab[float64](r, cap(r.floats), 8)
		}
		if !ok {
			return false
		}
		r.floats = append(r.floats, f)
		*at[any](v) = boxFloat(&r.floats[len(r.floats)-1])
		return true
	case wire.OpBinInt1, wire.OpBinInt2, wire.OpBinInt, wire.OpLong1:
		n, ok := r.integer()
		if op == wire.OpLong1 && n == int64(int32(n)) {
			return false // a Long, to the model
		}
		if ok && uint64(n) < uint64(len(smallInts)) {
			*at[any](v) = smallInts[n]
			return true
		}
		if ok && len(r.ints) == cap(r.ints) {
			r.ints, ok = slab[int64](r, cap(r.ints), 8)
		}
		if !ok {
			return false
		}
		r.ints = append(r.ints, n)
		*at[any](v) = boxInt(&r.ints[len(r.ints)-1])
		return true
	case wire.OpShortBinUnicode, wire.OpBinUnicode, wire.OpBinUnicode8, wire.OpBinGet, wire.OpLongBinGet:
		s, ok := r.str()
		if ok && len(r.strs) == cap(r.strs) {
			r.strs, ok = slab[string](r, cap(r.strs), 16)
		}
		if !ok {
			return false
		}
		r.strs = append(r.strs, s)
		*at[any](v) = boxString(&r.strs[len(r.strs)-1])
		return true
	}
	return false
}

// pointerSlab holds what is left of the last slab of a type's variables.
type pointerSlab struct {
	next place
	left int
	size int // of the whole slab, in variables
}

// slabBytesMost bounds a slab: a pointer that the program keeps keeps the slab.
const slabBytesMost = 2048

// newElem returns a new variable for a pointer to point to. Small ones come from slabs, which
// double, so that few pointers cost little.
func (r *reader) newElem(p *typePlan) (place, bool) {
	size := int(p.size)
	if size > slabBytesMost/8 || size == 0 {
		return placeOf(reflect.New(p.t)), r.charge(size)
	}
	s := r.slabs[p]
	if s == nil {
		if r.slabs == nil {
			r.slabs = map[*typePlan]*pointerSlab{}
		}
		s = &pointerSlab{}
		r.slabs[p] = s
	}
	if s.left == 0 {
		s.size = min(max(1, 2*s.size), slabBytesMost/size)
		if !r.charge(s.size * size) {
			return nil, false
		}
		s.next, s.left = reflect.MakeSlice(reflect.SliceOf(p.t), s.size, s.size).UnsafePointer(), s.size
	}
	made := s.next
	if s.left--; s.left > 0 {
		s.next = within(made, uintptr(size))
	} else {
		s.next = nil // never an address past the slab
	}
	return made, true
}

func (r *reader) pointer(v place, p *typePlan) bool {
	if r.none() {
		setPointer(v, nil)
		return true
	}
	// What is there already stays, in a copy: the binder's business.
	if !isNil(v) || !r.enter() {
		return false
	}
	made, ok := r.newElem(p.elem)
	if !ok {
		return false
	}
	setPointer(v, made)
	if !p.elem.fast(r, made) {
		return false
	}
	r.depth--
	return true
}

// Lists and tuples.

// coming says how the next items of a list or dict come.
type coming uint8

const (
	nothing coming = iota
	aBatch         // MARK, which has been taken, items, APPENDS or SETITEMS
	single         // an item, APPEND or SETITEM
)

// beginContainer takes EMPTY_LIST, EMPTY_DICT or EMPTY_SET.
func (r *reader) beginContainer() bool {
	begin := r.pos
	r.pos++
	return r.put(begin) && r.enter()
}

// nextItems says how the items of a list go on.
func (r *reader) nextItems(elem *typePlan) coming {
	op := r.peek()
	if op == wire.OpMark {
		r.pos++
		return aBatch
	}
	if elem.begins(op) && r.applies(wire.OpAppend) {
		return single
	}
	return nothing
}

// take takes the opcode op, or reports that another one is next.
func (r *reader) take(op byte) bool {
	if r.peek() != op {
		return false
	}
	r.pos++
	return true
}

// begins reports whether a value of the type can begin with op.
func (p *typePlan) begins(op byte) bool {
	scalar := p.kind == bindInt || p.kind == bindFloat || p.kind == bindString
	switch op {
	case wire.OpAppend, wire.OpAppends, wire.OpSetItem, wire.OpSetItems, wire.OpStop, 0:
		return false
	case wire.OpEmptyDict:
		return !scalar && p.kind != bindSlice
	case wire.OpEmptyList:
		return !scalar && p.kind != bindStruct && p.kind != bindMap
	case wire.OpShortBinUnicode, wire.OpBinUnicode, wire.OpBinUnicode8, wire.OpBinGet, wire.OpLongBinGet:
		return p.kind == bindString || p.kind == bindAny || p.kind == bindPointer
	}
	return true
}

// tupleHead takes the MARK that tuples of more than three items begin with, or an empty tuple
// whole. It reports the number of items at most.
func (r *reader) tupleHead() (most int, ok bool) {
	switch r.peek() {
	case wire.OpEmptyTuple:
		r.pos++
		return 0, true
	case wire.OpMark:
		r.pos++
		return math.MaxInt, r.enter()
	}
	return 3, r.enter()
}

// tupleTail takes the opcode that makes the tuple of n items.
func (r *reader) tupleTail(n, most int) bool {
	switch {
	case most == 0:
		return true
	case most == math.MaxInt:
		if !r.take(wire.OpTuple) {
			return false
		}
	case n == 0 || !r.take(wire.OpTuple1+byte(n-1)):
		return false
	}
	r.depth--
	return r.put(r.pos - 1)
}

// endsItems reports whether op ends the items of a batch or a tuple.
func endsItems(op byte) bool {
	switch op {
	case wire.OpAppends, wire.OpAppend, wire.OpTuple, wire.OpTuple1, wire.OpTuple2, wire.OpTuple3, wire.OpAddItems, wire.OpFrozenSet:
		return true
	}
	return false
}

// room returns the capacity for a container that has n items, is full, and began at offset from.
// What is left of the message bounds it, and the size of the items so far; only the outermost
// container, of which there is one, gets all of that at once.
func (r *reader) room(n, from int) int {
	if n < 4 {
		return 4
	}
	left := (len(r.data) - r.pos) / max(1, (r.pos-from)/n)
	left += left/32 + 1
	if r.depth > 1 || n < 256 {
		left = min(left, 3*n)
	}
	return n + left
}

func (r *reader) slice(v place, p *typePlan) bool {
	if r.none() {
		valueAt(p.t, v).SetZero()
		return true
	}
	op := r.peek()
	from := r.pos
	if op != wire.OpEmptyList {
		most, ok := r.tupleHead()
		if !ok {
			return false
		}
		n, room := 0, 0
		first := widen(p.t, v, 0, 0)
		for ; n < most && !endsItems(r.peek()); n++ {
			if !r.element(v, p, &first, n, &room, from) {
				return false
			}
		}
		setLen(v, n)
		return r.tupleTail(n, most)
	}
	if !r.beginContainer() {
		return false
	}
	n, room := 0, 0
	first := widen(p.t, v, 0, 0)
	for full := true; full; {
		switch r.nextItems(p.elem) {
		case aBatch:
			begin := n
			for ; r.peek() != wire.OpAppends; n++ {
				if !r.element(v, p, &first, n, &room, from) {
					return false
				}
			}
			r.pos++
			full = n-begin >= batchSize // only then a pickler goes on with another
		case single:
			if !r.element(v, p, &first, n, &room, from) || !r.take(wire.OpAppend) {
				return false
			}
			n++
		default:
			full = false
		}
	}
	r.depth--
	setLen(v, n)
	if room > 2*n+1024 {
		widen(p.t, v, n, n)
	}
	return true
}

// element reads the n-th element of the slice at v, whose first one is at first.
func (r *reader) element(v place, p *typePlan, first *place, n int, room *int, from int) bool {
	if n == *room {
		*room = r.room(n, from)
		if !r.charge(*room * int(p.elem.size)) {
			return false
		}
		setLen(v, n)
		*first = widen(p.t, v, n, *room)
	}
	return p.elem.fast(r, within(*first, uintptr(n)*uintptr(p.elem.size)))
}

// array fills an array. One that the items do not fill exactly is the binder's.
func (r *reader) array(v place, p *typePlan) bool {
	size := p.t.Len()
	if size == 0 {
		return false
	}
	switch p.elem.kind {
	case bindStruct, bindPointer, bindMap, bindSetMap, bindArray:
		valueAt(p.t, v).SetZero() // what the elements hold is not added to
	}
	if r.peek() != wire.OpEmptyList {
		most, ok := r.tupleHead()
		if !ok {
			return false
		}
		n := 0
		for ; n < most && !endsItems(r.peek()); n++ {
			if n == size || !p.elem.fast(r, within(v, uintptr(n)*uintptr(p.elem.size))) {
				return false
			}
		}
		return n == size && r.tupleTail(n, most)
	}
	if !r.beginContainer() {
		return false
	}
	n := 0
	for full := true; full; {
		switch r.nextItems(p.elem) {
		case aBatch:
			begin := n
			for ; r.peek() != wire.OpAppends; n++ {
				if n == size || !p.elem.fast(r, within(v, uintptr(n)*uintptr(p.elem.size))) {
					return false
				}
			}
			r.pos++
			full = n-begin >= batchSize
		case single:
			if n == size || !p.elem.fast(r, within(v, uintptr(n)*uintptr(p.elem.size))) || !r.take(wire.OpAppend) {
				return false
			}
			n++
		default:
			full = false
		}
	}
	r.depth--
	return n == size
}

// grown returns s with room for more.
func grown[T any](r *reader, s []T, from int) ([]T, bool) {
	n := r.room(len(s), from)
	if !r.charge(n * int(reflect.TypeFor[T]().Size())) {
		return nil, false
	}
	t := make([]T, len(s), n)
	copy(t, s)
	return t, true
}

// fitted gives back the room of a slice for which much too much was taken.
func fitted[T any](s []T) []T {
	if cap(s) > 2*len(s)+1024 {
		return append(make([]T, 0, len(s)), s...)
	}
	return s
}

// sliceOf reads a list, tuple, set or frozenset into a slice of a basic type. items reads up to most
// of them.
func sliceOf[T comparable](r *reader, elem *typePlan, items func(r *reader, s []T, from, most int) ([]T, bool)) (s []T, ok bool) {
	if r.none() {
		return nil, true
	}
	op := r.peek()
	from := r.pos
	s = []T{}
	switch op {
	case wire.OpEmptyList:
		s, ok = listOf(r, elem, s, items)
	case wire.OpEmptySet:
		s, ok = setItems(r, s, items)
	default:
		most, began := r.tupleHead()
		if !began {
			return nil, false
		}
		if s, ok = items(r, s, from, most); !ok {
			return nil, false
		}
		if most == math.MaxInt && r.peek() == wire.OpFrozenSet {
			r.pos++
			r.depth--
			return fitted(s), distinct(s) && r.put(r.pos-1)
		}
		return fitted(s), r.tupleTail(len(s), most)
	}
	if !ok {
		return nil, false
	}
	return fitted(s), true
}

// setItems appends the members of a set to s, which is empty.
func setItems[T comparable](r *reader, s []T, items func(r *reader, s []T, from, most int) ([]T, bool)) (_ []T, ok bool) {
	from := r.pos
	if !r.beginContainer() {
		return nil, false
	}
	for full := true; full && r.take(wire.OpMark); {
		begin := len(s)
		if s, ok = items(r, s, from, math.MaxInt); !ok || !r.take(wire.OpAddItems) {
			return nil, false
		}
		full = len(s)-begin >= batchSize
	}
	r.depth--
	return s, distinct(s)
}

// fewItems is how many items are compared each with each.
const fewItems = 16

// distinct reports whether no two items are equal. Of equal members a set has one, which is for the
// machine to find; no pickler writes such.
func distinct[T comparable](s []T) bool {
	if len(s) > fewItems {
		seen := make(map[T]struct{}, len(s))
		for _, x := range s {
			seen[x] = struct{}{}
		}
		return len(seen) == len(s)
	}
	for i, x := range s {
		for _, y := range s[:i] {
			if x == y {
				return false
			}
		}
	}
	return true
}

// listOf appends the items of a list to s.
func listOf[T any](r *reader, elem *typePlan, s []T, items func(r *reader, s []T, from, most int) ([]T, bool)) (_ []T, ok bool) {
	from := r.pos
	if !r.beginContainer() {
		return nil, false
	}
	for full := true; full; {
		begin := len(s)
		switch r.nextItems(elem) {
		case aBatch:
			if s, ok = items(r, s, from, math.MaxInt); !ok || !r.take(wire.OpAppends) {
				return nil, false
			}
			full = len(s)-begin >= batchSize
		case single:
			if s, ok = items(r, s, from, 1); !ok || len(s) != begin+1 || !r.take(wire.OpAppend) {
				return nil, false
			}
		default:
			full = false
		}
	}
	r.depth--
	return s, true
}

type anyInt interface {
	int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64
}

func intItems[T anyInt](r *reader, s []T, from, most int) ([]T, bool) {
	for most > 0 {
		if len(s) == cap(s) && !endsItems(r.peek()) {
			var ok bool
			if s, ok = grown(r, s, from); !ok {
				return s, false
			}
		}
		n, ok := intRun(r, s[len(s):len(s)+min(cap(s)-len(s), most)])
		if !ok {
			return s, false
		}
		s = s[:len(s)+n]
		if most -= n; n > 0 {
			continue
		}
		x, ok := r.integer()
		if !ok {
			// No int here: the end of the items, or what the caller will not expect either.
			return s, true
		}
		v := T(x)
		if int64(v) != x || (v < 0) != (x < 0) {
			return s, false
		}
		s = append(s, v)
		most--
	}
	return s, true
}

// intRun reads ints of the common kinds into to. It returns how many there were.
func intRun[T anyInt](r *reader, to []T) (n int, ok bool) {
	data := r.data[r.pos:r.end]
	// The widest argument and an opcode after it: one comparison for all.
	for n < len(to) && len(data) >= 6 {
		var x int64
		switch data[0] {
		case wire.OpBinInt:
			x = int64(int32(binary.LittleEndian.Uint32(data[1:5])))
			data = data[5:]
			for n+1 < len(to) && len(data) >= 6 && data[0] == wire.OpBinInt {
				v := T(x)
				if int64(v) != x || (v < 0) != (x < 0) {
					return n, false
				}
				to[n] = v
				n++
				x = int64(int32(binary.LittleEndian.Uint32(data[1:5])))
				data = data[5:]
			}
		case wire.OpBinInt1:
			x = int64(data[1])
			data = data[2:]
		case wire.OpBinInt2:
			x = int64(binary.LittleEndian.Uint16(data[1:3]))
			data = data[3:]
		default:
			r.pos = r.end - len(data)
			return n, true
		}
		v := T(x)
		if int64(v) != x || (v < 0) != (x < 0) {
			return n, false
		}
		to[n] = v
		n++
	}
	r.pos = r.end - len(data)
	return n, true
}

func floatItems[T float32 | float64](r *reader, s []T, from, most int) ([]T, bool) {
	for most > 0 {
		if len(s) == cap(s) && !endsItems(r.peek()) {
			var ok bool
			if s, ok = grown(r, s, from); !ok {
				return s, false
			}
		}
		n, ok := floatRun(r, s[len(s):len(s)+min(cap(s)-len(s), most)])
		if !ok {
			return s, false
		}
		s = s[:len(s)+n]
		if most -= n; n > 0 {
			continue
		}
		op := r.peek()
		if endsItems(op) {
			return s, true
		}
		f, ok := r.float()
		v := T(f)
		if !ok || op != wire.OpBinFloat && float64(v) != f || math.IsInf(float64(v), 0) && !math.IsInf(f, 0) {
			return s, false
		}
		s = append(s, v)
		most--
	}
	return s, true
}

// floatRun reads BINFLOATs into to. It returns how many there were.
func floatRun[T float32 | float64](r *reader, to []T) (n int, ok bool) {
	data := r.data[r.pos:r.end]
	const more = 1<<24 + 1 // than a float32's mantissa holds
	narrow := float64(T(more)) != more
	for n < len(to) && len(data) >= 10 && data[0] == wire.OpBinFloat {
		f := math.Float64frombits(binary.BigEndian.Uint64(data[1:9]))
		v := T(f)
		if narrow && math.IsInf(float64(v), 0) && !math.IsInf(f, 0) {
			return n, false
		}
		to[n] = v
		n++
		data = data[9:]
	}
	r.pos = r.end - len(data)
	return n, true
}

func stringItems(r *reader, s []string, from, most int) ([]string, bool) {
	for ; most > 0; most-- {
		var v string
		ok := false
		data, pos := r.data, r.pos
		if r.end-pos > 2 && data[pos] == wire.OpShortBinUnicode && r.end-pos > 2+int(data[pos+1]) {
			next := pos + 2 + int(data[pos+1])
			if v, ok = r.keep(pos+2, next); !ok {
				return s, false
			}
			r.pos = next
			if data[next] == wire.OpMemoize && (len(r.memo) == 0 || r.memo[0] != noEntry) {
				r.memo = append(r.memo, uint32(pos))
				r.pos++
			} else if !r.put(pos) {
				return s, false
			}
		} else {
			if endsItems(r.peek()) {
				return s, true
			}
			if v, ok = r.str(); !ok {
				return s, false
			}
		}
		if len(s) == cap(s) {
			if s, ok = grown(r, s, from); !ok {
				return s, false
			}
		}
		s = append(s, v)
	}
	return s, true
}

// basicSlice returns the reader for the slices that have one of their own.
func basicSlice(p *typePlan) fastFunc {
	if p.elem.unmarshaler || p.elem.text || p.elem.std || p.elem.kind == bindModel {
		return nil
	}
	switch p.t.Elem().Kind() {
	case reflect.Int:
		return fastSlice(p, intItems[int])
	case reflect.Int8:
		return fastSlice(p, intItems[int8])
	case reflect.Int16:
		return fastSlice(p, intItems[int16])
	case reflect.Int32:
		return fastSlice(p, intItems[int32])
	case reflect.Int64:
		return numberSlice(fastSlice(p, intItems[int64]), func(r *reader) *[]int64 { return &r.intRun }, (*cursor).ints, 2)
	case reflect.Uint:
		return fastSlice(p, intItems[uint])
	case reflect.Uint16:
		return fastSlice(p, intItems[uint16])
	case reflect.Uint32:
		return fastSlice(p, intItems[uint32])
	case reflect.Uint64:
		return fastSlice(p, intItems[uint64])
	case reflect.Float32:
		return fastSlice(p, floatItems[float32])
	case reflect.Float64:
		return numberSlice(fastSlice(p, floatItems[float64]), func(r *reader) *[]float64 { return &r.floatRun }, (*cursor).floats, 9)
	case reflect.String:
		elem := p.elem
		return func(r *reader, v place) bool { return fillStrings(r, elem, at[[]string](v)) }
	}
	return nil
}

// shortSlice is how long a slice of strings may be to be cut from a slab.
const shortSlice = 8

// fillStrings is sliceOf for strs. A short slice within something else is cut from a slab.
func fillStrings(r *reader, elem *typePlan, dst *[]string) (ok bool) {
	if r.depth == 0 || r.peek() != wire.OpEmptyList {
		*dst, ok = sliceOf(r, elem, stringItems)
		return ok
	}
	r.scratch = r.scratch[:0]
	s, ok := listOf(r, elem, r.scratch, stringItems)
	if !ok {
		return false
	}
	switch n := len(s); {
	case n == 0:
		*dst, r.scratch = []string{}, s
	case n > shortSlice:
		*dst, r.scratch = fitted(s), nil // the scratch itself, perhaps
	default:
		if len(r.strs)+n > cap(r.strs) {
			if r.strs, ok = slab[string](r, max(cap(r.strs), n), 16); !ok {
				return false
			}
		}
		from := len(r.strs)
		r.strs = append(r.strs, s...)
		*dst, r.scratch = r.strs[from:len(r.strs):len(r.strs)], s[:0]
	}
	return true
}

func fastSlice[T comparable](p *typePlan, items func(r *reader, s []T, from, most int) ([]T, bool)) fastFunc {
	elem := p.elem
	return func(r *reader, v place) (ok bool) {
		*at[[]T](v), ok = sliceOf(r, elem, items)
		return ok
	}
}

// Dicts and sets.

// nextEntries says how the entries of a dict go on.
func (r *reader) nextEntries() coming {
	switch r.peek() {
	case wire.OpMark:
		r.pos++
		return aBatch
	case wire.OpAppend, wire.OpAppends, wire.OpSetItem, wire.OpSetItems, wire.OpStop, wire.OpEmptyDict, wire.OpEmptyList:
		return nothing
	}
	if r.applies(wire.OpSetItem) {
		return single
	}
	return nothing
}

// countEntries counts the entries of a dict, from within its first batch on, whose keys and values
// are scalars. It returns 0 when there is anything else.
func (r *reader) countEntries() int {
	scalars := 0
	for pos := r.pos; pos < len(r.data); {
		switch r.data[pos] {
		case wire.OpShortBinUnicode:
			if pos+1 >= len(r.data) {
				return 0
			}
			pos += 2 + int(r.data[pos+1])
			scalars++
		case wire.OpMemoize, wire.OpMark:
			pos++
		case wire.OpNone, wire.OpNewTrue, wire.OpNewFalse:
			pos++
			scalars++
		case wire.OpBinInt1, wire.OpBinGet:
			pos += 2
			scalars++
		case wire.OpBinInt2:
			pos += 3
			scalars++
		case wire.OpBinInt, wire.OpLongBinGet:
			pos += 5
			scalars++
		case wire.OpBinPut:
			pos += 2
		case wire.OpLongBinPut:
			pos += 5
		case wire.OpBinFloat, wire.OpFrame:
			if r.data[pos] == wire.OpBinFloat {
				scalars++
			}
			pos += 9
		case wire.OpSetItems:
			pos++
			if pos < len(r.data) && r.data[pos] != wire.OpMark && r.data[pos] != wire.OpFrame {
				return scalars / 2
			}
		default:
			return 0
		}
	}
	return 0
}

// mapOf reads a dict into a map with str keys and values of a basic type, of the given size of an
// entry.
func mapOf[T any](r *reader, dst *map[string]T, size int, value func(r *reader) (T, bool)) bool {
	if r.none() {
		*dst = nil
		return true
	}
	if r.peek() != wire.OpEmptyDict || len(*dst) > 0 || !r.beginContainer() {
		return false
	}
	var m map[string]T
	entry := func() bool {
		k, ok := r.str()
		if !ok {
			return false
		}
		v, ok := value(r)
		m[k] = v
		return ok
	}
	for full := true; full; {
		switch r.nextEntries() {
		case aBatch:
			if m == nil {
				n := 0
				if r.depth == 1 {
					n = r.countEntries()
				}
				if !r.charge(n * size) {
					return false
				}
				m = make(map[string]T, n)
			}
			n := 0
			for ; r.peek() != wire.OpSetItems; n++ {
				if !r.charge(size) || !entry() {
					return false
				}
			}
			r.pos++
			full = n >= batchSize
		case single:
			if m == nil {
				m = map[string]T{}
			}
			if !r.charge(size) || !entry() || !r.take(wire.OpSetItem) {
				return false
			}
		default:
			full = false
		}
	}
	if m == nil {
		m = map[string]T{}
	}
	r.depth--
	*dst = m
	return true
}

func basicMap(p *typePlan) fastFunc {
	if p.key.kind != bindString || p.key.unmarshaler || p.key.text || p.key.std ||
		p.elem.unmarshaler || p.elem.text || p.elem.std {
		return nil
	}
	switch p.t.Elem().Kind() {
	case reflect.Int64:
		return fastMap(p, (*reader).integer)
	case reflect.Int:
		return fastMap(p, func(r *reader) (int, bool) {
			n, ok := r.integer()
			return int(n), ok && int64(int(n)) == n
		})
	case reflect.Float64:
		return fastMap(p, (*reader).float)
	case reflect.String:
		return fastMap(p, (*reader).str)
	case reflect.Bool:
		return fastMap(p, func(r *reader) (b, ok bool) {
			ok = fillBool(r, place(&b))
			return b, ok
		})
	}
	return nil
}

func fastMap[T any](p *typePlan, value func(r *reader) (T, bool)) fastFunc {
	if p.t.Key() != reflect.TypeFor[string]() || p.t.Elem() != reflect.TypeFor[T]() {
		return nil // a map's layout is not promised to be that of its types' underlying types
	}
	size := int(p.key.size+p.elem.size) + 8
	return func(r *reader, v place) bool { return mapOf(r, at[map[string]T](v), size, value) }
}

func (r *reader) mapping(v place, p *typePlan) bool {
	target := valueAt(p.t, v)
	if r.none() {
		target.SetZero()
		return true
	}
	if r.peek() != wire.OpEmptyDict || !isNil(v) && target.Len() > 0 || !r.beginContainer() {
		return false
	}
	made := reflect.MakeMap(p.t)
	k := reflect.New(p.t.Key())
	e := reflect.New(p.t.Elem())
	size := 2 * (int(p.key.size+p.elem.size) + 8)
	entry := func() bool {
		k.Elem().SetZero()
		e.Elem().SetZero()
		if !r.charge(size) || !p.key.fast(r, placeOf(k)) || !p.elem.fast(r, placeOf(e)) {
			return false
		}
		made.SetMapIndex(k.Elem(), e.Elem())
		return true
	}
	for full := true; full; {
		switch r.nextEntries() {
		case aBatch:
			n := 0
			for ; r.peek() != wire.OpSetItems; n++ {
				if !entry() {
					return false
				}
			}
			r.pos++
			full = n >= batchSize
		case single:
			if !entry() || !r.take(wire.OpSetItem) {
				return false
			}
		default:
			full = false
		}
	}
	r.depth--
	target.Set(made)
	return true
}

// setOf reads a set or frozenset into a map.
func setOf[T comparable](r *reader, dst *map[T]struct{}, value func(r *reader) (T, bool)) bool {
	if r.none() {
		*dst = nil
		return true
	}
	if len(*dst) > 0 {
		return false
	}
	m := map[T]struct{}{}
	batch := func(end byte) (n int, ok bool) {
		for ; r.peek() != end; n++ {
			v, ok := value(r)
			if !ok || !r.charge(32) {
				return 0, false
			}
			m[v] = struct{}{}
		}
		r.pos++
		return n, true
	}
	switch r.peek() {
	case wire.OpMark: // a frozenset
		r.pos++
		if !r.enter() {
			return false
		}
		if _, ok := batch(wire.OpFrozenSet); !ok {
			return false
		}
		if !r.put(r.pos - 1) {
			return false
		}
	case wire.OpEmptySet:
		if !r.beginContainer() {
			return false
		}
		for full := true; full && r.peek() == wire.OpMark; {
			r.pos++
			n, ok := batch(wire.OpAddItems)
			if !ok {
				return false
			}
			full = n >= batchSize
		}
	default:
		return false
	}
	r.depth--
	*dst = m
	return true
}

func (r *reader) structure(v place, p *typePlan) bool {
	if r.peek() != wire.OpEmptyDict {
		return r.tupleStructure(v, p)
	}
	if !r.beginContainer() {
		return false
	}
	f := filler{v: v, p: p, keys: r.keysOf(p)}
	for full := true; full; {
		switch r.nextEntries() {
		case aBatch:
			n := 0
			for ; r.peek() != wire.OpSetItems; n++ {
				if !f.field(r) {
					return false
				}
			}
			r.pos++
			full = n >= batchSize
		case single:
			if !f.field(r) || !r.take(wire.OpSetItem) {
				return false
			}
		default:
			full = false
		}
	}
	r.depth--
	if r.c.binding.requireFields {
		for i, field := range p.fields.fields {
			if f.seen&(1<<i) == 0 && !field.omitEmpty && !field.omitZero {
				return false
			}
		}
	}
	return true
}

// tupleStructure reads a tuple into a struct whose form is one.
func (r *reader) tupleStructure(v place, p *typePlan) bool {
	if form := r.c.classOf(p.t, p.fields).form; form != formTuple && form != formNamedTuple || len(p.fastFields) == 0 {
		return false
	}
	most, ok := r.tupleHead()
	if !ok || most < len(p.fastFields) {
		return false
	}
	for i := range p.fastFields {
		if endsItems(r.peek()) || !p.fastFields[i].read(r, v) {
			return false
		}
	}
	return r.tupleTail(len(p.fastFields), most)
}

// read reads the field of the struct at v.
func (f *fastField) read(r *reader, v place) (ok bool) {
	v = within(v, f.offset)
	switch f.kind {
	case fastString:
		*at[string](v), ok = r.str()
	case fastInt64:
		*at[int64](v), ok = r.integer()
	case fastFloat64:
		*at[float64](v), ok = r.float()
	default:
		ok = f.fill != nil && f.fill(r, v)
	}
	return ok
}

// keysOf returns the offsets, plus one, of the strs that were the keys of p's fields: most records
// after the first one fetch their keys from the memo.
func (r *reader) keysOf(p *typePlan) []uint32 {
	switch {
	case r.keysPlan == nil: // the first struct, and perhaps the only one
		r.keysPlan = p
		return nil
	case r.keysPlan == p && r.keys != nil:
		return r.keys
	}
	keys := r.allKeys[p]
	if keys == nil {
		if r.allKeys == nil {
			r.allKeys = map[*typePlan][]uint32{}
		}
		keys = make([]uint32, len(p.fastFields))
		r.allKeys[p] = keys
	}
	r.keysPlan, r.keys = p, keys
	return keys
}

// filler fills one struct.
type filler struct {
	v        place
	p        *typePlan
	keys     []uint32
	seen     uint64
	expected int // records come with their keys in the same order, mostly that of the struct
}

// field reads a key and its value.
func (f *filler) field(r *reader) bool {
	fields := f.p.fastFields
	i := f.expected
	var name []byte
	var ok bool
	from := uint32(noEntry)
	if op := r.peek(); op == wire.OpBinGet || op == wire.OpLongBinGet {
		if from, ok = r.get(); !ok {
			return false
		}
		if i < len(f.keys) && f.keys[i] == from+1 {
			goto found
		}
		name, _, ok = r.strAt(int(from), len(r.data))
	} else {
		name, ok = r.key()
	}
	if !ok {
		return false
	}
	if i >= len(fields) || fields[i].name != string(name) {
		if i, ok = f.p.fields.exact[string(name)]; !ok {
			if !utf8.Valid(name) {
				return false
			}
			if i, ok = f.p.fields.folded[foldName(string(name))]; !ok {
				return !r.c.binding.disallowUnknown && r.skip()
			}
		}
	}
	if from != noEntry && f.keys != nil {
		f.keys[i] = from + 1
	}
found:
	if f.seen&(1<<i) != 0 {
		return false
	}
	f.seen |= 1 << i
	f.expected = i + 1
	return fields[i].read(r, f.v)
}

// skip takes a value that no field is interested in.
func (r *reader) skip() bool {
	switch r.peek() {
	case wire.OpNone, wire.OpNewTrue, wire.OpNewFalse:
		r.pos++
		return true
	case wire.OpBinFloat:
		_, ok := r.float()
		return ok
	case wire.OpBinInt1, wire.OpBinInt2, wire.OpBinInt, wire.OpLong1:
		_, ok := r.integer()
		return ok
	case wire.OpEmptyList:
		return r.skipList()
	case wire.OpEmptyDict:
		return r.skipDict()
	}
	s, ok := r.key()
	return ok && utf8.Valid(s)
}

// skipped is the plan of what is not looked at.
var skipped = typePlan{kind: bindAny}

func (r *reader) skipList() bool {
	if !r.beginContainer() {
		return false
	}
	for full := true; full; {
		switch r.nextItems(&skipped) {
		case aBatch:
			n := 0
			for ; r.peek() != wire.OpAppends; n++ {
				if !r.skip() {
					return false
				}
			}
			r.pos++
			full = n >= batchSize
		case single:
			if !r.skip() || !r.take(wire.OpAppend) {
				return false
			}
		default:
			full = false
		}
	}
	r.depth--
	return true
}

func (r *reader) skipDict() bool {
	entry := func() bool {
		switch r.peek() {
		case wire.OpEmptyList, wire.OpEmptyDict: // no keys
			return false
		}
		key, value := r.skip(), false
		if key {
			value = r.skip()
		}
		return value
	}
	if !r.beginContainer() {
		return false
	}
	for full := true; full; {
		switch r.nextEntries() {
		case aBatch:
			n := 0
			for ; r.peek() != wire.OpSetItems; n++ {
				if !entry() {
					return false
				}
			}
			r.pos++
			full = n >= batchSize
		case single:
			if !entry() || !r.take(wire.OpSetItem) {
				return false
			}
		default:
			full = false
		}
	}
	r.depth--
	return true
}
