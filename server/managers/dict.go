package managers

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// Dict is a dict shared between Python clients and Go code. Keys and values are those of
// pickleproto, and are not to be changed once they are in it; Go's own numbers become Python's.
type Dict struct {
	mu sync.RWMutex // guards d
	d  *pickleproto.Dict
}

// NewDict returns an empty dict.
func NewDict() *Dict { return &Dict{d: pickleproto.NewDict()} }

// Get returns the value of the key.
func (d *Dict) Get(key any) (value any, ok bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.d.Get(goNumber(key))
}

// Set sets the value of the key. The error is for a key that Python cannot hash.
func (d *Dict) Set(key, value any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.d.Set(goNumber(key), value)
}

// Delete removes the key and reports whether it was there.
func (d *Dict) Delete(key any) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.d.Delete(goNumber(key))
}

// Len returns the number of keys.
func (d *Dict) Len() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.d.Len()
}

// Update calls f with the dict itself, while nobody else sees it; f must not keep it.
func (d *Dict) Update(f func(*pickleproto.Dict) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return f(d.d)
}

// Copy returns a dict of the same keys and values.
func (d *Dict) Copy() *pickleproto.Dict {
	d.mu.RLock()
	defer d.mu.RUnlock()
	c := pickleproto.NewDict()
	for k, v := range d.d.All() {
		_ = c.Set(k, v) // it has a hash: it was a key
	}
	return c
}

// goNumber makes a Go integer one of Python's, so that it is a key.
func goNumber(x any) any {
	switch x := x.(type) {
	case int:
		return int64(x)
	case int32:
		return int64(x)
	case float32:
		return float64(x)
	}
	return x
}

// list returns what of picks from the entries.
func (d *Dict) list(of func(k, v any) any) *pickleproto.List {
	d.mu.RLock()
	defer d.mu.RUnlock()
	items := make([]any, 0, d.d.Len())
	for k, v := range d.d.All() {
		items = append(items, of(k, v))
	}
	return pickleproto.NewList(items...)
}

// unhashable is the TypeError for a key that Python cannot hash, or nil.
func unhashable(key any) error {
	switch key.(type) {
	case nil, bool, int64, float64, string, pickleproto.Bytes, pickleproto.ByteString:
		return nil
	}
	return pickleproto.NewDict().Set(key, nil)
}

// lookup returns the value of a key that must be there.
func (d *Dict) lookup(key any) (any, error) {
	if err := unhashable(key); err != nil {
		return nil, err
	}
	if v, ok := d.Get(key); ok {
		return v, nil
	}
	return nil, python.KeyError(key)
}

var dictMethods = named(builtins[*Dict]{
	"__getitem__": fn("key", func(_ context.Context, d *Dict, a *arguments) (any, error) { return d.lookup(a.at(0)) }),
	"__setitem__": fn("key value", func(_ context.Context, d *Dict, a *arguments) (any, error) {
		return nil, d.Set(a.at(0), a.at(1))
	}),
	"__delitem__": fn("key", func(_ context.Context, d *Dict, a *arguments) (any, error) {
		if err := unhashable(a.at(0)); err != nil {
			return nil, err
		}
		if !d.Delete(a.at(0)) {
			return nil, python.KeyError(a.at(0))
		}
		return nil, nil
	}),
	"__contains__": fn("key", dictContains),
	"has_key":      fn("key", dictContains), // Python 2
	"__len__":      fn("", func(_ context.Context, d *Dict, _ *arguments) (any, error) { return int64(d.Len()), nil }),
	"__iter__": fn("", func(_ context.Context, d *Dict, _ *arguments) (any, error) {
		keys := d.list(func(k, _ any) any { return k }).Items()
		n := len(keys)
		return &iterated{items: keys, changed: func() error {
			if d.Len() != n {
				return runtimeError("dictionary changed size during iteration")
			}
			return nil
		}}, nil
	}),
	"__reversed__": fn("", func(_ context.Context, d *Dict, _ *arguments) (any, error) {
		keys := d.list(func(k, _ any) any { return k }).Items()
		slices.Reverse(keys)
		return &iterated{items: keys}, nil
	}),
	"__or__": fn("other", func(_ context.Context, d *Dict, a *arguments) (any, error) {
		other, err := a.operand("|", a.at(0))
		if err != nil {
			return nil, err
		}
		return merged(d.Copy(), other)
	}),
	"__ror__": fn("other", func(_ context.Context, d *Dict, a *arguments) (any, error) {
		other, err := a.operand("|", a.at(0))
		if err != nil {
			return nil, err
		}
		first, err := merged(pickleproto.NewDict(), other)
		if err != nil {
			return nil, err
		}
		return merged(first, d.Copy())
	}),
	"fromkeys": fn("iterable ? value", func(_ context.Context, _ *Dict, a *arguments) (any, error) {
		keys, err := a.iterate(a.at(0))
		if err != nil {
			return nil, err
		}
		made := pickleproto.NewDict()
		for _, k := range keys {
			if err := made.Set(k, a.at(1)); err != nil {
				return nil, err
			}
		}
		return made, nil
	}),
	"clear": fn("", func(_ context.Context, d *Dict, _ *arguments) (any, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.d = pickleproto.NewDict()
		return nil, nil
	}),
	"copy": fn("", func(_ context.Context, d *Dict, _ *arguments) (any, error) { return d.Copy(), nil }),
	"get": fn("key ? default", func(_ context.Context, d *Dict, a *arguments) (any, error) {
		if err := unhashable(a.at(0)); err != nil {
			return nil, err
		}
		if v, ok := d.Get(a.at(0)); ok {
			return v, nil
		}
		return a.at(1), nil
	}),
	"keys": fn("", func(_ context.Context, d *Dict, _ *arguments) (any, error) {
		return d.list(func(k, _ any) any { return k }), nil
	}),
	"values": fn("", func(_ context.Context, d *Dict, _ *arguments) (any, error) {
		return d.list(func(_, v any) any { return v }), nil
	}),
	"items": fn("", func(_ context.Context, d *Dict, _ *arguments) (any, error) {
		return d.list(func(k, v any) any { return pickleproto.Tuple{k, v} }), nil
	}),
	"pop": fn("key ? default", func(_ context.Context, d *Dict, a *arguments) (any, error) {
		if err := unhashable(a.at(0)); err != nil {
			return nil, err
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		v, ok := d.d.Get(a.at(0))
		switch {
		case ok:
			d.d.Delete(a.at(0))
			return v, nil
		case a.has[1]:
			return a.at(1), nil
		}
		return nil, python.KeyError(a.at(0))
	}),
	"popitem": fn("", func(_ context.Context, d *Dict, _ *arguments) (any, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.d.Len() == 0 {
			return nil, python.KeyError("popitem(): dictionary is empty")
		}
		var last pickleproto.Tuple
		for k, v := range d.d.All() {
			last = pickleproto.Tuple{k, v}
		}
		d.d.Delete(last[0])
		return last, nil
	}),
	"setdefault": fn("key ? default", func(_ context.Context, d *Dict, a *arguments) (any, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if v, ok := d.d.Get(a.at(0)); ok {
			return v, nil
		}
		return a.at(1), d.d.Set(a.at(0), a.at(1))
	}),
})

// operand is an argument that must be a dict.
func (a *arguments) operand(operator string, x any) (*pickleproto.Dict, error) {
	x, err := a.c.contents(x)
	if err != nil {
		return nil, err
	}
	d, err := python.Mapping(x)
	if d == nil && err == nil {
		err = python.TypeError("unsupported operand type(s) for %s: 'dict' and '%s'", operator, python.TypeName(x))
	}
	return d, err
}

// merged sets all entries of from in into.
func merged(into, from *pickleproto.Dict) (*pickleproto.Dict, error) {
	if err := into.Update(from.All()); err != nil {
		return nil, err
	}
	return into, nil
}

func dictContains(_ context.Context, d *Dict, a *arguments) (any, error) {
	if err := unhashable(a.at(0)); err != nil {
		return nil, err
	}
	_, ok := d.Get(a.at(0))
	return ok, nil
}

// update is dict.update, and dict itself: a mapping or pairs, then keyword arguments.
func (d *Dict) update(name string, c *call) error {
	if len(c.args) > 1 {
		return python.TypeError("%s expected at most 1 argument, got %d", name, len(c.args))
	}
	fresh := pickleproto.NewDict() // first, so that an error changes nothing
	if len(c.args) == 1 {
		from, err := c.contents(c.args[0])
		if err != nil {
			return err
		}
		mapping, err := python.Mapping(from)
		if err != nil {
			return err
		}
		if mapping != nil {
			fresh = mapping
		} else {
			pairs, err := python.Iterate(from)
			if err != nil {
				return err
			}
			var fault error
			var iteration python.Iteration // of all pairs, one of which may be there any number of times
			err = fresh.Update(func(yield func(k, v any) bool) {
				for i, p := range pairs {
					kv, err := iteration.Items(p)
					switch {
					case err != nil:
						fault = python.TypeError("cannot convert dictionary update sequence element #%d to a sequence", i)
					case len(kv) != 2:
						fault = python.ValueError("dictionary update sequence element #%d has length %d; 2 is required", i, len(kv))
					}
					if fault != nil || !yield(kv[0], kv[1]) {
						return
					}
				}
			})
			if err = cmp.Or(fault, err); err != nil {
				return err
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, from := range []*pickleproto.Dict{fresh, c.kwds} {
		if err := d.d.Update(from.All()); err != nil {
			return err
		}
	}
	return nil
}

var dictNames = append(dictMethods.names(), "__ior__", "update")

func (d *Dict) exposed() []string { return dictNames }

func (d *Dict) call(ctx context.Context, c *call) (any, error) {
	switch c.method {
	case "update":
		return nil, d.update("update", c)
	case "__ior__": // takes pairs as well
		return nil, d.update("__ior__", c)
	}
	return dictMethods.call(ctx, d, c)
}

func (d *Dict) text(context.Context, *call) string { return pickleproto.Repr(d.Copy()) }

func (d *Dict) value(context.Context, *call) (any, error) { return d.Copy(), nil }
