package literal

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// parser is a recursive descent over the text. depth is the number of open
// brackets, which bounds the recursion and says whether newlines count.
type parser struct {
	text  string
	pos   int
	depth int
}

// node is the value of an expression, and what its place in an expression
// around it depends on.
type node struct {
	value any
	kind  nodeKind
}

type nodeKind uint8

const (
	other   nodeKind = iota
	number           // a number without a sign
	signed           // a number with one
	setName          // the name set, which is a value only when called
)

func (p *parser) fail(at int, format string, args ...any) error {
	return &Error{Offset: at, Msg: fmt.Sprintf(format, args...)}
}

// unexpected is the error for what stands at the parser's position.
func (p *parser) unexpected() error {
	if p.pos >= len(p.text) {
		return p.fail(p.pos, "unexpected end")
	}
	for _, r := range p.text[p.pos:] {
		return p.fail(p.pos, "unexpected %q", r)
	}
	return nil
}

// peek returns the byte at the parser's position, 0 at the end; a NUL in the
// text is refused like the end.
func (p *parser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

// newline is the length of the newline at i: \n, \r\n, a lone \r, or 0.
func (p *parser) newline(i int) int {
	switch rest := p.text[i:]; {
	case strings.HasPrefix(rest, "\r\n"):
		return 2
	case strings.HasPrefix(rest, "\n"), strings.HasPrefix(rest, "\r"):
		return 1
	}
	return 0
}

func (p *parser) comment() {
	for p.pos < len(p.text) && p.newline(p.pos) == 0 {
		p.pos++
	}
}

// parse reads the whole text: blank lines, one expression, blank lines.
func (p *parser) parse() (any, error) {
	// literal_eval strips the blanks of the first line.
	p.pos = len(p.text) - len(strings.TrimLeft(p.text, " \t"))
	if i := strings.IndexByte(p.text, 0); i >= 0 {
		return nil, p.fail(i, "null byte")
	}
	if err := p.firstLine(); err != nil {
		return nil, err
	}
	v, err := p.topLevel()
	if err == nil {
		err = p.lastLines()
	}
	return v, err
}

// lastLines skips what may follow the expression: a comment, and lines that
// are blank or comments. Blanks without a newline at the very end are
// indentation of nothing, which Python refuses.
func (p *parser) lastLines() error {
	first, column := true, 0
	for p.pos < len(p.text) {
		switch c := p.peek(); {
		case c == '#':
			p.comment()
			column = 0
		case p.newline(p.pos) > 0:
			p.pos++
			first, column = false, 0
		case c == ' ', c == '\t':
			p.pos++
			column++
		case c == '\f':
			p.pos++
			column = 0
		default:
			return p.unexpected()
		}
	}
	if !first && column > 0 {
		return p.fail(p.pos, "unexpected indent")
	}
	return nil
}

// firstLine skips blank lines and comments, and refuses indentation.
func (p *parser) firstLine() error {
	column, continued := 0, 0
	for {
		switch c := p.peek(); {
		case p.pos >= len(p.text):
			return p.unexpected()
		case c == ' ' || c == '\t':
			column++
			p.pos++
		case c == '\f':
			column = 0
			p.pos++
		case c == '\\':
			if continued == 0 {
				continued = column
			}
			if err := p.continuation(); err != nil {
				return err
			}
		case c == '#':
			p.comment()
			column, continued = 0, 0
		case p.newline(p.pos) > 0:
			p.pos += p.newline(p.pos)
			column, continued = 0, 0
		default:
			if column > 0 || continued > 0 {
				return p.fail(p.pos, "unexpected indent")
			}
			return nil
		}
	}
}

// continuation skips a backslash and the newline that must follow it.
func (p *parser) continuation() error {
	n := p.newline(p.pos + 1)
	if n == 0 {
		return p.fail(p.pos, "unexpected character after a line continuation")
	}
	p.pos += 1 + n
	if p.pos >= len(p.text) {
		return p.unexpected()
	}
	return nil
}

// space skips what may stand between tokens; newlines and comments only
// within brackets.
func (p *parser) space() error {
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; c {
		case ' ', '\t', '\f':
			p.pos++
		case '\\':
			if err := p.continuation(); err != nil {
				return err
			}
		case '\n', '\r':
			if p.depth == 0 {
				return nil
			}
			p.pos++
		case '#':
			if p.depth == 0 {
				return nil
			}
			p.comment()
		default:
			return nil
		}
	}
	return nil
}

// take skips the byte c, and space after it, if it is there.
func (p *parser) take(c byte) (bool, error) {
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true, p.space()
	}
	return false, nil
}

// topLevel is an expression, or a tuple without parentheses.
func (p *parser) topLevel() (any, error) {
	first, err := p.expression()
	if err != nil {
		return nil, err
	}
	if p.peek() != ',' {
		return p.complete(first)
	}
	v, err := p.complete(first)
	if err != nil {
		return nil, err
	}
	items := pickleproto.Tuple{v}
	for {
		comma, err := p.take(',')
		if err != nil {
			return nil, err
		}
		if !comma || p.pos >= len(p.text) || p.peek() == '#' || p.newline(p.pos) > 0 {
			return items, nil
		}
		v, err := p.element()
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
}

// complete refuses a node that is no value by itself.
func (p *parser) complete(n node) (any, error) {
	if n.kind == setName {
		return nil, p.fail(p.pos, "set is no literal, set() is")
	}
	return n.value, nil
}

// element is an expression that is a value by itself.
func (p *parser) element() (any, error) {
	n, err := p.expression()
	if err != nil {
		return nil, err
	}
	return p.complete(n)
}

// expression is a signed primary, or a real number plus or minus an
// imaginary one. The space after it is skipped.
func (p *parser) expression() (node, error) {
	start := p.pos
	left, err := p.signedPrimary()
	if err != nil {
		return node{}, err
	}
	op := p.peek()
	if op != '+' && op != '-' {
		return left, nil
	}
	at := p.pos
	p.pos++
	if err := p.space(); err != nil {
		return node{}, err
	}
	right, err := p.primary()
	if err != nil {
		return node{}, err
	}
	imaginary, ok := right.value.(*pickleproto.Complex)
	if !ok || right.kind != number || left.kind != number && left.kind != signed {
		return node{}, p.fail(at, "only a real and an imaginary number can be added")
	}
	if next := p.peek(); next == '+' || next == '-' {
		return node{}, p.fail(p.pos, "only a real and an imaginary number can be added")
	}
	re, err := p.real(left.value, start)
	if err != nil {
		return node{}, err
	}
	if op == '+' {
		return node{value: &pickleproto.Complex{Real: re + imaginary.Real, Imag: 0 + imaginary.Imag}}, nil
	}
	return node{value: &pickleproto.Complex{Real: re - imaginary.Real, Imag: 0 - imaginary.Imag}}, nil
}

// real converts the left side of a sum, as Python converts int to float.
func (p *parser) real(v any, at int) (float64, error) {
	switch v := v.(type) {
	case int64:
		return float64(v), nil
	case float64:
		return v, nil
	case *big.Int:
		if f, ok := toFloat(v); ok {
			return f, nil
		}
		return 0, p.fail(at, "int too large to convert to float")
	}
	return 0, p.fail(at, "only a real and an imaginary number can be added")
}

// signedPrimary is a primary, or a sign and a number without one.
func (p *parser) signedPrimary() (node, error) {
	sign := p.peek()
	if sign != '+' && sign != '-' {
		return p.primary()
	}
	at := p.pos
	p.pos++
	if err := p.space(); err != nil {
		return node{}, err
	}
	n, err := p.primary()
	if err != nil {
		return node{}, err
	}
	if n.kind != number {
		return node{}, p.fail(at, "a sign before what is no plain number")
	}
	n.kind = signed
	if sign == '-' {
		n.value = negate(n.value)
	}
	return n, nil
}

// primary is an atom, and the call of set. No other call, index or attribute
// is a literal.
func (p *parser) primary() (node, error) {
	n, err := p.atom()
	if err != nil {
		return node{}, err
	}
	if err := p.space(); err != nil {
		return node{}, err
	}
	if n.kind == setName && p.peek() == '(' {
		if err := p.open(); err != nil {
			return node{}, err
		}
		if p.peek() != ')' {
			return node{}, p.fail(p.pos, "set() takes no argument in a literal")
		}
		if err := p.close(); err != nil {
			return node{}, err
		}
		s, err := pickleproto.NewSet()
		if err != nil {
			return node{}, err
		}
		n = node{value: s}
	}
	if c := p.peek(); c == '(' || c == '[' || c == '.' {
		return node{}, p.unexpected()
	}
	return n, nil
}

// open skips a bracket and the space after it; close does the same and
// leaves the bracket before that, so that newlines count again.
func (p *parser) open() error {
	if p.depth++; p.depth > MaxDepth {
		return p.fail(p.pos, "more than %d nested brackets", MaxDepth)
	}
	p.pos++
	return p.space()
}

func (p *parser) close() error {
	p.depth--
	p.pos++
	return p.space()
}

func (p *parser) atom() (node, error) {
	switch c := p.peek(); {
	case c == '(':
		return p.parentheses()
	case c == '[':
		return p.list()
	case c == '{':
		return p.braces()
	case c == '"' || c == '\'':
		return p.strings()
	case '0' <= c && c <= '9', c == '.' && p.pos+1 < len(p.text) && isDigit(p.text[p.pos+1]):
		return p.number()
	case strings.HasPrefix(p.text[p.pos:], "..."):
		p.pos += 3
		return node{value: ellipsis}, nil
	case isLetter(c):
		return p.name()
	}
	return node{}, p.unexpected()
}

func (p *parser) parentheses() (node, error) {
	if err := p.open(); err != nil {
		return node{}, err
	}
	if p.peek() == ')' {
		return node{value: pickleproto.Tuple{}}, p.close()
	}
	first, err := p.expression()
	if err != nil {
		return node{}, err
	}
	if p.peek() == ')' {
		// Parentheses change nothing: -(1) is a literal, and so is (set)().
		return first, p.close()
	}
	v, err := p.complete(first)
	if err != nil {
		return node{}, err
	}
	items, err := p.items(')', []any{v})
	return node{value: pickleproto.Tuple(items)}, err
}

// items reads the rest of a sequence, after its first items, and closes it.
func (p *parser) items(end byte, items []any) ([]any, error) {
	for {
		comma, err := p.take(',')
		if err != nil {
			return nil, err
		}
		if p.peek() == end {
			return items, p.close()
		}
		if !comma {
			return nil, p.unexpected()
		}
		v, err := p.element()
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
}

func (p *parser) list() (node, error) {
	if err := p.open(); err != nil {
		return node{}, err
	}
	if p.peek() == ']' {
		return node{value: pickleproto.NewList()}, p.close()
	}
	v, err := p.element()
	if err != nil {
		return node{}, err
	}
	items, err := p.items(']', []any{v})
	return node{value: pickleproto.NewList(items...)}, err
}

// braces is a dict or a set: the colon after the first item tells.
func (p *parser) braces() (node, error) {
	start := p.pos
	if err := p.open(); err != nil {
		return node{}, err
	}
	if p.peek() == '}' {
		return node{value: pickleproto.NewDict()}, p.close()
	}
	key, err := p.element()
	if err != nil {
		return node{}, err
	}
	if p.peek() == ':' {
		return p.dict(start, key)
	}
	items, err := p.items('}', []any{key})
	if err != nil {
		return node{}, err
	}
	s, err := pickleproto.NewSet(items...)
	if err != nil {
		return node{}, &Error{Offset: start, Msg: trim(err), Err: err}
	}
	return node{value: s}, nil
}

func (p *parser) dict(start int, key any) (node, error) {
	d := pickleproto.NewDict()
	for {
		colon, err := p.take(':')
		if err != nil {
			return node{}, err
		}
		if !colon {
			return node{}, p.unexpected()
		}
		value, err := p.element()
		if err != nil {
			return node{}, err
		}
		if err := d.Set(key, value); err != nil {
			return node{}, &Error{Offset: start, Msg: trim(err), Err: err}
		}
		comma, err := p.take(',')
		if err != nil {
			return node{}, err
		}
		if p.peek() == '}' {
			return node{value: d}, p.close()
		}
		if !comma {
			return node{}, p.unexpected()
		}
		if key, err = p.element(); err != nil {
			return node{}, err
		}
	}
}

// trim takes the package's name off the text of an error that is wrapped.
func trim(err error) string { return strings.TrimPrefix(err.Error(), "pickle: ") }

// name is True, False, None or set, or the prefix of a string.
func (p *parser) name() (node, error) {
	start, end := p.pos, p.pos
	for end < len(p.text) && (isLetter(p.text[end]) || isDigit(p.text[end])) {
		end++
	}
	if end < len(p.text) && (p.text[end] == '"' || p.text[end] == '\'') {
		if _, ok := prefixOf(p.text[start:end]); ok {
			return p.strings()
		}
	}
	p.pos = end
	switch p.text[start:end] {
	case "None":
		return node{}, nil
	case "True":
		return node{value: true}, nil
	case "False":
		return node{value: false}, nil
	case "set":
		return node{kind: setName}, nil
	}
	return node{}, p.fail(start, "%.64q is no literal", p.text[start:end])
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isLetter reports whether c may begin an identifier; any letter beyond ASCII
// may, which here only matters for the error.
func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= 0x80
}
