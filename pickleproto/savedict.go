package pickleproto

import (
	"unsafe"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Writing dicts.

func (e *encoder) saveDict(d *Dict) error {
	index, found := e.memo.findOrAdd(addressOf(d), memoTag(0, kindPointer))
	if found {
		e.memoGet(index)
		return nil
	}
	if e.bin {
		e.buf = append(e.buf, wire.OpEmptyDict)
	} else {
		e.buf = append(e.buf, wire.OpMark, wire.OpDict)
	}
	e.memoPut(index)
	n := d.Len()
	if n == 0 {
		return nil
	}
	if err := e.enter(); err != nil {
		return err
	}
	keys, values := d.t.keys, d.values
	if len(keys) == 0 && e.bin && !e.hooked {
		err := e.batchDictPacked(d.t.index.packed)
		e.depth--
		return err
	}
	if d.t.dead > 0 || len(keys) == 0 {
		keys, values = d.alive()
	}
	var err error
	if e.bin {
		err = e.batchDictExact(d.t, keys, values)
	} else {
		err = e.batchDictText(keys, values)
	}
	e.depth--
	return err
}

// batchDictText writes the items of a dict at protocol 0, which has no batches.
func (e *encoder) batchDictText(keys, values []any) error {
	for i, k := range keys {
		if err := e.saveKey(k); err != nil {
			return err
		}
		if err := e.save(values[i]); err != nil {
			return err
		}
		e.buf = append(e.buf, wire.OpSetItem)
	}
	return nil
}

// batchDictExact writes the items of a dict as _pickle.c's batch_dict_exact, which ends a
// dict of a multiple of 1000 items with an empty batch.
func (e *encoder) batchDictExact(t *keyTable, keys, values []any) error {
	if len(keys) == 1 {
		if err := e.saveKey(keys[0]); err != nil {
			return err
		}
		if err := e.save(values[0]); err != nil {
			return err
		}
		e.buf = append(e.buf, wire.OpSetItem)
		return nil
	}
	if t.shared && t.dead == 0 && len(keys) < batchSize && !e.hooked {
		if done, err := e.saveShape(t, values); done || err != nil {
			return err
		}
	}
	long := e.beginItems(len(keys))
	for {
		n := min(len(keys), batchSize)
		e.buf = append(e.buf, wire.OpMark)
		for i, k := range keys[:n] {
			if s, ok := k.(string); ok && !e.hooked {
				if len(e.buf) >= e.frameLimit {
					e.nextFrame()
				}
				if err := e.saveStr(s); err != nil {
					return err
				}
			} else if err := e.saveKey(k); err != nil {
				return err
			}
			if err := e.save(values[i]); err != nil {
				return err
			}
		}
		e.buf = append(e.buf, wire.OpSetItems)
		keys, values = keys[n:], values[n:]
		if long {
			e.itemsDone(n)
		}
		if n < batchSize {
			if long {
				e.endItems()
			}
			return nil
		}
	}
}

// shapeMemo has the memo indices of the keys that several dicts share.
type shapeMemo struct {
	t       *keyTable
	indices []uint32
}

// saveShape writes a dict whose key table was met before in this pickle: all of its keys are in
// the memo, and their indices are known. It reports whether it did.
func (e *encoder) saveShape(t *keyTable, values []any) (bool, error) {
	s := &e.shapes[addressOf(t)/unsafe.Sizeof(*t)&3]
	if s.t != t {
		indices := make([]uint32, 0, len(t.keys)) // a fresh one: a dict further out may be using the other
		for _, k := range t.keys {
			v, ok := k.(string)
			if !ok {
				return false, nil
			}
			index, ok := e.memo.find(strIdentity(v))
			if !ok {
				return false, nil
			}
			indices = append(indices, index)
		}
		s.t, s.indices, e.shaped = t, indices, true
	}
	e.buf = append(e.buf, wire.OpMark)
	for i, index := range s.indices { // the slice as it is now, whatever values do to the slot
		if len(e.buf) >= e.frameLimit {
			e.nextFrame()
		}
		e.memoGet(index)
		if err := e.save(values[i]); err != nil {
			return true, err
		}
	}
	e.buf = append(e.buf, wire.OpSetItems)
	return true, nil
}

// saveKey writes a dict key or a set member. Python hashes it again, and caches no tuple's hash: a
// tuple that would keep it busy for ever is refused here.
func (e *encoder) saveKey(k any) error {
	if t, ok := k.(Tuple); ok {
		for _, v := range t {
			if w := typeWord(v); w == typTuple || w == typFrozenSet {
				if err := e.hashKey(t); err != nil {
					return err
				}
				break
			}
		}
	}
	return e.save(k)
}

// hashKey counts what it takes Python to hash k, and refuses what all keys together may not take.
func (e *encoder) hashKey(k any) error {
	allowed := e.c.limits.workFor(len(e.buf) - e.base)
	e.h.work, e.h.max = allowed, allowed
	_, cost, err := e.h.hashCost(k)
	if err == errDepth {
		return &LimitError{Limit: "depth", Value: uint64(e.c.limits.Depth) + 1, Max: uint64(e.c.limits.Depth), Offset: -1}
	} else if err != nil {
		return keyError(err, &e.h)
	}
	if e.hashed += cost; e.hashed > allowed {
		return &LimitError{Limit: "work", Value: uint64(e.hashed), Max: uint64(allowed), Offset: -1}
	}
	return nil
}

// batchDict writes keys and values, in turn, as _pickle.c's batch_dict does with an iterator.
func (e *encoder) batchDict(items []any) error {
	for len(items) > 0 {
		n := min(len(items), 2*batchSize)
		single := n == 2 || !e.bin
		if !single {
			e.buf = append(e.buf, wire.OpMark)
		} else {
			n = 2
		}
		for i := 0; i+1 < n; i += 2 {
			if err := e.saveKey(items[i]); err != nil {
				return err
			}
			if err := e.save(items[i+1]); err != nil {
				return err
			}
		}
		if single {
			e.buf = append(e.buf, wire.OpSetItem)
		} else {
			e.buf = append(e.buf, wire.OpSetItems)
		}
		items = items[n:]
	}
	return nil
}

// batchDictPacked is batchDictExact for a packed dict, which has many entries.
func (e *encoder) batchDictPacked(p *packedEntries) error {
	long := e.beginItems(len(p.keys))
	for i := 0; ; i += batchSize {
		end := min(len(p.keys), i+batchSize)
		e.buf = append(e.buf, wire.OpMark)
		if err := e.saveEntries(p, i, end); err != nil {
			return err
		}
		e.buf = append(e.buf, wire.OpSetItems)
		if long {
			e.itemsDone(end - i)
		}
		if end-i < batchSize {
			if long {
				e.endItems()
			}
			return nil
		}
	}
}

// saveEntries writes entries i to end of a packed dict. Nearly all keys are new, and short.
func (e *encoder) saveEntries(p *packedEntries, i, end int) error {
	e.memo.room(end - i)
	for known := i; i < end; i++ {
		if i == known && e.proto >= 4 {
			known += e.memo.addNewStrs(p.keys[i:end])
		}
		if len(e.buf) >= e.frameLimit {
			e.nextFrame()
		}
		if i < known {
			var ok bool
			if e.buf, ok = appendShortStr(e.buf, p.keys[i]); !ok {
				return errNotUTF8()
			}
		} else {
			known++
			if err := e.saveStr(p.keys[i]); err != nil {
				return err
			}
		}
		if len(e.buf) >= e.frameLimit {
			e.nextFrame()
		}
		if p.ints != nil {
			e.saveInt(p.ints[i])
		} else {
			e.saveFloat(p.floats[i])
		}
	}
	return nil
}
