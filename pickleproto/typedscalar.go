package pickleproto

import (
	"encoding/binary"
	"math"
	"reflect"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// The typed fast path's scalars, and what an interface holds. See the NOTE in typed.go.

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

func fillBytes(r *reader, v place, p *typePlan) bool {
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
	case op == wire.OpByteArray8 || r.beginsInstance():
		return r.part(v, p)
	default:
		return false
	}
	if n > uint64(len(d)-head) || !r.charge(int(n)) {
		return false
	}
	*at[[]byte](v) = cloneLong(d[head : head+int(n)])
	r.pos += head + int(n)
	return r.put(begin)
}

// slabItems is how many values behind interfaces are allocated together, at most: strs fill a slab.
const slabItems = (slabBytes - slabHeader) / 16

// slab returns a slab for more values of a kind, n of which the last one held.
func slab[T any](r *reader, n int, size int) ([]T, bool) {
	n = min(max(4, 2*n), slabItems)
	return make([]T, 0, n), r.charge(n * size)
}

// fillAnyField is fillAny that leaves what is no scalar to the machine: in the fields of structs, and in
// slices and maps within something. (Where all of a message goes into interfaces, the machine does
// better with all of it.)
func fillAnyField(r *reader, v place) bool {
	switch r.peek() {
	case wire.OpNone, wire.OpNewTrue, wire.OpNewFalse, wire.OpBinFloat, wire.OpBinInt1, wire.OpBinInt2, wire.OpBinInt:
		return fillAny(r, v)
	case wire.OpShortBinUnicode, wire.OpBinGet, wire.OpLongBinGet, wire.OpBinUnicode, wire.OpBinUnicode8:
		if !r.beginsInstance() {
			return fillAny(r, v)
		}
	}
	return r.part(v, &anyPlan)
}

var anyPlan = typePlan{t: reflect.TypeFor[any](), kind: bindAny, size: 16}

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
