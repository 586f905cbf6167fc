package pickleproto

import (
	"maps"
	"math/bits"
)

// memoTable is the pickler's memo: from a value's identity to its memo index. It holds addresses
// as numbers, which the collector does not look at; whoever encodes keeps the values alive until
// the end. Identities lie by memo index, eight bytes each; slots find them by open addressing, at most
// half full, four bytes each so that the table of 100,000 values stays in a cache.
type memoTable struct {
	ids   []uint64 // by memo index; 0 where nothing can ask again
	slots []uint32 // 0: empty; else the memo index + 1, and above it bits of the hash
	shift uint8    // log2(len(slots))

	wide    map[wideIdentity]uint32 // what is no id
	aliases map[uintptr]uint32      // see alias

	foreseen int // about how many entries there will be in the end; 0 if there is no telling
}

// An id is an identity in 64 bits: an address of 48 bits, as Go's heap has, above a tag of 16. What is
// not as small, a str of 8 KiB for example, costs so much more to write that a map will do.
const (
	addressBits = 48
	tagBits     = 64 - addressBits
)

type wideIdentity struct {
	address uintptr
	tag     uint32
}

// scatter is 2**64 divided by the golden ratio: multiplied by it, addresses spread over all bits.
const scatter = 0x9e3779b97f4a7c15

// The kinds of identities, which keep apart values of different types at one address. No address is 0.
const (
	kindPointer uint32 = iota
	kindString
	kindBytes
	kindByteString
	kindTuple
	kindGo // values of the binding: see goIndex
)

// memoTag is what tells identities at one address apart.
func memoTag(length int, kind uint32) uint32 { return uint32(length)<<3 | kind }

func isWide(address uintptr, tag uint32) bool {
	return uint64(address)>>addressBits != 0 || tag>>tagBits != 0
}

func idOf(address uintptr, tag uint32) uint64 { return uint64(address)<<tagBits | uint64(tag) }

// len returns the number of memo indices given so far.
func (t *memoTable) len() int { return len(t.ids) }

// find returns the memo index of an identity.
func (t *memoTable) find(address uintptr, tag uint32) (index uint32, ok bool) {
	if len(t.ids) == 0 {
		return 0, false
	}
	if isWide(address, tag) {
		index, ok = t.wide[wideIdentity{address, tag}]
		return index, ok
	}
	if len(t.slots) > 0 {
		index, _, _, ok = t.seek(idOf(address, tag))
	}
	return index, ok
}

// seek returns the memo index of an id, or, if it has none, the slot where it belongs with what of the
// hash that slot shows. It looks first where the address alone says, so that values which lie
// side by side in memory do so in the table, and in the places around it, which share a cache line;
// then in places scattered by multiplication, each as far from the one before as the hash says. They
// must not be neighbours: where values of two stretches of memory meet, long runs of slots are full.
func (t *memoTable) seek(id uint64) (index uint32, slot uint64, shown uint32, found bool) {
	address := id >> tagBits
	h := address * scatter
	mask := uint64(len(t.slots) - 1)
	shown = uint32(h>>8) << t.shift
	home := address >> 3 & mask
	for j := range uint64(8) {
		slot = home ^ j
		s := t.slots[slot]
		if s == 0 {
			return 0, slot, shown, false
		}
		if (s^shown)&^uint32(mask) == 0 {
			if index = s&uint32(mask) - 1; t.ids[index] == id {
				return index, slot, shown, true
			}
		}
	}
	step := h>>16 | 1 // odd, so it gets to every slot
	for slot = h >> (64 - t.shift); ; slot = (slot + step) & mask {
		s := t.slots[slot]
		if s == 0 {
			return 0, slot, shown, false
		}
		if (s^shown)&^uint32(mask) == 0 {
			if index = s&uint32(mask) - 1; t.ids[index] == id {
				return index, slot, shown, true
			}
		}
	}
}

// findOrAdd returns the memo index of an identity, or gives it the next one.
func (t *memoTable) findOrAdd(address uintptr, tag uint32) (index uint32, found bool) {
	if 2*len(t.ids) < len(t.slots) && len(t.ids) < cap(t.ids) && t.addNew(address, tag) {
		return uint32(len(t.ids)) - 1, false
	}
	return t.seekOrAdd(address, tag)
}

func (t *memoTable) seekOrAdd(address uintptr, tag uint32) (index uint32, found bool) {
	if isWide(address, tag) {
		key := wideIdentity{address, tag}
		if index, found = t.wide[key]; found {
			return index, true
		}
		if t.wide == nil {
			t.wide = map[wideIdentity]uint32{}
		}
		index = t.fresh()
		t.wide[key] = index
		return index, false
	}
	t.room(1)
	id := idOf(address, tag)
	index, slot, shown, found := t.seek(id)
	if !found {
		index = t.enter(id, slot, shown)
	}
	return index, found
}

// enter gives the id, which belongs at slot, the next index. There must be room.
func (t *memoTable) enter(id, slot uint64, shown uint32) (index uint32) {
	t.ids = append(t.ids, id)
	t.slots[slot] = uint32(len(t.ids)) | shown
	return uint32(len(t.ids)) - 1
}

// fresh gives the next index to what nothing can refer to again, or what is found otherwise.
func (t *memoTable) fresh() (index uint32) {
	if len(t.ids) == cap(t.ids) {
		t.growIDs(1)
	}
	t.ids = append(t.ids, 0)
	return uint32(len(t.ids)) - 1
}

// room grows the table so that n identities can be added without growing again.
func (t *memoTable) room(n int) {
	for 2*(len(t.ids)+n) > len(t.slots) {
		t.grow()
	}
	if cap(t.ids)-len(t.ids) < n {
		t.growIDs(n)
	}
}

// addNew gives an identity the next index if a look at the one slot where it would be first shows
// that it is new; otherwise it does nothing. There must be room.
func (t *memoTable) addNew(address uintptr, tag uint32) bool {
	slot := uint64(address) >> 3 & uint64(len(t.slots)-1)
	if uint64(address)>>addressBits|uint64(tag>>tagBits|t.slots[slot]) != 0 { // isWide, or taken
		return false
	}
	t.ids = append(t.ids, uint64(address)<<tagBits|uint64(tag))
	t.slots[slot] = uint32(len(t.ids)) | uint32(uint64(address)*scatter>>8)<<t.shift
	return true
}

// memoPlace is where look found that an identity is not: good for addAt as long as nothing was put there.
type memoPlace struct {
	slot  uint64
	slots int // of the table; 0 if the identity has no place in it
	shown uint32
}

// look is find, and says where the identity belongs if it is not there.
func (t *memoTable) look(address uintptr, tag uint32) (p memoPlace, index uint32, found bool) {
	if len(t.slots) == 0 || isWide(address, tag) {
		index, found = t.find(address, tag)
		return memoPlace{}, index, found
	}
	if home := uint64(address) >> 3 & uint64(len(t.slots)-1); t.slots[home] == 0 {
		return memoPlace{home, len(t.slots), uint32(uint64(address)*scatter>>8) << t.shift}, 0, false
	}
	index, slot, shown, found := t.seek(idOf(address, tag))
	return memoPlace{slot, len(t.slots), shown}, index, found
}

// addAt is findOrAdd, with what look said a while ago.
func (t *memoTable) addAt(p memoPlace, address uintptr, tag uint32) (index uint32, found bool) {
	if p.slots == 0 || p.slots != len(t.slots) || t.slots[p.slot] != 0 || 2*len(t.ids) >= len(t.slots) || len(t.ids) == cap(t.ids) {
		return t.findOrAdd(address, tag)
	}
	return t.enter(idOf(address, tag), p.slot, p.shown), false
}

// alias has aliased find, by its address, what has got an index by another identity.
func (t *memoTable) alias(address uintptr, index uint32) {
	if t.aliases == nil {
		t.aliases = map[uintptr]uint32{}
	}
	t.aliases[address] = index
}

func (t *memoTable) aliased(address uintptr) (index uint32, found bool) {
	index, found = t.aliases[address]
	return index, found
}

func (t *memoTable) grow() {
	n := max(64, 4*len(t.slots))
	if t.foreseen > len(t.ids) && len(t.slots) > 0 {
		n = 1 << bits.Len(uint(grownSize(len(t.slots), len(t.slots)+1, 2*t.foreseen)))
	}
	t.index(n)
}

// index makes n slots, a power of two, and enters all ids.
func (t *memoTable) index(n int) {
	t.slots = make([]uint32, n)
	t.shift = uint8(bits.TrailingZeros(uint(n)))
	for i, id := range t.ids {
		if id != 0 {
			_, slot, shown, _ := t.seek(id)
			t.slots[slot] = uint32(i+1) | shown
		}
	}
}

// growIDs doubles, or makes room for what is foreseen, where append would grow a large slice by a
// quarter, over and over.
func (t *memoTable) growIDs(n int) {
	t.ids = append(uncleared[uint64](max(32, grownSize(cap(t.ids), len(t.ids)+n, t.foreseen))), t.ids...)
}

// truncate forgets the indices from n on.
func (t *memoTable) truncate(n int) {
	t.ids = t.ids[:n]
	if len(t.slots) > 0 {
		t.index(len(t.slots))
	}
	forgetFrom(t.wide, n)
	forgetFrom(t.aliases, n)
}

// forgetFrom deletes the memo indices from n on.
func forgetFrom[K comparable](indices map[K]uint32, n int) {
	maps.DeleteFunc(indices, func(_ K, index uint32) bool { return int(index) >= n })
}

// reset empties the table; one that is much too large is dropped.
func (t *memoTable) reset() {
	if len(t.slots) > 1024 && len(t.ids) < len(t.slots)/32 || len(t.slots) > 1<<21 {
		*t = memoTable{}
		return
	}
	if len(t.ids) > 0 {
		clear(t.slots)
	}
	t.ids, t.foreseen = t.ids[:0], 0
	t.wide = nil
	if len(t.aliases) > keepNames {
		t.aliases = nil
	} else if len(t.aliases) > 0 {
		clear(t.aliases)
	}
}
