package wire

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto/internal/pythontest"
)

// rows prints the table as testdata/opcodes.py does.
func rows() []string {
	var out []string
	for i := range 256 {
		info, ok := Lookup(byte(i))
		if !ok {
			continue
		}
		mark := 0
		if info.Mark {
			mark = 1
		}
		out = append(out, fmt.Sprintf("0x%02x %s %s %d %d %d %d", i, info.Name, info.Arg, info.Proto, info.Pops, mark, info.Pushes))
	}
	return out
}

func TestOpcodesAreThoseOfPickletools(t *testing.T) {
	golden, err := os.ReadFile("testdata/opcodes.txt")
	require.NoError(t, err)
	require.Equal(t, strings.Fields(string(golden)), strings.Fields(strings.Join(rows(), "\n")))
	require.Len(t, rows(), 68)
}

func TestOpcodesAgainstEachPython(t *testing.T) {
	if len(pythontest.All()) == 0 {
		t.Skip("no Python found; testdata/opcodes.txt stands in for it")
	}
	ours := rows()
	for _, py := range pythontest.All() {
		t.Run(py.String(), func(t *testing.T) {
			out, err := exec.Command(py.Path, "testdata/opcodes.py").Output()
			require.NoError(t, err)
			theirs := strings.Split(strings.TrimSpace(string(out)), "\n")
			for _, row := range theirs {
				if py.Major == 2 {
					// Python 2 described this count as signed; its readers
					// and all later ones take it as unsigned.
					row = strings.Replace(row, "BINUNICODE signed4", "BINUNICODE count4", 1)
				}
				require.Contains(t, ours, row)
			}
			switch {
			case py.AtLeast(3, 8):
				require.Len(t, theirs, len(ours))
			case py.AtLeast(3, 4):
				require.Len(t, theirs, len(ours)-3, "all but protocol 5")
			default:
				require.Len(t, theirs, 53, "all up to protocol 2")
			}
		})
	}
}

func TestNameAndShapeOfWhatIsNone(t *testing.T) {
	require.Equal(t, "BININT1", Name(OpBinInt1))
	require.Empty(t, Name(0xff))
	require.Empty(t, Name(0))
	_, ok := Lookup('z')
	require.False(t, ok)
	require.Equal(t, "unknown", Arg(200).String())
	require.Equal(t, 8, ArgCount8.Fixed())
	require.Equal(t, 0, ArgLine.Fixed())
}
