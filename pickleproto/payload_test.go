package pickleproto

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto/internal/pythontest"
)

// The payloads that the benchmarks are named for: what testdata/payloads.py makes, in Go.
type payload struct {
	name  string
	make  func() any
	typed func() any // a pointer to a new value of the Go type that a program would choose
}

type (
	payloadSeed struct {
		Key     string  `pickle:"key"`
		Numbers []int64 `pickle:"numbers"`
	}
	payloadRow struct {
		ID     int64      `pickle:"id"`
		Name   string     `pickle:"name"`
		Email  string     `pickle:"email"`
		Age    int64      `pickle:"age"`
		Score  float64    `pickle:"score"`
		Active bool       `pickle:"active"`
		Tags   []string   `pickle:"tags"`
		Pos    [2]float64 `pickle:"pos"`
		Note   *string    `pickle:"note"`
	}
	payloadTuple struct {
		_     struct{} `pickle:",tuple"`
		Index int64
		Half  float64
		Text  string
		None  *string
	}
	payloadNode struct {
		Left  *payloadNode `pickle:"left"`
		Right *payloadNode `pickle:"right"`
		Value int64        `pickle:"value"`
	}
)

func newTarget[T any]() any { return new(T) }

var payloads = []payload{
	{"seed", func() any { return payloadDict("key", "value", "numbers", NewList(int64(1), int64(2), int64(3))) }, newTarget[payloadSeed]},
	{"ints", func() any {
		return payloadList(100000, func(i int64) any { return int64(uint32(i*2654435761)) - 1<<31 })
	}, newTarget[[]int64]},
	{"floats", func() any { return payloadList(100000, func(i int64) any { return float64(i) * 0.37 }) }, newTarget[[]float64]},
	{"strings", func() any { return payloadList(100000, func(i int64) any { return fmt.Sprint("item-", i) }) }, newTarget[[]string]},
	{"dict", func() any {
		d := new(Dict)
		for i := range int64(100000) {
			setPayload(d, fmt.Sprint("key-", i), i)
		}
		return d
	}, newTarget[map[string]int64]},
	{"records", func() any { return payloadList(10000, payloadRecord) }, newTarget[[]payloadRow]},
	{"tree", func() any { return payloadTree(13) }, newTarget[payloadNode]},
	{"tuples", func() any {
		return payloadList(50000, func(i int64) any { return Tuple{i, float64(i) * 0.5, fmt.Sprint("t", i), nil} })
	}, newTarget[[]payloadTuple]},
	{"frozensets", func() any { return payloadList(20000, payloadFrozenSet) }, newTarget[[][]int64]},
	{"bytes", func() any {
		b := make([]byte, 16<<20)
		for i := range b {
			b[i] = byte(i)
		}
		return Bytes(b)
	}, newTarget[[]byte]},
}

func setPayload(d *Dict, k, v any) {
	if err := d.Set(k, v); err != nil {
		panic(err)
	}
}

func payloadDict(pairs ...any) *Dict {
	d := new(Dict)
	for i := 0; i < len(pairs); i += 2 {
		setPayload(d, pairs[i], pairs[i+1])
	}
	return d
}

func payloadList(n int64, item func(i int64) any) *List {
	l := NewList()
	for i := range n {
		l.Append(item(i))
	}
	return l
}

func payloadRecord(i int64) any {
	return payloadDict(
		"id", i,
		"name", fmt.Sprint("user", i),
		"email", fmt.Sprintf("u%d@example.com", i),
		"age", i%90,
		"score", float64(i)*0.37,
		"active", i%2 == 0,
		"tags", NewList("a", "b", fmt.Sprint("c", i%50)),
		"pos", Tuple{float64(i) * 0.5, float64(i) * 0.25},
		"note", nil,
	)
}

func payloadTree(depth int64) any {
	if depth == 0 {
		return nil
	}
	return payloadDict("left", payloadTree(depth-1), "right", payloadTree(depth-1), "value", depth)
}

// payloadFrozenSet returns frozenset({i, i+1, i+2}) in Python's order, that of the lowest three bits.
func payloadFrozenSet(i int64) any {
	var items []any
	for low := range int64(8) {
		for _, x := range []int64{i, i + 1, i + 2} {
			if x&7 == low {
				items = append(items, x)
			}
		}
	}
	s, err := NewFrozenSet(items...)
	if err != nil {
		panic(err)
	}
	return s
}

func (p payload) pickle(t testing.TB) []byte {
	b, err := Marshal(p.make())
	require.NoError(t, err)
	return b
}

func TestPayloadsAreThoseOfPython(t *testing.T) {
	python, ok := pythontest.Newest(3, 8)
	if !ok {
		t.Skip("no CPython 3.8 or later found to write the payloads")
	}
	dir := t.TempDir()
	out, err := exec.Command(python.Path, "testdata/payloads.py", dir).CombinedOutput()
	require.NoError(t, err, string(out))
	for _, p := range payloads {
		t.Run(p.name, func(t *testing.T) {
			theirs, err := os.ReadFile(filepath.Join(dir, p.name+".pickle"))
			require.NoError(t, err)
			ours := p.pickle(t)
			require.Equal(t, len(theirs), len(ours))
			if bytes.Equal(theirs, ours) {
				return
			}
			for i := range theirs {
				if theirs[i] != ours[i] {
					require.Failf(t, "other bytes than Python's", "at %d: %q, Python wrote %q", i, ours[i:min(i+40, len(ours))], theirs[i:min(i+40, len(theirs))])
				}
			}
		})
	}
}

// What the benchmarks measure is the typed fast path, and gives what the binder gives.
func TestPayloadsTakeTheFastPath(t *testing.T) {
	for _, p := range payloads {
		t.Run(p.name, func(t *testing.T) {
			message := p.pickle(t)
			c := newConfig(nil)
			fast, slow := reflect.ValueOf(p.typed()).Elem(), reflect.ValueOf(p.typed()).Elem()
			n, ok := unmarshalFast(message, fast.Addr().Interface(), &c, true)
			require.True(t, ok)
			require.Equal(t, len(message), n)
			v, _, err := decode(message, &c)
			require.NoError(t, err)
			require.NoError(t, bindInto(slow, v, planOf(slow.Type()), message, &c))
			require.True(t, reflect.DeepEqual(slow.Interface(), fast.Interface()))
		})
	}
}

func BenchmarkUnmarshalAny(b *testing.B) {
	for _, p := range payloads {
		b.Run(p.name, func(b *testing.B) {
			benchmarkUnmarshal(b, p.pickle(b), func() any { return new(any) })
		})
	}
}

func BenchmarkUnmarshalTyped(b *testing.B) {
	for _, p := range payloads {
		b.Run(p.name, func(b *testing.B) { benchmarkUnmarshal(b, p.pickle(b), p.typed) })
	}
}

// BenchmarkUnmarshalOther reads payloads into Go types that fit as well, and cost more.
func BenchmarkUnmarshalOther(b *testing.B) {
	for _, p := range payloads {
		switch p.name {
		case "frozensets":
			b.Run("frozensets as maps", func(b *testing.B) { benchmarkUnmarshal(b, p.pickle(b), newTarget[[]map[int64]struct{}]) })
		case "tuples":
			b.Run("tuples as arrays of any", func(b *testing.B) { benchmarkUnmarshal(b, p.pickle(b), newTarget[[][4]any]) })
		}
	}
}

func benchmarkUnmarshal(b *testing.B, message []byte, target func() any) {
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	runtime.GC()
	for b.Loop() {
		if err := Unmarshal(message, target()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMarshal writes what was read, as an echo does.
func BenchmarkMarshal(b *testing.B) {
	for _, p := range payloads {
		b.Run(p.name, func(b *testing.B) {
			message := p.pickle(b)
			var v any
			require.NoError(b, Unmarshal(message, &v))
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			runtime.GC()
			for b.Loop() {
				if _, err := Marshal(v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
