package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
)

// link is one connection. Several calls may be on the way: each takes its turn when it sends, and
// reads its answer when the one before it has read its own.
type link struct {
	c        *Client
	id       int64
	tc       transport.Conn
	inFlight int // guarded by c.mu

	send sync.Mutex    // guards last, and the order of writes
	last chan struct{} // closed when the last caller has its answer

	memo *pickleproto.Memo // of WithKeepMemo; of the caller whose turn it is to read
	kept int64             // bytes that it was made from

	once sync.Once
}

// lostError is an error after which the connection is of no more use.
type lostError struct {
	err      error
	answered bool // something came, but no answer that can be understood
}

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// ConnectError is the error for a connection that could not be made: refused, no such host, a
// failed handshake.
type ConnectError struct {
	Addr string
	Err  error
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("client: cannot connect to %s: %v", e.Addr, e.Err)
}
func (e *ConnectError) Unwrap() error { return e.Err }

// dial makes one connection, with its handshakes.
func (c *Client) dial(ctx context.Context, id int64) (*link, error) {
	dial := c.cfg.dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	nc, err := dial(ctx, c.network, c.addr)
	if err != nil {
		return nil, &ConnectError{Addr: c.addr, Err: err}
	}
	if c.cfg.tls != nil {
		if nc, err = c.encrypt(ctx, nc); err != nil {
			return nil, &ConnectError{Addr: c.addr, Err: err}
		}
	}
	tc, err := c.cfg.transport.Client(ctx, nc, transport.Options{
		MaxMessage: c.cfg.limits.Message, HandshakeTimeout: c.cfg.handshake,
		// The deadlines of a call are those of its context.
		ReadTimeout: -1, WriteTimeout: -1, IdleTimeout: -1,
	})
	if err != nil {
		nc.Close()
		return nil, &ConnectError{Addr: c.addr, Err: err}
	}
	last := make(chan struct{})
	close(last)
	l := &link{c: c, id: id, tc: tc, last: last}
	if c.cfg.keepMemo {
		l.memo = new(pickleproto.Memo)
	}
	l.trace(Event{Kind: Connected})
	return l, nil
}

func (c *Client) encrypt(ctx context.Context, nc net.Conn) (net.Conn, error) {
	cfg := c.cfg.tls.Clone()
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(c.addr)
		if err != nil {
			host = c.addr
		}
		cfg.ServerName = host
	}
	if cfg.MinVersion == 0 {
		cfg.MinVersion = tls.VersionTLS12
	}
	limit := c.cfg.handshake
	if limit == 0 {
		limit = transport.DefaultHandshakeTimeout
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	t := tls.Client(nc, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return t, nil
}

func (l *link) trace(e Event) {
	if l.c.cfg.trace != nil {
		e.Conn, e.Addr = l.id, l.c.addr
		l.c.cfg.trace(e)
	}
}

// call sends buf and decodes the answer. sent tells whether the peer may have got the request.
// After a *lostError, and after a half-close, the link is gone; else it is released.
func (l *link) call(ctx context.Context, buf []byte, reply any) (sent bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = l.tc.NetConn().SetDeadline(time.Unix(1, 0)) })
	defer func() {
		var lost *lostError
		if !stop() || errors.As(err, &lost) || l.c.cfg.halfClose {
			// What the context did to the deadlines cannot be taken back safely.
			l.close()
			l.c.drop(l)
			return
		}
		l.c.release(l)
	}()

	if l.c.cfg.halfClose {
		cork(l.tc.NetConn())
	}
	l.send.Lock()
	before, mine := l.last, make(chan struct{})
	l.last = mine
	err = l.tc.Send(buf)
	l.send.Unlock()
	defer close(mine)
	var refused *transport.RefusedError
	if errors.As(err, &refused) {
		return false, err
	}
	if err != nil {
		// What did not leave whole, no peer has served.
		return false, &lostError{err: err}
	}
	head := l.tc.Headroom()
	l.trace(Event{Kind: Sent, Bytes: len(buf) - head, Protocol: l.protocol(buf[head:])})
	if l.c.cfg.halfClose {
		if err := l.tc.CloseWrite(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return true, &lostError{err: err}
		}
	}
	select {
	case <-before:
	case <-ctx.Done():
		return true, &lostError{err: os.ErrDeadlineExceeded}
	}
	m, err := l.tc.Receive()
	if err == io.EOF {
		err = errNoAnswer
	}
	if err != nil {
		return true, &lostError{err: err, answered: isAnswer(err)}
	}
	l.trace(Event{Kind: Received, Bytes: len(m.Data), Protocol: m.Protocol})
	err = l.bind(m.Data, reply)
	l.trace(Event{Kind: Decoded, Bytes: len(m.Data), Protocol: m.Protocol, Err: err})
	return true, err
}

// bind decodes an answer into what reply points to.
func (l *link) bind(data []byte, reply any) error {
	if l.memo == nil {
		return l.c.bind(data, reply)
	}
	most := l.c.cfg.limits.Message
	if most == 0 {
		most = pickleproto.DefaultMaxMessage
	}
	if l.kept += int64(len(data)); most > 0 && l.kept > most {
		return &lostError{err: &pickleproto.LimitError{Limit: "kept messages", Value: uint64(l.kept), Max: uint64(most), Offset: -1}, answered: true}
	}
	opts := append(l.c.decode[:len(l.c.decode):len(l.c.decode)], pickleproto.WithMemo(l.memo))
	v, err := pickleproto.Native.Decode(data, opts...)
	if err != nil {
		// What the answer would have put into the memo is missing from now on.
		return &lostError{err: err, answered: true}
	}
	return l.c.give(v, reply)
}

// isAnswer tells whether err is about what the peer sent, not about the connection's end.
func isAnswer(err error) bool {
	var syntax *pickleproto.SyntaxError
	var limit *pickleproto.LimitError
	var auth *transport.AuthError
	return !errors.Is(err, io.ErrUnexpectedEOF) && (errors.As(err, &syntax) || errors.As(err, &limit) || errors.As(err, &auth))
}

// protocol is only wanted by a trace.
func (l *link) protocol(data []byte) int {
	if l.c.cfg.trace == nil {
		return 0
	}
	return transport.ProtocolOf(data)
}

// close ends the connection; a call that reads from it fails.
func (l *link) close() {
	l.once.Do(func() {
		l.tc.NetConn().Close()
		l.trace(Event{Kind: Closed})
	})
}
