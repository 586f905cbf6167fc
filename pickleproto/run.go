package pickleproto

import (
	"encoding/binary"
	"io"
	"math"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

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

// run executes opcodes up to STOP. It returns the value and the length of the pickle.
func (m *machine) run() (any, int, error) {
	data := m.whole
	stack := m.stack[:0]
	fence, top := 0, -1
	i := m.from
	if m.part {
		if m.frameEnd != 0 {
			data = data[:min(m.frameEnd, len(data))]
		}
	} else if size, ok := wire.Framed(data); ok { // as nearly all begin
		i = wire.HeaderLength
		m.proto, m.frameEnd = int(data[1]), i+size
		data = data[:m.frameEnd]
	}
	for {
		if i >= len(data) {
			if m.frameEnd == 0 || i >= len(m.whole) {
				m.stack = stack
				if m.part && len(stack) == 1 && len(m.marks) == 0 {
					if m.growing != nil {
						m.fitList()
					}
					return stack[0], i, nil
				}
				return nil, 0, m.endOfInput(i)
			}
			data, m.frameEnd = m.whole, 0
		}
		op := data[i]
		if len(stack) == cap(stack) {
			m.opAt = i
			stack = m.grow(stack)
		}
		if isScalar[op] {
			if s, next := m.scalars(stack, data, i); next > i {
				stack, i = s, next
				continue
			}
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
			if !validStr(data, i, i+n) {
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
			if !validStr(data, i, i+int(n)) {
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
			if n < len(m.memo) {
				v := m.memo[n]
				if _, ok := v.(string); ok {
					stack = append(stack, v)
					i++
					continue
				}
			}
			v, ok := m.get(n)
			if !ok {
				return nil, 0, m.noMemo(i-1, n)
			}
			if _, ok := v.(string); !ok {
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
			if _, ok := v.(string); !ok {
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
			if n := len(stack) - 1; n >= fence && i < len(data) {
				if l, ok := stack[n].(*List); ok && l.items == nil && l.packed == nil && !m.waits(l, stack) {
					m.opAt = i - 1
					if next := m.loadShortInts(l, data, i); next != 0 {
						i = next
						continue
					}
					if next, rest := m.loadRun(l, data, i, n == 0); next != 0 {
						i, data = next, rest
						continue
					}
				}
			}
			items, next := m.scalars(stack, data, i)
			if at := len(stack); len(items) > at && next < len(data) && (data[next] == wire.OpTuple || data[next] == wire.OpFrozenSet) {
				m.opAt = next
				i = next + 1
				var v any
				if data[next] == wire.OpTuple {
					v = m.tupleOf(items[at:])
					m.tupleEnd = i
				} else {
					s := m.frozenSet()
					if err := fillSet(&s.t, items[at:], &m.h, &m.arena); err != nil {
						return nil, 0, m.keyError(next, err)
					}
					v = s
				}
				top = at
				m.heights[at] = 1
				stack = append(stack, v)
				if i < len(data) && data[i] == wire.OpMemoize {
					i++
					m.memoize(v)
				}
				continue
			}
			if len(m.marks) == cap(m.marks) {
				m.opAt = i - 1
				m.growMarks()
			}
			m.marks = append(m.marks, fence)
			fence = len(stack)
			stack, i = items, next
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
			if len(data)-i > 2 && data[i] == wire.OpMark && data[i+1] == wire.OpBinInt1 {
				m.opAt = i
				if next := m.loadShortInts(c, data, i+1); next != 0 {
					i = next
				}
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
			if i < len(data) && data[i] == wire.OpMark && len(m.marks) < cap(m.marks) {
				if t := m.shapeOf(data, i+1); t != nil {
					next, h := m.loadShaped(c, t, data, i+1, shapedDepth)
					if h > 0 {
						m.heights[top] = h
					} else {
						m.opAt = next
						stack, fence, top = m.unshape(stack, fence, top)
					}
					i = next
					continue
				}
				items, next := m.scalars(stack, data, i+1)
				if next < len(data) && data[next] == wire.OpSetItems {
					if m.opAt = next; m.fillShape(c, items[len(stack):]) || m.fillFew(c, items[len(stack):]) {
						i = next + 1
						continue
					}
				}
				m.marks = append(m.marks, fence)
				fence = len(stack)
				stack, i = items, next
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
			if op == wire.OpSetItems && len(m.deferred) == 0 && fence > m.marks[len(m.marks)-1] {
				if d, ok := stack[fence-1].(*Dict); ok && d.t == nil && (m.fillShape(d, stack[fence:]) || m.fillFew(d, stack[fence:])) {
					if top >= fence {
						m.raise(fence-1, m.over(fence, top)+1)
					}
					top = fence - 1
					stack = stack[:fence]
					fence = m.marks[len(m.marks)-1]
					m.marks = m.marks[:len(m.marks)-1]
					continue
				}
			}
			start, done := fence, 0
			if k := len(m.deferred) - 1; k >= 0 && m.deferred[k].depth == len(m.marks) {
				start, done = m.deferred[k].start, m.deferred[k].done
			}
			below := m.marks[len(m.marks)-1]
			if start <= below {
				return nil, 0, m.underflow(i - 1)
			}
			if len(stack)-fence >= batchSize && i < len(data) && data[i] == wire.OpMark {
				if op == wire.OpAppends && start == 1 && fence == 1 && m.expectItems(stack[0], len(stack)-fence, i) {
					// not postponed
				} else if m.postpone(op, stack, start, fence) {
					i++
					fence = len(stack)
					continue
				}
				if op == wire.OpSetItems {
					m.expect = m.expectEntries((len(stack)-fence)/2, i, start == 1)
					if d, ok := stack[start-1].(*Dict); ok && d.t == nil && start == fence {
						if next, rest := m.loadEntries(d, stack[fence:], data, i); next != 0 {
							i, data, m.expect = next, rest, 0
							top = start - 1
							fence = below
							m.marks = m.marks[:len(m.marks)-1]
							stack = stack[:start]
							continue
						}
					}
				}
			}
			if start != fence {
				if !takes(stack[start-1], op) {
					if len(stack) > fence {
						return nil, 0, m.fail(i-1, "batches of different kinds for one container")
					}
					op = ownBatch(stack[start-1]) // CPython does not look at what nothing is added to
				}
				m.deferred = m.deferred[:len(m.deferred)-1]
			}
			if err := m.loadItems(op, stack[start-1], stack, start+done, fence); err != nil {
				return nil, 0, err
			}
			m.expect = 0
			if m.growing != nil && same(stack[start-1], m.growing) && !m.batchFollows(data, i) {
				m.fitList()
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
				h := int32(1)
				if top >= fence {
					h += m.over(fence, top)
					m.highest = max(m.highest, h)
				}
				top = fence
				m.heights[fence] = h
				m.tupleEnd = i
				v := m.tupleOf(stack[fence:])
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
			if m.growing != nil {
				m.fitList()
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
			if uint64(m.size-i) < n {
				return nil, 0, m.failWith(i-9, "pickle exhausted before end of frame", io.ErrUnexpectedEOF)
			}
			m.frameEnd = i + int(n)
			data = data[:min(m.frameEnd, len(data))]
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
