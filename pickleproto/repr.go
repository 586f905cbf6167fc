package pickleproto

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// Repr returns what Python's repr prints for v, in the words of Python 3.12 and later where
// versions differ. It never fails and never runs away: what is nested deeper than 10,000 levels is
// "...", and the text ends with "..." after 64 MiB, or after a million values that were printed
// before, as what is shared is printed wherever it occurs.
//
//	values of Python       as Python prints them; containers that contain themselves as [...]
//	set, frozenset         in the order in which their members were added
//	ByteString             as a str, 'abc', which is what Python 3 makes of it when it is ASCII
//	Long, Int              as an int
//	Global                 <class 'module.Name'> under Python 3's names, though only Python knows
//	                       whether it is a class; builtin functions <built-in function len>
//	*Object                of the stdlib classes that have a Go type (see stdlib.go) as Python prints
//	                       it; of any other <module.Name object: arguments, state, items>
//	*PersistentID          <persistent id 'x'>
//	Extension, *Buffer     <extension 5>, <buffer 0>
//	Go's numbers, []any, map[string]any, time.Time and the other Go types of stdlib classes
//	                       as what Marshal makes of them; anything else <Go type>
func Repr(v any) string { return reprLimited(v, maxReprBytes) }

const (
	maxReprBytes = 64 << 20
	maxReprAgain = 1_000_000
)

// reprLimited is Repr with a limit of its own on the length of the text.
func reprLimited(v any, maxBytes int) string {
	p := printer{max: maxBytes, again: maxReprAgain}
	p.meter = newMeter(p.look)
	p.value(v)
	return string(p.out)
}

// printer writes the repr of one value.
type printer struct {
	out   []byte
	max   int // bytes of out
	again int // values left that were printed before, or steps that print nothing
	depth int
	full  bool // out ended with "...": nothing more is written

	met      map[any]bool // containers by pointer or tupleID: whether they are being printed now
	repeated int          // containers being printed that were printed before
	meter    *meter
}

// tupleID is the identity of a Tuple or of another slice.
type tupleID struct {
	first *any
	n     int
}

func (p *printer) write(s string) {
	if p.full {
		return
	}
	if len(s) > p.max-len(p.out) {
		p.out = append(p.out, s[:max(0, p.max-len(p.out))]...)
		p.stop()
		return
	}
	p.out = append(p.out, s...)
}

func (p *printer) stop() {
	if !p.full {
		p.out = append(p.out, "..."...)
		p.full = true
	}
}

// enter begins a container; leave ends it. If it is being printed already, enter prints mark
// instead and returns false.
func (p *printer) enter(id any, mark string) bool {
	active, met := p.met[id]
	if active {
		p.write(mark)
		return false
	}
	if met || p.repeated > 0 {
		p.repeated++
	}
	if p.met == nil {
		p.met = map[any]bool{}
	}
	p.met[id] = true
	return true
}

func (p *printer) leave(id any) {
	p.met[id] = false
	if p.repeated > 0 {
		p.repeated--
	}
}

// look is told of bytes that are gone through, whatever is printed of them.
func (p *printer) look(n int64) error {
	if p.spend(int(n / 256)); p.full {
		return errWork
	}
	return nil
}

// spend takes steps off what may be done again.
func (p *printer) spend(n int) {
	if p.again -= n; p.again < 0 {
		p.stop()
	}
}

func (p *printer) value(v any) {
	if p.full {
		return
	}
	if p.repeated > 0 {
		if p.spend(1); p.full {
			return
		}
	}
	if p.depth >= DefaultMaxDepth {
		p.write("...")
		return
	}
	p.depth++
	defer func() { p.depth-- }()
	switch v := v.(type) {
	case nil:
		p.write("None")
	case bool:
		if v {
			p.write("True")
		} else {
			p.write("False")
		}
	case int64:
		p.int(v)
	case Int:
		p.int(int64(v))
	case Long:
		p.int(int64(v))
	case *big.Int:
		p.bigInt(v)
	case float64:
		p.write(string(appendFloatRepr(nil, v)))
	case string:
		p.str(v)
	case Bytes:
		p.write("b")
		p.bytes(string(v))
	case ByteString:
		p.bytes(string(v))
	case Tuple:
		p.tuple(v)
	case *List:
		if p.nilPointer(v == nil) || !p.enter(v, "[...]") {
			return
		}
		p.list(v)
		p.leave(v)
	case *Dict:
		if p.nilPointer(v == nil) || !p.enter(v, "{...}") {
			return
		}
		p.dict(v)
		p.leave(v)
	case *Set:
		if p.nilPointer(v == nil) || !p.enter(v, "set(...)") {
			return
		}
		p.set("set()", "{", v.Len(), v.All(), "}")
		p.leave(v)
	case *FrozenSet:
		if p.nilPointer(v == nil) || !p.enter(v, "frozenset(...)") {
			return
		}
		p.set("frozenset()", "frozenset({", v.Len(), v.All(), "})")
		p.leave(v)
	case *Complex:
		if !p.nilPointer(v == nil) {
			p.write(complexRepr(v.Real, v.Imag))
		}
	case *ByteArray:
		if !p.nilPointer(v == nil) {
			p.byteArray(v.Data)
		}
	case Global:
		p.global(v)
	case *Object:
		if !p.nilPointer(v == nil) {
			p.object(v)
		}
	case *PersistentID:
		if !p.nilPointer(v == nil) && p.enter(v, "<persistent id ...>") {
			p.write("<persistent id ")
			p.value(v.ID)
			p.write(">")
			p.leave(v)
		}
	case Extension:
		p.write("<extension " + strconv.Itoa(int(v)) + ">")
	case *Buffer:
		if !p.nilPointer(v == nil) {
			p.write("<buffer " + strconv.Itoa(v.Index) + ">")
		}
	default:
		p.goValue(v)
	}
}

func (p *printer) nilPointer(isNil bool) bool {
	if isNil {
		p.write("None")
	}
	return isNil
}

func (p *printer) int(i int64) {
	var buf [20]byte
	p.write(string(strconv.AppendInt(buf[:0], i, 10)))
}

func (p *printer) bigInt(i *big.Int) {
	if p.nilPointer(i == nil) {
		return
	}
	// Digits cost more than their length: what could not be written anyway is not made.
	if i.BitLen()/4 > 2*(p.max-len(p.out)) {
		p.stop()
		return
	}
	s := i.Text(10)
	p.spend(len(s) / 2000 * len(s) / 2000) // digits take more than linear time
	p.write(s)
}

func complexRepr(re, im float64) string {
	part := func(f float64) string { return strings.TrimSuffix(string(appendFloatRepr(nil, f)), ".0") }
	imag := part(im)
	if re == 0 && !math.Signbit(re) {
		return imag + "j"
	}
	if imag[0] != '-' {
		imag = "+" + imag
	}
	return "(" + part(re) + imag + "j)"
}

func (p *printer) str(s string) {
	if len(s) > p.max {
		s = s[:p.max] // the rest would not be written
	}
	quote := byte('\'')
	if strings.IndexByte(s, '\'') >= 0 && strings.IndexByte(s, '"') < 0 {
		quote = '"'
	}
	b := append(make([]byte, 0, len(s)+2), quote)
	for s != "" {
		c, n := nextChar(s)
		switch {
		case c == '\\' || c == rune(quote):
			b = append(b, '\\', byte(c))
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c < 0x20 || c == 0x7f:
			b = append(b, escapeAlways(c)...)
		case c < 0x7f:
			b = append(b, byte(c))
		case n > 1 && unicode.IsPrint(c):
			b = append(b, s[:n]...)
		default:
			b = append(b, escapeAlways(c)...)
		}
		s = s[n:]
	}
	p.write(string(append(b, quote)))
}

func (p *printer) bytes(s string) {
	if len(s) > p.max {
		s = s[:p.max]
	}
	p.write(string(appendByteStringRepr(nil, s)))
}

// byteArray prints a bytearray, which escapes a single quote where bytes does not.
func (p *printer) byteArray(b []byte) {
	if len(b) > p.max {
		b = b[:p.max]
	}
	s := string(appendByteStringRepr(nil, string(b)))
	if s[0] == '"' {
		s = strings.ReplaceAll(s, "'", `\'`)
	}
	p.write("bytearray(b" + s + ")")
}

func (p *printer) tuple(t Tuple) {
	if len(t) == 0 {
		p.write("()")
		return
	}
	end := ")"
	if len(t) == 1 {
		end = ",)"
	}
	if len(t) <= 16 && !branches(t) { // nothing in it that could lead back
		p.sequence("(", t, end)
		return
	}
	id := tupleID{&t[0], len(t)}
	if !p.enter(id, "(...)") {
		return
	}
	p.sequence("(", t, end)
	p.leave(id)
}

func (p *printer) sequence(open string, items []any, close string) {
	p.write(open)
	for i, v := range items {
		if i > 0 {
			p.write(", ")
		}
		if p.value(v); p.full {
			return
		}
	}
	p.write(close)
}

func (p *printer) list(l *List) {
	p.write("[")
	for i, v := range l.All() {
		if i > 0 {
			p.write(", ")
		}
		if p.value(v); p.full {
			return
		}
	}
	p.write("]")
}

func (p *printer) set(empty, open string, n int, all func(yield func(any) bool), close string) {
	if n == 0 {
		p.write(empty)
		return
	}
	p.write(open)
	first := true
	for v := range all {
		if !first {
			p.write(", ")
		}
		first = false
		if p.value(v); p.full {
			return
		}
	}
	p.write(close)
}

func (p *printer) dict(d *Dict) {
	p.write("{")
	first := true
	for k, v := range d.All() {
		if !first {
			p.write(", ")
		}
		first = false
		p.value(k)
		p.write(": ")
		if p.value(v); p.full {
			return
		}
	}
	p.write("}")
}

// builtinFunctions are the members of builtins that are no classes.
const builtinFunctions = ` __build_class__ __import__ abs aiter all anext any ascii bin breakpoint callable chr
compile delattr dir divmod eval exec format getattr globals hasattr hash hex id input isinstance
issubclass iter len locals max min next oct ord pow print repr round setattr sorted sum vars open `

var isBuiltinFunction = func() map[string]bool {
	m := map[string]bool{}
	for r := range rowsOf(builtinFunctions, 1) {
		m[r[0]] = true
	}
	return m
}()

func (p *printer) global(g Global) {
	g = python3Name(g)
	if g.Module != "builtins" {
		p.write("<class '" + g.Module + "." + g.Name + "'>")
		return
	}
	switch {
	case g.Name == "Ellipsis" || g.Name == "NotImplemented":
		p.write(g.Name)
	case isBuiltinFunction[g.Name]:
		p.write("<built-in function " + g.Name + ">")
	default:
		p.write("<class '" + g.Name + "'>")
	}
}

// goValue prints what is no Python value: Go's own numbers and plain containers, and the Go types
// of stdlib classes.
func (p *printer) goValue(v any) {
	switch v := pythonNumber(v).(type) {
	case int64, *big.Int, float64:
		p.value(v)
		return
	case []byte:
		p.write("b")
		p.bytes(string(v))
		return
	case []any:
		if len(v) == 0 {
			p.write("[]")
			return
		}
		if id := (tupleID{&v[0], len(v)}); p.enter(id, "[...]") {
			p.sequence("[", v, "]")
			p.leave(id)
		}
		return
	case map[string]any:
		p.goMap(v)
		return
	}
	if o, ok, err := toObject(v, HighestProtocol); ok && err == nil {
		p.value(o)
		return
	}
	p.write(fmt.Sprintf("<Go %T>", v))
}

// goMap prints a Go map in the order of its keys, as Marshal writes it. Maps have no identity that
// Go shows; the depth bounds one that contains itself.
func (p *printer) goMap(m map[string]any) {
	p.write("{")
	for i, k := range sortedKeys(m) {
		if i > 0 {
			p.write(", ")
		}
		p.str(k)
		p.write(": ")
		if p.value(m[k]); p.full {
			return
		}
	}
	p.write("}")
}
