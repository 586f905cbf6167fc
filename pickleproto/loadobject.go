package pickleproto

import (
	"math/big"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Loading classes by name, and instances.

// twoNames reads the two lines of GLOBAL and INST.
func (m *machine) twoNames(data []byte, i int) (module, name string, next int, err error) {
	a, next, err := m.line(data, i)
	if err != nil {
		return "", "", 0, err
	}
	b, next, err := m.line(data, next)
	if err != nil {
		return "", "", 0, err
	}
	if len(a) == 0 || len(b) == 0 {
		return "", "", 0, m.fail(m.opAt, "empty module or attribute name")
	}
	if !validSurrogateFree(a) || !validSurrogateFree(b) {
		return "", "", 0, m.fail(m.opAt, "invalid UTF-8 in a name")
	}
	if err := m.checkName(len(a), len(b)); err != nil {
		return "", "", 0, err
	}
	m.charge(len(a) + len(b) + 64)
	return string(a), string(b), next, nil
}

func (m *machine) checkName(a, b int) error {
	if n := int64(max(a, b)); n > m.c.limits.Name {
		return m.failLimit(m.opAt, "name", uint64(n), uint64(m.c.limits.Name))
	}
	return nil
}

func (m *machine) loadGlobal(data []byte, i int) (int, error) {
	module, name, next, err := m.twoNames(data, i)
	if err != nil {
		return 0, err
	}
	m.bareAt = 0
	if !memoizes(data, next) {
		m.bareAt = len(m.stack) + 1
	}
	m.push(m.global(module, name))
	return next, nil
}

// memoizes reports whether the opcode at i puts something into the memo.
func memoizes(data []byte, i int) bool {
	if i >= len(data) {
		return false
	}
	switch data[i] {
	case wire.OpMemoize, wire.OpBinPut, wire.OpLongBinPut, wire.OpPut:
		return true
	}
	return false
}

// global makes a Global of names as the stream has them.
func (m *machine) global(module, name string) Global {
	g := Global{Module: module, Name: name, flags: sideFlags(m.proto, module, name)}
	if _, again := m.globals.add(m, module, name); again {
		g.flags |= distinctGlobal
	}
	return g
}

// nameSet holds pairs of names: a few in a slice, more in a map.
type nameSet struct {
	few  []globalName
	many map[globalName]globalName
}

func (s *nameSet) forget() {
	clear(s.few)
	s.few, s.many = s.few[:0], nil
}

// add adds a pair, or returns the equal one that was added before.
func (s *nameSet) add(m *machine, module, name string) (first globalName, again bool) {
	key := globalName{module, name}
	if s.many != nil {
		if first, again = s.many[key]; !again {
			m.charge(96)
			s.many[key] = key
		}
		return first, again
	}
	for _, n := range s.few {
		if n == key {
			return n, true
		}
	}
	if len(s.few) < 16 {
		m.charge(32)
		s.few = append(s.few, key)
		return key, false
	}
	s.many = make(map[globalName]globalName, 32)
	for _, n := range s.few {
		s.many[n] = n
	}
	return s.add(m, module, name)
}

func (m *machine) loadStackGlobal(data []byte, i int) (int, error) {
	if !m.pops(2) {
		return 0, m.underflow(m.opAt)
	}
	n := len(m.stack) - 2
	module, ok1 := m.stack[n].(string)
	name, ok2 := m.stack[n+1].(string)
	if !ok1 || !ok2 {
		return 0, m.fail(m.opAt, "STACK_GLOBAL requires str")
	}
	if err := m.checkName(len(module), len(name)); err != nil {
		return 0, err
	}
	m.charge(64)
	g := m.global(module, name)
	if m.distinctName(module, moduleKind(module, name)) {
		g.flags |= distinctModule
	}
	if m.distinctName(name, attributeName) {
		g.flags |= distinctName
	}
	m.stack = append(m.stack[:n], g)
	return i, nil
}

// nameKinds tells names of one text but different kinds apart in a nameSet.
var nameKinds = [...]string{attributeName: "", moduleName: "m", functionModule: "f", groupModule: "g"}

// distinctName notes s as a module or attribute name and reports whether the same text has been
// one before as another object, which the encoder, by value, would not write again.
func (m *machine) distinctName(s string, kind nameKind) bool {
	first, again := m.names.add(m, s, nameKinds[kind])
	return again && stringAddress(first.module) != stringAddress(s)
}

// callable reports whether Python might be able to call v: it is no plain value.
func callable(v any) bool {
	switch v.(type) {
	case nil, bool, int64, Long, Int, *big.Int, float64, string, Bytes, ByteString, Tuple,
		*Complex, *ByteArray, *List, *Dict, *Set, *FrozenSet, *Buffer:
		return false
	}
	return true
}

func (m *machine) newObject(how Construction, callable, args, kwargs any) *Object {
	o := m.object()
	o.How, o.Callable, o.Args, o.Kwargs = how, callable, args, kwargs
	return o
}

// ownTuple makes a tuple of items that lie on the stack.
func (m *machine) ownTuple(items []any) any {
	if len(items) == 0 {
		return anyEmptyTuple
	}
	t := m.anys(len(items))
	copy(t, items)
	return m.tuple(t)
}

func (m *machine) loadInst(data []byte, i int) (int, error) {
	module, name, next, err := m.twoNames(data, i)
	if err != nil {
		return 0, err
	}
	items, err := m.popMark()
	if err != nil {
		return 0, err
	}
	g := Global{Module: module, Name: name, flags: sideFlags(m.proto, module, name)}
	m.push(m.newObject(ByInst, g, m.ownTuple(items), nil))
	return next, nil
}

func (m *machine) loadObj(data []byte, i int) (int, error) {
	items, err := m.popMark()
	if err != nil {
		return 0, err
	}
	if len(items) == 0 {
		return 0, m.underflow(m.opAt)
	}
	cls := items[0]
	if !callable(cls) {
		return 0, m.fail(m.opAt, "a "+typeName(cls)+" is no class")
	}
	m.push(m.newObject(ByObj, cls, m.ownTuple(items[1:]), nil))
	return i, nil
}

func (m *machine) loadNewObj(data []byte, i int) (int, error) {
	if !m.pops(2) {
		return 0, m.underflow(m.opAt)
	}
	n := len(m.stack) - 2
	cls, args := m.stack[n], m.stack[n+1]
	if _, ok := args.(Tuple); !ok {
		return 0, m.fail(m.opAt, "NEWOBJ expected an arg tuple, got "+typeName(args))
	}
	if !callable(cls) {
		return 0, m.fail(m.opAt, "NEWOBJ class argument must be a type, not "+typeName(cls))
	}
	m.stack = append(m.stack[:n], m.newObject(ByNewObj, cls, args, nil))
	return i, nil
}

func (m *machine) loadNewObjEx(data []byte, i int) (int, error) {
	if !m.pops(3) {
		return 0, m.underflow(m.opAt)
	}
	n := len(m.stack) - 3
	cls, args, kwargs := m.stack[n], m.stack[n+1], m.stack[n+2]
	if _, ok := args.(Tuple); !ok {
		return 0, m.fail(m.opAt, "NEWOBJ_EX args argument must be a tuple, not "+typeName(args))
	}
	if _, ok := kwargs.(*Dict); !ok {
		return 0, m.fail(m.opAt, "NEWOBJ_EX kwargs argument must be a dict, not "+typeName(kwargs))
	}
	if !callable(cls) {
		return 0, m.fail(m.opAt, "NEWOBJ_EX class argument must be a type, not "+typeName(cls))
	}
	m.stack = append(m.stack[:n], m.newObject(ByNewObjEx, cls, args, kwargs))
	return i, nil
}

func (m *machine) loadReduce(data []byte, i int) (int, error) {
	if !m.pops(2) {
		return 0, m.underflow(m.opAt)
	}
	n := len(m.stack) - 2
	f, args := m.stack[n], m.stack[n+1]
	t, ok := args.(Tuple)
	if !ok {
		return 0, m.fail(m.opAt, "argument list must be a tuple, not "+typeName(args))
	}
	if !callable(f) {
		return 0, m.fail(m.opAt, "'"+typeName(f)+"' object is not callable")
	}
	// A state setter: setter(obj, state), whose result is popped. The object lies below.
	if len(t) == 2 && i < len(data) && data[i] == wire.OpPop && n > m.fence {
		if o, ok := t[0].(*Object); ok && same(o, m.stack[n-1]) {
			m.operate(o, OpSetState, []any{f, t[1]})
			m.stack = m.stack[:n]
			return i + 1, nil
		}
	}
	v, err := m.fold(f, t)
	if err != nil {
		return 0, err
	}
	if v == nil {
		o := m.newObject(ByReduce, f, args, nil)
		if m.tupleEnd == m.opAt && len(t) == 2 {
			m.bareGetattr(o, n, t)
		}
		v = o
	}
	m.stack = append(m.stack[:n], v)
	return i, nil
}

// bareGetattr marks getattr(parent, name), whose tuple was not memoised, if parent was not either.
// o lies at stack index n.
func (m *machine) bareGetattr(o *Object, n int, t Tuple) {
	f, ok := o.Callable.(Global)
	if !ok || f.Name != "getattr" || f.Module != "builtins" && f.Module != "__builtin__" {
		return
	}
	if _, ok := t[1].(string); !ok {
		return
	}
	switch parent := t[0].(type) {
	case Global:
		if m.bareAt == n+2 {
			parent.flags |= bareGlobal
			t[0] = parent
			o.bare = 1
		}
	case *Object:
		if parent.bare > 0 && parent.bare < 32 && m.bareObject == n+2 {
			o.bare = parent.bare + 1
		}
	}
	m.bareObject = n + 1
}

func (m *machine) loadBuild(data []byte, i int) (int, error) {
	if !m.pops(2) {
		return 0, m.underflow(m.opAt)
	}
	n := len(m.stack) - 2
	o, ok := m.stack[n].(*Object)
	if !ok {
		return 0, m.fail(m.opAt, "cannot set the state of a "+typeName(m.stack[n]))
	}
	m.operate(o, OpBuild, m.stack[n+1:])
	m.stack = m.stack[:n+1]
	return i, nil
}
