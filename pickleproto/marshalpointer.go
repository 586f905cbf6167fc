package pickleproto

import (
	"reflect"
	"unsafe"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Pointers and interfaces, and what tells one Go value from another.

// identity returns what identifies the Go value behind a pointer or a map, nil for none.
func (e *encoder) identity(p *savePlan, address unsafe.Pointer) any {
	if address == nil || p.t.Kind() == reflect.Pointer && p.t.Elem().Size() == 0 {
		return nil
	}
	return goIdentity{plan: p, address: address}
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
// knows it by its address, and by its type's number and its length if these are small.
func (e *encoder) goIndex(id goIdentity) (index uint32, found bool) {
	const lengthBits, numberBits = 5, tagBits - 3 - 5
	if id.n < 1<<lengthBits && id.plan.number < 1<<numberBits {
		return e.memo.findOrAdd(uintptr(id.address), memoTag(int(id.plan.number)<<lengthBits|id.n, kindGo))
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
	return e.memo.fresh()
}
