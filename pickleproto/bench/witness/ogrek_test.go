package witness

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	ogorek "github.com/kisielk/og-rek"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// wrong are the objects of the golden corpus that og-rek reads without an error, and not as they
// are. A name that it reads right fails the test.
var wrong = map[string]string{
	"recursive list":                 "lists are slices by value: a list fetched from the memo is as long as it was when it was put there",
	"recursive tuple":                "lists are slices by value",
	"recursive long tuple":           "lists are slices by value",
	"recursive tuple subclass":       "lists are slices by value",
	"__reduce__ of 6, only a setter": "a call whose result is popped is dropped",
}

// refused are the errors by which og-rek says that it does not know something.
var refused = []struct {
	reason string
	err    *regexp.Regexp
}{
	{"BUILD, NEWOBJ, NEWOBJ_EX, OBJ, INST, EXT1 and LONG4 are not known, nor are sets",
		regexp.MustCompile(`^Unknown opcode (98|129|146|111|105|130|139|143|145) `)},
	{"an instance has no items", regexp.MustCompile(`expected a (list|map or Dict), got ogórek.Call`)},
	{"an instance is no key and no class", regexp.MustCompile(`invalid (key type|class: )`)},
	{"no out-of-band buffers", regexp.MustCompile(`no out-of-band data`)},
	{"a lone surrogate in UNICODE", regexp.MustCompile(`^invalid syntax$`)},
	{"LONG1 of 128 bytes or more", regexp.MustCompile(`^Unknown opcode (255|0) `)},
}

type row struct {
	Name     string
	Protocol int
	Data     []byte
	Deflate  []byte
}

func corpus(t *testing.T) []row {
	f, err := os.Open("../../testdata/corpus/objects.jsonl")
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	var rows []row
	for lines.Scan() {
		var r row
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		if r.Deflate != nil {
			r.Data = inflated(t, r.Deflate)
		}
		require.NotEmpty(t, r.Data, r.Name)
		rows = append(rows, r)
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, rows)
	return rows
}

func inflated(t *testing.T, b []byte) []byte {
	out, err := io.ReadAll(flate.NewReader(bytes.NewReader(b)))
	require.NoError(t, err)
	return out
}

var reads = &ogorek.DecoderConfig{PyDict: true, StrictUnicode: true}

// ogrekReads returns what og-rek reads. It panics on some input.
func ogrekReads(pickle []byte) (v any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return ogorek.NewDecoderWithConfig(bytes.NewReader(pickle), reads).Decode()
}

func TestOgrekReadsTheCorpus(t *testing.T) {
	read, saidNo, wasWrong := 0, map[string]int{}, map[string]int{}
	for _, r := range corpus(t) {
		var v any
		digits := pickleproto.WithLimits(pickleproto.Limits{Digits: -1})
		require.NoError(t, pickleproto.Unmarshal(r.Data, &v, digits), "%s, protocol %d", r.Name, r.Protocol)
		ours, err := pickleproto.Marshal(v, pickleproto.WithProtocol(r.Protocol), digits)
		require.NoError(t, err, "%s, protocol %d", r.Name, r.Protocol)
		x, err := ogrekReads(ours)
		if err != nil {
			reason := ""
			for _, k := range refused {
				if k.err.MatchString(err.Error()) {
					reason = k.reason
					break
				}
			}
			require.NotEmpty(t, reason, "%s, protocol %d: %v", r.Name, r.Protocol, err)
			saidNo[reason]++
			continue
		}
		if same := text(v) == text(x); !same {
			require.Contains(t, wrong, r.Name, "protocol %d: %.300s is read as %.300s", r.Protocol, text(v), text(x))
			wasWrong[r.Name]++
			continue
		}
		read++
	}
	for name := range wrong {
		require.NotZero(t, wasWrong[name], "%s: og-rek reads it right now", name)
	}
	for _, k := range refused {
		require.NotZero(t, saidNo[k.reason], "%s: og-rek refuses no more", k.reason)
	}
	require.Greater(t, read, 2000)
	t.Logf("read %d, refused %v, wrong %v", read, saidNo, wasWrong)
}

func TestOgrekLosesSharedLists(t *testing.T) {
	a := pickleproto.NewList(int64(1), int64(2))
	for protocol := range 6 {
		pickle, err := pickleproto.Marshal(pickleproto.NewList(a, a), pickleproto.WithProtocol(protocol))
		require.NoError(t, err)
		x, err := ogrekReads(pickle)
		require.NoError(t, err)
		require.Equal(t, "list(list(1, 2, ), list(), )", text(x)) // [[1, 2], [1, 2]]
		var v any
		require.NoError(t, pickleproto.Unmarshal(pickle, &v))
		items := v.(*pickleproto.List).Items()
		require.Same(t, items[0], items[1])
	}
}

// random makes values that both codecs have. Lists and dicts are each in one place only.
type random struct {
	*rand.Rand
	ogrek bool // of og-rek's types
}

func (r random) text() string {
	pieces := []string{"", "a", "é", "key", "numbers", "日本", "😀", "new\nline\\", "\x00\x1a\r'\"", strings.Repeat("long ", 60)}
	return pieces[r.IntN(len(pieces))] + pieces[r.IntN(len(pieces))]
}

func (r random) scalar() any {
	switch r.IntN(8) {
	case 0:
		return r.IntN(2) == 0
	case 1:
		return r.Int64() >> r.IntN(64)
	case 2:
		return -(r.Int64() >> r.IntN(64))
	case 3:
		return math.Float64frombits(r.Uint64())
	case 4:
		x := new(big.Int).Lsh(big.NewInt(r.Int64()|1<<62), uint(2+r.IntN(800)))
		if r.IntN(2) == 0 {
			x.Neg(x)
		}
		return x
	case 5:
		if r.ogrek {
			return ogorek.None{}
		}
		return nil
	case 6:
		if r.ogrek {
			return ogorek.Bytes(r.text())
		}
		return pickleproto.Bytes(r.text())
	}
	return r.text()
}

func (r random) value(t testing.TB, depth int) any {
	if depth == 0 {
		return r.scalar()
	}
	items := make([]any, r.IntN(6))
	for i := range items {
		items[i] = r.value(t, depth-1)
	}
	switch r.IntN(5) {
	case 0:
		if r.ogrek {
			return items
		}
		return pickleproto.NewList(items...)
	case 1:
		if r.ogrek {
			return ogorek.Tuple(items)
		}
		return pickleproto.Tuple(items)
	case 2:
		if r.ogrek {
			d := ogorek.NewDict()
			for _, x := range items {
				d.Set(r.text(), x)
			}
			return d
		}
		d := pickleproto.NewDict()
		for _, x := range items {
			require.NoError(t, d.Set(r.text(), x))
		}
		return d
	case 3:
		if r.ogrek {
			return ogorek.Call{Callable: ogorek.Class{Module: "decimal", Name: "Decimal"}, Args: ogorek.Tuple(items)}
		}
		return &pickleproto.Object{How: pickleproto.ByReduce, Callable: pickleproto.Global{Module: "decimal", Name: "Decimal"}, Args: pickleproto.Tuple(items)}
	}
	return r.scalar()
}

const randomValues = 500

func TestOgrekReadsRandomValues(t *testing.T) {
	for protocol := range 6 {
		r := random{Rand: rand.New(rand.NewPCG(1, uint64(protocol)))}
		for range randomValues {
			v := r.value(t, 4)
			pickle, err := pickleproto.Marshal(v, pickleproto.WithProtocol(protocol))
			require.NoError(t, err)
			x, err := ogrekReads(pickle)
			require.NoError(t, err, "protocol %d: %s", protocol, text(v))
			require.Equal(t, text(v), text(x), "protocol %d: %q", protocol, pickle)
		}
	}
}

func ogrekWrites(v any, protocol int) ([]byte, error) {
	var b bytes.Buffer
	err := ogorek.NewEncoderWithConfig(&b, &ogorek.EncoderConfig{Protocol: protocol, StrictUnicode: true}).Encode(v)
	return b.Bytes(), err
}

func TestReadsWhatOgrekWrites(t *testing.T) {
	for protocol := range 6 {
		r := random{Rand: rand.New(rand.NewPCG(2, uint64(protocol))), ogrek: true}
		values := []any{
			uint64(math.MaxUint64), int64(math.MinInt64), math.Inf(1), math.Copysign(0, -1),
			ogorek.ByteString("bytes \xff of Python 2"), []byte("a bytearray \xff"), []byte{},
			ogorek.Class{Module: "os", Name: "getcwd"}, ogorek.Ref{Pid: "an id"}, ogorek.Tuple{}, []any{},
		}
		for range randomValues {
			values = append(values, r.value(t, 4))
		}
		for _, x := range values {
			pickle, err := ogrekWrites(x, protocol)
			require.NoError(t, err)
			var v any
			require.NoError(t, pickleproto.Unmarshal(pickle, &v), "protocol %d: %q", protocol, pickle)
			want := x
			if u, ok := x.(uint64); ok {
				want = new(big.Int).SetUint64(u)
			}
			require.Equal(t, text(want), text(v), "protocol %d: %q", protocol, pickle)
		}
	}
}
