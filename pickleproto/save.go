package pickleproto

import (
	"encoding/binary"
	"math"
	"slices"
	"unsafe"

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
			for _, v := range p.strs[i:end] {
				if len(e.buf) >= e.frameLimit {
					e.nextFrame()
				}
				if err := e.saveStr(v); err != nil {
					return err
				}
			}
		}
		e.buf = append(e.buf, wire.OpAppends)
	}
	return nil
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

// batchListExact writes the items of a list as _pickle.c's batch_list_exact.
func (e *encoder) batchListExact(items []any) error {
	if len(items) == 1 {
		if err := e.save(items[0]); err != nil {
			return err
		}
		e.buf = append(e.buf, wire.OpAppend)
		return nil
	}
	for len(items) > 0 {
		n := min(len(items), batchSize)
		e.buf = append(e.buf, wire.OpMark)
		if err := e.saveItems(items[:n]); err != nil {
			return err
		}
		e.buf = append(e.buf, wire.OpAppends)
		items = items[n:]
	}
	return nil
}

// saveItems writes values one after another.
func (e *encoder) saveItems(items []any) error {
	for _, v := range items {
		if typeWord(v) == typInt64 && e.bin && !e.hooked {
			if len(e.buf) >= e.frameLimit {
				e.nextFrame()
			}
			e.saveInt(v.(int64))
			continue
		}
		if err := e.save(v); err != nil {
			return err
		}
	}
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
	if d.t.dead > 0 {
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

// alive returns the keys and values without the deleted ones.
func (d *Dict) alive() (keys, values []any) {
	for k, v := range d.All() {
		keys, values = append(keys, k), append(values, v)
	}
	return keys, values
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
		if n < batchSize {
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
		s.t, s.indices = t, indices
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
	if index, ok := e.memo.find(address, tag); ok {
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
	index, found := e.memo.findOrAdd(address, tag)
	if found { // a frozenset that contains itself, by way of an instance
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
	index := uint32(e.memo.n)
	e.memo.n++
	if err := e.writeList(keys, index); err != nil {
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

func (e *encoder) saveTuple(t Tuple) error {
	if len(t) == 0 {
		e.emptyTuple()
		return nil
	}
	address, tag := tupleAddress(t), memoTag(len(t), kindTuple)
	place, index, found := e.memo.look(address, tag)
	if found {
		e.memoGet(index)
		return nil
	}
	short := len(t) <= 3 && e.proto >= 2
	if !short {
		e.buf = append(e.buf, wire.OpMark)
	}
	if err := e.enter(); err != nil {
		return err
	}
	err := e.saveItems(t)
	e.depth--
	if err != nil {
		return err
	}
	index, found = e.memo.addAt(place, address, tag)
	if found { // a tuple that contains itself: recursion has written it meanwhile
		switch {
		case short:
			for range t {
				e.buf = append(e.buf, wire.OpPop)
			}
		case e.bin:
			e.buf = append(e.buf, wire.OpPopMark)
		default:
			for range len(t) + 1 {
				e.buf = append(e.buf, wire.OpPop)
			}
		}
		e.memoGet(index)
		return nil
	}
	if short {
		e.buf = append(e.buf, wire.OpTuple1+byte(len(t)-1))
	} else {
		e.buf = append(e.buf, wire.OpTuple)
	}
	e.memoPut(index)
	return nil
}

// saveObject writes an instance and all that was done to it: pickle.py's save_reduce.
func (e *encoder) saveObject(o *Object) error {
	address, tag := addressOf(o), memoTag(0, kindPointer)
	if index, ok := e.memo.find(address, tag); ok {
		e.memoGet(index)
		return nil
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer func() { e.depth-- }()
	if err := e.saveMaking(o); err != nil {
		return err
	}
	ops := o.Ops
	index, found := e.memo.findOrAdd(address, tag)
	if found { // its arguments contain it: recursion has written it meanwhile
		e.buf = append(e.buf, wire.OpPop)
		e.memoGet(index)
		if o.recursed > 0 {
			ops = ops[min(int(o.recursed)-1, len(ops)):]
		} else {
			ops = nil
		}
	} else {
		e.memoPut(index)
		if o.recursed > 0 {
			ops = ops[:min(int(o.recursed)-1, len(ops))]
		}
	}
	for i := range ops {
		if err := e.saveOp(o, &ops[i]); err != nil {
			return err
		}
	}
	return nil
}

// saveMaking writes what makes o, up to the opcode that does it.
func (e *encoder) saveMaking(o *Object) error {
	args, ok := o.Args.(Tuple)
	if o.recursed > 0 && !e.visiting[o] {
		args, ok = o.outer, true
		if e.visiting == nil {
			e.visiting = make(map[*Object]bool)
		}
		e.visiting[o] = true
		defer delete(e.visiting, o)
	}
	if o.bare > 0 {
		return e.saveBare(o, args)
	}
	if !ok {
		return &TypeError{Offset: -1, Msg: "the arguments of an Object are a Tuple, not " + typeName(o.Args)}
	}
	if !callable(o.Callable) {
		return &TypeError{Offset: -1, Msg: "'" + typeName(o.Callable) + "' object is not callable"}
	}
	switch o.How {
	case ByInst, ByObj:
		return e.saveInst(o, args)
	case ByNewObj:
		if e.proto >= 2 {
			return e.saveCall(o, args, wire.OpNewObj)
		}
		// Below protocol 2 there is but REDUCE: copyreg.__newobj__(cls, *args).
		return e.saveFreshCall(globalNewObj, append(Tuple{o.Callable}, args...))
	case ByNewObjEx:
		if e.proto >= 4 {
			if err := e.save(o.Callable); err != nil {
				return err
			}
			if err := e.save(args); err != nil {
				return err
			}
			if err := e.save(o.Kwargs); err != nil {
				return err
			}
			e.buf = append(e.buf, wire.OpNewObjEx)
			return nil
		}
		return e.saveFreshCall(globalNewObjEx, Tuple{o.Callable, args, o.Kwargs})
	}
	return e.saveCall(o, args, wire.OpReduce)
}

func (e *encoder) saveCall(o *Object, args Tuple, op byte) error {
	if err := e.save(o.Callable); err != nil {
		return err
	}
	if len(e.buf) >= e.frameLimit {
		e.nextFrame()
	}
	if err := e.saveTuple(args); err != nil {
		return err
	}
	e.buf = append(e.buf, op)
	return nil
}

// saveBare writes a nested class as CPython does since 3.13 below protocol 4: getattr(parent, name)
// with nothing but the name memoised.
func (e *encoder) saveBare(o *Object, args Tuple) error {
	if len(args) != 2 {
		return &TypeError{Offset: -1, Msg: "getattr has two arguments"}
	}
	if err := e.save(o.Callable); err != nil {
		return err
	}
	if e.proto < 2 {
		e.buf = append(e.buf, wire.OpMark)
	}
	switch parent := args[0].(type) {
	case Global:
		module, name := parent.namesFor(e.proto)
		if e.proto >= 4 {
			if err := e.save(parent); err != nil {
				return err
			}
		} else if err := e.writeNames(wire.OpGlobal, module, name); err != nil {
			return err
		}
	case *Object:
		if err := e.saveMaking(parent); err != nil {
			return err
		}
	default:
		return &TypeError{Offset: -1, Msg: "getattr of a " + typeName(parent)}
	}
	if err := e.save(args[1]); err != nil {
		return err
	}
	if e.proto >= 2 {
		e.buf = append(e.buf, wire.OpTuple2, wire.OpReduce)
	} else {
		e.buf = append(e.buf, wire.OpTuple, wire.OpReduce)
	}
	return nil
}

// saveFreshCall writes f(*args) with a tuple made here.
func (e *encoder) saveFreshCall(f Global, args Tuple) error {
	e.keep = append(e.keep, args)
	if err := e.saveGlobal(f, 0); err != nil {
		return err
	}
	if err := e.saveTuple(args); err != nil {
		return err
	}
	e.buf = append(e.buf, wire.OpReduce)
	return nil
}

// saveInst writes an instance of an old-style class, as Python 2 does: INST at protocol 0, else OBJ.
func (e *encoder) saveInst(o *Object, args Tuple) error {
	e.buf = append(e.buf, wire.OpMark)
	g, isGlobal := o.Callable.(Global)
	if e.bin || !isGlobal {
		if err := e.save(o.Callable); err != nil {
			return err
		}
	}
	if err := e.saveItems(args); err != nil {
		return err
	}
	if e.bin || !isGlobal {
		e.buf = append(e.buf, wire.OpObj)
		return nil
	}
	module, name := g.namesFor(e.proto)
	return e.writeNames(wire.OpInst, module, name)
}

func (e *encoder) saveOp(o *Object, op *Op) error {
	switch op.Kind {
	case OpAppends:
		return e.batchList(op.Items)
	case OpSetItems:
		if len(op.Items)&1 != 0 {
			return &TypeError{Offset: -1, Msg: "OpSetItems with a key that has no value"}
		}
		return e.batchDict(op.Items)
	case OpAddItems:
		e.buf = append(e.buf, wire.OpMark)
		if err := e.saveMembers(op.Items); err != nil {
			return err
		}
		e.buf = append(e.buf, wire.OpAddItems)
		return nil
	case OpBuild:
		if len(op.Items) != 1 {
			return &TypeError{Offset: -1, Msg: "OpBuild has one item, the state"}
		}
		if err := e.save(op.Items[0]); err != nil {
			return err
		}
		e.buf = append(e.buf, wire.OpBuild)
		return nil
	case OpSetState:
		if len(op.Items) != 2 {
			return &TypeError{Offset: -1, Msg: "OpSetState has two items, the setter and the state"}
		}
		if err := e.save(op.Items[0]); err != nil {
			return err
		}
		if err := e.save(o); err != nil {
			return err
		}
		if err := e.save(op.Items[1]); err != nil {
			return err
		}
		e.buf = append(e.buf, wire.OpTuple2, wire.OpReduce, wire.OpPop)
		return nil
	}
	return &TypeError{Offset: -1, Msg: "unknown kind of Op"}
}
