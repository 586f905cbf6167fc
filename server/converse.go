package server

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto/transport"
)

// converse leaves the connection to ServeConn.
func (c *conn) converse(ctx context.Context, tc transport.Conn) {
	err := c.srv.ServeConn(ctx, &conversation{tc, c})
	switch {
	case err == nil || errors.Is(err, io.EOF):
	case errors.Is(err, transport.ErrInterrupted):
		c.linger(tc, nextGrace)
		return
	default:
		c.logEnd("connection ended", err)
		if isGone(err) {
			return
		}
	}
	c.linger(tc, lingerTime)
}

// conversation is a Conn that keeps the trace, and what Shutdown wants to know.
type conversation struct {
	transport.Conn
	c *conn
}

func (v *conversation) Receive() (transport.Message, error) {
	if v.late() {
		return transport.Message{}, transport.ErrInterrupted
	}
	m, err := v.Conn.Receive()
	if err == nil {
		v.received(m)
	}
	return m, err
}

// late reports whether no further message is to be read.
func (v *conversation) late() bool {
	until := v.c.until.Load()
	return until != 0 && time.Now().UnixNano() > until
}

func (v *conversation) received(m transport.Message) {
	v.c.answered.Store(true) // there may never be an answer; what counts is that it has spoken
	v.c.trace(Event{Kind: Received, Bytes: len(m.Data), Protocol: m.Protocol})
}

func (v *conversation) Serve(handle func(transport.Message) bool) (transport.Message, error) {
	if v.late() {
		return transport.Message{}, transport.ErrInterrupted
	}
	interrupted := false
	m, err := transport.Serve(v.Conn, func(m transport.Message) bool {
		v.received(m)
		if !handle(m) {
			return false
		}
		interrupted = v.late()
		return !interrupted
	})
	if err == nil && interrupted {
		err = transport.ErrInterrupted
	}
	return m, err
}

func (v *conversation) Send(buf []byte) error {
	n := len(buf) - v.Headroom()
	err := v.Conn.Send(buf)
	if err == nil && v.c.srv.Trace != nil {
		v.c.trace(Event{Kind: Answered, Bytes: n, Protocol: transport.ProtocolOf(buf[v.Headroom():])})
	}
	return err
}
