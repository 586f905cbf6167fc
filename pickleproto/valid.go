package pickleproto

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// Whether a str's bytes are text. Nearly all strs are short and ASCII, and utf8.Valid looks at what
// is left of eight bytes one by one; here the words at both ends overlap instead.

// highBits are the bits that no byte of an ASCII text has.
const highBits = 0x8080808080808080

// asciiTwoWords is ascii for 8 to 16 bytes, which most keys and words have. It is inlined.
func asciiTwoWords(s []byte) bool {
	return (binary.LittleEndian.Uint64(s)|binary.LittleEndian.Uint64(s[len(s)-8:]))&highBits == 0
}

// wordAt returns the eight bytes of s from i on.
func wordAt(s string, i int) uint64 {
	w := s[i : i+8]
	return uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
		uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
}

// ascii reports whether data[from:to] is ASCII. It may look at bytes behind to.
func ascii(data []byte, from, to int) bool {
	n := to - from
	if n < 8 {
		if len(data)-from >= 8 {
			return binary.LittleEndian.Uint64(data[from:])<<(64-8*uint(n))&highBits == 0
		}
		s := data[from:to]
		if n >= 4 {
			return (binary.LittleEndian.Uint32(s)|binary.LittleEndian.Uint32(s[n-4:]))&(highBits&math.MaxUint32) == 0
		}
		for _, c := range s {
			if c >= utf8.RuneSelf {
				return false
			}
		}
		return true
	}
	s := data[from:to]
	x := binary.LittleEndian.Uint64(s[n-8:])
	for len(s) >= 8 {
		x |= binary.LittleEndian.Uint64(s)
		s = s[8:]
	}
	return x&highBits == 0
}

// validStr reports whether data[from:to] is UTF-8 as a str is written: with lone surrogates as
// three bytes each.
func validStr(data []byte, from, to int) bool {
	return ascii(data, from, to) || utf8.Valid(data[from:to]) || validSurrogatePass(data[from:to])
}

// validString is validStr for a text of its own.
func validString(s string) bool {
	b := textBytes(s)
	return ascii(b, 0, len(b)) || utf8.Valid(b) || validSurrogatePass(b)
}

// validSurrogatePass reports whether b is UTF-8 that may hold lone surrogates as three bytes
// each, as Python's error handler surrogatepass reads and writes them.
func validSurrogatePass(b []byte) bool {
	for len(b) > 0 {
		if b[0] < utf8.RuneSelf {
			b = b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n <= 1 {
			if len(b) < 3 || b[0] != 0xed || b[1]&0xe0 != 0xa0 || b[2]&0xc0 != 0x80 {
				return false
			}
			n = 3
		}
		b = b[n:]
	}
	return true
}
