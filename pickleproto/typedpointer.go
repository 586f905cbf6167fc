package pickleproto

import (
	"reflect"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// The typed fast path's pointers. See the NOTE in typed.go.

// pointerSlab holds what is left of the last slab of a type's variables.
type pointerSlab struct {
	next place
	left int
	size int // of the whole slab, in variables
}

// slabBytesMost bounds a slab: a pointer that the program keeps keeps the slab.
const slabBytesMost = 2048 - slabHeader

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
	op := r.peek()
	if op == wire.OpNone {
		r.pos++
		setPointer(v, nil)
		return true
	}
	// What is there already stays, in a copy: the binder's business.
	if !isNil(v) {
		return false
	}
	if (op == wire.OpBinGet || op == wire.OpLongBinGet) && !r.getsStr() {
		return r.part(v, p)
	}
	if !r.enter() {
		return false
	}
	made, ok := r.newElem(p.elem)
	if !ok {
		return false
	}
	setPointer(v, made)
	if op != wire.OpEmptyDict && op != wire.OpEmptyList { // these the reader reads itself
		r.in = pointee{made, v, p}
	}
	ok = p.elem.fast(r, made)
	r.in = pointee{} // another variable of no size may have the same address
	r.depth--
	return ok
}
