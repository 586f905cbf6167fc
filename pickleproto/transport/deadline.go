package transport

import (
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// readDeadline is how long a stream waits for its peer. To set a deadline costs as much as a small
// decode, so one that is not much too early is left as it is.
type readDeadline struct {
	waiting     atomic.Bool // Receive waits for the first byte of a message
	interrupted atomic.Bool
	first       atomic.Int64  // when the deadline for a first byte passes, by clock, or never; 0 if it is not the one that is set
	timeout     time.Duration // of first; the receiver's alone

	mu    sync.Mutex // guards what follows, and the setting of the deadline
	quiet time.Duration
	armed bool
}

const never = math.MaxInt64

// epoch is when the time began by which streams know their deadlines. To read it takes half of what
// time.Now does.
var epoch = time.Now()

func clock() time.Duration { return time.Since(epoch) }

// now is the time by clock, for a timeout to which some hundredths of a second make no difference if it is long.
func (s *stream) now(timeout time.Duration) time.Duration {
	const long = 2 * time.Second
	if s.session != nil && timeout >= long {
		return recently()
	}
	return clock()
}

// await sets the deadline for the first byte of a message. Mostly one is set that will do; to see that takes no lock
// and, in a session, not the time either: both together would be as much as to find the end of a message.
func (d *readDeadline) await(s *stream) {
	timeout := s.o.IdleTimeout
	d.waiting.Store(true) // interrupt stores and loads these two the other way round: one of the two sees the other
	if first := d.first.Load(); first != 0 && timeout == d.timeout && !d.interrupted.Load() {
		if first == never || time.Duration(first)-s.now(timeout) >= timeout-timeout/8 {
			return
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.interrupted.Load() {
		d.arm(s.nc, d.quiet)
		return
	}
	passes := int64(never)
	if timeout > 0 {
		passes = int64(clock() + timeout)
	}
	d.set(s.nc, timeout)
	d.first.Store(passes)
	d.timeout = timeout
}

// limit sets the deadline for the rest of a message; 0 is none.
func (d *readDeadline) limit(nc net.Conn, timeout time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.set(nc, timeout)
}

// interrupt ends a wait for a first byte, now or when it comes to that, after some time.
func (d *readDeadline) interrupt(nc net.Conn, after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.quiet = max(after, time.Nanosecond)
	d.interrupted.Store(true)
	if d.waiting.Load() {
		d.arm(nc, d.quiet)
	}
}

// state tells whether there was an interrupt, and whether the deadline is one that was set here.
func (d *readDeadline) state() (interrupted, armed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.interrupted.Load(), d.armed
}

// set sets the deadline, or takes it away if there is no timeout. It is called with mu held.
func (d *readDeadline) set(nc net.Conn, timeout time.Duration) {
	if timeout > 0 {
		d.arm(nc, timeout)
	} else if d.armed {
		d.armed = false
		d.first.Store(0)
		_ = nc.SetReadDeadline(time.Time{})
	}
}

// arm sets the deadline for reading so much from now. It is called with mu held.
func (d *readDeadline) arm(nc net.Conn, after time.Duration) {
	d.armed = true
	d.first.Store(0)
	_ = nc.SetReadDeadline(time.Now().Add(after)) // fails only on a closed connection, where Read says so
}
