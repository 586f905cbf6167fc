package thirdparty

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// NOTE. check walks over the opcodes with a stack of kinds in place of values.
// It exists because gopickle dies, hangs or errs silently on what it refuses:
// every length is covered by bytes that are there, every memo entry that is
// fetched was stored, every opcode finds on the stack what it needs, and no
// argument is one that gopickle reads otherwise than CPython does.

// form is what convert has to know of the pickle and gopickle does not tell.
type form struct {
	calls         pickleproto.Construction // what a call without __new__ was written as
	reconstructor bool                     // the name occurs in it
	proto         int                      // PROTO's argument, else 0
	memory        int64                    // as far as check has counted it
}

// kind is what check knows of an item on the stack.
type kind uint8

const (
	other kind = iota
	text
	tuple
	list
	dict
	set
	buffer
	callable // a class or a function by name or code, or a persistent id
	instance
	fresh // an instance that nothing but the stack refers to
)

type checker struct {
	data   []byte
	at     int // of the opcode
	op     byte
	limits *pickleproto.Limits
	stack  []kind
	marks  []int // heights of the stack
	memo   map[uint64]kind
	memory int64
	work   int64

	proto             int // PROTO's argument; -1 before it
	inst, obj, reduce bool
}

// What gopickle and convert allocate, measured generously, in bytes.
const (
	costItem  = 32 // on the stack, and the value in its box
	costMark  = 272
	costDict  = 220
	costList  = 136
	costSet   = 480
	costTuple = 48
	costSlot  = 32 // of an item in a container, in both representations
	costPair  = 96 // of a key and its value
	costMemo  = 48
)

// check refuses what gopickle must not see.
func check(data []byte, limits *pickleproto.Limits) (form, error) {
	scanner := wire.Scanner{MaxMessage: limits.Message}
	n, done, err := scanner.Scan(data)
	switch {
	case err != nil:
		return form{}, scanError(err)
	case !done && len(data) == 0:
		return form{}, io.EOF
	case !done:
		e := scanner.Truncated()
		return form{}, &pickleproto.SyntaxError{Offset: e.Offset, Opcode: opcodeName(e.Op, e.HasOp), Msg: e.Msg, Err: io.ErrUnexpectedEOF}
	case n != len(data):
		return form{}, &pickleproto.SyntaxError{Offset: int64(n), Msg: "data after the end of the pickle"}
	}
	c := checker{data: data, limits: limits, memo: map[uint64]kind{}, proto: -1}
	for c.at < len(data) {
		size, err := c.opcode()
		if err != nil {
			return form{}, err
		}
		if c.memory+costMark*int64(len(c.marks)) > limits.Memory {
			return form{}, c.limit("memory", c.memory+costMark*int64(len(c.marks)), limits.Memory)
		}
		c.at += size
	}
	f := form{calls: pickleproto.ByReduce, reconstructor: bytes.Contains(data, []byte("_reconstructor")), proto: max(c.proto, 0), memory: c.memory}
	if c.inst {
		f.calls = pickleproto.ByInst
	} else if c.obj {
		f.calls = pickleproto.ByObj
	}
	return f, nil
}

func scanError(err error) error {
	var limit *wire.LimitError
	if errors.As(err, &limit) {
		return &pickleproto.LimitError{Limit: "message", Value: limit.Value, Max: limit.Max, Offset: limit.Offset, Opcode: opcodeName(limit.Op, limit.HasOp)}
	}
	var syntax *wire.Error
	if errors.As(err, &syntax) {
		return &pickleproto.SyntaxError{Offset: syntax.Offset, Opcode: opcodeName(syntax.Op, syntax.HasOp), Msg: syntax.Msg}
	}
	return err
}

func opcodeName(op byte, has bool) string {
	if !has {
		return ""
	}
	return wire.Name(op)
}

func (c *checker) syntax(msg string) error {
	return &pickleproto.SyntaxError{Offset: int64(c.at), Opcode: wire.Name(c.op), Msg: msg}
}

func (c *checker) limit(name string, value, most int64) error {
	return &pickleproto.LimitError{Limit: name, Value: uint64(value), Max: uint64(most), Offset: int64(c.at), Opcode: wire.Name(c.op)}
}

func (c *checker) cannot(what string) error {
	return cannot("gopickle", "read "+what+" ("+wire.Name(c.op)+")", int64(c.at))
}

// argument returns the argument of the opcode and the size of both together.
// The scanner has seen that they are there.
func (c *checker) argument(shape wire.Arg) (arg []byte, size int) {
	rest := c.data[c.at+1:]
	head := shape.Fixed()
	count := 0
	switch shape {
	case wire.ArgCount1:
		count = int(rest[0])
	case wire.ArgCount4, wire.ArgCountSigned4:
		count = int(binary.LittleEndian.Uint32(rest))
	case wire.ArgCount8:
		count = int(binary.LittleEndian.Uint64(rest))
	case wire.ArgLine:
		end := bytes.IndexByte(rest, '\n')
		return rest[:end], 1 + end + 1
	case wire.ArgTwoLines:
		first := bytes.IndexByte(rest, '\n')
		second := first + 1 + bytes.IndexByte(rest[first+1:], '\n')
		return rest[:second], 1 + second + 1
	default:
		return rest[:head], 1 + head
	}
	return rest[head : head+count], 1 + head + count
}

// fence is the height of the stack that opcodes must not reach below.
func (c *checker) fence() int {
	if len(c.marks) == 0 {
		return 0
	}
	return c.marks[len(c.marks)-1]
}

// top is the kind of the n-th item from the top; need has seen that it exists.
func (c *checker) top(n int) kind { return c.stack[len(c.stack)-1-n] }

func (c *checker) need(n int) error {
	if len(c.stack)-c.fence() < n {
		return c.syntax("unpickling stack underflow")
	}
	return nil
}

// replace takes n items off the stack and pushes one.
func (c *checker) replace(n int, k kind) {
	c.stack = append(c.stack[:len(c.stack)-n], k)
	c.memory += costItem
}

// mark takes the topmost mark and returns the number of items above it.
func (c *checker) mark() (items int, err error) {
	if len(c.marks) == 0 {
		return 0, c.syntax("could not find MARK")
	}
	items = len(c.stack) - c.fence()
	c.marks = c.marks[:len(c.marks)-1]
	return items, nil
}

// opcode checks the opcode at c.at and returns its size with its argument.
func (c *checker) opcode() (int, error) {
	c.op = c.data[c.at]
	info, _ := wire.Lookup(c.op)
	arg, size := c.argument(info.Arg)
	if !info.Mark && c.op != wire.OpPop {
		if err := c.need(int(info.Pops)); err != nil {
			return 0, err
		}
	}
	// Both keep the argument, and frames are copied once more.
	c.memory += 3 * int64(len(arg))
	return size, c.effect(arg)
}

// effect checks an opcode's argument and does to the kinds what gopickle does
// to the values.
func (c *checker) effect(arg []byte) error {
	switch c.op {
	case wire.OpFrame, wire.OpStop:
		return nil
	case wire.OpProto:
		if c.proto >= 0 && c.proto != int(arg[0]) {
			return c.cannot("a pickle of two protocols")
		}
		c.proto = int(arg[0])
		return nil
	case wire.OpMark:
		if int64(len(c.marks)) >= c.limits.Marks {
			return c.limit("marks", int64(len(c.marks))+1, c.limits.Marks)
		}
		c.marks = append(c.marks, len(c.stack))
		return nil
	case wire.OpPop, wire.OpPopMark:
		return c.pop()
	case wire.OpDup:
		c.replace(0, c.top(0))
		return nil
	case wire.OpGet, wire.OpBinGet, wire.OpLongBinGet:
		n, err := c.index(arg)
		if err != nil {
			return err
		}
		k, ok := c.memo[n]
		if !ok {
			return c.syntax("memo value not found at index " + strconv.FormatUint(n, 10))
		}
		c.replace(0, k)
		return nil
	case wire.OpPut, wire.OpBinPut, wire.OpLongBinPut, wire.OpMemoize:
		return c.put(arg)
	case wire.OpEmptyList:
		c.memory += costList
		c.replace(0, list)
		return nil
	case wire.OpEmptyDict:
		c.memory += costDict
		c.replace(0, dict)
		return nil
	case wire.OpEmptySet:
		c.memory += costSet
		c.replace(0, set)
		return nil
	case wire.OpEmptyTuple, wire.OpTuple1, wire.OpTuple2, wire.OpTuple3:
		info, _ := wire.Lookup(c.op)
		c.memory += costTuple + costSlot*int64(info.Pops)
		c.replace(int(info.Pops), tuple)
		return nil
	case wire.OpList, wire.OpTuple, wire.OpDict, wire.OpFrozenSet:
		return c.collect()
	case wire.OpAppend:
		return c.add(1, 1, list, "append")
	case wire.OpSetItem:
		return c.add(2, 2, dict, "setitem")
	case wire.OpAppends, wire.OpSetItems, wire.OpAddItems:
		return c.addAll()
	case wire.OpReduce, wire.OpNewObj, wire.OpNewObjEx, wire.OpInst, wire.OpObj, wire.OpBuild, wire.OpGlobal, wire.OpStackGlobal:
		return c.object(arg)
	case wire.OpExt1, wire.OpExt2, wire.OpExt4:
		code, _ := c.index(arg)
		if code == 0 || code > 0x7fffffff {
			return c.syntax("EXT code must be positive")
		}
		c.replace(0, callable)
		return nil
	case wire.OpPersID, wire.OpBinPersID:
		if !ascii(arg) {
			return c.syntax("persistent IDs in protocol 0 must be ASCII strings")
		}
		info, _ := wire.Lookup(c.op)
		c.replace(int(info.Pops), callable)
		return nil
	case wire.OpNextBuffer:
		c.replace(0, buffer)
		return nil
	case wire.OpReadOnlyBuffer:
		if c.top(0) != buffer {
			return c.cannot("what is no out-of-band buffer")
		}
		return nil
	}
	return c.scalar(arg)
}

// pop is POP and POP_MARK. What falls off the stack must not be a call whose
// effect was wanted: gopickle would drop it.
func (c *checker) pop() error {
	from := len(c.stack) - 1
	if height := c.fence(); c.op == wire.OpPopMark || from < height {
		if _, err := c.mark(); err != nil {
			if c.op == wire.OpPop {
				return c.need(1)
			}
			return err
		}
		from = height
	}
	for _, k := range c.stack[from:] {
		if k == fresh {
			return c.cannot("a call whose result is not kept")
		}
	}
	c.stack = c.stack[:from]
	return nil
}

// index reads the number of a memo entry or an extension code.
func (c *checker) index(arg []byte) (uint64, error) {
	switch len(arg) {
	case 1:
		if c.op != wire.OpGet && c.op != wire.OpPut {
			return uint64(arg[0]), nil
		}
	case 2:
		if c.op == wire.OpExt2 {
			return uint64(binary.LittleEndian.Uint16(arg)), nil
		}
	case 4:
		if c.op == wire.OpLongBinGet || c.op == wire.OpLongBinPut || c.op == wire.OpExt4 {
			return uint64(binary.LittleEndian.Uint32(arg)), nil
		}
	}
	n, err := strconv.ParseUint(string(arg[:min(len(arg), 20)]), 10, 63)
	if err != nil || len(arg) > 19 {
		return 0, c.syntax("not a memo index")
	}
	return n, nil
}

func (c *checker) put(arg []byte) error {
	n := uint64(len(c.memo))
	if c.op != wire.OpMemoize {
		var err error
		if n, err = c.index(arg); err != nil {
			return err
		}
		if err := c.need(1); err != nil {
			return err
		}
	}
	top := &c.stack[len(c.stack)-1]
	if *top == fresh {
		*top = instance
	}
	c.memo[n] = *top
	c.memory += costMemo
	return nil
}

// collect is LIST, TUPLE, DICT and FROZENSET.
func (c *checker) collect() error {
	n, err := c.mark()
	if err != nil {
		return err
	}
	k := other
	c.memory += costSlot * int64(n)
	switch c.op {
	case wire.OpList:
		k = list
		c.memory += costList
	case wire.OpTuple:
		k = tuple
		c.memory += costTuple
	case wire.OpDict:
		k = dict
		c.memory += costDict + costPair*int64(n/2)
		if n%2 != 0 {
			return c.syntax("odd number of items for DICT")
		}
	default:
		c.memory += costSet + costPair*int64(n)
	}
	c.replace(n, k)
	return nil
}

// addAll is APPENDS, SETITEMS and ADDITEMS.
func (c *checker) addAll() error {
	n, err := c.mark()
	if err != nil {
		return err
	}
	switch c.op {
	case wire.OpAppends:
		return c.add(n, n, list, "append")
	case wire.OpAddItems:
		return c.add(n, 2*n, set, "add")
	}
	if n%2 != 0 {
		return c.syntax("odd number of items for SETITEMS")
	}
	return c.add(n, n, dict, "setitem")
}

// add takes n items off, which the item below them, of kind k or an instance,
// receives.
func (c *checker) add(n, slots int, k kind, what string) error {
	if err := c.need(n + 1); err != nil {
		return err
	}
	if target := c.top(n); target != k && target != instance && target != fresh {
		return c.syntax("an object without " + what)
	}
	c.memory += costSlot * int64(slots)
	if k != list {
		c.memory += costPair * int64(slots/2)
	}
	c.stack = c.stack[:len(c.stack)-n]
	return nil
}

func calls(k kind) bool { return k == callable || k == instance || k == fresh }

// object is what makes instances and changes them, and names of classes.
func (c *checker) object(arg []byte) error {
	c.memory += 160
	switch c.op {
	case wire.OpGlobal:
		if err := c.names(arg); err != nil {
			return err
		}
		c.replace(0, callable)
	case wire.OpStackGlobal:
		if c.top(0) != text || c.top(1) != text {
			return c.syntax("STACK_GLOBAL requires str")
		}
		c.replace(2, callable)
	case wire.OpReduce, wire.OpNewObj:
		if c.top(0) != tuple {
			return c.syntax("the arguments of a call are no tuple")
		}
		if !calls(c.top(1)) {
			return c.syntax("the object that is called is no callable")
		}
		c.reduce = c.reduce || c.op == wire.OpReduce
		c.replace(2, fresh)
	case wire.OpNewObjEx:
		return c.cannot("keyword arguments of __new__")
	case wire.OpInst:
		if err := c.names(arg); err != nil {
			return err
		}
		n, err := c.mark()
		if err != nil {
			return err
		}
		c.inst = true
		c.replace(n, fresh)
	case wire.OpObj:
		n, err := c.mark()
		if err != nil {
			return err
		}
		if n == 0 || !calls(c.stack[len(c.stack)-n]) {
			return c.syntax("OBJ without a class")
		}
		c.obj = true
		c.replace(n, fresh)
	case wire.OpBuild:
		if k := c.top(1); k != instance && k != fresh {
			return c.syntax("BUILD of an object without state")
		}
		c.stack = c.stack[:len(c.stack)-1]
	}
	if c.inst && c.obj || c.reduce && (c.inst || c.obj) {
		return c.cannot("instances made in more than one way")
	}
	return nil
}

// names checks the two lines of GLOBAL and INST.
func (c *checker) names(arg []byte) error {
	module, name, _ := bytes.Cut(arg, []byte{'\n'})
	for _, s := range [][]byte{module, name} {
		if len(s) == 0 {
			return c.syntax("empty module or attribute name")
		}
		if int64(len(s)) > c.limits.Name {
			return c.limit("name", int64(len(s)), c.limits.Name)
		}
		if !utf8.Valid(s) {
			return c.syntax("a name that is not UTF-8")
		}
	}
	return nil
}

// scalar checks the argument of numbers, texts and bytes, and pushes them.
func (c *checker) scalar(arg []byte) error {
	k := other
	switch c.op {
	case wire.OpInt, wire.OpLong, wire.OpFloat, wire.OpLong1, wire.OpLong4:
		if err := c.number(arg); err != nil {
			return err
		}
	case wire.OpString:
		quoted := bytes.TrimRight(arg, " \t\r\v\f")
		if n := len(quoted); n < 2 || quoted[0] != quoted[n-1] || quoted[0] != '\'' && quoted[0] != '"' {
			return c.syntax("the STRING opcode argument must be quoted")
		}
		if len(quoted) != len(arg) || bytes.IndexByte(arg, '\\') >= 0 || !ascii(arg) {
			return c.cannot("escapes in a text string")
		}
	case wire.OpBinString, wire.OpShortBinString:
		if !ascii(arg) {
			return c.cannot("a Python 2 str that is not ASCII")
		}
	case wire.OpUnicode:
		if bytes.Contains(arg, []byte(`\u`)) || bytes.Contains(arg, []byte(`\U`)) || !ascii(arg) {
			return c.cannot("escapes in a text string")
		}
		k = text
	case wire.OpBinUnicode, wire.OpShortBinUnicode, wire.OpBinUnicode8:
		if !surrogatePass(arg) {
			return c.syntax("invalid UTF-8")
		}
		k = text
	}
	c.replace(0, k)
	return nil
}

func (c *checker) number(arg []byte) error {
	switch c.op {
	case wire.OpFloat:
		// strconv accepts more than Python's float().
		if bytes.ContainsAny(arg, "xXpP_") {
			return c.syntax(fmt.Sprintf("could not convert string to float: %.64q", arg))
		}
		return nil
	case wire.OpLong1, wire.OpLong4:
		n := int64(len(arg))
		if n == 0 {
			return c.cannot("an integer of no bytes")
		}
		if n > c.limits.IntSize {
			return c.limit("integer", n, c.limits.IntSize)
		}
		// gopickle shifts the whole number for each byte.
		c.work += n * n / 16
		if c.work > c.limits.Work {
			return c.limit("work", c.work, c.limits.Work)
		}
		return nil
	}
	digits := arg
	if c.op == wire.OpLong {
		digits = bytes.TrimSuffix(digits, []byte{'L'})
	} else if s := string(arg[:min(len(arg), 3)]); s == "00" || s == "01" {
		return nil // False, True
	}
	if len(digits) > 0 && (digits[0] == '-' || digits[0] == '+') {
		digits = digits[1:]
	}
	if int64(len(digits)) > c.limits.Digits {
		return c.limit("digits", int64(len(digits)), c.limits.Digits)
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return c.cannot("an integer that is not plain decimal")
		}
	}
	// CPython reads a leading 0 of INT as octal, and refuses one of LONG.
	if len(digits) == 0 || len(digits) > 1 && digits[0] == '0' {
		return c.cannot("an integer that is not plain decimal")
	}
	return nil
}

func ascii(b []byte) bool {
	for _, x := range b {
		if x >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// surrogatePass reports whether b is UTF-8 or CPython's surrogatepass bytes.
func surrogatePass(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			if len(b) < 3 || b[0] != 0xed || b[1]&0xe0 != 0xa0 || b[2]&0xc0 != 0x80 {
				return false
			}
			n = 3
		}
		b = b[n:]
	}
	return true
}
