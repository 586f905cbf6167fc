package pickleproto

import "strings"

// Old protocols have no opcodes for some builtins: Python writes them as a call. Where that call
// has exactly the form that _pickle.c gives it at the pickle's protocol, it becomes the builtin
// value, which is written in the same way again; any other form stays an *Object.

// fold returns the builtin that calling f with args makes, or nil.
func (m *machine) fold(f any, args Tuple) (any, error) {
	g, ok := f.(Global)
	if !ok {
		return nil, nil
	}
	switch g.Module {
	case "__builtin__":
		if m.proto >= 3 {
			return nil, nil
		}
	case "builtins":
		if m.proto < 3 {
			return nil, nil
		}
	case "_codecs":
		if g.Name == "encode" && m.proto < 3 && len(args) == 2 {
			return m.foldBytes(args), nil
		}
		return nil, nil
	default:
		return nil, nil
	}
	switch g.Name {
	case "set", "frozenset":
		if m.proto > 3 || len(args) != 1 {
			return nil, nil
		}
		l, ok := args[0].(*List)
		if !ok {
			return nil, nil
		}
		if len(m.deferred) > 0 {
			m.touch(l, m.stack, m.fence)
		}
		var t *keyTable
		if err := extendSet(&t, l.Items(), &m.h, &m.arena); err != nil {
			return nil, m.keyError(m.opAt, err)
		}
		if g.Name == "set" {
			s := m.set()
			s.t = t
			return s, nil
		}
		s := m.frozenSet()
		if t != nil {
			s.t = *t
		}
		return s, nil
	case "bytes":
		if m.proto < 3 && len(args) == 0 {
			return anyEmptyBytes, nil
		}
	case "bytearray":
		if m.proto > 4 {
			return nil, nil
		}
		if len(args) == 0 {
			m.charge(32)
			return &ByteArray{}, nil
		}
		if b, ok := args[0].(Bytes); ok && len(args) == 1 && b != "" {
			m.charge(len(b) + 32)
			return &ByteArray{[]byte(b)}, nil
		}
	case "complex":
		if len(args) == 2 {
			re, ok1 := args[0].(float64)
			im, ok2 := args[1].(float64)
			if ok1 && ok2 {
				m.charge(16)
				return &Complex{re, im}, nil
			}
		}
	}
	return nil, nil
}

// foldBytes undoes bytes written as _codecs.encode(text, 'latin1').
func (m *machine) foldBytes(args Tuple) any {
	text, ok1 := args[0].(string)
	encoding, ok2 := args[1].(string)
	if !ok1 || !ok2 || encoding != "latin1" || text == "" {
		return nil
	}
	var b strings.Builder
	m.charge(len(text))
	b.Grow(len(text))
	for _, r := range text {
		if r > 0xff {
			return nil // a lone surrogate ranges as U+FFFD
		}
		b.WriteByte(byte(r))
	}
	return boxBytes(m.header(b.String()))
}
