package pickleproto

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Writing what contains other values.

// enter takes a level of depth.
func (e *encoder) enter() error {
	if e.depth++; e.depth > e.c.limits.Depth {
		return &LimitError{Limit: "depth", Value: uint64(e.depth), Max: uint64(e.c.limits.Depth), Offset: -1}
	}
	return nil
}

// mostDepth bounds the depth when nothing else does: a Go stack may grow to a gigabyte (a quarter
// of one where pointers have 32 bits), and a level takes one to two kilobytes of it.
const mostDepth = 100_000

func (e *encoder) saveList(l *List) error {
	index, found := e.memo.findOrAdd(addressOf(l), memoTag(0, kindPointer))
	if found {
		e.memoGet(index)
		return nil
	}
	if l.packed != nil && e.bin && !e.hooked {
		return e.writePacked(l.packed, index)
	}
	return e.writeList(l.Items(), index)
}

// writeList writes a list that has just been given a memo index.
func (e *encoder) writeList(items []any, index uint32) error {
	if e.bin {
		e.buf = append(e.buf, wire.OpEmptyList)
	} else {
		e.buf = append(e.buf, wire.OpMark, wire.OpList)
	}
	e.memoPut(index)
	if len(items) == 0 {
		return nil
	}
	if err := e.enter(); err != nil {
		return err
	}
	var err error
	if e.bin {
		err = e.batchListExact(items)
	} else {
		err = e.batchList(items)
	}
	e.depth--
	return err
}

// batchListExact writes the items of a list as _pickle.c's batch_list_exact.
func (e *encoder) batchListExact(items []any) error {
	if len(items) == 1 {
		if err := e.save(items[0]); err != nil {
			return err
		}
		e.buf = append(e.buf, wire.OpAppend)
		return nil
	}
	long := e.beginItems(len(items))
	for len(items) > 0 {
		n := min(len(items), batchSize)
		e.buf = append(e.buf, wire.OpMark)
		if err := e.saveItems(items[:n]); err != nil {
			return err
		}
		e.buf = append(e.buf, wire.OpAppends)
		items = items[n:]
		if long {
			e.itemsDone(n)
		}
	}
	if long {
		e.endItems()
	}
	return nil
}

// saveItems writes values one after another.
func (e *encoder) saveItems(items []any) error {
	if e.proto >= 4 && !e.hooked {
		return e.saveScalars(items)
	}
	for _, v := range items {
		if err := e.save(v); err != nil {
			return err
		}
	}
	return nil
}

// saveScalars is saveItems at protocol 4 and without a hook: what most items are is written here, into room
// that was made for it, and the rest by save.
func (e *encoder) saveScalars(items []any) error {
	const most = 16 // bytes of what is written here
	buf := e.buf
	for i := 0; i < len(items); i++ {
		v := items[i]
		if len(buf) >= e.frameLimit {
			e.buf = buf
			e.nextFrame()
			buf = e.buf
		}
		n := len(buf)
		if cap(buf)-n < most {
			buf = slices.Grow(buf, most)
		}
		to := buf[n : n+most]
		switch typeWord(v) {
		case typInt64:
			x := v.(int64)
			switch {
			case uint64(x) <= 0xff:
				to[0], to[1] = wire.OpBinInt1, byte(x)
				n += 2
			case uint64(x) <= 0xffff:
				to[0], to[1], to[2] = wire.OpBinInt2, byte(x), byte(x>>8)
				n += 3
			case x == int64(int32(x)):
				to[0] = wire.OpBinInt
				binary.LittleEndian.PutUint32(to[1:], uint32(x))
				n += 5
			default:
				e.buf = buf
				e.saveLong1(x)
				buf = e.buf
				continue
			}
		case typFloat64:
			to[0] = wire.OpBinFloat
			binary.BigEndian.PutUint64(to[1:], math.Float64bits(v.(float64)))
			n += 9
		case nil:
			to[0] = wire.OpNone
			n++
		case typString:
			s := v.(string)
			if len(s) <= 2 || len(s) > 255 {
				e.buf = buf
				if err := e.saveStr(s); err != nil {
					return err
				}
				buf = e.buf
				continue
			}
			index, found := e.memo.findOrAdd(stringAddress(s), memoTag(len(s), kindString))
			if found {
				e.buf = buf
				e.memoGet(index)
				buf = e.buf
				continue
			}
			var ok bool
			if buf, ok = appendShortStr(buf, s); !ok {
				return errNotUTF8()
			}
			continue
		case typTuple:
			e.buf = buf
			done, err := e.saveTuples(items[i:])
			if err != nil {
				return err
			}
			i += done - 1
			buf = e.buf
			continue
		default:
			e.buf = buf
			if err := e.save(v); err != nil {
				return err
			}
			buf = e.buf
			continue
		}
		buf = buf[:n]
	}
	e.buf = buf
	return nil
}

// batchList writes items of anything list-like, as _pickle.c's batch_list does with an iterator.
func (e *encoder) batchList(items []any) error {
	if !e.bin {
		for _, v := range items {
			if err := e.save(v); err != nil {
				return err
			}
			e.buf = append(e.buf, wire.OpAppend)
		}
		return nil
	}
	for len(items) > 0 {
		n := min(len(items), batchSize)
		if n == 1 {
			if err := e.save(items[0]); err != nil {
				return err
			}
			e.buf = append(e.buf, wire.OpAppend)
			return nil
		}
		e.buf = append(e.buf, wire.OpMark)
		if err := e.saveItems(items[:n]); err != nil {
			return err
		}
		e.buf = append(e.buf, wire.OpAppends)
		items = items[n:]
	}
	return nil
}

// alive returns the keys and values without the deleted ones.
func (d *Dict) alive() (keys, values []any) {
	for k, v := range d.All() {
		keys, values = append(keys, k), append(values, v)
	}
	return keys, values
}

func (t *keyTable) alive() []any {
	switch {
	case t == nil:
		return nil
	case t.dead == 0:
		return t.keys
	}
	var keys []any
	for k := range t.all() {
		keys = append(keys, k)
	}
	return keys
}
