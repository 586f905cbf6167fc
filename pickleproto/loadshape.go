package pickleproto

import (
	"encoding/binary"
	"math"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Dicts whose keys are those of a dict that was read before, as the nodes of a tree have them. Once the first
// key has been fetched from the memo, the others are known, and so are the places of the values: they are
// read right there, past the stack, as long as they are numbers, None, strs, short lists and tuples of these, and such
// dicts in turn. At anything else what has been read goes to the stack, and run goes on from there, as if it
// had read it; after a few such dicts no more of their keys are tried.

const (
	// shapedDepth is how deep dicts are read within one another by recursion.
	shapedDepth = 32
	// Dicts of the same keys are no longer tried when more than one in shapedFailure+1 was tried in vain, or
	// the first three: the ends of frames are in the way of some of the best.
	shapedFailure = 16
	shapedGiveUp  = 3 * shapedFailure
	// shapedItems is how many items lists and tuples have at most.
	shapedItems = 16
)

// shapedPart is what loadShaped has read of a dict when it finds something that it leaves to run.
type shapedPart struct {
	d      *Dict
	keys   []any
	values []any // of the first so many keys
	height int32 // of the highest of the values
}

// loadShaped reads the items of the empty dict d, whose MARK stood before data[i], if their keys are those of t.
// It returns where to go on, and how deep d nests; 0 if it did not come to the end of d: then m.parts holds what
// has been read, the innermost first.
func (m *machine) loadShaped(d *Dict, t *keyTable, data []byte, i, room int) (next int, height int32) {
	keys := t.keys
	var values []any
	if len(data)-i >= 3*len(keys) {
		m.opAt = i
		values = m.anys(len(keys))
	}
	known := m.shapes.getsOf(t)
	inner := int32(0)
	j := 0
	for j < len(values) && len(data)-i > 5+longestScalar {
		at := i + 2
		if get := binary.LittleEndian.Uint16(data[i:]); j >= len(known.gets) || known.gets[j] != get || get == 0 {
			var n int
			n, at = getAt(data, i)
			if key := m.memoEntry(n); typeWord(key) != typString || !same(key, keys[j]) {
				if j > 0 {
					if v, next := m.shapedShortTuple(values[j-1], data, i); next > i {
						values[j-1], i, inner = v, next, max(inner, 1)
						continue
					}
				}
				t.failed += shapedFailure
				break
			}
			if j < len(known.gets) && at == i+2 {
				known.gets[j] = get
			}
		}
		from := at
		var v any
		switch data[at] {
		case wire.OpNone:
			at++
		case wire.OpBinInt1:
			v = smallInts[data[at+1]]
			at += 2
		case wire.OpBinInt2:
			m.opAt = at
			v = m.int(int64(binary.LittleEndian.Uint16(data[at+1:])))
			at += 3
		case wire.OpBinInt:
			m.opAt = at
			v = m.int(int64(int32(binary.LittleEndian.Uint32(data[at+1:]))))
			at += 5
		case wire.OpBinFloat:
			m.opAt = at
			v = m.float(math.Float64frombits(binary.BigEndian.Uint64(data[at+1:])))
			at += 9
		case wire.OpNewTrue:
			v = anyTrue
			at++
		case wire.OpNewFalse:
			v = anyFalse
			at++
		case wire.OpBinGet, wire.OpLongBinGet:
			n, next := getAt(data, at)
			if got := m.memoEntry(n); typeWord(got) == typString {
				v, at = got, next
			}
		case wire.OpShortBinUnicode:
			if to := at + 2 + int(data[at+1]); to < len(data) && validStr(data, at+2, to) {
				m.opAt = at
				v = m.str(data, at+2, to-at-2)
				if at = to; data[at] == wire.OpMemoize {
					m.memoize(v)
					at++
				}
			}
		case wire.OpEmptyList:
			if v, at = m.shapedList(data, at); at > from {
				inner = max(inner, 1)
			}
		case wire.OpMark:
			if v, at = m.shapedTuple(data, at); at > from {
				inner = max(inner, 1)
			}
		case wire.OpEmptyDict:
			if data[at+1] != wire.OpMemoize || data[at+2] != wire.OpMark || room == 0 {
				break
			}
			within := m.shapeOf(data, at+3)
			if within == nil {
				break
			}
			m.opAt = at
			c := m.dict()
			m.memoize(c)
			next, h := m.loadShaped(c, within, data, at+3, room-1)
			if h == 0 {
				m.parts = append(m.parts, shapedPart{d, keys, values[:j], inner})
				return next, 0
			}
			v, at, inner = c, next, max(inner, h)
			known = m.shapes.getsOf(t) // unless a dict within has taken its place
		}
		if at == from {
			if room > 0 {
				t.failed += shapedFailure
			}
			break
		}
		values[j] = v
		j++
		i = at
	}
	if j == len(keys) && i < len(data) && data[i] != wire.OpSetItems {
		if v, next := m.shapedShortTuple(values[j-1], data, i); next > i {
			values[j-1], i, inner = v, next, max(inner, 1)
		} else {
			t.failed += shapedFailure
		}
	}
	if j < len(keys) || i >= len(data) || data[i] != wire.OpSetItems {
		m.parts = append(m.parts, shapedPart{d, keys, values[:j], inner})
		return i, 0
	}
	t.shared = true
	if t.failed > 0 {
		t.failed--
	}
	d.t, d.values = t, values
	if inner > 0 {
		m.nested++
		m.highest = max(m.highest, inner+1)
	}
	return i + 1, inner + 1
}

// shapedList reads a list of a few scalars, which begins at data[i]. It returns i if it is something else.
func (m *machine) shapedList(data []byte, i int) (v any, next int) {
	from := i + 2
	if len(data)-i < 3 || data[i+1] != wire.OpMemoize {
		return nil, i
	}
	var n int
	if data[from] == wire.OpMark {
		from++
		n, next = m.plainScalars(data, from, shapedItems)
		if n == 0 || next >= len(data) || data[next] != wire.OpAppends {
			return nil, i
		}
		next++
	} else if n, next = m.plainScalars(data, from, 1); n == 1 && next < len(data) && data[next] == wire.OpAppend {
		next++
	} else {
		n, next = 0, from
	}
	m.opAt = i
	l := m.list()
	m.memoize(l)
	if n > 0 {
		l.items = m.anys(n)
		m.scalars(l.items[:0], data, from)
	}
	return l, next
}

// shapedTuple reads a tuple of a few scalars, with a MARK at data[i]. It returns i if it is something else.
func (m *machine) shapedTuple(data []byte, i int) (v any, next int) {
	n, end := m.plainScalars(data, i+1, shapedItems)
	if n == 0 || end >= len(data) || data[end] != wire.OpTuple {
		return nil, i
	}
	m.opAt = end
	t := m.anys(n)
	m.scalars(t[:0], data, i+1)
	return m.shapedTupleOf(t, data, end)
}

// shapedShortTuple reads the rest of a tuple without a MARK, of which first has been read. It returns i if it is
// something else.
func (m *machine) shapedShortTuple(first any, data []byte, i int) (v any, next int) {
	switch typeWord(first) {
	case typInt64, typFloat64, typString, typBool, nil:
	default:
		return nil, i
	}
	n, end := m.plainScalars(data, i, 2)
	if end >= len(data) || data[end] != wire.OpTuple1+byte(n) {
		return nil, i
	}
	m.opAt = end
	t := m.anys(1 + n)
	t[0] = first
	m.scalars(t[:1], data, i)
	return m.shapedTupleOf(t, data, end)
}

// shapedTupleOf makes a tuple of items, whose opcode is at data[i], and memoises it.
func (m *machine) shapedTupleOf(items []any, data []byte, i int) (v any, next int) {
	m.opAt = i
	v = m.tuple(items)
	i++
	if i < len(data) && data[i] == wire.OpMemoize {
		m.memoize(v)
		i++
	}
	return v, i
}

// getAt returns the number of the memo entry that the BINGET or LONG_BINGET at data[i] fetches, and where that ends;
// a number that no entry has if it is no such opcode. There are 5 bytes at least.
func getAt(data []byte, i int) (n, next int) {
	switch data[i] {
	case wire.OpBinGet:
		return int(data[i+1]), i + 2
	case wire.OpLongBinGet:
		return longIndex(data[i+1:]), i + 5
	}
	return math.MaxInt, i
}

// shapeOf returns the table whose keys those of a dict may be that begins at data[i], after its MARK, or nil.
func (m *machine) shapeOf(data []byte, i int) *keyTable {
	if !m.shapes.used || len(data)-i < 5 {
		return nil
	}
	n, _ := getAt(data, i)
	key := m.memoEntry(n)
	t := m.shapes.first[firstSlot(key)]
	if t == nil || t.failed >= shapedGiveUp || !same(key, t.keys[0]) {
		return nil
	}
	return t
}

// unshape puts on the stack what loadShaped has left, above the outermost of its dicts, which is there, as run would have
// it there, and the marks. It returns the new stack, fence and top.
func (m *machine) unshape(stack []any, fence, top int) ([]any, int, int) {
	for k := len(m.parts) - 1; k >= 0; k-- {
		p := &m.parts[k]
		for cap(stack)-len(stack) < 2*len(p.values)+2 {
			stack = m.grow(stack)
		}
		if len(m.marks) == cap(m.marks) {
			m.growMarks()
		}
		m.marks = append(m.marks, fence)
		fence = len(stack)
		for j, v := range p.values {
			stack = append(stack, p.keys[j], v)
			switch typeWord(v) {
			case typDict, typList, typTuple:
				top = len(stack) - 1
				m.heights[top] = p.height // that of the highest: load looks again at what may be too high
			}
		}
		if k > 0 {
			top = len(stack) + 1
			m.heights[top] = 1
			stack = append(stack, p.keys[len(p.values)], m.parts[k-1].d)
		}
	}
	clear(m.parts)
	m.parts = m.parts[:0]
	return stack, fence, top
}
