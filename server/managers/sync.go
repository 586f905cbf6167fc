package managers

import (
	"context"
	"fmt"
	"slices"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// RegisterSync registers the types of Python's SyncManager, so that its clients
//
//	m = SyncManager(address=('127.0.0.1', port), authkey=b'k'); m.connect()
//	q = m.Queue(); d = m.dict(a=1); lock = m.Lock()
//
// find what they expect: Queue, JoinableQueue, dict, list, set (of 3.14), Value, Array, Namespace,
// Lock, RLock, Semaphore, BoundedSemaphore, Event, Condition and Barrier.
//
// They do what Python's own do, as far as nothing of Python's has to be called for it. TypeError is
// the answer to a Pool, to a Barrier with an action, to a list's sort with a key, and to a sort of
// what has no order here: sorted are numbers, Decimal and Fraction among them, str, bytes, dates and
// times, and lists and tuples of these. What an instance of a class of the program's own is equal
// to, or hashes to, is not asked either: it is itself and no other.
func (m *Manager) RegisterSync() error {
	for typeid, make := range syncTypes {
		if err := m.register(&registration{typeid: typeid, make: make}); err != nil {
			return err
		}
	}
	return nil
}

// maker makes an object from the arguments of a call.
type maker func(ctx context.Context, c *call) (any, error)

// made is a maker with the parameters of fn.
func made(name, params string, do func(a *arguments) (any, error)) maker {
	t := named(builtins[*struct{}]{name: fn(params, func(_ context.Context, _ *struct{}, a *arguments) (any, error) { return do(a) })})
	return func(ctx context.Context, c *call) (any, error) {
		c.method = name
		return t.call(ctx, nil, c)
	}
}

var syncTypes = map[string]maker{
	"Queue":         made("Queue", "? maxsize", newQueue),
	"JoinableQueue": made("JoinableQueue", "? maxsize", newQueue),
	"dict": func(_ context.Context, c *call) (any, error) {
		d := NewDict()
		return d, d.update("dict", c)
	},
	"list": made("list", "? iterable", func(a *arguments) (any, error) {
		if !a.has[0] {
			return NewList(), nil
		}
		items, err := a.iterate(a.at(0))
		return NewList(slices.Clone(items)...), err
	}),
	"set": made("set", "? iterable", func(a *arguments) (any, error) {
		if !a.has[0] {
			return NewSet()
		}
		items, err := a.iterate(a.at(0))
		if err != nil {
			return nil, err
		}
		return NewSet(items...)
	}),
	"Value": made("Value", "typecode value ? lock", func(a *arguments) (any, error) {
		return &Value{typecode: a.at(0), v: a.at(1)}, nil
	}),
	"Array": made("Array", "typecode sequence ? lock", func(a *arguments) (any, error) {
		code, ok := str(a.at(0))
		if !ok || len(code) != 1 {
			return nil, python.TypeError("array() argument 1 must be a unicode character, not %s", python.TypeName(a.at(0)))
		}
		from := a.at(1)
		if b, ok := from.(pickleproto.Bytes); ok {
			from = arrayOf(code, b) // the bytes of its items
		}
		items, err := a.iterate(from)
		if err != nil {
			return nil, err
		}
		return newArray(code, items)
	}),
	"Namespace": func(_ context.Context, c *call) (any, error) {
		n := NewNamespace()
		if len(c.args) > 0 {
			return nil, python.TypeError("Namespace() takes 0 positional arguments but %d %s given", len(c.args), plural(len(c.args), "was", "were"))
		}
		for k, v := range c.kwds.All() {
			if name, ok := str(k); ok {
				n.Set(name, v)
			}
		}
		return n, nil
	},
	"Lock":  made("Lock", "", func(*arguments) (any, error) { return NewLock(), nil }),
	"RLock": made("RLock", "", func(*arguments) (any, error) { return NewRLock(), nil }),
	"Event": made("Event", "", func(*arguments) (any, error) { return NewEvent(), nil }),
	"Pool":  noPool,
	"Semaphore": made("Semaphore", "? value", func(a *arguments) (any, error) {
		n, err := semaphoreSize(a)
		return NewSemaphore(n), err
	}),
	"BoundedSemaphore": made("BoundedSemaphore", "? value", func(a *arguments) (any, error) {
		n, err := semaphoreSize(a)
		return NewBoundedSemaphore(n), err
	}),
	"Condition": made("Condition", "? lock", func(a *arguments) (any, error) {
		switch x := a.at(0).(type) {
		case nil:
			return NewCondition(nil), nil
		case *pickleproto.Object:
			if id, ok := proxyID(x); ok {
				o := a.c.m.objects.get(id)
				if o == nil {
					return nil, noKey(id)
				}
				if l, ok := o.goValue.(locker); ok {
					return NewCondition(l), nil
				}
			}
		}
		return nil, python.TypeError("Condition() takes a Lock or an RLock of this manager, not %s", python.TypeName(a.at(0)))
	}),
	"Barrier": made("Barrier", "parties ? action timeout", func(a *arguments) (any, error) {
		n, err := a.integer(0, 0)
		switch {
		case err != nil:
			return nil, err
		case n < 1:
			return nil, python.ValueError("parties must be > 0")
		case a.at(1) != nil:
			return nil, python.TypeError("Barrier() cannot call an action: it is Python's, and this barrier is not")
		}
		d, _, err := a.timeout(2)
		b := NewBarrier(n)
		b.timeout = d
		return b, err
	}),
}

// noPool says why there is no Pool.
func noPool(context.Context, *call) (any, error) {
	return nil, python.TypeError("Pool() would call functions: they are Python's, and this manager is not")
}

func newQueue(a *arguments) (any, error) {
	n, err := a.integer(0, 0)
	return NewQueue(max(n, 0)), err
}

func semaphoreSize(a *arguments) (int, error) {
	n, err := a.integer(0, 1)
	if err == nil && n < 0 {
		err = python.ValueError("semaphore initial value must be >= 0")
	}
	return max(n, 0), err
}

func (m *Manager) register(r *registration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.registry[r.typeid] != nil {
		return fmt.Errorf("managers: %q is registered already", r.typeid)
	}
	if m.registry == nil {
		m.registry = map[string]*registration{}
	}
	m.registry[r.typeid] = r
	return nil
}
