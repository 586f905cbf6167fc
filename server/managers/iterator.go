package managers

import (
	"context"
	"sync"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// iterated is an iterator over what a container held when it was asked for one. Python knows it
// under the typeid Iterator.
type iterated struct {
	mu      sync.Mutex // guards items
	items   []any
	changed func() error // nil, or tells whether the container has changed
}

var iteratorMethods = []string{"__next__", "next", "send", "throw", "close"}

func (it *iterated) exposed() []string { return iteratorMethods }

func (it *iterated) call(_ context.Context, c *call) (any, error) {
	switch c.method {
	case "__next__", "next":
		it.mu.Lock()
		defer it.mu.Unlock()
		if it.changed != nil {
			if err := it.changed(); err != nil {
				return nil, err
			}
		}
		if len(it.items) == 0 {
			return nil, pickleproto.NewException("StopIteration")
		}
		x := it.items[0]
		it.items = it.items[1:]
		return x, nil
	case "send", "throw", "close":
		return nil, pickleproto.NewException("AttributeError", "'dict_keyiterator' object has no attribute '"+c.method+"'")
	}
	return nil, errNoMethod
}

func (it *iterated) text(context.Context, *call) string { return "<iterator object>" }

func (it *iterated) value(context.Context, *call) (any, error) {
	return nil, python.TypeError("cannot copy an iterator")
}
