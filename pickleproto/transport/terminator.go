package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// Terminator is the convention of a fixed byte string behind each pickle, as fail2ban's
// b"<F2B_END_COMMAND>". The first occurrence ends the message, also one within a pickle's own
// text; so a message that holds it is not sent but refused.
func Terminator(end string) (Transport, error) {
	if end == "" {
		return nil, errors.New("transport: an empty terminator")
	}
	return terminator(end), nil
}

type terminator string

func (t terminator) String() string { return "terminator" }

func (t terminator) Server(_ context.Context, nc net.Conn, o Options) (Conn, error) {
	o.fill()
	return &terminatorConn{stream: newStream(nc, o), end: []byte(t)}, nil
}

func (t terminator) Client(ctx context.Context, nc net.Conn, o Options) (Conn, error) {
	return t.Server(ctx, nc, o)
}

type terminatorConn struct {
	stream
	end      []byte
	searched int // how much of what is pending holds no terminator
}

func (c *terminatorConn) Delimits() bool { return true }
func (c *terminatorConn) Headroom() int  { return 0 }

func (c *terminatorConn) Send(buf []byte) error {
	// Also an end that begins in the message and that the terminator completes would cut it short.
	whole := append(buf, c.end...)
	if at := bytes.Index(whole, c.end); at < len(buf) {
		return &RefusedError{fmt.Sprintf("the message holds the terminator %q at byte %d", c.end, at)}
	}
	return c.stream.Send(whole)
}

func (c *terminatorConn) Receive() (Message, error) { return c.receive(c) }

func (c *terminatorConn) Serve(handle func(Message) bool) (Message, error) {
	return c.serve(c, c, handle)
}

func (c *terminatorConn) begin() { c.searched = 0 }

func (c *terminatorConn) frame() (m Message, most uint64, ok bool, err error) {
	p := c.pending()
	if at := bytes.Index(p[c.searched:], c.end); at >= 0 {
		n := c.searched + at
		if err := c.o.tooLarge(uint64(n)); err != nil {
			return m, 0, false, err
		}
		data := p[:n:n]
		c.start += n + len(c.end)
		return Message{Data: data, Protocol: ProtocolOf(data)}, 0, true, nil
	}
	c.searched = max(0, len(p)-len(c.end)+1)
	if c.o.MaxMessage > 0 && int64(c.searched) > c.o.MaxMessage {
		return m, 0, false, &pickleproto.LimitError{
			Limit: "message", Value: uint64(c.searched), Max: uint64(c.o.MaxMessage), Offset: -1,
		}
	}
	return m, 0, false, nil
}

func (c *terminatorConn) truncated() error {
	return fmt.Errorf("transport: cut off after %d bytes, without the terminator: %w", c.stream.end-c.start, io.ErrUnexpectedEOF)
}

func (c *terminatorConn) failed(err error) (Message, error) {
	return Message{Protocol: guessedProtocol}, err
}
