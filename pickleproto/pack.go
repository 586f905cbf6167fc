package pickleproto

import (
	"encoding/binary"

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

	outermost bool // the run takes what is left of the message, as far as one can tell
}

// between handles what stands between items: the end of a batch, of the list, or of a frame. It
// reports whether another item follows, or else whether the list ended well.
func (c *cursor) between() (more, ended bool) {
	if !c.leaveFrame() {
		return false, false
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
		return c.enterFrame(), false
	}
	return false, false
}

// leaveFrame goes beyond the current frame if that is at its end. It reports whether anything follows.
func (c *cursor) leaveFrame() bool {
	if c.p < len(c.data) {
		return true
	}
	if c.frameEnd == 0 || c.p >= len(c.whole) {
		return false
	}
	c.data, c.frameEnd = c.whole, 0
	return true
}

// enterFrame reads the FRAME that is next.
func (c *cursor) enterFrame() bool {
	if len(c.data)-c.p < 9 || c.frameEnd > c.p {
		return false
	}
	n := binary.LittleEndian.Uint64(c.data[c.p+1:])
	if n > uint64(len(c.whole)-c.p-9) {
		return false
	}
	c.p += 9
	c.frameEnd = c.p + int(n)
	c.data = c.whole[:c.frameEnd]
	return true
}

// frames goes from the end of a frame into the next one. It reports whether there is something else
// then than the end of the message.
func (c *cursor) frames() bool {
	for c.leaveFrame() {
		if c.data[c.p] != wire.OpFrame {
			return true
		}
		if !c.enterFrame() {
			return false
		}
	}
	return false
}

// loadRun tries the items at data[i:], which follow a MARK above the empty list l, as a run.
// It returns where to go on, or 0 if they are none. outermost says that nothing is below l on the
// stack.
func (m *machine) loadRun(l *List, data []byte, i int, outermost bool) (next int, rest []byte) {
	c := cursor{whole: m.whole, data: data, p: i, frameEnd: m.frameEnd}
	ended := false
	switch data[i] {
	case wire.OpBinInt1, wire.OpBinInt2, wire.OpBinInt, wire.OpLong1:
		c.outermost = outermost && m.firstOutermost()
		ended = m.loadInts(l, &c)
	case wire.OpBinFloat:
		c.outermost = outermost && m.firstOutermost()
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

// firstOutermost reports whether this is the first outermost container whose size is foreseen: a pickle
// may drop one and begin another.
func (m *machine) firstOutermost() bool {
	first := !m.hadOutermost
	m.hadOutermost = true
	return first
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
		if (to-from < 8 || to-from > 16 || !asciiTwoWords(c.data[from:to])) && !validStr(c.data, from, to) {
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
