package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto/internal/pythontest"
	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
)

func le(width int, n uint64) string {
	b := binary.LittleEndian.AppendUint64(nil, n)
	return string(b[:width])
}

func frame(s string) string { return "\x95" + le(8, uint64(len(s))) + s }

// whole are pickles with the protocol in which they are to be answered. They
// are what the other tests cut up, and the fuzz target starts from.
var whole = []struct {
	name, pickle string
	protocol     int
}{
	{"None, protocol 0", "N.", 0},
	{"None, protocol 2", "\x80\x02N.", 2},
	{"nothing at all", ".", 0},
	{"text protocol", "(dp0\nVkey\np1\nI1\ns.", 0},
	{"a stop in each line", "I1\n0V..\np0\n0S'...'\np1\n0L5L\n0F.5\n0P.\n0g0\n0c.\n..\nq\x00.", 1},
	{"instance, two lines", "(imod.ule\nC.name\np0\n.", 0},
	{"protocol 1 has no header", "}q\x00X\x03\x00\x00\x00a.bq\x01K.s.", 1},
	{"EXT1 without a header is no opcode of protocol 1", "\x82\x2e.", 0},
	{"a stop in each fixed argument", "\x80\x02K.0M..0J....0G........0h.0j....0q.r....\x82.0\x83..0\x84.....", 2},
	{"a stop in each counted argument", "\x80\x03U\x01.0T\x02\x00\x00\x00..0C\x01.0B\x01\x00\x00\x00.0X\x01\x00\x00\x00.0\x8a\x01.0\x8b\x01\x00\x00\x00..", 3},
	{"empty counted arguments", "\x80\x04U\x000T\x00\x00\x00\x000\x8a\x000\x8b\x00\x00\x00\x000\x8c\x000\x8d" + le(8, 0) + "0\x8e" + le(8, 0) + ".", 4},
	{"46 bytes counted by a stop", "\x80\x03C." + strings.Repeat(".", 46) + ".", 3},
	{"opcodes newer than the header", "\x80\x02\x8c\x01.0\x96" + le(8, 3) + "....", 5},
	{"header newer than the opcodes", "\x80\x05N.", 5},
	{"header below the opcode's own protocol", "\x80\x00N.", 2},
	{"header not in front", "N0\x80\x03N.", 3},
	{"two headers", "\x80\x04\x80\x02N.", 4},
	{"framed", "\x80\x04" + frame("\x8c\x03a.b\x94."), 4},
	{"two frames with bytes between", "\x80\x04" + frame("]\x94(") + "B\x05\x00\x00\x00....." + frame("\x94e."), 4},
	{"unframed opcodes after a frame", "\x80\x04" + frame("]\x94(") + "N0e.", 4},
	{"an empty frame", "\x80\x04" + frame("") + frame("") + "N.", 4},
	{"a frame that begins with the last byte of another", "\x80\x04\x95" + le(8, 10) + "N" + frame("0N."), 4},
	{"a line that ends a frame", "\x80\x04" + frame("I42\n."), 4},
	{"bytes of 70,000", "\x80\x03B" + le(4, 70000) + strings.Repeat(".", 70000) + ".", 3},
}

// scan feeds the stream in chunks of the sizes that cut returns (the last one
// as large as it needs to be), and returns what a reader of it would.
func scan(s *Scanner, stream []byte, cut func() int) (n int, done bool, err error) {
	for n < len(stream) && !done && err == nil {
		size := min(max(cut(), 1), len(stream)-n)
		var k int
		k, done, err = s.Scan(stream[n : n+size])
		n += k
	}
	return n, done, err
}

func all() int { return math.MaxInt }

func TestScannerFindsTheEnd(t *testing.T) {
	for _, c := range whole {
		t.Run(c.name, func(t *testing.T) {
			stream := []byte(c.pickle + ".N.\x80\x04trailing")
			var s Scanner
			check := func(what string, n int, done bool, err error) {
				t.Helper()
				require.NoError(t, err, what)
				require.True(t, done, what)
				require.Equal(t, len(c.pickle), n, what)
				require.Equal(t, int64(n), s.Offset(), what)
				require.Equal(t, c.protocol, s.Protocol(), what)
				require.Zero(t, s.Need(), what)
				n, done, err = s.Scan([]byte("N."))
				require.True(t, n == 0 && done && err == nil, "the answer must stay until Reset")
				s.Reset()
			}
			n, done, err := scan(&s, stream, all)
			check("at once", n, done, err)
			n, done, err = scan(&s, stream, func() int { return 1 })
			check("byte by byte", n, done, err)
			if len(c.pickle) > 1000 {
				return
			}
			for split := 1; split < len(c.pickle); split++ {
				sizes := []int{split, len(stream)}
				n, done, err = scan(&s, stream, func() int { k := sizes[0]; sizes = sizes[1:]; return k })
				check(fmt.Sprintf("split at %d", split), n, done, err)
			}
		})
	}
}

// No byte is looked at twice. A scanner that began anew with each read would take hours.
func TestScannerCostIsLinear(t *testing.T) {
	stream := []byte("(" + strings.Repeat("K\x01", 500_000) + "X" + le(4, 1<<20) + strings.Repeat(".", 1<<20) + "V" + strings.Repeat("x", 1<<20) + "\nt.")
	quick.Within(t, time.Second, func() {
		var s Scanner
		n, done, err := scan(&s, stream, func() int { return 1 })
		require.NoError(t, err)
		require.True(t, done)
		require.Equal(t, len(stream), n)
	})
}

func TestScannerSeveralPicklesInASegment(t *testing.T) {
	var stream []byte
	for _, c := range whole {
		stream = append(stream, c.pickle...)
	}
	for _, size := range []int{1, 2, 3, 7, 4096, len(stream)} {
		var s Scanner
		rest := stream
		for _, c := range whole {
			n, done, err := scan(&s, rest, func() int { return size })
			require.NoError(t, err, c.name)
			require.True(t, done, c.name)
			require.Equal(t, c.pickle, string(rest[:n]), c.name)
			rest = rest[n:]
			s.Reset()
		}
		require.Empty(t, rest)
	}
}

// A reader that reads exactly Need bytes each time must come out at the end
// of the pickle, having read nothing beyond it.
func TestScannerNeedNeverAsksTooMuch(t *testing.T) {
	for _, c := range whole {
		var s Scanner
		read, rounds := 0, 0
		for s.Need() > 0 {
			require.LessOrEqual(t, read+int(s.Need()), len(c.pickle), c.name)
			n, done, err := s.Scan([]byte(c.pickle[read : read+int(s.Need())]))
			require.NoError(t, err, c.name)
			read += n
			rounds++
			require.Equal(t, s.Need() == 0, done, c.name)
		}
		require.Equal(t, len(c.pickle), read, c.name)
		if strings.HasPrefix(c.name, "bytes of") {
			require.LessOrEqual(t, rounds, 6, "an argument is asked for in one piece")
		}
	}
}

func TestScannerTruncatedAnywhere(t *testing.T) {
	for _, c := range whole {
		for cut := range min(len(c.pickle), 1000) {
			var s Scanner
			n, done, err := s.Scan([]byte(c.pickle[:cut]))
			require.NoError(t, err, c.name)
			require.False(t, done, c.name)
			require.Equal(t, cut, n, c.name)
			e := s.Truncated()
			require.LessOrEqual(t, e.Offset, int64(cut), c.name)
			if e.HasOp {
				require.Equal(t, c.pickle[e.Offset], e.Op, c.name)
				require.NotEqual(t, int64(cut), e.Offset, c.name)
			} else {
				require.Equal(t, int64(cut), e.Offset, c.name)
			}
		}
	}
	var s Scanner
	_, _, err := s.Scan([]byte("\x80\x04X\x05\x00\x00"))
	require.NoError(t, err)
	require.EqualError(t, s.Truncated(), "pickle: pickle data was truncated at byte 2 (BINUNICODE)")
	s.Reset()
	require.EqualError(t, s.Truncated(), "pickle: ran out of input at byte 0")
}

func TestScannerRefuses(t *testing.T) {
	for _, c := range []struct {
		name, pickle string
		offset       int64
		text         string
	}{
		{"no opcode", "\x80\x04z.", 2, "invalid load key, 'z'"},
		{"NUL", "\x00", 0, `invalid load key, '\x00'`},
		{"0xff", "N\xff.", 1, `invalid load key, '\xff'`},
		{"a quote", "'", 0, `invalid load key, '\''`},
		{"a backslash", `\`, 0, `invalid load key, '\\'`},
		{"an HTTP request", "HEAD / HTTP/1.1\r\n", 0, "invalid load key, 'H'"},
		{"protocol 6", "\x80\x06N.", 0, "unsupported pickle protocol: 6"},
		{"protocol 255, late", "N0\x80\xffN.", 2, "unsupported pickle protocol: 255"},
		{"negative BINSTRING", "T\xff\xff\xff\xffabc.", 0, "negative byte count"},
		{"negative LONG4", "\x80\x02\x8b\x00\x00\x00\x80.", 2, "negative byte count"},
		{"nested frames", "\x80\x04\x95" + le(8, 30) + frame("N.") + strings.Repeat("N", 30), 11, "a frame begins within a frame"},
		{"a frame cuts a fixed argument", "\x80\x04\x95" + le(8, 2) + "J\x00\x00\x00\x00.", 11, "the frame ends within an opcode"},
		{"a frame cuts a count", "\x80\x04\x95" + le(8, 2) + "X\x01\x00\x00\x00a.", 11, "the frame ends within an opcode"},
		{"a frame cuts a string", "\x80\x04\x95" + le(8, 3) + "\x8c\x05abcde.", 11, "the frame ends within an opcode"},
		{"a frame cuts a line", "\x80\x04\x95" + le(8, 2) + "I42\n.", 11, "the frame ends within an opcode"},
		{"a frame cuts between two lines", "\x80\x04\x95" + le(8, 4) + "cab\nd\n.", 11, "the frame ends within an opcode"},
		{"a frame cuts a frame's length", "\x80\x04\x95" + le(8, 4) + frame("N."), 11, "the frame ends within an opcode"},
		{"a frame cuts PROTO", "\x80\x04\x95" + le(8, 1) + "\x80\x04N.", 11, "the frame ends within an opcode"},
		{"a frame reaches beyond STOP", "\x80\x04\x95" + le(8, 3) + "N.N", 12, "the frame reaches beyond STOP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 1 << 20} {
				var s Scanner
				_, done, err := scan(&s, []byte(c.pickle), func() int { return size })
				require.False(t, done)
				var e *Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, c.offset, e.Offset)
				assert.Equal(t, c.pickle[c.offset], e.Op)
				assert.Equal(t, c.text, e.Msg)
				n, done, again := s.Scan([]byte("N."))
				assert.True(t, n == 0 && !done && again == err, "the error must stay until Reset")
				s.Reset()
				_, done, err = s.Scan([]byte("N."))
				assert.True(t, done && err == nil)
			}
		})
	}
}

// CPython up to 3.13.0 ignores frame boundaries; so does LaxFrames.
func TestScannerLaxFrames(t *testing.T) {
	for _, pickle := range []string{
		"\x80\x04\x95" + le(8, 30) + frame("N."),
		"\x80\x04\x95" + le(8, 2) + "J\x00\x00\x00\x00.",
		"\x80\x04\x95" + le(8, 3) + "N.",
	} {
		for _, size := range []int{1, 3, 100} {
			s := Scanner{LaxFrames: true}
			n, done, err := scan(&s, []byte(pickle+"xyz"), func() int { return size })
			require.NoError(t, err)
			require.True(t, done)
			require.Equal(t, len(pickle), n)
		}
	}
}

func TestScannerLimit(t *testing.T) {
	const exact = "\x80\x04X\x05\x00\x00\x00hello."
	s := Scanner{MaxMessage: int64(len(exact))}
	_, done, err := s.Scan([]byte(exact + "N."))
	require.True(t, done && err == nil, "the limit itself is allowed")

	for _, c := range []struct {
		name, pickle string
		max          int64
		value        uint64
		offset       int64
		op           byte // 0: between opcodes
	}{
		{"short opcodes", strings.Repeat("N0", 100), 9, 10, 9, 0},
		{"a line", "V" + strings.Repeat("a", 100), 50, 51, 0, OpUnicode},
		{"the count alone passes it", "\x80\x04X\x06\x00\x00\x00", 12, 13, 2, OpBinUnicode},
		{"BINUNICODE of 4 GiB", "X\xff\xff\xff\xff", 0, 5 + math.MaxUint32, 0, OpBinUnicode},
		{"BINBYTES8 of 2^36", "\x80\x04\x8e" + le(8, 1<<36) + "abc.", 0, 11 + 1<<36, 2, OpBinBytes8},
		{"BYTEARRAY8 of 2^63", "\x80\x05\x96" + le(8, 1<<63) + "abc.", 0, 11 + 1<<63, 2, OpByteArray8},
		{"BINUNICODE8 of 2^64-1", "\x80\x04\x8d" + le(8, math.MaxUint64) + "abc.", 0, math.MaxUint64, 2, OpBinUnicode8},
		{"the same without a limit", "\x80\x04\x8d" + le(8, math.MaxUint64) + "abc.", -1, math.MaxUint64, 2, OpBinUnicode8},
		{"FRAME of 2^36", "\x80\x04\x95" + le(8, 1<<36) + "N.", 0, 11 + 1<<36, 2, OpFrame},
		{"FRAME of 2^64-1", "\x80\x04\x95" + le(8, math.MaxUint64) + "N.", 0, math.MaxUint64, 2, OpFrame},
		{"LONG4 of 2^31-1", "\x80\x02\x8b\xff\xff\xff\x7f", 0, 7 + math.MaxInt32, 2, OpLong4},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{1, 3, 1 << 20} {
				s := Scanner{MaxMessage: c.max}
				n, done, err := scan(&s, []byte(c.pickle), func() int { return size })
				require.False(t, done)
				var e *LimitError
				require.ErrorAs(t, err, &e)
				assert.Equal(t, c.value, e.Value)
				assert.Equal(t, c.offset, e.Offset)
				assert.Equal(t, c.op != 0, e.HasOp)
				assert.Equal(t, c.op, e.Op)
				assert.LessOrEqual(t, int64(n), s.limit())
				assert.Equal(t, uint64(s.limit()), e.Max)
				assert.Contains(t, err.Error(), "exceeds the limit")
				assert.Zero(t, s.Need())
			}
		})
	}
	unlimited := Scanner{MaxMessage: -1}
	_, done, err = unlimited.Scan([]byte("\x80\x04\x8e" + le(8, 1<<40)))
	require.True(t, !done && err == nil, "without a limit a length that fits is believed")
	require.Equal(t, int64(1<<40+1), unlimited.Need())
}

// Where a Python is found, its pickles of every protocol end where ours say.
func TestScannerAgainstEachPython(t *testing.T) {
	const program = `
import pickle, sys, struct
out = getattr(sys.stdout, 'buffer', sys.stdout)
big = b'.' * 70000
values = [None, 1.5, {'key': [1, 300, 70000, 1 << 40, 1 << 3000]}, u'\u20ac.' * 300, b'.' * 300,
          (big, list(range(3000)), big + b'x', u'.' * 200000), [u'%d' % i for i in range(30000)], set([1, 2]), Exception, ValueError('.')]
if sys.version_info[0] == 3: values.append(bytearray(big))
for p in range(pickle.HIGHEST_PROTOCOL + 1):
    for v in values:
        b = pickle.dumps(v, p)
        out.write(struct.pack('>IB', len(b), p) + b)
`
	if len(pythontest.All()) == 0 {
		t.Skip("no Python found; the table in this file stands in for it")
	}
	for _, py := range pythontest.All() {
		t.Run(py.String(), func(t *testing.T) {
			out, err := exec.Command(py.Path, "-c", program).Output()
			require.NoError(t, err)
			count := 0
			for len(out) > 0 {
				size, proto := int(binary.BigEndian.Uint32(out)), int(out[4])
				pickle := out[5 : 5+size]
				out = out[5+size:]
				for _, chunk := range []int{1, 4096, len(pickle)} {
					if chunk == 1 && len(pickle) > 10_000 {
						continue
					}
					var s Scanner
					n, done, err := scan(&s, pickle, func() int { return chunk })
					require.NoError(t, err)
					require.True(t, done)
					require.Equal(t, size, n)
					if proto != 1 { // None and numbers as text look like protocol 0
						require.Equal(t, proto, s.Protocol())
					}
				}
				count++
			}
			require.Positive(t, count)
		})
	}
}

func TestScannerAllocatesNothing(t *testing.T) {
	var s Scanner
	pickle := []byte(whole[len(whole)-1].pickle)
	require.Zero(t, testing.AllocsPerRun(10, func() {
		s.Reset()
		for i := range pickle {
			if _, _, err := s.Scan(pickle[i : i+1]); err != nil {
				t.Fatal(err)
			}
		}
	}))
}

// FuzzScanner: the end, the error and the protocol do not depend on how the
// stream is cut.
func FuzzScanner(f *testing.F) {
	for _, c := range whole {
		if len(c.pickle) < 1000 {
			f.Add([]byte(c.pickle), []byte{1, 2, 3}, int64(0))
		}
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte, limit int64) {
		one := Scanner{MaxMessage: limit}
		n1, done1, err1 := scan(&one, stream, all)
		i := 0
		other := Scanner{MaxMessage: limit}
		n2, done2, err2 := scan(&other, stream, func() int {
			if len(cuts) == 0 {
				return 1
			}
			i++
			return int(cuts[i%len(cuts)])
		})
		require.Equal(t, done1, done2)
		require.Equal(t, err1, err2)
		require.Equal(t, one.Protocol(), other.Protocol())
		if err1 != nil {
			return
		}
		require.Equal(t, n1, n2)
		require.Equal(t, one.Offset(), other.Offset())
		require.Equal(t, one.Need(), other.Need())
		if done1 {
			require.Equal(t, OpStop, stream[n1-1])
		}
	})
}

func BenchmarkScanner(b *testing.B) {
	short := "\x80\x02](" + strings.Repeat("K\x01M\x00\x01J\x00\x00\x01\x00", 10000) + "e."
	records := "\x80\x04](" + strings.Repeat("}\x94(\x8c\x04name\x94\x8c\x05Alice\x94\x8c\x03age\x94K*\x8c\x05score\x94G@\x09\x21\xfb\x54\x44\x2d\x18h\x05h\x06u", 3000) + "e."
	text := "(lp0\n" + strings.Repeat("I1\naVabc\np12\na", 10000) + "."
	for _, c := range []struct{ name, pickle string }{{"ints", short}, {"records", records}, {"protocol0", text}} {
		for _, chunk := range []int{1 << 30, 4096} {
			b.Run(fmt.Sprintf("%s/%d", c.name, chunk), func(b *testing.B) {
				pickle := []byte(c.pickle)
				b.SetBytes(int64(len(pickle)))
				b.ReportAllocs()
				var s Scanner
				for b.Loop() {
					s.Reset()
					for rest := pickle; len(rest) > 0; {
						n, _, err := s.Scan(rest[:min(chunk, len(rest))])
						if err != nil {
							b.Fatal(err)
						}
						rest = rest[n:]
					}
				}
			})
		}
	}
}
