package pickleproto

import (
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// What the typed fast path leaves out. See the NOTE in typed.go.

// skip takes a value that no field is interested in. It must be one that the machine would take.
func (r *reader) skip() bool {
	switch r.peek() {
	case wire.OpEmptyList:
		return r.skipList()
	case wire.OpEmptyDict:
		return r.skipDict()
	case wire.OpNone, wire.OpNewTrue, wire.OpNewFalse, wire.OpBinFloat, wire.OpBinInt1, wire.OpBinInt2, wire.OpBinInt, wire.OpLong1,
		wire.OpShortBinUnicode, wire.OpBinGet, wire.OpLongBinGet, wire.OpBinUnicode, wire.OpBinUnicode8:
		if !r.beginsInstance() {
			return r.skipScalar()
		}
	}
	_, ok := r.partValue()
	return ok
}

// skipScalar takes a number or a str, or whatever may be a key.
func (r *reader) skipScalar() bool {
	switch r.peek() {
	case wire.OpNone, wire.OpNewTrue, wire.OpNewFalse:
		r.pos++
		return true
	case wire.OpBinFloat:
		_, ok := r.float()
		return ok
	case wire.OpBinInt1, wire.OpBinInt2, wire.OpBinInt, wire.OpLong1:
		_, ok := r.integer()
		return ok
	}
	s, ok := r.key()
	return ok && utf8.Valid(s)
}

// skipped is the plan of what is not looked at.
var skipped = typePlan{kind: bindAny}

func (r *reader) skipList() bool {
	if !r.beginContainer() {
		return false
	}
	for full := true; full; {
		switch r.nextItems(&skipped) {
		case aBatch:
			n := 0
			for ; r.peek() != wire.OpAppends; n++ {
				if !r.skip() {
					return false
				}
			}
			r.pos++
			full = n >= batchSize
		case single:
			if !r.skip() || !r.take(wire.OpAppend) {
				return false
			}
		default:
			full = false
		}
	}
	r.depth--
	return true
}

func (r *reader) skipDict() bool {
	if !r.beginContainer() || !r.entries(func() bool { return r.skipScalar() && r.skip() }) {
		return false
	}
	r.depth--
	return true
}
