package pickleproto

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Writing text: strs, and what Python 2 calls one.

// latin1 holds what stands for the strs that CPython has but one of: their identity is their value.
// Entry 256 is the empty str, 257 the empty bytes.
var latin1 [258]byte

// strIdentity returns what the memo knows a str by.
func strIdentity(s string) (address uintptr, tag uint32) {
	address, tag = stringAddress(s), memoTag(len(s), kindString)
	if len(s) > 2 {
		return address, tag
	}
	switch {
	case len(s) == 0:
		return addressOf(&latin1[256]), tag
	case address-addressOf(&secondChars[0]) < uintptr(len(secondChars)):
	case len(s) == 1:
		return addressOf(&latin1[s[0]&0x7f]), memoTag(1, kindString)
	case s[0]&0xfe == 0xc2:
		return addressOf(&latin1[s[0]<<6|s[1]&0x3f]), memoTag(1, kindString)
	}
	return address, tag
}

// A str that lies in secondChars is not the one that CPython has of its character but another: see
// machine.char. It holds copies of the text of all characters up to U+00FF, so that many others
// can be told apart. A copy is written once, when it is first needed; until then its pages take no
// memory.
var (
	secondChars [secondCopies * copySize]byte
	secondReady [secondCopies]sync.Once
)

const (
	secondCopies = 40_000
	copySize     = 128 + 2*128
)

// secondChar returns the text of c, of so many bytes, in the nth copy. When the copies are used up
// it begins anew, and strs of one character that far apart are taken for one.
func secondChar(c byte, size, n int) string {
	n %= secondCopies
	text := secondChars[n*copySize : (n+1)*copySize]
	secondReady[n].Do(func() {
		b := text[:0]
		for c := range rune(256) {
			b = utf8.AppendRune(b, c)
		}
	})
	i := int(c)
	if size == 2 {
		i = 128 + 2*(i-128)
	}
	return stringOf(text[i : i+size])
}

func (e *encoder) saveStr(s string) error {
	address, tag := stringAddress(s), memoTag(len(s), kindString)
	if len(s) <= 2 {
		address, tag = strIdentity(s)
	}
	index, found := e.memo.findOrAdd(address, tag)
	if found {
		e.memoGet(index)
		return nil
	}
	if len(s) < 256 && e.proto >= 4 { // writeStr of what most are
		if buf, ok := appendShortStr(e.buf, s); ok {
			e.buf = buf
			return nil
		}
	}
	return e.writeStr(s, index)
}

// appendShortStr appends SHORT_BINUNICODE, a str of less than 256 bytes, and MEMOIZE. It reports whether
// the str is text; else it appends nothing. Most strs are short ASCII: these are looked at and copied
// by the same few words, which overlap.
func appendShortStr(buf []byte, s string) ([]byte, bool) {
	text := textBytes(s)
	n := len(text)
	if cap(buf)-len(buf) < n+3 {
		buf = slices.Grow(buf, n+3)
	}
	to := buf[len(buf) : len(buf)+n+3]
	switch {
	case n >= 8 && n <= 16:
		x, y := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[n-8:])
		if (x|y)&highBits != 0 && !validString(s) {
			return buf, false
		}
		binary.LittleEndian.PutUint64(to[2:], x)
		binary.LittleEndian.PutUint64(to[n-6:], y)
	case n >= 4 && n < 8:
		x, y := binary.LittleEndian.Uint32(text), binary.LittleEndian.Uint32(text[n-4:])
		if (x|y)&(highBits&math.MaxUint32) != 0 && !validString(s) {
			return buf, false
		}
		binary.LittleEndian.PutUint32(to[2:], x)
		binary.LittleEndian.PutUint32(to[n-2:], y)
	default:
		if !validString(s) {
			return buf, false
		}
		copy(to[2:], text)
	}
	to[0], to[1], to[n+2] = wire.OpShortBinUnicode, byte(n), wire.OpMemoize
	return buf[:len(buf)+n+3], true
}

// plainText is the length of the longest strs that loops of their own write, and plainItem how much such a str takes:
// SHORT_BINUNICODE, its length, its text, MEMOIZE.
const (
	plainText = 16
	plainItem = plainText + 3
)

// appendPlainStrs appends strs of 8 to 16 ASCII characters as appendShortStr does, without a call for each: from the
// first on, as many as are such, there is room for, and begin before buf has limit bytes. It returns how many.
func appendPlainStrs(buf []byte, v []string, limit int) (_ []byte, taken int) {
	free := buf[:cap(buf)]
	n := len(buf)
	for ; taken < len(v) && n < limit && len(free)-n >= plainItem; taken++ {
		text := textBytes(v[taken])
		if len(text) < 8 || len(text) > plainText {
			break
		}
		x, y := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[len(text)-8:])
		if (x|y)&highBits != 0 {
			break
		}
		to := (*[plainItem]byte)(free[n:])
		to[0], to[1] = wire.OpShortBinUnicode, byte(len(text))
		binary.LittleEndian.PutUint64(to[2:], x)
		// What is not in x; of 8 characters nothing, and what is put there is written over.
		binary.LittleEndian.PutUint64(to[10:], y>>(8*(plainText-len(text))&63))
		to[len(text)+2] = wire.OpMemoize
		n += len(text) + 3
	}
	return buf[:n], taken
}

func errNotUTF8() error {
	return &TypeError{Offset: -1, Msg: "a Go string that is not UTF-8 has no Python str: use Bytes"}
}

// writeStr writes a str that the memo has just given an index.
func (e *encoder) writeStr(s string, index uint32) error {
	if !validString(s) {
		return errNotUTF8()
	}
	n := len(s)
	switch {
	case n < 256 && e.proto >= 4:
		e.buf = append(append(e.buf, wire.OpShortBinUnicode, byte(n)), s...)
	case !e.bin:
		e.buf = append(appendRawUnicodeEscape(append(e.buf, wire.OpUnicode), s), '\n')
	case uint64(n) <= math.MaxUint32:
		e.write([]byte{wire.OpBinUnicode, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}, s)
	case e.proto >= 4:
		e.write(binary.LittleEndian.AppendUint64([]byte{wire.OpBinUnicode8}, uint64(n)), s)
	default:
		return &TypeError{Offset: -1, Msg: "cannot write a str larger than 4 GiB below protocol 4"}
	}
	e.memoPut(index)
	return nil
}

func (e *encoder) saveByteString(v ByteString) {
	index, found := e.memo.findOrAdd(stringAddress(string(v)), memoTag(len(v), kindByteString))
	if found && v != "" {
		e.memoGet(index)
		return
	}
	n := len(v)
	switch {
	case !e.bin:
		e.buf = append(appendByteStringRepr(append(e.buf, wire.OpString), string(v)), '\n')
	case n < 256:
		e.buf = append(append(e.buf, wire.OpShortBinString, byte(n)), v...)
	default:
		e.buf = append(binary.LittleEndian.AppendUint32(append(e.buf, wire.OpBinString), uint32(n)), v...)
	}
	if !found {
		e.memoPut(index)
	}
}
