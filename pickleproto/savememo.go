package pickleproto

import (
	"strconv"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Memo opcodes.

// memoGet writes the opcode that fetches a memo entry.
func (e *encoder) memoGet(index uint32) {
	switch {
	case !e.bin:
		e.buf = append(strconv.AppendUint(append(e.buf, wire.OpGet), uint64(index), 10), '\n')
	case index < 256:
		e.buf = append(e.buf, wire.OpBinGet, byte(index))
	default:
		e.buf = append(e.buf, wire.OpLongBinGet, byte(index), byte(index>>8), byte(index>>16), byte(index>>24))
	}
}

// memoPut writes the opcode that stores what was just written as entry index.
func (e *encoder) memoPut(index uint32) {
	switch {
	case e.proto >= 4:
		e.buf = append(e.buf, wire.OpMemoize)
	case !e.bin:
		e.buf = append(strconv.AppendUint(append(e.buf, wire.OpPut), uint64(index), 10), '\n')
	case index < 256:
		e.buf = append(e.buf, wire.OpBinPut, byte(index))
	default:
		e.buf = append(e.buf, wire.OpLongBinPut, byte(index), byte(index>>8), byte(index>>16), byte(index>>24))
	}
}

// memoSkip memoises a temporary that CPython makes and nothing can refer to again.
func (e *encoder) memoSkip() {
	e.memoPut(e.freshIndex())
}
