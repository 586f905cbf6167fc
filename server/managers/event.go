package managers

import (
	"context"
	"sync"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// Event is SyncManager's Event.
type Event struct {
	mu   sync.Mutex // guards what follows
	set  bool
	wait waiters
}

// NewEvent returns an Event that is not set.
func NewEvent() *Event { return &Event{} }

// Set lets all go who wait, and those who come until Clear.
func (e *Event) Set() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.set = true
	e.wait.notifyAll()
}

// Clear makes those wait who come.
func (e *Event) Clear() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.set = false
}

// IsSet reports whether nobody needs to wait.
func (e *Event) IsSet() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.set
}

// Wait waits for Set.
func (e *Event) Wait(ctx context.Context) error {
	_, err := e.await(ctx, by(0, false))
	return err
}

func (e *Event) await(ctx context.Context, d *deadline) (bool, error) {
	defer d.stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.set {
		return true, nil
	}
	// Who was woken has seen it set, even if it is cleared again by now.
	switch err := e.wait.wait(ctx, &e.mu, d); err {
	case nil:
		return true, nil
	case errTimeout:
		return e.set, nil
	default:
		return false, err
	}
}

var eventMethods = named(builtins[*Event]{
	"is_set": fn("", func(_ context.Context, e *Event, _ *arguments) (any, error) { return e.IsSet(), nil }),
	"set":    fn("", func(_ context.Context, e *Event, _ *arguments) (any, error) { e.Set(); return nil, nil }),
	"clear":  fn("", func(_ context.Context, e *Event, _ *arguments) (any, error) { e.Clear(); return nil, nil }),
	"wait": fn("? timeout", func(ctx context.Context, e *Event, a *arguments) (any, error) {
		d, err := a.within(0)
		if err != nil {
			return nil, err
		}
		return e.await(ctx, d)
	}),
})

// within is the deadline of a wait(timeout=None), which a negative timeout ends at once.
func (a *arguments) within(i int) (*deadline, error) {
	d, set, err := a.timeout(i)
	return by(max(d, 0), set), err
}

var eventNames = []string{"is_set", "set", "clear", "wait"}

func (e *Event) exposed() []string                              { return eventNames }
func (e *Event) call(ctx context.Context, c *call) (any, error) { return eventMethods.call(ctx, e, c) }
func (e *Event) text(context.Context, *call) string             { return "<threading.Event object>" }
func (e *Event) value(context.Context, *call) (any, error) {
	return nil, python.TypeError("cannot pickle '_thread.lock' object")
}

// Condition is SyncManager's Condition.
type Condition struct {
	lock locker

	mu   sync.Mutex // guards what follows
	wait waiters
}

// NewCondition returns a Condition over a *Lock or an *RLock; nil is an RLock of its own.
func NewCondition(lock interface{ locker }) *Condition {
	if lock == nil {
		lock = NewRLock()
	}
	return &Condition{lock: lock}
}

// With acquires the lock and calls f, which may wait and notify through what it is given.
func (c *Condition) With(ctx context.Context, f func(*Held) error) error {
	who := new(int)
	if _, err := c.lock.acquire(ctx, who, true, by(0, false)); err != nil {
		return err
	}
	h := &Held{c: c, who: who}
	err := f(h)
	if !h.lost {
		if fault := c.lock.release(who); err == nil {
			err = fault
		}
	}
	return err
}

// Held is a Condition whose lock is held: see With.
type Held struct {
	c    *Condition
	who  owner
	lost bool
}

// Wait releases the lock, waits to be notified, and acquires it again. After an error the lock is
// not held, and f is to return.
func (h *Held) Wait(ctx context.Context) error {
	_, err := h.c.await(ctx, h.who, by(0, false))
	h.lost = err != nil
	return err
}

// Notify wakes n of those who wait.
func (h *Held) Notify(n int) { _ = h.c.notify(h.who, n) } // it is held

// NotifyAll wakes all who wait.
func (h *Held) NotifyAll() { h.Notify(1 << 30) }

func (c *Condition) await(ctx context.Context, who owner, d *deadline) (bool, error) {
	defer d.stop()
	if !c.lock.owned(who) {
		return false, runtimeError("cannot wait on un-acquired lock")
	}
	c.mu.Lock() // before the lock is released: a notification after that is not missed
	times := c.lock.releaseAll(who)
	err := c.wait.wait(ctx, &c.mu, d)
	c.mu.Unlock()
	if err != nil && err != errTimeout {
		return false, err
	}
	return err == nil, c.lock.restore(ctx, who, times)
}

func (c *Condition) notify(who owner, n int) error {
	if !c.lock.owned(who) {
		return runtimeError("cannot notify on un-acquired lock")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wait.notify(max(n, 0))
	return nil
}

var conditionMethods = named(builtins[*Condition]{
	"acquire": fn("? blocking timeout", func(ctx context.Context, c *Condition, a *arguments) (any, error) {
		block, d, err := a.acquiring()
		if err != nil {
			return nil, err
		}
		return c.lock.acquire(ctx, a.c.client, block, d)
	}),
	"release": fn("", func(_ context.Context, c *Condition, a *arguments) (any, error) {
		return nil, c.lock.release(a.c.client)
	}),
	"wait": fn("? timeout", func(ctx context.Context, c *Condition, a *arguments) (any, error) {
		d, err := a.within(0)
		if err != nil {
			return nil, err
		}
		return c.await(ctx, a.c.client, d)
	}),
	"notify": fn("? n", func(_ context.Context, c *Condition, a *arguments) (any, error) {
		n, err := a.integer(0, 1)
		if err != nil {
			return nil, err
		}
		return nil, c.notify(a.c.client, n)
	}),
	"notify_all": fn("", func(_ context.Context, c *Condition, a *arguments) (any, error) {
		return nil, c.notify(a.c.client, 1<<30)
	}),
})

var conditionNames = []string{"acquire", "release", "wait", "notify", "notify_all"}

func (c *Condition) exposed() []string { return conditionNames }
func (c *Condition) call(ctx context.Context, k *call) (any, error) {
	return conditionMethods.call(ctx, c, k)
}
func (c *Condition) text(context.Context, *call) string { return "<threading.Condition object>" }
func (c *Condition) value(context.Context, *call) (any, error) {
	return nil, python.TypeError("cannot pickle '_thread.lock' object")
}

// ErrBrokenBarrier is Python's threading.BrokenBarrierError. errors.Is knows it.
var ErrBrokenBarrier error = pickleproto.NewException("threading.BrokenBarrierError")

// Barrier is SyncManager's Barrier: those who wait go on together.
type Barrier struct {
	parties int
	timeout time.Duration // 0 is none

	mu      sync.Mutex // guards what follows
	waiting int
	round   *round
	broken  bool
}

// round is one filling of a barrier.
type round struct {
	wait waiters
	left bool // all have come
	fail bool // it was broken or reset meanwhile
}

// NewBarrier returns a Barrier for so many parties.
func NewBarrier(parties int) *Barrier { return &Barrier{parties: parties, round: &round{}} }

// Wait waits until all parties wait. It returns which of them this one is, from 0 to parties-1.
// When one gives up, the barrier is broken for all: ErrBrokenBarrier.
func (b *Barrier) Wait(ctx context.Context) (int, error) {
	return b.await(ctx, by(b.timeout, b.timeout > 0))
}

// Reset makes the barrier empty and whole; who waits gets ErrBrokenBarrier.
func (b *Barrier) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail()
	b.broken = false
}

// Abort breaks the barrier for all who wait, and who come until Reset.
func (b *Barrier) Abort() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = true
	b.fail()
}

// fail ends the round without success. mu is held.
func (b *Barrier) fail() {
	b.round.fail = true
	b.round.wait.notifyAll()
	b.round, b.waiting = &round{}, 0
}

func (b *Barrier) await(ctx context.Context, d *deadline) (int, error) {
	defer d.stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken {
		return 0, ErrBrokenBarrier
	}
	mine, r := b.waiting, b.round
	if b.waiting++; b.waiting == b.parties {
		r.left = true
		r.wait.notifyAll()
		b.round, b.waiting = &round{}, 0
		return mine, nil
	}
	for !r.left && !r.fail {
		if err := r.wait.wait(ctx, &b.mu, d); err != nil && !r.left && !r.fail {
			b.broken = true
			b.fail()
			if err == errTimeout {
				err = ErrBrokenBarrier
			}
			return 0, err
		}
	}
	if r.fail {
		return 0, ErrBrokenBarrier
	}
	return mine, nil
}

var barrierMethods = named(builtins[*Barrier]{
	"wait": fn("? timeout", func(ctx context.Context, b *Barrier, a *arguments) (any, error) {
		d, err := a.within(0)
		if err != nil {
			return nil, err
		}
		if !d.set {
			d = by(b.timeout, b.timeout > 0)
		}
		n, err := b.await(ctx, d)
		return int64(n), err
	}),
	"abort": fn("", func(_ context.Context, b *Barrier, _ *arguments) (any, error) { b.Abort(); return nil, nil }),
	"reset": fn("", func(_ context.Context, b *Barrier, _ *arguments) (any, error) { b.Reset(); return nil, nil }),
	"__getattribute__": fn("name", func(_ context.Context, b *Barrier, a *arguments) (any, error) {
		name, err := a.attribute()
		if err != nil {
			return nil, err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		switch name {
		case "parties":
			return int64(b.parties), nil
		case "n_waiting":
			return int64(b.waiting), nil
		case "broken":
			return b.broken, nil
		}
		return nil, noAttribute("Barrier", name)
	}),
})

var barrierNames = []string{"__getattribute__", "wait", "abort", "reset"}

func (b *Barrier) exposed() []string { return barrierNames }
func (b *Barrier) call(ctx context.Context, c *call) (any, error) {
	return barrierMethods.call(ctx, b, c)
}
func (b *Barrier) text(context.Context, *call) string { return "<threading.Barrier object>" }
func (b *Barrier) value(context.Context, *call) (any, error) {
	return nil, python.TypeError("cannot pickle '_thread.lock' object")
}
