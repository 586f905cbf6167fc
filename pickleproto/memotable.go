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

// Where an identity is looked for: first where its address alone says, so that values that lie
// side by side in memory do so in the table; then, if another one has that place, along a chain
// that begins at a place scattered by multiplication. Chains stay short, for the table is at most
// half full.

func (t *memoTable) home(address uintptr) uint64 {
	return uint64(address) >> 3 & uint64(len(t.slots)-1)
}

func (t *memoTable) chain(address uintptr) uint64 {
	return uint64(address) * 0x9e3779b97f4a7c15 >> (64 - t.shift)
}

// find returns the memo index of an identity.
func (t *memoTable) find(address uintptr, tag uint32) (index uint32, ok bool) {
	if t.used == 0 {
		return 0, false
	}
	s := t.seek(address, tag)
	return s.index, s.address != 0
}

// seek returns the slot of an identity, or the empty one where it belongs.
func (t *memoTable) seek(address uintptr, tag uint32) *memoSlot {
	s := &t.slots[t.home(address)]
	if s.address == 0 || s.address == address && s.tag == tag {
		return s
	}
	mask := uint64(len(t.slots) - 1)
	for i := t.chain(address); ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.address == 0 || s.address == address && s.tag == tag {
			return s
		}
	}
}

// findOrAdd returns the memo index of an identity, or gives it the next one.
func (t *memoTable) findOrAdd(address uintptr, tag uint32) (index uint32, found bool) {
	if 2*t.used >= len(t.slots) {
		t.grow()
	}
	s := t.seek(address, tag)
	if s.address != 0 {
		return s.index, true
	}
	*s = memoSlot{address, tag, uint32(t.n)}
	t.used++
	t.n++
	return s.index, false
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
	for _, s := range old {
		if s.address != 0 {
			*t.seek(s.address, s.tag) = s
		}
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
