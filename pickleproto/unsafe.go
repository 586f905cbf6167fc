package pickleproto

import (
	"strings"
	"unsafe"
)

// The only file of this package that is not plain Go. It does three things.
//
// Boxing without allocating: an interface holding a number, a string or a slice header is a type
// word and a pointer to that value. Go allocates the value alone; here it already lies in a slab
// (arena.go), and the interface is put together from a type word that Go itself made and a
// pointer into the slab. The collector keeps a slab alive for any pointer into it, the value
// behind an interface is never written again, and the types match, so nothing that the language
// promises is bent.
//
// Identity: the pickler's memo goes by a value's address (CPython's id()), which Go gives for
// pointers, and here also for the data of strings and slices and for boxed values.
//
// Memory that is not cleared first, for bytes and numbers, which hold no pointers that the collector could
// take for real ones: see uncleared. What Builder.Grow allocates is as aligned as any other
// memory of that size, so numbers may lie in it.

// iface is the layout of `any`, as in runtime.eface.
type iface struct {
	typ, data unsafe.Pointer
}

func typeWord(v any) unsafe.Pointer { return (*iface)(unsafe.Pointer(&v)).typ }

// dataPointer returns the address of the value behind v.
func dataPointer(v any) unsafe.Pointer { return (*iface)(unsafe.Pointer(&v)).data }

// same reports whether x and y are one and the same object: the same type at the same address.
func same(x, y any) bool {
	a, b := (*iface)(unsafe.Pointer(&x)), (*iface)(unsafe.Pointer(&y))
	return a.typ == b.typ && a.data == b.data
}

var (
	typInt64     = typeWord(int64(0))
	typFloat64   = typeWord(float64(0))
	typString    = typeWord("")
	typBytes     = typeWord(Bytes(""))
	typTuple     = typeWord(Tuple(nil))
	typBool      = typeWord(false)
	typList      = typeWord((*List)(nil))
	typDict      = typeWord((*Dict)(nil))
	typFrozenSet = typeWord((*FrozenSet)(nil))
	typObject    = typeWord((*Object)(nil))
	typGlobal    = typeWord(Global{})
)

func box(typ, data unsafe.Pointer) (v any) {
	*(*iface)(unsafe.Pointer(&v)) = iface{typ, data}
	return v
}

func boxInt(p *int64) any     { return box(typInt64, unsafe.Pointer(p)) }
func boxFloat(p *float64) any { return box(typFloat64, unsafe.Pointer(p)) }
func boxString(p *string) any { return box(typString, unsafe.Pointer(p)) }
func boxBytes(p *string) any  { return box(typBytes, unsafe.Pointer(p)) }
func boxTuple(p *Tuple) any   { return box(typTuple, unsafe.Pointer(p)) }

// stringOf returns the bytes as a string that shares their memory; nobody may write to them.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// textBytes returns the bytes of s, which must not be written to.
func textBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// stringAddress and tupleAddress are what identity goes by.
func stringAddress(s string) uintptr { return uintptr(unsafe.Pointer(unsafe.StringData(s))) }
func tupleAddress(t Tuple) uintptr   { return uintptr(unsafe.Pointer(unsafe.SliceData(t))) }

// addressOf returns a pointer's address as a number, which keeps nothing alive.
func addressOf[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// uncleared returns an empty slice with room for n items, which hold anything until they are written: unlike
// make, and like strings.Builder, from which it takes them, it spares the clearing. Nobody but the caller
// gets to see items beyond the slice's length, except in the capacity of what AppendMarshal returns, which is a buffer
// to be used again.
func uncleared[T byte | int64 | uint64 | float64 | memoRef](n int) []T {
	var b strings.Builder
	b.Grow(n * int(unsafe.Sizeof(*new(T))))
	b.WriteByte(0)
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.StringData(b.String()))), n)[:0]
}
