package managers

import (
	"context"
	"errors"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// The exceptions of Python's queue module. errors.Is knows them.
var (
	ErrEmpty error = pickleproto.NewException("queue.Empty")
	ErrFull  error = pickleproto.NewException("queue.Full")
)

// Queue is a proxy of a queue: SyncManager's Queue or JoinableQueue, or any object with these
// methods.
type Queue struct{ *Proxy }

// Dict is a proxy of a dict.
type Dict struct{ *Proxy }

// List is a proxy of a list.
type List struct{ *Proxy }

// NewQueue makes a Queue of SyncManager's; a maxsize of 0 is any number of items.
func (c *Client) NewQueue(ctx context.Context, maxsize int) (Queue, error) {
	p, err := c.Create(ctx, "Queue", []any{maxsize}, nil)
	return Queue{p}, err
}

// NewDict makes a dict of SyncManager's, from a map, a *pickleproto.Dict, or nothing.
func (c *Client) NewDict(ctx context.Context, from ...any) (Dict, error) {
	p, err := c.Create(ctx, "dict", from, nil)
	return Dict{p}, err
}

// NewList makes a list of SyncManager's.
func (c *Client) NewList(ctx context.Context, items ...any) (List, error) {
	p, err := c.Create(ctx, "list", []any{pickleproto.NewList(items...)}, nil)
	return List{p}, err
}

// pollTime is how long the manager waits at a time. A wait that lasted as long as its context
// would, when that ends, leave the manager's thread waiting, and an item that it got would be lost.
const pollTime = 500 * time.Millisecond

// poll repeats a call that waits in the manager until it is not in vain or ctx ends. vain is the
// error of one that is.
func poll(ctx context.Context, vain error, call func(ctx context.Context, seconds float64) error) error {
	for {
		d := pollTime
		if deadline, ok := ctx.Deadline(); ok {
			d = max(min(d, time.Until(deadline)), 0)
		}
		// Not cut off when ctx ends, but not for ever either.
		slice, cancel := context.WithTimeout(context.WithoutCancel(ctx), d+10*time.Second)
		err := call(slice, d.Seconds())
		cancel()
		if !errors.Is(err, vain) {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
}

// Put waits until there is room, and adds x. When ctx ends first, within half a second, x has not
// been added.
func (q Queue) Put(ctx context.Context, x any) error {
	return poll(ctx, ErrFull, func(ctx context.Context, seconds float64) error {
		return q.Call(ctx, "put", []any{x, true, seconds}, nil, nil)
	})
}

// TryPut adds x, or returns an error that is ErrFull.
func (q Queue) TryPut(ctx context.Context, x any) error {
	return q.Call(ctx, "put_nowait", []any{x}, nil, nil)
}

// Get waits for an item and puts it into what out points to. When ctx ends first, within half a
// second, no item has been removed.
func (q Queue) Get(ctx context.Context, out any) error {
	return poll(ctx, ErrEmpty, func(ctx context.Context, seconds float64) error {
		return q.Call(ctx, "get", []any{true, seconds}, nil, out)
	})
}

// TryGet puts an item into what out points to, or returns an error that is ErrEmpty.
func (q Queue) TryGet(ctx context.Context, out any) error {
	return q.Call(ctx, "get_nowait", nil, nil, out)
}

// Len is the number of items.
func (q Queue) Len(ctx context.Context) (n int, err error) {
	err = q.Call(ctx, "qsize", nil, nil, &n)
	return n, err
}

// TaskDone says that an item that was got has been dealt with.
func (q Queue) TaskDone(ctx context.Context) error { return q.Call(ctx, "task_done", nil, nil, nil) }

// Join waits until all items have been dealt with.
func (q Queue) Join(ctx context.Context) error { return q.Call(ctx, "join", nil, nil, nil) }

// isKeyError tells the answer to a key that is not there.
func isKeyError(err error) bool { return errors.Is(err, pickleproto.NewException("KeyError")) }

// Get puts the value of the key into what out points to, and reports whether there is one.
func (d Dict) Get(ctx context.Context, key, out any) (bool, error) {
	err := d.Call(ctx, "__getitem__", []any{key}, nil, out)
	if isKeyError(err) {
		return false, nil
	}
	return err == nil, err
}

// Set sets the value of the key.
func (d Dict) Set(ctx context.Context, key, value any) error {
	return d.Call(ctx, "__setitem__", []any{key, value}, nil, nil)
}

// Delete removes the key and reports whether it was there.
func (d Dict) Delete(ctx context.Context, key any) (bool, error) {
	err := d.Call(ctx, "__delitem__", []any{key}, nil, nil)
	if isKeyError(err) {
		return false, nil
	}
	return err == nil, err
}

// Len is the number of keys.
func (d Dict) Len(ctx context.Context) (n int, err error) {
	err = d.Call(ctx, "__len__", nil, nil, &n)
	return n, err
}

// Update sets all values of a map or *pickleproto.Dict.
func (d Dict) Update(ctx context.Context, from any) error {
	return d.Call(ctx, "update", []any{from}, nil, nil)
}

// Copy puts a copy of the dict into what out points to: a map, a struct, a *pickleproto.Dict.
func (d Dict) Copy(ctx context.Context, out any) error { return d.Call(ctx, "copy", nil, nil, out) }

// At puts the item at index i, from the end if it is negative, into what out points to.
func (l List) At(ctx context.Context, i int, out any) error {
	return l.Call(ctx, "__getitem__", []any{i}, nil, out)
}

// SetAt replaces the item at index i.
func (l List) SetAt(ctx context.Context, i int, x any) error {
	return l.Call(ctx, "__setitem__", []any{i, x}, nil, nil)
}

// Append appends the values.
func (l List) Append(ctx context.Context, x ...any) error {
	return l.Call(ctx, "extend", []any{pickleproto.NewList(x...)}, nil, nil)
}

// Pop removes the item at index i and puts it into what out points to.
func (l List) Pop(ctx context.Context, i int, out any) error {
	return l.Call(ctx, "pop", []any{i}, nil, out)
}

// Len is the number of items.
func (l List) Len(ctx context.Context) (n int, err error) {
	err = l.Call(ctx, "__len__", nil, nil, &n)
	return n, err
}

// Copy puts the items into what out points to: a slice, a *pickleproto.List.
func (l List) Copy(ctx context.Context, out any) error { return l.Value(ctx, out) }
