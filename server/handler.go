package server

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// Handler answers requests. ServePickle is called by one goroutine a connection, so by many at
// once. The value that it returns is the answer: a Python value of pickleproto, or anything that
// pickleproto.Marshal takes. An error becomes a pickled exception, see Exception. The context
// ends when the Server is closed, or has waited long enough in Shutdown.
type Handler interface {
	ServePickle(ctx context.Context, req *Request) (any, error)
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, req *Request) (any, error)

// ServePickle calls f.
func (f HandlerFunc) ServePickle(ctx context.Context, req *Request) (any, error) { return f(ctx, req) }

// Request is one message. It is valid until the handler returns, and not to be shared with
// another goroutine before.
type Request struct {
	// Protocol is the pickle protocol of the request, and of the answer.
	Protocol int

	// Raw is the message as it arrived. It must not be changed or kept.
	Raw []byte

	// RemoteAddr is the peer's address.
	RemoteAddr net.Addr

	conn      *conn
	decodeErr error
	decoded   any // what value decodes into, which else would be allocated
}

// Decode decodes the request into what v points to: a Python value into *any, else as
// pickleproto.Unmarshal. It may be called more than once. Its error may be returned by the
// handler as it is: the peer is then told what is wrong with its message.
func (r *Request) Decode(v any) error {
	err := r.conn.decode(r.Raw, v)
	r.decodeErr = err
	r.conn.trace(Event{Kind: Decoded, Bytes: len(r.Raw), Protocol: r.Protocol, Err: err})
	return err
}

// value decodes the request into a Python value.
func (r *Request) value() (any, error) {
	err := r.Decode(&r.decoded)
	v := r.decoded
	r.decoded = nil
	return v, err
}

// Typed makes a Handler of a function of Go types: the request is bound to an In, the Out is the
// answer.
func Typed[In, Out any](f func(context.Context, In) (Out, error)) Handler {
	return HandlerFunc(func(ctx context.Context, req *Request) (any, error) {
		var in In
		if err := req.Decode(&in); err != nil {
			return nil, err
		}
		out, err := f(ctx, in)
		if err != nil {
			return nil, err
		}
		return out, nil
	})
}

// Echo answers with the value that it was sent. It decodes and encodes.
var Echo Handler = HandlerFunc(func(_ context.Context, req *Request) (any, error) {
	return req.value()
})

// errEmpty is what a counted message of no bytes is to pickle.loads: EOFError.
var errEmpty = fmt.Errorf("pickle: an empty message: %w", io.ErrUnexpectedEOF)

// decode is Request.Decode for this connection's codec and options.
func (c *conn) decode(raw []byte, v any) error {
	p, isAny := v.(*any)
	if c.srv.KeepMemo {
		return c.kept.bind(v, c.srv.dopts)
	}
	if c.srv.native {
		// A counted message may be longer than its pickle: pickle.loads ignores what follows.
		_, err := c.srv.decode.UnmarshalFirst(raw, v)
		if err == io.EOF {
			err = errEmpty
		}
		return err
	}
	x, err := c.srv.codec.Decode(raw, c.srv.dopts...)
	if err != nil {
		return err
	}
	if isAny {
		*p = x
		return nil
	}
	// Another codec knows Python values only; binding them to Go types is pickleproto's.
	again, err := pickleproto.Marshal(x)
	if err != nil {
		return err
	}
	return pickleproto.Unmarshal(again, v, c.srv.dopts...)
}
