package pickleproto

import (
	"bytes"
	"reflect"
	"unsafe"
)

// The typed fast path writes into Go variables by address: reflect.Value costs more for each field
// than reading it from the pickle. This file is all that it does with addresses.
//
// Sound because a place always is the address of a variable of the type that the plan was made
// for: it comes from reflect (the target, a new value, the elements of a made slice) or from such a
// place and the offset that reflect gives for a field, or the size that it gives for an element,
// inside the same variable. Writes go through pointers of the variable's own type, or of a type
// with the same memory layout (an int kind by its size), so that the collector sees each pointer
// that is stored. Nothing keeps a place beyond the call that it was made for.

// place is the address of a variable.
type place = unsafe.Pointer

// at is the variable at p, which must be a T or have T as its underlying type.
func at[T any](p place) *T { return (*T)(p) }

// within is the address n bytes after p, inside the same variable.
func within(p place, n uintptr) place { return unsafe.Add(p, n) }

// elements are the n of the array at p, which must be of that type or have it as their underlying type.
func elements[T any](p place, n int) []T { return unsafe.Slice((*T)(p), n) }

// valueAt is the variable at p for reflection.
func valueAt(t reflect.Type, p place) reflect.Value { return reflect.NewAt(t, p).Elem() }

// placeOf is the address of what the pointer v points to.
func placeOf(v reflect.Value) place { return v.UnsafePointer() }

// isZero reports whether the n bytes of the variable at p are all 0, as those of a variable are that
// holds nothing.
func isZero(p place, n uintptr) bool {
	b := unsafe.Slice((*byte)(p), n)
	return n == 0 || b[0] == 0 && bytes.Equal(b[1:], b[:n-1])
}

// header is a slice's, whatever its elements.
type sliceHeader struct {
	data unsafe.Pointer
	len  int
	cap  int
}

// sliceAt makes the slice variable at p, of type t, one of n elements with room for more, of which
// the first n are those that it had.
func widen(t reflect.Type, p place, n, room int) (first place) {
	wider := reflect.MakeSlice(t, n, room)
	v := valueAt(t, p)
	reflect.Copy(wider, v)
	v.Set(wider)
	return wider.UnsafePointer()
}

// setLen sets the length of the slice variable at p, which must not exceed its capacity.
func setLen(p place, n int) { (*sliceHeader)(p).len = n }

// setPointer stores the address of a new variable in the pointer variable at p.
func setPointer(p place, v place) { *(*unsafe.Pointer)(p) = v }

// isNil reports whether the pointer or map variable at p is nil.
func isNil(p place) bool { return *(*unsafe.Pointer)(p) == nil }
