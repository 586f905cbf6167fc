package pickleproto

import (
	"iter"
	"math/bits"
)

// Set is Python's set. Its order is that of the stream or of insertion; equality is Python's.
// The zero Set is empty. Reading is safe for any number of goroutines while none writes.
type Set struct{ t *keyTable }

// FrozenSet is Python's frozenset, which may be a key. The zero FrozenSet is empty.
type FrozenSet struct{ t keyTable }

// NewSet returns a set of the items. The error is that of Dict.Set.
func NewSet(items ...any) (*Set, error) {
	t, err := newSetTable(items)
	if err != nil {
		return nil, err
	}
	return &Set{t}, nil
}

// NewFrozenSet returns a frozenset of the items. The error is that of Dict.Set.
func NewFrozenSet(items ...any) (*FrozenSet, error) {
	t, err := newSetTable(items)
	if err != nil {
		return nil, err
	}
	return &FrozenSet{*t}, nil
}

func newSetTable(items []any) (*keyTable, error) {
	h := newHasher()
	t := new(keyTable)
	for _, v := range items {
		if _, _, err := t.add(v, &h); err != nil {
			return nil, keyError(err, &h)
		}
	}
	return t, nil
}

// Len returns the number of members.
func (s *Set) Len() int { return s.t.len() }

// Len returns the number of members.
func (s *FrozenSet) Len() int { return s.t.len() }

// Has reports whether a member equals v.
func (s *Set) Has(v any) bool { return s.t.has(v) }

// Has reports whether a member equals v.
func (s *FrozenSet) Has(v any) bool { return s.t.has(v) }

func (t *keyTable) has(v any) bool {
	h := newHasher()
	i, err := t.find(v, &h)
	return i >= 0 && err == nil
}

// Add adds v. The error is that of Dict.Set.
func (s *Set) Add(v any) error {
	h := newHasher()
	if s.t == nil {
		s.t = new(keyTable)
	}
	_, _, err := s.t.add(v, &h)
	return keyError(err, &h)
}

// Remove removes v and reports whether it was there.
func (s *Set) Remove(v any) bool {
	if s.t == nil {
		return false
	}
	h := newHasher()
	if s.t.remove(v, &h) < 0 {
		return false
	}
	if s.t.dead > 16 && int(s.t.dead) > len(s.t.keys)/2 {
		t := new(keyTable)
		for _, k := range s.t.keys {
			if !same(k, deleted) {
				t.keys = append(t.keys, k)
			}
		}
		if len(t.keys) > smallTable {
			h.work = unlimited
			_ = t.reindex(len(t.keys), &h)
		}
		s.t = t
	}
	return true
}

// All iterates over the members in order.
func (s *Set) All() iter.Seq[any] { return s.t.all() }

// All iterates over the members in order.
func (s *FrozenSet) All() iter.Seq[any] { return s.t.all() }

func (t *keyTable) all() iter.Seq[any] {
	return func(yield func(any) bool) {
		if t == nil {
			return
		}
		for _, k := range t.keys {
			if !same(k, deleted) && !yield(k) {
				return
			}
		}
	}
}

// extendSet adds items to the table *p, as ADDITEMS does.
func extendSet(p **keyTable, items []any, h *hasher, a *arena) error {
	if len(items) == 0 {
		return nil
	}
	if *p != nil {
		a.charge(len(items) * 32)
		return (*p).addAll(items, h)
	}
	*p = a.keyTable()
	return fillSet(*p, items, h, a)
}

// fillSet puts items into an empty table, as FROZENSET does.
func fillSet(t *keyTable, items []any, h *hasher, a *arena) error {
	if t.fillFew(items, a) {
		return nil
	}
	t.keys = a.anys(len(items))[:0]
	if len(items) > smallTable {
		a.charge(4 << bits.Len(uint(len(items)+len(items)/2)))
		t.makeIndex(len(items))
	}
	return t.addAll(items, h)
}

// fillFew fills an empty table with items that are few, and all ints, or all short strs, and different. Otherwise it does
// nothing, and reports so.
func (t *keyTable) fillFew(items []any, a *arena) bool {
	if len(items) == 0 || len(items) > smallTable {
		return false
	}
	switch typeWord(items[0]) {
	case typInt64:
		for i, v := range items {
			n, ok := v.(int64)
			if !ok {
				return false
			}
			for _, other := range items[:i] {
				if other.(int64) == n {
					return false
				}
			}
		}
	case typString:
		for i, v := range items {
			s, ok := v.(string)
			if !ok || len(s) >= longText {
				return false
			}
			for _, other := range items[:i] {
				if other.(string) == s {
					return false
				}
			}
		}
	default:
		return false
	}
	t.keys = a.anys(len(items))
	//lint:ignore S1001 see tupleOf
	for i, v := range items {
		t.keys[i] = v
	}
	return true
}

func (t *keyTable) addAll(items []any, h *hasher) error {
	for _, v := range items {
		if _, _, err := t.add(v, h); err != nil {
			return err
		}
	}
	return nil
}
