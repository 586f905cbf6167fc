package pickleproto

import "iter"

// List is Python's list. It may be shared and may contain itself. Reading is safe for any
// number of goroutines while none writes.
type List struct {
	items []any
}

// NewList returns a list of the items; it takes the slice over.
func NewList(items ...any) *List { return &List{items: items} }

// Len returns the number of items.
func (l *List) Len() int { return len(l.items) }

// At returns the item at index i, which must be in range.
func (l *List) At(i int) any { return l.items[i] }

// SetAt replaces the item at index i, which must be in range.
func (l *List) SetAt(i int, v any) { l.items[i] = v }

// Append appends the values.
func (l *List) Append(v ...any) { l.items = append(l.items, v...) }

// Items returns the items themselves, not a copy: what the caller changes, the list shows.
func (l *List) Items() []any { return l.items }

// All iterates over indices and items.
func (l *List) All() iter.Seq2[int, any] {
	return func(yield func(int, any) bool) {
		for i, v := range l.items {
			if !yield(i, v) {
				return
			}
		}
	}
}
