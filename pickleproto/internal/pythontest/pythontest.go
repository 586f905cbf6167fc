// Package pythontest finds the Python interpreters of this machine, for tests
// that compare with the real thing. Only tests import it.
package pythontest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Python is one interpreter that answered when asked for its version.
type Python struct {
	Path         string
	Major, Minor int
	Micro        int
}

// AtLeast reports whether the interpreter is of that version or newer.
func (p Python) AtLeast(major, minor int) bool {
	return p.Major > major || p.Major == major && p.Minor >= minor
}

// String is "3.13.0".
func (p Python) String() string {
	return strconv.Itoa(p.Major) + "." + strconv.Itoa(p.Minor) + "." + strconv.Itoa(p.Micro)
}

// All returns every CPython found under PYENV_ROOT (or ~/.pyenv) and in PATH,
// one a version, oldest first. It is empty on a machine without Python.
var All = sync.OnceValue(func() []Python {
	root := os.Getenv("PYENV_ROOT")
	if root == "" {
		if home, err := os.UserHomeDir(); err == nil {
			root = filepath.Join(home, ".pyenv")
		}
	}
	paths, _ := filepath.Glob(filepath.Join(root, "versions", "*", "bin", "python"))
	for _, name := range []string{"python3", "python"} {
		if path, err := exec.LookPath(name); err == nil {
			paths = append(paths, path)
		}
	}
	seen := map[string]bool{}
	var found []Python
	for _, path := range paths {
		p, ok := ask(path)
		if !ok || seen[p.String()] {
			continue
		}
		seen[p.String()] = true
		found = append(found, p)
	}
	sort.Slice(found, func(i, j int) bool {
		a, b := found[i], found[j]
		if a.Major != b.Major {
			return a.Major < b.Major
		}
		if a.Minor != b.Minor {
			return a.Minor < b.Minor
		}
		return a.Micro < b.Micro
	})
	return found
})

// Newest returns the newest interpreter of at least that version.
func Newest(major, minor int) (Python, bool) {
	all := All()
	if len(all) == 0 || !all[len(all)-1].AtLeast(major, minor) {
		return Python{}, false
	}
	return all[len(all)-1], true
}

// ask runs the interpreter: a file of that name may be a shim with nothing
// behind it, or another implementation.
func ask(path string) (Python, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "-c",
		"import sys, platform; print('%d %d %d %s' % (tuple(sys.version_info[:3]) + (platform.python_implementation(),)))").Output()
	if err != nil {
		return Python{}, false
	}
	f := strings.Fields(string(out))
	if len(f) != 4 || f[3] != "CPython" {
		return Python{}, false
	}
	major, err1 := strconv.Atoi(f[0])
	minor, err2 := strconv.Atoi(f[1])
	micro, err3 := strconv.Atoi(f[2])
	return Python{Path: path, Major: major, Minor: minor, Micro: micro}, err1 == nil && err2 == nil && err3 == nil
}
