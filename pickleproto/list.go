package pickleproto

import (
	"iter"
	"sync/atomic"
)

// List is Python's list. It may be shared and may contain itself. Reading is safe for any
// number of goroutines while none writes. The zero List is empty.
type List struct {
	items  []any
	packed *packed // instead of items, while nobody changes the list
}

// packed holds the items of a long list whose items are all of one kind without a box for each:
// a third of the memory, nothing for the collector to look at, and most of the time that it
// takes to decode. An item is boxed where it lies when it is asked for. Exactly one slice is in use.
type packed struct {
	ints   []int64
	floats []float64
	strs   []string
	boxed  atomic.Pointer[[]any] // what Items made of it
}

// packedMin is the length from which on lists are packed.
const packedMin = 32

func (p *packed) len() int { return len(p.ints) + len(p.floats) + len(p.strs) }

func (p *packed) at(i int) any {
	switch {
	case p.ints != nil:
		return boxInt(&p.ints[i])
	case p.floats != nil:
		return boxFloat(&p.floats[i])
	}
	return boxString(&p.strs[i])
}

// items boxes all items, once.
func (p *packed) items() []any {
	if b := p.boxed.Load(); b != nil {
		return *b
	}
	s := make([]any, p.len())
	for i := range s {
		s[i] = p.at(i)
	}
	p.boxed.CompareAndSwap(nil, &s)
	return *p.boxed.Load()
}

// NewList returns a list of the items; it takes the slice over.
func NewList(items ...any) *List { return &List{items: items} }

// NewIntList returns a list of ints; it takes the slice over. Decoding makes long lists of ints in
// the same way: no item has a box of its own. Ints gets at the slice.
func NewIntList(v []int64) *List {
	return (&packed{ints: v}).list()
}

// NewFloatList returns a list of floats; it takes the slice over.
func NewFloatList(v []float64) *List {
	return (&packed{floats: v}).list()
}

// NewStringList returns a list of strs; it takes the slice over.
func NewStringList(v []string) *List {
	return (&packed{strs: v}).list()
}

func (p *packed) list() *List {
	if p.len() < packedMin {
		return &List{items: p.items()}
	}
	return &List{packed: p}
}

// Ints returns the items of a list that NewIntList or decoding made of ints alone and that nobody
// has changed since; ok is false for other lists. The slice must not be changed.
func (l *List) Ints() (v []int64, ok bool) {
	if l.packed == nil || l.packed.ints == nil {
		return nil, false
	}
	return l.packed.ints, true
}

// Floats is Ints for floats.
func (l *List) Floats() (v []float64, ok bool) {
	if l.packed == nil || l.packed.floats == nil {
		return nil, false
	}
	return l.packed.floats, true
}

// Strings is Ints for strs.
func (l *List) Strings() (v []string, ok bool) {
	if l.packed == nil || l.packed.strs == nil {
		return nil, false
	}
	return l.packed.strs, true
}

// Len returns the number of items.
func (l *List) Len() int {
	if l.packed != nil {
		return l.packed.len()
	}
	return len(l.items)
}

// At returns the item at index i, which must be in range.
func (l *List) At(i int) any {
	if l.packed != nil {
		return l.packed.at(i)
	}
	return l.items[i]
}

// SetAt replaces the item at index i, which must be in range.
func (l *List) SetAt(i int, v any) {
	l.unpack()
	l.items[i] = v
}

// Append appends the values.
func (l *List) Append(v ...any) {
	l.unpack()
	l.items = append(l.items, v...)
}

// unpack gives a list that is to be changed items of its own.
func (l *List) unpack() {
	if l.packed != nil {
		l.items = l.packed.items()
		l.packed = nil
	}
}

// Items returns the items. The slice is the list's own and must not be changed: SetAt and Append
// do that. A long decoded list of one kind makes it at the first call; At and All do without.
func (l *List) Items() []any {
	if l.packed != nil {
		return l.packed.items()
	}
	return l.items
}

// All iterates over indices and items.
func (l *List) All() iter.Seq2[int, any] {
	return func(yield func(int, any) bool) {
		for i := range l.Len() {
			if !yield(i, l.At(i)) {
				return
			}
		}
	}
}
