package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
)

// Server serves connections. Its fields are not to be changed once Serve has been called. The
// zero value of every field but Handler is a good one; of limits and timeouts 0 is the default
// and a negative value none.
type Server struct {
	// Handler answers the requests.
	Handler Handler

	// ServeConn, if not nil, takes the place of Handler: it is called once for each connection, after
	// the handshakes, and holds the whole conversation by itself. When it returns, the connection is
	// closed; an error is logged. Its context ends with the connection's, or when the Server is
	// closed. After Shutdown c.Receive returns transport.ErrInterrupted between two messages.
	ServeConn func(ctx context.Context, c transport.Conn) error

	// Transport says where a message begins and ends; nil is transport.Raw.
	Transport transport.Transport

	// Codec decodes and encodes; nil is pickleproto.Native.
	Codec pickleproto.Codec

	// Options are given to the codec. WithProtocol among them makes all answers that protocol's.
	Options []pickleproto.Option

	// Limits bound what one message may cost. Limits.Message bounds the transport as well.
	Limits pickleproto.Limits

	// Budget bounds the memory of all messages together; nil is no bound.
	Budget *pickleproto.Budget

	ReadTimeout      time.Duration // for a whole message; default 30 s
	WriteTimeout     time.Duration // for a whole message; default 30 s
	IdleTimeout      time.Duration // between messages; default 5 min, none with multiprocessing
	HandshakeTimeout time.Duration // TLS and authkey; default 10 s
	DrainTimeout     time.Duration // of the Shutdown when Serve's context ends; default 10 s

	MaxConns        int // connections at a time; default 10,000
	MaxConnsPerAddr int // from one IP address at a time; default none

	// CloseOnError closes the connection where otherwise an exception would be the answer.
	CloseOnError bool

	// KeepAnswerMemo is for a peer that keeps one pickle.Unpickler: each answer is written as by a
	// Pickler that is kept as long as the connection. Answers are written by pickleproto.Native then.
	KeepAnswerMemo bool

	// KeepMemo is for a peer that keeps one pickle.Pickler and never clears its memo: what it
	// sends may refer back into earlier messages of its connection. All messages of a connection
	// are kept then, so together they may have no more bytes than Limits.Message. Requests are
	// decoded by pickleproto.Native, whether or not the handler asks for it.
	KeepMemo bool

	// Once serves one connection, and of that one message; then Serve returns nil.
	Once bool

	// Log gets a record for each connection that fails and each handler that panics; nil is
	// slog.Default().
	Log *slog.Logger

	// Trace, if not nil, is told of every step of every connection, by the connection's goroutine.
	Trace func(Event)

	setup  sync.Once
	codec  pickleproto.Codec
	native bool
	log    *slog.Logger
	opts   [pickleproto.HighestProtocol + 1][]pickleproto.Option  // of encoding, by protocol
	writes [pickleproto.HighestProtocol + 1]int                   // the protocol really written
	dopts  []pickleproto.Option                                   // of decoding
	encode [pickleproto.HighestProtocol + 1]*pickleproto.Prepared // the same, worked out
	decode *pickleproto.Prepared
	count  atomic.Int64

	mu        sync.Mutex // guards what follows
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	perAddr   map[string]int
	refusing  int           // refused connections that are being told so
	stopping  bool          // Shutdown or Close was called
	idle      chan struct{} // closed when stopping, and the last listener and connection have gone
	base      context.Context
	cancel    context.CancelFunc
}

// ErrServerClosed is what Serve returns after Shutdown or Close, and at the end of its context.
var ErrServerClosed = errors.New("server: closed")

const (
	defaultDrainTimeout = 10 * time.Second
	defaultMaxConns     = 10_000

	// Shutdown waits this long for the request of a connection that has made none yet, and for
	// the next one of a connection that has: what is under way is not lost. A connection that
	// sends on and on is closed between an answer and the next request after lastGrace.
	firstGrace, nextGrace, lastGrace = time.Second, 100 * time.Millisecond, time.Second

	// backlogGrace is how long Shutdown goes on accepting, for the connections that the kernel
	// has accepted already: closing the listener would reset them.
	backlogGrace = 20 * time.Millisecond

	maxRefusing = 64
)

func (s *Server) init() {
	s.setup.Do(func() {
		s.codec, s.log = s.Codec, s.Log
		if s.codec == nil {
			s.codec = pickleproto.Native
		}
		s.native = s.codec == pickleproto.Native
		if s.log == nil {
			s.log = slog.Default()
		}
		s.dopts = append([]pickleproto.Option{pickleproto.WithLimits(s.Limits), pickleproto.WithBudget(s.Budget)}, s.Options...)
		s.decode = pickleproto.Prepare(s.dopts...)
		for p := range s.opts {
			s.opts[p] = append([]pickleproto.Option{pickleproto.WithProtocol(p), pickleproto.WithLimits(s.Limits), pickleproto.WithBudget(s.Budget)}, s.Options...)
			s.encode[p] = pickleproto.Prepare(s.opts[p]...)
			s.writes[p] = p
			// Options may say another protocol; an empty tuple shows it from 1 up.
			if b, err := pickleproto.Marshal(pickleproto.Tuple{}, s.opts[p]...); err == nil {
				s.writes[p] = transport.ProtocolOf(b)
			}
		}
		s.mu.Lock()
		s.listeners = map[net.Listener]struct{}{}
		s.conns = map[*conn]struct{}{}
		s.perAddr = map[string]int{}
		s.idle = make(chan struct{})
		s.base, s.cancel = context.WithCancel(context.Background())
		s.mu.Unlock()
	})
}

func orDefault[T int | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return max(v, 0)
}

func (s *Server) transport() transport.Transport {
	if s.Transport == nil {
		return transport.Raw
	}
	return s.Transport
}

// Serve accepts connections from ln until Shutdown or Close is called, or ctx ends, which shuts
// down within DrainTimeout. It then returns ErrServerClosed, and ln is closed. It may be called
// for several listeners. A handler's context has ctx's values, not its end.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	if s.Handler == nil && s.ServeConn == nil {
		return errors.New("server: no Handler")
	}
	s.init()
	defer ln.Close()
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.listeners[ln] = struct{}{}
	s.mu.Unlock()

	drained := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(drained)
		drain, cancel := context.Background(), context.CancelFunc(func() {})
		if d := orDefault(s.DrainTimeout, defaultDrainTimeout); d > 0 {
			drain, cancel = context.WithTimeout(drain, d)
		}
		defer cancel()
		_ = s.Shutdown(drain)
	})
	// One context for all connections: handlers see the server's end, not that of ctx.
	handlers, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(s.base, cancel)
	err := s.accept(handlers, ln)
	// Before waiting for Shutdown, which waits for the listeners.
	s.mu.Lock()
	delete(s.listeners, ln)
	s.checkIdle()
	s.mu.Unlock()
	if !stop() {
		<-drained
	}
	return err
}

// ListenAndServe listens on addr, "host:port", and serves h there as a Server with all defaults: see
// Server.Serve for what it returns. Whoever reaches the address may use it; for encryption, an
// authkey, a Unix socket, a transport of its own there are the fields of Server, and Serve.
func ListenAndServe(ctx context.Context, addr string, h Handler) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	return (&Server{Handler: h}).Serve(ctx, ln)
}

func (s *Server) accept(ctx context.Context, ln net.Listener) error {
	var backoff time.Duration
	for {
		nc, err := ln.Accept()
		if err != nil {
			s.mu.Lock()
			stopping := s.stopping
			s.mu.Unlock()
			if stopping {
				return ErrServerClosed
			}
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("server: accept: %w", err)
			}
			// Most often the process has no descriptor left. To try again at once would only spin.
			backoff = min(max(2*backoff, 5*time.Millisecond), time.Second)
			s.log.Error("cannot accept", "err", err, "retry", backoff)
			select {
			case <-time.After(backoff):
			case <-s.base.Done():
			}
			continue
		}
		backoff = 0
		c := s.admit(ctx, nc)
		switch {
		case c == nil:
		case s.Once:
			ln.Close()
			c.serve()
			return nil
		default:
			go c.serve()
		}
	}
}

// admit makes a conn of nc; if there are too many connections it refuses nc and returns nil.
func (s *Server) admit(ctx context.Context, nc net.Conn) *conn {
	c := &conn{srv: s, ctx: ctx, nc: nc, remote: nc.RemoteAddr()}
	c.addr = host(c.remote)
	s.mu.Lock()
	full := ""
	if most := orDefault(s.MaxConns, defaultMaxConns); most > 0 && len(s.conns) >= most {
		full = fmt.Sprintf("the server is full: it serves %d connections", most)
	} else if s.MaxConnsPerAddr > 0 && s.perAddr[c.addr] >= s.MaxConnsPerAddr {
		full = fmt.Sprintf("too many connections from %s: %d", c.addr, s.MaxConnsPerAddr)
	}
	if full == "" {
		s.conns[c] = struct{}{}
		s.perAddr[c.addr]++
		c.id = s.count.Add(1)
		s.mu.Unlock()
		return c
	}
	tell := s.refusing < maxRefusing
	if tell {
		s.refusing++
	}
	s.mu.Unlock()
	s.log.Warn("connection refused", "remote", nc.RemoteAddr(), "reason", full)
	if !tell {
		nc.Close()
		return nil
	}
	go func() {
		c.refuse(full)
		s.mu.Lock()
		s.refusing--
		s.mu.Unlock()
	}()
	return nil
}

// done is called by a connection's goroutine at its end.
func (s *Server) done(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.perAddr[c.addr]--; s.perAddr[c.addr] <= 0 {
		delete(s.perAddr, c.addr)
	}
	s.checkIdle()
}

// checkIdle closes idle when nothing is left to wait for. It is called with mu held.
func (s *Server) checkIdle() {
	if !s.stopping || len(s.conns) > 0 || len(s.listeners) > 0 {
		return
	}
	select {
	case <-s.idle:
	default:
		close(s.idle)
	}
}

// Shutdown stops accepting and waits until every request that has arrived is answered; then it
// closes the connections. When ctx ends first, it closes them at once and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.init()
	s.mu.Lock()
	if !s.stopping {
		s.stopping = true
		for ln := range s.listeners {
			if d, ok := ln.(interface{ SetDeadline(time.Time) error }); ok && d.SetDeadline(time.Now().Add(backlogGrace)) == nil {
				continue // Accept takes what waits, then fails
			}
			ln.Close()
		}
	}
	for c := range s.conns {
		c.interrupt()
	}
	s.checkIdle()
	s.mu.Unlock()

	select {
	case <-ctx.Done():
		s.Close()
		return ctx.Err()
	case <-s.idle:
		s.cancel()
		return nil
	}
}

// Close closes the listeners and all connections at once, and ends the handlers' contexts.
func (s *Server) Close() error {
	s.init()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	s.cancel()
	for ln := range s.listeners {
		ln.Close()
	}
	for c := range s.conns {
		c.abort()
	}
	return nil
}

// host is what MaxConnsPerAddr counts by.
func host(a net.Addr) string {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.IP.String()
	case nil:
		return ""
	}
	return a.String()
}

// handshake completes TLS, if nc speaks it, within the handshake's time.
func (s *Server) handshake(ctx context.Context, nc net.Conn) error {
	t, ok := nc.(*tls.Conn)
	if !ok {
		return nil
	}
	if d := orDefault(s.HandshakeTimeout, transport.DefaultHandshakeTimeout); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	err := t.HandshakeContext(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("server: TLS handshake: %w", os.ErrDeadlineExceeded)
	}
	if err != nil {
		return fmt.Errorf("server: TLS handshake: %w", err)
	}
	return nil
}
