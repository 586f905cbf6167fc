package pickleproto

import (
	"encoding/binary"
	"io"
	"math"
	"sync"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// The unpickling machine. It runs over a message that lies in memory whole, as _pickle.c's
// loads does, and what pickle.py's load_xxx does is here in loadXxx, or, for the opcodes that
// make up nearly all of a pickle, in a case of (*machine).run of the same name.
//
// Invariants of run:
//   - data is the message up to the end of the current frame (m.whole outside of one), so the one
//     comparison that guards each argument also refuses what straddles a frame;
//   - stack[:m.fence] is below the topmost mark and out of reach of single pops;
//   - a list, dict or set that has been given a full batch of items and is followed by another
//     MARK leaves them on the stack for the next batch (see deferral): so each container is
//     allocated once, at its final size.
//   - m.stack, m.fence and m.opAt are up to date only where a loadXxx is called.

// machine is the state of one decoding; machines are pooled.
type machine struct {
	arena
	h     hasher
	c     *config
	whole []byte // the message, and whatever follows it

	stack    []any
	fence    int
	marks    []int // the fences below the current one
	deferred []deferral

	intRun   []int64   // scratch of loadInts
	floatRun []float64 // scratch of loadFloats

	memo      []any       // by index; unsetMemo where none was put
	sparse    map[int]any // entries far beyond the end of memo
	memoCount int         // entries, which is what MEMOIZE goes by

	proto      int     // PROTO's argument; 0 without
	frameEnd   int     // 0 outside of a frame
	heights    []int32 // beside the stack: see height
	highest    int32   // of all heights
	nested     int     // containers that were put into containers
	sharing    bool    // a container was fetched from the memo: the graph may be no tree
	bufferNext int
	names      nameSet   // module and attribute names of STACK_GLOBAL
	globals    nameSet   // globals
	chars      [4]uint64 // the strs of one character up to U+00FF that were written
	tupleEnd   int       // where the latest TUPLE1 to TUPLE ended
	bareAt     int       // 1 + where on the stack the latest GLOBAL lies, if it was not memoised
	bareObject int       // 1 + where on the stack the latest bare getattr lies
	opAt       int       // offset of the opcode being run by a loadXxx
}

// batchSize is how many items CPython writes at a time.
const batchSize = 1000

type unset struct{ _ byte }

// unsetMemo fills memo entries that nothing was put into.
var unsetMemo any = &unset{}

// smallInts are the boxed ints from 0 to 255.
var smallInts = func() (t [256]any) {
	for i := range t {
		t[i] = int64(i)
	}
	return t
}()

var (
	anyTrue       any = true
	anyFalse      any = false
	anyEmptyTuple any = Tuple{}
	anyEmptyStr   any = ""
	anyEmptyBytes any = Bytes("")
)

var machines = sync.Pool{New: func() any { return new(machine) }}

// pooledItems is how many stack or memo entries a pooled machine may keep.
const pooledItems = 256 << 10

// decode decodes the pickle at the beginning of data and returns its value and its length.
func decode(data []byte, c *config) (v any, n int, err error) {
	if int64(len(data)) > c.limits.Message {
		return nil, 0, &LimitError{Limit: "message", Value: uint64(len(data)), Max: uint64(c.limits.Message), Offset: -1}
	}
	m := machines.Get().(*machine)
	m.start(data, c)
	v, n, err = m.load()
	m.finish(err)
	return v, n, err
}

func (m *machine) start(data []byte, c *config) {
	m.whole, m.c = data, c
	m.left = c.limits.memoryFor(len(data))
	m.max = m.left
	m.budget = c.budget
	work := c.limits.workFor(len(data))
	m.h = hasher{work: work, max: work, depth: int(c.limits.Depth), memory: &m.arena}
	if c.memo != nil {
		m.memo, m.sparse, m.memoCount, m.nested = c.memo.take()
	}
	// The capacity of what a pooled machine brings along stands in for the limits, so that where
	// there is room there is no limit to compare with. The stack may have one item too many: that
	// is seen before the next opcode, and a pickle does not end without another.
	m.stack = m.stack[:0:min(int64(cap(m.stack)), c.limits.Stack+1)]
	m.marks = m.marks[:0:min(int64(cap(m.marks)), c.limits.Marks)]
	m.memo = m.memo[:len(m.memo):max(int64(len(m.memo)), min(int64(cap(m.memo)), c.limits.Memo))]
	m.arena.begin(len(data))
}

// finish hands a kept memo back and returns the machine to the pool, empty.
func (m *machine) finish(err error) {
	if m.c.memo != nil {
		if err == nil {
			m.c.memo.put(m.memo, m.sparse, m.memoCount, m.nested)
		}
		m.memo = nil
	}
	if m.taken > 0 {
		m.budget.Release(m.taken)
	}
	// No opcode pushes more than one item: that bounds what was ever written to the stack.
	m.stack = emptied(m.stack, len(m.whole)+1)
	m.memo = emptied(m.memo, len(m.memo))
	if m.stack == nil {
		m.heights = nil
	} else {
		clear(m.heights[:min(len(m.whole)+1, len(m.heights))])
	}
	if cap(m.marks) > pooledItems {
		m.marks = nil
	}
	m.forget()
	machines.Put(m)
}

// forget drops what the message left, field by field: the machine is large.
func (m *machine) forget() {
	m.arena.forget()
	m.h.cache = nil
	m.c, m.whole = nil, nil
	m.fence, m.marks, m.deferred = 0, m.marks[:0], m.deferred[:0]
	if m.sparse != nil {
		m.sparse = nil
	}
	m.memoCount, m.proto, m.frameEnd, m.highest, m.nested = 0, 0, 0, 0, 0
	m.sharing = false
	m.bufferNext, m.tupleEnd, m.bareAt, m.bareObject, m.opAt = 0, 0, 0, 0, 0
	m.chars = [4]uint64{}
	m.names.forget()
	m.globals.forget()
}

// emptied clears the first n items that a slice has room for, or drops it when it has grown large.
func emptied(s []any, n int) []any {
	if cap(s) > pooledItems {
		return nil
	}
	clear(s[:min(n, cap(s))])
	return s[:0]
}

func (m *machine) load() (v any, n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			b, ok := r.(bail)
			if !ok {
				panic(r)
			}
			v, n, err = nil, 0, b.err
			if l, ok := err.(*LimitError); ok && l.Offset < 0 && m.opAt < len(m.whole) {
				l.Offset, l.Opcode = int64(m.opAt), wire.Name(m.whole[m.opAt])
			}
		}
	}()
	v, n, err = m.run()
	if err != nil {
		return nil, 0, err
	}
	if int64(m.highest) > m.c.limits.Depth || m.sharing && int64(m.nested) >= m.c.limits.Depth {
		if err := checkDepth(v, m.c.limits.Depth, m.sharing); err != nil {
			m.opAt = n - 1
			panic(bail{err})
		}
	}
	return v, n, nil
}

// fail returns the error msg for the opcode at offset i.
func (m *machine) fail(i int, msg string) error {
	return &SyntaxError{Offset: int64(i), Opcode: wire.Name(m.whole[i]), Msg: msg}
}

func (m *machine) failWith(i int, msg string, err error) error {
	return &SyntaxError{Offset: int64(i), Opcode: wire.Name(m.whole[i]), Msg: msg, Err: err}
}

func (m *machine) failLimit(i int, limit string, value, most uint64) error {
	return &LimitError{Limit: limit, Value: value, Max: most, Offset: int64(i), Opcode: wire.Name(m.whole[i])}
}

// short is the error for an argument of the opcode at i that data does not hold.
func (m *machine) short(i int) error {
	if m.frameEnd != 0 && m.frameEnd < len(m.whole) {
		return m.fail(i, "argument straddles the end of a frame")
	}
	return m.failWith(i, "pickle data was truncated", io.ErrUnexpectedEOF)
}

func (m *machine) underflow(i int) error {
	if len(m.marks) > 0 {
		return m.fail(i, "unexpected MARK found")
	}
	return m.fail(i, "unpickling stack underflow")
}

// foresee returns the size that something which has filled n places by now is to grow to: twice
// that, or, in a long message, what the rest of it will fill if it goes on as it did, for
// growing again costs copies and fresh memory.
func (m *machine) foresee(n int) int {
	if n < 1<<14 || m.opAt == 0 {
		return 2 * n
	}
	most := int(float64(n)/float64(m.opAt)*float64(len(m.whole))) + n/32
	return min(max(most, n+n/2), 8*n)
}

// grow makes room on the stack, charging what it adds.
func (m *machine) grow(stack []any) []any {
	n := max(m.foresee(cap(stack)), 64)
	if most := m.c.limits.Stack; int64(n) > most {
		if int64(len(stack)) > most {
			panic(bail{&LimitError{Limit: "stack", Value: uint64(len(stack)), Max: uint64(most), Offset: -1}})
		}
		n = int(most) + 1
	}
	m.charge(20 * (n - cap(stack)))
	s := make([]any, len(stack), n)
	copy(s, stack)
	heights := make([]int32, n)
	copy(heights, m.heights)
	m.heights = heights
	return s
}

// run executes opcodes up to STOP. It returns the value and the length of the pickle.
func (m *machine) run() (any, int, error) {
	data := m.whole
	stack := m.stack[:0]
	fence, top := 0, -1
	i := 0
	for {
		if i >= len(data) {
			if m.frameEnd == 0 || i >= len(m.whole) {
				m.stack = stack
				return nil, 0, m.endOfInput(i)
			}
			data, m.frameEnd = m.whole, 0
		}
		op := data[i]
		if len(stack) == cap(stack) {
			m.opAt = i
			stack = m.grow(stack)
		}
		i++
		switch op {
		case wire.OpBinInt1:
			if i >= len(data) {
				return nil, 0, m.short(i - 1)
			}
			stack = append(stack, smallInts[data[i]])
			i++
		case wire.OpBinInt2:
			if len(data)-i < 2 {
				return nil, 0, m.short(i - 1)
			}
			m.opAt = i - 1
			stack = append(stack, m.int(int64(binary.LittleEndian.Uint16(data[i:]))))
			i += 2
		case wire.OpBinInt:
			if len(data)-i < 4 {
				return nil, 0, m.short(i - 1)
			}
			m.opAt = i - 1
			stack = append(stack, m.int(int64(int32(binary.LittleEndian.Uint32(data[i:])))))
			i += 4
		case wire.OpBinFloat:
			if len(data)-i < 8 {
				return nil, 0, m.short(i - 1)
			}
			m.opAt = i - 1
			stack = append(stack, m.float(math.Float64frombits(binary.BigEndian.Uint64(data[i:]))))
			i += 8
		case wire.OpNone:
			stack = append(stack, nil)
		case wire.OpNewTrue:
			stack = append(stack, anyTrue)
		case wire.OpNewFalse:
			stack = append(stack, anyFalse)
		case wire.OpShortBinUnicode:
			if i >= len(data) {
				return nil, 0, m.short(i - 1)
			}
			n := int(data[i])
			i++
			if len(data)-i < n {
				return nil, 0, m.short(i - 2)
			}
			m.opAt = i - 2
			s := data[i : i+n]
			if !utf8.Valid(s) && !validSurrogatePass(s) {
				return nil, 0, m.fail(m.opAt, "invalid UTF-8 in a str")
			}
			stack = append(stack, m.str(data, i, n))
			i += n
			if i < len(data) && data[i] == wire.OpMemoize {
				i++
				m.memoize(stack[len(stack)-1])
			}
		case wire.OpBinUnicode:
			if len(data)-i < 4 {
				return nil, 0, m.short(i - 1)
			}
			m.opAt = i - 1
			n := binary.LittleEndian.Uint32(data[i:])
			i += 4
			if uint64(len(data)-i) < uint64(n) {
				return nil, 0, m.short(m.opAt)
			}
			s := data[i : i+int(n)]
			if !utf8.Valid(s) && !validSurrogatePass(s) {
				return nil, 0, m.fail(m.opAt, "invalid UTF-8 in a str")
			}
			stack = append(stack, m.str(data, i, int(n)))
			i += int(n)
		case wire.OpMemoize:
			if len(stack) <= fence {
				return nil, 0, m.underflow(i - 1)
			}
			m.opAt = i - 1
			m.memoize(stack[len(stack)-1])
		case wire.OpBinGet:
			if i >= len(data) {
				return nil, 0, m.short(i - 1)
			}
			n := int(data[i])
			if n < len(m.memo) && typeWord(m.memo[n]) == typString {
				stack = append(stack, m.memo[n])
				i++
				continue
			}
			v, ok := m.get(n)
			if !ok {
				return nil, 0, m.noMemo(i-1, n)
			}
			if typeWord(v) != typString {
				top = m.fetch(v, len(stack), top)
			}
			stack = append(stack, v)
			i++
		case wire.OpLongBinGet:
			if len(data)-i < 4 {
				return nil, 0, m.short(i - 1)
			}
			n := longIndex(data[i:])
			v, ok := m.get(n)
			if !ok {
				return nil, 0, m.noMemo(i-1, n)
			}
			if typeWord(v) != typString {
				top = m.fetch(v, len(stack), top)
			}
			stack = append(stack, v)
			i += 4
		case wire.OpBinPut:
			if i >= len(data) {
				return nil, 0, m.short(i - 1)
			}
			if len(stack) <= fence {
				return nil, 0, m.underflow(i - 1)
			}
			m.opAt = i - 1
			m.put(int(data[i]), stack[len(stack)-1])
			i++
		case wire.OpLongBinPut:
			if len(data)-i < 4 {
				return nil, 0, m.short(i - 1)
			}
			if len(stack) <= fence {
				return nil, 0, m.underflow(i - 1)
			}
			m.opAt = i - 1
			m.put(longIndex(data[i:]), stack[len(stack)-1])
			i += 4
		case wire.OpMark:
			if n := len(stack) - 1; n >= fence && i < len(data) && typeWord(stack[n]) == typList {
				if l := stack[n].(*List); l.items == nil && l.packed == nil {
					m.opAt = i - 1
					if next, rest := m.loadRun(l, data, i); next != 0 {
						i, data = next, rest
						continue
					}
				}
			}
			if len(m.marks) == cap(m.marks) {
				m.opAt = i - 1
				m.growMarks()
			}
			m.marks = append(m.marks, fence)
			fence = len(stack)
		case wire.OpEmptyTuple:
			stack = append(stack, anyEmptyTuple)
		case wire.OpEmptyList:
			m.opAt = i - 1
			c := m.list()
			top = len(stack)
			m.heights[top] = 1
			stack = append(stack, c)
			if i < len(data) && data[i] == wire.OpMemoize {
				i++
				m.memoize(c)
			}
		case wire.OpEmptyDict:
			m.opAt = i - 1
			c := m.dict()
			top = len(stack)
			m.heights[top] = 1
			stack = append(stack, c)
			if i < len(data) && data[i] == wire.OpMemoize {
				i++
				m.memoize(c)
			}
		case wire.OpEmptySet:
			m.opAt = i - 1
			c := m.set()
			top = len(stack)
			m.heights[top] = 1
			stack = append(stack, c)
			if i < len(data) && data[i] == wire.OpMemoize {
				i++
				m.memoize(c)
			}
		case wire.OpTuple1, wire.OpTuple2, wire.OpTuple3:
			n := int(op-wire.OpTuple1) + 1
			if len(stack)-fence < n {
				return nil, 0, m.underflow(i - 1)
			}
			m.opAt = i - 1
			at := len(stack) - n
			t := m.anys(n)
			for j := range t {
				t[j] = stack[at+j]
			}
			h := int32(1)
			if top >= at {
				h += m.over(at, top)
				m.highest = max(m.highest, h)
			}
			top = at
			m.heights[at] = h
			m.tupleEnd = i
			v := m.tuple(t)
			stack = append(stack[:at], v)
			if i < len(data) && data[i] == wire.OpMemoize {
				i++
				m.memoize(v)
			}
		case wire.OpAppends, wire.OpSetItems, wire.OpAddItems:
			// load_appends, load_setitems, load_additems.
			if len(m.marks) == 0 {
				return nil, 0, m.fail(i-1, "could not find MARK")
			}
			m.opAt = i - 1
			start, done := fence, 0
			if k := len(m.deferred) - 1; k >= 0 && m.deferred[k].depth == len(m.marks) {
				start, done = m.deferred[k].start, m.deferred[k].done
			}
			below := m.marks[len(m.marks)-1]
			if start <= below {
				return nil, 0, m.underflow(i - 1)
			}
			if len(stack)-fence >= batchSize && i < len(data) && data[i] == wire.OpMark &&
				m.postpone(op, stack, start, fence) {
				i++
				fence = len(stack)
				continue
			}
			if start != fence {
				if !takes(stack[start-1], op) {
					return nil, 0, m.fail(i-1, "batches of different kinds for one container")
				}
				m.deferred = m.deferred[:len(m.deferred)-1]
			}
			if err := m.loadItems(op, stack[start-1], stack, start+done, fence); err != nil {
				return nil, 0, err
			}
			if top >= start {
				m.raise(start-1, m.over(start, top)+1)
			}
			top = start - 1
			fence = below
			m.marks = m.marks[:len(m.marks)-1]
			stack = stack[:start]
		case wire.OpTuple:
			if len(m.marks) == 0 {
				return nil, 0, m.fail(i-1, "could not find MARK")
			}
			m.opAt = i - 1
			if len(m.deferred) > 0 {
				stack, fence = m.settle(stack, fence)
			}
			if n := len(stack) - fence; n == 0 {
				stack = append(stack, anyEmptyTuple)
			} else {
				t := m.anys(n)
				copy(t, stack[fence:])
				h := int32(1)
				if top >= fence {
					h += m.over(fence, top)
					m.highest = max(m.highest, h)
				}
				top = fence
				m.heights[fence] = h
				m.tupleEnd = i
				v := m.tuple(t)
				stack = append(stack[:fence], v)
				if i < len(data) && data[i] == wire.OpMemoize {
					i++
					m.memoize(v)
				}
			}
			fence = m.marks[len(m.marks)-1]
			m.marks = m.marks[:len(m.marks)-1]
		case wire.OpFrozenSet:
			if len(m.marks) == 0 {
				return nil, 0, m.fail(i-1, "could not find MARK")
			}
			m.opAt = i - 1
			if len(m.deferred) > 0 {
				stack, fence = m.settle(stack, fence)
			}
			s := m.frozenSet()
			h := int32(1)
			if top >= fence {
				h += m.over(fence, top)
				m.highest = max(m.highest, h)
			}
			if err := fillSet(&s.t, stack[fence:], &m.h, &m.arena); err != nil {
				return nil, 0, m.keyError(i-1, err)
			}
			stack = append(stack[:fence], s)
			top = fence
			m.heights[fence] = h
			fence = m.marks[len(m.marks)-1]
			m.marks = m.marks[:len(m.marks)-1]
		case wire.OpAppend:
			if len(stack)-fence < 2 {
				return nil, 0, m.underflow(i - 1)
			}
			m.opAt = i - 1
			n := len(stack)
			if err := m.loadItems(op, stack[n-2], stack, n-1, fence); err != nil {
				return nil, 0, err
			}
			stack = stack[:n-1]
			if top >= n-1 {
				m.raise(n-2, m.over(n-1, top)+1)
			}
			top = n - 2
		case wire.OpSetItem:
			if len(stack)-fence < 3 {
				return nil, 0, m.underflow(i - 1)
			}
			m.opAt = i - 1
			n := len(stack)
			if err := m.loadItems(op, stack[n-3], stack, n-2, fence); err != nil {
				return nil, 0, err
			}
			stack = stack[:n-2]
			if top >= n-2 {
				m.raise(n-3, m.over(n-2, top)+1)
			}
			top = n - 3
		case wire.OpStop:
			if len(stack) <= fence {
				return nil, 0, m.underflow(i - 1)
			}
			if m.frameEnd > i {
				return nil, 0, m.fail(i-1, "frame extends beyond STOP")
			}
			if len(m.deferred) > 0 {
				m.opAt = i - 1
				m.flushAll(stack, fence)
			}
			m.stack = stack
			return stack[len(stack)-1], i, nil
		case wire.OpFrame:
			if len(data)-i < 8 {
				return nil, 0, m.short(i - 1)
			}
			n := binary.LittleEndian.Uint64(data[i:])
			i += 8
			if m.frameEnd > i {
				return nil, 0, m.fail(i-9, "frame within a frame")
			}
			data = m.whole
			if uint64(len(data)-i) < n {
				return nil, 0, m.failWith(i-9, "pickle exhausted before end of frame", io.ErrUnexpectedEOF)
			}
			m.frameEnd = i + int(n)
			data = data[:m.frameEnd]
		case wire.OpProto:
			if i >= len(data) {
				return nil, 0, m.short(i - 1)
			}
			if data[i] > HighestProtocol {
				return nil, 0, m.fail(i-1, "unsupported pickle protocol: "+itoa(int64(data[i])))
			}
			m.proto = int(data[i])
			i++
		default:
			m.opAt = i - 1
			m.stack, m.fence = stack, fence
			load := rare[op]
			if load == nil {
				return nil, 0, m.unknown(i - 1)
			}
			n, err := load(m, data, i)
			if err != nil {
				return nil, 0, err
			}
			i, stack, fence = n, m.stack, m.fence
			top = m.settleHeights(stack, top)
		}
	}
}

func (m *machine) endOfInput(i int) error {
	if i == 0 {
		return io.EOF
	}
	return &SyntaxError{Offset: int64(i), Msg: "pickle data was truncated", Err: io.ErrUnexpectedEOF}
}

func (m *machine) unknown(i int) error {
	const digits = "0123456789abcdef"
	b := m.whole[i]
	name := "'\\x" + string([]byte{digits[b>>4], digits[b&15]}) + "'"
	if b >= ' ' && b < 0x7f {
		name = "'" + string(rune(b)) + "'"
	}
	return &SyntaxError{Offset: int64(i), Msg: "invalid load key, " + name}
}

// str makes the str of the n valid bytes at data[i:].
func (m *machine) str(data []byte, i, n int) any {
	if n <= 2 {
		if n == 0 {
			return anyEmptyStr
		}
		if n == 1 || data[i]&0xfe == 0xc2 {
			return m.char(data[i : i+n])
		}
	}
	return boxString(m.header(m.bytesAt(data, i, n)))
}

// char makes a str of one character up to U+00FF, of which CPython has but one, so that the
// encoder knows it by value. Up to 3.11 there can be a second, from a class's attribute names:
// when the stream writes one again it becomes one that has an identity of its own.
func (m *machine) char(text []byte) any {
	c := text[0]
	if len(text) == 2 {
		c = c<<6 | text[1]&0x3f
	}
	bit := uint64(1) << (c & 63)
	if m.chars[c>>6]&bit != 0 {
		return boxString(m.header(secondChar(c, len(text))))
	}
	m.chars[c>>6] |= bit
	return boxString(m.header(string(text)))
}

// bytesAt returns data[i:i+n] as an immutable string.
func (m *machine) bytesAt(data []byte, i, n int) string {
	switch {
	case m.c.lend:
		return stringOf(data[i : i+n])
	case m.c.copyStrings:
		m.charge(n)
		return string(data[i : i+n])
	}
	return m.cut(data, i, i+n)
}

// validSurrogatePass reports whether b is UTF-8 that may hold lone surrogates as three bytes
// each, as Python's error handler surrogatepass reads and writes them.
func validSurrogatePass(b []byte) bool {
	for len(b) > 0 {
		if b[0] < utf8.RuneSelf {
			b = b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n <= 1 {
			if len(b) < 3 || b[0] != 0xed || b[1]&0xe0 != 0xa0 || b[2]&0xc0 != 0x80 {
				return false
			}
			n = 3
		}
		b = b[n:]
	}
	return true
}

// The depth of what is decoded. As long as no container is fetched from the memo the graph is a
// tree, and heights holds, for each container on the stack, how deep it nests: 0 for all else,
// and above run's top. (With sharing, or when the highest is past the limit, checkDepth has the
// last word.)

// over returns the largest height of stack[at:], where a container takes items from, and
// clears those heights, for the items leave the stack.
func (m *machine) over(at, top int) (h int32) {
	for _, x := range m.heights[at : top+1] {
		h = max(h, x)
	}
	clear(m.heights[at : top+1])
	m.nested++
	return h
}

// raise gives the container at stack index at the height h, if it is not higher already.
func (m *machine) raise(at int, h int32) {
	if h > m.heights[at] {
		m.heights[at] = h
		m.highest = max(m.highest, h)
	}
}

// settleHeights brings heights up to date after a loadXxx, which may have taken any number of
// items off the stack and pushed one.
func (m *machine) settleHeights(stack []any, top int) int {
	n := len(stack) - 1
	switch {
	case n < 0:
		if top >= 0 {
			clear(m.heights[:top+1])
		}
		return -1
	case top >= n:
		m.raise(n, m.over(n, top)+1)
		return n
	}
	switch typeWord(stack[n]) {
	case typInt64, typString, typFloat64, typBool, typBytes, typGlobal, nil:
		return top
	}
	m.raise(n, 1)
	return n
}

// The memo.

func (m *machine) memoize(v any) {
	if m.memoCount == len(m.memo) && len(m.memo) < cap(m.memo) {
		m.memo = append(m.memo, v)
		m.memoCount++
		return
	}
	m.put(m.memoCount, v)
}

func (m *machine) put(n int, v any) {
	switch {
	case n < len(m.memo):
		if same(m.memo[n], unsetMemo) {
			m.memoCount++
		}
		m.memo[n] = v
		return
	case n <= 2*m.memoCount+1024 && int64(n) < m.c.limits.Memo:
		if n >= cap(m.memo) {
			size := int(min(int64(max(m.foresee(cap(m.memo)), n+1, 64)), m.c.limits.Memo))
			m.charge(16 * (size - cap(m.memo)))
			s := make([]any, len(m.memo), size)
			copy(s, m.memo)
			m.memo = s
		}
		for len(m.memo) < n {
			if w, ok := m.sparse[len(m.memo)]; ok {
				m.memo = append(m.memo, w)
				delete(m.sparse, len(m.memo)-1)
			} else {
				m.memo = append(m.memo, unsetMemo)
			}
		}
		if _, ok := m.sparse[n]; ok {
			delete(m.sparse, n)
			m.memoCount--
		}
		m.memo = append(m.memo, v)
		m.memoCount++
		return
	}
	if m.sparse == nil {
		m.sparse = make(map[int]any)
	}
	if _, ok := m.sparse[n]; !ok {
		if int64(m.memoCount) >= m.c.limits.Memo {
			panic(bail{&LimitError{Limit: "memo", Value: uint64(m.memoCount) + 1, Max: uint64(m.c.limits.Memo), Offset: -1}})
		}
		m.memoCount++
		m.charge(64)
	}
	m.sparse[n] = v
}

func (m *machine) get(n int) (v any, ok bool) {
	if n < len(m.memo) {
		v = m.memo[n]
		return v, !same(v, unsetMemo)
	}
	v, ok = m.sparse[n]
	return v, ok
}

// fetch notes that v, no str, was fetched from the memo to stack index at; it returns the new top.
func (m *machine) fetch(v any, at, top int) int {
	switch typeWord(v) {
	case typInt64, typFloat64, typBytes, typGlobal, nil:
		return top
	}
	m.sharing = true
	m.raise(at, 1)
	return at
}

func (m *machine) noMemo(i, n int) error {
	return m.fail(i, "Memo value not found at index "+itoa(int64(n)))
}

func (m *machine) growMarks() {
	n := int64(len(m.marks)) + 1
	if n > m.c.limits.Marks {
		panic(bail{&LimitError{Limit: "marks", Value: uint64(n), Max: uint64(m.c.limits.Marks), Offset: -1}})
	}
	size := int(min(max(2*int64(cap(m.marks)), 16), m.c.limits.Marks))
	m.charge(8 * (size - cap(m.marks)))
	s := make([]int, len(m.marks), size)
	copy(s, m.marks)
	m.marks = s
}

// keyError gives what hashing says the place where it was said.
func (m *machine) keyError(i int, err error) error {
	switch e := keyError(err, &m.h).(type) {
	case *LimitError:
		if e.Limit == "depth" {
			return m.failLimit(i, "depth", uint64(m.c.limits.Depth)+1, uint64(m.c.limits.Depth))
		}
		return m.failLimit(i, e.Limit, e.Value, e.Max)
	default:
		return m.fail(i, err.Error())
	}
}
