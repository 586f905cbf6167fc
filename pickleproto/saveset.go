package pickleproto

import (
	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Writing sets and frozensets.

func (e *encoder) saveSet(s *Set) error {
	address, tag := addressOf(s), memoTag(0, kindPointer)
	if e.proto < 4 {
		if index, ok := e.memo.find(address, tag); ok {
			e.memoGet(index)
			return nil
		}
		return e.saveSetReduce(globalSet, s.t.alive(), address, tag)
	}
	index, found := e.memo.findOrAdd(address, tag)
	if found {
		e.memoGet(index)
		return nil
	}
	e.buf = append(e.buf, wire.OpEmptySet)
	e.memoPut(index)
	keys := s.t.alive()
	if len(keys) == 0 {
		return nil
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer func() { e.depth-- }()
	for {
		n := min(len(keys), batchSize)
		e.buf = append(e.buf, wire.OpMark)
		if err := e.saveMembers(keys[:n]); err != nil {
			return err
		}
		e.buf = append(e.buf, wire.OpAddItems)
		keys = keys[n:]
		if n < batchSize { // as with dicts, a full batch is followed by another, even if empty
			return nil
		}
	}
}

func (e *encoder) saveMembers(keys []any) error {
	for _, k := range keys {
		if err := e.saveKey(k); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) saveFrozenSet(s *FrozenSet) error {
	address, tag := addressOf(s), memoTag(0, kindPointer)
	place, index, found := e.memo.look(address, tag)
	if found {
		e.memoGet(index)
		return nil
	}
	keys := s.t.alive()
	if e.proto < 4 {
		return e.saveSetReduce(globalFrozenSet, keys, address, tag)
	}
	e.buf = append(e.buf, wire.OpMark)
	if err := e.enter(); err != nil {
		return err
	}
	err := e.saveMembers(keys)
	e.depth--
	if err != nil {
		return err
	}
	if index, found = e.memo.addAt(place, address, tag); found { // a frozenset that contains itself, by way of an instance
		e.buf = append(e.buf, wire.OpPopMark)
		e.memoGet(index)
		return nil
	}
	e.buf = append(e.buf, wire.OpFrozenSet)
	e.memoPut(index)
	return nil
}

// saveSetReduce writes a set below protocol 4: set([...]), of a fresh list in a fresh tuple.
func (e *encoder) saveSetReduce(g Global, keys []any, address uintptr, tag uint32) error {
	if err := e.saveGlobal(g, 0); err != nil {
		return err
	}
	if e.proto < 2 {
		e.buf = append(e.buf, wire.OpMark)
	}
	for _, k := range keys {
		if _, ok := k.(Tuple); ok {
			if err := e.hashKey(k); err != nil {
				return err
			}
		}
	}
	if err := e.writeList(keys, e.freshIndex()); err != nil {
		return err
	}
	e.closeTuple(1)
	e.buf = append(e.buf, wire.OpReduce)
	index, found := e.memo.findOrAdd(address, tag)
	if found {
		e.buf = append(e.buf, wire.OpPop)
		e.memoGet(index)
	} else {
		e.memoPut(index)
	}
	return nil
}
