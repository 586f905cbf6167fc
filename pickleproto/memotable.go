package pickleproto

import (
	"maps"
	"math/bits"
)

// memoTable is the pickler's memo: from a value's identity to its memo index. It holds addresses
// as numbers, which the collector does not look at; whoever encodes keeps the values alive until
// the end. Identities lie by memo index, eight bytes each; slots find them by open addressing, at most
// half full, four bytes each.
//
// Of the many values of a large message few are met again, and then mostly from early on. So beyond the first
// few hundred the table is lazy: that a value is new is known from a set of addresses, and it gets its slot
// only when something is looked up that was, perhaps, there before. The few of a small message have no slots
// either: they are compared one by one.
type memoTable struct {
	ids   []uint64 // by memo index; 0 where nothing can ask again
	slots []uint32 // 0: empty; else the memo index + 1, and above it bits of the hash
	shift uint8    // log2(len(slots))

	lazy    bool
	seen    addressSet // while lazy: where the identities of ids are, and some others perhaps
	indexed int        // while lazy: how many ids have a slot
	limit   int        // while ids are fewer there is room for one more; 0 while there are few, which have no slot

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
	if t.lazy {
		if !t.seen.has(address) {
			return 0, false
		}
		index, ok = t.recall(idOf(address, tag))
	} else if t.limit > 0 {
		index, _, _, ok = t.seek(idOf(address, tag))
	} else {
		index, ok = t.amongFew(idOf(address, tag))
	}
	return index, ok
}

// amongFew returns the index of an id while there are few.
func (t *memoTable) amongFew(id uint64) (index uint32, found bool) {
	for i, other := range t.ids {
		if other == id {
			return uint32(i), true
		}
	}
	return 0, false
}

// recall returns the index of an id that may be there, while the table is lazy. Where few ids have no slot
// they are compared one by one: a value that is met again at once needs none.
func (t *memoTable) recall(id uint64) (index uint32, found bool) {
	late := t.ids[t.indexed:]
	if len(late) > fewLate {
		if t.indexed > 0 {
			if index, _, _, found = t.seek(id); found {
				return index, true
			}
		}
		t.catchUp()
	} else {
		for i, other := range late {
			if other == id {
				return uint32(t.indexed + i), true
			}
		}
		if t.indexed == 0 {
			return 0, false
		}
	}
	index, _, _, found = t.seek(id)
	return index, found
}

// recallOrPush is findOrAdd for an id that may be there, and for which there is room.
func (t *memoTable) recallOrPush(id uint64) (index uint32, found bool) {
	if index, found = t.recall(id); found {
		return index, true
	}
	return t.push(id), false
}

// catchUp gives a slot to all ids that have none.
func (t *memoTable) catchUp() {
	if 2*len(t.ids) > len(t.slots) || len(t.slots) == 0 {
		t.index(max(firstSlots, 1<<bits.Len(uint(3*len(t.ids)))))
	} else {
		t.enterIDs(t.indexed)
	}
	t.indexed = len(t.ids)
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
	if len(t.ids) >= t.limit {
		if t.limit > 0 || len(t.ids) >= min(mostFew, cap(t.ids)) || isWide(address, tag) {
			return t.seekOrAdd(address, tag)
		}
		id := idOf(address, tag)
		if index, found = t.amongFew(id); !found {
			index = t.push(id)
		}
		return index, found
	}
	if t.lazy {
		if c := t.seen.home(address); c.has(address) && uint64(address)>>addressBits|uint64(tag>>tagBits) == 0 {
			if word := &t.seen.words[c.word(address)]; *word&bitOf(address) == 0 {
				*word |= bitOf(address)
				return t.push(idOf(address, tag)), false
			}
			return t.recallOrPush(idOf(address, tag))
		}
	} else if slot := uint64(address) >> 3 & uint64(len(t.slots)-1); uint64(address)>>addressBits|uint64(tag>>tagBits|t.slots[slot]) == 0 {
		index = t.push(idOf(address, tag))
		t.slots[slot] = index + 1 | uint32(uint64(address)*scatter>>8)<<(t.shift&31)
		return index, false
	}
	return t.seekOrAdd(address, tag)
}

func (t *memoTable) seekOrAdd(address uintptr, tag uint32) (index uint32, found bool) {
	if isWide(address, tag) {
		return t.findOrAddWide(wideIdentity{address, tag})
	}
	id := idOf(address, tag)
	if !t.lazy {
		t.room(1)
	}
	if !t.lazy {
		index, slot, shown, found := t.seek(id)
		if !found {
			index = t.enter(id, slot, shown)
		}
		return index, found
	}
	t.room(1)
	if t.seen.add(address) {
		return t.recallOrPush(id)
	}
	return t.push(id), false
}

func (t *memoTable) findOrAddWide(key wideIdentity) (index uint32, found bool) {
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

// push gives the next index to an id for which there is room.
func (t *memoTable) push(id uint64) (index uint32) {
	n := len(t.ids)
	t.ids = t.ids[:n+1]
	t.ids[n] = id
	return uint32(n)
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

const (
	firstSlots = 64
	mostFew    = 8
	lazyFrom   = 512 // up to so many identities have a slot each from the beginning
	fewLate    = 8
)

// room grows the table so that n identities can be added without growing again.
func (t *memoTable) room(n int) {
	if cap(t.ids)-len(t.ids) < n {
		t.growIDs(n)
	}
	if t.lazy {
		t.limit = cap(t.ids)
		return
	}
	if len(t.ids)+n > lazyFrom {
		if t.lazy = true; t.limit > 0 {
			t.indexed = len(t.ids)
		}
		t.limit = cap(t.ids)
		t.seen.begin()
		for _, id := range t.ids {
			if id != 0 {
				t.seen.add(uintptr(id >> tagBits))
			}
		}
		return
	}
	size := max(firstSlots, len(t.slots))
	for 2*(len(t.ids)+n) > size {
		size *= 4
	}
	if size > len(t.slots) {
		t.index(size)
	} else if t.limit == 0 {
		t.enterIDs(0)
	}
	t.limit = min(len(t.slots)/2, cap(t.ids), lazyFrom)
}

// addNewStrs gives the next indices to as many strs, from the first on, as are short and seen at a glance to
// be new. There must be room for all.
func (t *memoTable) addNewStrs(v []string) (n int) {
	if !t.lazy {
		return 0
	}
	ids := t.ids[len(t.ids) : len(t.ids)+len(v)]
	var at, memory uintptr // the word at hand, and which memory it is for
	word := t.seen.words[0]
	for ; n < len(v); n++ {
		s := v[n]
		address := stringAddress(s)
		if uint(len(s)-3) >= 253 || uint64(address)>>addressBits != 0 {
			break
		}
		if address/wordMemory != memory {
			t.seen.words[at] = word
			at, memory = t.seen.word(address), address/wordMemory
			word = t.seen.words[at]
		}
		if word&bitOf(address) != 0 {
			break
		}
		word |= bitOf(address)
		ids[n] = idOf(address, memoTag(len(s), kindString))
	}
	t.seen.words[at] = word
	t.ids = t.ids[:len(t.ids)+n]
	return n
}

// memoPlace is where look found that an identity is not: good for addAt as long as nothing was put there.
type memoPlace struct {
	slot  uint64 // while lazy: the word of the set
	size  int    // of the table, 0 if the identity has no place there; while lazy: inSet
	shown uint32
}

// inSet is the size of a memoPlace in the set, whose words stay where they are when it grows.
const inSet = -1

// look is find, and says where the identity belongs if it is not there.
func (t *memoTable) look(address uintptr, tag uint32) (p memoPlace, index uint32, found bool) {
	if t.lazy {
		if c := t.seen.home(address); c.has(address) && !isWide(address, tag) {
			i := c.word(address)
			if t.seen.words[i]&bitOf(address) != 0 {
				index, found = t.recall(idOf(address, tag))
			}
			return memoPlace{slot: uint64(i), size: inSet}, index, found
		}
	} else if t.limit > 0 && !isWide(address, tag) {
		if home := uint64(address) >> 3 & uint64(len(t.slots)-1); t.slots[home] == 0 {
			return memoPlace{home, len(t.slots), uint32(uint64(address)*scatter>>8) << t.shift}, 0, false
		}
		index, slot, shown, found := t.seek(idOf(address, tag))
		return memoPlace{slot, len(t.slots), shown}, index, found
	}
	index, found = t.find(address, tag)
	return memoPlace{}, index, found
}

// addAt is findOrAdd, with what look said a while ago.
func (t *memoTable) addAt(p memoPlace, address uintptr, tag uint32) (index uint32, found bool) {
	switch {
	case len(t.ids) >= t.limit:
	case t.lazy:
		if p.size == inSet && t.seen.words[p.slot]&bitOf(address) == 0 {
			t.seen.words[p.slot] |= bitOf(address)
			return t.push(idOf(address, tag)), false
		}
	case p.size == len(t.slots) && t.slots[p.slot] == 0:
		return t.enter(idOf(address, tag), p.slot, p.shown), false
	}
	return t.findOrAdd(address, tag)
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

// index makes n slots, a power of two, and enters all ids.
func (t *memoTable) index(n int) {
	t.slots = make([]uint32, n)
	t.shift = uint8(bits.TrailingZeros(uint(n)))
	t.enterIDs(0)
}

// enterIDs enters the ids from index i on.
func (t *memoTable) enterIDs(i int) {
	for ; i < len(t.ids); i++ {
		if id := t.ids[i]; id != 0 {
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
	if t.limit > 0 && len(t.slots) > 0 {
		t.index(len(t.slots))
		t.indexed = n
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
	if t.lazy {
		t.seen.reset()
	} else if t.limit > 0 {
		t.indexed = len(t.ids)
	}
	if len(t.slots) > 1024 && t.indexed < len(t.slots)/32 || max(len(t.slots), cap(t.ids)) > 1<<21 {
		*t = memoTable{}
		return
	}
	if t.indexed > 0 {
		clear(t.slots)
	}
	t.ids, t.foreseen, t.lazy, t.indexed = t.ids[:0], 0, false, 0
	t.limit = 0
	t.wide = nil
	if len(t.aliases) > keepNames {
		t.aliases = nil
	} else if len(t.aliases) > 0 {
		clear(t.aliases)
	}
}
