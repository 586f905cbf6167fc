package pickleproto

import (
	"encoding/binary"
	"math"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Runs of one kind. A list of ints, of floats or of strs is MARK, such items, APPENDS, over and
// over. When a MARK comes right above an empty list, the batches are tried as a run: if they hold
// nothing but one kind, the list is filled packed and neither stack nor boxes are touched. Anything
// else, an error too, leaves the machine as it was, before the MARK, for run to go its way. A
// byte is looked at twice at most: the items of an inner list are no part of a run.

// cursor walks over the items of a run, from frame to frame.
type cursor struct {
	whole    []byte
	data     []byte // up to the end of the current frame
	p        int
	frameEnd int
	batch    int // items since the last MARK
}

// between handles what stands between items: the end of a batch, of the list, or of a frame. It
// reports whether another item follows, or else whether the list ended well.
func (c *cursor) between() (more, ended bool) {
	if c.p >= len(c.data) {
		if c.frameEnd == 0 || c.p >= len(c.whole) {
			return false, false
		}
		c.data, c.frameEnd = c.whole, 0
	}
	switch c.data[c.p] {
	case wire.OpAppends:
		c.p++
		if c.p < len(c.data) && c.data[c.p] == wire.OpMark && c.batch >= batchSize {
			c.p++
			c.batch = 0
			return true, false
		}
		return false, true
	case wire.OpFrame:
		if len(c.data)-c.p < 9 || c.frameEnd > c.p {
			return false, false
		}
		n := binary.LittleEndian.Uint64(c.data[c.p+1:])
		if n > uint64(len(c.whole)-c.p-9) {
			return false, false
		}
		c.p += 9
		c.frameEnd = c.p + int(n)
		c.data = c.whole[:c.frameEnd]
		return true, false
	}
	return false, false
}

// loadRun tries the items at data[i:], which follow a MARK above the empty list l, as a run.
// It returns where to go on, or 0 if they are none.
func (m *machine) loadRun(l *List, data []byte, i int) (next int, rest []byte) {
	c := cursor{whole: m.whole, data: data, p: i, frameEnd: m.frameEnd}
	ended := false
	switch data[i] {
	case wire.OpBinInt1, wire.OpBinInt2, wire.OpBinInt, wire.OpLong1:
		ended = m.loadInts(l, &c)
	case wire.OpBinFloat:
		ended = m.loadFloats(l, &c)
	case wire.OpShortBinUnicode, wire.OpBinUnicode:
		ended = m.loadStrs(l, &c)
	}
	if !ended {
		return 0, nil
	}
	m.frameEnd = c.frameEnd
	return c.p, c.data
}

func (m *machine) loadInts(l *List, c *cursor) bool {
	ints, ended := c.ints(room(m.intRun, len(m.whole)-c.p, 2))
	m.intRun = keepRun(ints)
	if !ended {
		return false
	}
	if n := len(ints); n >= packedMin {
		m.charge(8*n + 64)
		l.packed = &packed{ints: append([]int64(nil), ints...)}
	} else if n > 0 {
		l.items = m.anys(n)
		for i, v := range ints {
			if uint64(v) < uint64(len(smallInts)) {
				l.items[i] = smallInts[v]
			} else {
				l.items[i] = m.int(v)
			}
		}
	}
	return true
}

// ints appends a run of ints, and reports whether the list ended with it.
func (c *cursor) ints(ints []int64) ([]int64, bool) {
	data, p, start := c.data, c.p, len(ints)
	for {
		if len(data)-p >= 5 {
			switch data[p] {
			case wire.OpBinInt1:
				ints = append(ints, int64(data[p+1]))
				p += 2
				continue
			case wire.OpBinInt2:
				ints = append(ints, int64(binary.LittleEndian.Uint16(data[p+1:])))
				p += 3
				continue
			case wire.OpBinInt:
				ints = append(ints, int64(int32(binary.LittleEndian.Uint32(data[p+1:]))))
				p += 5
				continue
			}
		}
		c.p, c.batch = p, len(ints)-start
		if v, n := shortInt(data[p:]); n > 0 {
			ints = append(ints, v)
			p += n
			continue
		}
		more, ended := c.between()
		if !more {
			return ints, ended
		}
		if c.batch == 0 {
			start = len(ints)
		}
		data, p = c.data, c.p
	}
}

// keepRun empties scratch for the next run, or drops it when it has grown large.
func keepRun[T any](scratch []T) []T {
	if cap(scratch) > pooledItems {
		return nil
	}
	return scratch[:0]
}

// room empties scratch for a run of items of size bytes each, in what is left of the message; in a
// long one it starts with some room.
func room[T any](scratch []T, left, size int) []T {
	if cap(scratch) == 0 && left > 1<<12 {
		return make([]T, 0, min(left/size, 1<<12))
	}
	return scratch[:0]
}

// shortInt reads an int near the end of the data, or one of LONG1, and returns the bytes that
// it takes, or 0.
func shortInt(b []byte) (v int64, n int) {
	switch {
	case len(b) >= 2 && b[0] == wire.OpBinInt1:
		return int64(b[1]), 2
	case len(b) >= 3 && b[0] == wire.OpBinInt2:
		return int64(binary.LittleEndian.Uint16(b[1:])), 3
	case len(b) >= 2 && b[0] == wire.OpLong1:
		k := int(b[1])
		if k > 8 || len(b) < 2+k {
			return 0, 0
		}
		if v = decodeLong64(b[2 : 2+k]); v == int64(int32(v)) {
			return 0, 0 // a Long
		}
		return v, 2 + k
	}
	return 0, 0
}

func (m *machine) loadFloats(l *List, c *cursor) bool {
	floats, ended := c.floats(room(m.floatRun, len(m.whole)-c.p, 9))
	m.floatRun = keepRun(floats)
	if !ended {
		return false
	}
	if n := len(floats); n >= packedMin {
		m.charge(8*n + 64)
		l.packed = &packed{floats: append([]float64(nil), floats...)}
	} else if n > 0 {
		l.items = m.anys(n)
		for i, v := range floats {
			l.items[i] = m.float(v)
		}
	}
	return true
}

// floats is ints for floats.
func (c *cursor) floats(floats []float64) ([]float64, bool) {
	start := len(floats)
	for {
		data, p := c.data, c.p
		for len(data)-p >= 9 && data[p] == wire.OpBinFloat {
			floats = append(floats, math.Float64frombits(binary.BigEndian.Uint64(data[p+1:])))
			p += 9
		}
		c.p, c.batch = p, len(floats)-start
		more, ended := c.between()
		if !more {
			return floats, ended
		}
		if c.batch == 0 {
			start = len(floats)
		}
	}
}

// strAt finds the str at data[p:], and what memoises it. It returns where its text begins and
// ends and where the next item begins; 0 for the last if there is no such item.
func strAt(data []byte, p int) (from, to, next int) {
	if len(data)-p < 2 {
		return 0, 0, 0
	}
	switch data[p] {
	case wire.OpShortBinUnicode:
		from = p + 2
		to = from + int(data[p+1])
	case wire.OpBinUnicode:
		if len(data)-p < 5 {
			return 0, 0, 0
		}
		from = p + 5
		n := binary.LittleEndian.Uint32(data[p+1:])
		if uint64(n) > uint64(len(data)-from) {
			return 0, 0, 0
		}
		to = from + int(n)
	default:
		return 0, 0, 0
	}
	if to >= len(data) || data[to] != wire.OpMemoize {
		return 0, 0, 0
	}
	return from, to, to + 1
}

// loadStrs counts the run first: the memo refers to the strs where they finally lie.
func (m *machine) loadStrs(l *List, c *cursor) bool {
	ahead := *c
	n, start := 0, 0
	for {
		_, _, next := strAt(ahead.data, ahead.p)
		if next != 0 {
			ahead.p = next
			n++
			continue
		}
		ahead.batch = n - start
		more, ended := ahead.between()
		if ended {
			break
		}
		if !more {
			return false
		}
		if ahead.batch == 0 {
			start = n
		}
	}
	if n < packedMin {
		return false
	}
	m.charge(16*n + 64)
	strs := make([]string, n)
	text := "" // of the whole run, for the strs to be cut from
	base := c.p
	if !m.c.lend && !m.c.copyStrings {
		m.charge(ahead.p - base)
		text = string(m.whole[base:ahead.p])
	}
	for i := 0; i < n; {
		from, to, next := strAt(c.data, c.p)
		if next == 0 {
			c.batch = batchSize
			c.between()
			continue
		}
		if !validStr(c.data, from, to) {
			panic(bail{m.fail(c.p, "invalid UTF-8 in a str")})
		}
		switch {
		case from == to:
		case text != "":
			strs[i] = text[from-base : to-base]
		default:
			m.opAt = c.p
			strs[i] = m.bytesAt(c.data, from, to-from)
		}
		c.p = next
		i++
	}
	m.memoizeStrs(strs)
	l.packed = &packed{strs: strs}
	*c = ahead
	return true
}
