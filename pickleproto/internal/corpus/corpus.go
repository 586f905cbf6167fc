// Package corpus reads the golden corpus, pickleproto/testdata/corpus, for tests. No Python is
// needed: pytests/make_corpus.py wrote it, with each CPython that it found.
package corpus

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// Case is one pickle of the corpus.
type Case struct {
	Name     string   `json:"name"`     // of the object, as in pytests/objects.py
	Protocol int      `json:"protocol"` // at which it was pickled
	Pythons  []string `json:"pythons"`  // the versions of CPython that wrote exactly these bytes, old to new
	Repr     *string  `json:"repr"`     // as the newest of them prints the loaded value; nil if that says nothing
	Exact    bool     `json:"exact"`    // a CPython of 3.8 or later writes these bytes again when it has loaded them
	Data     []byte   `json:"data"`     // the pickle

	Deflate []byte `json:"deflate"` // Data in the file, if it is long
}

// Load returns the cases of one file: "objects", or "payloads" (third-party packages). It fails
// the test if there are none. The file is read once; Data is shared, and must be left as it is.
func Load(t testing.TB, file string) []Case {
	t.Helper()
	load := objects
	if file == "payloads" {
		load = payloads
	}
	cases, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(cases)
}

var (
	objects  = sync.OnceValues(func() ([]Case, error) { return read("objects") })
	payloads = sync.OnceValues(func() ([]Case, error) { return read("payloads") })
)

func read(file string) ([]Case, error) {
	_, here, _, _ := runtime.Caller(0)
	f, err := os.Open(filepath.Join(filepath.Dir(here), "..", "..", "testdata", "corpus", file+".jsonl"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var cases []Case
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var c Case
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", f.Name(), len(cases)+1, err)
		}
		if c.Deflate != nil {
			if c.Data, err = io.ReadAll(flate.NewReader(bytes.NewReader(c.Deflate))); err != nil {
				return nil, fmt.Errorf("%s, line %d: %w", f.Name(), len(cases)+1, err)
			}
			c.Deflate = nil
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("%s is empty", f.Name())
	}
	return cases, nil
}
