package pickleproto

import (
	"strings"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// saveGlobal writes a class or function by name. A Global is one object however often it was made:
// it is memoised by its names. boxed is the address of the interface that holds it, or 0; that
// it is found by when it comes from a decoded pickle, where all uses share it.
func (e *encoder) saveGlobal(g Global, boxed uintptr) error {
	if boxed != 0 {
		if index, ok := e.memo.aliased(boxed); ok {
			e.memoGet(index)
			return nil
		}
	}
	module, name := g.namesFor(e.proto)
	if n := int64(max(len(module), len(name))); n > e.c.limits.Name {
		return &LimitError{Limit: "name", Value: uint64(n), Max: uint64(e.c.limits.Name), Offset: -1}
	}
	key := globalName{module, name}
	if index, ok := e.globals[key]; ok && g.flags&distinctGlobal == 0 {
		if boxed != 0 {
			e.memo.alias(boxed, index)
		}
		e.memoGet(index)
		return nil
	}
	switch parent, last, dotted := cutLast(name); {
	case e.proto >= 4:
		if err := e.saveName(nameKey{module, moduleKind(module, name)}, g.flags&distinctModule != 0); err != nil {
			return err
		}
		if err := e.saveName(nameKey{name, attributeName}, g.flags&distinctName != 0); err != nil {
			return err
		}
		e.buf = append(e.buf, wire.OpStackGlobal)
	case dotted:
		// A nested class: getattr(parent, name), as C writes it where names have no dots.
		if err := e.enter(); err != nil {
			return err
		}
		if err := e.saveGlobal(globalGetattr, 0); err != nil {
			return err
		}
		if e.proto < 2 {
			e.buf = append(e.buf, wire.OpMark)
		}
		if err := e.saveGlobal(Global{Module: g.Module, Name: parent, flags: g.flags}, 0); err != nil {
			return err
		}
		if err := e.saveName(nameKey{last, attributeName}, false); err != nil {
			return err
		}
		e.closeTuple(2)
		e.buf = append(e.buf, wire.OpReduce)
		e.depth--
	default:
		if err := e.writeNames(wire.OpGlobal, module, name); err != nil {
			return err
		}
	}
	index := e.freshIndex()
	if boxed != 0 {
		e.memo.alias(boxed, index)
	}
	if e.globals == nil {
		e.globals = make(map[globalName]uint32)
	}
	if _, ok := e.globals[key]; !ok {
		e.globals[key] = index
	}
	e.memoPut(index)
	return nil
}

// cutLast splits a qualified name at its last dot; "<locals>" and the like have no parent.
func cutLast(name string) (parent, last string, dotted bool) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || i == len(name)-1 {
		return "", name, false
	}
	return name[:i], name[i+1:], true
}

// writeNames writes GLOBAL or INST with its two lines.
func (e *encoder) writeNames(op byte, module, name string) error {
	if module == "" || name == "" {
		return &TypeError{Offset: -1, Msg: "a module or attribute name is empty"}
	}
	if hasNewline(module) || hasNewline(name) {
		return &TypeError{Offset: -1, Msg: "a module or attribute name holds a newline"}
	}
	if e.proto < 3 && !(isASCII(module) && isASCII(name)) || !utf8.ValidString(module) || !utf8.ValidString(name) {
		return &TypeError{Offset: -1, Msg: "can't pickle global identifier '" + clip(module+"."+name) + "' using pickle protocol " + itoa(int64(e.proto))}
	}
	e.buf = append(append(append(e.buf, op), module...), '\n')
	e.buf = append(append(e.buf, name...), '\n')
	return nil
}

// nameKey is the text of a module or of an attribute name, and which of the str objects with that
// text it is.
type nameKey struct {
	text string
	kind nameKind
}

// nameKind keeps apart names that are two objects in CPython even where they are alike.
type nameKind uint8

const (
	attributeName  nameKind = iota // datetime, the class
	moduleName                     // datetime, its module
	functionModule                 // builtins as its functions have it: another one than that of its classes
	groupModule                    // builtins as ExceptionGroup has it, the one class there that is no static type
)

func moduleKind(module, name string) nameKind {
	if module == "builtins" || module == "__builtin__" {
		switch {
		case isBuiltinFunction[name]:
			return functionModule
		case name == "ExceptionGroup":
			return groupModule
		}
	}
	return moduleName
}

// saveName writes a module or attribute name: the str that the memo knows by identity or, unless
// the stream had two of the same text, by its text.
func (e *encoder) saveName(name nameKey, distinct bool) error {
	s := name.text
	if len(e.buf) >= e.frameLimit {
		e.nextFrame()
	}
	address, tag := strIdentity(s)
	if index, ok := e.memo.find(address, tag); ok && !e.ofOtherKind(name, index) {
		e.memoGet(index)
		return nil
	}
	if !distinct {
		if index, ok := e.names[name]; ok {
			e.memoGet(index)
			return nil
		}
	}
	index, found := e.memo.findOrAdd(address, tag)
	if found {
		index = e.freshIndex()
	}
	if e.names == nil {
		e.names = make(map[nameKey]uint32)
	}
	if _, ok := e.names[name]; !ok {
		e.names[name] = index
	}
	return e.writeStr(s, index)
}

// ofOtherKind reports whether memo entry index, found for the str of name, was written as a name of
// another kind: Go has one string for a text that is several objects in CPython.
func (e *encoder) ofOtherKind(name nameKey, index uint32) bool {
	if name.text != "builtins" || name.kind == attributeName {
		return false
	}
	for kind := moduleName; kind <= groupModule; kind++ {
		if other, ok := e.names[nameKey{name.text, kind}]; ok && other == index {
			return kind != name.kind
		}
	}
	return false
}

func hasNewline(s string) bool { return strings.IndexByte(s, '\n') >= 0 }

var (
	globalSet       = Global{Module: "builtins", Name: "set"}
	globalFrozenSet = Global{Module: "builtins", Name: "frozenset"}
	globalBytes     = Global{Module: "builtins", Name: "bytes"}
	globalByteArray = Global{Module: "builtins", Name: "bytearray"}
	globalComplex   = Global{Module: "builtins", Name: "complex"}
	globalEncode    = Global{Module: "_codecs", Name: "encode"}
	globalGetattr   = Global{Module: "builtins", Name: "getattr"}
	globalNewObj    = Global{Module: "copyreg", Name: "__newobj__"}
)
