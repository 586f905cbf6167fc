package pickleproto

import (
	"fmt"
	"reflect"
)

// SyntaxError is the error for bytes that are not a pickle that CPython would load.
// A pickle that ends too early unwraps to io.ErrUnexpectedEOF.
type SyntaxError struct {
	Offset int64  // of the opcode, from the first byte of the pickle
	Opcode string // as pickletools names it; empty where there is none
	Msg    string
	Err    error // nil, or what it wraps
}

func (e *SyntaxError) Error() string {
	if e.Opcode == "" {
		return fmt.Sprintf("pickle: %s at byte %d", e.Msg, e.Offset)
	}
	return fmt.Sprintf("pickle: %s at byte %d (%s)", e.Msg, e.Offset, e.Opcode)
}

func (e *SyntaxError) Unwrap() error { return e.Err }

// LimitError is the error for a pickle, or a value, that exceeds a limit.
type LimitError struct {
	// The limit's name: "message", "depth", "memory", "stack", "marks", "memo", "digits", "int size", "name"
	// and "work" of Limits; "memory budget" of WithBudget; "causes", of which an exception has 100 at most.
	Limit  string
	Value  uint64 // what was asked for, as far as it was counted
	Max    uint64 // what is allowed
	Offset int64  // of the opcode; -1 when the limit was met outside a pickle's bytes
	Opcode string // as pickletools names it; may be empty
}

func (e *LimitError) Error() string {
	s := fmt.Sprintf("pickle: %s limit exceeded: %d > %d", e.Limit, e.Value, e.Max)
	if e.Offset >= 0 {
		s += fmt.Sprintf(" at byte %d", e.Offset)
	}
	if e.Opcode != "" {
		s += " (" + e.Opcode + ")"
	}
	return s
}

// TypeError is the error for a Python value that does not fit a Go type, or the reverse.
type TypeError struct {
	Path   string       // where: ".users[3].born"; empty at the top
	Python string       // Python's name of the value's type, "str"; empty when marshalling
	Go     reflect.Type // the Go type; nil where there is none
	Offset int64        // of the value in the pickle; -1 when unknown
	Msg    string       // says more; may replace the standard text
	Err    error        // nil, or what it wraps: the error of an UnmarshalText, a MarshalPickle, ...
}

func (e *TypeError) Unwrap() error { return e.Err }

func (e *TypeError) Error() string {
	s := "pickle: "
	if e.Path != "" {
		s += e.Path + ": "
	}
	switch {
	case e.Msg != "":
		s += e.Msg
	case e.Python != "":
		s += fmt.Sprintf("Python %s into Go %v", e.Python, e.Go)
	default:
		s += fmt.Sprintf("Go %v has no Python counterpart", e.Go)
	}
	if e.Offset >= 0 {
		s += fmt.Sprintf(" at byte %d", e.Offset)
	}
	return s
}
