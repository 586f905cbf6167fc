package pickleproto

import (
	"errors"
	"io"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Encoder writes pickles to a stream, one Write each. It is not safe for use by several
// goroutines at a time.
type Encoder struct {
	w   io.Writer
	c   config
	buf []byte
}

// NewEncoder returns an Encoder that writes to w.
func NewEncoder(w io.Writer, opts ...Option) *Encoder {
	return &Encoder{w: w, c: newConfig(opts)}
}

// keepBuffer is how large a buffer may be that is kept for the next message.
const keepBuffer = 1 << 20

// Encode writes the pickle of v in one Write, or, when v cannot be encoded, nothing.
func (e *Encoder) Encode(v any) error {
	b, err := marshal(e.buf[:0], v, &e.c)
	if err != nil {
		return err
	}
	if cap(b) <= keepBuffer {
		e.buf = b
	}
	_, err = e.w.Write(b)
	return err
}

// Decoder reads pickles from a stream. It is not safe for use by several goroutines at a time.
type Decoder struct {
	r       io.Reader
	c       config
	scanner wire.Scanner
	buf     []byte
	start   int // of what has been read and not been decoded
	err     error
}

// NewDecoder returns a Decoder that reads from r. What it reads ahead of a pickle's end, when r
// has more to give at once, the next Decode uses; see Buffered. WithLentBuffer has no effect.
func NewDecoder(r io.Reader, opts ...Option) *Decoder {
	d := &Decoder{r: r, c: newConfig(opts)}
	d.c.lend = false // the buffer is written again
	d.scanner.MaxMessage = d.c.limits.Message
	return d
}

// Buffered returns what has been read beyond the last pickle, valid until the next Decode.
func (d *Decoder) Buffered() []byte { return d.buf[d.start:] }

// Decode reads the next pickle into what v points to. It returns io.EOF only where a pickle might
// have begun, and never waits for a byte that the pickle does not need. After an error in the
// bytes themselves the stream cannot be resynchronised: every later call returns that error.
func (d *Decoder) Decode(v any) error {
	if d.err != nil {
		return d.err
	}
	message, err := d.next()
	if err != nil {
		if err != io.EOF {
			d.err = err
		}
		return err
	}
	return unmarshal(message, v, &d.c, true, nil)
}

// next returns the bytes of the next pickle, valid until the call after.
func (d *Decoder) next() ([]byte, error) {
	d.scanner.Reset()
	if d.start == len(d.buf) {
		d.buf, d.start = d.buf[:0], 0
	}
	if cap(d.buf) > keepBuffer && len(d.buf)-d.start < keepBuffer/4 {
		d.buf = append([]byte(nil), d.buf[d.start:]...)
		d.start = 0
	}
	scanned := 0
	for {
		n, done, err := d.scanner.Scan(d.buf[d.start+scanned:])
		if err != nil {
			return nil, wireError(err)
		}
		scanned += n
		if done {
			begin := d.start
			d.start += scanned
			return d.buf[begin:d.start:d.start], nil
		}
		if err := d.more(); err != nil {
			if err == io.EOF && len(d.buf) > d.start {
				return nil, truncated(d.scanner.Truncated())
			}
			return nil, err
		}
	}
}

// more reads once. The buffer grows with what has arrived, never with what was announced. Earlier
// pickles are moved out of the way only when there is no room left: that is once a pickle at
// most, and many small ones that came together are not moved again and again.
func (d *Decoder) more() error {
	if len(d.buf) == cap(d.buf) && d.start > 0 {
		d.buf = append(d.buf[:0], d.buf[d.start:]...)
		d.start = 0
	}
	if len(d.buf) == cap(d.buf) {
		b := make([]byte, len(d.buf), max(512, 2*cap(d.buf)))
		copy(b, d.buf)
		d.buf = b
	}
	for range 100 {
		n, err := d.r.Read(d.buf[len(d.buf):cap(d.buf)])
		d.buf = d.buf[:len(d.buf)+n]
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// wireError makes the public error of one of the scanner's.
func wireError(err error) error {
	var e *wire.Error
	if errors.As(err, &e) {
		s := &SyntaxError{Offset: e.Offset, Msg: e.Msg}
		if e.HasOp {
			s.Opcode = wire.Name(e.Op)
		}
		return s
	}
	var l *wire.LimitError
	if errors.As(err, &l) {
		return &LimitError{Limit: "message", Value: l.Value, Max: l.Max, Offset: l.Offset, Opcode: wire.Name(l.Op)}
	}
	return err
}

// truncated is the error for a stream that ends within a pickle.
func truncated(err *wire.Error) error {
	s := wireError(err).(*SyntaxError)
	s.Err = io.ErrUnexpectedEOF
	return s
}
