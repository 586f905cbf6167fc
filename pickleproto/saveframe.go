package pickleproto

import (
	"encoding/binary"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Frames. C starts one with the first write after the last has ended; there always is one, so
// here it starts at once.

func (e *encoder) beginFrame() {
	e.frameStart = len(e.buf)
	e.frameLimit = min(e.frameStart+frameHeaderSize+frameSizeTarget, e.most)
	e.buf = append(e.buf, wire.OpFrame, 0, 0, 0, 0, 0, 0, 0, 0)
}

func (e *encoder) commitFrame() {
	body := e.frameStart + frameHeaderSize
	if n := len(e.buf) - body; n >= frameSizeMin {
		binary.LittleEndian.PutUint64(e.buf[e.frameStart+1:], uint64(n))
	} else {
		e.buf = append(e.buf[:e.frameStart], e.buf[body:]...)
	}
}

// nextFrame is C's opcode boundary, for a frame that is full. It is also called, at any protocol,
// when the message gets near its limit.
func (e *encoder) nextFrame() {
	e.checkLength()
	if e.c.budget != nil {
		e.account(len(e.buf) - e.base)
	}
	e.reserve(2 * frameSizeTarget)
	if e.proto < 4 {
		e.frameLimit = min(len(e.buf)+frameSizeTarget, e.most)
	} else if len(e.buf) >= e.frameStart+frameHeaderSize+frameSizeTarget {
		e.commitFrame()
		e.beginFrame()
	}
}

// reserve makes room for n bytes in a large buffer; append alone would grow it by a quarter, and copy
// it, over and over.
func (e *encoder) reserve(n int) {
	if cap(e.buf)-len(e.buf) < n && len(e.buf) >= 8*frameSizeTarget {
		foreseen := min(e.progress.foresee(e.progress.output, len(e.buf)), e.most)
		e.buf = append(uncleared[byte](grownSize(cap(e.buf), len(e.buf)+n, foreseen+n)), e.buf...)
	}
}

// write appends an opcode with its header and a payload; a large one goes outside of any frame.
func (e *encoder) write(header []byte, payload string) {
	if len(payload) >= frameSizeTarget {
		e.foresee(len(payload))
	}
	e.reserve(len(payload))
	if len(payload) >= frameSizeTarget && e.proto >= 4 {
		e.commitFrame()
		e.buf = appendLong(append(e.buf, header...), payload)
		e.beginFrame()
		return
	}
	e.buf = appendLong(append(e.buf, header...), payload)
}
