package literal

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// number reads a number as Python's tokenizer does, without a sign.
func (p *parser) number() (node, error) {
	start := p.pos
	if p.text[p.pos] == '0' && p.pos+1 < len(p.text) {
		switch p.text[p.pos+1] | 0x20 {
		case 'x':
			return p.based(16)
		case 'o':
			return p.based(8)
		case 'b':
			return p.based(2)
		}
	}
	isFloat := false
	if p.text[p.pos] != '.' {
		if err := p.digits(); err != nil {
			return node{}, err
		}
	}
	if p.peek() == '.' {
		isFloat = true
		p.pos++
		if isDigit(p.peek()) {
			if err := p.digits(); err != nil {
				return node{}, err
			}
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		at := p.pos
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if !isDigit(p.peek()) {
			return node{}, p.fail(at, "invalid decimal literal")
		}
		isFloat = true
		if err := p.digits(); err != nil {
			return node{}, err
		}
	}
	text := strings.ReplaceAll(p.text[start:p.pos], "_", "")
	imaginary := p.peek() == 'j' || p.peek() == 'J'
	if imaginary {
		p.pos++
	}
	if isLetter(p.peek()) || isDigit(p.peek()) {
		return node{}, p.fail(p.pos, "invalid decimal literal")
	}
	switch {
	case imaginary:
		return node{value: &pickleproto.Complex{Imag: parseFloat(text)}, kind: number}, nil
	case isFloat:
		return node{value: parseFloat(text), kind: number}, nil
	}
	return p.integer(start, text)
}

// digits skips decimal digits with single underscores between them.
func (p *parser) digits() error {
	for {
		for isDigit(p.peek()) {
			p.pos++
		}
		if p.peek() != '_' {
			return nil
		}
		p.pos++
		if !isDigit(p.peek()) {
			return p.fail(p.pos-1, "invalid decimal literal")
		}
	}
}

// parseFloat cannot fail: what is too large is infinite, as in Python.
func parseFloat(text string) float64 {
	f, _ := strconv.ParseFloat(text, 64)
	return f
}

func (p *parser) integer(start int, digits string) (node, error) {
	if digits[0] == '0' && strings.Trim(digits, "0") != "" {
		return node{}, p.fail(start, "leading zeros in a decimal integer")
	}
	if len(digits) > MaxDigits {
		return node{}, p.fail(start, "an integer of %d digits exceeds the limit of %d", len(digits), MaxDigits)
	}
	return p.parsedInteger(start, digits, 10)
}

// based reads an integer in hexadecimal, octal or binary.
func (p *parser) based(base int) (node, error) {
	start := p.pos
	p.pos += 2
	digitsStart := p.pos
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		if c == '_' {
			p.pos++
			c = p.peek()
		}
		if digitValue(c) >= base {
			if p.pos == digitsStart || p.text[p.pos-1] == '_' || isLetter(c) || isDigit(c) {
				return node{}, p.fail(p.pos, "invalid digit in an integer of base %d", base)
			}
			break
		}
		p.pos++
	}
	if p.pos == digitsStart {
		return node{}, p.unexpected()
	}
	return p.parsedInteger(start, strings.ReplaceAll(p.text[digitsStart:p.pos], "_", ""), base)
}

func digitValue(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return 16
}

func (p *parser) parsedInteger(start int, digits string, base int) (node, error) {
	if n, err := strconv.ParseInt(digits, base, 64); err == nil {
		return node{value: n, kind: number}, nil
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return node{}, p.fail(start, "invalid integer")
	}
	return node{value: n, kind: number}, nil
}

func negate(v any) any {
	switch v := v.(type) {
	case int64:
		// A number without a sign is not below 0, so this cannot overflow.
		return -v
	case *big.Int:
		n := new(big.Int).Neg(v)
		if n.IsInt64() {
			return n.Int64()
		}
		return n
	case float64:
		return -v
	case *pickleproto.Complex:
		return &pickleproto.Complex{Real: -v.Real, Imag: -v.Imag}
	}
	return v
}

// toFloat rounds to the nearest, ties to even, as Python does; ok is false
// where that is infinite.
func toFloat(v *big.Int) (f float64, ok bool) {
	f, _ = new(big.Float).SetInt(v).Float64()
	return f, !math.IsInf(f, 0)
}
