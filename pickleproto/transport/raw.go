package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Raw is the convention of sock.sendall(pickle.dumps(x)): the pickle and nothing else. Its STOP
// opcode ends the message, so after a message that is not a pickle the stream is lost.
var Raw Transport = raw{}

type raw struct{}

func (raw) String() string { return "raw" }

func (raw) Server(_ context.Context, nc net.Conn, o Options) (Conn, error) { return newRaw(nc, o), nil }
func (raw) Client(_ context.Context, nc net.Conn, o Options) (Conn, error) { return newRaw(nc, o), nil }

type rawConn struct {
	stream
	scan wire.Scanner
}

func newRaw(nc net.Conn, o Options) Conn {
	o.fill()
	c := &rawConn{stream: newStream(nc, o)}
	c.scan.MaxMessage = o.MaxMessage
	return c
}

func (c *rawConn) Delimits() bool { return false }
func (c *rawConn) Headroom() int  { return 0 }

// Receive returns the next pickle. If what arrives is no pickle, the error is a
// *pickleproto.SyntaxError or a *pickleproto.LimitError; then, too, Message.Protocol is that of
// the opcodes that were understood, in which the peer can be told.
func (c *rawConn) Receive() (Message, error) { return c.receive(c) }

func (c *rawConn) Serve(handle func(Message) bool) (Message, error) { return c.serve(c, c, handle) }

func (c *rawConn) begin() {
	if c.scan.Offset() > 0 {
		c.scan.Reset()
	}
}

func (c *rawConn) frame() (m Message, most uint64, ok bool, err error) {
	scanned := int(c.scan.Offset())
	if p := c.pending()[scanned:]; len(p) > 0 {
		n, done, err := c.scan.Scan(p)
		scanned += n
		if err != nil {
			return m, 0, false, fromWire(err)
		}
		if done {
			m = Message{Data: c.buf[c.start : c.start+scanned : c.start+scanned], Protocol: c.scan.Protocol()}
			c.start += scanned
			return m, 0, true, nil
		}
	}
	// The size of the message is not known. What the opcode at hand needs helps when it is
	// large; a buffer that grew by each small opcode would be copied for each of them.
	most = uint64(scanned) + uint64(c.scan.Need())
	if most < uint64(len(c.buf))*3/2 {
		most = 0
	}
	return m, most, false, nil
}

func (c *rawConn) truncated() error { return truncated(c.scan.Truncated(), c.end-c.start) }

func (c *rawConn) failed(err error) (Message, error) {
	return Message{Protocol: c.scan.Protocol()}, err
}

// fromWire makes an error of the scanner one of pickleproto's.
func fromWire(err error) error {
	var limit *wire.LimitError
	if errors.As(err, &limit) {
		e := &pickleproto.LimitError{Limit: "message", Value: limit.Value, Max: limit.Max, Offset: limit.Offset}
		if limit.HasOp {
			e.Opcode = wire.Name(limit.Op)
		}
		return e
	}
	var syntax *wire.Error
	if errors.As(err, &syntax) {
		e := &pickleproto.SyntaxError{Offset: syntax.Offset, Msg: syntax.Msg}
		if syntax.HasOp {
			e.Opcode = wire.Name(syntax.Op)
		}
		return e
	}
	return err
}

// truncated says where the stream ended, as well as which opcode lacks its argument.
func truncated(err *wire.Error, received int) error {
	e := fromWire(err).(*pickleproto.SyntaxError)
	e.Err = io.ErrUnexpectedEOF
	e.Msg = fmt.Sprintf("cut off after byte %d: %s", received, e.Msg)
	return e
}

// ProtocolOf returns the protocol in which the pickle data is written and is to be answered:
// PROTO's argument, but not less than the highest protocol among the opcodes; without PROTO, 1 if
// any opcode is newer than protocol 0, else 0. If data is no pickle, what comes before the fault
// counts.
func ProtocolOf(data []byte) int {
	s := wire.Scanner{MaxMessage: -1, LaxFrames: true}
	_, _, _ = s.Scan(data)
	return s.Protocol()
}
