package pickleproto

import (
	"math/big"
	"unicode/utf8"
)

// nextChar returns the first character of a str as the value model has it: UTF-8 in which a lone
// surrogate is three bytes, as Python's surrogatepass writes it. A byte that is no part of such
// text comes back as itself, with size 1; no decoded str has one.
func nextChar(s string) (c rune, size int) {
	if s == "" {
		return 0, 0
	}
	c, size = utf8.DecodeRuneInString(s)
	if c == utf8.RuneError && size == 1 {
		if len(s) >= 3 && s[0] == 0xed && s[1] >= 0xa0 && s[1] <= 0xbf && s[2] >= 0x80 && s[2] <= 0xbf {
			return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
		}
		return rune(s[0]), 1
	}
	return c, size
}

// appendChar appends a character, which may be a lone surrogate.
func appendChar(b []byte, c rune) []byte {
	if c >= 0xd800 && c < 0xe000 {
		return append(b, 0xed, 0x80|byte(c>>6)&0x3f, 0x80|byte(c)&0x3f)
	}
	return utf8.AppendRune(b, c)
}

func uint64Value(v uint64) any {
	if v <= 1<<63-1 {
		return int64(v)
	}
	return new(big.Int).SetUint64(v)
}
