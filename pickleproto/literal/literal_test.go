package literal

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
)

// read are texts and the repr of what they are. An empty repr says that the
// text is refused. Python was asked; TestAgainstPython asks again.
var read = []struct{ text, repr string }{
	// Constants.
	{"None", "None"}, {"True", "True"}, {"False", "False"}, {"...", "Ellipsis"}, {"(...)", "Ellipsis"},
	{"none", ""}, {"Ellipsis", ""}, {"NotImplemented", ""}, {"nan", ""}, {"x", ""}, {"None None", ""}, {". . .", ""}, {"....", ""}, {"True.x", ""},
	{"", ""}, {"   ", ""}, {"# only a comment", ""}, {"\n\n", ""}, {"\x00", ""}, {"1\x00", ""}, {"\xff", ""}, {"'\xff'", ""}, {"'\xed\xa0\x80'", ""},

	// Integers.
	{"0", "0"}, {"00", "0"}, {"0_0", "0"}, {"7", "7"}, {"1_000_000", "1000000"}, {"0xFf", "255"}, {"0X_ff", "255"}, {"0o17", "15"}, {"0B1_0", "2"},
	{"9223372036854775807", "9223372036854775807"}, {"9223372036854775808", "9223372036854775808"}, {"-9223372036854775808", "-9223372036854775808"}, {"-9223372036854775809", "-9223372036854775809"},
	{"0x" + strings.Repeat("f", 20), "1208925819614629174706175"},
	{"01", ""}, {"0_1", ""}, {"1__0", ""}, {"1_", ""}, {"_1", ""}, {"0x", ""}, {"0x_", ""}, {"0xg", ""}, {"0b2", ""}, {"0b12", ""}, {"0o8", ""}, {"0x1_", ""}, {"0x1__1", ""}, {"0x1j", ""}, {"1a", ""}, {"1L", ""}, {"0777", ""}, {"1 2", ""},
	{strings.Repeat("9", MaxDigits+1), ""}, {"-" + strings.Repeat("1", MaxDigits+1), ""},

	// Signs.
	{"-1", "-1"}, {"+1", "1"}, {"- 1", "-1"}, {"-(1)", "-1"}, {"(-1)", "-1"}, {"-0", "0"}, {"-0.0", "-0.0"}, {"(((-5)))", "-5"},
	{"--1", ""}, {"-(-1)", ""}, {"-True", ""}, {"-'a'", ""}, {"~1", ""}, {"not 1", ""}, {"-", ""}, {"+-1", ""}, {"-None", ""}, {"-[1]", ""},

	// Floats.
	{"1.5", "1.5"}, {"1.", "1.0"}, {".5", "0.5"}, {"1e5", "100000.0"}, {"1E-5", "1e-05"}, {"1_0.0_1e1_0", "100100000000.0"}, {"01.5", "1.5"}, {"00e1", "0.0"}, {"1e999", "inf"}, {"-1e999", "-inf"}, {"5e-324", "5e-324"}, {"1e-400", "0.0"},
	{"1e", ""}, {"1e+", ""}, {"1e_5", ""}, {"1_e5", ""}, {"1._5", ""}, {"1_.5", ""}, {".", ""}, {"._5", ""}, {"1.5.5", ""}, {"1.e", ""}, {"1e5.5", ""}, {"0x1p3", ""}, {"1.real", ""},

	// Complex.
	{"1j", "1j"}, {"-1j", "(-0-1j)"}, {"1.5J", "1.5j"}, {"01j", "1j"}, {"1e2j", "100j"}, {"1+2j", "(1+2j)"}, {"1-2j", "(1-2j)"}, {"-1-2j", "(-1-2j)"}, {"(1+2j)", "(1+2j)"}, {"(1)+(2j)", "(1+2j)"}, {"(-1)+2j", "(-1+2j)"}, {"+1+2j", "(1+2j)"}, {"1 + 2j", "(1+2j)"}, {"-0.0+0j", "0j"}, {"[1+2j, -3j]", "[(1+2j), (-0-3j)]"},
	{"2j+1", ""}, {"1+2", ""}, {"1j+1j", ""}, {"1+2j+3j", ""}, {"(1+2j)+3j", ""}, {"1+(2+3j)", ""}, {"1+-2j", ""}, {"1--2j", ""}, {"-(1+2j)", ""}, {"True+1j", ""}, {"1+", ""}, {"1*2j", ""}, {"'a'+1j", ""}, {"1e400+1j", "(inf+1j)"}, {"1" + strings.Repeat("0", 400) + "+1j", ""},

	// Strings.
	{"''", "''"}, {`""`, "''"}, {`'a"b'`, `'a"b'`}, {`"a'b"`, `"a'b"`}, {"'a' 'b'\"c\"", "'abc'"}, {"u'a'", "'a'"}, {"U'a'", "'a'"}, {"r'\\n'", `'\\n'`}, {"R'\\''", `"\\'"`}, {`'\n\t\\\'\"\a\b\f\r\v'`, `'\n\t\\\'"\x07\x08\x0c\r\x0b'`},
	{`'\0\12\1234\x41\u20ac\U0001F600'`, `'\x00\nS4A€😀'`}, {`'\777'`, `'ǿ'`}, {`'\ud800'`, `'\ud800'`}, {`'\ud83d\ude00'`, `'\ud83d\ude00'`}, {`'\q\('`, `'\\q\\('`}, {"'a\\\nb'", "'ab'"}, {"'a\\\r\nb'", "'ab'"}, {"'''a\nb'''", `'a\nb'`}, {"'''a\r\nb\rc'''", `'a\nb\nc'`}, {`"""a"b""c"""`, `'a"b""c'`}, {`'''\''''`, `"'"`}, {"r'''\\\r\n'''", `'\\\n'`}, {"''''a'''", `"'a"`}, {"'é€😀'", "'é€😀'"}, {`'\é'`, `'\\é'`}, {"('a'\n'b')", "'ab'"}, {"'a' \\\n 'b'", "'ab'"}, {"'a' r'\\'\"b\"", ""}, {"'a'u'b'r'c'", "'abc'"},
	{"'", ""}, {"'a", ""}, {"'a\n'", ""}, {"'''a''", ""}, {"'a\\", ""}, {`'\x4'`, ""}, {`'\xg0'`, ""}, {`'\u123'`, ""}, {`'\U00110000'`, ""}, {`'\UFFFFFFFF'`, ""}, {`'\N{}'`, ""}, {"ur'a'", ""}, {"f'a'", ""}, {"f''", ""}, {"fr'a'", ""}, {"x'a'", ""}, {"r 'a'", ""}, {`r'\'`, ""}, {"'a' x", ""}, {"'a'.b", ""}, {"'a'[0]", ""}, {"'a' + 'b'", ""}, {"'a'\n'b'", ""}, {"'%s' % 1", ""},

	// Bytes.
	{"b''", "b''"}, {"B'a'", "b'a'"}, {`b'\x00\xff\0\377\777'`, `b'\x00\xff\x00\xff\xff'`}, {`b'\u0041\N{x}\U'`, `b'\\u0041\\N{x}\\U'`}, {"Rb'\\x'", `b'\\x'`}, {"bR'\\n'", `b'\\n'`}, {"b'a' b'b'", "b'ab'"}, {"b'''a\n'''", `b'a\n'`},
	{"b'é'", ""}, {`b'\é'`, ""}, {"'a' b'b'", ""}, {"b'a' 'b'", ""}, {"bb'a'", ""}, {"rbr'a'", ""}, {`b'\x1'`, ""},

	// Containers.
	{"()", "()"}, {"(1)", "1"}, {"(1,)", "(1,)"}, {"(1, 2)", "(1, 2)"}, {"1,", "(1,)"}, {"1, 2", "(1, 2)"}, {"1, 2,", "(1, 2)"}, {"(1,), 2", "((1,), 2)"}, {"()()", ""}, {"(,)", ""}, {"(1,,)", ""}, {",", ""}, {"1,,", ""}, {"(1 2)", ""}, {"(", ""}, {")", ""}, {"(1", ""}, {"(1,", ""}, {"(1]", ""}, {"(*[1],)", ""}, {"1, # c", "(1,)"}, {"1, \\\n2", "(1, 2)"}, {"1,\n2", ""},
	{"[]", "[]"}, {"[1, 'a', [None]]", "[1, 'a', [None]]"}, {"[1,]", "[1]"}, {"[,]", ""}, {"[1 2]", ""}, {"[1", ""}, {"[1)", ""}, {"[x for x in y]", ""}, {"[1][0]", ""}, {"[*'a']", ""}, {"[1]*2", ""},
	{"{}", "{}"}, {"{1: 2}", "{1: 2}"}, {"{1: 2, 'a': [3],}", "{1: 2, 'a': [3]}"}, {"{1: 'a', 1.0: 'b', True: 'c'}", "{1: 'c'}"}, {"{(1, 2): 3}", "{(1, 2): 3}"}, {"{1: 2: 3}", ""}, {"{1: }", ""}, {"{: 1}", ""}, {"{1: 2, 3}", ""}, {"{**{}}", ""}, {"{[]: 1}", ""}, {"{{}: 1}", ""}, {"{({},): 1}", ""}, {"{1: 2 3: 4}", ""}, {"{,}", ""}, {"{1: set}", ""}, {"{...: 1}", "{Ellipsis: 1}"},
	{"{1}", "{1}"}, {"{1,}", "{1}"}, {"{1, 1.0, True}", "{1}"}, {"{'a', 'a'}", "{'a'}"}, {"{1, 2: 3}", ""}, {"{[]}", ""}, {"{set()}", ""}, {"{*()}", ""},
	{"set()", "set()"}, {"set ( )", "set()"}, {"(set)()", "set()"}, {"((set)\n())", "set()"}, {"[set(), set()]", "[set(), set()]"}, {"set", ""}, {"set,", ""}, {"set([1])", ""}, {"set(,)", ""}, {"set()()", ""}, {"-set()", ""}, {"[set]", ""}, {"frozenset()", ""}, {"set().x", ""}, {"set\n()", ""}, {"set(\n)", "set()"}, {"Set()", ""},

	// Lines, blanks and comments.
	{" \t1", "1"}, {"1 \t", "1"}, {"\n1", "1"}, {"\n 1", ""}, {"\n\n# c\n1", "1"}, {" # c\n1", "1"}, {"# c\r1", "1"}, {"1\n", "1"}, {"1\n\n  \n# c\n  # d", "1"}, {"1\n  ", ""}, {"1\n\t\f", "1"}, {"1\n  # d\n ", ""}, {"1  ", "1"}, {"1\n2", ""}, {"1\n 2", ""}, {"1;", ""}, {"1\n)", ""}, {"1 # c", "1"}, {"1\r\n", "1"}, {"1\r", "1"}, {"\f1", "1"}, {"\f 1", ""}, {"1\f", "1"}, {"\v1", ""}, {"\u00a01", ""}, {"\ufeff1", ""},
	{"[1, # one\n 2, # two\n\n]", "[1, 2]"}, {"[\r\n1\r\n]", "[1]"}, {"[1\\\n]", "[1]"}, {"[1\\ \n]", ""}, {"1\\", ""}, {"1\\\n", ""}, {"-\\\n1", "-1"}, {"\\\n1", "1"}, {"\\\n 1", ""}, {"(\n1\n)\n", "1"}, {"[1,\n2", ""}, {"[#", ""}, {"{1:\n2}", "{1: 2}"}, {"1 +\n2j", ""}, {"(1 +\n2j)", "(1+2j)"},

	// Depth.
	{strings.Repeat("[", 60) + strings.Repeat("]", 60), strings.Repeat("[", 60) + strings.Repeat("]", 60)},
	{strings.Repeat("(", MaxDepth+1) + strings.Repeat(")", MaxDepth+1), ""}, {strings.Repeat("[", 2e5), ""}, {strings.Repeat("-", 2e5) + "1", ""},
}

func TestParse(t *testing.T) {
	for _, c := range read {
		v, err := Parse(c.text)
		if c.repr == "" {
			var e *Error
			require.ErrorAs(t, err, &e, "%.200q", c.text)
			require.Nil(t, v)
			require.LessOrEqual(t, e.Offset, len(c.text))
			require.GreaterOrEqual(t, e.Offset, 0)
			require.Less(t, len(err.Error()), 200)
			continue
		}
		require.NoError(t, err, "%.200q", c.text)
		require.Equal(t, c.repr, pickleproto.Repr(v), "%.200q", c.text)
	}
}

func TestTypes(t *testing.T) {
	for text, want := range map[string]any{
		"1": int64(1), "-9223372036854775808": int64(-1 << 63), "9223372036854775808": new(big.Int).Lsh(big.NewInt(1), 63),
		"1.": 1.0, "1j": &pickleproto.Complex{Imag: 1}, "'a'": "a", "b'a'": pickleproto.Bytes("a"), "()": pickleproto.Tuple{}, "1,": pickleproto.Tuple{int64(1)},
		"...": pickleproto.Global{Module: "builtins", Name: "Ellipsis"}, `'\udcff'`: "\xed\xb3\xbf", "None": nil, "True": true,
	} {
		v, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, v, text)
	}
	v, err := Parse("[]")
	require.NoError(t, err)
	require.IsType(t, &pickleproto.List{}, v)
	v, err = Parse("{}")
	require.NoError(t, err)
	require.IsType(t, &pickleproto.Dict{}, v)
	v, err = Parse("{1}")
	require.NoError(t, err)
	require.IsType(t, &pickleproto.Set{}, v)
}

func TestErrorsSayWhere(t *testing.T) {
	for _, c := range []struct {
		text   string
		offset int
		msg    string
	}{
		{"[1, x]", 4, `"x" is no literal`}, {"[1 2]", 3, `unexpected '2'`}, {"[1", 2, "unexpected end"}, {"[1, 'ab", 4, "unterminated string"},
		{"1_", 1, "invalid decimal literal"}, {"'ab\\x1'", 3, "truncated escape"}, {"'\xff'", 1, "invalid UTF-8"}, {"[1, {[]: 1}]", 4, "unhashable type: 'list'"},
		{"\n  1", 3, "unexpected indent"}, {strings.Repeat("(", 201), 200, "nested"}, {"'\\N{DIGIT ONE}'", 1, "by name"},
	} {
		_, err := Parse(c.text)
		var e *Error
		require.True(t, errors.As(err, &e), c.text)
		require.Equal(t, c.offset, e.Offset, "%s: %v", c.text, err)
		require.Contains(t, e.Error(), c.msg)
		require.Contains(t, e.Error(), fmt.Sprintf("at byte %d", c.offset))
	}
	_, err := Parse("{[]: 1}")
	var typed *pickleproto.TypeError
	require.ErrorAs(t, err, &typed)
}

// What is large is read, or refused, in time linear in the text.
func TestLargeTexts(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("'a' ", 2e5), "[" + strings.Repeat("1,", 4e5) + "]", "'" + strings.Repeat(`\x41`, 2e5) + "'", "0x" + strings.Repeat("f", 1e6),
		strings.Repeat("9", 1e6), "1." + strings.Repeat("1", 1e6), "1_" + strings.Repeat("1_", 4e5), strings.Repeat("#\n", 4e5), strings.Repeat(" ", 1e6), "[" + strings.Repeat("\\\n", 4e5) + "]",
		strings.Repeat("u", 1e6), "{" + strings.Repeat("(1,):1,", 1e5) + "}", strings.Repeat("(", 1e6), "1" + strings.Repeat("\n", 1e6), strings.Repeat("rb", 4e5) + "'", "1e" + strings.Repeat("9", 1e6),
	} {
		t.Logf("%.20q", text)
		quick.Within(t, 2*time.Second, func() { _, _ = Parse(text) })
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range read {
		if len(c.text) < 200 {
			f.Add(c.text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(text) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		// What was read is read again from its repr.
		repr := pickleproto.Repr(v)
		if strings.Contains(repr, "inf") || strings.Contains(repr, "Ellipsis") || strings.Contains(repr, "j") {
			// The first two are no literals; and Python writes 0-1j as -1j,
			// which it reads as (-0-1j).
			return
		}
		again, err := Parse(repr)
		if err != nil {
			t.Fatalf("%q has the repr %q: %v", text, repr, err)
		}
		if got := pickleproto.Repr(again); got != repr {
			t.Fatalf("%q has the repr %q, which has the repr %q", text, repr, got)
		}
	})
}

func ExampleParse() {
	v, err := Parse("{'numbers': [1, 2.5], 'raw': b'\\x00'}")
	fmt.Println(pickleproto.Repr(v), err)
	_, err = Parse("{'numbers': [1, 2.5}")
	fmt.Println(err)
	// Output:
	// {'numbers': [1, 2.5], 'raw': b'\x00'} <nil>
	// literal: unexpected '}' at byte 19
}
