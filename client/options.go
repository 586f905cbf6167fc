package client

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
)

// Option changes how a Client works.
type Option func(*config)

type config struct {
	transport  transport.Transport
	codec      pickleproto.Codec
	pickle     []pickleproto.Option
	limits     pickleproto.Limits
	tls        *tls.Config
	maxConns   int
	inFlight   int
	halfClose  bool
	keepMemo   bool
	idempotent bool
	reconnect  time.Duration
	handshake  time.Duration
	dial       func(ctx context.Context, network, addr string) (net.Conn, error)
	exceptions map[string]bool
	trace      func(Event)
}

// WithTransport says where a message begins and ends; the default is transport.Raw.
func WithTransport(t transport.Transport) Option { return func(c *config) { c.transport = t } }

// WithCodec sets the codec; the default is pickleproto.Native.
func WithCodec(codec pickleproto.Codec) Option { return func(c *config) { c.codec = codec } }

// WithPickle gives options to the codec, WithProtocol for example.
func WithPickle(opts ...pickleproto.Option) Option {
	return func(c *config) { c.pickle = append(c.pickle, opts...) }
}

// WithLimits bounds what one answer may cost.
func WithLimits(l pickleproto.Limits) Option { return func(c *config) { c.limits = l } }

// WithTLS encrypts. Where cfg has no ServerName, the host of the address is what the server's
// certificate must be for.
func WithTLS(cfg *tls.Config) Option { return func(c *config) { c.tls = cfg } }

// WithMaxConns bounds the connections at a time; the default is 8. A call for which there is none
// waits.
func WithMaxConns(n int) Option { return func(c *config) { c.maxConns = max(n, 1) } }

// WithInFlight lets n requests be on the way on one connection, for a peer that reads on before
// its answer is read, and answers in order. The default is 1, which suits every peer. A call whose
// context ends takes the others on its connection with it.
func WithInFlight(n int) Option { return func(c *config) { c.inFlight = max(n, 1) } }

// WithHalfClose makes each request the only one of its connection and closes the sending side
// after it, for a peer that reads until the end of the stream before it answers.
func WithHalfClose() Option { return func(c *config) { c.halfClose = true } }

// WithIdempotent declares all calls idempotent: see Idempotent.
func WithIdempotent() Option { return func(c *config) { c.idempotent = true } }

// WithKeepMemo is for a peer that keeps one pickle.Pickler for all its answers on a connection:
// they may refer back into earlier ones, which are all kept as long as the connection. Together
// they may have no more bytes than one answer may.
func WithKeepMemo() Option { return func(c *config) { c.keepMemo = true } }

// WithReconnect bounds the time for which a call tries to connect anew to a server that it once
// was connected to, waiting 10 ms at first and 1 s at most between attempts. The default is 10 s;
// a negative value makes the first failure the last.
func WithReconnect(d time.Duration) Option { return func(c *config) { c.reconnect = d } }

// WithHandshakeTimeout bounds TLS and authkey handshakes; the default is 10 s.
func WithHandshakeTimeout(d time.Duration) Option { return func(c *config) { c.handshake = d } }

// WithDialer replaces the net.Dialer.
func WithDialer(dial func(ctx context.Context, network, addr string) (net.Conn, error)) Option {
	return func(c *config) { c.dial = dial }
}

// WithExceptions names classes, as "app.errors.Refused", whose instances are errors besides
// Python's builtin exceptions.
func WithExceptions(classes ...string) Option {
	return func(c *config) {
		for _, name := range classes {
			c.exceptions[name] = true
		}
	}
}

// WithTrace has f told of each step. It is called by the goroutine that takes the step.
func WithTrace(f func(Event)) Option { return func(c *config) { c.trace = f } }

// EventKind is a step of a conversation.
type EventKind uint8

// The steps, in the order of a conversation without errors.
const (
	Connected EventKind = iota
	Sent                // a request has been written; Bytes and Protocol say which
	Received            // an answer has arrived
	Decoded             // it has been decoded
	Closed
)

// Event is what the function of WithTrace is told.
type Event struct {
	Kind     EventKind
	Conn     int64 // counts the connections from 1
	Addr     string
	Bytes    int
	Protocol int
	Err      error
}

type idempotentKey struct{}

// Idempotent declares the calls made with the context idempotent: that the peer may serve one
// twice without harm. When a connection is lost they are sent again on a new one.
func Idempotent(ctx context.Context) context.Context {
	return context.WithValue(ctx, idempotentKey{}, true)
}
