package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"time"
)

// Multiprocessing is the convention of multiprocessing.connection, Python's Listener and Client:
// each message behind a signed 32-bit length (-1 and a 64-bit one for 2 GiB and more), after a
// mutual proof of the authkey if there is one. Source: Lib/multiprocessing/connection.py.
//
// What the Server role does suits 2.7 to 3.13 at once. An Auth without a Key means no handshake.
func Multiprocessing(a Auth) Transport { return &multiprocessing{auth: a} }

type multiprocessing struct{ auth Auth }

func (t *multiprocessing) String() string { return "multiprocessing" }

func (t *multiprocessing) Server(ctx context.Context, nc net.Conn, o Options) (Conn, error) {
	return t.open(ctx, nc, o, true)
}

func (t *multiprocessing) Client(ctx context.Context, nc net.Conn, o Options) (Conn, error) {
	return t.open(ctx, nc, o, false)
}

func (t *multiprocessing) open(ctx context.Context, nc net.Conn, o Options, server bool) (Conn, error) {
	if o.IdleTimeout == 0 {
		o.IdleTimeout = -1
	}
	o.fill()
	c := &multiprocessingConn{stream: newStream(nc, o), server: server}
	if t.auth.Key == nil {
		c.keyless = true
		return c, nil
	}
	if len(t.auth.Key) == 0 {
		return nil, errors.New("transport: an empty authkey: Pythons up to 3.12 hang with one, and it proves nothing")
	}

	// The messages of the handshake are bounded by 256 bytes each and one deadline altogether.
	c.o.MaxMessage, c.o.ReadTimeout, c.o.WriteTimeout, c.o.IdleTimeout = maxHandshakeMessage, 0, 0, 0
	deadline, bounded := ctx.Deadline()
	if o.HandshakeTimeout > 0 {
		if d := time.Now().Add(o.HandshakeTimeout); !bounded || d.Before(deadline) {
			deadline, bounded = d, true
		}
	}
	if bounded {
		_ = nc.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	err := t.auth.handshake(c, server)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.release()
		if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return nil, err
	}
	_ = nc.SetDeadline(time.Time{})
	c.o = o // what the stream has read beyond the handshake is the first message
	return c, nil
}

type multiprocessingConn struct {
	stream
	server  bool
	keyless bool // no authkey, and not one message has come yet
}

const (
	shortHeader = 4
	longHeader  = 12
)

func (c *multiprocessingConn) Delimits() bool { return true }
func (c *multiprocessingConn) Headroom() int  { return longHeader }

func (c *multiprocessingConn) Send(buf []byte) error {
	n := len(buf) - longHeader
	if n > math.MaxInt32 {
		// 3.7 and older end the connection at this form, and have none for such a message.
		binary.BigEndian.PutUint32(buf, math.MaxUint32)
		binary.BigEndian.PutUint64(buf[shortHeader:], uint64(n))
		return c.stream.Send(buf)
	}
	buf = buf[longHeader-shortHeader:]
	binary.BigEndian.PutUint32(buf, uint32(n))
	return c.stream.Send(buf)
}

func (c *multiprocessingConn) Receive() (Message, error) {
	if c.keyless && c.server && c.end == c.start {
		c.next()
		if err := c.awaitFirst(); err != nil {
			return c.ended(c, err)
		}
	}
	return c.receive(c)
}

func (c *multiprocessingConn) Serve(handle func(Message) bool) (Message, error) {
	return c.serve(c, c, handle)
}

// receiveBytes is for the handshake.
func (c *multiprocessingConn) receiveBytes() ([]byte, error) {
	m, err := c.receive(c)
	return m.Data, err
}

func (c *multiprocessingConn) begin() {}

// header returns the length of the header that is pending and the size of the message that it tells;
// 0 while there is no whole header.
func (c *multiprocessingConn) header() (length int, size uint64, err error) {
	p := c.pending()
	if len(p) < shortHeader {
		return 0, 0, nil
	}
	switch short := int32(binary.BigEndian.Uint32(p)); {
	case short >= 0:
		return shortHeader, uint64(short), nil
	case short < -1:
		return 0, 0, fmt.Errorf("transport: the negative length %d: the peer does not seem to speak multiprocessing", short)
	case len(p) < longHeader:
		return 0, 0, nil
	}
	return longHeader, binary.BigEndian.Uint64(p[shortHeader:]), nil
}

func (c *multiprocessingConn) frame() (m Message, most uint64, ok bool, err error) {
	length, size, err := c.header()
	if err != nil || length == 0 {
		return m, 0, false, err
	}
	data, most, ok, err := c.sized(length, size)
	if !ok {
		return m, most, false, err
	}
	if c.keyless {
		if !c.server && bytes.HasPrefix(data, challengePrefix) {
			return m, 0, false, &AuthError{
				Msg: "the listener sent a challenge: it has an authkey, and this side has none",
			}
		}
		c.keyless = false
	}
	return Message{Data: data, Protocol: ProtocolOf(data)}, 0, true, nil
}

func (c *multiprocessingConn) truncated() error {
	length, size, _ := c.header()
	return cutOff(c.end-c.start-length, size)
}

func (c *multiprocessingConn) failed(err error) (Message, error) {
	return Message{Protocol: guessedProtocol}, err
}

// awaitFirst waits for the first byte of a connection without authkey. A client that has one
// waits for a challenge, and both would wait for ever without a word; so a notice is given once.
func (c *multiprocessingConn) awaitFirst() error {
	if c.o.Notice == nil || c.o.HandshakeTimeout <= 0 || c.o.IdleTimeout > 0 {
		return nil
	}
	idle := c.o.IdleTimeout
	c.o.IdleTimeout = c.o.HandshakeTimeout
	err := c.fill(0)
	c.o.IdleTimeout = idle
	var timeout *TimeoutError
	if errors.As(err, &timeout) {
		c.o.Notice(fmt.Sprintf("silent for %v since it connected: if it has an authkey it waits for a challenge, and this side has no authkey", c.o.HandshakeTimeout))
		return nil
	}
	return err
}
