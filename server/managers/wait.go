package managers

import (
	"context"
	"errors"
	"sync"
	"time"
)

// waiters are those who wait until what a mutex guards has changed.
type waiters struct{ list []chan struct{} }

// deadline is when a wait ends; its zero value is never. It is used by one goroutine.
type deadline struct {
	after time.Duration
	set   bool
	timer *time.Timer
}

// by makes the deadline of a wait that lasts no longer than d, if set.
func by(d time.Duration, set bool) *deadline { return &deadline{after: d, set: set} }

func (d *deadline) expired() <-chan time.Time {
	if !d.set {
		return nil
	}
	if d.timer == nil {
		d.timer = time.NewTimer(d.after)
	}
	return d.timer.C
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

// errTimeout is what a wait returns whose deadline has passed.
var errTimeout = errors.New("managers: the wait has timed out")

// wait gives mu, which is held, back until somebody notifies. It returns nil if somebody has,
// errTimeout, or the context's error.
func (w *waiters) wait(ctx context.Context, mu *sync.Mutex, d *deadline) error {
	ch := make(chan struct{})
	w.list = append(w.list, ch)
	mu.Unlock()
	var err error
	select {
	case <-ch:
	case <-d.expired():
		err = errTimeout
	case <-ctx.Done():
		err = ctx.Err()
	}
	mu.Lock()
	for i, other := range w.list {
		if other == ch {
			w.list = append(w.list[:i], w.list[i+1:]...)
			if err == nil {
				err = ctx.Err()
			}
			return err
		}
	}
	// Notified, perhaps at the same time. Who has gone leaves that to another.
	if gone := ctx.Err(); gone != nil {
		w.notify(1)
		return gone
	}
	return nil
}

// notify wakes the n that have waited longest. The mutex is held.
func (w *waiters) notify(n int) {
	for n = min(n, len(w.list)); n > 0; n-- {
		close(w.list[0])
		w.list = w.list[1:]
	}
}

func (w *waiters) notifyAll() { w.notify(len(w.list)) }
