package pickleproto

import (
	"fmt"
	"iter"
	"math/bits"
	"slices"
)

// Dict is Python's dict: insertion-ordered, with Python's equality of keys. The zero Dict is
// empty. Reading is safe for any number of goroutines while none writes.
type Dict struct {
	t      *keyTable // nil while empty; may be shared with other dicts of the same keys
	values []any     // beside t.keys; nil while the entries are packed
}

// keyTable is what dicts and sets have in common: the keys in their order and an index into
// them by open addressing. Dicts whose keys are the same objects in the same order, as the
// instances of one class and the rows of one table are, share one table until one is changed.
type keyTable struct {
	keys   []any
	index  *keyIndex // nil up to smallTable keys
	shared bool
	failed uint8 // how often, of late, loadShaped met something that it does not read
	dead   int32 // deleted keys, whose places hold deleted
}

// keyIndex finds the place of a key by open addressing, never full: each slot is 0, or the place + 1
// with bits of the hash above it.
type keyIndex struct {
	slots  []uint32
	shift  uint8          // log2(len(slots))
	packed *packedEntries // instead of the table's keys and the dict's values
}

// smallTable is how many keys are searched one by one.
const smallTable = 8

// deleted stands in keyTable.keys for a key that was removed.
var deleted any = &struct{ _ byte }{}

// find returns the place of key k, or -1.
func (t *keyTable) find(k any, h *hasher) (int, error) {
	if t == nil || len(t.keys) == 0 && t.index == nil {
		if _, _, err := h.hashCost(k); err != nil {
			return -1, err
		}
		return -1, nil
	}
	if t.index == nil {
		switch k := k.(type) {
		case string:
			return t.findSmallString(k, h)
		case int64:
			return t.findSmallInt(k), nil
		}
		if _, _, err := h.hashCost(k); err != nil {
			return -1, err
		}
		for i, x := range t.keys {
			if same(x, deleted) {
				continue
			}
			if ok, err := h.equal(x, k); ok || err != nil {
				return i, err
			}
		}
		return -1, nil
	}
	x, err := h.hash(k)
	if err != nil {
		return -1, err
	}
	i, _, err := t.probe(k, x, h)
	return i, err
}

func (t *keyTable) findSmallString(s string, h *hasher) (int, error) {
	for i, x := range t.keys {
		if y, ok := x.(string); ok {
			if len(s) >= longText {
				if ok, err := h.sameText(s, y); ok || err != nil {
					return i, err
				}
			} else if s == y {
				return i, nil
			}
		} else if _, ok := x.(ByteString); ok {
			if ok, err := h.equal(x, s); ok || err != nil {
				return i, err
			}
		}
	}
	return -1, nil
}

func (t *keyTable) findSmallInt(n int64) int {
	for i, x := range t.keys {
		if y, ok := x.(int64); ok {
			if n == y {
				return i
			}
		} else if typeWord(x) != typString && numbersEqual(x, n) {
			return i
		}
	}
	return -1
}

// probe looks for k with hash x in the index. It returns k's place, or -1 and the index slot
// where it belongs.
func (t *keyTable) probe(k any, x uint64, h *hasher) (place int, slot uint64, err error) {
	slots, shift := t.index.slots, t.index.shift
	mask := uint64(len(slots) - 1)
	tag := uint32(x) << shift
	for slot = x >> (64 - shift); ; slot = (slot + 1) & mask {
		e := slots[slot]
		if e == 0 {
			return -1, slot, nil
		}
		if (e^tag)&^uint32(mask) != 0 {
			continue
		}
		i := int(e&uint32(mask)) - 1
		y := t.at(i)
		if a, ok := k.(string); ok {
			if b, ok := y.(string); ok {
				if len(a) >= longText {
					if ok, err := h.sameText(a, b); ok || err != nil {
						return i, slot, err
					}
				} else if a == b {
					return i, slot, nil
				}
				continue
			}
		}
		if same(y, deleted) {
			continue
		}
		if ok, err := h.equal(y, k); ok || err != nil {
			return i, slot, err
		}
	}
}

// add appends key k, or finds it. It returns k's place and whether it was there before.
func (t *keyTable) add(k any, h *hasher) (place int, found bool, err error) {
	if t.index == nil {
		place, err = t.find(k, h)
		if place >= 0 || err != nil {
			return place, err == nil, err
		}
		t.keys = append(t.keys, k)
		if len(t.keys) > smallTable {
			if err = t.reindex(2*len(t.keys), h); err != nil {
				t.keys = t.keys[:len(t.keys)-1]
				return -1, false, err
			}
		}
		return len(t.keys) - 1, false, nil
	}
	if len(t.keys)+1 > len(t.index.slots)/4*3 {
		if err = t.reindex(2*len(t.keys), h); err != nil {
			return -1, false, err
		}
	}
	x, err := h.hash(k)
	if err != nil {
		return -1, false, err
	}
	place, slot, err := t.probe(k, x, h)
	if place >= 0 || err != nil {
		return place, err == nil, err
	}
	t.keys = append(t.keys, k)
	t.index.slots[slot] = uint32(len(t.keys)) | uint32(x)<<t.index.shift
	return len(t.keys) - 1, false, nil
}

// reindex makes an index with room for n keys.
func (t *keyTable) reindex(n int, h *hasher) error {
	t.makeIndex(n)
	for i, k := range t.keys {
		if same(k, deleted) {
			continue
		}
		x, err := h.hash(k)
		if err != nil {
			return err
		}
		t.place(i, x)
	}
	return nil
}

func (t *keyTable) makeIndex(n int) {
	size := indexSize(n)
	t.index = &keyIndex{slots: make([]uint32, size), shift: uint8(bits.TrailingZeros(uint(size)))}
}

// indexSize is how many slots an index for n keys has.
func indexSize(n int) int { return 1 << bits.Len(uint(n+n/2)) }

// place enters key i, known to be new, into the index.
func (t *keyTable) place(i int, x uint64) {
	slots, shift := t.index.slots, t.index.shift
	mask := uint64(len(slots) - 1)
	slot := x >> (64 - shift)
	for slots[slot] != 0 {
		slot = (slot + 1) & mask
	}
	slots[slot] = uint32(i+1) | uint32(x)<<shift
}

func (x *keyIndex) size() int {
	if x == nil {
		return 0
	}
	return len(x.slots)
}

func (t *keyTable) clone() *keyTable {
	c := &keyTable{keys: slices.Clone(t.keys), dead: t.dead}
	if t.index != nil {
		c.index = &keyIndex{slots: slices.Clone(t.index.slots), shift: t.index.shift}
	}
	return c
}

func (t *keyTable) len() int {
	if t == nil {
		return 0
	}
	return t.places() - int(t.dead)
}

// remove deletes key k; it returns its former place, or -1.
func (t *keyTable) remove(k any, h *hasher) int {
	i, err := t.find(k, h)
	if i < 0 || err != nil {
		return -1
	}
	t.keys[i] = deleted
	t.dead++
	return i
}

// NewDict returns an empty dict.
func NewDict() *Dict { return &Dict{} }

// Len returns the number of keys.
func (d *Dict) Len() int { return d.t.len() }

// Get returns the value of the key that Python calls equal to key.
func (d *Dict) Get(key any) (value any, ok bool) {
	h := newHasher()
	i, err := d.t.find(key, &h)
	if i < 0 || err != nil {
		return nil, false
	}
	return d.value(i), true
}

// Set sets the value of key. A key that is there keeps its place and its first form. The error,
// a *TypeError or a *LimitError, is for a key that Python cannot hash or that is too deep.
func (d *Dict) Set(key, value any) error {
	h := newHasher()
	return keyError(d.set(key, value, &h), &h)
}

// Update sets all keys to their values in turn, as Python's dict.update. Unlike Set for each of them it
// bounds what hashing may cost for all together, a million steps (a step is an item of a tuple, about) and
// 64 for each key, and hashes what several keys have within them but once. The errors are those of Set; the keys before the one at fault
// have been set.
func (d *Dict) Update(pairs iter.Seq2[any, any]) error {
	const base, perKey = 1_000_000, 64
	h := newHasher()
	h.work, h.max = base, base
	for k, v := range pairs {
		h.work, h.max = h.work+perKey, h.max+perKey
		if err := d.set(k, v, &h); err != nil {
			return keyError(err, &h)
		}
	}
	return nil
}

func (d *Dict) set(key, value any, h *hasher) error {
	d.own()
	i, found, err := d.t.add(key, h)
	if err != nil {
		return err
	}
	if found {
		d.values[i] = value
	} else {
		d.values = append(d.values, value)
	}
	return nil
}

// own makes the key table one that may be changed.
func (d *Dict) own() {
	if d.t == nil {
		d.t = new(keyTable)
	} else if d.t.shared {
		d.t = d.t.clone()
	} else {
		d.unpack()
	}
}

// Delete removes key and reports whether it was there.
func (d *Dict) Delete(key any) bool {
	if d.t == nil {
		return false
	}
	d.own()
	h := newHasher()
	i := d.t.remove(key, &h)
	if i < 0 {
		return false
	}
	d.values[i] = nil
	if d.t.dead > 16 && int(d.t.dead) > len(d.t.keys)/2 {
		d.compact(&h)
	}
	return true
}

func (d *Dict) compact(h *hasher) {
	t, n := &keyTable{}, 0
	for i, k := range d.t.keys {
		if !same(k, deleted) {
			t.keys = append(t.keys, k)
			d.values[n] = d.values[i]
			n++
		}
	}
	clear(d.values[n:])
	d.values = d.values[:n]
	if n > smallTable {
		h.work = unlimited // each key was hashed before
		_ = t.reindex(n, h)
	}
	d.t = t
}

// All iterates over keys and values in the order of insertion.
func (d *Dict) All() iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		if d.t == nil {
			return
		}
		if p := d.t.packedOf(); p != nil {
			for i := range p.keys {
				if !yield(p.key(i), p.value(i)) {
					return
				}
			}
			return
		}
		for i, k := range d.t.keys {
			if !same(k, deleted) && !yield(k, d.values[i]) {
				return
			}
		}
	}
}

// keyError turns what hashing says into the errors of the public API.
func keyError(err error, h *hasher) error {
	switch err := err.(type) {
	case nil:
		return nil
	case *errUnhashable:
		return &TypeError{Offset: -1, Msg: err.Error()}
	default:
		if err == errDepth {
			return &LimitError{Limit: "depth", Value: DefaultMaxDepth + 1, Max: DefaultMaxDepth, Offset: -1}
		}
		if err == errWork {
			return &LimitError{Limit: "work", Value: uint64(h.max) + 1, Max: uint64(h.max), Offset: -1}
		}
		return fmt.Errorf("pickle: %w", err)
	}
}

// fillShape fills an empty dict whose keys another one has, as the very same objects, with which it
// then shares them. It reports whether there is such a dict.
func (a *arena) fillShape(d *Dict, pairs []any) bool {
	n := len(pairs) / 2
	if !a.shapes.used || n == 0 || len(pairs)&1 != 0 {
		return false
	}
	t := a.shapes.find(pairs)
	if t == nil {
		return false
	}
	t.shared = true
	d.t, d.values = t, a.anys(n)
	for i := range d.values {
		d.values[i] = pairs[2*i+1]
	}
	return true
}

// fewPairs is up to how many pairs are set one by one in a dict that has some already.
const fewPairs = 32

// extend sets keys and values, given in turn, as SETITEMS does; a is where memory comes from. If
// the dict has to grow it grows to expect entries at least.
func (d *Dict) extend(pairs []any, expect int, h *hasher, a *arena) error {
	n := len(pairs) / 2
	switch {
	case n == 0:
		return nil
	case d.t == nil:
		if expect <= n && (a.fillShape(d, pairs) || a.fillFew(d, pairs)) {
			return nil
		}
		t, size := a.keyTable(), max(n, expect)
		t.keys, d.values = a.anys(size)[:0], a.anys(size)[:0]
		d.t = t
		if size > smallTable {
			a.charge(4 * indexSize(size))
			t.makeIndex(size)
		}
		if err := d.setAll(pairs, h); err != nil {
			return err
		}
		if len(t.keys) == n {
			a.shapes.add(t)
		}
		return nil
	}
	if d.t.shared {
		a.charge(16*len(d.t.keys) + 4*d.t.index.size() + 64)
		d.own()
	} else if p := d.t.packedOf(); p != nil {
		a.charge(32 * len(p.keys))
		d.unpack()
	}
	if n <= fewPairs {
		a.charge(n * 64)
	} else if most := len(d.t.keys) + n; most > cap(d.t.keys) || most > d.t.index.size()/4*3 {
		size := max(most, 4*len(d.t.keys), expect)
		keys, values := a.anys(size), a.anys(size)
		a.charge(4 * indexSize(size))
		d.t.keys, d.values = keys[:copy(keys, d.t.keys)], values[:copy(values, d.values)]
		if err := d.t.reindex(size, h); err != nil {
			return err
		}
	}
	err := d.setAll(pairs, h)
	if expect == 0 && err == nil {
		err = d.fit(h, a)
	}
	return err
}

// fillFew fills an empty dict with keys and values, given in turn, if they are few, and the keys short
// strs all of which are different. Otherwise it does nothing, and reports so.
func (a *arena) fillFew(d *Dict, pairs []any) bool {
	n := len(pairs) / 2
	if n == 0 || n > smallTable || len(pairs)&1 != 0 {
		return false
	}
	for i := 0; i < len(pairs); i += 2 {
		k, ok := pairs[i].(string)
		if !ok || len(k) >= longText {
			return false
		}
		for j := 0; j < i; j += 2 {
			if pairs[j].(string) == k {
				return false
			}
		}
	}
	cells, t := a.anys(2*n), a.keyTable()
	keys, values := cells[:n:n], cells[n:]
	for i := range keys {
		keys[i], values[i] = pairs[2*i], pairs[2*i+1]
	}
	t.keys = keys
	d.t, d.values = t, values
	a.shapes.add(t)
	return true
}

// fit gives back the room of a dict that was expected to become much larger.
func (d *Dict) fit(h *hasher, a *arena) error {
	if d.t == nil || len(d.t.keys) < batchSize || cap(d.t.keys) <= 2*len(d.t.keys) {
		return nil
	}
	n := len(d.t.keys)
	keys, values := a.anys(n), a.anys(n)
	copy(keys, d.t.keys)
	copy(values, d.values)
	d.t.keys, d.values = keys, values
	if d.t.index.size() <= 8*n {
		return nil
	}
	a.charge(4 * indexSize(n))
	return d.t.reindex(n, h)
}

// setAll sets keys and values, given in turn, in a dict that has a table of its own.
func (d *Dict) setAll(pairs []any, h *hasher) error {
	t := d.t
	for i := 0; i < len(pairs); i += 2 {
		k, v := pairs[i], pairs[i+1]
		if t.index == nil || len(t.keys) == cap(t.keys) || len(t.keys) >= t.index.size()/4*3 {
			j, found, err := t.add(k, h)
			if err != nil {
				return err
			}
			if found {
				d.values[j] = v
			} else {
				d.values = append(d.values, v)
			}
			continue
		}
		x, err := h.hash(k)
		if err != nil {
			return err
		}
		j, slot, err := t.probe(k, x, h)
		if err != nil {
			return err
		}
		if j >= 0 {
			d.values[j] = v
			continue
		}
		t.keys = append(t.keys, k)
		d.values = append(d.values, v)
		t.index.slots[slot] = uint32(len(t.keys)) | uint32(x)<<t.index.shift
	}
	return nil
}

// shapeCache remembers the key tables of the latest dicts by their first key, to find the one
// that the next dict can share.
type shapeCache struct {
	tables [16]*keyTable
	first  [16]*keyTable // by the first key alone
	gets   [4]keyGets    // by the first key too, of which fewer are met in turns
	used   bool
}

// keyGets are the BINGETs that fetched the keys of a table from the memo, by their places, with the argument above the
// opcode; 0 for those that were not met. In one message the same two bytes fetch the same key, until its entry is
// written over.
type keyGets struct {
	of   *keyTable
	gets [16]uint16
}

// getsOf returns those of t.
func (c *shapeCache) getsOf(t *keyTable) *keyGets {
	k := &c.gets[firstSlot(t.keys[0])%uintptr(len(c.gets))]
	if k.of != t {
		*k = keyGets{of: t}
	}
	return k
}

func firstSlot(first any) uintptr { return uintptr(dataPointer(first)) >> 4 & 15 }

func shapeSlot(first any, n int) uintptr {
	return (uintptr(dataPointer(first))>>4 ^ uintptr(n)) & 15
}

// find returns a table whose keys are the very objects of pairs, or nil.
func (c *shapeCache) find(pairs []any) *keyTable {
	n := len(pairs) / 2
	t := c.tables[shapeSlot(pairs[0], n)]
	if t == nil || len(t.keys) != n {
		return nil
	}
	for i, k := range t.keys {
		if !same(k, pairs[2*i]) {
			return nil
		}
	}
	return t
}

func (c *shapeCache) add(t *keyTable) {
	if len(t.keys) <= 256 {
		c.tables[shapeSlot(t.keys[0], len(t.keys))] = t
		c.first[firstSlot(t.keys[0])] = t
		c.used = true
	}
}
