package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// The sizes of a stream's buffer: a connection that waits has the small one, which holds most
// requests whole; a message that outgrows it borrows a medium one; beyond that memory is taken
// anew, doubling with the bytes that arrive, and let go after the message.
const (
	smallBuffer  = 256
	mediumBuffer = 64 << 10
)

var mediumBuffers = sync.Pool{New: func() any { return new([mediumBuffer]byte) }}

// stream is what all Conns are made of: a buffered reader whose deadlines are those of messages,
// and a writer. What has been read and not yet consumed is buf[start:end].
type stream struct {
	nc net.Conn
	rw io.ReadWriter // nc, or the direct way to its socket
	o  Options

	buf        []byte
	start, end int
	small      []byte
	medium     *[mediumBuffer]byte // what buf is a slice of, if it is borrowed
	charged    int64               // taken from o.Budget
	mid        bool                // a message has begun to arrive
	begun      bool                // anything has arrived at all

	session    *session      // the one under way; nil without
	spare      *session      // for the next one
	writeArmed time.Duration // the write deadline that is set, by clock; 0 is none. The one sender's alone
	patience   readDeadline
}

func newStream(nc net.Conn, o Options) stream {
	return stream{nc: nc, rw: directly(nc), o: o}
}

func (s *stream) NetConn() net.Conn { return s.nc }

// pending is what has arrived and is not consumed.
func (s *stream) pending() []byte { return s.buf[s.start:s.end] }

// next makes the stream ready for a message: it gives up the buffer of the last one, and keeps
// what has already arrived of the next.
func (s *stream) next() {
	s.mid = false
	left := s.end - s.start
	switch {
	case left == 0:
		s.release()
		if s.small == nil {
			s.small = make([]byte, smallBuffer)
		}
		s.buf = s.small
		s.start, s.end = 0, 0
	case len(s.buf) > mediumBuffer && left <= mediumBuffer:
		m := mediumBuffers.Get().(*[mediumBuffer]byte)
		copy(m[:], s.pending())
		s.release()
		s.medium, s.buf = m, m[:]
		s.start, s.end = 0, left
		// A charge that is refused here would punish a message that fits; the buffer is pooled.
		if s.o.Budget.Acquire(mediumBuffer) {
			s.charged = mediumBuffer
		}
	}
}

// release gives back every buffer but the small one.
func (s *stream) release() {
	if s.medium != nil {
		mediumBuffers.Put(s.medium)
		s.medium = nil
	}
	if s.charged > 0 {
		s.o.Budget.Release(s.charged)
		s.charged = 0
	}
	s.buf, s.start, s.end = nil, 0, 0
}

// room makes room for at least one more byte behind the pending ones. The buffer never becomes
// larger than twice what has arrived; most, if not 0, is the size that the message will have.
func (s *stream) room(most uint64) error {
	if s.end < len(s.buf) {
		return nil
	}
	if s.start > 0 {
		copy(s.buf, s.pending())
		s.end -= s.start
		s.start = 0
		return nil
	}
	size := int64(mediumBuffer)
	if len(s.buf) >= mediumBuffer {
		size = 2 * int64(len(s.buf))
		if most > uint64(len(s.buf)) && most < uint64(size) {
			size = int64(most)
		}
	}
	if !s.o.Budget.Acquire(size) {
		return &pickleproto.LimitError{
			Limit: "memory", Value: uint64(s.o.Budget.Used() + size), Max: uint64(s.o.Budget.Max()), Offset: -1,
		}
	}
	var grown []byte
	var medium *[mediumBuffer]byte
	if size == mediumBuffer {
		medium = mediumBuffers.Get().(*[mediumBuffer]byte)
		grown = medium[:]
	} else {
		grown = make([]byte, size)
	}
	end := copy(grown, s.pending())
	s.release()
	s.buf, s.end, s.medium, s.charged = grown, end, medium, size
	return nil
}

// framer finds the messages of a convention in what has arrived.
type framer interface {
	// begin makes it ready for the first byte of a message.
	begin()

	// frame takes the message that is pending. If that has not arrived whole, most is as for room.
	frame() (m Message, most uint64, ok bool, err error)

	// truncated is the error for a stream that ends within a message.
	truncated() error

	// failed is what is received instead of a message.
	failed(err error) (Message, error)
}

// receive is Conn.Receive.
func (s *stream) receive(f framer) (Message, error) {
	s.next()
	f.begin()
	for {
		m, most, ok, err := f.frame()
		if ok {
			return m, nil
		}
		if err == nil {
			if err = s.fill(most); err == nil {
				continue
			}
		}
		return s.ended(f, err)
	}
}

// ended is what is received instead of a message when err has ended the stream.
func (s *stream) ended(f framer, err error) (Message, error) {
	if err == io.EOF && s.end > s.start {
		err = f.truncated()
	}
	m, err := f.failed(err)
	s.release()
	return m, err
}

// fill reads once. most is as for room. io.EOF is returned as it is, wherever the stream stands.
func (s *stream) fill(most uint64) error {
	first, err := s.ready(most)
	if err != nil {
		return err
	}
	for {
		n, err := s.rw.Read(s.buf[s.end:])
		if n > 0 {
			s.arrived(n, first)
			return nil // an error, if there was one as well, comes again
		}
		if err == nil {
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return s.timedOut(first, err)
		}
		return err
	}
}

// ready prepares a read: it makes room and sets the deadline. first is whether it is for the first
// byte of a message.
func (s *stream) ready(most uint64) (first bool, err error) {
	if err := s.room(most); err != nil {
		return false, err
	}
	first = !s.mid && s.start == s.end
	if first {
		s.patience.await(s)
	} else if !s.mid {
		// The first read of a message that is not complete yet begins its time.
		s.mid = true
		s.patience.limit(s.nc, s.o.ReadTimeout)
	}
	return first, nil
}

// arrived notes that n bytes were read.
func (s *stream) arrived(n int, first bool) {
	s.end += n
	if first {
		s.patience.waiting.Store(false)
	}
	if !s.begun {
		s.begun = true
		s.recognise()
	}
}

// recognise gives a notice if the first bytes of the connection are a ClientHello: no convention's
// message begins so, and what the convention makes of it tells nobody what is wrong.
func (s *stream) recognise() {
	b := s.pending()
	if s.o.Notice != nil && len(b) > 5 && b[0] == 0x16 && b[1] == 3 && b[2] <= 4 && b[5] == 1 {
		s.o.Notice("the peer speaks TLS, and this side does not")
	}
}

func (s *stream) timedOut(first bool, err error) error {
	interrupted, armed := s.patience.state()
	switch {
	case first && interrupted:
		return ErrInterrupted
	case !armed:
		return err // somebody else's deadline: the owner of the net.Conn set it
	case first:
		return &TimeoutError{Waiting: "a message", After: s.o.IdleTimeout}
	}
	return &TimeoutError{Waiting: "the rest of a message", After: s.o.ReadTimeout, Got: int64(s.end - s.start)}
}

func (s *stream) Interrupt(after time.Duration) { s.patience.interrupt(s.nc, after) }

// written is Send for what no session has written.
func (s *stream) written(p []byte) error {
	if s.o.WriteTimeout > 0 {
		if now := clock(); s.writeArmed == 0 || s.writeArmed-now < s.o.WriteTimeout {
			after := s.o.WriteTimeout + s.o.WriteTimeout/4
			s.writeArmed = now + after
			_ = s.nc.SetWriteDeadline(time.Now().Add(after))
		}
	}
	_, err := s.rw.Write(p)
	if err != nil && s.o.WriteTimeout > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		return &TimeoutError{Waiting: "the peer to read", After: s.o.WriteTimeout}
	}
	return err
}

func (s *stream) CloseWrite() error {
	if h, ok := s.nc.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (s *stream) Close() error {
	s.release()
	return s.nc.Close()
}

// sized takes a message of size bytes behind a header, if it is pending.
func (s *stream) sized(header int, size uint64) (data []byte, most uint64, ok bool, err error) {
	if err := s.o.tooLarge(size); err != nil {
		return nil, 0, false, err
	}
	if p := s.pending(); uint64(len(p)-header) >= size {
		n := header + int(size)
		s.start += n
		return p[header:n:n], 0, true, nil
	}
	return nil, uint64(header) + size, false, nil
}
