package pickleproto

import (
	"os"
	"os/exec"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto/internal/pythontest"
)

// globalRows prints the tables as testdata/globals.py does.
func globalRows() []string {
	var out []string
	for k, v := range nameTo3 {
		out = append(out, strings.Join([]string{"2to3", k.module, k.name, v.module, v.name}, " "))
	}
	for k, v := range moduleTo3 {
		out = append(out, strings.Join([]string{"2to3", k, "*", v, "*"}, " "))
	}
	for k, v := range nameTo2 {
		out = append(out, strings.Join([]string{"3to2", k.module, k.name, v.module, v.name}, " "))
	}
	for k, v := range moduleTo2 {
		out = append(out, strings.Join([]string{"3to2", k, "*", v, "*"}, " "))
	}
	sort.Strings(out)
	return out
}

func TestGlobalsAreThoseOfCompatPickle(t *testing.T) {
	golden, err := os.ReadFile("testdata/globals.txt")
	require.NoError(t, err)
	want := strings.Split(strings.TrimSpace(string(golden)), "\n")
	sort.Strings(want)
	require.Equal(t, want, globalRows())
}

func TestGlobalsAgainstEachPython(t *testing.T) {
	ran := false
	for _, py := range pythontest.All() {
		if py.Major == 2 {
			continue // it has only its own names
		}
		ran = true
		t.Run(py.String(), func(t *testing.T) {
			out, err := exec.Command(py.Path, "testdata/globals.py").Output()
			require.NoError(t, err)
			theirs := strings.Split(strings.TrimSpace(string(out)), "\n")
			require.Subset(t, globalRows(), theirs)
			for _, r := range globalRows() {
				// 3.13 dropped tkinter.tix.
				if !strings.Contains(r, "Tix") {
					require.Contains(t, theirs, r)
				}
			}
		})
	}
	if !ran {
		t.Skip("no Python 3 found; testdata/globals.txt stands in for it")
	}
}

func TestMapToPython(t *testing.T) {
	for _, c := range []struct {
		f                          func(string, string) (string, string, bool)
		module, name, module2, nm2 string
		ok                         bool
	}{
		{mapToPython3, "__builtin__", "set", "builtins", "set", true},
		{mapToPython3, "__builtin__", "xrange", "builtins", "range", true},
		{mapToPython3, "whichdb", "whichdb", "dbm", "whichdb", true}, // not on to dbm.ndbm
		{mapToPython3, "exceptions", "StandardError", "builtins", "Exception", true},
		{mapToPython3, "exceptions", "WindowsError", "exceptions", "WindowsError", false},
		{mapToPython3, "datetime", "datetime", "datetime", "datetime", false},
		{mapToPython2, "builtins", "set", "__builtin__", "set", true},
		{mapToPython2, "builtins", "range", "__builtin__", "xrange", true},
		{mapToPython2, "builtins", "KeyError", "exceptions", "KeyError", true},
		{mapToPython2, "builtins", "TimeoutError", "exceptions", "OSError", true},
		{mapToPython2, "_pickle", "UnpicklingError", "pickle", "UnpicklingError", true},
		{mapToPython2, "queue", "Empty", "Queue", "Empty", true},
		{mapToPython2, "builtins", "StopAsyncIteration", "__builtin__", "StopAsyncIteration", true},
		{mapToPython2, "app.models", "User", "app.models", "User", false},
	} {
		m, n, ok := c.f(c.module, c.name)
		require.Equal(t, []any{c.module2, c.nm2, c.ok}, []any{m, n, ok}, "%s.%s", c.module, c.name)
	}
}
