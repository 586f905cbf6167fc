package pickleproto

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// offsetOf finds the offset of the value that steps lead to, innermost first, by walking the
// pickle once more and noting where each value begins instead of what it is. It runs after an
// error only. It returns -1 where the walk does not suffice: offsets are a service, never a claim
// that the pickle is fine.
func offsetOf(data []byte, steps []step, c *config) int64 {
	// No more nodes than opcodes, and one more in reserve as the slice grows.
	cost := 2 * shadowSize * int64(len(data))
	if uint64(len(data)) > 1<<31 || !c.budget.Acquire(cost) {
		return -1
	}
	defer c.budget.Release(cost)
	w := shadowWalk{data: data, memo: map[uint32]uint32{}, nodes: make([]shadow, 1, 64)}
	n, ok := w.run()
	if !ok {
		return -1
	}
	for _, s := range slices.Backward(steps) {
		if next, ok := w.follow(n, s); ok {
			n = next
		} else {
			break // the container is the best answer
		}
	}
	return int64(w.nodes[w.real(n)].at)
}

const shadowSize = 20

// shadow is one value of a pickle by its place alone. Children are linked: items, or keys and
// values in turn; of an instance its callable and arguments, then what was done to it.
type shadow struct {
	at                uint32 // offset of the opcode that made it
	first, last, next uint32
	kind              shadowKind
}

type shadowKind uint8

const (
	shadowPlain  shadowKind = iota
	shadowAlias             // a second mention; first is the value itself
	shadowObject            // an instance
	shadowState             // first is the state that BUILD set
)

type shadowWalk struct {
	data  []byte
	nodes []shadow // the first is no node
	stack []uint32
	marks []int
	memo  map[uint32]uint32
	count uint32 // of MEMOIZE
}

func (w *shadowWalk) node(at int, kind shadowKind) uint32 {
	w.nodes = append(w.nodes, shadow{at: uint32(at), kind: kind})
	return uint32(len(w.nodes) - 1)
}

func (w *shadowWalk) adopt(parent uint32, children []uint32) {
	parent = w.real(parent)
	for _, child := range children {
		if w.nodes[child].next != 0 || w.nodes[parent].last == child {
			continue // already someone's child; cannot come of a well-formed stream
		}
		if p := &w.nodes[parent]; p.last == 0 {
			p.first, p.last = child, child
		} else {
			w.nodes[p.last].next = child
			p.last = child
		}
	}
}

func (w *shadowWalk) real(n uint32) uint32 {
	if w.nodes[n].kind == shadowAlias {
		return w.nodes[n].first
	}
	return n
}

func (w *shadowWalk) alias(at int, of uint32) uint32 {
	n := w.node(at, shadowAlias)
	w.nodes[n].first = w.real(of)
	return n
}

// argument returns the bytes of op's argument, at pos, and where it ends.
func argument(data []byte, pos int, a wire.Arg) (arg []byte, end int, ok bool) {
	if pos+a.Fixed() > len(data) {
		return nil, 0, false
	}
	n := uint64(0)
	switch a {
	case wire.ArgLine, wire.ArgTwoLines:
		end = pos
		for lines := 1 + int(a-wire.ArgLine); lines > 0; lines-- {
			i := bytes.IndexByte(data[end:], '\n')
			if i < 0 {
				return nil, 0, false
			}
			end += i + 1
		}
		return data[pos : end-1], end, true
	case wire.ArgCount1:
		n = uint64(data[pos])
	case wire.ArgCount4, wire.ArgCountSigned4:
		n = uint64(binary.LittleEndian.Uint32(data[pos:]))
	case wire.ArgCount8:
		n = binary.LittleEndian.Uint64(data[pos:])
	default:
		return data[pos : pos+a.Fixed()], pos + a.Fixed(), true
	}
	pos += a.Fixed()
	if n > uint64(len(data)-pos) {
		return nil, 0, false
	}
	return data[pos : pos+int(n)], pos + int(n), true
}

func (w *shadowWalk) run() (top uint32, ok bool) {
	for pos := 0; pos < len(w.data); {
		at, op := pos, w.data[pos]
		info, known := wire.Lookup(op)
		if !known {
			return 0, false
		}
		arg, end, ok := argument(w.data, pos+1, info.Arg)
		if !ok {
			return 0, false
		}
		pos = end
		// What lies above the mark, and then the items below it or on top.
		var above []uint32
		if info.Mark {
			if len(w.marks) == 0 {
				return 0, false
			}
			mark := w.marks[len(w.marks)-1]
			w.marks = w.marks[:len(w.marks)-1]
			if mark > len(w.stack) {
				return 0, false
			}
			above = w.stack[mark:]
			w.stack = w.stack[:mark]
		}
		pops := int(info.Pops)
		if op == wire.OpObj {
			pops = 0 // its class lies above the mark
		}
		if pops > len(w.stack) {
			return 0, false
		}
		popped := w.stack[len(w.stack)-pops:]
		switch op {
		case wire.OpStop:
			return popped[0], true
		case wire.OpMark:
			w.marks = append(w.marks, len(w.stack))
			continue
		case wire.OpFrame, wire.OpProto, wire.OpReadOnlyBuffer, wire.OpPopMark:
			continue
		case wire.OpPop:
			if n := len(w.marks); n > 0 && w.marks[n-1] == len(w.stack) {
				w.marks = w.marks[:n-1]
				continue
			}
			w.stack = w.stack[:len(w.stack)-1]
			continue
		case wire.OpDup:
			w.stack = append(w.stack, w.alias(at, popped[0]))
			continue
		case wire.OpPut, wire.OpBinPut, wire.OpLongBinPut, wire.OpMemoize:
			if len(w.stack) == 0 {
				return 0, false
			}
			i := w.count
			if op != wire.OpMemoize {
				if i, ok = memoIndex(arg, info.Arg); !ok {
					return 0, false
				}
			}
			if _, again := w.memo[i]; !again {
				w.count++
			}
			w.memo[i] = w.stack[len(w.stack)-1]
			continue
		case wire.OpGet, wire.OpBinGet, wire.OpLongBinGet:
			i, ok := memoIndex(arg, info.Arg)
			if !ok || w.memo[i] == 0 {
				return 0, false
			}
			w.stack = append(w.stack, w.alias(at, w.memo[i]))
			continue
		case wire.OpAppend, wire.OpSetItem:
			w.adopt(popped[0], popped[1:])
			w.stack = w.stack[:len(w.stack)-pops+1]
			continue
		case wire.OpAppends, wire.OpSetItems, wire.OpAddItems:
			w.adopt(popped[0], above)
			continue
		case wire.OpBuild:
			state := w.node(at, shadowState)
			w.nodes[state].first = popped[1]
			w.adopt(popped[0], []uint32{state})
			w.stack = w.stack[:len(w.stack)-1]
			continue
		}
		kind := shadowPlain
		switch op {
		case wire.OpReduce, wire.OpNewObj, wire.OpNewObjEx, wire.OpInst, wire.OpObj:
			kind = shadowObject
		}
		n := w.node(at, kind)
		w.adopt(n, popped)
		w.adopt(n, above)
		w.stack = append(w.stack[:len(w.stack)-pops], n)
	}
	return 0, false
}

func memoIndex(arg []byte, a wire.Arg) (uint32, bool) {
	switch a {
	case wire.ArgFixed1:
		return uint32(arg[0]), true
	case wire.ArgFixed4:
		return binary.LittleEndian.Uint32(arg), true
	}
	i, err := strconv.ParseUint(string(bytes.TrimSpace(arg)), 10, 32)
	return uint32(i), err == nil
}

// follow takes one step down from n.
func (w *shadowWalk) follow(n uint32, s step) (uint32, bool) {
	n = w.real(n)
	isObject := w.nodes[n].kind == shadowObject
	switch {
	case s.kind == stepIndex && isObject:
		// A deque: its items follow the callable, the arguments and perhaps a state.
		return w.child(w.nodes[w.nodes[n].first].next, s.index+1)
	case s.kind == stepIndex:
		return w.child(w.nodes[n].first, s.index)
	case s.kind == stepArg:
		for child := w.nodes[n].first; child != 0; child = w.nodes[child].next {
			if w.nodes[child].kind == shadowState {
				return w.child(w.nodes[w.real(w.nodes[child].first)].first, s.index)
			}
		}
		args := w.nodes[w.nodes[n].first].next
		if args == 0 {
			return 0, false
		}
		return w.child(w.nodes[w.real(args)].first, s.index)
	case isObject && s.attr:
		for child := w.nodes[n].first; child != 0; child = w.nodes[child].next {
			if w.nodes[child].kind != shadowState {
				continue
			}
			state := w.real(w.nodes[child].first)
			if found, ok := w.entry(w.nodes[state].first, s); ok {
				return found, true
			}
			for part := w.nodes[state].first; part != 0; part = w.nodes[part].next {
				if found, ok := w.entry(w.nodes[w.real(part)].first, s); ok {
					return found, true
				}
			}
		}
		return 0, false
	case isObject:
		args := w.nodes[w.nodes[n].first].next
		if args == 0 {
			return 0, false
		}
		return w.entry(w.nodes[args].next, s)
	}
	return w.entry(w.nodes[n].first, s)
}

func (w *shadowWalk) child(n uint32, index int) (uint32, bool) {
	for ; n != 0; n = w.nodes[n].next {
		if w.nodes[n].kind == shadowState {
			continue
		}
		if index == 0 {
			return n, true
		}
		index--
	}
	return 0, false
}

// entry finds the last entry with s's key among the keys and values from n on.
func (w *shadowWalk) entry(n uint32, s step) (found uint32, ok bool) {
	for n != 0 {
		if w.nodes[n].kind == shadowState {
			n = w.nodes[n].next
			continue
		}
		value := w.nodes[n].next
		if w.isKey(w.real(n), s.key) {
			if found, ok = value, true; s.kind == stepKey {
				found = n
			}
		}
		if value == 0 {
			break
		}
		n = w.nodes[value].next
	}
	return found, ok && found != 0
}

// isKey reports whether the scalar at n is key.
func (w *shadowWalk) isKey(n uint32, key any) bool {
	at := int(w.nodes[n].at)
	op := w.data[at]
	info, _ := wire.Lookup(op)
	arg, _, ok := argument(w.data, at+1, info.Arg)
	if !ok {
		return false
	}
	switch key := key.(type) {
	case string:
		switch op {
		case wire.OpShortBinUnicode, wire.OpBinUnicode, wire.OpBinUnicode8, wire.OpUnicode:
			return string(arg) == key
		}
	case Bytes:
		switch op {
		case wire.OpShortBinBytes, wire.OpBinBytes, wire.OpBinBytes8:
			return string(arg) == string(key)
		}
	case ByteString:
		switch op {
		case wire.OpShortBinString, wire.OpBinString:
			return string(arg) == string(key)
		case wire.OpString:
			return len(arg) > 1 && string(arg[1:len(arg)-1]) == string(key)
		}
	case int64:
		switch op {
		case wire.OpBinInt1:
			return int64(arg[0]) == key
		case wire.OpBinInt2:
			return int64(binary.LittleEndian.Uint16(arg)) == key
		case wire.OpBinInt:
			return int64(int32(binary.LittleEndian.Uint32(arg))) == key
		case wire.OpInt:
			return string(arg) == strconv.FormatInt(key, 10)
		case wire.OpLong1:
			return len(arg) <= 8 && decodeLong64(arg) == key
		}
	}
	return false
}
