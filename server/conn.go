package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
)

// conn is one connection, served by one goroutine.
type conn struct {
	srv  *Server
	ctx  context.Context
	nc   net.Conn
	id   int64
	addr string // what MaxConnsPerAddr counts by

	remote net.Addr

	kept     *kept // memos that outlive a message; most connections have none
	req      Request
	answered atomic.Bool  // a message has been
	until    atomic.Int64 // Unix nanoseconds after which no further message is read; 0 is none

	mu sync.Mutex // guards tc, which interrupt reads
	tc transport.Conn
}

// keepBuffer is the largest answer buffer that is kept for the next answer.
const keepBuffer = 64 << 10

var outBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

func (c *conn) trace(e Event) {
	if c.srv.Trace != nil {
		e.Conn, e.RemoteAddr = c.id, c.remote
		c.srv.Trace(e)
	}
}

// interrupt asks the connection to end between two messages.
func (c *conn) interrupt() {
	c.until.CompareAndSwap(0, time.Now().Add(lastGrace).UnixNano())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tc == nil {
		return // open sees that the server is stopping
	}
	if c.answered.Load() {
		c.tc.Interrupt(nextGrace)
	} else {
		c.tc.Interrupt(firstGrace)
	}
}

// open does the handshakes and makes the transport.Conn.
func (c *conn) open(ctx context.Context) (transport.Conn, error) {
	if err := c.srv.handshake(ctx, c.nc); err != nil {
		return nil, err
	}
	s := c.srv
	tc, err := s.transport().Server(ctx, c.nc, transport.Options{
		MaxMessage:       s.Limits.Message,
		ReadTimeout:      s.ReadTimeout,
		WriteTimeout:     s.WriteTimeout,
		IdleTimeout:      s.IdleTimeout,
		HandshakeTimeout: s.HandshakeTimeout,
		Budget:           s.Budget,
		Notice: func(text string) {
			s.log.Warn("suspicious peer", "remote", c.remote, "reason", text)
		},
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.tc = tc
	c.mu.Unlock()
	s.mu.Lock()
	stopping := s.stopping
	s.mu.Unlock()
	if stopping {
		c.interrupt()
	}
	return tc, nil
}

// serve is the connection's goroutine. What it calls and what stays on its stack while it waits for
// a message is kept small: ten thousand of them may wait.
func (c *conn) serve() {
	defer c.end()
	tc := c.begin()
	if tc == nil {
		return
	}
	defer tc.Close()
	defer c.kept.release()
	if c.srv.ServeConn != nil {
		c.converse(c.ctx, tc)
		return
	}
	m, err := transport.Serve(tc, c.handle(tc))
	if err != nil {
		c.receiveFailed(tc, m, err)
	} else {
		c.linger(tc, lingerTime)
	}
}

// begin makes the connection ready; it returns nil if a handshake fails.
func (c *conn) begin() transport.Conn {
	s := c.srv
	c.trace(Event{Kind: Accepted})
	tc, err := c.open(c.ctx)
	if err != nil {
		s.log.Warn("handshake failed", "remote", c.remote, "err", err)
		return nil
	}
	if s.KeepMemo || s.KeepAnswerMemo {
		c.kept = newKept(s)
	}
	c.req.conn, c.req.RemoteAddr = c, c.remote
	return tc
}

// abort ends the connection at once, whatever goes on: a handler that still runs has the kernel's
// end of it, which Close would wait for, until it returns.
func (c *conn) abort() {
	if h, ok := c.nc.(interface {
		CloseRead() error
		CloseWrite() error
	}); ok {
		_, _ = h.CloseRead(), h.CloseWrite()
		go c.nc.Close()
		return
	}
	c.nc.Close()
}

// end is deferred by serve.
func (c *conn) end() {
	// The last net: what a handler's panic leaves is caught where it is called.
	if r := recover(); r != nil {
		c.srv.log.Error("connection ended by a panic", "remote", c.remote, "panic", r, "stack", string(debug.Stack()))
	}
	c.nc.Close()
	c.trace(Event{Kind: Closed})
	c.srv.done(c)
}

// handle returns the function that answers one message, and returns false when no more are to be received.
func (c *conn) handle(tc transport.Conn) func(transport.Message) bool {
	return func(m transport.Message) bool {
		c.trace(Event{Kind: Received, Bytes: len(m.Data), Protocol: m.Protocol})
		more := c.answer(c.ctx, tc, m)
		if until := c.until.Load(); until != 0 && time.Now().UnixNano() > until {
			more = false
		}
		return more && !c.srv.Once
	}
}

// answer handles one message. It returns false when nothing more is to be read.
func (c *conn) answer(ctx context.Context, tc transport.Conn, m transport.Message) (more bool) {
	s := c.srv
	c.req.Protocol, c.req.Raw, c.req.decodeErr = m.Protocol, m.Data, nil
	c.kept.decode(m.Data)
	v, err := c.value(ctx)
	c.req.Raw = nil
	c.trace(Event{Kind: Processed, Err: err})

	out := outBuffers.Get().(*[]byte)
	head := tc.Headroom()
	buf := append((*out)[:0], make([]byte, head)...)
	more = true
	if err == nil {
		buf, err = c.append(buf, v, m.Protocol)
	}
	if n := int64(cap(buf)); err == nil && n > keepBuffer {
		// A peer that reads slowly keeps it for as long as WriteTimeout allows.
		if err = charge(s.Budget, n); err == nil {
			defer s.Budget.Release(n)
		}
	}
	if err != nil {
		bad := isBadMessage(err) && err == c.req.decodeErr
		if bad || s.CloseOnError {
			s.log.Warn("bad message", "remote", c.remote, "err", err)
		} else {
			s.log.Debug("answered with an exception", "remote", c.remote, "err", err)
		}
		if s.CloseOnError {
			putBuffer(out)
			return false
		}
		more = !bad || tc.Delimits()
		buf = c.appendException(buf[:head], err, m.Protocol)
	}
	sendErr := tc.Send(buf)
	if sendErr != nil {
		var refused *transport.RefusedError // here, lest each answer allocate it
		if errors.As(sendErr, &refused) {
			err = sendErr
			s.log.Warn("cannot answer", "remote", c.remote, "err", err)
			buf = c.appendException(buf[:head], err, m.Protocol)
			sendErr = tc.Send(buf)
		}
	}
	*out = buf
	putBuffer(out)
	if sendErr != nil {
		c.logEnd("cannot answer", sendErr)
		return false
	}
	if !c.answered.Load() { // to store it each time would take longer
		c.answered.Store(true)
	}
	c.trace(Event{Kind: Answered, Bytes: len(buf) - head, Protocol: s.writes[m.Protocol], Err: err})
	return more
}

// charge takes n bytes from a budget.
func charge(b *pickleproto.Budget, n int64) error {
	if b.Acquire(n) {
		return nil
	}
	return &pickleproto.LimitError{Limit: "memory budget", Value: uint64(b.Used() + n), Max: uint64(b.Max()), Offset: -1}
}

func putBuffer(b *[]byte) {
	if cap(*b) <= keepBuffer {
		outBuffers.Put(b)
	}
}

// errPanic is what the peer is told of a handler that panicked: nothing of its innards.
var errPanic = errors.New("internal error in the server's handler")

// value is what the handler answers.
func (c *conn) value(ctx context.Context) (v any, err error) {
	defer func() {
		if r := recover(); r != nil {
			c.srv.log.Error("handler panicked", "remote", c.remote, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			v, err = nil, errPanic
		}
	}()
	return c.srv.Handler.ServePickle(ctx, &c.req)
}

// appendException appends the pickle of err as an exception, whatever the codec. An exception
// with arguments that have no pickle is reduced to its class and text.
func (c *conn) appendException(buf []byte, err error, protocol int) []byte {
	p := c.srv.writes[protocol]
	e := Exception(err, p)
	opts := c.kept.encodeOpts([]pickleproto.Option{pickleproto.WithProtocol(p)})
	out, fault := pickleproto.Native.Append(buf, e, opts...)
	if fault == nil {
		return out
	}
	args := e.Args
	for _, a := range args {
		if _, ok := a.(string); !ok {
			args = pickleproto.Tuple{e.Text()}
			break
		}
	}
	plain := &pickleproto.Object{How: pickleproto.ByReduce, Callable: e.Class, Args: args}
	if out, fault = pickleproto.Native.Append(buf, plain, opts...); fault != nil {
		c.srv.log.Error("an exception without a pickle", "err", err, "why", fault)
	}
	return out
}

// receiveFailed ends a connection from which no further message comes.
func (c *conn) receiveFailed(tc transport.Conn, m transport.Message, err error) {
	s := c.srv
	switch {
	case err == io.EOF:
		return
	case errors.Is(err, transport.ErrInterrupted):
		c.linger(tc, nextGrace)
		return
	}
	c.logEnd("bad message", err)
	var timeout *transport.TimeoutError
	idle := errors.As(err, &timeout) && timeout.Got == 0 && timeout.Waiting == "a message"
	if s.CloseOnError || idle || isGone(err) {
		c.linger(tc, lingerTime)
		return
	}
	buf := c.appendException(make([]byte, tc.Headroom(), 512), err, m.Protocol)
	if err := tc.Send(buf); err != nil {
		return
	}
	c.trace(Event{Kind: Answered, Bytes: len(buf) - tc.Headroom(), Protocol: s.writes[m.Protocol], Err: err})
	c.linger(tc, lingerTime)
}

// isGone tells whether the peer, or the connection, is no more.
func isGone(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// logEnd logs the error that ends a connection, at Debug where it is a peer that has gone or has
// been idle.
func (c *conn) logEnd(msg string, err error) {
	s := c.srv
	var timeout *transport.TimeoutError
	if isGone(err) || errors.As(err, &timeout) && timeout.Waiting == "a message" {
		s.log.Debug("connection ended", "remote", c.remote, "err", err)
		return
	}
	s.log.Warn(msg, "remote", c.remote, "err", err)
}

// linger half-closes and reads what the peer still sends, for a bounded time and amount: to close
// while input is unread would make the kernel reset the connection, and the peer might lose the
// answer that it has not read yet.
func (c *conn) linger(tc transport.Conn, limit time.Duration) {
	if err := tc.CloseWrite(); err != nil {
		return
	}
	drain(c.nc, limit, lingerBytes)
}

const (
	lingerTime  = 2 * time.Second
	lingerBytes = 256 << 20
)

var drainBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

func drain(nc net.Conn, limit time.Duration, most int) {
	_ = nc.SetReadDeadline(time.Now().Add(limit))
	b := drainBuffers.Get().(*[32 << 10]byte)
	defer drainBuffers.Put(b)
	for most > 0 {
		n, err := nc.Read(b[:])
		most -= n
		if err != nil {
			return
		}
	}
}

// refuse tells a peer for which there is no room, where the convention lets it be told without
// being asked.
func (c *conn) refuse(reason string) {
	defer c.nc.Close()
	s := c.srv
	t := s.transport()
	if _, encrypted := c.nc.(interface{ HandshakeContext(context.Context) error }); encrypted || t.String() == "multiprocessing" || s.CloseOnError {
		return
	}
	tc, err := t.Server(s.base, c.nc, transport.Options{WriteTimeout: time.Second})
	if err != nil {
		return
	}
	// Protocol 2 is what every Python reads.
	if tc.Send(c.appendException(make([]byte, tc.Headroom(), 512), errors.New(reason), 2)) != nil {
		return
	}
	if tc.CloseWrite() == nil {
		drain(c.nc, time.Second, 1<<20)
	}
}

// isBadMessage tells whether err is about the bytes of a message, not about what they mean.
func isBadMessage(err error) bool {
	var syntax *pickleproto.SyntaxError
	var limit *pickleproto.LimitError
	return errors.As(err, &syntax) || errors.As(err, &limit)
}

// isTimeout tells whether a deadline passed, of the connection or of the handler's own making.
func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}
