package pickleproto

import (
	"encoding/binary"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Writing what the reader is to find for itself: persistent ids and extension codes.

func (e *encoder) savePers(id any) error {
	if e.bin {
		// Persistent ids are not memoised. One that is the id of another, and so on, costs a byte
		// for each that it stands for, and here no more than a step of this loop.
		levels := int64(1)
		for ; ; levels++ {
			p, ok := id.(*PersistentID)
			if !ok || e.depth+levels > e.c.limits.Depth {
				break
			}
			id = p.ID
		}
		e.depth += levels - 1
		if err := e.enter(); err != nil {
			return err
		}
		if err := e.saveValue(id); err != nil {
			return err
		}
		e.depth -= levels
		for range levels {
			e.buf = append(e.buf, wire.OpBinPersID)
		}
		return nil
	}
	var s string
	switch id := id.(type) {
	case string:
		s = id
	case int64:
		s = itoa(id)
	default:
		return &TypeError{Offset: -1, Msg: "persistent IDs in protocol 0 must be ASCII strings"}
	}
	if !isASCII(s) || hasNewline(s) {
		return &TypeError{Offset: -1, Msg: "persistent IDs in protocol 0 must be ASCII strings"}
	}
	e.buf = append(append(append(e.buf, wire.OpPersID), s...), '\n')
	return nil
}

func (e *encoder) saveExtension(v Extension) error {
	switch {
	case v <= 0:
		return &TypeError{Offset: -1, Msg: "extension code " + itoa(int64(v)) + " is out of range"}
	case v <= 0xff:
		e.buf = append(e.buf, wire.OpExt1, byte(v))
	case v <= 0xffff:
		e.buf = append(e.buf, wire.OpExt2, byte(v), byte(v>>8))
	default:
		e.buf = binary.LittleEndian.AppendUint32(append(e.buf, wire.OpExt4), uint32(v))
	}
	return nil
}
