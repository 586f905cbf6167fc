package hostile

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// A Mutator makes pickles that are nearly right: changed ones of a corpus, and random programs of
// opcodes with arguments that fit. The same seed gives the same pickles.
type Mutator struct {
	r      *rand.Rand
	corpus [][]byte
}

// NewMutator returns a Mutator over a corpus.
func NewMutator(seed uint64, corpus [][]byte) *Mutator {
	return &Mutator{rand.New(rand.NewPCG(seed, 0x7069636b6c65)), corpus}
}

// Next returns the next pickle, at most a few kilobytes long.
func (m *Mutator) Next() []byte {
	var b []byte
	changes := 0
	switch kind := m.r.IntN(8); {
	case kind == 0:
		return m.program()
	case kind < 5 || len(m.corpus) == 0:
		b = m.valid()
		changes = max(0, m.r.IntN(4)-1)
	default:
		b = append([]byte(nil), m.corpus[m.r.IntN(len(m.corpus))]...)
		changes = 1 + m.r.IntN(2)
	}
	for range changes {
		b = m.mutate(b)
	}
	return b
}

func (m *Mutator) at(b []byte) int { return m.r.IntN(len(b) + 1) }

func (m *Mutator) span(b []byte) (from, to int) {
	from = m.at(b)
	return from, min(len(b), from+m.r.IntN(16))
}

func (m *Mutator) insert(b []byte, i int, what ...byte) []byte {
	return append(append(append([]byte(nil), b[:i]...), what...), b[i:]...)
}

func (m *Mutator) mutate(b []byte) []byte {
	if len(b) == 0 {
		return m.program()
	}
	switch m.r.IntN(10) {
	case 0: // another byte
		b[m.r.IntN(len(b))] = byte(m.r.Uint32())
	case 1: // a bit
		b[m.r.IntN(len(b))] ^= 1 << m.r.IntN(8)
	case 2: // an opcode in place of another byte
		b[m.r.IntN(len(b))] = opcodes[m.r.IntN(len(opcodes))]
	case 3: // an opcode with its argument
		return m.insert(b, m.at(b), m.opcode(nil)...)
	case 4: // less
		from, to := m.span(b)
		return append(b[:from:from], b[to:]...)
	case 5: // twice
		from, to := m.span(b)
		return m.insert(b, m.at(b), b[from:to]...)
	case 6: // the end of another
		other := m.corpus[m.r.IntN(len(m.corpus))]
		return append(b[:m.at(b):len(b)], other[m.at(other):]...)
	case 7: // a telling number
		n := []byte{0, 1, 2, 0x7f, 0x80, 0xff}
		b[m.r.IntN(len(b))] = n[m.r.IntN(len(n))]
	case 8: // two parts change places
		from, to := m.span(b)
		part := append([]byte(nil), b[from:to]...)
		rest := append(b[:from:from], b[to:]...)
		return m.insert(rest, m.at(rest), part...)
	case 9: // cut off
		return b[:m.at(b)]
	}
	return b
}

// opcodes are all that there are.
const opcodes = "(.012FIKJLMNPQRSTUVXabcdeghijloprqstu)]}G\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8bBC" +
	"\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98"

var (
	numberTexts = []string{"0", "1", "00", "01", "-1", "12", "0x1F", " 7 ", "1_0", "2147483648", "-9223372036854775809", "1L", "017", "", "x", "1e3", "+5", "0b1", "--1", "\x0012"}
	floatTexts  = []string{"1.5", "-0.0", "inf", "nan", "-nan", "1e400", "1_0.0", "0x1p3", "", "1e5", ".5", "5.", " 1", "infinity", "-Infinity", "1.5 "}
	plainTexts  = []string{"", "a", "abc", `\u00e9`, `\ud800`, `a\x41b`, "'abc'", `"a\n"`, `'\x41\101\''`, `'`, `''`, "\xe9", "d\xc3\xa9"}
	moduleNames = []string{"m", "builtins", "__builtin__", "_codecs", "os", "collections", "a.b", ""}
	memberNames = []string{"n", "set", "frozenset", "bytes", "bytearray", "complex", "encode", "system", "getattr", "A.B", ""}
	utf8Texts   = []string{"", "a", "abc", "latin1", "\xc3\xa9", "\xed\xa0\x80", "\xf0\x9f\x98\x80", "\xff", "m", "n", "set", "builtins"}
)

func (m *Mutator) pick(s []string) string { return s[m.r.IntN(len(s))] }

// small is a number that is mostly small.
func (m *Mutator) small() int {
	if m.r.IntN(20) == 0 {
		return m.r.IntN(300)
	}
	return m.r.IntN(6)
}

// opcode appends a random opcode with an argument that mostly fits.
func (m *Mutator) opcode(b []byte) []byte {
	op := opcodes[m.r.IntN(len(opcodes))]
	if op == '.' && m.r.IntN(4) != 0 {
		op = 'N'
	}
	if op == '\x95' && m.r.IntN(4) != 0 {
		op = '('
	}
	b = append(b, op)
	switch op {
	case 'K', 'h', 'q', '\x82':
		b = append(b, byte(m.small()))
	case '\x80':
		b = append(b, byte(m.r.IntN(7)))
	case 'M', '\x83':
		b = binary.LittleEndian.AppendUint16(b, uint16(m.small()))
	case 'J', '\x84':
		b = binary.LittleEndian.AppendUint32(b, uint32(m.r.Uint64()>>m.r.IntN(64)))
	case 'j', 'r':
		b = binary.LittleEndian.AppendUint32(b, uint32(m.small()))
	case 'G':
		b = binary.BigEndian.AppendUint64(b, m.r.Uint64()<<m.r.IntN(64))
	case 'I', 'L':
		b = append(append(b, m.pick(numberTexts)...), '\n')
	case 'F':
		b = append(append(b, m.pick(floatTexts)...), '\n')
	case 'g', 'p':
		b = append(append(b, byte('0'+m.r.IntN(6))), '\n')
	case 'P', 'S', 'V':
		b = append(append(b, m.pick(plainTexts)...), '\n')
	case 'c', 'i':
		b = append(append(append(append(b, m.pick(moduleNames)...), '\n'), m.pick(memberNames)...), '\n')
	case 'U', 'C', '\x8c':
		s := m.pick(utf8Texts)
		b = append(append(b, byte(len(s))), s...)
	case 'T', 'X', 'B':
		s := m.pick(utf8Texts)
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
	case '\x8d', '\x8e', '\x96':
		s := m.pick(utf8Texts)
		b = append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
	case '\x8a':
		n := m.r.IntN(12)
		b = append(b, byte(n))
		for range n {
			b = append(b, byte(m.r.Uint32()))
		}
	case '\x8b':
		n := m.r.IntN(12)
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
		for range n {
			b = append(b, byte(m.r.Uint32()))
		}
	case '\x95':
		b = binary.LittleEndian.AppendUint64(b, uint64(m.r.IntN(40)))
	}
	return b
}

// valid is a pickle that is accepted, as far as keys can be hashed and calls mean something.
func (m *Mutator) valid() []byte {
	g := generator{Mutator: m}
	if p := m.r.IntN(6); p > 0 {
		g.b = append(g.b, '\x80', byte(p))
	}
	g.value(4)
	return append(g.b, '.')
}

// generator writes valid values.
type generator struct {
	*Mutator
	b    []byte
	memo int
}

func (g *generator) op(s string) { g.b = append(g.b, s...) }

func (g *generator) values(n, depth int) {
	for range n {
		g.value(depth)
	}
}

// value appends what leaves one value on the stack.
func (g *generator) value(depth int) {
	kind := g.r.IntN(24)
	if depth == 0 {
		kind = g.r.IntN(8)
	}
	n := g.r.IntN(4)
	switch kind {
	case 0:
		g.op(g.pick([]string{"N", "\x88", "\x89", "I00\n", "I01\n", ")", "]", "}", "\x8f", "(\x91", "(t", "(l", "(d"}))
	case 1:
		g.op("K" + string([]byte{byte(g.small())}))
	case 2:
		g.op("\x8c" + g.pick([]string{"\x01a", "\x01b", "\x00", "\x03abc", "\x02\xc3\xa9", "\x03\xed\xa0\x80"}))
	case 3:
		g.op(g.pick([]string{"C\x01b", "C\x00", "U\x02ab", "B\x01\x00\x00\x00z", "S'q'\n", "Vu\\u00e9\n", "X\x01\x00\x00\x00w"}))
	case 4:
		g.op(g.pick([]string{"I5\n", "L-7L\n", "F1.5\n", "Finf\n", "\x8a\x01\xff", "\x8a\x05\x00\x00\x00\x00\x01", "\x8b\x02\x00\x00\x00\x00\x01",
			"M\x00\x01", "J\xff\xff\xff\xff", "G\x3f\xf0\x00\x00\x00\x00\x00\x00", "G\x7f\xf8\x00\x00\x00\x00\x00\x00", "G\x80\x00\x00\x00\x00\x00\x00\x00", "I0x1F\n", "F-0.0\n"}))
	case 5, 6:
		if g.memo > 0 {
			i := g.r.IntN(g.memo)
			g.op(g.pick([]string{"h" + string([]byte{byte(i)}), fmt.Sprintf("g%d\n", i)}))
			return
		}
		g.op("K\x01")
	case 7:
		g.op(g.pick([]string{"cm\nn\n", "\x8c\x01m\x8c\x01n\x93", "cbuiltins\nset\n", "P12\n", "\x96\x02\x00\x00\x00\x00\x00\x00\x00ab"}))
	case 8, 9:
		g.op("](")
		g.remember(1)
		g.values(n, depth-1)
		g.op("e")
	case 10:
		g.op("]")
		g.remember(2)
		g.value(depth - 1)
		g.op("a")
	case 11:
		g.op("(")
		g.values(n, depth-1)
		g.op(g.pick([]string{"l", "t", "\x91"}))
	case 12, 13:
		g.op("}")
		g.remember(2)
		g.op("(")
		for range n {
			g.key()
			g.value(depth - 1)
		}
		g.op("u")
	case 14:
		g.op("}")
		g.key()
		g.value(depth - 1)
		g.op("s")
	case 15:
		g.op("(")
		for range n {
			g.key()
			g.value(depth - 1)
		}
		g.op("d")
	case 16, 17:
		k := 1 + g.r.IntN(3)
		g.values(k, depth-1)
		g.op(string([]byte{byte(0x84 + k)}))
	case 18:
		g.op("\x8f(")
		for range n {
			g.key()
		}
		g.op("\x90")
	case 19:
		g.op(g.pick([]string{"c__builtin__\nset\n", "cbuiltins\nset\n", "cbuiltins\nfrozenset\n", "c__builtin__\nfrozenset\n"}) + "](")
		for range n {
			g.key()
		}
		g.op("e\x85R")
	case 20:
		g.op("cm\nc\n(")
		g.values(n, depth-1)
		g.op("t" + g.pick([]string{"R", "\x81", "}\x92", "}\x8c\x01kNs\x92"}))
		g.remember(2)
		g.after(depth)
	case 21:
		g.op(g.pick([]string{"(cm\nc\n", "("}))
		call := "o"
		if g.b[len(g.b)-1] == '(' {
			call = "im\nc\n"
		}
		g.values(n, depth-1)
		g.op(call)
		g.after(depth)
	case 22:
		g.op(g.pick([]string{"c__builtin__\ncomplex\nF1.5\nF2.0\n\x86R", "cbuiltins\ncomplex\nF1.5\nF2.0\n\x86R", "c_codecs\nencode\nVab\nVlatin1\n\x86R",
			"c__builtin__\nbytes\n)R", "cbuiltins\nbytearray\nC\x01x\x85R", "c__builtin__\nbytearray\n)R", "(K\x01K\x021N", "K\x0520"}))
	case 23:
		g.value(depth - 1)
		g.op("Q")
	}
	g.remember(4)
}

// remember sometimes puts what is on top of the stack into the memo.
func (g *generator) remember(rarely int) {
	if g.memo < 200 && g.r.IntN(rarely+1) == 0 {
		g.op("q" + string([]byte{byte(g.memo)}))
		g.memo++
	}
}

func (g *generator) key() {
	if g.r.IntN(16) == 0 {
		g.value(1)
		return
	}
	g.op(g.pick([]string{"K\x01", "K\x02", "\x88", "G\x3f\xf0\x00\x00\x00\x00\x00\x00", "\x8c\x01a", "\x8c\x01b", "C\x01a", "N", "K\x01\x85", ")", "(K\x01\x91",
		"I1\n", "L1L\n", "G\x7f\xf8\x00\x00\x00\x00\x00\x00", "G\x00\x00\x00\x00\x00\x00\x00\x00", "cm\nn\n", "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01",
		"G\x43\xf0\x00\x00\x00\x00\x00\x00"}))
}

// after does something to the instance on top of the stack.
func (g *generator) after(depth int) {
	for range g.r.IntN(3) {
		switch g.r.IntN(4) {
		case 0:
			g.value(depth - 1)
			g.op("b")
		case 1:
			g.op("(")
			g.values(g.r.IntN(3), depth-1)
			g.op("e")
		case 2:
			g.key()
			g.value(depth - 1)
			g.op("s")
		case 3:
			g.op("(")
			g.key()
			g.op("\x90")
		}
	}
}

// program is a random pickle. What stands between keeps it from failing at once: values to work on.
func (m *Mutator) program() []byte {
	var b []byte
	if m.r.IntN(2) == 0 {
		b = append(b, '\x80', byte(m.r.IntN(6)))
	}
	starts := []string{"N", "K\x01", "]", "}", ")", "(", "\x8c\x01a", "\x8f", "C\x01b", "cm\nn\n", "](", "}(", "\x8f(", "cm\nn\n)R", "cm\nn\n)\x81", "K\x02\x85", "\x94", "q\x00",
		"cbuiltins\nset\n](", "c__builtin__\nset\n](", "e\x85R", "\x85R", "NNe", "K\x01Nu", "K\x03\x90", "a", "\x8c\x01kNs", "}\x8c\x01kK\x05sb", "h\x00", "h\x01", "0"}
	for range 1 + m.r.IntN(20) {
		if m.r.IntN(2) == 0 {
			b = append(b, m.pick(starts)...)
		} else {
			b = m.opcode(b)
		}
	}
	return append(b, '.')
}
