package pickleproto

import (
	"encoding/binary"
	"math"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Writing bytes, bytearrays and out-of-band buffers.

func (e *encoder) saveBytes(v Bytes) error {
	address, tag := stringAddress(string(v)), memoTag(len(v), kindBytes)
	if v == "" {
		address = addressOf(&latin1[257])
	}
	if e.proto < 3 {
		if index, ok := e.memo.find(address, tag); ok {
			e.memoGet(index)
			return nil
		}
		if err := e.saveBytesReduce(v); err != nil {
			return err
		}
		index, _ := e.memo.findOrAdd(address, tag)
		e.memoPut(index)
		return nil
	}
	index, found := e.memo.findOrAdd(address, tag)
	if found {
		e.memoGet(index)
		return nil
	}
	if err := e.writeBytes(string(v)); err != nil {
		return err
	}
	e.memoPut(index)
	return nil
}

// writeBytes writes bytes at protocol 3 and above, without their memo opcode.
func (e *encoder) writeBytes(s string) error {
	n := len(s)
	switch {
	case n < 256:
		e.buf = append(append(e.buf, wire.OpShortBinBytes, byte(n)), s...)
	case uint64(n) <= math.MaxUint32:
		e.write([]byte{wire.OpBinBytes, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}, s)
	case e.proto >= 4:
		e.write(binary.LittleEndian.AppendUint64([]byte{wire.OpBinBytes8}, uint64(n)), s)
	default:
		return &TypeError{Offset: -1, Msg: "cannot write bytes larger than 4 GiB below protocol 4"}
	}
	return nil
}

// latin1Name is the one 'latin1' that all bytes at protocols 0 to 2 share.
const latin1Name = "latin1"

// saveBytesReduce writes bytes as protocols 0 to 2 have to: bytes(), or _codecs.encode(text,
// 'latin1'). text is a fresh str, but for those of one character.
func (e *encoder) saveBytesReduce(v Bytes) error {
	if v == "" {
		if err := e.saveGlobal(globalBytes, 0); err != nil {
			return err
		}
		e.emptyTuple()
		e.buf = append(e.buf, wire.OpReduce)
		return nil
	}
	if err := e.saveGlobal(globalEncode, 0); err != nil {
		return err
	}
	if e.proto < 2 {
		e.buf = append(e.buf, wire.OpMark)
	}
	text := fromLatin1(string(v))
	if len(v) == 1 {
		if err := e.saveStr(text); err != nil {
			return err
		}
	} else {
		if err := e.writeStr(text, e.freshIndex()); err != nil {
			return err
		}
	}
	if err := e.saveStr(latin1Name); err != nil {
		return err
	}
	e.closeTuple(2)
	e.buf = append(e.buf, wire.OpReduce)
	return nil
}

func (e *encoder) saveByteArray(v *ByteArray) error {
	address, tag := addressOf(v), memoTag(0, kindPointer)
	if index, ok := e.memo.find(address, tag); ok {
		e.memoGet(index)
		return nil
	}
	if e.proto >= 5 {
		e.writeByteArray(v.Data)
	} else {
		if err := e.saveGlobal(globalByteArray, 0); err != nil {
			return err
		}
		if len(v.Data) == 0 {
			e.emptyTuple()
		} else {
			if e.proto < 2 {
				e.buf = append(e.buf, wire.OpMark)
			}
			if err := e.saveFreshBytes(stringOf(v.Data)); err != nil {
				return err
			}
			e.closeTuple(1)
		}
		e.buf = append(e.buf, wire.OpReduce)
	}
	index, _ := e.memo.findOrAdd(address, tag)
	e.memoPut(index)
	return nil
}

func (e *encoder) writeByteArray(data []byte) {
	e.write(binary.LittleEndian.AppendUint64([]byte{wire.OpByteArray8}, uint64(len(data))), stringOf(data))
}

// saveFreshBytes writes bytes that CPython makes for this purpose, so that they are never in the memo.
func (e *encoder) saveFreshBytes(s string) error {
	if len(e.buf) >= e.frameLimit {
		e.nextFrame()
	}
	var err error
	if e.proto < 3 {
		err = e.saveBytesReduce(Bytes(s))
	} else {
		err = e.writeBytes(s)
	}
	e.memoSkip()
	return err
}

func (e *encoder) saveBuffer(v *Buffer) error {
	address, tag := addressOf(v), memoTag(0, kindPointer)
	if index, ok := e.memo.find(address, tag); ok {
		e.memoGet(index)
		return nil
	}
	if e.proto < 5 {
		return &TypeError{Offset: -1, Msg: "PickleBuffer can only be pickled with protocol >= 5"}
	}
	if v.Data == nil || e.c.bufferCallback != nil && !e.c.bufferCallback(v) {
		e.buf = append(e.buf, wire.OpNextBuffer)
		if v.ReadOnly {
			e.buf = append(e.buf, wire.OpReadOnlyBuffer)
		}
		return nil
	}
	if v.ReadOnly {
		if err := e.writeBytes(stringOf(v.Data)); err != nil {
			return err
		}
	} else {
		e.writeByteArray(v.Data)
	}
	index, _ := e.memo.findOrAdd(address, tag)
	e.memoPut(index)
	return nil
}
