//go:build !race

package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// NOTE: the direct way to a socket. A net.Conn tells Go's scheduler of each system call, lest it block. Those
// of a socket that does not block take some microseconds, but on a busy machine the scheduler's monitor
// takes them for blocked ones over and over, and wakes every 20 microseconds to look: a tenth of the
// processor of a server of small messages. Here they go past the scheduler (RawSyscall), and only
// waiting is Go's, by way of net's RawConn, with deadlines and Close as ever.
//
// A monitor that is never woken would not stop goroutines that compute for long either: see awaken.
//
// What other goroutines have to wait for meanwhile is the copying of at most mostAtOnce bytes.

// After a system call the processor has forgotten where functions return to, so each that returns on
// the way up costs some nanoseconds: there are as few as can be.

// direct reads and writes the socket of a net.Conn. Reading and writing may go on at once, as with a
// net.Conn, but not two of a kind.
type direct struct {
	nc   net.Conn
	raw  syscall.RawConn
	r, w transfer
}

// transfer is a Read or Write under way.
type transfer struct {
	p    []byte
	n    int
	err  syscall.Errno
	once func(fd uintptr) (done bool) // does what can be done without waiting
}

// directly returns the direct way to the socket of nc, or, where there is none, nc.
func directly(nc net.Conn) io.ReadWriter {
	var raw syscall.RawConn
	var err error
	switch nc := nc.(type) {
	case *net.TCPConn:
		raw, err = nc.SyscallConn()
	case *net.UnixConn:
		raw, err = nc.SyscallConn()
	}
	if raw == nil || err != nil {
		return nc
	}
	d := &direct{nc: nc, raw: raw}
	d.r.once = func(fd uintptr) (done bool) {
		t := &d.r
		for {
			n, _, err := syscall.RawSyscall6(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(t.p))), uintptr(min(len(t.p), mostAtOnce)), 0, 0, 0)
			switch err {
			case 0:
				t.n = int(n)
				return true
			case syscall.EINTR:
				continue
			case syscall.EAGAIN:
				return false
			}
			t.err = err
			return true
		}
	}
	d.w.once = func(fd uintptr) (done bool) {
		t := &d.w
		for {
			rest := t.p[t.n:]
			n, _, err := syscall.RawSyscall6(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(rest))), uintptr(min(len(rest), mostAtOnce)), 0, 0, 0)
			switch err {
			case 0:
				if t.n += int(n); t.n == len(t.p) {
					return true
				}
				continue
			case syscall.EINTR:
				continue
			case syscall.EAGAIN:
				return false
			}
			t.err = err
			return true
		}
	}
	return d
}

func (d *direct) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	awaken()
	t := &d.r
	t.p, t.n, t.err = p, 0, 0
	err := d.raw.Read(t.once)
	t.p = nil
	if err != nil || t.err != 0 {
		return 0, d.failed("read", err, t.err)
	}
	if t.n == 0 {
		return 0, io.EOF
	}
	return t.n, nil
}

func (d *direct) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	t := &d.w
	t.p, t.n, t.err = p, 0, 0
	err := d.raw.Write(t.once)
	t.p = nil
	if err != nil || t.err != 0 {
		return t.n, d.failed("write", err, t.err)
	}
	return t.n, nil
}

// failed returns the error that the net.Conn would.
func (d *direct) failed(op string, err error, errno syscall.Errno) error {
	var of *net.OpError
	switch {
	case errors.As(err, &of):
		err = of.Err
	case err == nil:
		err = os.NewSyscallError(op, errno)
	}
	local := d.nc.LocalAddr()
	return &net.OpError{Op: op, Net: local.Network(), Source: local, Addr: d.nc.RemoteAddr(), Err: err}
}

// mostAtOnce is how much one call reads or writes: to copy it takes some ten microseconds.
const mostAtOnce = 256 << 10

// While there is reading a timer goes off now and then. For its sake the scheduler's monitor, which sleeps until
// a timer or a system call that it is told of, looks whether goroutines have computed for long, and has
// others take turns with them. It itself does nothing but have the next reading note the time.
const awake = 10 * time.Millisecond

var reading struct {
	some    atomic.Bool // since the timer went off last
	ticking atomic.Bool
	noted   atomic.Int64 // the time by clock of the first reading since then
}

func awaken() {
	if reading.some.Load() {
		return
	}
	reading.noted.Store(int64(clock()))
	reading.some.Store(true)
	if reading.ticking.CompareAndSwap(false, true) {
		time.AfterFunc(awake, tick)
	}
}

func tick() {
	if !reading.some.Swap(false) {
		reading.ticking.Store(false)
		if !reading.some.Load() || !reading.ticking.CompareAndSwap(false, true) {
			return
		}
	}
	time.AfterFunc(awake, tick)
}

// recently is what clock was a moment ago: as long at most as the timer takes, which may be late.
func recently() time.Duration {
	awaken()
	return time.Duration(reading.noted.Load())
}
