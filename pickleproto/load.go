package pickleproto

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// The opcodes that are not worth a case of run. Each loadXxx is pickle.py's load_xxx: it finds its
// argument at data[i:], works on m.stack and m.fence, and returns the offset of the next opcode.

type loader func(m *machine, data []byte, i int) (next int, err error)

var rare = [256]loader{
	wire.OpInt:            (*machine).loadInt,
	wire.OpLong:           (*machine).loadLong,
	wire.OpLong1:          (*machine).loadLong1,
	wire.OpLong4:          (*machine).loadLong4,
	wire.OpFloat:          (*machine).loadFloat,
	wire.OpString:         (*machine).loadString,
	wire.OpBinString:      (*machine).loadBinString,
	wire.OpShortBinString: (*machine).loadShortBinString,
	wire.OpUnicode:        (*machine).loadUnicode,
	wire.OpBinUnicode8:    (*machine).loadBinUnicode8,
	wire.OpBinBytes:       (*machine).loadBinBytes,
	wire.OpShortBinBytes:  (*machine).loadShortBinBytes,
	wire.OpBinBytes8:      (*machine).loadBinBytes8,
	wire.OpByteArray8:     (*machine).loadByteArray8,
	wire.OpNextBuffer:     (*machine).loadNextBuffer,
	wire.OpReadOnlyBuffer: (*machine).loadReadOnlyBuffer,
	wire.OpList:           (*machine).loadList,
	wire.OpDict:           (*machine).loadDict,
	wire.OpPop:            (*machine).loadPop,
	wire.OpPopMark:        (*machine).loadPopMark,
	wire.OpDup:            (*machine).loadDup,
	wire.OpGet:            (*machine).loadGet,
	wire.OpPut:            (*machine).loadPut,
	wire.OpGlobal:         (*machine).loadGlobal,
	wire.OpStackGlobal:    (*machine).loadStackGlobal,
	wire.OpInst:           (*machine).loadInst,
	wire.OpObj:            (*machine).loadObj,
	wire.OpNewObj:         (*machine).loadNewObj,
	wire.OpNewObjEx:       (*machine).loadNewObjEx,
	wire.OpReduce:         (*machine).loadReduce,
	wire.OpBuild:          (*machine).loadBuild,
	wire.OpPersID:         (*machine).loadPersID,
	wire.OpBinPersID:      (*machine).loadBinPersID,
	wire.OpExt1:           (*machine).loadExt1,
	wire.OpExt2:           (*machine).loadExt2,
	wire.OpExt4:           (*machine).loadExt4,
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func (m *machine) push(v any) { m.stack = append(m.stack, v) } // run left room for one

// pops reports whether n single items may be popped.
func (m *machine) pops(n int) bool { return len(m.stack)-m.fence >= n }

// line returns the line at data[i:] without its newline, and the offset behind it.
func (m *machine) line(data []byte, i int) (line []byte, next int, err error) {
	n := bytes.IndexByte(data[i:], '\n')
	if n < 0 {
		return nil, 0, m.short(m.opAt)
	}
	return data[i : i+n], i + n + 1, nil
}

// counted returns the argument of a counted opcode: width bytes of length, then so many bytes.
func (m *machine) counted(data []byte, i, width int) (at, n int, err error) {
	if len(data)-i < width {
		return 0, 0, m.short(m.opAt)
	}
	var size uint64
	switch width {
	case 1:
		size = uint64(data[i])
	case 4:
		size = uint64(binary.LittleEndian.Uint32(data[i:]))
	default:
		size = binary.LittleEndian.Uint64(data[i:])
	}
	i += width
	if size > uint64(len(data)-i) {
		if size > uint64(m.c.limits.Message) {
			return 0, 0, m.failLimit(m.opAt, "message", size, uint64(m.c.limits.Message))
		}
		return 0, 0, m.short(m.opAt)
	}
	return i, int(size), nil
}

// popMark returns the items above the topmost mark, on the stack still, and removes both. What
// is returned is valid until the next push.
func (m *machine) popMark() ([]any, error) {
	k := len(m.marks) - 1
	if k < 0 {
		return nil, m.fail(m.opAt, "could not find MARK")
	}
	if len(m.deferred) > 0 {
		m.stack, m.fence = m.settle(m.stack, m.fence)
	}
	items := m.stack[m.fence:]
	m.stack = m.stack[:m.fence]
	m.fence = m.marks[k]
	m.marks = m.marks[:k]
	return items, nil
}

func (m *machine) loadList(data []byte, i int) (int, error) {
	items, err := m.popMark()
	if err != nil {
		return 0, err
	}
	l := m.list()
	if len(items) > 0 {
		err = m.add(l, items)
	}
	m.push(l)
	return i, err
}

func (m *machine) loadDict(data []byte, i int) (int, error) {
	items, err := m.popMark()
	if err != nil {
		return 0, err
	}
	if len(items)&1 != 0 {
		return 0, m.fail(m.opAt, "odd number of items for DICT")
	}
	d := m.dict()
	err = m.add(d, items)
	m.push(d)
	return i, err
}

func (m *machine) loadPop(data []byte, i int) (int, error) {
	// CPython: POP right after a MARK takes the mark away.
	if len(m.stack) == m.fence && len(m.marks) > 0 {
		_, err := m.popMark()
		return i, err
	}
	if !m.pops(1) {
		return 0, m.underflow(m.opAt)
	}
	n := len(m.stack) - 1
	if err := m.drop(m.stack[n:], data, i); err != nil {
		return 0, err
	}
	m.stack = m.stack[:n]
	return i, nil
}

func (m *machine) loadPopMark(data []byte, i int) (int, error) {
	items, err := m.popMark()
	if err == nil {
		err = m.drop(items, data, i)
	}
	return i, err
}

// drop refuses to lose a call without a trace. A pickler pops what it made only when recursion has
// made the object already, which it then fetches from the memo; and the result of a state
// setter, which loadReduce sees to.
func (m *machine) drop(items []any, data []byte, i int) error {
	var kept *Object // what is fetched next; looked for once, its index may be a long line
	looked := false
	for _, v := range items {
		o, ok := v.(*Object)
		if !ok || m.isMemoized(o) {
			continue
		}
		if !looked {
			kept, _ = m.fetched(data, i).(*Object)
			looked = true
		}
		if kept != nil {
			if kept.recursed == 0 {
				kept.recursed = uint32(len(kept.Ops)) + 1
				kept.outer, _ = o.Args.(Tuple)
			}
			continue
		}
		return m.fail(m.opAt, "the result of a call is dropped")
	}
	return nil
}

// fetched returns what the opcode at i fetches from the memo, or nil if it does not.
func (m *machine) fetched(data []byte, i int) any {
	n := -1
	switch {
	case len(data)-i >= 2 && data[i] == wire.OpBinGet:
		n = int(data[i+1])
	case len(data)-i >= 5 && data[i] == wire.OpLongBinGet:
		n = longIndex(data[i+1:])
	case len(data)-i >= 2 && data[i] == wire.OpGet:
		k, _, err := m.index(data, i+1)
		if err != nil {
			return nil
		}
		n = k
	default:
		return nil
	}
	v, _ := m.get(n)
	return v
}

// isMemoized reports whether o was memoised when it was made: its memo entry is then among the
// latest. An object that is dropped was made just before, so a few entries are looked at.
func (m *machine) isMemoized(o *Object) bool {
	for k, n := m.memoLen()-1, 0; k >= 0 && n < 64; k, n = k-1, n+1 {
		if same(m.memoEntry(k), o) {
			return true
		}
	}
	return false
}

func (m *machine) loadDup(data []byte, i int) (int, error) {
	if !m.pops(1) {
		return 0, m.underflow(m.opAt)
	}
	v := m.stack[len(m.stack)-1]
	m.sharing = true
	m.push(v)
	return i, nil
}

// longIndex reads the index of LONG_BINGET and LONG_BINPUT. Where an int has 32 bits, one that it
// does not hold becomes the last one that it does.
func longIndex(b []byte) int {
	return int(min(uint64(binary.LittleEndian.Uint32(b)), math.MaxInt))
}

// index reads the decimal memo index of GET and PUT.
func (m *machine) index(data []byte, i int) (n, next int, err error) {
	line, next, err := m.line(data, i)
	if err != nil {
		return 0, 0, err
	}
	v, err := m.parseInt(wire.OpGet, line)
	if err != nil {
		return 0, 0, err
	}
	k, ok := v.(int64)
	if !ok || k < 0 || k > math.MaxUint32 || k > math.MaxInt {
		return 0, 0, m.fail(m.opAt, "memo index out of range")
	}
	return int(k), next, nil
}

func (m *machine) loadGet(data []byte, i int) (int, error) {
	n, next, err := m.index(data, i)
	if err != nil {
		return 0, err
	}
	v, ok := m.get(n)
	if !ok {
		return 0, m.noMemo(m.opAt, n)
	}
	m.push(v)
	return next, nil
}

func (m *machine) loadPut(data []byte, i int) (int, error) {
	n, next, err := m.index(data, i)
	if err != nil {
		return 0, err
	}
	if !m.pops(1) {
		return 0, m.underflow(m.opAt)
	}
	m.put(n, m.stack[len(m.stack)-1])
	return next, nil
}

func (m *machine) loadPersID(data []byte, i int) (int, error) {
	line, next, err := m.line(data, i)
	if err != nil {
		return 0, err
	}
	if !isASCII(stringOf(line)) {
		return 0, m.fail(m.opAt, "persistent IDs in protocol 0 must be ASCII strings")
	}
	m.charge(len(line) + 48)
	return next, m.persistent(string(line))
}

func (m *machine) loadBinPersID(data []byte, i int) (int, error) {
	if !m.pops(1) {
		return 0, m.underflow(m.opAt)
	}
	n := len(m.stack) - 1
	id := m.stack[n]
	m.stack = m.stack[:n]
	m.charge(48)
	return i, m.persistent(id)
}

func (m *machine) persistent(id any) error {
	if f := m.c.persistentLoad; f != nil {
		m.flushAll(m.stack, m.fence)
		v, err := f(id)
		if err != nil {
			return m.failWith(m.opAt, "persistent id: "+err.Error(), err)
		}
		m.push(v)
		return nil
	}
	m.push(&PersistentID{id})
	return nil
}

func (m *machine) loadExt1(data []byte, i int) (int, error) { return m.loadExt(data, i, 1) }
func (m *machine) loadExt2(data []byte, i int) (int, error) { return m.loadExt(data, i, 2) }
func (m *machine) loadExt4(data []byte, i int) (int, error) { return m.loadExt(data, i, 4) }

func (m *machine) loadExt(data []byte, i, width int) (int, error) {
	if len(data)-i < width {
		return 0, m.short(m.opAt)
	}
	var code int32
	switch width {
	case 1:
		code = int32(data[i])
	case 2:
		code = int32(binary.LittleEndian.Uint16(data[i:]))
	default:
		code = int32(binary.LittleEndian.Uint32(data[i:]))
	}
	if code <= 0 {
		return 0, m.fail(m.opAt, "EXT specifies code <= 0")
	}
	if f := m.c.extension; f != nil {
		v, err := f(code)
		if err != nil {
			return 0, m.failWith(m.opAt, "extension code: "+err.Error(), err)
		}
		m.push(v)
	} else {
		m.push(Extension(code))
	}
	return i + width, nil
}
