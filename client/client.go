package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
)

// Client calls one server. It is safe for use by many goroutines.
type Client struct {
	addr    string
	network string
	cfg     config
	encode  []pickleproto.Option
	decode  []pickleproto.Option
	native  bool

	mu     sync.Mutex // guards what follows
	links  []*link    // all connections
	head   int        // headroom of the transport; set by Dial, not guarded
	closed bool
	count  int64         // connections so far
	opened int           // connections that exist or are being made
	freed  chan struct{} // closed and replaced when a link gets room or goes
}

// ErrClosed is the error of calls after Close.
var ErrClosed = errors.New("client: closed")

// ErrUnanswered is in the error of a call whose request was sent, but whose connection was lost
// before the answer came: the peer may have served it.
var ErrUnanswered = errors.New("the request was sent and may have been served")

const (
	defaultMaxConns     = 8
	defaultReconnect    = 10 * time.Second
	leastWait, mostWait = 10 * time.Millisecond, time.Second
)

// Dial connects to the server at addr, "host:port" or "unix:PATH". It fails if the server does
// not accept now; a connection that is lost later is replaced by a new one when a call needs it.
func Dial(ctx context.Context, addr string, opts ...Option) (*Client, error) {
	c := &Client{
		addr: addr, network: "tcp", freed: make(chan struct{}),
		cfg: config{
			transport: transport.Raw, codec: pickleproto.Native,
			maxConns: defaultMaxConns, inFlight: 1, reconnect: defaultReconnect, exceptions: map[string]bool{},
		},
	}
	for _, o := range opts {
		o(&c.cfg)
	}
	if len(addr) > 5 && addr[:5] == "unix:" {
		c.network, c.addr = "unix", addr[5:]
	}
	c.native = c.cfg.codec == pickleproto.Native
	c.encode = c.cfg.pickle
	c.decode = append([]pickleproto.Option{pickleproto.WithLimits(c.cfg.limits)}, c.cfg.pickle...)
	l, err := c.acquire(ctx, false)
	if err != nil {
		return nil, err
	}
	c.head = l.tc.Headroom()
	c.release(l)
	return c, nil
}

// Do connects to the server at addr, calls it once and closes the connection: Dial, Client.Do, Close.
// ctx bounds all of it.
func Do(ctx context.Context, addr string, request, reply any, opts ...Option) error {
	c, err := Dial(ctx, addr, opts...)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Do(ctx, request, reply)
}

// Do sends request and decodes the answer into what reply points to; a nil reply drops the
// answer. If the answer is an exception, Do returns a *RemoteError. An error of the connection
// wraps ErrUnanswered if the peer may have served the request.
func (c *Client) Do(ctx context.Context, request, reply any) error {
	buf, err := c.cfg.codec.Append(make([]byte, c.head, c.head+256), request, c.encode...)
	if err != nil {
		return err
	}
	again := c.cfg.idempotent || ctx.Value(idempotentKey{}) != nil
	begin, wait := time.Now(), leastWait
	for {
		l, err := c.acquire(ctx, true)
		if err != nil {
			return err
		}
		sent, err := l.call(ctx, buf, reply)
		var lost *lostError
		if !errors.As(err, &lost) {
			return err
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("client: %s: %w: %w", c.addr, context.Cause(ctx), lost.err)
		case lost.answered:
			return fmt.Errorf("client: %s: %w", c.addr, lost.err)
		case sent && !again:
			return fmt.Errorf("client: %s: %w: %w", c.addr, lost.err, ErrUnanswered)
		case time.Since(begin)+wait > c.cfg.reconnect:
			return fmt.Errorf("client: %s: %w", c.addr, lost.err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, mostWait)
	}
}

// Call is a call that Go started, as in net/rpc.
type Call struct {
	Request, Reply any
	Error          error      // valid once Done has delivered
	Done           chan *Call // receives the Call when it is over
}

// Go is Do without waiting: it returns at once, and the Call is sent on its Done channel when the
// answer has come.
func (c *Client) Go(ctx context.Context, request, reply any) *Call {
	call := &Call{Request: request, Reply: reply, Done: make(chan *Call, 1)}
	go func() {
		call.Error = c.Do(ctx, request, reply)
		call.Done <- call
	}()
	return call
}

// Close closes all connections. Calls under way fail.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.closed = true
	links := c.links
	c.links = nil
	c.wake()
	c.mu.Unlock()
	for _, l := range links {
		l.close()
	}
	return nil
}

// wake tells all who wait for a connection to look again. It is called with mu held.
func (c *Client) wake() {
	close(c.freed)
	c.freed = make(chan struct{})
}

// acquire returns a link with room for one more request: one that is there, or a new one. With
// reconnecting set, it goes on trying while the server does not accept.
func (c *Client) acquire(ctx context.Context, reconnecting bool) (*link, error) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, ErrClosed
		}
		var best *link
		for _, l := range c.links {
			if l.inFlight < c.cfg.inFlight && (best == nil || l.inFlight < best.inFlight) {
				best = l
			}
		}
		if best != nil && (best.inFlight == 0 || c.opened >= c.cfg.maxConns) {
			best.inFlight++
			busy := best.inFlight > 1
			c.mu.Unlock()
			if busy || best.alive() {
				return best, nil
			}
			best.close()
			c.drop(best)
			continue
		}
		if c.opened < c.cfg.maxConns {
			c.opened++
			c.count++
			id := c.count
			c.mu.Unlock()
			l, err := c.connect(ctx, id, reconnecting)
			c.mu.Lock()
			if err == nil && c.closed {
				err = ErrClosed
				l.close()
			}
			if err != nil {
				c.opened--
				c.wake()
				c.mu.Unlock()
				return nil, err
			}
			l.inFlight = 1
			c.links = append(c.links, l)
			c.mu.Unlock()
			return l, nil
		}
		freed := c.freed
		c.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, fmt.Errorf("client: waiting for a connection: %w", context.Cause(ctx))
		}
	}
}

// connect dials, again and again if reconnecting, until the server accepts or the time is over.
func (c *Client) connect(ctx context.Context, id int64, reconnecting bool) (*link, error) {
	begin, wait := time.Now(), leastWait
	for {
		l, err := c.dial(ctx, id)
		var auth *transport.AuthError
		if err == nil || !reconnecting || ctx.Err() != nil || errors.As(err, &auth) || time.Since(begin)+wait > c.cfg.reconnect {
			return l, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, err
		}
		wait = min(2*wait, mostWait)
	}
}

// release gives a link back after a call.
func (c *Client) release(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.inFlight--
	c.wake()
}

// drop forgets a link that has been closed.
func (c *Client) drop(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, x := range c.links {
		if x == l {
			c.links = append(c.links[:i:i], c.links[i+1:]...)
			c.opened--
			c.wake()
			return
		}
	}
}

// bind decodes an answer into what reply points to.
func (c *Client) bind(data []byte, reply any) error {
	_, isAny := reply.(*any)
	if c.native && reply != nil && !isAny && !beginsWithGlobal(data) {
		return pickleproto.Unmarshal(data, reply, c.decode...)
	}
	v, err := c.cfg.codec.Decode(data, c.decode...)
	if err != nil {
		return err
	}
	return c.give(v, reply)
}

// give binds a Python value to what reply points to.
func (c *Client) give(v, reply any) error {
	if e := c.remoteError(v); e != nil {
		return e
	}
	switch p := reply.(type) {
	case nil:
		return nil
	case *any:
		*p = v
		return nil
	}
	again, err := pickleproto.Marshal(v)
	if err != nil {
		return err
	}
	return pickleproto.Unmarshal(again, reply, c.decode...)
}

var errNoAnswer = fmt.Errorf("the peer closed the connection without an answer: %w", io.EOF)
