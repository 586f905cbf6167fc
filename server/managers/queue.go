package managers

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// The exceptions of Python's queue module. errors.Is knows them.
var (
	ErrEmpty error = pickleproto.NewException("queue.Empty")
	ErrFull  error = pickleproto.NewException("queue.Full")

	// ErrShutDown is queue.ShutDown, which Python knows from 3.13 on.
	ErrShutDown error = pickleproto.NewException("queue.ShutDown")
)

// Queue is Python's queue.Queue, and a JoinableQueue, shared between Python clients and Go code.
// Register it as a value for one queue that all get:
//
//	jobs := managers.NewQueue(0)
//	m.Register("get_jobs", jobs)
//
// What Python puts arrives in Go as a value of pickleproto, and is not to be changed.
type Queue struct {
	max int

	mu         sync.Mutex // guards what follows
	items      []any
	unfinished int
	shut       bool
	getters    waiters
	putters    waiters
	joiners    waiters
}

// NewQueue returns an empty queue for max items; 0 is any number.
func NewQueue(max int) *Queue { return &Queue{max: max} }

// Put waits until there is room, and adds x, anything that pickleproto.Marshal takes.
func (q *Queue) Put(ctx context.Context, x any) error { return q.put(ctx, x, true, by(0, false)) }

// TryPut adds x, or returns ErrFull.
func (q *Queue) TryPut(x any) error { return q.put(context.Background(), x, false, by(0, false)) }

// Get waits for an item and removes it.
func (q *Queue) Get(ctx context.Context) (any, error) { return q.get(ctx, true, by(0, false)) }

// TryGet removes an item, or returns ErrEmpty.
func (q *Queue) TryGet() (any, error) { return q.get(context.Background(), false, by(0, false)) }

// Len is the number of items.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// Shutdown makes Put fail with ErrShutDown, and Get once the queue is empty. immediate removes all
// items at once, as if they had been dealt with.
func (q *Queue) Shutdown(immediate bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.shut = true
	if immediate {
		q.unfinished = max(q.unfinished-len(q.items), 0)
		q.items = nil
		if q.unfinished == 0 {
			q.joiners.notifyAll()
		}
	}
	q.getters.notifyAll()
	q.putters.notifyAll()
}

// TaskDone says that an item that was got has been dealt with.
func (q *Queue) TaskDone() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.unfinished <= 0 {
		return python.ValueError("task_done() called too many times")
	}
	if q.unfinished--; q.unfinished == 0 {
		q.joiners.notifyAll()
	}
	return nil
}

// Join waits until every item that was put has been dealt with.
func (q *Queue) Join(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.unfinished > 0 {
		if err := q.joiners.wait(ctx, &q.mu, by(0, false)); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) full() bool { return q.max > 0 && len(q.items) >= q.max }

func (q *Queue) put(ctx context.Context, x any, block bool, d *deadline) error {
	defer d.stop()
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.full() && !q.shut {
		if !block {
			return ErrFull
		}
		if err := q.putters.wait(ctx, &q.mu, d); err == errTimeout && q.full() {
			return ErrFull
		} else if err != nil && err != errTimeout {
			return err
		}
	}
	if q.shut {
		return ErrShutDown
	}
	q.items = append(q.items, x)
	q.unfinished++
	q.getters.notify(1)
	return nil
}

func (q *Queue) get(ctx context.Context, block bool, d *deadline) (any, error) {
	defer d.stop()
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 {
		if q.shut {
			return nil, ErrShutDown
		}
		if !block {
			return nil, ErrEmpty
		}
		if err := q.getters.wait(ctx, &q.mu, d); err == errTimeout && len(q.items) == 0 {
			return nil, ErrEmpty
		} else if err != nil && err != errTimeout {
			return nil, err
		}
	}
	x := q.items[0]
	q.items[0] = nil
	if q.items = q.items[1:]; len(q.items) == 0 {
		q.items = nil // a queue that was long once lets its memory go
	}
	q.putters.notify(1)
	return x, nil
}

var queueMethods = named(builtins[*Queue]{
	"put": fn("item ? block timeout", func(ctx context.Context, q *Queue, a *arguments) (any, error) {
		d, err := a.waiting(1, 2)
		if err != nil && q.max == 0 {
			d, err = by(0, false), nil // Python does not look at it
		}
		if err != nil {
			return nil, err
		}
		return nil, q.put(ctx, a.at(0), a.truth(1, true), d)
	}),
	"put_nowait": fn("item", func(ctx context.Context, q *Queue, a *arguments) (any, error) {
		return nil, q.TryPut(a.at(0))
	}),
	"get": fn("? block timeout", func(ctx context.Context, q *Queue, a *arguments) (any, error) {
		d, err := a.waiting(0, 1)
		if err != nil {
			return nil, err
		}
		return q.get(ctx, a.truth(0, true), d)
	}),
	"get_nowait": fn("", func(ctx context.Context, q *Queue, a *arguments) (any, error) { return q.TryGet() }),
	"qsize":      fn("", func(ctx context.Context, q *Queue, a *arguments) (any, error) { return int64(q.Len()), nil }),
	"empty":      fn("", func(ctx context.Context, q *Queue, a *arguments) (any, error) { return q.Len() == 0, nil }),
	"full": fn("", func(ctx context.Context, q *Queue, a *arguments) (any, error) {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.full(), nil
	}),
	"shutdown": fn("? immediate", func(ctx context.Context, q *Queue, a *arguments) (any, error) {
		q.Shutdown(a.truth(0, false))
		return nil, nil
	}),
	"task_done": fn("", func(ctx context.Context, q *Queue, a *arguments) (any, error) { return nil, q.TaskDone() }),
	"join":      fn("", func(ctx context.Context, q *Queue, a *arguments) (any, error) { return nil, q.Join(ctx) }),
})

// waiting is the deadline of a call with block and timeout.
func (a *arguments) waiting(block, timeout int) (*deadline, error) {
	d, set, err := a.timeout(timeout)
	if err != nil {
		return nil, err
	}
	if set && d < 0 && a.truth(block, true) {
		return nil, python.ValueError("'timeout' must be a non-negative number")
	}
	return by(d, set), nil
}

var queueNames = []string{"empty", "full", "get", "get_nowait", "join", "put", "put_nowait", "qsize", "shutdown", "task_done"}

func (q *Queue) exposed() []string { return queueNames }
func (q *Queue) call(ctx context.Context, c *call) (any, error) {
	return queueMethods.call(ctx, q, c)
}
func (q *Queue) text(context.Context, *call) string { return "<queue.Queue object>" }
func (q *Queue) value(context.Context, *call) (any, error) {
	return nil, python.TypeError("cannot pickle '_thread.lock' object")
}

var chanNames = []string{"empty", "full", "get", "get_nowait", "put", "put_nowait", "qsize"}

// Chan is a Go channel as a Python queue: what Python puts is sent on it, what Python gets is
// received from it. Go code uses the channel itself. As a queue it holds as many items as the
// channel's buffer, and knows no task_done and join.
type Chan[T any] struct{ c chan T }

// NewChan returns c as a queue. A Python item that does not fit T is TypeError to who puts it; when
// Go has closed the channel, get raises EOFError once it is empty, and put as well.
func NewChan[T any](c chan T) *Chan[T] { return &Chan[T]{c} }

func (q *Chan[T]) exposed() []string {
	return chanNames
}
func (q *Chan[T]) text(context.Context, *call) string { return fmt.Sprintf("<queue of %d>", cap(q.c)) }
func (q *Chan[T]) value(context.Context, *call) (any, error) {
	return nil, python.TypeError("cannot pickle a channel")
}

func (q *Chan[T]) call(ctx context.Context, c *call) (any, error) {
	b := queueMethods[c.method]
	if b == nil || !slices.Contains(chanNames, c.method) {
		return nil, errNoMethod
	}
	a := arguments{c: c, m: b.sig}
	if err := b.sig.place(c, a.values[:], a.has[:]); err != nil {
		return nil, err
	}
	block, at := true, 0
	switch c.method {
	case "put":
		at = 1
		fallthrough
	case "get":
		block = a.truth(at, true)
	case "put_nowait", "get_nowait":
		block, at = false, 2
	case "qsize":
		return int64(len(q.c)), nil
	case "empty":
		return len(q.c) == 0, nil
	case "full":
		return len(q.c) == cap(q.c), nil
	}
	d, err := a.waiting(at, at+1)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	if c.method == "get" || c.method == "get_nowait" {
		return q.get(ctx, block, d)
	}
	var x T
	if err := pickleproto.Bind(a.at(0), &x, c.bindOptions()...); err != nil {
		return nil, err
	}
	return nil, q.put(ctx, x, block, d)
}

var errChanClosed = pickleproto.NewException("EOFError", "the channel is closed")

func (q *Chan[T]) get(ctx context.Context, block bool, d *deadline) (any, error) {
	take := func(x T, ok bool) (any, error) {
		if !ok {
			return nil, errChanClosed
		}
		return x, nil
	}
	select {
	case x, ok := <-q.c:
		return take(x, ok)
	default:
		if !block {
			return nil, ErrEmpty
		}
	}
	select {
	case x, ok := <-q.c:
		return take(x, ok)
	case <-d.expired():
		return nil, ErrEmpty
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (q *Chan[T]) put(ctx context.Context, x T, block bool, d *deadline) (err error) {
	defer func() {
		// A send on a channel that Go code has closed is the one thing here that can panic.
		if r := recover(); r != nil {
			err = errChanClosed
		}
	}()
	select {
	case q.c <- x:
		return nil
	default:
		if !block {
			return ErrFull
		}
	}
	select {
	case q.c <- x:
		return nil
	case <-d.expired():
		return ErrFull
	case <-ctx.Done():
		return ctx.Err()
	}
}
