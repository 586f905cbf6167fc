package pickleproto

import (
	"encoding/binary"
	"hash/maphash"
	"math"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Long dicts of strs to numbers. When the first full batch of a dict is on the stack, holds nothing else,
// and another one follows, the dict becomes a packed one, and the batches that follow are read right
// into it, past stack and boxes. A batch that holds anything else is left to run, from its MARK.

// copiedText is a copy of part of the message, from an offset on. Where keys lie close together it takes
// less to copy everything, and to cut them from that, than to copy them one by one.
type copiedText struct {
	text string
	from int
}

// loadEntries fills the empty dict d with items, a full batch whose SETITEMS ends at data[i], and
// with the batches that follow. It returns where to go on, or 0 if it did nothing.
func (m *machine) loadEntries(d *Dict, items []any, data []byte, i int) (next int, rest []byte) {
	if len(data)-i < 2 || data[i+1] != wire.OpShortBinUnicode || m.c.memo != nil {
		return 0, nil
	}
	p := m.packItems(items)
	if p == nil {
		return 0, nil
	}
	t := m.keyTable()
	m.charge(4 * indexSize(p.room()))
	t.makeIndex(p.room())
	t.index.packed = p
	if !m.enterPacked(t, 0) {
		return 0, nil
	}
	d.t = t
	c := cursor{whole: m.whole, data: data, p: i, frameEnd: m.frameEnd}
	first := len(p.keys)
	for c.p < len(c.data) && c.data[c.p] == wire.OpMark && m.loadBatch(t, &c) {
	}
	m.keys = copiedText{}
	m.memoizeStrs(p.keys[first:])
	if p.room() > 2*len(p.keys) {
		m.fitPacked(t)
	}
	m.frameEnd = c.frameEnd
	return c.p, c.data
}

// packItems returns the entries that items, keys and values in turn, make, or nil if they are
// not all of the kinds that are packed. There is room for as many as are expected.
func (m *machine) packItems(items []any) *packedEntries {
	n := len(items) / 2
	if len(items)&1 != 0 {
		return nil
	}
	kind := typeWord(items[1])
	if kind != typInt64 && kind != typFloat64 {
		return nil
	}
	for i := 0; i < len(items); i += 2 {
		if s, ok := items[i].(string); !ok || len(s) >= longText || typeWord(items[i+1]) != kind {
			return nil
		}
	}
	size := max(m.expect, n)
	m.charge(24*size + 64)
	p := &packedEntries{keys: make([]string, n, size)}
	for i := range p.keys {
		p.keys[i] = items[2*i].(string)
	}
	if kind == typInt64 {
		p.ints = uncleared[int64](size)[:n]
		for i := range p.ints {
			p.ints[i] = items[2*i+1].(int64)
		}
	} else {
		p.floats = uncleared[float64](size)[:n]
		for i := range p.floats {
			p.floats[i] = items[2*i+1].(float64)
		}
	}
	return p
}

// loadBatch reads the batch whose MARK is next. If that holds anything that it should not, or a key
// that there is already, everything is as it was before.
func (m *machine) loadBatch(t *keyTable, c *cursor) bool {
	p := t.index.packed
	n := len(p.keys)
	before, chars, moreChars := *c, m.chars, m.moreChars
	c.p++
	if m.readEntries(p, c) {
		if most := len(p.keys); most > t.index.size()/4*3 {
			size := max(p.room(), 2*most)
			m.charge(4 * indexSize(size))
			t.reindexPacked(n, size)
		}
		if m.enterPacked(t, n) {
			return true
		}
	}
	p.truncate(n)
	*c, m.chars, m.moreChars = before, chars, moreChars
	return false
}

// readEntries appends entries up to the SETITEMS that ends their batch.
func (m *machine) readEntries(p *packedEntries, c *cursor) bool {
	for {
		from, to, next := strAt(c.data, c.p)
		if next == 0 {
			if c.p < len(c.data) && c.data[c.p] == wire.OpSetItems {
				c.p++
				return true
			}
			// Only another frame is worth another look: what ends beyond this one never comes.
			if c.p < len(c.data) && c.data[c.p] != wire.OpFrame || !c.frames() {
				return false
			}
			continue
		}
		if (to-from < 8 || to-from > 16 || !asciiTwoWords(c.data[from:to])) && (to-from >= longText || !validStr(c.data, from, to)) {
			return false
		}
		if len(p.keys) == p.room() {
			n := m.foresee(len(p.keys))
			m.charge(24 * n)
			p.grow(n)
		}
		m.opAt = c.p
		var key string
		switch n := to - from; {
		case from >= m.keys.from && to <= m.keys.from+len(m.keys.text) && n > 2:
			key = m.keys.text[from-m.keys.from : to-m.keys.from]
		case n <= 2 && (n < 2 || c.data[from]&0xfe == 0xc2):
			key, _ = m.str(c.data, from, n).(string)
		case m.c.lend || m.c.copyStrings:
			key = m.bytesAt(c.data, from, n)
		default:
			end := min(len(c.data), from+textBlock)
			m.charge(end - from)
			m.keys.text, m.keys.from = string(c.data[from:end]), from
			key = m.keys.text[:n]
		}
		if c.p = next; next >= len(c.data) || c.data[next] == wire.OpFrame {
			if !c.frames() {
				return false
			}
		}
		if p.ints != nil {
			v, size := intAt(c.data[c.p:])
			if size == 0 {
				return false
			}
			p.ints = append(p.ints, v)
			c.p += size
		} else {
			b := c.data[c.p:]
			if len(b) < 9 || b[0] != wire.OpBinFloat {
				return false
			}
			p.floats = append(p.floats, math.Float64frombits(binary.BigEndian.Uint64(b[1:])))
			c.p += 9
		}
		p.keys = append(p.keys, key)
	}
}

// fitPacked gives back the room of a dict that was expected to become much larger.
func (m *machine) fitPacked(t *keyTable) {
	p := t.index.packed
	n := len(p.keys)
	m.charge(24 * n)
	p.grow(n)
	if t.index.size() > 8*n {
		m.charge(4 * indexSize(n))
		t.reindexPacked(n, n)
	}
}

// reindexPacked makes an index with room for n keys and enters the first so many, which are all new.
func (t *keyTable) reindexPacked(first, n int) {
	p := t.index.packed
	t.makeIndex(n)
	t.index.packed = p
	for i, k := range p.keys[:first] {
		t.place(i, maphash.String(hashSeed, k))
	}
}

// keysAhead is how many keys are hashed before the first of them is looked up.
const keysAhead = 64

// enterPacked enters the keys from place first on into the index, which has room for them. If one is
// there already it takes back what it did and returns false.
//
// The index of a large dict lies in no near cache. To touch the slots of many keys one after the
// other, with nothing to decide in between, lets the processor fetch them side by side.
func (m *machine) enterPacked(t *keyTable, first int) bool {
	keys := t.index.packed.keys
	slots, shift := t.index.slots, t.index.shift
	mask := uint32(len(slots) - 1)
	down := (64 - shift) & 63
	var hashes [keysAhead]uint64
	for i := first; i < len(keys); i += keysAhead {
		some := keys[i:min(len(keys), i+keysAhead)]
		for j, k := range some {
			hashes[j%keysAhead] = maphash.String(hashSeed, k)
		}
		touched := uint32(0)
		for _, x := range hashes[:len(some)] {
			touched |= slots[x>>down&uint64(mask)]
		}
		m.touched = touched
		for j, k := range some {
			x := hashes[j%keysAhead]
			shown := uint32(x) << shift
			slot := uint32(x >> down)
			for {
				e := slots[slot&mask]
				if e == 0 {
					break
				}
				if (e^shown)&^mask == 0 && keys[e&mask-1] == k {
					t.takeBack(first, i+j)
					return false
				}
				slot++
			}
			slots[slot&mask] = uint32(i+j+1) | shown
		}
	}
	return true
}

// takeBack takes the keys from first to last, the latest, out of the index again.
func (t *keyTable) takeBack(first, last int) {
	keys, slots := t.index.packed.keys, t.index.slots
	mask := uint64(len(slots) - 1)
	for i := last - 1; i >= first; i-- {
		slot := maphash.String(hashSeed, keys[i]) >> (64 - t.index.shift)
		for slots[slot]&uint32(mask) != uint32(i+1) {
			slot = (slot + 1) & mask
		}
		slots[slot] = 0
	}
}
