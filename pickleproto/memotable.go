package pickleproto

import "math/bits"

// memoTable is the pickler's memo: from a value's identity to its memo index. It holds addresses
// as numbers, which the collector does not look at; whoever encodes keeps the values alive until
// the end. Entries lie in the order of their making; slots find them by open addressing, at most
// half full, four bytes each so that the table of 100,000 values stays in a cache.
type memoTable struct {
	entries []memoEntry
	slots   []uint32 // 0: empty; else the place in entries + 1, and above it bits of the hash
	shift   uint8    // log2(len(slots))
	n       int      // the next memo index; not the same as len(entries): see skip and alias

	foreseen int // about how many entries there will be in the end; 0 if there is no telling
}

type memoEntry struct {
	address uintptr
	tag     uint32 // length and kind
	index   uint32
}

// scatter is 2**64 divided by the golden ratio: multiplied by it, addresses spread over all bits.
const scatter = 0x9e3779b97f4a7c15

// The kinds of identities, which keep apart values of different types at one address.
const (
	kindPointer uint32 = iota
	kindString
	kindBytes
	kindByteString
	kindTuple
	kindGlobal
	kindGo // values of the binding: see goIndex
)

func memoTag(length int, kind uint32) uint32 { return uint32(length)<<3 | kind }

// find returns the memo index of an identity.
func (t *memoTable) find(address uintptr, tag uint32) (index uint32, ok bool) {
	if len(t.entries) == 0 {
		return 0, false
	}
	e, _, _ := t.seek(address, tag)
	if e == nil {
		return 0, false
	}
	return e.index, true
}

// seek returns the entry of an identity, or nil and the slot where it belongs with what of the
// hash that slot shows. It looks first where the address alone says, so that values which lie
// side by side in memory do so in the table, and in the places around it, which share a cache line;
// then in places scattered by multiplication, each as far from the one before as the hash says. They
// must not be neighbours: where values of two stretches of memory meet, long runs of slots are full.
func (t *memoTable) seek(address uintptr, tag uint32) (e *memoEntry, slot uint64, shown uint32) {
	h := uint64(address) * scatter
	mask := uint64(len(t.slots) - 1)
	shown = uint32(h>>8) << t.shift
	home := uint64(address) >> 3 & mask
	for j := range uint64(8) {
		slot = home ^ j
		s := t.slots[slot]
		if s == 0 {
			return nil, slot, shown
		}
		if (s^shown)&^uint32(mask) == 0 {
			if e = &t.entries[s&uint32(mask)-1]; e.address == address && e.tag == tag {
				return e, slot, shown
			}
		}
	}
	step := h>>16 | 1 // odd, so it gets to every slot
	for slot = h >> (64 - t.shift); ; slot = (slot + step) & mask {
		s := t.slots[slot]
		if s == 0 {
			return nil, slot, shown
		}
		if (s^shown)&^uint32(mask) == 0 {
			if e = &t.entries[s&uint32(mask)-1]; e.address == address && e.tag == tag {
				return e, slot, shown
			}
		}
	}
}

// findOrAdd returns the memo index of an identity, or gives it the next one.
func (t *memoTable) findOrAdd(address uintptr, tag uint32) (index uint32, found bool) {
	if 2*len(t.entries) < len(t.slots) && len(t.entries) < cap(t.entries) && t.addNew(address, tag) {
		return uint32(t.n) - 1, false
	}
	return t.seekOrAdd(address, tag)
}

func (t *memoTable) seekOrAdd(address uintptr, tag uint32) (index uint32, found bool) {
	if 2*len(t.entries) >= len(t.slots) {
		t.grow()
	}
	e, slot, shown := t.seek(address, tag)
	if e != nil {
		return e.index, true
	}
	index = uint32(t.n)
	t.n++
	if len(t.entries) == cap(t.entries) {
		t.growEntries(1)
	}
	t.entries = append(t.entries, memoEntry{address, tag, index})
	t.slots[slot] = uint32(len(t.entries)) | shown
	return index, false
}

// room grows the table so that n identities can be added without growing again.
func (t *memoTable) room(n int) {
	for 2*(len(t.entries)+n) > len(t.slots) {
		t.grow()
	}
	if cap(t.entries)-len(t.entries) < n {
		t.growEntries(n)
	}
}

// addNew gives an identity the next index if a look at the one slot where it would be first shows
// that it is new; otherwise it does nothing. There must be room.
func (t *memoTable) addNew(address uintptr, tag uint32) bool {
	slot := uint64(address) >> 3 & uint64(len(t.slots)-1)
	if t.slots[slot] != 0 {
		return false
	}
	t.entries = append(t.entries, memoEntry{address, tag, uint32(t.n)})
	t.n++
	t.slots[slot] = uint32(len(t.entries)) | uint32(uint64(address)*scatter>>8)<<t.shift
	return true
}

// memoPlace is where look found that an identity is not: good for addAt as long as nothing was put there.
type memoPlace struct {
	slot  uint64
	slots int
	shown uint32
}

// look is find, and says where the identity belongs if it is not there.
func (t *memoTable) look(address uintptr, tag uint32) (p memoPlace, index uint32, found bool) {
	if len(t.slots) == 0 {
		return memoPlace{}, 0, false
	}
	if home := uint64(address) >> 3 & uint64(len(t.slots)-1); t.slots[home] == 0 {
		return memoPlace{home, len(t.slots), uint32(uint64(address)*scatter>>8) << t.shift}, 0, false
	}
	e, slot, shown := t.seek(address, tag)
	if e != nil {
		return memoPlace{}, e.index, true
	}
	return memoPlace{slot, len(t.slots), shown}, 0, false
}

// addAt is findOrAdd, with what look said a while ago.
func (t *memoTable) addAt(p memoPlace, address uintptr, tag uint32) (index uint32, found bool) {
	if p.slots == 0 || p.slots != len(t.slots) || t.slots[p.slot] != 0 || 2*len(t.entries) >= len(t.slots) {
		return t.findOrAdd(address, tag)
	}
	index = uint32(t.n)
	t.n++
	if len(t.entries) == cap(t.entries) {
		t.growEntries(1)
	}
	t.entries = append(t.entries, memoEntry{address, tag, index})
	t.slots[p.slot] = uint32(len(t.entries)) | p.shown
	return index, false
}

// alias gives an identity an index that another one has.
func (t *memoTable) alias(address uintptr, tag, index uint32) {
	n := t.n
	t.n = int(index)
	t.findOrAdd(address, tag)
	t.n = n
}

func (t *memoTable) grow() {
	n := max(64, 4*len(t.slots))
	if t.foreseen > len(t.entries) && len(t.slots) > 0 {
		n = 1 << bits.Len(uint(grownSize(len(t.slots), len(t.slots)+1, 2*t.foreseen)))
	}
	t.slots = make([]uint32, n)
	t.shift = uint8(bits.TrailingZeros(uint(n)))
	for i, e := range t.entries {
		_, slot, shown := t.seek(e.address, e.tag)
		t.slots[slot] = uint32(i+1) | shown
	}
}

// growEntries doubles, or makes room for what is foreseen, where append would grow a large slice by a
// quarter, over and over.
func (t *memoTable) growEntries(n int) {
	e := make([]memoEntry, len(t.entries), max(32, grownSize(cap(t.entries), len(t.entries)+n, t.foreseen)))
	copy(e, t.entries)
	t.entries = e
}

// reset empties the table; one that is much too large is dropped.
func (t *memoTable) reset() {
	if len(t.slots) > 1024 && len(t.entries) < len(t.slots)/32 || len(t.slots) > 1<<21 {
		*t = memoTable{}
	} else if len(t.entries) > 0 {
		clear(t.slots)
	}
	t.entries, t.n, t.foreseen = t.entries[:0], 0, 0
}
