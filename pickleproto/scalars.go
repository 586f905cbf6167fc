package pickleproto

import (
	"encoding/binary"
	"math"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// isScalar says which opcodes scalars knows.
var isScalar = [256]bool{
	wire.OpBinInt1: true, wire.OpBinInt2: true, wire.OpBinInt: true, wire.OpBinFloat: true,
	wire.OpNone: true, wire.OpNewTrue: true, wire.OpNewFalse: true,
	wire.OpShortBinUnicode: true, wire.OpBinGet: true,
}

// longestScalar is the length of the longest opcode of isScalar with an argument of fixed size.
// A str of less than 8 bytes is looked at by one word.
const longestScalar = 10

// scalars pushes numbers, short strs and the like, up to the first opcode that it leaves to run: that is
// one that is no scalar, that stands near the end of the data, or that is wrong. It returns the stack and
// the offset where to go on.
//
// It is run without everything else: a loop so small that the compiler keeps in registers what it works on.
func (m *machine) scalars(stack []any, data []byte, i int) ([]any, int) {
	for len(stack) < cap(stack) && len(data)-i >= longestScalar {
		var v any
		switch data[i] {
		case wire.OpBinInt1:
			v = smallInts[data[i+1]]
			i += 2
		case wire.OpBinInt2:
			m.opAt = i
			v = m.int(int64(binary.LittleEndian.Uint16(data[i+1:])))
			i += 3
		case wire.OpBinInt:
			m.opAt = i
			v = m.int(int64(int32(binary.LittleEndian.Uint32(data[i+1:]))))
			i += 5
		case wire.OpBinFloat:
			m.opAt = i
			v = m.float(math.Float64frombits(binary.BigEndian.Uint64(data[i+1:])))
			i += 9
		case wire.OpNone:
			i++
		case wire.OpNewTrue:
			v = anyTrue
			i++
		case wire.OpNewFalse:
			v = anyFalse
			i++
		case wire.OpBinGet:
			n := int(data[i+1])
			if n >= len(m.memo) || typeWord(m.memo[n]) != typString {
				return stack, i
			}
			v = m.memo[n]
			i += 2
		case wire.OpShortBinUnicode:
			n := int(data[i+1])
			from, to := i+2, i+2+n
			switch {
			case to >= len(data):
				return stack, i
			case n < 8 && binary.LittleEndian.Uint64(data[from:])<<((64-8*uint(n))&63)&highBits == 0:
			case n >= 8 && n <= 16 && asciiTwoWords(data[from:to]):
			case !validStr(data, from, to):
				return stack, i
			}
			m.opAt = i
			v = m.str(data, from, n)
			if i = to; data[i] == wire.OpMemoize {
				m.memoize(v)
				i++
			}
		default:
			return stack, i
		}
		stack = append(stack, v)
	}
	return stack, i
}

// plainScalars returns how many of the opcodes from i on, most at the most, scalars would push, and where they end.
func (m *machine) plainScalars(data []byte, i, most int) (n, end int) {
	for ; n < most && len(data)-i >= longestScalar; n++ {
		switch data[i] {
		case wire.OpNone, wire.OpNewTrue, wire.OpNewFalse:
			i++
		case wire.OpBinInt1:
			i += 2
		case wire.OpBinInt2:
			i += 3
		case wire.OpBinInt:
			i += 5
		case wire.OpBinFloat:
			i += 9
		case wire.OpBinGet:
			if k := int(data[i+1]); k >= len(m.memo) || typeWord(m.memo[k]) != typString {
				return n, i
			}
			i += 2
		case wire.OpShortBinUnicode:
			to := i + 2 + int(data[i+1])
			if to >= len(data) || !validStr(data, i+2, to) {
				return n, i
			}
			if i = to; data[i] == wire.OpMemoize {
				i++
			}
		default:
			return n, i
		}
	}
	return n, i
}

// tupleOf makes a tuple of items. They are mostly few: copy would ask the collector first.
func (m *machine) tupleOf(items []any) any {
	t := m.anys(len(items))
	if len(items) > 16 {
		copy(t, items)
	} else {
		//lint:ignore S1001 see above
		for i, v := range items {
			t[i] = v
		}
	}
	return m.tuple(t)
}
