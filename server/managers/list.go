package managers

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// List is a list shared between Python clients and Go code. Items are those of pickleproto, and
// are not to be changed once they are in it. With a typecode it is Python's array.array.
type List struct {
	typecode string

	mu    sync.RWMutex // guards items
	items []any
}

// NewList returns a list of the items; it takes the slice over.
func NewList(items ...any) *List { return &List{items: items} }

// Append appends the values.
func (l *List) Append(x ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = append(l.items, x...)
}

// Len returns the number of items.
func (l *List) Len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.items)
}

// Items returns a copy of the items.
func (l *List) Items() []any {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Clone(l.items)
}

// Update calls f with the items, while nobody else sees them; what it returns takes their place.
func (l *List) Update(f func(items []any) []any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = f(l.items)
}

// find returns the index of the first item that equals x from start to stop, or -1.
func (l *List) find(x any, start, stop int) int {
	for i := start; i < stop; i++ {
		if pickleproto.Equal(l.items[i], x) {
			return i
		}
	}
	return -1
}

// span is what a slice selects: n items from start on, each step further.
type span struct{ start, step, n int }

// spanOf is slice.indices for a sequence of n items.
func spanOf(s pickleproto.Slice, n int) (span, error) {
	bound := func(x any, absent, low, high int) (int, error) {
		if x == nil {
			return absent, nil
		}
		i, ok := index(x)
		if !ok {
			return 0, python.TypeError("slice indices must be integers or None or have an __index__ method")
		}
		if i < 0 {
			if i += n; i < low {
				return low, nil
			}
		}
		return min(i, high), nil
	}
	step := 1
	if s.Step != nil {
		var ok bool
		if step, ok = index(s.Step); !ok {
			return span{}, python.TypeError("slice indices must be integers or None or have an __index__ method")
		}
		if step == 0 {
			return span{}, python.ValueError("slice step cannot be zero")
		}
		step = max(min(step, 1<<30), -1<<30)
	}
	low, high, first, last := 0, n, 0, n
	if step < 0 {
		low, high, first, last = -1, n-1, n-1, -1
	}
	start, err := bound(s.Start, first, low, high)
	if err != nil {
		return span{}, err
	}
	stop, err := bound(s.Stop, last, low, high)
	if err != nil {
		return span{}, err
	}
	sp := span{start: start, step: step}
	if step > 0 && stop > start {
		sp.n = (stop-start-1)/step + 1
	} else if step < 0 && start > stop {
		sp.n = (start-stop-1)/-step + 1
	}
	return sp, nil
}

// where says which items x, an index or a slice, means. what names the use for the error.
func (l *List) where(x any, what string) (i int, sp span, isSlice bool, err error) {
	if o, ok := x.(*pickleproto.Object); ok {
		var s pickleproto.Slice
		if pickleproto.Bind(o, &s) == nil {
			sp, err = spanOf(s, len(l.items))
			return 0, sp, true, err
		}
	}
	i, ok := index(x)
	if !ok {
		return 0, sp, false, python.TypeError("%s indices must be integers or slices, not %s", l.kind(), python.TypeName(x))
	}
	if i < 0 {
		i += len(l.items)
	}
	if i < 0 || i >= len(l.items) {
		return 0, sp, false, indexError("%s %sindex out of range", l.kind(), what)
	}
	return i, sp, false, nil
}

func (l *List) kind() string {
	if l.typecode != "" {
		return "array"
	}
	return "list"
}

// made is a result of several items: a list, or an array.
func (l *List) made(items []any) any {
	if l.typecode == "" {
		return pickleproto.NewList(items...)
	}
	return arrayOf(l.typecode, pickleproto.NewList(items...))
}

func (l *List) get(x any) (any, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	i, sp, isSlice, err := l.where(x, "")
	if err != nil || !isSlice {
		if err != nil {
			return nil, err
		}
		return l.items[i], nil
	}
	items := make([]any, sp.n)
	for k := range items {
		items[k] = l.items[sp.start+k*sp.step]
	}
	return l.made(items), nil
}

func (l *List) set(a *arguments, x, v any) error {
	var from []any
	var err error
	if _, isSlice := x.(*pickleproto.Object); isSlice && l.typecode != "" {
		from, err = l.slice(v)
	} else if isSlice {
		if from, err = a.iterate(v); err != nil {
			err = python.TypeError("can only assign an iterable")
		}
	} else {
		v, err = l.item(v)
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i, sp, isSlice, err := l.where(x, "assignment ")
	switch {
	case err != nil:
		return err
	case !isSlice:
		l.items[i] = v
	case sp.step == 1:
		l.items = slices.Replace(l.items, sp.start, sp.start+sp.n, from...)
	case len(from) != sp.n:
		return python.ValueError("attempt to assign sequence of size %d to extended slice of size %d", len(from), sp.n)
	default:
		for k, y := range from {
			l.items[sp.start+k*sp.step] = y
		}
	}
	return nil
}

func (l *List) remove(x any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, sp, isSlice, err := l.where(x, "assignment ")
	switch {
	case err != nil:
		return err
	case !isSlice:
		l.items = slices.Delete(l.items, i, i+1)
		return nil
	}
	gone := make(map[int]bool, sp.n)
	for k := range sp.n {
		gone[sp.start+k*sp.step] = true
	}
	kept := make([]any, 0, len(l.items)-sp.n)
	for i, y := range l.items {
		if !gone[i] {
			kept = append(kept, y)
		}
	}
	l.items = kept
	return nil
}

// times is l * n.
func (l *List) times(x any) ([]any, error) {
	n, ok := index(x)
	if !ok {
		return nil, python.TypeError("can't multiply sequence by non-int of type '%s'", python.TypeName(x))
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if n <= 0 || len(l.items) == 0 {
		return nil, nil
	}
	if n > maxMade/len(l.items) {
		return nil, tooLong()
	}
	return slices.Repeat(l.items, n), nil
}

var listMethods = named(builtins[*List]{
	"__getitem__": fn("index", func(_ context.Context, l *List, a *arguments) (any, error) { return l.get(a.at(0)) }),
	"__setitem__": fn("index value", func(_ context.Context, l *List, a *arguments) (any, error) {
		return nil, l.set(a, a.at(0), a.at(1))
	}),
	"__delitem__": fn("index", func(_ context.Context, l *List, a *arguments) (any, error) { return nil, l.remove(a.at(0)) }),
	// Python 2 has its own methods for slices without a step.
	"__getslice__": fn("start stop", func(_ context.Context, l *List, a *arguments) (any, error) { return l.get(slice2(a)) }),
	"__setslice__": fn("start stop value", func(_ context.Context, l *List, a *arguments) (any, error) {
		return nil, l.set(a, slice2(a), a.at(2))
	}),
	"__delslice__": fn("start stop", func(_ context.Context, l *List, a *arguments) (any, error) { return nil, l.remove(slice2(a)) }),
	"__len__":      fn("", func(_ context.Context, l *List, _ *arguments) (any, error) { return int64(l.Len()), nil }),
	"__contains__": fn("value", func(_ context.Context, l *List, a *arguments) (any, error) {
		l.mu.RLock()
		defer l.mu.RUnlock()
		return l.find(a.at(0), 0, len(l.items)) >= 0, nil
	}),
	"__add__": fn("other", func(_ context.Context, l *List, a *arguments) (any, error) {
		other, ok := a.at(0).(*pickleproto.List)
		if !ok {
			return nil, python.TypeError("can only concatenate list (not \"%s\") to list", python.TypeName(a.at(0)))
		}
		return pickleproto.NewList(append(l.Items(), other.Items()...)...), nil
	}),
	"__mul__":  fn("n", listTimes),
	"__rmul__": fn("n", listTimes),
	"__imul__": fn("n", func(_ context.Context, l *List, a *arguments) (any, error) {
		items, err := l.times(a.at(0))
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.items = items
		return pickleproto.NewList(slices.Clone(items)...), nil
	}),
	"__reversed__": fn("", func(_ context.Context, l *List, _ *arguments) (any, error) {
		return &pickleproto.Object{
			How: pickleproto.ByReduce, Callable: pickleproto.Global{Module: "builtins", Name: "reversed"},
			Args: pickleproto.Tuple{pickleproto.NewList(l.Items()...)},
		}, nil
	}),
	"clear": fn("", func(_ context.Context, l *List, _ *arguments) (any, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.items = nil
		return nil, nil
	}),
	"copy":   fn("", func(_ context.Context, l *List, _ *arguments) (any, error) { return l.made(l.Items()), nil }),
	"append": fn("value", func(_ context.Context, l *List, a *arguments) (any, error) { l.Append(a.at(0)); return nil, nil }),
	"extend": fn("iterable", func(_ context.Context, l *List, a *arguments) (any, error) {
		items, err := a.iterate(a.at(0))
		if err == nil {
			l.Append(items...)
		}
		return nil, err
	}),
	"insert": fn("index value", func(_ context.Context, l *List, a *arguments) (any, error) {
		i, err := a.integer(0, 0)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if i < 0 {
			i = max(i+len(l.items), 0)
		}
		l.items = slices.Insert(l.items, min(i, len(l.items)), a.at(1))
		return nil, nil
	}),
	"pop": fn("? index", func(_ context.Context, l *List, a *arguments) (any, error) {
		i, err := a.integer(0, -1)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.items) == 0 {
			return nil, indexError("pop from empty list")
		}
		if i < 0 {
			i += len(l.items)
		}
		if i < 0 || i >= len(l.items) {
			return nil, indexError("pop index out of range")
		}
		x := l.items[i]
		l.items = slices.Delete(l.items, i, i+1)
		return x, nil
	}),
	"remove": fn("value", func(_ context.Context, l *List, a *arguments) (any, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		i := l.find(a.at(0), 0, len(l.items))
		if i < 0 {
			return nil, python.ValueError("list.remove(x): x not in list")
		}
		l.items = slices.Delete(l.items, i, i+1)
		return nil, nil
	}),
	"count": fn("value", func(_ context.Context, l *List, a *arguments) (any, error) {
		l.mu.RLock()
		defer l.mu.RUnlock()
		n := int64(0)
		for _, x := range l.items {
			if pickleproto.Equal(x, a.at(0)) {
				n++
			}
		}
		return n, nil
	}),
	"index": fn("value ? start stop", func(_ context.Context, l *List, a *arguments) (any, error) {
		l.mu.RLock()
		defer l.mu.RUnlock()
		sp, err := spanOf(pickleproto.Slice{Start: a.at(1), Stop: a.at(2)}, len(l.items))
		if err != nil {
			return nil, err
		}
		if i := l.find(a.at(0), sp.start, sp.start+sp.n); i >= 0 {
			return int64(i), nil
		}
		text := pickleproto.Repr(a.at(0))
		return nil, python.ValueError("%s is not in list", clip(text))
	}),
	"reverse": fn("", func(_ context.Context, l *List, _ *arguments) (any, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		slices.Reverse(l.items)
		return nil, nil
	}),
	"sort": fn("? key reverse", func(_ context.Context, l *List, a *arguments) (any, error) {
		if a.at(0) != nil {
			return nil, python.TypeError("sort() cannot call a key function: it is Python's, and this list is not")
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		sorted, err := sortItems(l.items, a.truth(1, false))
		if err == nil {
			l.items = sorted
		}
		return nil, err
	}),
})

func listTimes(_ context.Context, l *List, a *arguments) (any, error) {
	items, err := l.times(a.at(0))
	return pickleproto.NewList(items...), err
}

// slice2 is the slice of Python 2's __getslice__: its indices have had the length added already.
func slice2(a *arguments) any {
	return &pickleproto.Object{
		How: pickleproto.ByReduce, Callable: pickleproto.Global{Module: "builtins", Name: "slice"},
		Args: pickleproto.Tuple{a.at(0), a.at(1), nil},
	}
}

func indexError(format string, args ...any) error {
	return pickleproto.NewException("IndexError", fmt.Sprintf(format, args...))
}

var listNames = listMethods.names()

var arrayNames = []string{"__getitem__", "__getslice__", "__len__", "__setitem__", "__setslice__"}

func (l *List) exposed() []string {
	if l.typecode != "" {
		return arrayNames
	}
	return listNames
}

func (l *List) call(ctx context.Context, c *call) (any, error) {
	if l.typecode != "" && !slices.Contains(arrayNames, c.method) {
		return nil, errNoMethod
	}
	return listMethods.call(ctx, l, c)
}

func (l *List) text(context.Context, *call) string {
	items := pickleproto.Repr(pickleproto.NewList(l.Items()...))
	if l.typecode != "" {
		return "array('" + l.typecode + "', " + items + ")"
	}
	return items
}

func (l *List) value(context.Context, *call) (any, error) { return l.made(l.Items()), nil }
