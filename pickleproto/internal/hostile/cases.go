// Package hostile makes the pickles that a hostile peer would send: each class of attack that is
// known against CPython's pickle, against other Go packages or against a design like this one's.
// Tests and the comparison of decoders use it; nothing else imports it.
package hostile

import (
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
)

// Expectation is what must come of a pickle.
type Expectation uint8

const (
	Refuse Expectation = iota // an error of the codec's own types
	Accept                    // a value
	Either                    // one of the two: a limit decides
)

// Case is one hostile pickle.
type Case struct {
	Class string // as the tables name it
	Name  string // unique within the class; "" where the class has one case
	Want  Expectation
	Make  func() []byte // built when asked for: some are large
	// Limit names the limit that refuses it, "" where none does.
	Limit string
}

func (c Case) String() string {
	if c.Name == "" {
		return c.Class
	}
	return c.Class + ": " + c.Name
}

func u32(head string, n uint32) string {
	return string(binary.LittleEndian.AppendUint32([]byte(head), n))
}

func u64(head string, n uint64) string {
	return string(binary.LittleEndian.AppendUint64([]byte(head), n))
}

// list collects cases.
type list []Case

func (l *list) add(class, name string, want Expectation, data string) {
	*l = append(*l, Case{Class: class, Name: name, Want: want, Make: func() []byte { return []byte(data) }})
}

func (l *list) limited(class, name, limit string, make func() []byte) {
	*l = append(*l, Case{Class: class, Name: name, Want: Refuse, Limit: limit, Make: make})
}

func (l *list) made(class, name string, want Expectation, make func() []byte) {
	*l = append(*l, Case{Class: class, Name: name, Want: want, Make: make})
}

func text(parts ...string) func() []byte {
	return func() []byte { return []byte(strings.Join(parts, "")) }
}

func repeat(head, middle string, n int, tail string) func() []byte {
	return func() []byte {
		b := make([]byte, 0, len(head)+len(middle)*n+len(tail))
		b = append(b, head...)
		for range n {
			b = append(b, middle...)
		}
		return append(b, tail...)
	}
}

// Cases returns all cases. Those of more than a megabyte are left out when short is set.
func Cases(short bool) []Case {
	var l list
	l.lengths()
	l.memo()
	l.nesting()
	l.keys()
	l.numbers()
	l.texts()
	l.names()
	l.instances()
	l.stack()
	l.frames()
	l.amplification()
	l.truncation()
	l.pickletester()
	if !short {
		l.large()
	}
	return l
}

func (l *list) lengths() {
	const class = "huge declared length"
	for _, o := range []struct {
		name string
		op   string
		wide bool
	}{
		{"BINBYTES8", "\x8e", true}, {"BINUNICODE8", "\x8d", true}, {"BYTEARRAY8", "\x96", true}, {"FRAME", "\x95", true},
		{"BINBYTES", "B", false}, {"BINUNICODE", "X", false}, {"LONG4", "\x8b", false}, {"BINSTRING", "T", false},
	} {
		if o.wide {
			for _, n := range []uint64{1 << 36, 1 << 40, 1<<63 - 1, 1 << 63, math.MaxUint64, math.MaxUint64 - 8} {
				l.add(class, fmt.Sprintf("%s %#x", o.name, n), Refuse, "\x80\x05"+u64(o.op, n)+"abc.")
			}
			continue
		}
		for _, n := range []uint32{1 << 30, math.MaxInt32, math.MaxUint32} {
			l.add(class, fmt.Sprintf("%s %#x", o.name, n), Refuse, "\x80\x04"+u32(o.op, n)+"abc.")
		}
	}
	l.add("negative length", "BINSTRING", Refuse, u32("T", 1<<31)+"abc.")
	l.add("negative length", "LONG4", Refuse, u32("\x80\x02\x8b", 1<<31)+"abc.")
	l.add("negative length", "LONG4 -1", Refuse, u32("\x80\x02\x8b", math.MaxUint32)+"abc.")
}

func (l *list) memo() {
	l.add("memo index", "LONG_BINPUT 2**31", Accept, u32("Nr", 1<<31)+".")
	l.add("memo index", "LONG_BINPUT 2**32-1", Accept, u32("Nr", math.MaxUint32)+".")
	l.add("memo index", "PUT beyond 32 bits", Refuse, "Np18446744073709551616\n.")
	l.add("memo index", "PUT negative", Refuse, "Np-1\n.")
	l.made("memo index", "PUT at 2**i", Accept, func() []byte {
		b := []byte("N")
		for i := range 27 {
			b = binary.LittleEndian.AppendUint32(append(b, 'r'), 1<<i)
		}
		return append(b, '.')
	})
	l.made("memo index", "PUT backwards", Accept, func() []byte {
		b := []byte("N")
		for i := range 20000 {
			b = binary.LittleEndian.AppendUint32(append(b, 'r'), uint32(1<<20-50*i))
		}
		return append(b, '.')
	})
	const missing = "missing memo entry"
	l.add(missing, "LONG_BINGET", Refuse, "\x80\x02j\x05\x00\x00\x00.")
	l.add(missing, "BINGET", Refuse, "h\x05.")
	l.add(missing, "GET", Refuse, "g5\n.")
	l.add(missing, "between others", Refuse, "Nq\x000Nq\x090h\x05.")
	l.add(missing, "far away", Refuse, "Nq\x000j\xff\xff\xff\xff.")
	l.add(missing, "GET of no number", Refuse, "gx\n.")
}

// bomb is t(i+1) = (t(i), t(i)), n levels, left on the stack.
func bomb(n int, memo int) string {
	s := fmt.Sprintf("K\x01\x85%s", put(memo))
	for i := range n {
		s += fmt.Sprintf("0%s%s\x86%s", get(memo+i), get(memo+i), put(memo+i+1))
	}
	return s
}

func put(i int) string { return u32("r", uint32(i)) }
func get(i int) string { return u32("j", uint32(i)) }

func (l *list) nesting() {
	l.limited("key bomb", "dict", "work", text("}", bomb(60, 0), "Ns."))
	l.limited("key bomb", "set", "work", text("\x80\x04\x8f(", bomb(60, 0), "\x90."))
	l.limited("key bomb", "frozenset", "work", text("\x80\x04(", bomb(60, 0), "\x91."))
	l.limited("key bomb", "set by call", "work", text("\x80\x03cbuiltins\nset\n](", bomb(60, 0), "e\x85R."))
	l.limited("key bomb", "two that are equal", "work", text("}(", bomb(60, 0), "N", bomb(60, 100), "Nu."))
	l.limited("key bomb", "two that are equal and within the limit of one", "work", text("}(", bomb(22, 0), "N", bomb(22, 100), "Nu."))
	l.made("key bomb", "in an instance", Accept, text("\x80\x02cm\nf\n)\x81", bomb(60, 0), "Ns."))

	l.limited("deep key", "20,000 levels", "depth", repeat("})", "\x85", 20_000, "Ns."))
	l.limited("deep key", "as a member", "depth", repeat("\x80\x04\x8f()", "\x85", 20_000, "\x90."))
	l.limited("deep key", "of frozensets", "", func() []byte {
		const n = 20_000
		return []byte("\x80\x04}" + strings.Repeat("(", n) + "N" + strings.Repeat("\x91", n) + "Ns.")
	})

	for _, o := range []struct{ name, open, inner, close string }{
		{"lists", "]", "N", "a"}, {"dicts", "}N", "N", "s"}, {"tuples", "", "N", "\x85"}, {"marks and tuples", "(", "N", "t"},
		{"marks and lists", "(", "N", "l"}, {"persistent ids", "", "N", "Q"}, {"states", "cm\nf\n)\x81", "N", "b"},
	} {
		const n = 20_000
		l.limited("depth", o.name, "depth", text("\x80\x02", strings.Repeat(o.open, n), o.inner, strings.Repeat(o.close, n), "."))
	}
	l.limited("depth", "calls", "depth", text("cm\nf\nq\x000", strings.Repeat("h\x00", 20_000), ")R", strings.Repeat("\x85R", 19_999), "."))
	throughMemo := func(n int) func() []byte {
		return func() []byte {
			b := []byte("\x80\x04]\x94")
			for i := range n {
				b = append(b, "]\x94"...)
				b = append(b, get(i)...)
				b = append(b, 'a', '0')
			}
			return append(b[:len(b)-1], '.')
		}
	}
	l.limited("depth built through the memo", "20,000 lists", "depth", throughMemo(20_000))
	l.made("depth built through the memo", "inside out", Refuse, func() []byte {
		b := []byte("\x80\x04]\x94")
		for i := range 20_000 { // each new list goes into the one before, and only the first is kept
			b = append(b, get(i)...)
			b = append(b, "]\x94a0"...)
		}
		return append(append(b, get(0)...), '.')
	})

	shared := func(n int, open, close string) string {
		s := "\x80\x04" + "]\x94"
		for i := range n {
			s += "0" + open + get(i) + get(i) + close + "\x94"
		}
		return s + "."
	}
	l.add("shared graph", "tuples", Accept, shared(60, "", "\x86"))
	l.add("shared graph", "lists", Accept, shared(60, "(", "l"))
	l.add("shared graph", "dicts of lists", Accept, "\x80\x04]\x94"+sharedDicts(60)+".")
	l.add("shared graph", "sets of frozensets", Either, "\x80\x04(\x91\x94"+sharedFrozenSets(60)+".")
	l.made("shared graph", "1 MB string fetched 1,000 times", Accept, func() []byte {
		s := strings.Repeat("x", 1<<20)
		return []byte("\x80\x02]" + u32("X", 1<<20) + s + "q\x00a(" + strings.Repeat("h\x00", 1000) + "e.")
	})
	l.add("cycle", "list", Accept, "\x80\x02]q\x00h\x00a.")
	l.add("cycle", "dict", Accept, "\x80\x02}q\x00Nh\x00s.")
	l.add("cycle", "tuple in a list", Accept, "\x80\x02]q\x00h\x00\x85a.")
	l.add("cycle", "instance", Accept, "\x80\x02cm\nf\n)\x81q\x00h\x00b.")
	l.add("cycle", "two lists, repeated as a key", Refuse, "\x80\x02}]q\x00]q\x01h\x00ah\x01aNs.")
}

func sharedDicts(n int) string {
	s := ""
	for i := range n {
		s += "0}(K\x01" + get(i) + "K\x02" + get(i) + "u\x94"
	}
	return s
}

func sharedFrozenSets(n int) string {
	s := ""
	for i := range n {
		s += "0(" + get(i) + get(i) + "\x85\x91\x94"
	}
	return s
}

func (l *list) keys() {
	l.made("hash collisions", "ints that are 1 mod 2**61-1", Accept, func() []byte {
		b := []byte("\x80\x02}(")
		for i := range uint64(20_000) {
			b = append(b, '\x8a', 9)
			hi, lo := mul61(i)
			b = binary.LittleEndian.AppendUint64(b, lo)
			b = append(b, byte(hi), 'N')
		}
		return append(b, "u."...)
	})
	l.made("hash collisions", "floats of few bits", Accept, func() []byte {
		b := []byte("\x80\x02}(")
		for i := range uint64(50_000) {
			b = binary.BigEndian.AppendUint64(append(b, 'G'), 0x4340000000000000+i<<32)
			b = append(b, 'N')
		}
		return append(b, "u."...)
	})
	l.made("NaN keys", "", Accept, func() []byte {
		return []byte("\x80\x02}(" + strings.Repeat("G\x7f\xf8\x00\x00\x00\x00\x00\x00N", 100_000) + "u.")
	})
	l.made("NaN keys", "in tuples", Accept, func() []byte {
		return []byte("\x80\x02}(" + strings.Repeat("G\x7f\xf8\x00\x00\x00\x00\x00\x00\x85N", 50_000) + "u.")
	})
	l.add("equal keys", "1, 1.0, True", Accept, "\x80\x02}(K\x01K\x01G\x3f\xf0\x00\x00\x00\x00\x00\x00K\x02\x88K\x03u.")
	l.made("equal keys", "100,000 times 1", Accept, func() []byte { return []byte("}(" + strings.Repeat("K\x01N", 100_000) + "u.") })
	for _, o := range []struct{ name, key string }{
		{"list", "]"}, {"dict", "}"}, {"set", "\x8f"}, {"bytearray", "\x96" + u64("", 1) + "x"}, {"tuple of list", "]\x85"},
		{"tuple of tuple of dict", "}\x85\x85"},
	} {
		l.add("unhashable keys", o.name, Refuse, "\x80\x05}"+o.key+"Ns.")
		l.add("unhashable keys", o.name+" in a batch", Refuse, "\x80\x05}(NN"+o.key+"Nu.")
		l.add("unhashable keys", o.name+" as a member", Refuse, "\x80\x05\x8f("+o.key+"\x90.")
		l.add("unhashable keys", o.name+" in a frozenset", Refuse, "\x80\x05("+o.key+"\x91.")
		l.add("unhashable keys", o.name+" in DICT", Refuse, "\x80\x05("+o.key+"Nd.")
	}
	long := strings.Repeat("x", 64<<10)
	l.made("long keys fetched again", "one", Accept, func() []byte {
		return []byte(u32("X", 64<<10) + long + "q\x000}(" + strings.Repeat("h\x00N", 100_000) + "u.")
	})
	l.limited("long keys fetched again", "two that are equal", "work", func() []byte {
		return []byte(u32("X", 64<<10) + long + "q\x000" + u32("X", 64<<10) + long + "q\x010}(h\x00N" + strings.Repeat("h\x01N", 100_000) + "u.")
	})
	l.limited("long keys fetched again", "an int", "work", func() []byte {
		return []byte(u32("\x80\x02\x8b", 64<<10) + strings.Repeat("\x07", 64<<10) + "q\x000}(" + strings.Repeat("h\x00N", 100_000) + "u.")
	})
}

// mul61 is 1 + (i+2) * (2**61 - 1) as 72 bits.
func mul61(i uint64) (hi, lo uint64) {
	k := i + 2
	hi, lo = k>>3, k<<61 // k * 2**61
	if lo < k {
		hi--
	}
	lo -= k
	if lo++; lo == 0 {
		hi++
	}
	return hi, lo
}

func (l *list) numbers() {
	l.limited("text integers", "LONG of 200,000 digits", "digits", repeat("L", "9", 200_000, "L\n."))
	l.limited("text integers", "INT of 200,000 digits", "digits", repeat("I", "9", 200_000, "\n."))
	l.limited("text integers", "LONG of 4,301 digits", "digits", repeat("L", "9", 4301, "L\n."))
	l.made("text integers", "LONG of 4,300 digits", Accept, repeat("L", "9", 4300, "L\n."))
	l.made("text integers", "hexadecimal", Either, repeat("I0x", "f", 200_000, "\n."))
	l.limited("text integers", "memo index of 200,000 digits", "digits", repeat("Ng", "9", 200_000, "\n."))
	for _, s := range []string{"I1_000", "I0x10", "I 12 ", "I0b11", "I0o17", "I-5", "I+5", "I017", "L1_0L", "L0x10L", "F1.5", "Finf", "Fnan", "F-inf", "F.5", "F5."} {
		l.add("number text", s, Accept, s+"\n.")
	}
	for _, s := range []string{"F0x1p3", "F1_0.0", "F 1", "F1 ", "F", "I", "L", "LL", "I1__0", "I_1", "I1_", "I0x", "I1.5", "Ix", "F1.5x", "F1e400", "I1 2", "L1LL"} {
		l.add("number text", s, Refuse, s+"\n.")
	}
	l.add("number text", "LONG1 of length 0", Accept, "\x80\x02\x8a\x00.")
	l.add("number text", "EXT1 0", Refuse, "\x80\x02\x82\x00.")
	l.add("number text", "EXT4 negative", Refuse, "\x80\x02\x84\xff\xff\xff\xff.")
	l.add("number text", "EXT4 0", Refuse, "\x80\x02\x84\x00\x00\x00\x00.")
}

func (l *list) texts() {
	for name, b := range map[string]string{
		"truncated sequence": "\xc3", "overlong slash": "\xc0\xaf", "overlong of three": "\xe0\x80\xaf", "overlong of four": "\xf0\x80\x80\xaf",
		"above U+10FFFF": "\xf4\x90\x80\x80", "five bytes": "\xf8\x88\x80\x80\x80", "0xff": "\xff", "lone continuation": "\x80",
		"half a surrogate": "\xed\xa0",
	} {
		n := byte(len(b))
		l.add("invalid UTF-8", name, Refuse, "\x80\x04\x8c"+string([]byte{n})+b+".")
		l.add("invalid UTF-8", name+" in BINUNICODE", Refuse, u32("X", uint32(n))+b+".")
		l.add("invalid UTF-8", name+" in BINUNICODE8", Refuse, "\x80\x04"+u64("\x8d", uint64(n))+b+".")
	}
	l.add("lone surrogate", "", Accept, u32("X", 3)+"\xed\xa0\x80.")
	l.add("lone surrogate", "both, not joined", Accept, u32("X", 6)+"\xed\xa0\xbd\xed\xb8\x80.")
	for _, s := range []string{`V\ud800`, `Va\u0041`, `V\U0001F600`, `V\x41`, "V\\"} {
		l.add("text escapes", s, Accept, s+"\n.")
	}
	for _, s := range []string{`V\u00`, `V\U0011FFFF`, `V\U`, `S'\x4'`, `S'\'`, `S'a`, `Sa`, `S`, `S"'`} {
		l.add("text escapes", s, Refuse, s+"\n.")
	}
}

func (l *list) names() {
	l.limited("names", "GLOBAL of 200 KB", "name", repeat("c", "x", 200_000, "\ny\n."))
	l.limited("names", "GLOBAL, attribute of 200 KB", "name", repeat("cm\n", "x", 200_000, "\n."))
	l.limited("names", "INST of 200 KB", "name", repeat("(im\n", "x", 200_000, "\n."))
	l.limited("names", "STACK_GLOBAL of 5 KB", "name", text("\x80\x04\x8c\x01m", u32("X", 5000), strings.Repeat("x", 5000), "\x93."))
	l.add("names", "newline from STACK_GLOBAL", Accept, "\x80\x04\x8c\x01m\x8c\x05a\nb\nc\x93.")
	l.add("names", "NUL", Accept, "cm\x00\nx\x00\n.")
	l.add("names", "empty", Refuse, "c\n\n.")
	l.add("names", "not UTF-8", Refuse, "c\xff\nx\n.")
	l.add("names", "surrogate", Refuse, "c\xed\xa0\x80\nx\n.")
	l.add("names", "STACK_GLOBAL of ints", Refuse, "\x80\x04K\x01K\x02\x93.")
	l.add("names", "STACK_GLOBAL of bytes", Refuse, "\x80\x04C\x01mC\x01x\x93.")
	l.made("names", "a thousand dots", Accept, text("\x80\x04\x8c\x01m", u32("X", 1000), strings.Repeat("a.", 500), "\x93."))
	l.made("names", "20,000 different ones", Accept, func() []byte {
		var b strings.Builder
		b.WriteString("(")
		for i := range 20_000 {
			fmt.Fprintf(&b, "cm%d\nn%d\n", i, i)
		}
		return []byte(b.String() + "l.")
	})
}

func (l *list) instances() {
	l.add("code that must not run", "os.system", Accept, "cos\nsystem\n(S'touch /tmp/owned'\ntR.")
	l.add("code that must not run", "builtins.eval", Accept, "\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x10__import__('os')\x85R.")
	l.add("code that must not run", "a setter", Accept, "\x80\x02cm\nf\n)\x81q\x00cos\nsystem\nh\x00N\x86R0.")
	l.add("code that must not run", "a dropped call", Refuse, "cos\nsystem\n(S'true'\ntR0N.")
	l.add("code that must not run", "a call dropped with its mark", Refuse, "(cos\nsystem\n(S'true'\ntR1N.")
	for _, o := range []struct{ name, b string }{
		{"REDUCE of an int", "K\x01)R."}, {"REDUCE of a str", "\x8c\x01x)R."}, {"REDUCE of a dict", "})R."}, {"REDUCE of None", "N)R."},
		{"REDUCE with a list", "cm\nf\n]R."}, {"REDUCE with None", "cm\nf\nNR."}, {"BUILD of an int", "K\x01}b."}, {"BUILD of a list", "]}b."},
		{"BUILD of None", "NNb."}, {"NEWOBJ of an int", "K\x01)\x81."}, {"NEWOBJ with None", "cm\nf\nN\x81."}, {"NEWOBJ_EX of an int", "K\x01)}\x92."},
		{"NEWOBJ_EX with a list", "cm\nf\n)]\x92."}, {"NEWOBJ_EX with a list of args", "cm\nf\n]}\x92."}, {"OBJ of an int", "(K\x01o."}, {"OBJ of nothing", "(o."},
		{"APPEND to an int", "K\x01Na."}, {"APPEND to a tuple", ")Na."}, {"APPENDS to a dict", "}(Ne."}, {"SETITEM of a set", "\x8fNNs."},
		{"SETITEMS of a tuple", ")(NNu."}, {"ADDITEMS to a list", "](N\x90."}, {"ADDITEMS to a frozenset", "(\x91(N\x90."}, {"READONLY_BUFFER of an int", "K\x01\x98."},
	} {
		l.add("instances", o.name, Refuse, "\x80\x05"+o.b)
	}
	l.made("instances", "objects dropped before a long GET", Refuse, func() []byte {
		return []byte("cm\nf\nq\x000(" + strings.Repeat("h\x00)R", 10_000) + "1g" + strings.Repeat("0", 200_000) + "\n.")
	})
	l.made("instances", "one state after another", Either, repeat("\x80\x02cm\nf\n)\x81", "Nb", 100_000, "."))
	l.made("instances", "two kinds of items in turn", Either, repeat("\x80\x02cm\nf\n)\x81", "NaNNs", 40_000, "."))
	l.made("instances", "an object in its own arguments", Accept, text("\x80\x02]q\x00cm\nf\nh\x00\x85Rq\x01a."))
	l.made("instances", "an object made over and over by its arguments", Either, func() []byte {
		return []byte("\x80\x02cm\nf\nq\x00" + strings.Repeat("(h\x00", 5000) + strings.Repeat("tR", 5000) + ".")
	})
}

func (l *list) stack() {
	l.limited("marks", "2,000,000", "marks", repeat("", "(", 2_000_000, "."))
	for _, o := range []string{".", "0.", "1.", "2.", "t.", "l.", "d.", "e.", "u.", "s.", "a.", "b.", "R.", "\x85.", "\x86.", "\x87.", "\x81.", "\x90.", "\x91.", "\x92.", "\x93.",
		"\x94.", "q\x00.", "p0\n.", "r\x00\x00\x00\x00.", "Q.", "o.", "im\nx\n.", "Na.", "NNs.", "](NNu.", "}(Nu.", "(Nd.", "N(.", "]("} {
		l.add("stack", fmt.Sprintf("%q", o), Refuse, o)
	}
	l.add("stack", "POP takes a MARK", Accept, "N(0.")
	l.add("stack", "marks left over", Accept, "((((N.")
	l.add("stack", "what is left over", Accept, "NNNN.")
	l.made("stack", "a batch that another kind of batch follows", Refuse, func() []byte {
		return []byte("](" + strings.Repeat("N", 1000) + "e(NNu.")
	})
	l.made("stack", "a batch that a TUPLE takes", Refuse, func() []byte {
		return []byte("](" + strings.Repeat("N", 1000) + "e(" + strings.Repeat("N", 1000) + "e(t0a.")
	})
	l.made("stack", "a batch that POP_MARK takes", Accept, func() []byte {
		return []byte("](" + strings.Repeat("N", 1000) + "e(" + strings.Repeat("N", 1000) + "1.")
	})
	l.made("stack", "many pops below a batch", Refuse, func() []byte {
		return []byte("N](" + strings.Repeat("N", 1000) + "e(" + strings.Repeat("0", 2000) + ".")
	})
	l.add("opcode", "unknown", Refuse, "N\xff.")
	l.add("opcode", "zero", Refuse, "\x00.")
	l.add("opcode", "protocol 6", Refuse, "\x80\x06N.")
	l.add("opcode", "protocol 255", Refuse, "\x80\xffN.")
	l.add("opcode", "a second PROTO", Accept, "\x80\x04\x80\x02N.")
	l.add("opcode", "no STOP", Refuse, "\x80\x04N")
	l.add("opcode", "nothing", Refuse, "")
	l.add("opcode", "HTTP", Refuse, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	l.add("opcode", "JSON", Refuse, `{"a": 1}`)
	l.add("opcode", "TLS", Refuse, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
	l.add("opcode", "trailing bytes", Refuse, "N.N.")
	l.add("opcode", "out-of-band buffer", Accept, "\x80\x05\x97.")
}

func (l *list) frames() {
	l.add("frames", "within a frame", Refuse, "\x80\x04"+u64("\x95", 13)+u64("\x95", 3)+"NNNN.")
	l.add("frames", "through an argument", Refuse, "\x80\x04"+u64("\x95", 3)+"\x8c\x05hello.")
	l.add("frames", "through a line", Refuse, "\x80\x04"+u64("\x95", 3)+"I123\n.")
	l.add("frames", "beyond the end", Refuse, "\x80\x04"+u64("\x95", 100)+"N.")
	l.add("frames", "beyond STOP", Refuse, "\x80\x04"+u64("\x95", 3)+"N.N")
	l.add("frames", "empty", Accept, "\x80\x04"+u64("\x95", 0)+"N.")
	l.add("frames", "truncated length", Refuse, "\x80\x04\x95\x01\x00")
	l.add("frames", "through a run of ints", Refuse, "\x80\x04"+u64("\x95", 44)+"]("+strings.Repeat("K\x01", 20)+"J\x01\x00\x00\x00"+strings.Repeat("K\x01", 20)+"e.")
	l.made("frames", "100,000 of them", Accept, repeat("\x80\x04", u64("\x95", 0), 100_000, "N."))
}

func (l *list) amplification() {
	const class = "amplification"
	l.made(class, "empty dicts", Either, repeat("](", "}", 100_000, "e."))
	l.made(class, "empty lists", Either, repeat("](", "]", 100_000, "e."))
	l.made(class, "empty sets", Either, repeat("\x80\x04](", "\x8f", 100_000, "e."))
	l.made(class, "empty frozensets", Either, repeat("\x80\x04](", "(\x91", 100_000, "e."))
	l.made(class, "empty bytearrays", Either, repeat("\x80\x05](", u64("\x96", 0), 50_000, "e."))
	l.made(class, "buffers", Either, repeat("\x80\x05](", "\x97", 100_000, "e."))
	l.made(class, "persistent ids", Either, repeat("](", "NQ", 100_000, "e."))
	l.made(class, "extensions", Either, repeat("\x80\x02](", "\x82\x01", 100_000, "e."))
	l.made(class, "dicts of one", Either, repeat("](", "}NNs", 50_000, "e."))
	l.made(class, "dicts of one, in a batch", Either, repeat("](", "}(NNu", 50_000, "e."))
	l.made(class, "sets of one", Either, repeat("\x80\x04](", "\x8f(N\x90", 50_000, "e."))
	l.made(class, "objects", Either, repeat("cm\nf\nq\x000](", "h\x00)R", 50_000, "e."))
	l.made(class, "objects of states", Either, repeat("cm\nf\nq\x000](", "h\x00)RNb", 50_000, "e."))
	l.made(class, "objects of items", Either, repeat("cm\nf\nq\x000](", "h\x00)RNa", 50_000, "e."))
	l.made(class, "Python 2 strs", Either, repeat("](", "U\x00", 100_000, "e."))
	l.made(class, "one-letter strs", Either, repeat("\x80\x04](", "\x8c\x01a", 100_000, "e."))
	l.made(class, "longs", Either, repeat("\x80\x02](", "\x8a\x01\x01", 100_000, "e."))
	l.made(class, "big ints", Either, repeat("\x80\x02](", "\x8a\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01", 50_000, "e."))
	l.made(class, "complex numbers", Either, repeat("\x80\x02c__builtin__\ncomplex\nq\x00G\x00\x00\x00\x00\x00\x00\x00\x00q\x01000](", "h\x00h\x01h\x01\x86R", 20_000, "e."))
	l.made(class, "nested keys", Either, repeat("}(", ")\x85\x85N", 50_000, "u."))
	l.made(class, "globals", Either, repeat("](", "ca\nb\n", 50_000, "e."))
	l.made(class, "memo entries", Either, repeat("N", "\x94", 100_000, "."))
	l.made(class, "sparse memo entries", Either, func() []byte {
		b := []byte("N")
		for i := range uint32(50_000) {
			b = binary.LittleEndian.AppendUint32(append(b, 'r'), 1<<31+i*7919)
		}
		return append(b, '.')
	})
	l.made(class, "a set made over and over of one list", Either, func() []byte {
		var b strings.Builder
		b.WriteString("\x80\x02c__builtin__\nset\nq\x000](")
		for i := range 20_000 {
			b.WriteString(u32("J", uint32(i)))
		}
		b.WriteString("e\x85q\x010](" + strings.Repeat("h\x00h\x01R", 20_000) + "e.")
		return []byte(b.String())
	})
	l.made(class, "a bytearray made over and over", Either, func() []byte {
		return []byte("\x80\x03cbuiltins\nbytearray\nq\x000" + u32("B", 1<<16) + strings.Repeat("x", 1<<16) + "\x85q\x010](" + strings.Repeat("h\x00h\x01R", 20_000) + "e.")
	})
	l.made(class, "bytes made over and over", Either, func() []byte {
		return []byte("\x80\x02c_codecs\nencode\nq\x000" + u32("X", 1<<16) + strings.Repeat("x", 1<<16) + u32("X", 6) + "latin1\x86q\x010](" + strings.Repeat("h\x00h\x01R", 20_000) + "e.")
	})
	l.made(class, "a key table of its own for each of many dicts", Either, func() []byte {
		var row strings.Builder
		row.WriteString("}(")
		for i := range 250 {
			row.WriteString("K" + string([]byte{byte(i)}) + "N")
		}
		row.WriteString("uK\xffNs")
		return []byte("](" + strings.Repeat(row.String(), 500) + "e.")
	})
	l.made(class, "a big int written for each mention", Either, func() []byte {
		return []byte("\x80\x02" + u32("\x8b", 64<<10) + strings.Repeat("\x07", 64<<10) + "q\x000](" + strings.Repeat("h\x00", 100_000) + "e.")
	})
	l.made(class, "a chain of persistent ids written for each mention", Either, func() []byte {
		return []byte("\x80\x02N" + strings.Repeat("Q", 5000) + "q\x000](" + strings.Repeat("h\x00", 100_000) + "e.")
	})
	l.made(class, "one character a frame", Either, repeat("\x80\x04](", u64("\x95", 1)+"N", 50_000, "e."))
}

// sample is a pickle that has most opcodes.
const sample = "\x80\x04\x95\x8e\x00\x00\x00\x00\x00\x00\x00(K\x01M\x02\x01J\x03\x00\x00\x7f\x8a\x05\x01\x02\x03\x04\x05\x8b\x02\x00\x00\x00\x01\x02" +
	"G?\xf0\x00\x00\x00\x00\x00\x00\x8c\x03abc\x94X\x04\x00\x00\x00wxyz\x94B\x01\x00\x00\x00bC\x02cd\x94](NNe}(\x88\x89K\x05K\x06u\x8f(K\x07\x90(K\x08\x91" +
	"K\x09\x85)\x86\x8c\x01m\x8c\x01n\x93)R}bI12\nL34L\nF1.5\nVuni\nS'str'\ncm\nn\n(im\nn\nh\x00j\x01\x00\x00\x00t."

// Sample is a valid pickle of most opcodes, for those that cut and change it.
func Sample() []byte {
	b := []byte(sample)
	binary.LittleEndian.PutUint64(b[3:], uint64(len(b)-11))
	return b
}

func (l *list) truncation() {
	b := Sample()
	l.add("truncation", "nothing missing", Accept, string(b))
	for n := range len(b) {
		l.add("truncation", fmt.Sprintf("after %d bytes", n), Refuse, string(b[:n]))
	}
}

//go:embed testdata/pickletester.txt
var pickletester string

// pickletester adds the malformed pickles of CPython's own tests; see testdata/pickletester.py.
func (l *list) pickletester() {
	for i, line := range strings.Split(strings.TrimSpace(pickletester), "\n") {
		name, digits, _ := strings.Cut(line, " ")
		if name == "#" {
			continue
		}
		b, err := hex.DecodeString(digits)
		if err != nil {
			panic(fmt.Sprintf("pickletester.txt:%d: %v", i+1, err))
		}
		l.add("pickletester "+name, fmt.Sprintf("%q", b), Refuse, string(b))
	}
}

// large adds what takes more than a megabyte.
func (l *list) large() {
	l.limited("deep key", "1,000,000 levels", "depth", repeat("})", "\x85", 1_000_000, "Ns."))
	l.limited("marks", "10,000,000", "marks", repeat("", "(", 10_000_000, "."))
	l.limited("text integers", "LONG of 1,000,000 digits", "digits", repeat("L", "9", 1_000_000, "L\n."))
	l.limited("text integers", "LONG4 of 16 MiB", "int size", repeat(u32("\x80\x02\x8b", 16<<20), "\x01\x02\x03\x04", 4<<20, "."))
	l.limited("names", "GLOBAL of 5 MB", "name", repeat("c", "x", 5_000_000, "\ny\n."))
	l.made("amplification", "10,000,000 empty dicts", Either, repeat("](", "}", 10_000_000, "e."))
	l.made("amplification", "10,000,000 empty lists", Either, repeat("](", "]", 10_000_000, "e."))
	l.made("hash collisions", "200,000 ints that are 1 mod 2**61-1", Accept, func() []byte {
		b := []byte("\x80\x02}(")
		for i := range uint64(200_000) {
			b = append(b, '\x8a', 11)
			hi, lo := mul61(i)
			b = binary.LittleEndian.AppendUint64(b, lo)
			b = append(b, byte(hi), byte(hi>>8), byte(hi>>16), 'N')
		}
		return append(b, "u."...)
	})
	l.made("depth built through the memo", "200,000 lists", Refuse, func() []byte {
		b := []byte("\x80\x04]\x94")
		for i := range 200_000 {
			b = append(append(append(b, "]\x94"...), get(i)...), 'a', '0')
		}
		return append(b[:len(b)-1], '.')
	})
	(*l)[len(*l)-1].Limit = "depth"
	l.made("shared graph", "a list of 1,000,000 ints in 1,000 tuples", Accept, func() []byte {
		return []byte("\x80\x02](" + strings.Repeat("K\x01", 1_000_000) + "eq\x00](" + strings.Repeat("h\x00\x85", 1000) + "e.")
	})
}
