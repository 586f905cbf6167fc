//go:build !race && !386 && !s390x

package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// NOTE: a conversation within one read. Go's net waits for a socket only after it has asked for data in vain:
// what the poller told of before is forgotten at the beginning of each Read. So with messages that come one
// by one every second read is for nothing, and it costs as much as the other. Here the whole conversation
// takes place within one read, of RawConn, as which it waits again and again, and what the poller tells meanwhile is
// kept. Then it can wait without asking, if only nothing was left behind by the read before: that is
// what TCP_INQ tells with the data, the end of the stream included. Where it does not, on Unix sockets for one, the next read asks.

// session is such a conversation.
type session struct {
	s      *stream
	d      *direct
	f      framer
	handle func(Message) bool
	fd     uintptr
	once   func(fd uintptr) (done bool) // run

	first   bool  // what is awaited is the first byte of a message
	ready   bool  // there is room to read to, and the deadline is set
	emptied bool  // the last read left nothing behind
	stopped bool  // by handle
	err     error // why it ended

	msg     syscall.Msghdr
	vector  syscall.Iovec
	control inqControl
}

// inqControl is the control message of TCP_INQ.
type inqControl struct {
	header syscall.Cmsghdr
	left   int32
	_      int32
}

const (
	tcpInq    = 36 // TCP_INQ and TCP_CM_INQ of linux/tcp.h
	inqLength = int(unsafe.Sizeof(syscall.Cmsghdr{})) + 4
)

// converse is serve for what follows the first message. It reports whether there is a direct way to do it.
func (s *stream) converse(f framer, handle func(Message) bool) (m Message, ok bool, err error) {
	d, ok := s.rw.(*direct)
	if !ok {
		return m, false, nil
	}
	x := s.spare
	if x == nil {
		x = newSession(s, d)
		s.spare = x
	}
	x.f, x.handle = f, handle
	x.ready, x.emptied, x.stopped, x.err = false, false, false, nil
	s.next()
	f.begin()
	err = x.hold()
	switch {
	case x.stopped:
		return m, true, nil
	case x.err != nil:
		err = x.err
	default:
		err = d.failed("read", err, 0)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = s.timedOut(x.first, err)
		}
	}
	m, err = s.ended(f, err)
	return m, true, err
}

// hold has the session going as long as it has the descriptor.
func (x *session) hold() error {
	x.s.session = x
	defer func() { x.s.session, x.handle = nil, nil }()
	return x.d.raw.Read(x.once)
}

func newSession(s *stream, d *direct) *session {
	x := &session{s: s, d: d}
	x.once = func(fd uintptr) (done bool) {
		x.fd = fd
		return x.run()
	}
	x.msg.Iov, x.msg.Control = &x.vector, (*byte)(unsafe.Pointer(&x.control))
	x.msg.Iovlen = 1
	if _, tcp := s.nc.(*net.TCPConn); tcp {
		// Where it fails nothing is told, and every read is made.
		_ = d.raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpInq, 1) })
	}
	return x
}

// run goes on until there is nothing to read, which is false, or the conversation has ended.
func (x *session) run() (done bool) {
	s := x.s
	for {
		if !x.ready {
			m, most, ok, err := x.f.frame()
			if ok {
				if !x.handle(m) {
					x.stopped = true
					return true
				}
				s.next()
				x.f.begin()
				continue
			}
			if err == nil {
				x.first, err = s.ready(most)
			}
			if err != nil {
				x.err = err
				return true
			}
			x.ready = true
			if x.emptied {
				return false
			}
		}
		n, err := x.read(s.buf[s.end:min(len(s.buf), s.end+mostAtOnce)])
		switch {
		case err == syscall.EAGAIN:
			return false
		case err != 0:
			x.err = x.d.failed("read", nil, err)
			return true
		case n == 0:
			x.err = io.EOF
			return true
		}
		x.ready = false
		s.arrived(n, x.first)
	}
}

// read reads once, and notes whether that has emptied the socket.
func (x *session) read(p []byte) (n int, err syscall.Errno) {
	awaken()
	x.vector.Base = unsafe.SliceData(p)
	x.vector.SetLen(len(p))
	for {
		x.msg.SetControllen(int(unsafe.Sizeof(x.control)))
		r, _, err := syscall.RawSyscall6(syscall.SYS_RECVMSG, x.fd, uintptr(unsafe.Pointer(&x.msg)), 0, 0, 0, 0)
		if err == syscall.EINTR {
			continue
		}
		n = int(r)
		told := int(x.msg.Controllen) >= inqLength && x.control.header.Level == syscall.IPPROTO_TCP && x.control.header.Type == tcpInq
		x.vector.Base = nil // the buffer may be large, and given back
		x.emptied = err == 0 && told && x.control.left == 0
		return n, err
	}
}

// Send is one Write of all of p, and Conn.Send where a convention adds nothing. In a session it is done here,
// with as few calls as can be: an empty socket nearly always has room for an answer. The read that the
// session is keeps the descriptor from being closed.
func (s *stream) Send(p []byte) error {
	for x := s.session; x != nil && len(p) > 0; {
		n, _, err := syscall.RawSyscall6(syscall.SYS_SENDTO, x.fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(min(len(p), mostAtOnce)), syscall.MSG_NOSIGNAL, 0, 0)
		if err == 0 {
			if p = p[n:]; len(p) == 0 {
				return nil
			}
		} else if err != syscall.EINTR {
			break // written says what it is
		}
	}
	return s.written(p)
}
