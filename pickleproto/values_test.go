package pickleproto

import (
	"bytes"
	"encoding/hex"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto/internal/pythontest"
)

// TestReprAndEqualAgainstPython compares Repr and Equal with each Python's repr and == on random
// values: builtins with their edges and the stdlib classes, nested, at all protocols.
func TestReprAndEqualAgainstPython(t *testing.T) {
	mustZone(t, "Europe/Berlin")
	seed := strconv.FormatInt(time.Now().Unix(), 10)
	ran := false
	for _, py := range pythontest.All() {
		if !py.AtLeast(3, 8) {
			continue // their reprs differ in many places
		}
		ran = true
		t.Run(py.String(), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(py.Path, "-W", "ignore", "testdata/values.py", seed, "1000")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			require.NoError(t, err, stderr.String())
			checkValueRows(t, string(out), "seed "+seed)
		})
	}
	if !ran {
		t.Skip("no Python found; testdata/stdlib.txt and the tables of repr_test.go and equal_test.go stand in for it")
	}
}

func checkValueRows(t *testing.T, rows, seed string) {
	checked := 0
	for line := range strings.SplitSeq(strings.TrimSpace(rows), "\n") {
		f := strings.Split(line, "\t")
		require.Len(t, f, 3)
		b, err := hex.DecodeString(f[1])
		require.NoError(t, err)
		v, err := Native.Decode(b)
		require.NoError(t, err, "%s: %s", seed, f[1])
		checked++
		if f[0] == "repr" {
			want, err := hex.DecodeString(f[2])
			require.NoError(t, err)
			require.Equal(t, string(want), Repr(v), "%s: %s", seed, f[1])
			continue
		}
		pair := v.(Tuple)
		want := f[2] == "True"
		require.Equal(t, want, Equal(pair[0], pair[1]), "%s: %s == %s: %s", seed, Repr(pair[0]), Repr(pair[1]), f[1])
		require.Equal(t, want, Equal(pair[1], pair[0]), "%s: the other way round: %s == %s", seed, Repr(pair[1]), Repr(pair[0]))
	}
	require.Greater(t, checked, 1000)
}
