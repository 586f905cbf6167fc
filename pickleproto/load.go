package pickleproto

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
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

func (m *machine) loadInt(data []byte, i int) (int, error) {
	line, next, err := m.line(data, i)
	if err != nil {
		return 0, err
	}
	v, err := m.parseInt(line)
	if err != nil {
		return 0, err
	}
	if n, ok := v.(int64); ok {
		switch {
		case len(line) == 2 && (n == 0 || n == 1):
			v = n == 1 // I00 and I01 are the bools of protocols 0 and 1
		case n != int64(int32(n)):
			v = Int(n)
		}
	}
	m.push(v)
	return next, nil
}

func (m *machine) loadLong(data []byte, i int) (int, error) {
	line, next, err := m.line(data, i)
	if err != nil {
		return 0, err
	}
	if n := len(line); n > 0 && line[n-1] == 'L' {
		line = line[:n-1]
	}
	v, err := m.parseInt(line)
	if err != nil {
		return 0, err
	}
	m.push(asLong(v))
	return next, nil
}

// asLong makes a Long of an int that Python 3 would not have written as one.
func asLong(v any) any {
	if n, ok := v.(int64); ok && n == int64(int32(n)) {
		return Long(n)
	}
	return v
}

func (m *machine) loadLong1(data []byte, i int) (int, error) {
	at, n, err := m.counted(data, i, 1)
	if err != nil {
		return 0, err
	}
	return m.decodeLong(data[at:at+n], at+n)
}

func (m *machine) loadLong4(data []byte, i int) (int, error) {
	if len(data)-i >= 4 && data[i+3]&0x80 != 0 {
		return 0, m.fail(m.opAt, "LONG pickle has negative byte count")
	}
	at, n, err := m.counted(data, i, 4)
	if err != nil {
		return 0, err
	}
	return m.decodeLong(data[at:at+n], at+n)
}

func (m *machine) decodeLong(b []byte, next int) (int, error) {
	if len(b) <= 8 {
		n := decodeLong64(b)
		if n == int64(int32(n)) {
			m.push(Long(n))
		} else {
			m.push(m.int(n))
		}
		return next, nil
	}
	if n := int64(len(b)); n > m.c.limits.IntSize {
		return 0, m.failLimit(m.opAt, "int size", uint64(n), uint64(m.c.limits.IntSize))
	}
	m.charge(len(b) + 48)
	v := decodeLongBig(b)
	if v.IsInt64() {
		m.push(asLong(v.Int64()))
	} else {
		m.push(v)
	}
	return next, nil
}

// decodeLong64 reads a little-endian two's complement integer of at most 8 bytes.
func decodeLong64(b []byte) (n int64) {
	for i, x := range b {
		n |= int64(x) << (8 * i)
	}
	if k := len(b); k > 0 && k < 8 {
		n = n << (64 - 8*k) >> (64 - 8*k)
	}
	return n
}

// decodeLongBig is pickle.py's decode_long.
func decodeLongBig(b []byte) *big.Int {
	be := make([]byte, len(b))
	for i, x := range b {
		be[len(b)-1-i] = x
	}
	v := new(big.Int)
	if be[0]&0x80 == 0 {
		return v.SetBytes(be)
	}
	for i := range be {
		be[i] = ^be[i]
	}
	v.SetBytes(be)
	return v.Not(v)
}

func (m *machine) loadFloat(data []byte, i int) (int, error) {
	line, next, err := m.line(data, i)
	if err != nil {
		return 0, err
	}
	f, ok := parseFloat(line)
	if !ok {
		return 0, m.fail(m.opAt, "could not convert string to float")
	}
	m.push(m.float(f))
	return next, nil
}

// byteString pushes a Python 2 str as the options have it.
func (m *machine) byteString(s string) error {
	switch m.c.py2 {
	case AsBytes:
		if s == "" {
			m.push(anyEmptyBytes)
		} else {
			m.push(boxBytes(m.header(s)))
		}
	case DecodeASCII:
		if !isASCII(s) {
			return m.fail(m.opAt, "a Python 2 str is not ASCII")
		}
		m.push(s)
	case DecodeLatin1:
		m.charge(2 * len(s))
		m.push(fromLatin1(s))
	case DecodeUTF8:
		if !validSurrogatePass([]byte(s)) {
			return m.fail(m.opAt, "a Python 2 str is not UTF-8")
		}
		m.push(s)
	default:
		m.push(ByteString(s))
	}
	return nil
}

func fromLatin1(s string) string {
	if isASCII(s) {
		return s
	}
	b := make([]byte, 0, len(s)+len(s)/2)
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x80 {
			b = append(b, c)
		} else {
			b = append(b, 0xc0|c>>6, 0x80|c&0x3f)
		}
	}
	return string(b)
}

func (m *machine) loadString(data []byte, i int) (int, error) {
	line, next, err := m.line(data, i)
	if err != nil {
		return 0, err
	}
	n := len(line)
	if n < 2 || line[0] != line[n-1] || line[0] != '\'' && line[0] != '"' {
		return 0, m.fail(m.opAt, "the STRING opcode argument must be quoted")
	}
	m.charge(n)
	s, ok := decodeEscape(line[1 : n-1])
	if !ok {
		return 0, m.fail(m.opAt, "invalid escape in a STRING")
	}
	return next, m.byteString(s)
}

func (m *machine) loadBinString(data []byte, i int) (int, error) {
	if len(data)-i >= 4 && data[i+3]&0x80 != 0 {
		return 0, m.fail(m.opAt, "BINSTRING pickle has negative byte count")
	}
	return m.loadCountedString(data, i, 4)
}

func (m *machine) loadShortBinString(data []byte, i int) (int, error) {
	return m.loadCountedString(data, i, 1)
}

func (m *machine) loadCountedString(data []byte, i, width int) (int, error) {
	at, n, err := m.counted(data, i, width)
	if err != nil {
		return 0, err
	}
	return at + n, m.byteString(m.bytesAt(data, at, n))
}

func (m *machine) loadUnicode(data []byte, i int) (int, error) {
	line, next, err := m.line(data, i)
	if err != nil {
		return 0, err
	}
	m.charge(2 * len(line))
	s, ok := decodeRawUnicodeEscape(line)
	if !ok {
		return 0, m.fail(m.opAt, "invalid escape in a UNICODE")
	}
	if s == "" {
		m.push(anyEmptyStr)
	} else {
		m.push(boxString(m.header(s)))
	}
	return next, nil
}

func (m *machine) loadBinUnicode8(data []byte, i int) (int, error) {
	at, n, err := m.counted(data, i, 8)
	if err != nil {
		return 0, err
	}
	if !validSurrogatePass(data[at : at+n]) {
		return 0, m.fail(m.opAt, "invalid UTF-8 in a str")
	}
	m.push(m.str(data, at, n))
	return at + n, nil
}

func (m *machine) loadCountedBytes(data []byte, i, width int) (int, error) {
	at, n, err := m.counted(data, i, width)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		m.push(anyEmptyBytes)
	} else {
		m.push(boxBytes(m.header(m.bytesAt(data, at, n))))
	}
	return at + n, nil
}

func (m *machine) loadBinBytes(data []byte, i int) (int, error) {
	return m.loadCountedBytes(data, i, 4)
}

func (m *machine) loadShortBinBytes(data []byte, i int) (int, error) {
	return m.loadCountedBytes(data, i, 1)
}

func (m *machine) loadBinBytes8(data []byte, i int) (int, error) {
	return m.loadCountedBytes(data, i, 8)
}

func (m *machine) loadByteArray8(data []byte, i int) (int, error) {
	at, n, err := m.counted(data, i, 8)
	if err != nil {
		return 0, err
	}
	m.charge(n + 32)
	b := data[at : at+n : at+n]
	if !m.c.lend {
		b = bytes.Clone(b)
	}
	m.push(&ByteArray{b})
	return at + n, nil
}

func (m *machine) loadNextBuffer(data []byte, i int) (int, error) {
	b := &Buffer{Index: m.bufferNext}
	if m.c.haveBuffers {
		if b.Index >= len(m.c.buffers) {
			return 0, m.fail(m.opAt, "not enough out-of-band buffers")
		}
		b.Data = m.c.buffers[b.Index]
	}
	m.charge(48)
	m.bufferNext++
	m.push(b)
	return i, nil
}

func (m *machine) loadReadOnlyBuffer(data []byte, i int) (int, error) {
	if !m.pops(1) {
		return 0, m.underflow(m.opAt)
	}
	b, ok := m.stack[len(m.stack)-1].(*Buffer)
	if !ok {
		return 0, m.fail(m.opAt, "not a buffer")
	}
	b.ReadOnly = true
	return i, nil
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
	for k, n := len(m.memo)-1, 0; k >= 0 && n < 64; k, n = k-1, n+1 {
		if same(m.memo[k], o) {
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
	v, err := m.parseInt(line)
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
	if m.distinctName(module, "m") {
		g.flags |= distinctModule
	}
	if m.distinctName(name, "") {
		g.flags |= distinctName
	}
	m.stack = append(m.stack[:n], g)
	return i, nil
}

// distinctName notes s as a module (kind "m") or attribute name and reports whether the same text has been
// one before as another object, which the encoder, by value, would not write again.
func (m *machine) distinctName(s, kind string) bool {
	first, again := m.names.add(m, s, kind)
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
