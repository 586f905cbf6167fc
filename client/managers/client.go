package managers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/picklebridge/picklebridge/client"
	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
)

// Option changes how a Client works.
type Option func(*config)

type config struct {
	auth      transport.Auth
	protocol  int
	limits    pickleproto.Limits
	pickle    []pickleproto.Option
	maxIdle   int
	handshake time.Duration
	dial      func(ctx context.Context, network, addr string) (net.Conn, error)
}

// WithAuth says more about the authkey than Dial's key.
func WithAuth(a transport.Auth) Option { return func(c *config) { c.auth = a } }

// WithProtocol sets the pickle protocol of the requests. The default is 2, which every Python
// reads.
func WithProtocol(p int) Option { return func(c *config) { c.protocol = p } }

// WithLimits bounds what one answer may cost.
func WithLimits(l pickleproto.Limits) Option { return func(c *config) { c.limits = l } }

// WithPickle gives options to the codec: classes, for example.
func WithPickle(opts ...pickleproto.Option) Option {
	return func(c *config) { c.pickle = append(c.pickle, opts...) }
}

// WithMaxIdle bounds the connections that are kept for the next call; the default is 8.
func WithMaxIdle(n int) Option { return func(c *config) { c.maxIdle = max(n, 0) } }

// WithHandshakeTimeout bounds the handshake of a connection; the default is 10 s.
func WithHandshakeTimeout(d time.Duration) Option { return func(c *config) { c.handshake = d } }

// WithDialer replaces the net.Dialer.
func WithDialer(dial func(ctx context.Context, network, addr string) (net.Conn, error)) Option {
	return func(c *config) { c.dial = dial }
}

// Client calls the objects of one manager. It is safe for use by many goroutines: each call under
// way has a connection of its own, as each thread of a Python client has.
type Client struct {
	cfg           config
	network, addr string
	encode        []pickleproto.Option
	decode        []pickleproto.Option

	mu     sync.Mutex // guards what follows
	idle   []transport.Conn
	open   map[transport.Conn]struct{}
	held   map[*Proxy]struct{}
	closed bool
}

// Dial makes sure that a manager serves at addr, "host:port" or "unix:PATH", and that it has the
// authkey. Its context bounds that alone.
func Dial(ctx context.Context, addr string, key []byte, opts ...Option) (*Client, error) {
	c := &Client{
		cfg:     config{auth: transport.Auth{Key: key}, protocol: 2, maxIdle: 8},
		network: "tcp", addr: addr,
		open: map[transport.Conn]struct{}{}, held: map[*Proxy]struct{}{},
	}
	for _, o := range opts {
		o(&c.cfg)
	}
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		c.network, c.addr = "unix", path
	}
	c.encode = append([]pickleproto.Option{pickleproto.WithProtocol(c.cfg.protocol)}, c.cfg.pickle...)
	c.decode = append([]pickleproto.Option{pickleproto.WithLimits(c.cfg.limits)}, c.cfg.pickle...)
	if _, err := c.request(ctx, "dummy", nil, nil); err != nil {
		return nil, err
	}
	return c, nil
}

// Close releases the proxies that are left, for which it takes at most two seconds, and closes all
// connections; calls under way fail.
func (c *Client) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	c.mu.Lock()
	held := make([]*Proxy, 0, len(c.held))
	for p := range c.held {
		held = append(held, p)
	}
	c.mu.Unlock()
	var first error
	for _, p := range held {
		if err := p.Release(ctx); err != nil && first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for tc := range c.open {
		tc.NetConn().Close()
	}
	c.idle = nil
	return first
}

// connect makes a connection, with its handshake.
func (c *Client) connect(ctx context.Context) (transport.Conn, error) {
	dial := c.cfg.dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	nc, err := dial(ctx, c.network, c.addr)
	if err != nil {
		return nil, &client.ConnectError{Addr: c.addr, Err: err}
	}
	tc, err := transport.Multiprocessing(c.cfg.auth).Client(ctx, nc, transport.Options{
		MaxMessage: c.cfg.limits.Message, HandshakeTimeout: c.cfg.handshake,
		// The deadlines of a call are those of its context.
		ReadTimeout: -1, WriteTimeout: -1, IdleTimeout: -1,
	})
	if err != nil {
		nc.Close()
		return nil, &client.ConnectError{Addr: c.addr, Err: err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		nc.Close()
		return nil, client.ErrClosed
	}
	c.open[tc] = struct{}{}
	return tc, nil
}

func (c *Client) drop(tc transport.Conn) {
	tc.NetConn().Close()
	tc.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, tc)
}

// thread returns a connection for the calls of objects.
func (c *Client) thread(ctx context.Context) (transport.Conn, error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		tc := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return tc, nil
	}
	c.mu.Unlock()
	tc, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.exchange(ctx, tc, nil, "accept_connection", []any{pickleproto.ByteString("Go")}, nil); err != nil {
		c.drop(tc)
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		c.drop(tc)
		return nil, err
	}
	return tc, nil
}

// giveBack keeps the connection for the next call.
func (c *Client) giveBack(tc transport.Conn) {
	c.mu.Lock()
	if !c.closed && len(c.idle) < c.cfg.maxIdle {
		c.idle = append(c.idle, tc)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.drop(tc)
}

// answer is what came back.
type answer struct {
	kind  string
	value any
}

// lostError is an error after which the connection is of no more use.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// exchange sends a request and returns what it is answered with: an answer, or a *lostError.
func (c *Client) exchange(ctx context.Context, tc transport.Conn, ident any, method string, args []any, kwds map[string]any) (answer, error) {
	var named any = pickleproto.NewDict()
	if len(kwds) > 0 {
		named = kwds
	}
	if args == nil {
		args = []any{}
	}
	buf, err := pickleproto.AppendMarshal(make([]byte, tc.Headroom(), 256),
		pickleproto.Tuple{ident, pickleproto.ByteString(method), pickleproto.Tuple(args), named}, c.encode...)
	if err != nil {
		return answer{}, err
	}
	// What the context does to the deadlines cannot be taken back safely: once it has ended, the
	// connection is dropped.
	stop := context.AfterFunc(ctx, func() { _ = tc.NetConn().SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return c.roundTrip(ctx, tc, buf)
}

func (c *Client) roundTrip(ctx context.Context, tc transport.Conn, buf []byte) (answer, error) {
	if err := tc.Send(buf); err != nil {
		var refused *transport.RefusedError
		if errors.As(err, &refused) {
			return answer{}, err
		}
		return answer{}, &lostError{c.because(ctx, err)}
	}
	m, err := tc.Receive()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return answer{}, &lostError{fmt.Errorf("managers: no answer: %w: %w", client.ErrUnanswered, c.because(ctx, err))}
	}
	x, err := pickleproto.Native.Decode(m.Data, c.decode...)
	if err != nil {
		return answer{}, &lostError{fmt.Errorf("managers: bad answer: %w", err)}
	}
	t, ok := x.(pickleproto.Tuple)
	if !ok || len(t) != 2 {
		return answer{}, &lostError{errors.New("managers: the answer is no pair of kind and value: is this a manager?")}
	}
	kind, ok := text(t[0])
	if !ok {
		return answer{}, &lostError{errors.New("managers: the answer is of no kind: is this a manager?")}
	}
	return answer{kind, t[1]}, nil
}

// because adds the cause of the context's end, which is why a deadline was met.
func (c *Client) because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// request asks the server itself, on a connection of its own.
func (c *Client) request(ctx context.Context, method string, args []any, kwds map[string]any) (any, error) {
	tc, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.drop(tc)
	a, err := c.exchange(ctx, tc, nil, method, args, kwds)
	if err != nil {
		return nil, err
	}
	if a.kind != "#RETURN" {
		return nil, failure(a)
	}
	return a.value, nil
}

// call calls an object's method.
func (c *Client) call(ctx context.Context, s *Session, id, method string, args []any, kwds map[string]any) (answer, error) {
	tc, err := s.take(ctx, c)
	if err != nil {
		return answer{}, err
	}
	a, err := c.exchange(ctx, tc, pickleproto.ByteString(id), method, args, kwds)
	var lost *lostError
	if errors.As(err, &lost) || ctx.Err() != nil {
		c.drop(tc)
		s.lose()
		return a, err
	}
	s.give(c, tc)
	return a, err
}

// Session is one thread of the client's in the eyes of the manager: locks that know their owner
// (RLock, Condition) take all calls through one Session for those of one. Calls through it wait
// for each other.
type Session struct {
	c *Client

	mu sync.Mutex // held during a call
	tc transport.Conn
}

// NewSession returns a Session; its connection is made by its first call.
func (c *Client) NewSession() *Session { return &Session{c: c} }

// Close gives the Session's connection up, as a thread that ends.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tc != nil {
		s.c.drop(s.tc)
		s.tc = nil
	}
}

func (s *Session) take(ctx context.Context, c *Client) (tc transport.Conn, err error) {
	if s == nil {
		return c.thread(ctx)
	}
	s.mu.Lock()
	if s.tc == nil {
		if s.tc, err = c.thread(ctx); err != nil {
			s.tc = nil
			s.mu.Unlock()
			return nil, err
		}
	}
	return s.tc, nil
}

func (s *Session) give(c *Client, tc transport.Conn) {
	if s == nil {
		c.giveBack(tc)
		return
	}
	s.mu.Unlock()
}

func (s *Session) lose() {
	if s != nil {
		s.tc = nil
		s.mu.Unlock()
	}
}

// Error is an error that the manager answered with.
type Error struct {
	// Exception is what a Python client would see raised: the method's own exception, or
	// multiprocessing.managers.RemoteError.
	Exception *pickleproto.Exception

	// Traceback is the text of the traceback, where the manager sent one.
	Traceback string
}

// Error is the last line of a Python traceback.
func (e *Error) Error() string {
	lines := strings.Split(strings.TrimSpace(e.Traceback), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return last
	}
	return e.Exception.Error()
}

// Unwrap returns Exception.
func (e *Error) Unwrap() error { return e.Exception }

// failure is the error of an answer that is no result.
func failure(a answer) error {
	switch a.kind {
	case "#ERROR":
		any := func(pickleproto.Global) bool { return true }
		e, ok := pickleproto.ExceptionOf(a.value, any)
		if !ok {
			return &Error{Exception: pickleproto.NewException("RuntimeError", "the manager raised "+clip(pickleproto.Repr(a.value)))}
		}
		if e.Class.Module == "_queue" { // where queue.Empty is made since 3.7
			e.Class.Module = "queue"
		}
		err := &Error{Exception: e}
		if cause, ok := e.Cause.(*pickleproto.Exception); ok {
			err.Traceback = cause.Text() // where a pool has passed the exception on
		}
		return err
	case "#TRACEBACK", "#UNSERIALIZABLE":
		trace, ok := text(a.value)
		if !ok {
			return fmt.Errorf("managers: the answer %s has no text", a.kind)
		}
		what := trace
		if a.kind == "#UNSERIALIZABLE" {
			what = "Unserializable message: " + trace + "\n"
		}
		return &Error{Exception: pickleproto.NewException("multiprocessing.managers.RemoteError", what), Traceback: trace}
	}
	return fmt.Errorf("managers: the answer is of the unknown kind %q", clip(a.kind))
}

// text returns the text of a Python str, of Python 2 or 3.
func text(x any) (string, bool) {
	switch x := x.(type) {
	case string:
		return x, true
	case pickleproto.ByteString:
		return string(x), true
	}
	return "", false
}

func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "..."
	}
	return s
}
