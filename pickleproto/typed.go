package pickleproto

import (
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// NOTE: the typed fast path. Most of what Go programs unmarshal is lists and dicts of numbers and
// strings in Go slices, maps and structs. For these nothing needs to be boxed: reader goes through
// the opcodes top down, with the Go type telling what to expect, and writes what it reads where it
// belongs.
//
// It knows the opcodes that picklers write for such data and nothing else. At anything that it
// does not expect (another opcode, a type that does not fit, a memo entry that is no str, a limit)
// it gives up, and Unmarshal starts anew through the machine and the binder, which then say what
// the value is or what is wrong. So it has no errors of its own, and what it accepts must be just
// what the machine and the binder make of the same bytes; a fuzz target compares the two.
//
// Top down, a stack machine's language leaves one question open: whether a value that follows an
// empty list or dict belongs into it (APPEND, SETITEM come after it) or to whatever is around.
// applies looks ahead for that. Everywhere else a wrong guess ends in an opcode that does not fit,
// thus in giving up.

// fastFunc reads one value into v, which is settable, and reports whether it could.
type fastFunc func(r *reader, v reflect.Value) bool

type reader struct {
	data   []byte
	pos    int
	end    int // of the current frame, else of data
	framed bool
	depth  int
	most   int // depth that is allowed
	memory int64
	taken  int64 // of the budget
	c      *config
	memo   []uint32          // offsets of the opcodes that made the entries
	kept   map[uint32]string // strings fetched from the memo, by that offset
	text   strings.Builder   // the block that short strings are cut from
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// noEntry is a memo entry that was left out: Python 2's cPickle counts from 1.
const noEntry = math.MaxUint32

// unmarshalFast reads the pickle at the beginning of data into target, or leaves that unchanged
// and returns false.
func unmarshalFast(data []byte, target reflect.Value, p *typePlan, c *config, whole bool) (n int, ok bool) {
	l := &c.limits
	if p.fast == nil || c.memo != nil || int64(len(data)) > l.Message || uint64(len(data)) >= noEntry ||
		l.Stack != unlimited || l.Memo != unlimited || l.IntSize < 8 || l.Marks < DefaultMaxDepth {
		return 0, false
	}
	r := readers.Get().(*reader)
	*r = reader{data: data, end: len(data), c: c, memo: r.memo[:0],
		most: int(min(l.Depth, DefaultMaxDepth)) - 1, memory: l.memoryFor(len(data))}
	fresh := reflect.New(p.t).Elem()
	fresh.Set(target)
	n, ok = r.read(fresh, p)
	if r.taken > 0 {
		c.budget.Release(r.taken)
	}
	if cap(r.memo) > pooledItems {
		r.memo = nil
	}
	*r = reader{memo: r.memo}
	readers.Put(r)
	if !ok || whole && n != len(data) {
		return 0, false
	}
	target.Set(fresh)
	return n, true
}

func (r *reader) read(v reflect.Value, p *typePlan) (n int, ok bool) {
	if len(r.data) > 2 && r.data[0] == wire.OpProto {
		if r.data[1] > HighestProtocol {
			return 0, false
		}
		r.pos = 2
	}
	if !p.fast(r, v) || r.peek() != wire.OpStop {
		return 0, false
	}
	r.pos++
	return r.pos, !r.framed || r.pos == r.end
}

// peek returns the next opcode, or 0, which is none. At a frame's end it enters the next one.
func (r *reader) peek() byte {
	if r.pos < r.end {
		if op := r.data[r.pos]; op != wire.OpFrame {
			return op
		}
	}
	return r.nextFrame()
}

func (r *reader) nextFrame() byte {
	for {
		if r.pos >= r.end {
			if r.end == len(r.data) {
				return 0
			}
			r.end, r.framed = len(r.data), false
		}
		op := r.data[r.pos]
		if op != wire.OpFrame {
			return op
		}
		if r.framed || len(r.data)-r.pos < 9 {
			return 0
		}
		n := binary.LittleEndian.Uint64(r.data[r.pos+1:])
		r.pos += 9
		if n > uint64(len(r.data)-r.pos) {
			return 0
		}
		r.end, r.framed = r.pos+int(n), true
	}
}

// charge counts n bytes about to be allocated.
func (r *reader) charge(n int) bool {
	r.memory -= int64(n)
	if r.memory < 0 {
		return false
	}
	if r.c.budget != nil {
		if !r.c.budget.Acquire(int64(n)) {
			return false
		}
		r.taken += int64(n)
	}
	return true
}

func (r *reader) enter() bool {
	r.depth++
	return r.depth <= r.most
}

// put takes the opcode, if there is one, that memoizes the value made by the opcode at offset at.
func (r *reader) put(at int) bool {
	switch r.peek() {
	case wire.OpMemoize:
		if len(r.memo) > 0 && r.memo[0] == noEntry {
			return false
		}
		r.pos++
	case wire.OpBinPut:
		if r.end-r.pos < 2 || !r.putAt(int(r.data[r.pos+1])) {
			return false
		}
		r.pos += 2
	case wire.OpLongBinPut:
		if r.end-r.pos < 5 || !r.putAt(int(binary.LittleEndian.Uint32(r.data[r.pos+1:]))) {
			return false
		}
		r.pos += 5
	default:
		return true
	}
	r.memo = append(r.memo, uint32(at))
	return true
}

func (r *reader) putAt(n int) bool {
	if n == 1 && len(r.memo) == 0 {
		r.memo = append(r.memo, noEntry)
	}
	return n == len(r.memo)
}

// get takes a GET and returns the offset of the opcode that made the entry.
func (r *reader) get() (at uint32, ok bool) {
	n := 0
	if r.data[r.pos] == wire.OpBinGet {
		if r.end-r.pos < 2 {
			return 0, false
		}
		n = int(r.data[r.pos+1])
		r.pos += 2
	} else {
		if r.end-r.pos < 5 {
			return 0, false
		}
		n = int(binary.LittleEndian.Uint32(r.data[r.pos+1:]))
		r.pos += 5
	}
	if n >= len(r.memo) || r.memo[n] == noEntry {
		return 0, false
	}
	return r.memo[n], true
}

// strAt returns the text of the str opcode at offset at, which must end by end, and what follows.
func (r *reader) strAt(at, end int) (b []byte, next int, ok bool) {
	if at >= end {
		return nil, 0, false
	}
	n := uint64(0)
	i := at + 1
	switch r.data[at] {
	case wire.OpShortBinUnicode:
		if end-i < 1 {
			return nil, 0, false
		}
		n = uint64(r.data[i])
		i++
	case wire.OpBinUnicode:
		if end-i < 4 {
			return nil, 0, false
		}
		n = uint64(binary.LittleEndian.Uint32(r.data[i:]))
		i += 4
	case wire.OpBinUnicode8:
		if end-i < 8 {
			return nil, 0, false
		}
		n = binary.LittleEndian.Uint64(r.data[i:])
		i += 8
	default:
		return nil, 0, false
	}
	if n > uint64(end-i) {
		return nil, 0, false
	}
	return r.data[i : i+int(n)], i + int(n), true
}

// key takes a str and returns its text where it lies in the message. It is not known to be UTF-8.
func (r *reader) key() (b []byte, ok bool) {
	switch r.peek() {
	case wire.OpShortBinUnicode:
		at := r.pos
		if r.end-at < 2 {
			return nil, false
		}
		n := int(r.data[at+1])
		if r.end-at-2 < n {
			return nil, false
		}
		r.pos = at + 2 + n
		return r.data[at+2 : r.pos], r.put(at)
	case wire.OpBinGet, wire.OpLongBinGet:
		at, ok := r.get()
		if !ok {
			return nil, false
		}
		b, _, ok := r.strAt(int(at), len(r.data))
		return b, ok
	case wire.OpBinUnicode, wire.OpBinUnicode8:
		at := r.pos
		b, next, ok := r.strAt(at, r.end)
		r.pos = next
		return b, ok && r.put(at)
	}
	return nil, false
}

// str takes a str.
func (r *reader) str() (s string, ok bool) {
	switch op := r.peek(); op {
	case wire.OpBinGet, wire.OpLongBinGet:
		at, ok := r.get()
		if !ok {
			return "", false
		}
		if s, ok := r.kept[at]; ok {
			return s, true
		}
		b, _, ok := r.strAt(int(at), len(r.data))
		if !ok {
			return "", false
		}
		if s, ok = r.keep(b); ok && len(b) > 0 {
			if r.kept == nil {
				r.kept = map[uint32]string{}
			}
			if !r.charge(48) {
				return "", false
			}
			r.kept[at] = s
		}
		return s, ok
	}
	at := r.pos
	b, next, ok := r.strAt(at, r.end)
	if !ok {
		return "", false
	}
	r.pos = next
	if s, ok = r.keep(b); !ok {
		return "", false
	}
	return s, r.put(at)
}

// textBlockSize is how many bytes of short strings share one allocation; a string that the
// program keeps keeps no more than that. longString are those that do not take part.
const (
	textBlockSize = 4096
	longString    = 512
)

// keep copies b, which must be UTF-8, out of the message.
func (r *reader) keep(b []byte) (string, bool) {
	if !utf8.Valid(b) {
		return "", false
	}
	switch n := len(b); {
	case n == 0:
		return "", true
	case r.c.lend:
		return stringOf(b), true
	case n > longString || r.c.copyStrings:
		return string(b), r.charge(n)
	case r.text.Cap()-r.text.Len() < n:
		// No more than what is left of the message, so that a small one costs little.
		size := max(n, min(textBlockSize, len(r.data)-r.pos))
		if !r.charge(size) {
			return "", false
		}
		r.text = strings.Builder{}
		r.text.Grow(size)
	}
	at := r.text.Len()
	r.text.Write(b)
	return r.text.String()[at:], true
}

// integer takes an int of at most 64 bits.
func (r *reader) integer() (n int64, ok bool) {
	op := r.peek()
	d := r.data[r.pos:r.end]
	switch op {
	case wire.OpBinInt1:
		if len(d) < 2 {
			return 0, false
		}
		r.pos += 2
		return int64(d[1]), true
	case wire.OpBinInt2:
		if len(d) < 3 {
			return 0, false
		}
		r.pos += 3
		return int64(d[1]) | int64(d[2])<<8, true
	case wire.OpBinInt:
		if len(d) < 5 {
			return 0, false
		}
		r.pos += 5
		return int64(int32(binary.LittleEndian.Uint32(d[1:]))), true
	case wire.OpLong1:
		if len(d) < 2 || d[1] > 8 || len(d) < 2+int(d[1]) {
			return 0, false
		}
		k := 2 + int(d[1])
		r.pos += k
		return smallLong(d[2:k]), true
	}
	return 0, false
}

// float takes a float, or an int that it holds exactly.
func (r *reader) float() (f float64, ok bool) {
	if r.peek() == wire.OpBinFloat {
		if r.end-r.pos < 9 {
			return 0, false
		}
		f = math.Float64frombits(binary.BigEndian.Uint64(r.data[r.pos+1:]))
		r.pos += 9
		return f, true
	}
	n, ok := r.integer()
	return float64(n), ok && -1<<53 <= n && n <= 1<<53
}

func (r *reader) boolean() (b, ok bool) {
	switch r.peek() {
	case wire.OpNewTrue:
		r.pos++
		return true, true
	case wire.OpNewFalse:
		r.pos++
		return false, true
	}
	return false, false
}

// none takes None.
func (r *reader) none() bool {
	if r.peek() != wire.OpNone {
		return false
	}
	r.pos++
	return true
}

// lookAhead bounds how far applies looks, in opcodes.
const lookAhead = 256

// applies reports whether the value or values that follow a container end in the opcode op
// (APPEND, SETITEM) that puts them into it. It runs the opcodes by what they do to the height of
// the stack, which says so exactly; it gives up, saying false, after lookAhead of them.
func (r *reader) applies(op byte) bool {
	need := 1
	if op == wire.OpSetItem {
		need = 2
	}
	var markAt [16]int
	marks := 0
	height := 0 // above the container
	for pos, steps := r.pos, 0; pos < len(r.data) && steps < lookAhead; steps++ {
		next := r.data[pos]
		info, known := wire.Lookup(next)
		if !known {
			return false
		}
		if next == op && height == need {
			return true
		}
		_, end, ok := argument(r.data, pos+1, info.Arg)
		if !ok {
			return false
		}
		pos = end
		switch next {
		case wire.OpMark:
			if marks == len(markAt) {
				return false
			}
			markAt[marks] = height
			marks++
			continue
		case wire.OpFrame, wire.OpMemoize, wire.OpBinPut, wire.OpLongBinPut:
			continue
		case wire.OpStop, wire.OpPop, wire.OpPopMark:
			return false
		}
		if info.Mark {
			if marks == 0 {
				return false
			}
			marks--
			height = markAt[marks]
		}
		if height -= int(info.Pops); height < 0 {
			return false
		}
		height += int(info.Pushes)
	}
	return false
}

// items drives the reading of a list, whose opcode has been taken: batch reads items up to an
// opcode that is none; most is how many.
func (r *reader) list(at int, elem *typePlan, batch func(most int) (n int, ok bool)) bool {
	r.pos++
	if !r.put(at) || !r.enter() {
		return false
	}
	full := true // of a batch: only then a pickler goes on with another
	for full {
		switch op := r.peek(); {
		case op == wire.OpMark:
			r.pos++
			n, ok := batch(math.MaxInt)
			if !ok || r.peek() != wire.OpAppends {
				return false
			}
			r.pos++
			full = n >= batchSize
		case elem.begins(op) && r.applies(wire.OpAppend):
			n, ok := batch(1)
			if !ok || n != 1 || r.peek() != wire.OpAppend {
				return false
			}
			r.pos++
		default:
			full = false
		}
	}
	r.depth--
	return true
}

// begins reports whether a value of the type can begin with op.
func (p *typePlan) begins(op byte) bool {
	switch op {
	case wire.OpAppend, wire.OpAppends, wire.OpSetItem, wire.OpSetItems, wire.OpStop, 0:
		return false
	case wire.OpEmptyDict:
		return p.kind != bindInt && p.kind != bindFloat && p.kind != bindString
	case wire.OpEmptyList:
		return p.kind != bindInt && p.kind != bindFloat && p.kind != bindString && p.kind != bindStruct && p.kind != bindMap
	case wire.OpShortBinUnicode, wire.OpBinUnicode, wire.OpBinUnicode8, wire.OpBinGet, wire.OpLongBinGet:
		return p.kind == bindString || p.kind == bindAny || p.kind == bindPointer
	}
	return true
}

// tuple drives the reading of a tuple where the Go type is a slice or an array.
func (r *reader) tuple(batch func(most int) (n int, ok bool)) bool {
	if !r.enter() {
		return false
	}
	at := r.pos
	switch r.peek() {
	case wire.OpEmptyTuple:
		r.pos++
		r.depth--
		return r.put(at)
	case wire.OpMark:
		r.pos++
		if _, ok := batch(math.MaxInt); !ok || r.peek() != wire.OpTuple {
			return false
		}
	default:
		n, ok := batch(3)
		if !ok || n == 0 || r.peek() != wire.OpTuple1+byte(n-1) {
			return false
		}
	}
	at = r.pos
	r.pos++
	r.depth--
	return r.put(at)
}

// room returns the capacity for a slice that has n items, is full, and began at offset from. What
// is left of the message bounds it, and the size of the items so far; only the outermost
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

// grown returns s with room for more.
func grown[T any](r *reader, s []T, from int) ([]T, bool) {
	n := r.room(len(s), from)
	var zero T
	if !r.charge(n * int(reflect.TypeOf(&zero).Elem().Size())) {
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

// sliceOf reads a list or tuple into a slice of a basic type.
func sliceOf[T any](r *reader, p *typePlan, dst *[]T, items func(r *reader, s []T, from, most int) ([]T, bool)) bool {
	if r.none() {
		*dst = nil
		return true
	}
	op := r.peek()
	from := r.pos
	s := []T{}
	batch := func(most int) (int, bool) {
		before := len(s)
		var ok bool
		s, ok = items(r, s, from, most)
		return len(s) - before, ok
	}
	ok := false
	if op == wire.OpEmptyList {
		ok = r.list(from, p.elem, batch)
	} else {
		ok = r.tuple(batch)
	}
	*dst = fitted(s)
	return ok
}

type anyInt interface {
	int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64
}

func intItems[T anyInt](r *reader, s []T, from, most int) ([]T, bool) {
	data, pos, end := r.data, r.pos, r.end
	for ; most > 0; most-- {
		var n int64
		// The widest common argument and an opcode after it: one comparison for all.
		if end-pos >= 6 {
			switch data[pos] {
			case wire.OpBinInt1:
				n = int64(data[pos+1])
				pos += 2
			case wire.OpBinInt2:
				n = int64(data[pos+1]) | int64(data[pos+2])<<8
				pos += 3
			case wire.OpBinInt:
				n = int64(int32(binary.LittleEndian.Uint32(data[pos+1:])))
				pos += 5
			case wire.OpAppends:
				r.pos = pos
				return s, true
			default:
				goto slow
			}
			goto store
		}
	slow:
		{
			r.pos = pos
			var ok bool
			if n, ok = r.integer(); !ok {
				// No int here: the end of the items, or what the caller will not expect either.
				return s, true
			}
			pos, end = r.pos, r.end
		}
	store:
		v := T(n)
		if int64(v) != n || (v < 0) != (n < 0) {
			return s, false
		}
		if len(s) == cap(s) {
			r.pos = pos
			var ok bool
			if s, ok = grown(r, s, from); !ok {
				return s, false
			}
		}
		s = append(s, v)
	}
	r.pos = pos
	return s, true
}

func floatItems[T float32 | float64](r *reader, s []T, from, most int) ([]T, bool) {
	for ; most > 0; most-- {
		var f float64
		if r.end-r.pos >= 9 && r.data[r.pos] == wire.OpBinFloat {
			f = math.Float64frombits(binary.BigEndian.Uint64(r.data[r.pos+1:]))
			r.pos += 9
		} else {
			op := r.peek()
			var ok bool
			if f, ok = r.float(); !ok {
				return s, op != wire.OpLong1 // an int too large for a float is no end of items
			}
			if op != wire.OpBinFloat && float64(T(f)) != f {
				return s, false
			}
		}
		v := T(f)
		if math.IsInf(float64(v), 0) && !math.IsInf(f, 0) {
			return s, false
		}
		if len(s) == cap(s) {
			var ok bool
			if s, ok = grown(r, s, from); !ok {
				return s, false
			}
		}
		s = append(s, v)
	}
	return s, true
}

func stringItems(r *reader, s []string, from, most int) ([]string, bool) {
	for ; most > 0; most-- {
		switch r.peek() {
		case wire.OpShortBinUnicode, wire.OpBinUnicode, wire.OpBinUnicode8, wire.OpBinGet, wire.OpLongBinGet:
		default:
			return s, true
		}
		v, ok := r.str()
		if !ok {
			return s, false
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

// basicSlice returns the reader for the slices that have one of their own, whatever the slice
// type's name.
func basicSlice(p *typePlan) fastFunc {
	switch p.t.Elem() {
	case reflect.TypeFor[int]():
		return fastSlice(p, intItems[int])
	case reflect.TypeFor[int8]():
		return fastSlice(p, intItems[int8])
	case reflect.TypeFor[int16]():
		return fastSlice(p, intItems[int16])
	case reflect.TypeFor[int32]():
		return fastSlice(p, intItems[int32])
	case reflect.TypeFor[int64]():
		return fastSlice(p, intItems[int64])
	case reflect.TypeFor[uint]():
		return fastSlice(p, intItems[uint])
	case reflect.TypeFor[uint16]():
		return fastSlice(p, intItems[uint16])
	case reflect.TypeFor[uint32]():
		return fastSlice(p, intItems[uint32])
	case reflect.TypeFor[uint64]():
		return fastSlice(p, intItems[uint64])
	case reflect.TypeFor[float32]():
		return fastSlice(p, floatItems[float32])
	case reflect.TypeFor[float64]():
		return fastSlice(p, floatItems[float64])
	case reflect.TypeFor[string]():
		return fastSlice(p, stringItems)
	}
	return nil
}

func fastSlice[T any](p *typePlan, items func(r *reader, s []T, from, most int) ([]T, bool)) fastFunc {
	pointer := reflect.TypeFor[*[]T]()
	exact := p.t == pointer.Elem()
	return func(r *reader, v reflect.Value) bool {
		a := v.Addr()
		if !exact {
			a = a.Convert(pointer)
		}
		return sliceOf(r, p, a.Interface().(*[]T), items)
	}
}

// fastFor returns the fast way to read p's type, nil if there is none.
func fastFor(p *typePlan) fastFunc {
	if p.unmarshaler || p.text || p.std {
		return nil
	}
	switch p.kind {
	case bindBool:
		return func(r *reader, v reflect.Value) bool {
			b, ok := r.boolean()
			v.SetBool(b)
			return ok
		}
	case bindInt:
		return func(r *reader, v reflect.Value) bool {
			n, ok := r.integer()
			if !ok || v.OverflowInt(n) {
				return false
			}
			v.SetInt(n)
			return true
		}
	case bindUint:
		return func(r *reader, v reflect.Value) bool {
			n, ok := r.integer()
			if !ok || n < 0 || v.OverflowUint(uint64(n)) {
				return false
			}
			v.SetUint(uint64(n))
			return true
		}
	case bindFloat:
		single := p.t.Kind() == reflect.Float32
		return func(r *reader, v reflect.Value) bool {
			op := r.peek()
			f, ok := r.float()
			if !ok || single && (v.OverflowFloat(f) || op != wire.OpBinFloat && float64(float32(f)) != f) {
				return false
			}
			v.SetFloat(f)
			return true
		}
	case bindString:
		return func(r *reader, v reflect.Value) bool {
			s, ok := r.str()
			v.SetString(s)
			return ok
		}
	case bindByteSlice:
		return fastBytes
	case bindSlice:
		if f := basicSlice(p); f != nil {
			return f
		}
		return func(r *reader, v reflect.Value) bool { return p.elem.fast != nil && r.slice(v, p) }
	case bindArray:
		return func(r *reader, v reflect.Value) bool { return p.elem.fast != nil && r.array(v, p) }
	case bindMap:
		if p.key.kind == bindString {
			if f := basicMap(p); f != nil {
				return f
			}
		}
		if k := p.key.kind; k != bindString && k != bindInt && k != bindUint {
			return nil
		}
		return func(r *reader, v reflect.Value) bool {
			return p.key.fast != nil && p.elem.fast != nil && r.mapping(v, p)
		}
	case bindStruct:
		// A blank field's tuple form, and promotion through pointers, are the binder's.
		if p.fields.err != nil || len(p.fields.fields) > 64 {
			return nil
		}
		for _, f := range p.fields.fields {
			if f.viaPtr {
				return nil
			}
		}
		return func(r *reader, v reflect.Value) bool { return r.structure(v, p) }
	case bindPointer:
		return func(r *reader, v reflect.Value) bool { return p.elem.fast != nil && r.pointer(v, p) }
	case bindAny:
		return fastAny
	}
	return nil
}

func fastBytes(r *reader, v reflect.Value) bool {
	at := r.pos
	n := uint64(0)
	op := r.peek()
	d := r.data[r.pos:r.end]
	head := 0
	switch {
	case op == wire.OpNone:
		r.pos++
		v.SetZero()
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
	b := make([]byte, n)
	copy(b, d[head:])
	v.SetBytes(b)
	r.pos += head + int(n)
	return r.put(at)
}

// fastAny reads scalars into an interface. Containers are the machine's.
func fastAny(r *reader, v reflect.Value) bool {
	var x any
	ok := true
	switch r.peek() {
	case wire.OpNone:
		r.pos++
		v.SetZero()
		return true
	case wire.OpNewTrue, wire.OpNewFalse:
		x, ok = r.boolean()
	case wire.OpBinFloat:
		x, ok = r.float()
	case wire.OpBinInt1, wire.OpBinInt2, wire.OpBinInt, wire.OpLong1:
		// LONG1 of few bytes is a Long to the model when protocol 2 wrote it.
		if r.data[r.pos] == wire.OpLong1 {
			return false
		}
		x, ok = r.integer()
	default:
		x, ok = r.str()
	}
	if ok {
		v.Set(reflect.ValueOf(x))
	}
	return ok && r.charge(16)
}

func (r *reader) pointer(v reflect.Value, p *typePlan) bool {
	if r.none() {
		v.SetZero()
		return true
	}
	if !v.IsNil() || !r.enter() || !r.charge(int(p.elem.size)) {
		return false // into what is there already: see binder.bindPointer
	}
	made := reflect.New(p.elem.t)
	if made.Type() != p.t {
		made = made.Convert(p.t)
	}
	v.Set(made)
	if !p.elem.fast(r, made.Elem()) {
		return false
	}
	r.depth--
	return true
}

func (r *reader) slice(v reflect.Value, p *typePlan) bool {
	if r.none() {
		v.SetZero()
		return true
	}
	op := r.peek()
	from := r.pos
	n := 0
	v.Set(reflect.MakeSlice(p.t, 0, 0))
	batch := func(most int) (int, bool) {
		before := n
		for ; most > 0; most-- {
			switch r.peek() {
			case wire.OpAppends, wire.OpAppend, wire.OpTuple, wire.OpTuple1, wire.OpTuple2, wire.OpTuple3:
				return n - before, true
			}
			if n == v.Cap() {
				room := r.room(n, from)
				if !r.charge(room * int(p.elem.size)) {
					return 0, false
				}
				wider := reflect.MakeSlice(p.t, n, room)
				reflect.Copy(wider, v)
				v.Set(wider)
			}
			v.SetLen(n + 1)
			if !p.elem.fast(r, v.Index(n)) {
				return 0, false
			}
			n++
		}
		return n - before, true
	}
	ok := false
	if op == wire.OpEmptyList {
		ok = r.list(from, p.elem, batch)
	} else {
		ok = r.tuple(batch)
	}
	if ok && v.Cap() > 2*n+1024 {
		fit := reflect.MakeSlice(p.t, n, n)
		reflect.Copy(fit, v)
		v.Set(fit)
	}
	return ok
}

func (r *reader) array(v reflect.Value, p *typePlan) bool {
	op := r.peek()
	from := r.pos
	n := 0
	v.SetZero()
	batch := func(most int) (int, bool) {
		before := n
		for ; most > 0; most-- {
			switch r.peek() {
			case wire.OpAppends, wire.OpAppend, wire.OpTuple, wire.OpTuple1, wire.OpTuple2, wire.OpTuple3:
				return n - before, true
			}
			if n == v.Len() || !p.elem.fast(r, v.Index(n)) {
				return 0, false
			}
			n++
		}
		return n - before, true
	}
	if op == wire.OpEmptyList {
		return r.list(from, p.elem, batch)
	}
	return r.tuple(batch)
}

// dict drives the reading of a dict: entry reads a key and its value.
func (r *reader) dict(entry func() bool) bool {
	at := r.pos
	r.pos++
	if !r.put(at) || !r.enter() {
		return false
	}
	full := true
	for full {
		switch r.peek() {
		case wire.OpMark:
			r.pos++
			n := 0
			for ; r.peek() != wire.OpSetItems; n++ {
				if !entry() {
					return false
				}
			}
			r.pos++
			full = n >= batchSize
		case wire.OpAppend, wire.OpAppends, wire.OpSetItem, wire.OpSetItems, wire.OpStop, wire.OpEmptyDict, wire.OpEmptyList:
			full = false
		default:
			if !r.applies(wire.OpSetItem) {
				full = false
				break
			}
			if !entry() || r.peek() != wire.OpSetItem {
				return false
			}
			r.pos++
		}
	}
	r.depth--
	return true
}

// mapOf reads a dict into a map with str keys and values of a basic type.
func mapOf[M ~map[string]T, T any](r *reader, dst *M, size int, value func(r *reader) (T, bool)) bool {
	if r.none() {
		*dst = nil
		return true
	}
	if r.peek() != wire.OpEmptyDict || len(*dst) > 0 {
		return false
	}
	from := r.pos
	m := M{}
	n, sized := 0, 8
	ok := r.dict(func() bool {
		k, ok := r.str()
		if !ok {
			return false
		}
		v, ok := value(r)
		if !ok {
			return false
		}
		m[k] = v
		// Go has no way to enlarge a map but to make another; by the second batch at the latest
		// its final size can be told.
		if n++; n == sized {
			sized = r.room(n, from)
			if !r.charge((sized - n) * size) {
				return false
			}
			if sized >= 2*n && sized > 64 {
				larger := make(M, sized)
				for k, v := range m {
					larger[k] = v
				}
				m = larger
			}
			sized = max(sized, n+1)
		}
		return true
	})
	*dst = m
	return ok
}

func basicMap(p *typePlan) fastFunc {
	if p.t.Key() != reflect.TypeFor[string]() {
		return nil
	}
	switch p.t.Elem() {
	case reflect.TypeFor[int64]():
		return fastMap(p, (*reader).integer)
	case reflect.TypeFor[int]():
		return fastMap(p, func(r *reader) (int, bool) {
			n, ok := r.integer()
			return int(n), ok && int64(int(n)) == n
		})
	case reflect.TypeFor[float64]():
		return fastMap(p, (*reader).float)
	case reflect.TypeFor[string]():
		return fastMap(p, (*reader).str)
	case reflect.TypeFor[bool]():
		return fastMap(p, (*reader).boolean)
	}
	return nil
}

func fastMap[T any](p *typePlan, value func(r *reader) (T, bool)) fastFunc {
	pointer := reflect.TypeFor[*map[string]T]()
	exact := p.t == pointer.Elem()
	size := int(p.key.size+p.elem.size) + 8
	return func(r *reader, v reflect.Value) bool {
		a := v.Addr()
		if !exact {
			a = a.Convert(pointer)
		}
		return mapOf(r, a.Interface().(*map[string]T), size, value)
	}
}

func (r *reader) mapping(v reflect.Value, p *typePlan) bool {
	if r.none() {
		v.SetZero()
		return true
	}
	if r.peek() != wire.OpEmptyDict || v.Len() > 0 {
		return false
	}
	made := reflect.MakeMap(p.t)
	k := reflect.New(p.t.Key()).Elem()
	e := reflect.New(p.t.Elem()).Elem()
	size := int(p.key.size+p.elem.size) + 8
	ok := r.dict(func() bool {
		k.SetZero()
		e.SetZero()
		if !r.charge(2*size) || !p.key.fast(r, k) || !p.elem.fast(r, e) {
			return false
		}
		made.SetMapIndex(k, e)
		return true
	})
	v.Set(made)
	return ok
}

func (r *reader) structure(v reflect.Value, p *typePlan) bool {
	if r.peek() != wire.OpEmptyDict {
		return false
	}
	var seen uint64
	expected := 0 // records come with their keys in the same order, mostly that of the struct
	fields := p.fields.fields
	ok := r.dict(func() bool {
		name, ok := r.key()
		if !ok {
			return false
		}
		i := expected
		if i >= len(fields) || fields[i].name != string(name) {
			if i, ok = p.fields.exact[string(name)]; !ok {
				if !utf8.Valid(name) {
					return false
				}
				if i, ok = p.fields.folded[foldName(string(name))]; !ok {
					return !r.c.binding.disallowUnknown && r.skip()
				}
			}
		}
		f := p.fieldPlans[i].fast
		if f == nil || seen&(1<<i) != 0 {
			return false
		}
		seen |= 1 << i
		expected = i + 1
		fv := v
		for _, n := range fields[i].index {
			fv = fv.Field(n)
		}
		return f(r, fv)
	})
	if !ok {
		return false
	}
	if r.c.binding.requireFields {
		for i, f := range fields {
			if seen&(1<<i) == 0 && !f.omitEmpty && !f.omitZero {
				return false
			}
		}
	}
	return true
}

// skip takes a value that no field is interested in.
func (r *reader) skip() bool {
	switch r.peek() {
	case wire.OpNone, wire.OpNewTrue, wire.OpNewFalse:
		r.pos++
		return true
	case wire.OpBinInt1, wire.OpBinInt2, wire.OpBinInt, wire.OpLong1, wire.OpBinFloat:
		if r.data[r.pos] == wire.OpBinFloat {
			_, ok := r.float()
			return ok
		}
		_, ok := r.integer()
		return ok
	case wire.OpEmptyList:
		return r.list(r.pos, &skipped, func(most int) (n int, ok bool) {
			for ; n < most; n++ {
				switch r.peek() {
				case wire.OpAppends, wire.OpAppend:
					return n, true
				}
				if !r.skip() {
					return 0, false
				}
			}
			return n, true
		})
	case wire.OpEmptyDict:
		return r.dict(func() bool {
			switch r.peek() {
			case wire.OpEmptyList, wire.OpEmptyDict: // no keys
				return false
			}
			return r.skip() && r.skip()
		})
	}
	s, ok := r.key()
	return ok && utf8.Valid(s)
}

// skipped is the plan of what is not looked at.
var skipped = typePlan{kind: bindAny}
