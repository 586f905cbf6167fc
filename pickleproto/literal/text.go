package literal

import (
	"strings"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// prefix says what stands before a string's quote.
type prefix struct{ raw, bytes bool }

func prefixOf(s string) (prefix, bool) {
	switch strings.ToLower(s) {
	case "", "u":
		return prefix{}, true
	case "r":
		return prefix{raw: true}, true
	case "b":
		return prefix{bytes: true}, true
	case "br", "rb":
		return prefix{raw: true, bytes: true}, true
	}
	return prefix{}, false
}

// strings reads one string, or several that follow each other and are one.
func (p *parser) strings() (node, error) {
	var b strings.Builder
	isBytes := false
	for first := true; ; first = false {
		start := p.pos
		quote := p.pos
		for quote < len(p.text) && quote-start < 3 && isLetter(p.text[quote]) {
			quote++
		}
		pre, ok := prefixOf(p.text[start:quote])
		if !ok || quote >= len(p.text) || p.text[quote] != '"' && p.text[quote] != '\'' {
			break
		}
		if !first && isBytes != pre.bytes {
			return node{}, p.fail(start, "cannot mix bytes and nonbytes literals")
		}
		isBytes = pre.bytes
		p.pos = quote
		if err := p.string(&b, start, pre); err != nil {
			return node{}, err
		}
		if err := p.space(); err != nil {
			return node{}, err
		}
	}
	if isBytes {
		return node{value: pickleproto.Bytes(b.String())}, nil
	}
	return node{value: b.String()}, nil
}

// string reads from a quote to the one that ends the string.
func (p *parser) string(b *strings.Builder, start int, pre prefix) error {
	quote := p.text[p.pos]
	end := p.text[p.pos : p.pos+1]
	if triple := strings.Repeat(end, 3); strings.HasPrefix(p.text[p.pos:], triple) {
		end = triple
	}
	p.pos += len(end)
	for {
		// What needs no care, at once.
		run := p.pos
		for run < len(p.text) && p.text[run] != quote && p.text[run] != '\\' && p.text[run] != '\n' && p.text[run] != '\r' && (!pre.bytes || p.text[run] < utf8.RuneSelf) {
			run++
		}
		b.WriteString(p.text[p.pos:run])
		p.pos = run
		if run >= len(p.text) {
			return p.fail(start, "unterminated string")
		}
		switch c := p.text[run]; c {
		case quote:
			if strings.HasPrefix(p.text[run:], end) {
				p.pos += len(end)
				return nil
			}
			b.WriteByte(c)
			p.pos++
		case '\n', '\r':
			if len(end) == 1 {
				return p.fail(start, "unterminated string")
			}
			p.pos += p.newline(run)
			b.WriteByte('\n')
		case '\\':
			if err := p.escape(b, start, pre); err != nil {
				return err
			}
		default:
			return p.fail(run, "bytes can only contain ASCII literal characters")
		}
	}
}

// escape reads a backslash and what it governs. One that is no escape stays.
func (p *parser) escape(b *strings.Builder, start int, pre prefix) error {
	at := p.pos
	p.pos++
	if p.pos >= len(p.text) {
		return p.fail(start, "unterminated string")
	}
	c := p.text[p.pos]
	if n := p.newline(p.pos); n > 0 {
		p.pos += n
		if pre.raw {
			b.WriteString("\\\n")
		}
		return nil
	}
	if pre.raw {
		// Even of a quote, which then does not end the string.
		if c < utf8.RuneSelf {
			b.WriteByte('\\')
			b.WriteByte(c)
			p.pos++
		} else {
			b.WriteByte('\\')
		}
		return nil
	}
	if i := strings.IndexByte(`\'"abfnrtv`, c); i >= 0 {
		b.WriteByte("\\'\"\a\b\f\n\r\t\v"[i])
		p.pos++
		return nil
	}
	switch {
	case '0' <= c && c <= '7':
		value := rune(0)
		for n := 0; n < 3 && '0' <= p.peek() && p.peek() <= '7'; n++ {
			value = value<<3 | rune(p.text[p.pos]-'0')
			p.pos++
		}
		if pre.bytes {
			b.WriteByte(byte(value))
		} else {
			b.WriteRune(value)
		}
		return nil
	case c == 'x':
		return p.hex(b, at, 2, pre)
	case pre.bytes:
	case c == 'u':
		return p.hex(b, at, 4, pre)
	case c == 'U':
		return p.hex(b, at, 8, pre)
	case c == 'N':
		return p.fail(at, `characters by name (\N{...}) cannot be read`)
	}
	b.WriteByte('\\')
	return nil
}

// hex reads the digits of \x, \u and \U.
func (p *parser) hex(b *strings.Builder, at, digits int, pre prefix) error {
	p.pos++
	value := rune(0)
	for range digits {
		d := digitValue(p.peek())
		if d > 15 {
			return p.fail(at, "truncated escape of %d hexadecimal digits", digits)
		}
		if value > 0x10ffff {
			return p.fail(at, "no such character")
		}
		value = value<<4 | rune(d)
		p.pos++
	}
	switch {
	case value > 0x10ffff:
		return p.fail(at, "no such character")
	case pre.bytes:
		b.WriteByte(byte(value))
	case 0xd800 <= value && value <= 0xdfff:
		// A lone surrogate, as CPython's surrogatepass writes it.
		b.Write([]byte{0xed, byte(0x80 | value>>6&0x3f), byte(0x80 | value&0x3f)})
	default:
		b.WriteRune(value)
	}
	return nil
}
