package pickleproto

import (
	"slices"
	"unsafe"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// CPython writes the items of a container in batches of 1000, so that a list of 100,000 ints is
// a hundred times MARK, items, APPENDS. Appending each batch would allocate and copy the list
// over and over. Instead a full batch that is followed by another MARK stays on the stack, and the
// next one comes to lie right above it: the container is allocated once, when the last batch has
// come. A deferral remembers such a container. The mark of the first batch serves for all of them,
// while the fence moves up, so that nothing can pop what belongs to the container.
//
// Not so for dicts, whose keys are best hashed while they are at hand: expectEntries says how large
// a dict is going to be.
//
// If the container is touched meanwhile by another way (it was fetched from the memo), the
// batches that lie on the stack are put into it first; then what follows sees what Python sees.
type deferral struct {
	depth int // of its mark: len(m.marks)
	start int // of the items on the stack; the container is below
	done  int // items that have been put into it already
}

// mostAhead is how many times its size something that has just begun may be expected to become.
const mostAhead = 256

const (
	// deferMost bounds the items that a deferral leaves on the stack.
	deferMost = 1 << 20
	// deferDepth bounds how many containers wait at a time.
	deferDepth = 16
)

// takes reports whether container c is the one that op adds items to.
func takes(c any, op byte) bool {
	switch c.(type) {
	case *List:
		return op == wire.OpAppends
	case *Set:
		return op == wire.OpAddItems
	}
	return false
}

// ownBatch is the opcode that adds items to c, which takes one.
func ownBatch(c any) byte {
	if _, ok := c.(*Set); ok {
		return wire.OpAddItems
	}
	return wire.OpAppends
}

// postpone leaves the batch from fence to the end of the stack for later, and reports whether
// it did.
func (m *machine) postpone(op byte, stack []any, start, fence int) bool {
	if len(stack) > deferMost || op == wire.OpSetItems || !takes(stack[start-1], op) {
		return false
	}
	if start == fence {
		if len(m.deferred) == deferDepth {
			return false
		}
		m.deferred = append(m.deferred, deferral{depth: len(m.marks), start: start})
	}
	return true
}

// expectEntries foresees, when a full batch of n entries of a dict is followed by another, how many the dict
// is going to have. For the outermost container that is as many as the message has room for if
// it goes on like this, within reason: something else may follow, a long bytes, and what is foreseen
// counts against a budget that others share.
func (m *machine) expectEntries(n, end int, outermost bool) int {
	if outermost && m.firstOutermost() {
		return m.expectMore(n, end)
	}
	return 4 * n
}

// expectMore is how many entries the message will have if it goes on as up to the end of n, within reason.
func (m *machine) expectMore(n, end int) int {
	return min(int(float64(n)/float64(end)*float64(len(m.whole)))+n/16, mostAhead*n)
}

// expectItems is expectEntries for the outermost container if that is a list: its batches are added one
// by one too, while they are in the cache, to a slice that has the size which the message foretells.
// It reports whether c is that list.
func (m *machine) expectItems(c any, n, end int) bool {
	l, ok := c.(*List)
	if !ok || l.packed != nil {
		return false
	}
	if l.items == nil && !m.hadOutermost {
		m.expect = m.expectEntries(n, end, true)
		m.growing = l
	}
	return m.growing == l
}

// batchFollows reports whether a MARK stands at data[i], or first in the next frame if data, a frame, ends there.
func (m *machine) batchFollows(data []byte, i int) bool {
	if i == len(data) && i+frameHeaderSize < len(m.whole) && m.whole[i] == wire.OpFrame {
		data, i = m.whole, i+frameHeaderSize
	}
	return i < len(data) && data[i] == wire.OpMark
}

// fitList gives back the room of the list that was expected to become longer.
func (m *machine) fitList() {
	l := m.growing
	m.growing = nil
	if n := len(l.items); cap(l.items)-n > n/8 {
		items := m.anys(n)
		copy(items, l.items)
		l.items = items
	}
}

// settle ends the deferral that the topmost mark may have, because something other than its own
// kind of batch consumes that mark. What was pushed after the mark moves down to it.
func (m *machine) settle(stack []any, fence int) ([]any, int) {
	k := len(m.deferred) - 1
	if m.deferred[k].depth != len(m.marks) {
		return stack, fence
	}
	m.flush(k, stack, fence)
	m.sharing = true // the heights of what moves are lost: checkDepth looks again
	start := m.deferred[k].start
	m.deferred = m.deferred[:k]
	return append(stack[:start], stack[fence:]...), start
}

// flush puts the batches of deferral k into its container.
func (m *machine) flush(k int, stack []any, fence int) {
	d := m.deferred[k]
	end := fence
	if d.depth < len(m.marks) {
		end = m.marks[d.depth]
	}
	from := d.start + d.done
	m.deferred[k].done = end - d.start
	c := stack[d.start-1]
	if err := m.add(c, stack[from:end]); err != nil {
		panic(bail{err})
	}
}

func (m *machine) flushAll(stack []any, fence int) {
	for k := range m.deferred {
		m.flush(k, stack, fence)
	}
}

// waits reports whether batches of container c lie on the stack.
func (m *machine) waits(c any, stack []any) bool {
	for k := range m.deferred {
		if same(c, stack[m.deferred[k].start-1]) {
			return true
		}
	}
	return false
}

// touch puts the waiting batches of container c into it.
func (m *machine) touch(c any, stack []any, fence int) {
	for k := range m.deferred {
		if same(c, stack[m.deferred[k].start-1]) {
			m.flush(k, stack, fence)
		}
	}
}

// loadItems adds stack[from:] to what lies below: a container, or an object that will do what
// Python's does with them.
func (m *machine) loadItems(op byte, target any, stack []any, from, fence int) error {
	items := stack[from:]
	if len(items) == 0 {
		// CPython does not look at what nothing is added to, as after a dict of just 1000 entries.
		if d, ok := target.(*Dict); ok {
			if err := d.fit(&m.h, &m.arena); err != nil {
				return m.keyError(m.opAt, err)
			}
		}
		return nil
	}
	if len(m.deferred) > 0 {
		m.touch(target, stack, fence)
	}
	switch op {
	case wire.OpAppend, wire.OpAppends:
		switch t := target.(type) {
		case *List:
			return m.add(t, items)
		case *Object:
			m.operate(t, OpAppends, items)
			return nil
		}
	case wire.OpSetItem, wire.OpSetItems:
		if len(items)&1 != 0 {
			return m.fail(m.opAt, "odd number of items for SETITEMS")
		}
		switch t := target.(type) {
		case *Dict:
			return m.add(t, items)
		case *Object:
			m.operate(t, OpSetItems, items)
			return nil
		}
	case wire.OpAddItems:
		switch t := target.(type) {
		case *Set:
			return m.add(t, items)
		case *Object:
			m.operate(t, OpAddItems, items)
			return nil
		}
	}
	return m.fail(m.opAt, "cannot add items to a "+typeName(target))
}

// add adds items to container c.
func (m *machine) add(c any, items []any) error {
	switch c := c.(type) {
	case *List:
		c.unpack()
		if len(c.items) == 0 {
			c.items = m.anys(max(len(items), m.expect))[:len(items)]
			copy(c.items, items)
			return nil
		}
		if n := len(c.items) + len(items); n > cap(c.items) {
			size := max(n, cap(c.items)+cap(c.items)/2+8)
			if c == m.growing {
				size = max(size, m.expectMore(n, m.opAt))
			}
			m.charge(16 * (size - cap(c.items)))
			s := make([]any, len(c.items), size)
			copy(s, c.items)
			c.items = s
		}
		c.items = append(c.items, items...)
	case *Dict:
		if err := c.extend(items, m.expect, &m.h, &m.arena); err != nil {
			return m.keyError(m.opAt, err)
		}
	case *Set:
		if err := extendSet(&c.t, items, &m.h, &m.arena); err != nil {
			return m.keyError(m.opAt, err)
		}
	}
	return nil
}

// operate records what the stream does to an object; batches of one kind become one.
func (m *machine) operate(o *Object, kind OpKind, items []any) {
	if len(items) == 0 {
		return
	}
	if n := len(o.Ops); n > 0 && o.Ops[n-1].Kind == kind && kind <= OpAddItems {
		last := &o.Ops[n-1]
		m.charge(32 * len(items))
		last.Items = append(last.Items, items...)
		return
	}
	own := m.anys(len(items))
	copy(own, items)
	if len(o.Ops) == 0 {
		o.Ops = m.op()[:0]
	} else if n := len(o.Ops); n == cap(o.Ops) {
		m.charge(int(unsafe.Sizeof(Op{})) * (n + 4))
		o.Ops = slices.Grow(o.Ops, n+4)
	}
	o.Ops = append(o.Ops, Op{kind, own})
}
