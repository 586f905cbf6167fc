package pickleproto

import (
	"encoding/binary"
	"math"
	"reflect"
	"slices"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// The typed fast path's slices of numbers and strings. See the NOTE in typed.go.

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
		if !ok || !fitsFloat[T](f, op) {
			return s, false
		}
		s = append(s, T(f))
		most--
	}
	return s, true
}

// fitsFloat is fitsFloat32 for either kind of float.
func fitsFloat[T float32 | float64](f float64, op byte) bool {
	return !narrow[T]() || fitsFloat32(f, op)
}

func narrow[T float32 | float64]() bool {
	const more = 1<<24 + 1 // than a float32's mantissa holds
	return float64(T(more)) != more
}

// floatRun reads BINFLOATs into to. It returns how many there were.
func floatRun[T float32 | float64](r *reader, to []T) (n int, ok bool) {
	data := r.data[r.pos:r.end]
	narrow := narrow[T]()
	for n < len(to) && len(data) >= 10 && data[0] == wire.OpBinFloat {
		f := math.Float64frombits(binary.BigEndian.Uint64(data[1:9]))
		if narrow && !fitsFloat32(f, wire.OpBinFloat) {
			return n, false
		}
		to[n] = T(f)
		n++
		data = data[9:]
	}
	r.pos = r.end - len(data)
	return n, true
}

func stringItems(r *reader, s []string, from, most int) ([]string, bool) {
	for most > 0 {
		op := r.peek()
		if endsItems(op) {
			return s, true
		}
		if len(s) == cap(s) {
			var ok bool
			if s, ok = grown(r, s, from); !ok {
				return s, false
			}
		}
		if op == wire.OpShortBinUnicode {
			n := stringRun(r, s[len(s):len(s)+min(cap(s)-len(s), most)])
			s = s[:len(s)+n]
			if most -= n; n > 0 {
				continue
			}
		}
		v, ok := r.otherStr(op)
		if !ok {
			return s, false
		}
		s = append(s, v)
		most--
	}
	return s, true
}

// stringRun reads memoised short strs of ASCII into to. It returns how many there were.
func stringRun(r *reader, to []string) (n int) {
	for n < len(to) {
		if len(to)-n >= manyStrs {
			if n += r.commonStrs(to[n:]); n == len(to) {
				break
			}
		}
		if !r.shortStr(&to[n]) {
			break
		}
		n++
	}
	return n
}

// manyStrs is from how many strs on commonStrs pays.
const manyStrs = 8

// Most strs have so many bytes, behind opcode and length. Their ASCII is checked by two words.
const (
	commonLeast = 8
	commonMost  = 16
	commonHead  = 2
)

// commonStrs is stringRun for strs of 8 to 16 bytes, as far as the current block goes. It is a copy of that part of
// the message, so that it is all that need be looked at.
func (r *reader) commonStrs(to []string) (n int) {
	text := r.blockAhead()
	most := min(len(to), len(text)/commonLeast)
	memo := r.memoAhead(most)
	to = to[:len(memo)]
	p := 0
	for n < len(memo) && len(text)-p > commonHead+commonLeast {
		size := int(text[p+1])
		begin := p + commonHead
		end := begin + size
		if text[p] != wire.OpShortBinUnicode || uint(size-commonLeast) > commonMost-commonLeast || end >= len(text) || text[end] != wire.OpMemoize ||
			(wordAt(text, begin)|wordAt(text, end-8))&highBits != 0 {
			break
		}
		to[n] = text[begin:end]
		memo[n] = uint32(r.pos + p)
		p = end + 1
		n++
	}
	r.took(p, n)
	return n
}

// blockAhead returns what comes next in the message as far as the current block and the frame have it, for a run of
// memoised strs; nothing if there can be none.
func (r *reader) blockAhead() string {
	from := r.pos - r.textFrom
	if from < 0 || from >= len(r.text) || r.countsFromOne() {
		return ""
	}
	return r.text[from:min(len(r.text), r.end-r.textFrom)]
}

// memoAhead returns the memo's next n entries, for took to add those that were written.
func (r *reader) memoAhead(n int) []uint32 {
	r.memo = slices.Grow(r.memo, n)
	return r.memo[len(r.memo):][:n]
}

// took goes on after a run of size bytes with entries memoised values.
func (r *reader) took(size, entries int) {
	r.pos += size
	r.memo = r.memo[:len(r.memo)+entries]
}

// shortStr reads a memoised short str of ASCII into s, or reports that there is something else.
func (r *reader) shortStr(s *string) bool {
	data, pos := r.data[:r.end], r.pos
	if len(data)-pos < 3 || data[pos] != wire.OpShortBinUnicode || r.countsFromOne() {
		return false
	}
	begin := pos + 2
	next := begin + int(data[pos+1])
	if next >= len(data) || data[next] != wire.OpMemoize ||
		(next-begin < 8 || next-begin > 16 || !asciiTwoWords(data[begin:next])) && !ascii(data, begin, next) {
		return false
	}
	if begin >= r.textFrom && next <= r.textFrom+len(r.text) {
		*s = r.text[begin-r.textFrom : next-r.textFrom]
	} else {
		v, ok := r.keepApart(begin, next)
		if !ok {
			return false
		}
		*s = v
	}
	r.memo = append(r.memo, uint32(pos))
	r.pos = next + 1
	return true
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
		return numberSlice(fastSlice(p, intItems[int64]), func(r *reader) *[]int64 { return &r.intRun })
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
		return numberSlice(fastSlice(p, floatItems[float64]), func(r *reader) *[]float64 { return &r.floatRun })
	case reflect.String:
		return func(r *reader, v place) bool { return fillStrings(r, p, at[[]string](v)) }
	}
	return nil
}

// shortSlice is how long a slice of strings may be to be cut from a slab.
const shortSlice = 8

// fillStrings is sliceOf for strs. A short slice within something else is cut from a slab.
func fillStrings(r *reader, p *typePlan, dst *[]string) (ok bool) {
	elem := p.elem
	if r.depth == 0 || r.peek() != wire.OpEmptyList {
		if r.beginsInstance() {
			return r.part(place(dst), p)
		}
		*dst, ok = sliceOf(r, elem, stringItems)
		return ok
	}
	free := r.strs[len(r.strs):]
	if cap(free) < shortSlice/2 {
		if r.strs, ok = slab[string](r, cap(r.strs), 16); !ok {
			return false
		}
		free = r.strs
	}
	free = free[:0:min(cap(free), shortSlice)]
	s, ok := listOf(r, elem, free, stringItems)
	if !ok {
		return false
	}
	switch n := len(s); {
	case n == 0:
		*dst = []string{}
	case cap(s) == cap(free): // there was room for all
		r.strs = r.strs[:len(r.strs)+n]
		*dst = s[:n:n]
	default:
		*dst = fitted(s)
	}
	return true
}

func fastSlice[T comparable](p *typePlan, items func(r *reader, s []T, from, most int) ([]T, bool)) fastFunc {
	elem := p.elem
	return func(r *reader, v place) (ok bool) {
		if r.peek() != wire.OpEmptyList && r.beginsInstance() {
			return r.part(v, p) // a deque, an array ...
		}
		*at[[]T](v), ok = sliceOf(r, elem, items)
		return ok
	}
}
