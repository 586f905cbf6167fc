package pickleproto

import (
	"encoding/binary"
	"math"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Runs of numbers. Short ones are read into scratch and copied from there; when a run outgrows that,
// it goes on in a slice of its own, which in the end is what the list or the Go program gets.

// runScratch is how many numbers scratch holds at most.
const runScratch = 4096

// runEnd says why the reading of a run stopped.
type runEnd uint8

const (
	runBroken runEnd = iota // at something that is no number of its kind
	runEnded                // with the list
	runFull                 // for want of room
)

// readNumbers is ints or floats. A func value would make each cursor escape to the heap.
func readNumbers[T int64 | float64](c *cursor, s []T) ([]T, runEnd) {
	var end runEnd
	switch p := any(&s).(type) {
	case *[]int64:
		*p, end = c.ints(*p)
	case *[]float64:
		*p, end = c.floats(*p)
	}
	return s, end
}

// readRun reads a run of numbers. The items lie in a slice that nothing else refers to if own is
// set, else in scratch, which grows as it is needed. charge is asked before memory is taken beyond
// that.
func readRun[T int64 | float64](c *cursor, scratch *[]T, charge func(bytes int) bool) (items []T, own, ended bool) {
	begin := c.p
	items = (*scratch)[:0]
	for {
		var end runEnd
		if items, end = readNumbers(c, items); end != runFull {
			return items, cap(items) > runScratch, end == runEnded
		}
		n := len(items)
		size := 4 * n
		switch {
		case n < runScratch:
			size = min(max(size, 16), runScratch)
		case c.outermost:
			ahead := int(float64(n) / float64(c.p-begin) * float64(len(c.whole)-c.p))
			size = n + n/16 + min(ahead, mostAhead*n)
		}
		if size > runScratch && !charge(8*size) {
			return nil, false, false
		}
		items = append(uncleared[T](size), items...)
		if size <= runScratch {
			*scratch = items[:0]
		}
	}
}

// ownRun makes items, which readRun read, a slice that fits.
func ownRun[T any](items []T, own bool) []T {
	n := len(items)
	if own && cap(items)-n <= n/8 {
		return items[:n:n]
	}
	return append([]T(nil), items...)
}

func (m *machine) chargeRun(n int) bool {
	m.charge(n)
	return true
}

// loadShortInts is loadRun for the empty list l and a few ints, which most lists of ints are. It returns
// where to go on, or 0 if the list is none of that kind or too long.
func (m *machine) loadShortInts(l *List, data []byte, i int) (next int) {
	var ints [8]int64
	for n := 0; n < len(ints) && i < len(data); n++ {
		if data[i] == wire.OpAppends {
			m.boxInts(l, ints[:n])
			return i + 1
		}
		if data[i] == wire.OpBinInt1 && i+1 < len(data) {
			ints[n] = int64(data[i+1])
			i += 2
			continue
		}
		v, size := intAt(data[i:])
		if size == 0 {
			return 0
		}
		ints[n] = v
		i += size
	}
	return 0
}

// boxInts makes v, which are few, the items of a list.
func (m *machine) boxInts(l *List, v []int64) {
	if len(v) == 0 {
		return
	}
	items := m.anys(len(v))
	for i := range items {
		if n := v[i]; uint64(n) < uint64(len(smallInts)) {
			items[i] = smallInts[n]
		} else {
			items[i] = m.int(n)
		}
	}
	l.items = items
}

func (m *machine) loadInts(l *List, c *cursor) bool {
	ints, own, ended := readRun(c, &m.intRun, m.chargeRun)
	if !ended {
		return false
	}
	if n := len(ints); n >= packedMin {
		m.charge(8*n + 64)
		l.packed = &packed{ints: ownRun(ints, own)}
	} else {
		m.boxInts(l, ints)
	}
	return true
}

func (m *machine) loadFloats(l *List, c *cursor) bool {
	floats, own, ended := readRun(c, &m.floatRun, m.chargeRun)
	if !ended {
		return false
	}
	if n := len(floats); n >= packedMin {
		m.charge(8*n + 64)
		l.packed = &packed{floats: ownRun(floats, own)}
	} else if n > 0 {
		l.items = m.anys(n)
		for i, v := range floats {
			l.items[i] = m.float(v)
		}
	}
	return true
}

// ints appends a run of ints to what it has room for.
func (c *cursor) ints(ints []int64) ([]int64, runEnd) {
	data, p := c.data, c.p
	start := len(ints) - c.batch
	for {
		to := ints[len(ints):cap(ints)]
		n := 0
		// An opcode with the widest argument, and what a load of eight bytes takes more.
	common:
		for n < len(to) && len(data)-p >= 8 {
			x := binary.LittleEndian.Uint64(data[p:])
			switch byte(x) {
			case wire.OpBinInt:
				to[n] = int64(int32(x >> 8))
				p += 5
			case wire.OpBinInt1:
				to[n] = int64(uint8(x >> 8))
				p += 2
			case wire.OpBinInt2:
				to[n] = int64(uint16(x >> 8))
				p += 3
			default:
				break common
			}
			n++
		}
		ints = ints[:len(ints)+n]
		c.p, c.batch = p, len(ints)-start
		if v, size := shortInt(data[p:]); size > 0 {
			if len(ints) == cap(ints) {
				return ints, runFull
			}
			ints = append(ints, v)
			p += size
			continue
		}
		more, ended := c.between()
		if ended {
			return ints, runEnded
		}
		if !more {
			return ints, runBroken
		}
		if c.batch == 0 {
			start = len(ints)
		}
		data, p = c.data, c.p
	}
}

// intAt is shortInt, by one load where there are bytes enough.
func intAt(b []byte) (v int64, n int) {
	if len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b)
		switch byte(x) {
		case wire.OpBinInt:
			return int64(int32(x >> 8)), 5
		case wire.OpBinInt2:
			return int64(uint16(x >> 8)), 3
		case wire.OpBinInt1:
			return int64(uint8(x >> 8)), 2
		}
	}
	return shortInt(b)
}

// shortInt reads an int near the end of the data, or one of LONG1, and returns the bytes that
// it takes, or 0.
func shortInt(b []byte) (v int64, n int) {
	switch {
	case len(b) >= 2 && b[0] == wire.OpBinInt1:
		return int64(b[1]), 2
	case len(b) >= 3 && b[0] == wire.OpBinInt2:
		return int64(binary.LittleEndian.Uint16(b[1:])), 3
	case len(b) >= 5 && b[0] == wire.OpBinInt:
		return int64(int32(binary.LittleEndian.Uint32(b[1:]))), 5
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

// floats is ints for floats.
func (c *cursor) floats(floats []float64) ([]float64, runEnd) {
	data, p := c.data, c.p
	start := len(floats) - c.batch
	for {
		to := floats[len(floats):cap(floats)]
		n := 0
		for n < len(to) && len(data)-p >= 9 && data[p] == wire.OpBinFloat {
			to[n] = math.Float64frombits(binary.BigEndian.Uint64(data[p+1:]))
			p += 9
			n++
		}
		floats = floats[:len(floats)+n]
		c.p, c.batch = p, len(floats)-start
		if n == len(to) && len(data)-p >= 9 && data[p] == wire.OpBinFloat {
			return floats, runFull
		}
		more, ended := c.between()
		if ended {
			return floats, runEnded
		}
		if !more {
			return floats, runBroken
		}
		if c.batch == 0 {
			start = len(floats)
		}
		data, p = c.data, c.p
	}
}
