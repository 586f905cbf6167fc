package managers

import (
	"context"
	"sync"

	"github.com/picklebridge/picklebridge/server/internal/python"
)

// Who holds a lock: a client's connection, which is one of its threads, or a token made for a
// holder in Go.
type owner any

// locker is what a Condition stands on.
type locker interface {
	acquire(ctx context.Context, who owner, block bool, d *deadline) (bool, error)
	release(who owner) error
	owned(who owner) bool
	// releaseAll gives the lock back however often it is held; restore takes it that often again.
	releaseAll(who owner) (times int)
	restore(ctx context.Context, who owner, times int) error
}

// Lock is SyncManager's Lock: whoever acquired it, anybody may release it. A client that dies does
// not release it.
type Lock struct {
	mu     sync.Mutex // guards what follows
	locked bool
	wait   waiters
}

// NewLock returns an unlocked Lock.
func NewLock() *Lock { return &Lock{} }

// Acquire waits until the lock is free and takes it.
func (l *Lock) Acquire(ctx context.Context) error {
	_, err := l.acquire(ctx, nil, true, by(0, false))
	return err
}

// TryAcquire takes the lock if it is free.
func (l *Lock) TryAcquire() bool {
	ok, _ := l.acquire(context.Background(), nil, false, by(0, false)) // it does not wait, so it does not fail
	return ok
}

// Release gives the lock back.
func (l *Lock) Release() error { return l.release(nil) }

func (l *Lock) acquire(ctx context.Context, _ owner, block bool, d *deadline) (bool, error) {
	defer d.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.locked {
		if !block {
			return false, nil
		}
		if err := l.wait.wait(ctx, &l.mu, d); err == errTimeout && l.locked {
			return false, nil
		} else if err != nil && err != errTimeout {
			return false, err
		}
	}
	l.locked = true
	return true, nil
}

func (l *Lock) release(owner) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.locked {
		return runtimeError("release unlocked lock")
	}
	l.locked = false
	l.wait.notify(1)
	return nil
}

func (l *Lock) owned(owner) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.locked
}

func (l *Lock) releaseAll(who owner) int {
	_ = l.release(who) // it is owned
	return 1
}

func (l *Lock) restore(ctx context.Context, who owner, _ int) error {
	_, err := l.acquire(ctx, who, true, by(0, false))
	return err
}

// RLock is SyncManager's RLock: a thread of a client that holds it may acquire it again.
type RLock struct {
	mu    sync.Mutex // guards what follows
	who   owner
	times int
	wait  waiters
}

// NewRLock returns an unlocked RLock.
func NewRLock() *RLock { return &RLock{} }

// Acquire waits until the lock is free and takes it. Each Acquire from Go is a holder of its own,
// which the function that it returns ends.
func (l *RLock) Acquire(ctx context.Context) (release func() error, err error) {
	who := new(int)
	if _, err := l.acquire(ctx, who, true, by(0, false)); err != nil {
		return nil, err
	}
	return func() error { return l.release(who) }, nil
}

func (l *RLock) acquire(ctx context.Context, who owner, block bool, d *deadline) (bool, error) {
	defer d.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.times > 0 && l.who != who {
		if !block {
			return false, nil
		}
		if err := l.wait.wait(ctx, &l.mu, d); err == errTimeout && l.times > 0 {
			return false, nil
		} else if err != nil && err != errTimeout {
			return false, err
		}
	}
	l.who = who
	l.times++
	return true, nil
}

func (l *RLock) release(who owner) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.times == 0 || l.who != who {
		return runtimeError("cannot release un-acquired lock")
	}
	if l.times--; l.times == 0 {
		l.who = nil
		l.wait.notify(1)
	}
	return nil
}

func (l *RLock) owned(who owner) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.times > 0 && l.who == who
}

func (l *RLock) releaseAll(who owner) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	times := l.times
	l.times, l.who = 0, nil
	l.wait.notify(1)
	return times
}

func (l *RLock) restore(ctx context.Context, who owner, times int) error {
	if _, err := l.acquire(ctx, who, true, by(0, false)); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times = times
	return nil
}

// acquiring is a call of acquire(blocking=True, timeout=-1).
func (a *arguments) acquiring() (block bool, d *deadline, err error) {
	block = a.truth(0, true)
	after, set, err := a.timeout(1)
	switch {
	case err != nil:
		return block, nil, err
	case set && after < 0:
		if f, _ := floatOf(a.at(1)); f != -1 {
			return block, nil, python.ValueError("timeout value must be a non-negative number")
		}
		set = false
	case set && !block:
		return block, nil, python.ValueError("can't specify a timeout for a non-blocking call")
	}
	return block, by(after, set), nil
}

func lockMethods[L locker]() builtins[L] {
	return named(builtins[L]{
		"acquire": fn("? blocking timeout", func(ctx context.Context, l L, a *arguments) (any, error) {
			block, d, err := a.acquiring()
			if err != nil {
				return nil, err
			}
			return l.acquire(ctx, a.c.client, block, d)
		}),
		"release": fn("", func(_ context.Context, l L, a *arguments) (any, error) { return nil, l.release(a.c.client) }),
	})
}

var (
	plainLockMethods = lockMethods[*Lock]()
	rLockMethods     = lockMethods[*RLock]()
	lockNames        = []string{"acquire", "release"}
)

func (l *Lock) exposed() []string { return lockNames }
func (l *Lock) call(ctx context.Context, c *call) (any, error) {
	return plainLockMethods.call(ctx, l, c)
}
func (l *Lock) text(context.Context, *call) string { return lockText("_thread.lock", l.owned(nil)) }
func (l *Lock) value(context.Context, *call) (any, error) {
	return nil, python.TypeError("cannot pickle '_thread.lock' object")
}

func (l *RLock) exposed() []string { return lockNames }
func (l *RLock) call(ctx context.Context, c *call) (any, error) {
	return rLockMethods.call(ctx, l, c)
}
func (l *RLock) text(context.Context, *call) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return lockText("_thread.RLock", l.times > 0)
}
func (l *RLock) value(context.Context, *call) (any, error) {
	return nil, python.TypeError("cannot pickle '_thread.RLock' object")
}

func lockText(class string, locked bool) string {
	if locked {
		return "<locked " + class + " object>"
	}
	return "<unlocked " + class + " object>"
}

// Semaphore is SyncManager's Semaphore, and with a bound its BoundedSemaphore.
type Semaphore struct {
	bound int // 0 is none

	mu   sync.Mutex // guards what follows
	free int
	wait waiters
}

// NewSemaphore returns a Semaphore that n may acquire at a time.
func NewSemaphore(n int) *Semaphore { return &Semaphore{free: n} }

// NewBoundedSemaphore is NewSemaphore, but to release it more often than it was acquired is an error.
func NewBoundedSemaphore(n int) *Semaphore { return &Semaphore{free: n, bound: max(n, 1)} }

// Acquire waits until there is room.
func (s *Semaphore) Acquire(ctx context.Context) error {
	_, err := s.acquire(ctx, true, by(0, false))
	return err
}

// TryAcquire acquires if there is room.
func (s *Semaphore) TryAcquire() bool {
	ok, _ := s.acquire(context.Background(), false, by(0, false)) // it does not wait, so it does not fail
	return ok
}

// Release makes room for n more.
func (s *Semaphore) Release(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < 1 {
		return python.ValueError("n must be one or more")
	}
	if s.bound > 0 && n > s.bound-s.free || n > maxMade {
		return python.ValueError("Semaphore released too many times")
	}
	s.free += n
	s.wait.notify(n)
	return nil
}

func (s *Semaphore) acquire(ctx context.Context, block bool, d *deadline) (bool, error) {
	defer d.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.free <= 0 {
		if !block {
			return false, nil
		}
		if err := s.wait.wait(ctx, &s.mu, d); err == errTimeout && s.free <= 0 {
			return false, nil
		} else if err != nil && err != errTimeout {
			return false, err
		}
	}
	s.free--
	return true, nil
}

var semaphoreMethods = named(builtins[*Semaphore]{
	"acquire": fn("? blocking timeout", func(ctx context.Context, s *Semaphore, a *arguments) (any, error) {
		block, d, err := a.acquiring()
		if err != nil {
			return nil, err
		}
		return s.acquire(ctx, block, d)
	}),
	"release": fn("? n", func(_ context.Context, s *Semaphore, a *arguments) (any, error) {
		n, err := a.integer(0, 1)
		if err != nil {
			return nil, err
		}
		return nil, s.Release(n)
	}),
})

func (s *Semaphore) exposed() []string { return lockNames }
func (s *Semaphore) call(ctx context.Context, c *call) (any, error) {
	return semaphoreMethods.call(ctx, s, c)
}
func (s *Semaphore) text(context.Context, *call) string { return "<threading.Semaphore object>" }
func (s *Semaphore) value(context.Context, *call) (any, error) {
	return nil, python.TypeError("cannot pickle '_thread.lock' object")
}
