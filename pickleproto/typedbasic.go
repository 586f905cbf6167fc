package pickleproto

import (
	"encoding/binary"
	"math"
	"reflect"

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
	if len(r.memo) > 0 && r.memo[0] == noEntry {
		return 0
	}
	data, pos, memo := r.data[:r.end], r.pos, r.memo
	text, textFrom := r.text, r.textFrom
	for n < len(to) && len(data)-pos >= 3 && data[pos] == wire.OpShortBinUnicode {
		begin := pos + 2
		next := begin + int(data[pos+1])
		if next >= len(data) || data[next] != wire.OpMemoize {
			break
		}
		if (next-begin < 8 || next-begin > 16 || !asciiTwoWords(data[begin:next])) && !ascii(data, begin, next) {
			break
		}
		if begin >= textFrom && next <= textFrom+len(text) {
			to[n] = text[begin-textFrom : next-textFrom]
		} else {
			v, ok := r.keepApart(begin, next)
			if !ok {
				break
			}
			to[n] = v
			text, textFrom = r.text, r.textFrom
		}
		memo = append(memo, uint32(pos))
		pos = next + 1
		n++
	}
	if n > 0 {
		r.pos, r.memo = pos, memo
	}
	return n
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
		if r.peek() != wire.OpEmptyList && r.beginsInstance() {
			return r.part(v, p) // a deque, an array ...
		}
		*at[[]T](v), ok = sliceOf(r, elem, items)
		return ok
	}
}
