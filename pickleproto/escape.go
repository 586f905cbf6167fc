package pickleproto

import (
	"bytes"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// The arguments that are text: numbers and strings as protocols 0 and 1 write them.

// parseInt reads the line of INT, LONG, GET or PUT as _pickle.c does: INT first as strtol with
// base 0, LONG as Python's int(s, 0), GET and PUT as int(s, 10). Like C it stops at a NUL.
func (m *machine) parseInt(op byte, line []byte) (any, error) {
	text := cutNUL(line)
	if op == wire.OpInt {
		if n, ok := strtol(string(bytes.TrimLeft(text, " \t\n\v\f\r"))); ok {
			return m.int(n), nil
		}
		if len(text) == 0 && len(line) > 0 {
			return m.int(0), nil // what strtol makes of nothing, before a NUL
		}
	}
	neg, digits := false, string(trimSpace(text))
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		neg, digits = digits[0] == '-', digits[1:]
	}
	base := 10
	indexes := op == wire.OpGet || op == wire.OpPut
	if len(digits) > 2 && digits[0] == '0' && !indexes {
		switch digits[1] | 0x20 {
		case 'x':
			base = 16
		case 'o':
			base = 8
		case 'b':
			base = 2
		}
	}
	if base != 10 {
		digits = strings.TrimPrefix(digits[2:], "_")
	}
	if !validDigits(digits, base) {
		return nil, m.fail(m.opAt, "could not convert string to int")
	}
	digits = strings.ReplaceAll(digits, "_", "")
	if base == 10 {
		if int64(len(digits)) > m.c.limits.Digits {
			return nil, m.failLimit(m.opAt, "digits", uint64(len(digits)), uint64(m.c.limits.Digits))
		}
		if !indexes && len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0") != "" {
			return nil, m.fail(m.opAt, "could not convert string to int") // 017 is no Python 3 int
		}
		if len(digits) < 19 {
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil {
				return nil, m.fail(m.opAt, "could not convert string to int")
			}
			if neg {
				n = -n
			}
			return m.int(n), nil
		}
	} else if n := int64(len(digits)) * int64(bits.Len(uint(base-1))) / 8; n > m.c.limits.IntSize {
		return nil, m.failLimit(m.opAt, "int size", uint64(n), uint64(m.c.limits.IntSize))
	}
	m.charge(len(digits) + 48)
	v := new(big.Int)
	if base != 10 {
		v.SetBits(powerOfTwoDigits(digits, bits.Len(uint(base-1))))
	} else if _, ok := v.SetString(digits, base); !ok {
		return nil, m.fail(m.opAt, "could not convert string to int")
	}
	if neg {
		v.Neg(v)
	}
	if v.IsInt64() {
		return m.int(v.Int64()), nil
	}
	return v, nil
}

// powerOfTwoDigits reads valid digits of width bits each. big.Int's own reader takes quadratic time.
func powerOfTwoDigits(digits string, width int) []big.Word {
	words := make([]big.Word, len(digits)*width/bits.UintSize+1)
	for i, at := len(digits)-1, 0; i >= 0; i, at = i-1, at+width {
		d := big.Word(digits[i] & 15)
		if digits[i] > '9' {
			d += 9
		}
		k, shift := at/bits.UintSize, at%bits.UintSize
		words[k] |= d << shift
		if shift+width > bits.UintSize {
			words[k+1] |= d >> (bits.UintSize - shift)
		}
	}
	return words
}

func cutNUL(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// trimSpace trims what C's isspace and Python's int() trim.
func trimSpace(b []byte) []byte { return bytes.Trim(b, " \t\n\v\f\r") }

// strtol is C's, with base 0, when it reads all of s.
func strtol(s string) (int64, bool) {
	t := s
	if t != "" && (t[0] == '-' || t[0] == '+') {
		t = t[1:]
	}
	if t == "" || t[0] < '0' || t[0] > '9' || strings.ContainsAny(t, "_oObB") && (len(t) < 2 || t[1]|0x20 != 'x') || strings.Contains(t, "_") {
		return 0, false
	}
	if t[0] == '0' && len(t) > 1 && t[1]|0x20 != 'x' {
		n, err := strconv.ParseInt(s, 8, 64) // 017 is octal in C
		return n, err == nil
	}
	n, err := strconv.ParseInt(s, 0, 64)
	return n, err == nil
}

// validDigits reports whether s is digits of the base with single underscores between them.
func validDigits(s string, base int) bool {
	last := byte('_')
	for i := 0; i < len(s); i++ {
		c := s[i]
		d := 99
		switch {
		case c == '_':
			if last == '_' {
				return false
			}
			last = c
			continue
		case '0' <= c && c <= '9':
			d = int(c - '0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			d = int(c|0x20-'a') + 10
		}
		if d >= base {
			return false
		}
		last = c
	}
	return last != '_'
}

// parseFloat reads the line of FLOAT as PyOS_string_to_double: no hexadecimal, no underscores,
// no spaces, no overflow.
func parseFloat(line []byte) (float64, bool) {
	s := string(cutNUL(line))
	if s == "" || strings.ContainsAny(s, "xX_pP ") {
		return 0, false
	}
	if len(s) == 4 && (s[0] == '-' || s[0] == '+') && strings.EqualFold(s[1:], "nan") {
		s = s[1:] // strconv takes no sign there
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, false
	}
	return f, true
}

// decodeEscape undoes the escapes of a Python 2 str's repr, as PyBytes_DecodeEscape.
func decodeEscape(b []byte) (string, bool) {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b), true
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c != '\\' {
			out = append(out, c)
			continue
		}
		if i++; i == len(b) {
			return "", false
		}
		switch c = b[i]; c {
		case '\\', '\'', '"':
			out = append(out, c)
		case 'a':
			out = append(out, '\a')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'v':
			out = append(out, '\v')
		case 'x':
			if len(b)-i < 3 {
				return "", false
			}
			n, err := strconv.ParseUint(string(b[i+1:i+3]), 16, 8)
			if err != nil {
				return "", false
			}
			out = append(out, byte(n))
			i += 2
		case '0', '1', '2', '3', '4', '5', '6', '7':
			n := 0
			j := i
			for ; j < len(b) && j < i+3 && '0' <= b[j] && b[j] <= '7'; j++ {
				n = n<<3 | int(b[j]-'0')
			}
			out = append(out, byte(n))
			i = j - 1
		default:
			out = append(out, '\\', c)
		}
	}
	return string(out), true
}

// decodeRawUnicodeEscape reads UNICODE's line: Latin-1, with \uXXXX and \UXXXXXXXX.
func decodeRawUnicodeEscape(b []byte) (string, bool) {
	out := make([]byte, 0, len(b)+len(b)/4)
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c != '\\' || i+1 == len(b) {
			out = appendChar(out, rune(c))
			continue
		}
		i++
		n := 0
		switch b[i] {
		case 'u':
			n = 4
		case 'U':
			n = 8
		default:
			out = append(out, '\\')
			out = appendChar(out, rune(b[i]))
			continue
		}
		if len(b)-i-1 < n {
			return "", false
		}
		x, err := strconv.ParseUint(string(b[i+1:i+1+n]), 16, 32)
		if err != nil || x > utf8.MaxRune {
			return "", false
		}
		out = appendChar(out, rune(x))
		i += n
	}
	return string(out), true
}

func validSurrogateFree(b []byte) bool { return utf8.Valid(b) }

// appendFloatRepr appends Python's repr of f.
func appendFloatRepr(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "nan"...)
	case math.IsInf(f, 1):
		return append(b, "inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(b, f, 'e', -1, 64) // Go too writes two digits of exponent at least
	}
	n := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	if bytes.IndexByte(b[n:], '.') < 0 {
		b = append(b, ".0"...)
	}
	return b
}

// appendRawUnicodeEscape appends s as UNICODE's line holds it: what would end or change the line
// is escaped, and what is not Latin-1.
func appendRawUnicodeEscape(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	for len(s) > 0 {
		r, n := nextChar(s)
		s = s[n:]
		switch {
		case r > 0xffff:
			b = append(b, '\\', 'U')
			for i := 28; i >= 0; i -= 4 {
				b = append(b, digits[r>>i&15])
			}
		case r > 0xff || r == '\\' || r == 0 || r == '\n' || r == '\r' || r == 0x1a:
			b = append(b, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
		default:
			b = append(b, byte(r))
		}
	}
	return b
}

// appendByteStringRepr appends the repr of a Python 2 str.
func appendByteStringRepr(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	quote := byte('\'')
	if strings.IndexByte(s, '\'') >= 0 && strings.IndexByte(s, '"') < 0 {
		quote = '"'
	}
	b = append(b, quote)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == quote || c == '\\':
			b = append(b, '\\', c)
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c < ' ' || c >= 0x7f:
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, quote)
}
