package pickleproto

import (
	"fmt"
	"strings"
	"unicode"
)

// bindError is a *TypeError on its way up: each container adds the step that led into it. Only
// when it has arrived are its path written and its place in the pickle looked up, so that binding
// what fits costs nothing for it.
type bindError struct {
	err   TypeError
	steps []step // innermost first
}

func (e *bindError) Error() string { return e.err.Error() }

// step leads from a Python container to one of its parts.
type step struct {
	kind  stepKind
	attr  bool // through the state of an instance
	index int
	key   any
}

type stepKind uint8

const (
	stepIndex stepKind = iota // item index of a list, a tuple or a set
	stepValue                 // the value of a key
	stepKey                   // the key itself
	stepArg                   // item index of an instance's arguments or positional state
	stepAttr                  // the attributes of an instance; not a step by itself
)

// under notes that err arose in the part of a container that s leads to.
func under(err error, s step) error {
	switch e := err.(type) {
	case *bindError:
		e.steps = append(e.steps, s)
	case *TypeError:
		return &bindError{err: *e, steps: []step{s}}
	}
	return err
}

// finish turns the bindError into the *TypeError that users see.
func (e *bindError) finish(data []byte, c *config) *TypeError {
	t := e.err
	t.Path = pathText(e.steps)
	if data != nil {
		t.Offset = offsetOf(data, e.steps, c)
	}
	return &t
}

// pathText writes ".users[3].born"; at most the 12 outermost and innermost steps of a long path.
func pathText(steps []step) string {
	var sb strings.Builder
	for i := len(steps) - 1; i >= 0; i-- {
		if len(steps) > 24 && i == len(steps)-13 {
			sb.WriteString("...")
			i = 11
		}
		s := steps[i]
		switch s.kind {
		case stepIndex, stepArg:
			fmt.Fprintf(&sb, "[%d]", s.index)
		case stepValue:
			if name, ok := textOf(s.key); ok && isIdentifier(name) {
				sb.WriteString("." + name)
			} else {
				sb.WriteString("[" + keyLiteral(s.key) + "]")
			}
		case stepKey:
			sb.WriteString("{" + keyLiteral(s.key) + "}")
		}
	}
	return sb.String()
}

func isIdentifier(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return true
}
