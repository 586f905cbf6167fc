package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
)

// Messages behind their length, as Python writes it with struct.pack or as text.
var (
	U32BE   Transport = &counted{"u32be", 4, getU32(binary.BigEndian), putU32(binary.BigEndian), 1<<32 - 1}       // ">I" "!I" "!L"
	U64BE   Transport = &counted{"u64be", 8, getU64(binary.BigEndian), putU64(binary.BigEndian), 1<<63 - 1}       // ">Q"
	U32LE   Transport = &counted{"u32le", 4, getU32(binary.LittleEndian), putU32(binary.LittleEndian), 1<<32 - 1} // "<I"
	U64LE   Transport = &counted{"u64le", 8, getU64(binary.LittleEndian), putU64(binary.LittleEndian), 1<<63 - 1} // "<Q", native "Q", "L"
	ASCII10 Transport = &counted{"ascii10", 10, getASCII, putASCII, 9_999_999_999}                                // f"{n:<10}"
	ASCII64 Transport = &counted{"ascii64", 64, getASCII, putASCII, 1<<63 - 1}                                    // f"{n:<64}"
)

// counted is immutable.
type counted struct {
	name   string
	header int
	get    func(header []byte) (uint64, error)
	put    func(header []byte, n uint64)
	most   uint64 // the largest length that the header can say
}

func (t *counted) String() string { return t.name }

func (t *counted) Server(_ context.Context, nc net.Conn, o Options) (Conn, error) {
	o.fill()
	return &countedConn{stream: newStream(nc, o), t: t}, nil
}

func (t *counted) Client(ctx context.Context, nc net.Conn, o Options) (Conn, error) {
	return t.Server(ctx, nc, o)
}

type countedConn struct {
	stream
	t *counted
}

func (c *countedConn) Delimits() bool { return true }
func (c *countedConn) Headroom() int  { return c.t.header }

func (c *countedConn) Send(buf []byte) error {
	n := uint64(len(buf) - c.t.header)
	if n > c.t.most {
		return &RefusedError{fmt.Sprintf("a message of %d bytes is too large for %s", n, c.t.name)}
	}
	c.t.put(buf[:c.t.header], n)
	return c.stream.Send(buf)
}

func (c *countedConn) Receive() (Message, error) { return c.receive(c) }

func (c *countedConn) Serve(handle func(Message) bool) (Message, error) { return c.serve(c, c, handle) }

func (c *countedConn) begin() {}

func (c *countedConn) frame() (m Message, most uint64, ok bool, err error) {
	p := c.pending()
	if len(p) < c.t.header {
		return m, 0, false, nil
	}
	n, err := c.t.get(p[:c.t.header])
	if err != nil {
		return m, 0, false, err
	}
	data, most, ok, err := c.sized(c.t.header, n)
	if ok {
		m = Message{Data: data, Protocol: ProtocolOf(data)}
	}
	return m, most, ok, err
}

func (c *countedConn) truncated() error {
	p := c.pending()
	if len(p) < c.t.header {
		return cutOff(len(p), 0)
	}
	n, _ := c.t.get(p[:c.t.header])
	return cutOff(len(p)-c.t.header, n)
}

func (c *countedConn) failed(err error) (Message, error) {
	return Message{Protocol: guessedProtocol}, err
}

// guessedProtocol is the protocol in which a peer is told of a message that was not read. Every
// Python reads it.
const guessedProtocol = 2

func getU32(o binary.ByteOrder) func([]byte) (uint64, error) {
	return func(h []byte) (uint64, error) { return uint64(o.Uint32(h)), nil }
}

func putU32(o binary.ByteOrder) func([]byte, uint64) {
	return func(h []byte, n uint64) { o.PutUint32(h, uint32(n)) }
}

func getU64(o binary.ByteOrder) func([]byte) (uint64, error) {
	return func(h []byte) (uint64, error) { return o.Uint64(h), nil }
}

func putU64(o binary.ByteOrder) func([]byte, uint64) { return o.PutUint64 }

// getASCII reads a decimal number padded with spaces, on whichever side, as int() does. A number
// that no uint64 holds is returned as the largest one, which exceeds every limit.
func getASCII(h []byte) (uint64, error) {
	digits := bytes.Trim(h, " ")
	for _, c := range digits {
		if c < '0' || c > '9' {
			digits = nil
			break
		}
	}
	if len(digits) == 0 {
		return 0, fmt.Errorf("transport: the header %q is not a decimal length", h)
	}
	n, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		n = 1<<64 - 1
	}
	return n, nil
}

func putASCII(h []byte, n uint64) {
	for i := copy(h, strconv.AppendUint(nil, n, 10)); i < len(h); i++ {
		h[i] = ' '
	}
}
