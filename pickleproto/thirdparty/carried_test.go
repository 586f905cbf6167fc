package thirdparty

import (
	"bufio"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
)

var update = flag.Bool("update", false, "write testdata/carried.txt anew")

// row is one pickle of the golden files: what CPython wrote.
type row struct {
	python, name, protocol string
	pickle                 []byte
}

func golden(t testing.TB) []row {
	var rows []row
	for _, file := range []string{"testdata/builtins.txt", "../testdata/stdlib.txt"} {
		f, err := os.Open(file)
		require.NoError(t, err)
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			fields := strings.Split(lines.Text(), "\t")
			pickle, err := hex.DecodeString(fields[3])
			require.NoError(t, err)
			if fields[0] == "2.7" || fields[0] == "3.13" { // the others repeat the latter
				rows = append(rows, row{fields[0], fields[1], fields[2], pickle})
			}
		}
		require.NoError(t, lines.Err())
		f.Close()
	}
	return rows
}

// same compares two decoded values; instances, whose equality is identity, by
// what the native codec writes of them.
func same(t testing.TB, x, y any) bool {
	if fmt.Sprintf("%T", x) == fmt.Sprintf("%T", y) || isText(x) && isText(y) {
		if pickleproto.Equal(x, y) {
			return true
		}
	}
	a, err := pickleproto.Marshal(x)
	require.NoError(t, err)
	b, err := pickleproto.Marshal(y)
	require.NoError(t, err)
	return string(a) == string(b) || pickleproto.Repr(x) == pickleproto.Repr(y)
}

func isText(v any) bool {
	switch v.(type) {
	case string, pickleproto.ByteString:
		return true
	}
	return false
}

// read says what becomes of a pickle: "yes", or "no" where it is refused. A
// value that is not the one that the native codec reads fails the test.
func read(t testing.TB, r row) (v any, outcome string) {
	native, err := pickleproto.Native.Decode(r.pickle)
	require.NoError(t, err, "%v", r)
	v, err = Codec.Decode(r.pickle)
	if err != nil {
		var refused *pickleproto.TypeError
		require.True(t, errors.As(err, &refused), "%s, protocol %s: %v", r.name, r.protocol, err)
		return native, "no"
	}
	require.True(t, same(t, native, v), "%s %s, protocol %s: %s is read as %s", r.python, r.name, r.protocol, pickleproto.Repr(native), pickleproto.Repr(v))
	return native, "yes"
}

// write says what becomes of a value: "yes", or "no" where it is refused.
func write(t testing.TB, r row, v any) string {
	pickle, err := Codec.Append([]byte("prefix"), v, pickleproto.WithProtocol(4))
	if err != nil {
		require.Equal(t, "prefix", string(pickle))
		var refused *pickleproto.TypeError
		require.True(t, errors.As(err, &refused), "%s: %v", r.name, err)
		return "no"
	}
	require.Equal(t, "prefix\x80\x02", string(pickle[:8]))
	back, err := pickleproto.Native.Decode(pickle[6:])
	require.NoError(t, err, r.name)
	require.True(t, same(t, v, back) || pickleproto.Equal(v, back), "%s: %s is written as %s", r.name, pickleproto.Repr(v), pickleproto.Repr(back))
	return "yes"
}

// TestCarried compares what the two codecs carry with the reviewed table in
// testdata/carried.txt: for each object of the golden files the protocols at
// which gopickle reads it, and whether stalecucumber writes it.
func TestCarried(t *testing.T) {
	var table strings.Builder
	table.WriteString("# Python | object | read at protocols | refused at protocols | written\n")
	var last, yes, no, written string
	flush := func() {
		if last != "" {
			fmt.Fprintf(&table, "%s |%s |%s | %s\n", last, yes, no, written)
		}
		yes, no = "", ""
	}
	for _, r := range golden(t) {
		if name := r.python + " | " + r.name; name != last {
			flush()
			last = name
		}
		v, outcome := read(t, r)
		if outcome == "yes" {
			yes += " " + r.protocol
		} else {
			no += " " + r.protocol
		}
		written = write(t, r, v)
	}
	flush()
	if *update {
		require.NoError(t, os.WriteFile("testdata/carried.txt", []byte(table.String()), 0o644))
	}
	want, err := os.ReadFile("testdata/carried.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), table.String(), "go test -update writes the table anew; review what changed")
}
