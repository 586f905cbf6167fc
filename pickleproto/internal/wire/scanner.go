package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
)

// DefaultMaxMessage is the limit of a Scanner whose MaxMessage is 0.
const DefaultMaxMessage = 64 << 20

// Scanner finds the end of a pickle in a stream of bytes that arrive in
// chunks of any size. It keeps no bytes: its memory is constant, its time
// linear in the bytes however they are cut. It checks what needs no stack:
// opcodes, lengths, PROTO's argument, frames and the size of the message; that
// a pickle scans does not say that it decodes.
//
// The zero value is ready for the first byte of a pickle. A Scanner is not
// safe for use by several goroutines at once.
type Scanner struct {
	// MaxMessage limits the bytes of one pickle: 0 is DefaultMaxMessage, a
	// negative value none. It is to be set before the first Scan of a pickle.
	MaxMessage int64

	// LaxFrames accepts frames that nest, that cut through an opcode or that
	// reach beyond STOP, as CPython did up to 3.13.0.
	LaxFrames bool

	off      int64  // bytes consumed since the pickle's first
	frameEnd int64  // where the open frame ends; 0 without one
	opAt     int64  // where the opcode in progress stands
	left     uint64 // inSkip: bytes of the argument that are to come
	header   uint64 // inHeader: what has come of the number
	err      error
	seen     uint32 // all actions seen, or-ed: the bits of the protocols
	op       byte   // the opcode in progress
	state    state
	have     uint8 // inHeader: bytes that have come
	need     uint8 // inHeader: bytes that are to come; inLine: lines
	proto    uint8 // PROTO's argument, the highest if there are several
	hasProto bool
}

type state uint8

const (
	atOpcode state = iota
	inHeader       // within the number after a counted opcode, PROTO or FRAME
	inSkip         // within bytes that only have to be counted
	inLine
	atEnd
	failed
)

// An action is what the scanner does about an opcode, in one word so that the
// loop makes a single load for each: bits 0 to 7 are the length of opcode and
// argument where it is fixed, else 0; bit 8+p is set for an opcode of
// protocol p; bits 16 up are the way of an opcode without fixed length.
const (
	actBad = iota << 16
	actCount1
	actCount4
	actSigned4
	actCount8
	actLine
	actTwoLines
	actProto
	actFrame
	actStop

	actMask      = 0xff << 16
	actLength    = 0xff
	actProtoBit  = 8
	anyProtocol1 = 1 << (actProtoBit + 1)
)

var actions = func() (out [256]uint32) {
	ways := map[Arg]uint32{
		ArgCount1: actCount1, ArgCount4: actCount4, ArgCountSigned4: actSigned4, ArgCount8: actCount8,
		ArgLine: actLine, ArgTwoLines: actTwoLines,
	}
	for op, info := range table {
		if info.Name == "" {
			continue // stays actBad
		}
		way, variable := ways[info.Arg]
		switch byte(op) {
		case OpProto:
			way, variable = actProto, true
		case OpFrame:
			way, variable = actFrame, true
		case OpStop:
			way, variable = actStop, true
		}
		if !variable {
			way = uint32(1 + info.Arg.Fixed())
		}
		out[op] = way | 1<<(actProtoBit+info.Proto)
	}
	return out
}()

// Reset makes the scanner ready for the first byte of the next pickle. The
// exported fields stay as they are.
func (s *Scanner) Reset() {
	*s = Scanner{MaxMessage: s.MaxMessage, LaxFrames: s.LaxFrames}
}

// Offset is the number of bytes of the pickle consumed so far.
func (s *Scanner) Offset() int64 { return s.off }

// Scan consumes the next chunk of the stream. When done is true, the pickle
// ended and n is the number of bytes of p that belong to it, STOP included;
// otherwise n is len(p) and more bytes are needed. An error is an *Error or a
// *LimitError. After the end, or an error, Scan consumes nothing and repeats
// its answer until Reset. It keeps no reference to p.
func (s *Scanner) Scan(p []byte) (n int, done bool, err error) {
	switch s.state {
	case atEnd:
		return 0, true, nil
	case failed:
		return 0, false, s.err
	}
	limit := s.limit()
	if room := limit - s.off; int64(len(p)) > room {
		p = p[:room]
	}
	for n < len(p) && s.state < atEnd {
		n += s.segment(p[n:])
	}
	if s.state < atEnd && s.off >= limit {
		// The pickle is not over, and not one byte more is allowed.
		s.tooLong(1)
	}
	return n, s.state == atEnd, s.err
}

// segment consumes bytes of p, at most up to the end of the open frame or the
// beginning of one, and returns their number. So the loop within has one
// bound to compare with, the end of p.
func (s *Scanner) segment(p []byte) int {
	if s.frameEnd != 0 && s.frameEnd-s.off < int64(len(p)) {
		p = p[:s.frameEnd-s.off]
	}
	var n int
	if s.state == atOpcode {
		n = s.opcodes(p)
	} else {
		n = s.resume(p)
	}
	if s.frameEnd != 0 && s.off == s.frameEnd {
		if s.state != atOpcode && s.state < atEnd {
			s.fail("the frame ends within an opcode")
		}
		s.frameEnd = 0
	} else if s.state == atEnd && s.frameEnd != 0 {
		s.fail("the frame reaches beyond STOP")
	}
	return n
}

// opcodes is the fast way: it consumes p as long as opcodes come with their
// whole arguments and nothing is to be said against them. An opcode that is
// cut off, wrong or rare it leaves to begin and resume, and returns; so it
// does where a frame ends that began within p.
func (s *Scanner) opcodes(p []byte) int {
	seen, i, at := s.seen, 0, 0
	if size, ok := Framed(p); ok && s.off == 0 { // as nearly all begin, at protocol 4
		i = HeaderLength
		s.hasProto, s.proto = true, p[1]
		seen |= actions[OpProto] | actions[OpFrame]
		if !s.LaxFrames {
			p = p[:HeaderLength+size]
			s.frameEnd = int64(len(p))
		}
	}
	for {
		i, at, seen = skip(p, i, seen)
		if i >= len(p) {
			break
		}
		op := p[i]
		if op == OpStop {
			s.seen, s.state = seen|actions[OpStop], atEnd
			s.op, s.opAt = OpStop, s.off+int64(i)
			s.off += int64(i) + 1
			return i + 1
		}
		n := s.variable(p[i:], op, i)
		if n == 0 {
			break
		}
		seen |= actions[op]
		i += n
		if op == OpFrame && !s.LaxFrames {
			p = p[:min(int64(len(p)), s.frameEnd-s.off)]
		}
	}
	if i > len(p) {
		i = at
	}
	s.seen = seen
	s.off += int64(i)
	if i < len(p) {
		s.begin(p[i])
		i++
		i += s.resume(p[i:])
	}
	return i
}

// HeaderLength is the length of PROTO and FRAME with their arguments.
const HeaderLength = 2 + 9

// Framed reports whether p begins with PROTO and FRAME, as is right, and holds
// all of that frame, the size of which it returns.
func Framed(p []byte) (size int, ok bool) {
	if len(p) < HeaderLength || p[0] != OpProto || p[1] > HighestProtocol || p[2] != OpFrame {
		return 0, false
	}
	n := binary.LittleEndian.Uint64(p[3:])
	return int(n), n-1 < uint64(len(p)-HeaderLength)
}

// skip goes from p[i:] up to the first opcode that is none of the most frequent, those of fixed length and
// the short counted ones. The last opcode, which is at at, may be cut off: then next is beyond p.
//
// It is without all else so that the compiler keeps everything in registers.
func skip(p []byte, i int, seen uint32) (next, at int, _ uint32) {
	for uint(i) < uint(len(p)) {
		op := p[i]
		action := actions[op]
		length := int(action & actLength)
		if length == 0 {
			if action&actMask != actCount1 || i+1 >= len(p) {
				break
			}
			at = i
			seen |= action
			i += 2 + int(p[i+1])
			if uint(i) < uint(len(p)) && p[i] == OpMemoize { // nearly always, at protocol 4
				seen |= 1 << (actProtoBit + 4)
				i++
			}
			continue
		}
		at = i
		seen |= action
		i += length
		if length > 1 {
			// A list of numbers is a run of one opcode: where the next one stands does not wait for a
			// look at the table.
			for uint(i) < uint(len(p)) && p[i] == op {
				at = i
				i += length
			}
		}
	}
	return i, at, seen
}

// variable returns the length of op, with which p begins, and of its argument;
// at is its distance from s.off. It returns 0 for what is left to begin and
// resume.
func (s *Scanner) variable(p []byte, op byte, at int) int {
	arg := p[1:]
	switch actions[op] & actMask {
	case actCount4, actSigned4:
		if len(arg) < 4 {
			return 0
		}
		count := binary.LittleEndian.Uint32(arg)
		if uint64(count) > uint64(len(arg)-4) || count > math.MaxInt32 {
			return 0
		}
		return 5 + int(count)
	case actCount8:
		if len(arg) < 8 {
			return 0
		}
		count := binary.LittleEndian.Uint64(arg)
		if count > uint64(len(arg)-8) {
			return 0
		}
		return 9 + int(count)
	case actLine:
		end := bytes.IndexByte(arg, '\n')
		if end < 0 {
			return 0
		}
		return end + 2
	case actTwoLines:
		first := bytes.IndexByte(arg, '\n')
		if first < 0 {
			return 0
		}
		second := bytes.IndexByte(arg[first+1:], '\n')
		if second < 0 {
			return 0
		}
		return first + second + 3
	case actProto:
		if len(arg) < 1 || arg[0] > HighestProtocol {
			return 0
		}
		s.hasProto, s.proto = true, max(s.proto, arg[0])
		return 2
	case actFrame:
		if len(arg) < 8 || s.frameEnd != 0 {
			return 0
		}
		size := binary.LittleEndian.Uint64(arg)
		if size == 0 || size > uint64(len(arg)-8) {
			return 0
		}
		if !s.LaxFrames {
			s.frameEnd = s.off + int64(at) + 9 + int64(size)
		}
		return 9
	}
	return 0
}

// begin takes the opcode at s.off, whose argument resume then reads.
func (s *Scanner) begin(op byte) {
	s.op, s.opAt = op, s.off
	s.off++
	action := actions[op]
	s.seen |= action
	if length := action & actLength; length != 0 {
		s.state, s.left = inSkip, uint64(length-1)
		return
	}
	switch action & actMask {
	case actBad:
		s.fail("invalid load key, '" + printable(op) + "'")
	case actLine:
		s.state, s.need = inLine, 1
	case actTwoLines:
		s.state, s.need = inLine, 2
	default:
		s.state, s.need = inHeader, uint8(table[op].Arg.Fixed())
		s.have, s.header = 0, 0
	}
}

// resume consumes what p has of the argument in progress, and returns the
// number of bytes. Where the argument ends, the state is atOpcode again.
func (s *Scanner) resume(p []byte) int {
	n := 0
	if s.state == inHeader {
		for n < len(p) && s.need > 0 {
			s.header |= uint64(p[n]) << (8 * s.have)
			n++
			s.have++
			s.need--
		}
		s.off += int64(n)
		if s.need > 0 {
			return n
		}
		s.number()
	}
	switch s.state {
	case inSkip:
		take := len(p) - n
		if uint64(take) >= s.left {
			take = int(s.left)
			s.state = atOpcode
		}
		s.left -= uint64(take)
		s.off += int64(take)
		n += take
	case inLine:
		for s.need > 0 {
			end := bytes.IndexByte(p[n:], '\n')
			if end < 0 {
				s.off += int64(len(p) - n)
				return len(p)
			}
			s.off += int64(end + 1)
			n += end + 1
			s.need--
		}
		s.state = atOpcode
	}
	return n
}

// number acts on the number after a counted opcode, PROTO or FRAME.
func (s *Scanner) number() {
	switch action := actions[s.op] & actMask; action {
	case actProto:
		if s.header > HighestProtocol {
			s.fail("unsupported pickle protocol: " + strconv.FormatUint(s.header, 10))
			return
		}
		s.hasProto = true
		s.proto = max(s.proto, uint8(s.header))
		s.state = atOpcode
	case actFrame:
		// Compared as uint64: the length may exceed what an int64 holds.
		if s.header > uint64(s.limit()-s.off) {
			s.tooLong(s.header)
			return
		}
		s.state = atOpcode
		if s.LaxFrames {
			return
		}
		if s.off < s.frameEnd {
			s.fail("a frame begins within a frame")
			return
		}
		s.frameEnd = 0
		if s.header > 0 {
			s.frameEnd = s.off + int64(s.header)
		}
	default:
		if action == actSigned4 && s.header > math.MaxInt32 {
			s.fail("negative byte count")
			return
		}
		if s.header > uint64(s.limit()-s.off) {
			s.tooLong(s.header)
			return
		}
		s.state, s.left = inSkip, s.header
	}
}

// Need is a number of bytes that are certain to come before the pickle is
// over: a reader that waits for so many never waits for a byte that is not
// part of it. At least 1 while the pickle goes on, 0 after its end.
func (s *Scanner) Need() int64 {
	need := int64(1) // STOP
	switch s.state {
	case inHeader, inLine:
		need += int64(s.need)
	case inSkip:
		need += int64(s.left)
	case atEnd, failed:
		return 0
	}
	if s.frameEnd != 0 {
		need = max(need, s.frameEnd-s.off)
	}
	return need
}

// Protocol is the protocol in which a pickle that Scan found the end of is
// written, and in which it is to be answered: PROTO's argument, but not less
// than the highest protocol among the opcodes; without PROTO, 1 if there is an
// opcode of protocol 1, else 0: CPython writes TUPLE2, of protocol 2, at
// protocol 0 too, for a state setter.
func (s *Scanner) Protocol() int {
	if !s.hasProto {
		if s.seen&anyProtocol1 != 0 {
			return 1
		}
		return 0
	}
	for proto := HighestProtocol; proto > int(s.proto); proto-- {
		if s.seen&(1<<(actProtoBit+proto)) != 0 {
			return proto
		}
	}
	return int(s.proto)
}

// Truncated is the error for a stream that ends where the scanner stands. It
// must not be asked for after the end of a pickle.
func (s *Scanner) Truncated() *Error {
	if s.state == atOpcode {
		return &Error{Offset: s.off, Msg: "ran out of input"}
	}
	return &Error{Offset: s.opAt, Op: s.op, HasOp: true, Msg: "pickle data was truncated"}
}

// limit is the number of bytes that the pickle may have.
func (s *Scanner) limit() int64 {
	switch {
	case s.MaxMessage > 0:
		return s.MaxMessage
	case s.MaxMessage == 0:
		return DefaultMaxMessage
	}
	return math.MaxInt64
}

func (s *Scanner) fail(msg string) {
	s.state = failed
	s.err = &Error{Offset: s.opAt, Op: s.op, HasOp: true, Msg: msg}
}

// tooLong refuses a pickle of which at least more bytes were still to come.
func (s *Scanner) tooLong(more uint64) {
	value := uint64(s.off) + more
	if value < more {
		value = math.MaxUint64
	}
	err := &LimitError{Value: value, Max: uint64(s.limit()), Offset: s.opAt, Op: s.op, HasOp: true}
	if s.state == atOpcode {
		err.Offset, err.Op, err.HasOp = s.off, 0, false
	}
	s.state, s.err = failed, err
}

// printable writes a byte as CPython's message does, 'x' or '\x00'.
func printable(b byte) string {
	if b == '\'' {
		return `\'`
	}
	if b == '\\' {
		return `\\`
	}
	if ' ' <= b && b < 0x7f {
		return string(rune(b))
	}
	const digits = "0123456789abcdef"
	return `\x` + string([]byte{digits[b>>4], digits[b&15]})
}
