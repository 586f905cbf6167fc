// Package transport knows where a message begins and ends on a connection.
//
// A message is one pickle. A Transport is a convention that Python programs use to put messages
// on a stream: nothing at all but the pickle itself (Raw), a count before it (U32BE and others),
// a fixed byte string after it (Terminator), or multiprocessing.connection with its handshake
// (Multiprocessing). A Transport makes Conns; a Conn receives and sends whole messages. Serve is the
// loop of a server around a Conn.
//
// What holds for every Conn:
//
//   - One message leaves in one Write.
//   - Receive returns io.EOF only between messages; a stream that ends within one is an error
//     that wraps io.ErrUnexpectedEOF. It never waits for a byte that the message does not need.
//   - A count that a peer declares is compared with the limit before it is converted, and memory
//     grows with the bytes that have arrived, never with the count. A Conn that waits for a
//     message holds about 1 KiB in all.
//   - ReadTimeout is for a whole message, from its first byte to its last, however it drips in.
package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// Transport is a message convention. It is immutable and safe for use by many goroutines.
type Transport interface {
	// String is the name of the convention: "raw", "u32be", "multiprocessing".
	String() string

	// Server makes a Conn of a connection that was accepted, Client of one that was dialled. A
	// handshake, where the convention has one, takes place here, within o.HandshakeTimeout and
	// ctx. On an error nc is left open for the caller to close.
	Server(ctx context.Context, nc net.Conn, o Options) (Conn, error)
	Client(ctx context.Context, nc net.Conn, o Options) (Conn, error)
}

// Conn carries messages. One goroutine may receive while another sends; Interrupt and CloseWrite
// may be called by any goroutine at any time. Close is for the goroutine that receives: another
// one that wants to end the connection closes NetConn().
type Conn interface {
	// Receive returns the next message. Its Data belongs to the Conn and is valid until the next
	// Receive or Close. After an error nothing more can be received.
	Receive() (Message, error)

	// Headroom is the number of bytes that Send needs in front of a message.
	Headroom() int

	// Send sends buf[Headroom():] as one message, in one Write. It writes the header into the
	// headroom and may append to buf within its capacity; else it leaves buf alone and does not
	// keep it. A message that the convention cannot carry is refused before anything is sent.
	Send(buf []byte) error

	// Delimits says whether the end of a message is known without understanding the message. If
	// not, a message that is not a pickle makes all that follows it unintelligible.
	Delimits() bool

	// Interrupt makes Receive return ErrInterrupted once the peer has been silent for the given
	// time between two messages. A message that has begun to arrive is received to its end.
	Interrupt(after time.Duration)

	// CloseWrite tells the peer that nothing more will be sent (half-close).
	CloseWrite() error

	// Close closes the connection and gives its buffer back. It may be called twice.
	Close() error

	// NetConn is the connection underneath.
	NetConn() net.Conn
}

// Message is one message as it arrived.
type Message struct {
	// Data is the message without the convention's header or terminator.
	Data []byte

	// Protocol is the pickle protocol of Data, in which it is to be answered: see ProtocolOf.
	Protocol int
}

// Options are the bounds of a Conn. Zero means the default, a negative value none.
type Options struct {
	// MaxMessage is the largest message in bytes; default pickleproto.DefaultMaxMessage.
	MaxMessage int64

	// ReadTimeout bounds the time from the first byte of a message to its last; default 30 s.
	ReadTimeout time.Duration

	// WriteTimeout bounds the Write of a message; default 30 s. So that a busy connection need
	// not set a timer for each message, up to a quarter may be added to it.
	WriteTimeout time.Duration

	// IdleTimeout bounds the wait for the first byte of a message; default 5 min, and none with
	// Multiprocessing, whose peers hold connections for hours. It is met to within an eighth.
	IdleTimeout time.Duration

	// HandshakeTimeout bounds the whole handshake; default 10 s.
	HandshakeTimeout time.Duration

	// Budget, if not nil, is charged for buffers above the 256 bytes that each Conn has.
	Budget *pickleproto.Budget

	// Notice, if not nil, is called with a line for the log when a peer behaves as if it had been
	// configured for another convention.
	Notice func(string)
}

// The defaults of Options.
const (
	DefaultReadTimeout      = 30 * time.Second
	DefaultWriteTimeout     = 30 * time.Second
	DefaultIdleTimeout      = 5 * time.Minute
	DefaultHandshakeTimeout = 10 * time.Second
)

func (o *Options) fill() {
	if o.MaxMessage == 0 {
		o.MaxMessage = pickleproto.DefaultMaxMessage
	}
	set := func(p *time.Duration, d time.Duration) {
		if *p == 0 {
			*p = d
		} else if *p < 0 {
			*p = 0
		}
	}
	set(&o.ReadTimeout, DefaultReadTimeout)
	set(&o.WriteTimeout, DefaultWriteTimeout)
	set(&o.IdleTimeout, DefaultIdleTimeout)
	set(&o.HandshakeTimeout, DefaultHandshakeTimeout)
}

// tooLarge is the error for a declared size above the limit, or nil.
func (o *Options) tooLarge(size uint64) error {
	if o.MaxMessage > 0 && size > uint64(o.MaxMessage) {
		return &pickleproto.LimitError{Limit: "message", Value: size, Max: uint64(o.MaxMessage), Offset: -1}
	}
	return nil
}

// RefusedError is the error of Send for a message that the convention cannot carry. Nothing was
// sent, and the connection is as good as before.
type RefusedError struct{ Msg string }

func (e *RefusedError) Error() string { return "transport: " + e.Msg }

// ErrInterrupted is what Receive returns after Interrupt.
var ErrInterrupted = errors.New("transport: interrupted between messages")

// TimeoutError is the error for a peer that took too long. It unwraps to os.ErrDeadlineExceeded.
type TimeoutError struct {
	Waiting string        // what for: "a message", "the rest of a message", "the peer to read", ...
	After   time.Duration // the timeout
	Got     int64         // bytes of the message that had arrived
}

func (e *TimeoutError) Error() string {
	s := fmt.Sprintf("transport: timeout after %v waiting for %s", e.After, e.Waiting)
	if e.Got > 0 {
		s += fmt.Sprintf(" (%d bytes had arrived)", e.Got)
	}
	return s
}

// Timeout makes it a net.Error's.
func (e *TimeoutError) Timeout() bool { return true }

func (e *TimeoutError) Unwrap() error { return os.ErrDeadlineExceeded }

// SendBytes sends data as one message, whatever it holds, as send_bytes of a Python
// multiprocessing connection.
func SendBytes(c Conn, data []byte) error {
	buf := make([]byte, c.Headroom(), c.Headroom()+len(data)+16)
	return c.Send(append(buf, data...))
}

// ReceiveBytes returns a copy of the next message, whatever it holds, as recv_bytes of a Python
// multiprocessing connection. It is of no use with Raw, where a message is a pickle.
func ReceiveBytes(c Conn) ([]byte, error) {
	m, err := c.Receive()
	if err != nil {
		return nil, err
	}
	return append([]byte(nil), m.Data...), nil
}

// cutOff is the error for a stream that ends within a message.
func cutOff(got int, wanted uint64) error {
	if wanted == 0 {
		return fmt.Errorf("transport: cut off within a message's header, after %d bytes: %w", got, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("transport: cut off after %d of %d bytes: %w", got, wanted, io.ErrUnexpectedEOF)
}
