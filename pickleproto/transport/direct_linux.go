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

// direct reads and writes the socket of a net.Conn. Reading and writing may go on at once, as with a
// net.Conn, but not two of a kind.
type direct struct {
	nc   net.Conn
	r, w transfer
}

// transfer is a Read or Write under way.
type transfer struct {
	p    []byte
	n    int
	err  syscall.Errno
	once func(fd uintptr) (done bool)
	wait func(once func(fd uintptr) (done bool)) error // calls once as soon as the socket is ready, until it is done
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
	d := &direct{nc: nc}
	d.r.once, d.w.once = d.r.read, d.w.write
	d.r.wait, d.w.wait = raw.Read, raw.Write
	return d
}

func (d *direct) Read(p []byte) (int, error) {
	awaken()
	n, err := d.do(&d.r, "read", p)
	if n == 0 && err == nil && len(p) > 0 {
		return 0, io.EOF
	}
	return n, err
}

func (d *direct) Write(p []byte) (int, error) { return d.do(&d.w, "write", p) }

func (d *direct) do(t *transfer, op string, p []byte) (int, error) {
	t.p, t.n, t.err = p, 0, 0
	err := t.wait(t.once)
	t.p = nil
	if err != nil || t.err != 0 {
		return t.n, d.failed(op, err, t.err)
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

// read takes what there is.
func (t *transfer) read(fd uintptr) (done bool) {
	if len(t.p) == 0 {
		return true
	}
	return t.call(syscall.SYS_READ, fd, t.p[:min(len(t.p), mostAtOnce)])
}

// write writes the rest of p.
func (t *transfer) write(fd uintptr) (done bool) {
	for t.n < len(t.p) {
		if !t.call(syscall.SYS_WRITE, fd, t.p[t.n:min(len(t.p), t.n+mostAtOnce)]) {
			return false
		}
		if t.err != 0 {
			break
		}
	}
	return true
}

// mostAtOnce is how much one call reads or writes: to copy it takes some ten microseconds.
const mostAtOnce = 256 << 10

// call reports whether it could be done without waiting.
func (t *transfer) call(trap, fd uintptr, p []byte) bool {
	for {
		n, _, err := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch err {
		case 0:
			t.n += int(n)
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			t.err = err
			return true
		}
	}
}

// While there is reading a timer goes off now and then. It does nothing, but for its sake the scheduler's
// monitor, which sleeps until a timer or a system call that it is told of, looks whether goroutines have
// computed for long, and has others take turns with them.
const awake = 10 * time.Millisecond

var reading struct {
	some    atomic.Bool // since the timer went off last
	ticking atomic.Bool
}

func awaken() {
	if reading.some.Load() {
		return
	}
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
