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
	end []byte
}

func (c *terminatorConn) Delimits() bool { return true }
func (c *terminatorConn) Headroom() int  { return 0 }

func (c *terminatorConn) Send(buf []byte) error {
	// Also an end that begins in the message and that the terminator completes would cut it short.
	whole := append(buf, c.end...)
	if at := bytes.Index(whole, c.end); at < len(buf) {
		return &RefusedError{fmt.Sprintf("the message holds the terminator %q at byte %d", c.end, at)}
	}
	return c.write(whole)
}

func (c *terminatorConn) Receive() (Message, error) {
	data, err := c.receive()
	if err != nil {
		c.release()
		return Message{Protocol: guessedProtocol}, err
	}
	return Message{Data: data, Protocol: ProtocolOf(data)}, nil
}

func (c *terminatorConn) receive() ([]byte, error) {
	c.next()
	searched := 0
	for {
		p := c.pending()
		if at := bytes.Index(p[searched:], c.end); at >= 0 {
			n := searched + at
			if err := c.o.tooLarge(uint64(n)); err != nil {
				return nil, err
			}
			data := p[:n:n]
			c.start += n + len(c.end)
			return data, nil
		}
		searched = max(0, len(p)-len(c.end)+1)
		if c.o.MaxMessage > 0 && int64(searched) > c.o.MaxMessage {
			return nil, &pickleproto.LimitError{
				Limit: "message", Value: uint64(searched), Max: uint64(c.o.MaxMessage), Offset: -1,
			}
		}
		if err := c.fill(0); err != nil {
			if err == io.EOF && len(p) > 0 {
				return nil, fmt.Errorf("transport: cut off after %d bytes, without the terminator: %w", len(p), io.ErrUnexpectedEOF)
			}
			return nil, err
		}
	}
}
