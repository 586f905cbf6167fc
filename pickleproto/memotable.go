package pickleproto

import "math/bits"

// memoTable is the pickler's memo: from a value's identity to its memo index. It holds addresses
// as numbers, which the collector does not look at; whoever encodes keeps the values alive until
// the end. Open addressing, at most half full.
type memoTable struct {
	slots []memoSlot
	shift uint8
	used  int // slots
	n     int // the next memo index; not the same as used: see skip and alias
}

type memoSlot struct {
	address uintptr // 0: empty
	tag     uint32  // length and kind
	index   uint32
}

// The kinds of identities, which keep apart values of different types at one address.
const (
	kindPointer uint32 = iota
	kindString
	kindBytes
	kindByteString
	kindTuple
	kindGlobal
	kindGo // Go values of the binding
)

func memoTag(length int, kind uint32) uint32 { return uint32(length)<<3 | kind }

func (t *memoTable) slot(address uintptr) uint64 {
	return uint64(address) * 0x9e3779b97f4a7c15 >> (64 - t.shift)
}

// find returns the memo index of an identity.
func (t *memoTable) find(address uintptr, tag uint32) (index uint32, ok bool) {
	if t.used == 0 {
		return 0, false
	}
	mask := uint64(len(t.slots) - 1)
	for i := t.slot(address); ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.address == address && s.tag == tag {
			return s.index, true
		}
		if s.address == 0 {
			return 0, false
		}
	}
}

// findOrAdd returns the memo index of an identity, or gives it the next one.
func (t *memoTable) findOrAdd(address uintptr, tag uint32) (index uint32, found bool) {
	if 2*t.used >= len(t.slots) {
		t.grow()
	}
	mask := uint64(len(t.slots) - 1)
	for i := t.slot(address); ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.address == address && s.tag == tag {
			return s.index, true
		}
		if s.address == 0 {
			*s = memoSlot{address, tag, uint32(t.n)}
			t.used++
			t.n++
			return s.index, false
		}
	}
}

// alias gives an identity an index that another one has.
func (t *memoTable) alias(address uintptr, tag, index uint32) {
	n := t.n
	t.n = int(index)
	t.findOrAdd(address, tag)
	t.n = n
}

func (t *memoTable) grow() {
	old := t.slots
	n := max(64, 2*len(old))
	t.slots = make([]memoSlot, n)
	t.shift = uint8(bits.TrailingZeros(uint(n)))
	mask := uint64(n - 1)
	for _, s := range old {
		if s.address == 0 {
			continue
		}
		i := t.slot(s.address)
		for t.slots[i].address != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}

// reset empties the table; one that is much too large is dropped.
func (t *memoTable) reset() {
	if len(t.slots) > 1024 && t.used < len(t.slots)/16 || len(t.slots) > 1<<20 {
		t.slots = nil
	} else if t.used > 0 {
		clear(t.slots)
	}
	t.used, t.n = 0, 0
}
