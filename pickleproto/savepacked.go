package pickleproto

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// writePacked writes a packed list, which is never short.
func (e *encoder) writePacked(p *packed, index uint32) error {
	if err := e.enter(); err != nil {
		return err
	}
	e.depth--
	e.buf = append(e.buf, wire.OpEmptyList)
	e.memoPut(index)
	for i, n := 0, p.len(); i < n; i += batchSize {
		e.buf = append(e.buf, wire.OpMark)
		end := min(n, i+batchSize)
		switch {
		case p.ints != nil:
			e.saveInts(p.ints[i:end])
		case p.floats != nil:
			e.saveFloats(p.floats[i:end])
		default:
			if err := e.saveStrs(p.strs[i:end]); err != nil {
				return err
			}
		}
		e.buf = append(e.buf, wire.OpAppends)
	}
	return nil
}

// saveInts and saveFloats write a batch, at protocol 1 or higher, with room made beforehand.

func (e *encoder) saveInts(v []int64) {
	buf := slices.Grow(e.buf, 10*len(v)+frameHeaderSize)
	for _, n := range v {
		if len(buf) >= e.frameLimit {
			e.buf = buf
			e.nextFrame()
			buf = e.buf
		}
		switch {
		case uint64(n) <= 0xff:
			buf = append(buf, wire.OpBinInt1, byte(n))
		case uint64(n) <= 0xffff:
			buf = append(buf, wire.OpBinInt2, byte(n), byte(n>>8))
		case n == int64(int32(n)):
			buf = append(buf, wire.OpBinInt, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
		default:
			e.buf = buf
			e.saveInt(n)
			buf = e.buf
		}
	}
	e.buf = buf
}

func (e *encoder) saveFloats(v []float64) {
	buf := slices.Grow(e.buf, 9*len(v)+frameHeaderSize)
	for _, f := range v {
		if len(buf) >= e.frameLimit {
			e.buf = buf
			e.nextFrame()
			buf = e.buf
		}
		n := len(buf)
		buf = append(buf, wire.OpBinFloat, 0, 0, 0, 0, 0, 0, 0, 0)
		binary.BigEndian.PutUint64(buf[n+1:], math.Float64bits(f))
	}
	e.buf = buf
}

// saveStrs writes a batch. Nearly all of them are new, and short.
func (e *encoder) saveStrs(v []string) error {
	e.memo.room(len(v))
	for len(v) > 0 {
		n := 0
		if e.proto >= 4 {
			n = e.memo.addNewStrs(v)
		}
		for i := 0; i < n; {
			var taken int
			e.buf, taken = appendPlainStrs(e.buf, v[i:n], e.frameLimit)
			if i += taken; i == n {
				break
			}
			if len(e.buf) >= e.frameLimit {
				e.nextFrame()
			}
			var ok bool
			if e.buf, ok = appendShortStr(e.buf, v[i]); !ok {
				return errNotUTF8()
			}
			i++
		}
		if n < len(v) {
			if len(e.buf) >= e.frameLimit {
				e.nextFrame()
			}
			if err := e.saveStr(v[n]); err != nil {
				return err
			}
			n++
		}
		v = v[n:]
	}
	return nil
}
