package pickleproto

import (
	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Writing instances, and all that was done to them.

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
		return e.saveNewObjEx(o, args)
	}
	if e.proto < 3 {
		if f, list, ok := arrayAsList(o); ok {
			return e.saveFreshCall(f, list)
		}
	}
	return e.saveCall(o, args, wire.OpReduce)
}

// saveNewObjEx writes cls.__new__(cls, *args, **kwargs) as C does where there is no NEWOBJ_EX, and
// as Python 2 reads it: functools.partial(cls.__new__, cls, *args, **kwargs)().
func (e *encoder) saveNewObjEx(o *Object, args Tuple) error {
	f := reduce("builtins", "getattr", o.Callable, "__new__")
	p := reduce("functools", "partial", f)
	p.Ops = []Op{{OpBuild, []any{Tuple{f, append(Tuple{o.Callable}, args...), o.Kwargs, nil}}}}
	e.keep = append(e.keep, p)
	if err := e.save(p); err != nil {
		return err
	}
	e.emptyTuple()
	e.buf = append(e.buf, wire.OpReduce)
	return nil
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
