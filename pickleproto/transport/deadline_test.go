package transport

import (
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// deadlined notes the read deadlines that are set, as the time until then; 0 is none.
type deadlined struct {
	net.Conn
	set []time.Duration
}

func (c *deadlined) SetReadDeadline(t time.Time) error {
	after := time.Duration(0)
	if !t.IsZero() {
		after = time.Until(t)
	}
	c.set = append(c.set, after)
	return nil
}

// taken returns the deadlines that were set since it was called last.
func (c *deadlined) taken() []time.Duration {
	set := c.set
	c.set = nil
	return set
}

// A deadline is set where the one that is set will not do, and only there.
func TestReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nc := new(deadlined)
		s := newStream(nc, Options{IdleTimeout: 8 * time.Minute})
		d := &s.patience
		await := func(timeout time.Duration) []time.Duration {
			s.o.IdleTimeout = timeout
			d.await(&s)
			assert.True(t, d.waiting.Load())
			return nc.taken()
		}
		is := func(after ...time.Duration) []time.Duration { return after }

		assert.Equal(t, is(8*time.Minute), await(8*time.Minute))
		time.Sleep(time.Minute)
		assert.Empty(t, await(8*time.Minute))
		time.Sleep(time.Second)
		assert.Equal(t, is(8*time.Minute), await(8*time.Minute), "more than an eighth too early")
		time.Sleep(time.Hour)
		assert.Equal(t, is(8*time.Minute), await(8*time.Minute), "long past")

		assert.Equal(t, is(9*time.Minute), await(9*time.Minute))
		assert.Equal(t, is(8*time.Minute), await(8*time.Minute), "another timeout")
		assert.Equal(t, is(0), await(-1), "without one")
		assert.Empty(t, await(-1))
		assert.Equal(t, is(8*time.Minute), await(8*time.Minute))

		d.limit(nc, 8*time.Minute)
		assert.Equal(t, is(8*time.Minute), nc.taken())
		assert.Equal(t, is(8*time.Minute), await(8*time.Minute), "the one for the rest of a message")
		d.limit(nc, 0)
		assert.Equal(t, is(0), nc.taken())
		_, armed := d.state()
		assert.False(t, armed)
		assert.Equal(t, is(8*time.Minute), await(8*time.Minute), "taken away for the rest of a message")
		assert.Equal(t, is(0), await(-1))
		d.limit(nc, 0)
		assert.Empty(t, nc.taken())

		d.waiting.Store(false)
		d.interrupt(nc, time.Second)
		assert.Empty(t, nc.taken())
		assert.Equal(t, is(time.Second), await(-1))
		assert.Equal(t, is(time.Second), await(8*time.Minute))
		d.interrupt(nc, 0)
		assert.Equal(t, is(1), nc.taken())
		interrupted, armed := d.state()
		assert.True(t, interrupted && armed)
	})
}

// However a wait and an interrupt meet, the deadline that is set at last is the interrupt's.
func TestInterruptMeetsWait(t *testing.T) {
	for range 20000 {
		nc := new(deadlined)
		s := newStream(nc, Options{IdleTimeout: time.Hour})
		s.patience.await(&s)
		s.arrived(0, true)
		var both sync.WaitGroup
		both.Go(func() { s.patience.await(&s) })
		both.Go(func() { s.Interrupt(time.Second) })
		both.Wait()
		if last := nc.set[len(nc.set)-1]; last > time.Second {
			t.Fatalf("the deadlines %v", nc.set)
		}
	}
}
