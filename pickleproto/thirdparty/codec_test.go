package thirdparty

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
)

func le(width int, n uint64) string {
	b := binary.LittleEndian.AppendUint64(nil, n)
	return string(b[:width])
}

type (
	syntaxError = pickleproto.SyntaxError
	limitError  = pickleproto.LimitError
	typeError   = pickleproto.TypeError
)

// hostileMessages are messages of which gopickle alone dies, panics, hangs, or reads
// something else than CPython, and such as nobody may accept.
var hostileMessages = []struct {
	name, pickle string
	offset       int64
	is           any // nil: any of the three types
}{
	{"BINBYTES8 of 2^36", "\x80\x04\x8e" + le(8, 1<<36) + "abc.", 2, &limitError{}},
	{"BINUNICODE8 of 2^62", "\x80\x04\x8d" + le(8, 1<<62) + "abc.", 2, &limitError{}},
	{"BYTEARRAY8 of 2^64-1", "\x80\x05\x96" + le(8, math.MaxUint64) + "abc.", 2, &limitError{}},
	{"a frozenset is called", "\x80\x03cbuiltins\nfrozenset\n]\x85R)R.", -1, nil},
	{"FRAME of 2^40", "\x80\x04\x95" + le(8, 1<<40) + "N.", 2, &limitError{}},
	{"BINBYTES longer than the message", "\x80\x03B\xff\xff\xff\x00abc.", 2, &syntaxError{}},
	{"LONG4 of -1", "\x80\x02\x8b\xff\xff\xff\xff.", 2, &syntaxError{}},
	{"byte 0xff", "\xff", 0, &syntaxError{}},
	{"LONG1 of no bytes", "\x80\x02\x8a\x00.", 2, &typeError{}},
	{"LONG4 of no bytes", "\x80\x02\x8b\x00\x00\x00\x00.", 2, &typeError{}},
	{"LONG4 of 1 MB", "\x80\x02\x8b" + le(4, 1<<20) + strings.Repeat("\x7f", 1<<20) + ".", 2, &limitError{}},
	{"many LONG4", "\x80\x02(" + strings.Repeat("\x8b"+le(4, 30000)+strings.Repeat("\x7f", 30000), 40) + "l.", -2, &limitError{}},
	{"LONG of 5,000 digits", "L" + strings.Repeat("9", 5000) + "L\n.", 0, &limitError{}},
	{"missing memo entry", "\x80\x02j" + le(4, 5) + ".", 2, &syntaxError{}},
	{"missing memo entry, text", "g0\n.", 0, &syntaxError{}},
	{"memo index that is no number", "Np-1\n.", 1, &syntaxError{}},
	{"negative memo index", "g-1\n.", 0, &syntaxError{}},
	{"set of bytes", "\x80\x04\x8f(C\x01a\x90.", -1, &typeError{}},
	{"frozenset of bytes", "\x80\x04(C\x01a\x91.", -1, &typeError{}},
	{"list as key", "\x80\x02}]Ns.", -1, nil},
	{"dict as key", "\x80\x02}}Ns.", -1, nil},
	{"tuple of a list as key", "\x80\x02}]\x85Ns.", -1, nil},
	{"POP of nothing", "0N.", 0, &syntaxError{}},
	{"STOP of nothing", ".", 0, &syntaxError{}},
	{"STOP above a mark", "N(.", 2, &syntaxError{}},
	{"POP_MARK without mark", "N1.", 1, &syntaxError{}},
	{"APPENDS without mark", "]Ne.", 2, &syntaxError{}},
	{"APPEND to None", "NNa.", 2, &syntaxError{}},
	{"APPEND below a mark", "](Na.", 3, &syntaxError{}},
	{"odd SETITEMS", "}(Nu.", 3, &syntaxError{}},
	{"odd DICT", "(Nd.", 2, &syntaxError{}},
	{"SETITEM on a list", "]NNs.", 3, &syntaxError{}},
	{"ADDITEMS to a list", "\x80\x04](N\x90.", 5, &syntaxError{}},
	{"TUPLE2 of one", "\x80\x02N\x86.", 3, &syntaxError{}},
	{"REDUCE of an int", "K\x01)R.", 3, &syntaxError{}},
	{"REDUCE with a list of arguments", "cos\nsystem\n]R.", 12, &syntaxError{}},
	{"NEWOBJ of None", "\x80\x02N)\x81.", 4, &syntaxError{}},
	{"BUILD of an int", "K\x01}b.", 3, &syntaxError{}},
	{"OBJ without a class", "(o.", 1, &syntaxError{}},
	{"STACK_GLOBAL of numbers", "\x80\x04K\x01K\x02\x93.", 6, &syntaxError{}},
	{"keyword arguments of __new__", "\x80\x04\x8c\x01a\x8c\x01b\x93)}\x92.", 11, &typeError{}},
	{"INST and REDUCE together", "((ia\nb\ncc\nd\n)R.", 13, &typeError{}},
	{"state setter", "\x80\x02ca\nb\n)\x81q\x00cc\nd\nh\x00}\x86R0.", -2, &typeError{}},
	{"subclass of a builtin, protocol 0", "ccopy_reg\n_reconstructor\n(ca\nb\nc__builtin__\nint\nI5\ntR.", -1, &typeError{}},
	{"EXT code 0", "\x80\x02\x82\x00.", 2, &syntaxError{}},
	{"EXT4 code below 0", "\x80\x02\x84\xff\xff\xff\xff.", 2, &syntaxError{}},
	{"READONLY_BUFFER of None", "\x80\x05N\x98.", 3, &typeError{}},
	{"invalid UTF-8", "\x80\x02X\x01\x00\x00\x00\xff.", 2, &syntaxError{}},
	{"overlong UTF-8", "\x80\x02X\x02\x00\x00\x00\xc0\x80.", 2, &syntaxError{}},
	{"unquoted STRING", "Sabc\n.", 0, &syntaxError{}},
	{"STRING with an escape", `S'a\x41'` + "\n.", 0, &typeError{}},
	{"UNICODE with an escape", `Va\u0041` + "\n.", 0, &typeError{}},
	{"hexadecimal float", "F0x1p3\n.", 0, &syntaxError{}},
	{"octal INT", "I010\n.", 0, &typeError{}},
	{"INT with underscore", "I1_0\n.", 0, &typeError{}},
	{"no LONG at all", "LL\n.", 0, &typeError{}},
	{"a name of 5,000 bytes", "c" + strings.Repeat("a", 5000) + "\nb\n.", 0, &limitError{}},
	{"a name of 5,000 bytes from the stack", "\x80\x04X" + le(4, 5000) + strings.Repeat("a", 5000) + "\x8c\x01b\x93.", -1, &limitError{}},
	{"10 million marks", strings.Repeat("(", 1e7) + "N.", -2, &limitError{}},
	{"a million empty dicts", "](" + strings.Repeat("}", 1e6) + "e.", -2, &limitError{}},
	{"a million empty sets", "\x80\x04](" + strings.Repeat("\x8f", 1e6) + "e.", -2, &limitError{}},
	{"12,000 levels", strings.Repeat("(", 12000) + strings.Repeat("l", 12000) + ".", -2, &limitError{}},
	{"a million tuples, each in the next", ")" + strings.Repeat("\x85", 1e6) + ".", -2, &limitError{}},
	{"12,000 tuples, each in the next", ")" + strings.Repeat("\x85", 12000) + ".", -1, &limitError{}},
	{"depth built through the memo", "]q\x00" + deepThroughMemo(20000) + ".", -1, &limitError{}},
	{"key bomb", "}" + keyBomb(60) + "Ns.", -1, &limitError{}},
	{"APPEND to bytes", "c_codecs\nencode\nX\x01\x00\x00\x00aX\x06\x00\x00\x00latin1\x86RNa.", -1, &typeError{}},
	{"megabyte fetched a thousand times as a key", "\x80\x02}(X" + le(4, 1<<20) + strings.Repeat("a", 1<<20) + "q\x00N" + strings.Repeat("h\x00N", 1000) + "u.", -1, &limitError{}},
	{"a call with many arguments, fetched a thousand times", "\x80\x02cbuiltins\nabs\nq\x000(" + strings.Repeat("N", 10000) + "tq\x010(" + strings.Repeat("h\x00h\x01R", 1000) + "l.", -1, &limitError{}},
	{"no name", "c\n\n.", 0, &syntaxError{}},
	{"two protocols", "\x80\x02\x80\x04N.", 2, &typeError{}},
	{"trailing bytes", "N.N", 2, &syntaxError{}},
	{"nested frames", "\x80\x04\x95" + le(8, 12) + "\x95" + le(8, 2) + "N.N", 11, &syntaxError{}},
	{"not a pickle", "HEAD / HTTP/1.1\r\n", 0, &syntaxError{}},
}

// keyBomb is a tuple of the same tuple twice, and so on.
func keyBomb(levels int) string { return ")" + strings.Repeat("2\x86", levels) }

// deepThroughMemo nests lists although the stack never holds more than two.
func deepThroughMemo(levels int) string {
	var b strings.Builder
	for i := range levels {
		b.WriteString("j" + le(4, uint64(i)) + "]r" + le(4, uint64(i+1)) + "a0")
	}
	return b.String()
}

func TestHostileMessages(t *testing.T) {
	for _, c := range hostileMessages {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			v, err := Codec.Decode([]byte(c.pickle))
			took := time.Since(start)
			require.Error(t, err, "%T", v)
			require.Nil(t, v)
			// Most take microseconds; what this finds are hangs, also on a
			// machine under load and with the race detector.
			assert.Less(t, took, 5*time.Second)
			assert.Less(t, len(err.Error()), 300)
			var offset int64
			var syntax *syntaxError
			var limited *limitError
			var typed *typeError
			switch {
			case errors.As(err, &syntax):
				offset = syntax.Offset
			case errors.As(err, &limited):
				offset = limited.Offset
			case errors.As(err, &typed):
				offset = typed.Offset
			default:
				t.Fatalf("%T: %v", err, err)
			}
			if c.is != nil {
				require.IsType(t, c.is, err)
			}
			if c.offset == -2 {
				require.Positive(t, offset)
			} else {
				require.Equal(t, c.offset, offset, "%v", err)
			}
		})
	}
}

func TestTruncatedAnywhere(t *testing.T) {
	_, err := Codec.Decode(nil)
	require.Equal(t, io.EOF, err)
	for i, c := range golden(t) {
		if len(c.Data) > 300 || i%7 != 0 {
			continue
		}
		for cut := 1; cut < len(c.Data); cut++ {
			_, err := Codec.Decode(c.Data[:cut])
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		}
	}
}

func TestIdentityIsKept(t *testing.T) {
	v, err := Codec.Decode([]byte("\x80\x02]q\x00(]q\x01(K\x01eh\x01h\x00}q\x02U\x01ah\x02se."))
	require.NoError(t, err)
	l := v.(*pickleproto.List)
	require.Same(t, l.At(0), l.At(1))
	require.Same(t, l, l.At(2))
	d := l.At(3).(*pickleproto.Dict)
	self, _ := d.Get("a")
	require.Same(t, d, self)

	// Two bytearrays of one bytes object share nothing.
	v, err = Codec.Decode([]byte("\x80\x03cbuiltins\nbytearray\nq\x00C\x02abq\x01\x85Rh\x00h\x01\x85Rh\x01\x87."))
	require.NoError(t, err)
	arrays := v.(pickleproto.Tuple)
	arrays[0].(*pickleproto.ByteArray).Data[0] = 'x'
	require.Equal(t, "(bytearray(b'xb'), bytearray(b'ab'), b'ab')", pickleproto.Repr(v))

	// A tuple within itself, as CPython writes it.
	v, err = Codec.Decode([]byte("\x80\x02]q\x00h\x00\x85q\x01a0h\x01."))
	require.NoError(t, err)
	tuple := v.(pickleproto.Tuple)
	inner := tuple[0].(*pickleproto.List).At(0).(pickleproto.Tuple)
	require.Same(t, &tuple[0], &inner[0])
}

func TestKeysAreComparedAsPythonDoes(t *testing.T) {
	v, err := Codec.Decode([]byte("\x80\x02}(K\x01U\x01aG\x3f\xf0\x00\x00\x00\x00\x00\x00U\x01b\x88U\x01cu."))
	require.NoError(t, err)
	require.Equal(t, "{1: 'c'}", pickleproto.Repr(v))
}

func TestInertObjects(t *testing.T) {
	for _, c := range []struct{ pickle, want string }{
		{"\x80\x02\x82\x05.", "extension 5"},
		{"\x80\x02Pabc\n.", "persistent abc"},
		{"\x80\x05\x97\x97\x98\x86.", "buffers"},
	} {
		v, err := Codec.Decode([]byte(c.pickle))
		require.NoError(t, err)
		native, err := pickleproto.Native.Decode([]byte(c.pickle))
		require.NoError(t, err)
		require.Equal(t, native, v, c.want)
	}
}

func TestWritesProtocol2(t *testing.T) {
	for p := range 6 {
		out, err := Codec.Append([]byte("before"), int64(1), pickleproto.WithProtocol(p))
		require.NoError(t, err)
		require.Equal(t, "before\x80\x02J\x01\x00\x00\x00.", string(out))
	}
}

func TestWritesGoValuesByWayOfTheNativeCodec(t *testing.T) {
	type pair struct {
		A int    `pickle:"a"`
		B []bool `pickle:"b"`
	}
	out, err := Codec.Append(nil, []any{pair{1, []bool{true}}, map[string]any{"x": uint8(3)}})
	require.NoError(t, err)
	v, err := pickleproto.Native.Decode(out)
	require.NoError(t, err)
	d := pickleproto.NewDict()
	require.NoError(t, d.Set("a", int64(1)))
	require.NoError(t, d.Set("b", pickleproto.NewList(true)))
	e := pickleproto.NewDict()
	require.NoError(t, e.Set("x", int64(3)))
	require.True(t, pickleproto.Equal(pickleproto.NewList(d, e), v), pickleproto.Repr(v))
}

func TestRefusesToWrite(t *testing.T) {
	own := pickleproto.NewList()
	own.Append(own)
	ownDict := pickleproto.NewDict()
	require.NoError(t, ownDict.Set("self", pickleproto.NewList(ownDict)))
	nan := pickleproto.NewDict()
	require.NoError(t, nan.Set(math.NaN(), nil))
	shared := any(pickleproto.NewList(int64(1)))
	for range 60 {
		shared = pickleproto.NewList(shared, shared)
	}
	deep := any(nil)
	for range 10_001 {
		deep = pickleproto.Tuple{deep}
	}
	set, err := pickleproto.NewSet(int64(1))
	require.NoError(t, err)
	for _, c := range []struct {
		name string
		v    any
		is   any
	}{
		{"list within itself", own, &typeError{}},
		{"dict within itself", ownDict, &typeError{}},
		{"nan as key", nan, &typeError{}},
		{"list of the same list twice, 60 levels", shared, &limitError{}},
		{"10,001 levels", deep, &limitError{}},
		{"integer of 255 bytes, of which the sign is one more", new(big.Int).Lsh(big.NewInt(1), 2039), &typeError{}},
		{"bytes", pickleproto.Bytes("a"), &typeError{}},
		{"bytes within a list", pickleproto.NewList(pickleproto.Bytes("a")), &typeError{}},
		{"bytes as a key", dictOf(t, pickleproto.Bytes("a")), &typeError{}},
		{"set", set, &typeError{}},
		{"class", pickleproto.Global{Module: "a", Name: "b"}, &typeError{}},
		{"Python 2 str that is not ASCII", pickleproto.ByteString("\xff"), &typeError{}},
		{"str that is not UTF-8", "\xff", &typeError{}},
		{"a string above the message limit", strings.Repeat("a", 64<<20), &limitError{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			quick.Within(t, 2*time.Second, func() {
				out, err := Codec.Append([]byte("x"), c.v)
				require.IsType(t, c.is, err, "%v", err)
				require.Equal(t, "x", string(out))
			})
		})
	}

	// Ten levels are written, as the 2,047 lists that they are to Python.
	shared = pickleproto.NewList()
	for range 10 {
		shared = pickleproto.NewList(shared, shared)
	}
	out, err := Codec.Append(nil, pickleproto.Tuple{shared, pickleproto.Tuple{}})
	require.NoError(t, err)
	require.Equal(t, 2047, strings.Count(string(out), "]"))
	v, err := pickleproto.Native.Decode(out)
	require.NoError(t, err)
	require.True(t, pickleproto.Equal(pickleproto.Tuple{shared, pickleproto.Tuple{}}, v))

	// Depth counts where a container occurs, not where it was first.
	deep = pickleproto.Tuple{nil}
	for range 6000 {
		deep = pickleproto.Tuple{deep}
	}
	again := any(pickleproto.Tuple{deep})
	for range 6000 {
		again = pickleproto.Tuple{again}
	}
	_, err = Codec.Append(nil, pickleproto.Tuple{deep, again})
	require.IsType(t, &limitError{}, err)
	_, err = Codec.Append(nil, pickleproto.Tuple{deep, deep})
	require.NoError(t, err)
}

func dictOf(t *testing.T, key any) *pickleproto.Dict {
	d := pickleproto.NewDict()
	require.NoError(t, d.Set(key, nil))
	return d
}

func TestWritesIntegersOfEverySize(t *testing.T) {
	for bits := range 2100 {
		for _, add := range []int64{-1, 0, 1} {
			for _, sign := range []int64{1, -1} {
				n := new(big.Int).Lsh(big.NewInt(1), uint(bits))
				n.Add(n, big.NewInt(add)).Mul(n, big.NewInt(sign))
				out, err := Codec.Append(nil, n)
				if err != nil {
					require.IsType(t, &typeError{}, err)
					require.Greater(t, bits, 2020)
					require.Less(t, bits, 2060)
					continue
				}
				v, err := pickleproto.Native.Decode(out)
				require.NoError(t, err)
				require.True(t, pickleproto.Equal(n, v), "%v %v", n, v)
			}
		}
	}
}

func TestTheirPanicsBecomeErrors(t *testing.T) {
	_, err := load([]byte("\x80\x02\x8a\x00.")) // not checked beforehand
	require.IsType(t, &typeError{}, err)
	require.Contains(t, err.Error(), "index out of range")
	_, err = dump(map[any]any{math.NaN(): 1})
	require.IsType(t, &typeError{}, err)
	require.Less(t, len(cannot("gopickle", strings.Repeat("x", 1e6), 0).Error()), 200)
}

// FuzzCodec: never a panic, and never a value other than the native codec's.
func FuzzCodec(f *testing.F) {
	for i, c := range golden(f) {
		if len(c.Data) < 300 && i%5 == 0 { // more only cost time before the fuzzing begins
			f.Add(c.Data)
		}
	}
	for _, c := range hostileMessages {
		if len(c.pickle) < 300 {
			f.Add([]byte(c.pickle))
		}
	}
	f.Fuzz(func(t *testing.T, pickle []byte) {
		v, err := Codec.Decode(pickle)
		if err != nil {
			return
		}
		native, err := pickleproto.Native.Decode(pickle)
		if err != nil {
			t.Fatalf("%q is read as %s, but: %v", pickle, pickleproto.Repr(v), err)
		}
		if unordered(v) != unordered(native) && !pickleproto.Equal(v, native) {
			t.Fatalf("%q is read as %s in place of %s", pickle, pickleproto.Repr(v), pickleproto.Repr(native))
		}
		if out, err := Codec.Append(nil, v); err == nil {
			if _, err := pickleproto.Native.Decode(out); err != nil {
				t.Fatalf("%s is written as %q: %v", pickleproto.Repr(v), out, err)
			}
		}
	})
}

func ExampleCodec() {
	v, err := Codec.Decode([]byte("\x80\x04}\x94\x8c\x07numbers\x94]\x94(K\x01K\x02es."))
	fmt.Println(pickleproto.Repr(v), err)
	out, err := Codec.Append(nil, v)
	fmt.Printf("%q %v\n", out, err)
	// Output:
	// {'numbers': [1, 2]} <nil>
	// "\x80\x02}(X\a\x00\x00\x00numbers](J\x01\x00\x00\x00J\x02\x00\x00\x00eu." <nil>
}
