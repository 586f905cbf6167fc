package managers

import (
	"context"
	"fmt"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// RegisterSync registers the types of Python's SyncManager, so that its clients
//
//	m = SyncManager(address=('127.0.0.1', port), authkey=b'k'); m.connect()
//	q = m.Queue(); d = m.dict(a=1); lock = m.Lock()
//
// find what they expect: Queue, JoinableQueue, dict, list, Value, Array, Namespace, Lock, RLock,
// Semaphore, BoundedSemaphore, Event, Condition and Barrier. (Pool would run functions, which
// nothing here does.)
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
		items, err := iterate(a.at(0))
		return NewList(items...), err
	}),
	"Value": made("Value", "typecode value ? lock", func(a *arguments) (any, error) {
		return &Value{typecode: a.at(0), v: a.at(1)}, nil
	}),
	"Array": made("Array", "typecode sequence ? lock", func(a *arguments) (any, error) {
		code, ok := str(a.at(0))
		if !ok || len(code) != 1 {
			return nil, typeError("array() argument 1 must be a unicode character, not %s", typeName(a.at(0)))
		}
		items, err := iterate(a.at(1))
		return &List{typecode: code, items: items}, err
	}),
	"Namespace": func(_ context.Context, c *call) (any, error) {
		n := NewNamespace()
		if len(c.args) > 0 {
			return nil, typeError("Namespace() takes 0 positional arguments but %d %s given", len(c.args), plural(len(c.args), "was", "were"))
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
		return nil, typeError("Condition() takes a Lock or an RLock of this manager, not %s", typeName(a.at(0)))
	}),
	"Barrier": made("Barrier", "parties ? action timeout", func(a *arguments) (any, error) {
		n, err := a.integer(0, 0)
		switch {
		case err != nil:
			return nil, err
		case n < 1:
			return nil, valueError("parties must be > 0")
		case a.at(1) != nil:
			return nil, typeError("Barrier() cannot call an action: it is Python's, and this barrier is not")
		}
		d, _, err := a.timeout(2)
		b := NewBarrier(n)
		b.timeout = d
		return b, err
	}),
}

func newQueue(a *arguments) (any, error) {
	n, err := a.integer(0, 0)
	return NewQueue(max(n, 0)), err
}

func semaphoreSize(a *arguments) (int, error) {
	n, err := a.integer(0, 1)
	if err == nil && n < 0 {
		err = valueError("semaphore initial value must be >= 0")
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
