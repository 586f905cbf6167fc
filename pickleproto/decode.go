package pickleproto

import (
	"io"
	"math"
	"sync"

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
	parts    []shapedPart // see loadShaped

	intRun       []int64    // scratch of loadInts
	floatRun     []float64  // scratch of loadFloats
	hadOutermost bool       // see loadRun
	expect       int        // see expectEntries
	growing      *List      // see expectItems
	touched      uint32     // see enterPacked
	keys         copiedText // of the packed dict that is being read

	memo      []any       // by index, up to early; unsetMemo where none was put
	early     int         // earlyMemo, or as many as there may be where the memo outlives the message
	late      lateMemo    // by index, from early on
	sparse    map[int]any // entries far beyond the end of both
	lazy      []lazyMemo  // entries that are nil or refLazy
	memoCount int         // entries, which is what MEMOIZE goes by
	memoLeft  int         // entries of memo's array that a short message left as they were

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
	moreChars  int       // how many of them were written again
	tupleEnd   int       // where the latest TUPLE1 to TUPLE ended
	bareAt     int       // 1 + where on the stack the latest GLOBAL lies, if it was not memoised
	bareObject int       // 1 + where on the stack the latest bare getattr lies
	opAt       int       // offset of the opcode being run by a loadXxx

	part bool // whole ends where the part of a message that is to be decoded ends: see loadPart
	from int  // where in whole that begins
	size int  // of the message
}

// batchSize is how many items CPython writes at a time.
const batchSize = 1000

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
	m.whole, m.size, m.c = data, len(data), c
	m.left = c.limits.memoryFor(len(data))
	m.max = m.left
	m.budget = c.budget
	work := c.limits.workFor(len(data))
	m.h = hasher{work: work, max: work, depth: int(c.limits.Depth), memory: &m.arena}
	m.early = earlyMemo
	if c.memo != nil {
		m.early = math.MaxInt - mostLate
		m.memo, m.sparse, m.memoCount, m.nested = c.memo.take()
	}
	// The capacity of what a pooled machine brings along stands in for the limits, so that where
	// there is room there is no limit to compare with. The stack may have one item too many: that
	// is seen before the next opcode, and a pickle does not end without another.
	m.stack = m.stack[:0:min(int64(cap(m.stack)), c.limits.Stack+1)]
	m.marks = m.marks[:0:min(int64(cap(m.marks)), c.limits.Marks)]
	m.memo = m.memo[:len(m.memo):max(int64(len(m.memo)), min(int64(cap(m.memo)), c.limits.Memo, int64(m.early)))]
	m.late.begin(c.limits.Memo - int64(m.early))
	m.arena.begin(data, !c.lend && !c.copyStrings)
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
	// No opcode pushes more than one item: that bounds what was ever written to the stack. What a short
	// message left there is small, and the next one writes over it.
	// The same goes for the memo.
	if len(m.whole) > len(shortStarter{}.text) || m.c.bringsValues() {
		m.stack = emptied(m.stack, len(m.whole)+1)
		m.memo, m.memoLeft = emptied(m.memo, max(len(m.memo), m.memoLeft)), 0
	} else {
		m.stack, m.memo, m.memoLeft = m.stack[:0], m.memo[:0], max(len(m.memo), m.memoLeft)
	}
	switch {
	case m.stack == nil:
		m.heights = nil
	case err == nil && len(m.heights) > 0:
		m.heights[0] = 0 // of the result; all above it are 0, as run leaves them
	default:
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
	if len(m.parts) > 0 {
		clear(m.parts)
		m.parts = m.parts[:0]
	}
	m.c, m.whole = nil, nil
	m.fence, m.marks, m.deferred = 0, m.marks[:0], m.deferred[:0]
	if m.sparse != nil {
		m.sparse = nil
	}
	if len(m.late.refs) > 0 {
		m.late.reset()
	}
	clear(m.lazy)
	m.lazy = m.lazy[:0]
	m.memoCount, m.proto, m.frameEnd, m.highest, m.nested = 0, 0, 0, 0, 0
	m.sharing, m.part, m.from = false, false, 0
	m.hadOutermost, m.expect, m.growing = false, 0, nil
	m.keys = copiedText{}
	m.bufferNext, m.moreChars, m.tupleEnd, m.bareAt, m.bareObject, m.opAt = 0, 0, 0, 0, 0, 0
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

// loadPart decodes the one value that data[from:to] makes, a part of the message data that holds no
// STOP. frameEnd is where the frame that it begins in ends, 0 outside of one. What is wrong with it is
// for load to say, from the message's beginning. It panics like what run calls.
func (m *machine) loadPart(data []byte, from, to, frameEnd int) (v any, ok bool) {
	m.part, m.whole, m.from, m.frameEnd = true, data[:to], from, frameEnd
	if len(m.heights) > 0 {
		m.heights[0] = 0
	}
	m.sharing, m.highest, m.nested, m.bareAt, m.bareObject = false, 0, 0, 0, 0
	v, _, err := m.run()
	return v, err == nil
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
// growing again costs copies and fresh memory, and more while the collector marks. If it does not go on like that,
// what was taken in vain is at most 63 times what was needed, and a sixteenth of the memory that may still be taken.
func (m *machine) foresee(n int) int {
	if n < 1<<14 || m.opAt == 0 {
		return 2 * n
	}
	most := int(float64(n)/float64(m.opAt)*float64(len(m.whole))) + n/32
	left := m.left
	if m.budget != nil {
		left = min(left, m.budget.Max()-m.budget.Used())
	}
	const place = 16 // bytes, or a few more
	return max(n+n/2, min(most, 64*n, n+int(left/16/place)))
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
