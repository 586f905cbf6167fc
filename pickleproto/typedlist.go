package pickleproto

import (
	"math"
	"reflect"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// The typed fast path's lists and tuples, into slices and arrays of anything. See the NOTE in typed.go.

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
	}
	if p.parts {
		return true
	}
	switch op {
	case wire.OpEmptyDict:
		return !scalar && p.kind != bindSlice
	case wire.OpEmptyList:
		return !scalar && p.kind != bindStruct && p.kind != bindMap
	case wire.OpShortBinUnicode, wire.OpBinUnicode, wire.OpBinUnicode8, wire.OpBinGet, wire.OpLongBinGet:
		return p.kind == bindString || p.kind == bindAny || p.kind == bindPointer || p.kind == bindStruct
	}
	return true
}

// tupleHead takes the MARK that tuples of more than three items begin with, or an empty tuple
// whole. It reports the number of items at most.
//
// Any value may be the first of a tuple of up to three, whose opcode comes behind it. So a type of slices
// of itself would nest without end, were it not that each container that is open needs a byte to
// be closed.
func (r *reader) tupleHead() (most int, ok bool) {
	switch r.peek() {
	case wire.OpEmptyTuple:
		r.pos++
		return 0, true
	case wire.OpMark:
		r.pos++
		return math.MaxInt, r.enter()
	}
	return 3, r.enter() && r.depth <= len(r.data)-r.pos
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
		return n + min(left, 3*n)
	}
	return n + min(left, 4*mostAhead*n)
}

func (r *reader) slice(v place, p *typePlan) bool {
	if p.nested != nil && r.depth > 0 {
		p = p.nested
	}
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
	outermost := r.depth == 0
	if !r.beginContainer() {
		return false
	}
	n, room := 0, 0
	first := widen(p.t, v, 0, 0)
	for full := true; full; {
		switch r.nextItems(p.elem) {
		case aBatch:
			if outermost && n == 0 && r.beginsInstance() {
				return false // a list of instances: all of the message is the machine's
			}
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

// runFunc reads a run of numbers into the first of an array's n elements. It returns how many there were.
type runFunc func(r *reader, v place, n int) (int, bool)

// arrayRun returns the runFunc for arrays that have one.
func arrayRun(p *typePlan) runFunc {
	switch {
	case p.elem.isPlain(reflect.Float64):
		return func(r *reader, v place, n int) (int, bool) { return floatRun(r, elements[float64](v, n)) }
	case p.elem.isPlain(reflect.Int64):
		return func(r *reader, v place, n int) (int, bool) { return intRun(r, elements[int64](v, n)) }
	}
	return nil
}

// array fills an array. One that the items do not fill exactly is the binder's. run, if there is one, is tried first on
// a tuple or batch.
func (r *reader) array(v place, p *typePlan, run runFunc) bool {
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
		if run != nil {
			if n, ok = run(r, v, min(size, most)); !ok {
				return false
			}
		}
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
			if run != nil && n == 0 {
				var ok bool
				if n, ok = run(r, v, size); !ok {
					return false
				}
			}
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
