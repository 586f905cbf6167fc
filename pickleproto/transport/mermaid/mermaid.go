// Package mermaid writes a conversation as a Mermaid sequence diagram while it takes place.
package mermaid

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// Diagram writes to an io.Writer, a line for each step as it happens, so that what has been
// written is a diagram at any time. It is safe for use by many goroutines.
type Diagram struct {
	mu       sync.Mutex // guards what follows
	w        io.Writer
	declared map[string]bool
	err      error
}

// New begins a diagram on w.
func New(w io.Writer) *Diagram {
	d := &Diagram{w: w, declared: map[string]bool{}}
	d.printf("sequenceDiagram\n")
	return d
}

// Participant declares a participant; id is a word, title what the diagram shows. Declared again,
// it stays as it is.
func (d *Diagram) Participant(id, title string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.declared[id] {
		d.declared[id] = true
		d.printf("    participant %s as %s\n", id, clean(title))
	}
}

// Arrow draws an arrow with a text, and Answer a dashed one.
func (d *Diagram) Arrow(from, to, format string, args ...any) { d.arrow(from, "->>", to, format, args) }

// Answer draws a dashed arrow with a text.
func (d *Diagram) Answer(from, to, format string, args ...any) {
	d.arrow(from, "-->>", to, format, args)
}

func (d *Diagram) arrow(from, arrow, to, format string, args []any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.printf("    %s%s%s: %s\n", from, arrow, to, clean(fmt.Sprintf(format, args...)))
}

// Err returns the first error of writing.
func (d *Diagram) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *Diagram) printf(format string, args ...any) {
	if d.err == nil {
		_, d.err = fmt.Fprintf(d.w, format, args...)
	}
}

// clean keeps a text on one line and free of what Mermaid takes for syntax.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == ';' || r == '#':
			return ','
		case r < ' ':
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 160 {
		s = string(r[:160]) + "..."
	}
	return s
}
