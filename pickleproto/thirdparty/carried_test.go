package thirdparty

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/corpus"
	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
)

var update = flag.Bool("update", false, "write testdata/carried.txt anew")

// golden is the corpus: what each CPython wrote of many objects. It is read
// once for all tests, which leave it as it is. To the race detector all objects
// are the same, and one in four is enough.
func golden(t testing.TB) []corpus.Case {
	goldenOnce.Do(func() {
		kept := map[string]bool{}
		for _, c := range append(corpus.Load(t, "objects"), corpus.Load(t, "payloads")...) {
			if _, seen := kept[c.Name]; !seen {
				kept[c.Name] = len(kept)%rarely() == 0
			}
			if kept[c.Name] {
				goldenCases = append(goldenCases, c)
			}
		}
	})
	require.NotEmpty(t, goldenCases)
	return goldenCases
}

var (
	goldenOnce  sync.Once
	goldenCases []corpus.Case
)

func rarely() int {
	if quick.Race {
		return 4
	}
	return 1
}

// Python 2.7 and 3.6 have no limit of digits.
var anyDigits = pickleproto.WithLimits(pickleproto.Limits{Digits: -1})

// same compares two decoded values; instances, whose equality is identity, by
// what the native codec writes of them.
func same(t testing.TB, x, y any) bool {
	if fmt.Sprintf("%T", x) == fmt.Sprintf("%T", y) || isText(x) && isText(y) {
		if pickleproto.Equal(x, y) {
			return true
		}
	}
	if unordered(x) == unordered(y) {
		return true
	}
	a, err := pickleproto.Marshal(x, pickleproto.WithProtocol(5), anyDigits)
	require.NoError(t, err)
	b, err := pickleproto.Marshal(y, pickleproto.WithProtocol(5), anyDigits)
	require.NoError(t, err)
	return string(a) == string(b)
}

// unordered is the repr; where a set may stand in it, whose order gopickle
// loses, with its bytes sorted.
func unordered(v any) string {
	repr := pickleproto.Repr(v)
	if !strings.Contains(repr, "{") {
		return repr
	}
	b := []byte(repr)
	slices.Sort(b)
	return string(b)
}

func isText(v any) bool {
	switch v.(type) {
	case string, pickleproto.ByteString:
		return true
	}
	return false
}

// read says whether gopickle carries a pickle. A value that is not the one
// that the native codec reads fails the test.
func read(t testing.TB, c corpus.Case) (v any, ok bool) {
	native, err := pickleproto.Native.Decode(c.Data, anyDigits)
	require.NoError(t, err, "%s, protocol %d", c.Name, c.Protocol)
	v, err = Codec.Decode(c.Data, anyDigits)
	if err != nil {
		var refused *pickleproto.TypeError
		require.True(t, errors.As(err, &refused), "%s, protocol %d, %s: %v", c.Name, c.Protocol, c.Pythons, err)
		return native, false
	}
	require.True(t, same(t, native, v), "%s, protocol %d, %s: %.2000s is read as %.2000s", c.Name, c.Protocol, c.Pythons, pickleproto.Repr(native), pickleproto.Repr(v))
	return native, true
}

// write says whether stalecucumber carries a value. What it writes must be
// the value again.
func write(t testing.TB, c corpus.Case, v any) (ok bool) {
	pickle, err := Codec.Append([]byte("prefix"), v, pickleproto.WithProtocol(4), anyDigits)
	if err != nil {
		require.Equal(t, "prefix", string(pickle))
		var refused *pickleproto.TypeError
		require.True(t, errors.As(err, &refused), "%s: %v", c.Name, err)
		return false
	}
	require.Equal(t, "prefix\x80\x02", string(pickle[:8]))
	back, err := pickleproto.Native.Decode(pickle[6:], anyDigits)
	require.NoError(t, err, c.Name)
	require.True(t, pickleproto.Equal(v, back) || same(t, v, back), "%s: %.2000s is written as %.2000s", c.Name, pickleproto.Repr(v), pickleproto.Repr(back))
	return true
}

// outcome gathers yes and no of several pickles of an object.
type outcome struct{ yes, no bool }

func (o *outcome) add(ok bool) {
	o.yes = o.yes || ok
	o.no = o.no || !ok
}

func (o outcome) String() string {
	switch {
	case o.yes && o.no:
		return "some"
	case o.yes:
		return "yes"
	case o.no:
		return "no"
	}
	return "-"
}

// TestCarried compares what the two codecs carry with the reviewed table in
// testdata/carried.txt: for each object of the corpus whether gopickle reads
// what the Pythons wrote at protocol 0 to 5, and whether stalecucumber writes
// it. "some" are objects that not all Pythons pickle alike.
func TestCarried(t *testing.T) {
	type row struct {
		read    [6]outcome
		written outcome
	}
	rows := map[string]*row{}
	var order []string
	for _, c := range golden(t) {
		r := rows[c.Name]
		if r == nil {
			r = &row{}
			rows[c.Name] = r
			order = append(order, c.Name)
		}
		v, ok := read(t, c)
		r.read[c.Protocol].add(ok)
		r.written.add(write(t, c, v))
	}
	var table strings.Builder
	table.WriteString("# object | read at protocol 0 | 1 | 2 | 3 | 4 | 5 | written\n")
	for _, name := range order {
		r := rows[name]
		fmt.Fprintf(&table, "%s | %v | %v | %v | %v | %v | %v | %v\n", name, r.read[0], r.read[1], r.read[2], r.read[3], r.read[4], r.read[5], r.written)
	}
	if *update && !quick.Race {
		require.NoError(t, os.WriteFile("testdata/carried.txt", []byte(table.String()), 0o644))
	}
	want, err := os.ReadFile("testdata/carried.txt")
	require.NoError(t, err)
	expected := string(want)
	if quick.Race {
		expected = ""
		for line := range strings.Lines(string(want)) {
			if name, _, _ := strings.Cut(line, " | "); rows[name] != nil || strings.HasPrefix(line, "#") {
				expected += line
			}
		}
	}
	require.Equal(t, expected, table.String(), "go test -update writes the table anew; review what changed")
}
