package pickleproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each limit of Limits, met while decoding: which error, with which numbers, and where. Each case
// runs three times, the last after a large pickle: what a pooled machine brings along must not
// stand in for what a limit forbids.
func TestDecodeLimits(t *testing.T) {
	large := append(bytes.Repeat([]byte("(((N0000"), 20000), []byte("]("+strings.Repeat("N\x94", 5000)+"e.")...)
	for name, c := range map[string]struct {
		limits Limits
		pickle string
		want   LimitError
	}{
		"message":          {Limits{Message: 3}, "]a..", LimitError{Limit: "message", Value: 4, Max: 3, Offset: -1}},
		"announced":        {Limits{Message: 100}, "\x8e\x00\x00\x00\x00\x10\x00\x00\x00abc.", LimitError{Limit: "message", Value: 1 << 36, Max: 100, Offset: 0, Opcode: "BINBYTES8"}},
		"depth":            {Limits{Depth: 3}, "]]]]Naaaa.", LimitError{Limit: "depth", Value: 4, Max: 3, Offset: 9, Opcode: "STOP"}},
		"depth by memo":    {Limits{Depth: 3}, "]q\x00]h\x00aq\x010]h\x01aq\x020]h\x02aq\x030]h\x03a.", LimitError{Limit: "depth"}},
		"depth of a key":   {Limits{Depth: 3}, "}N\x85\x85\x85\x85Ns.", LimitError{Limit: "depth", Value: 4, Max: 3, Offset: 7, Opcode: "SETITEM"}},
		"memory":           {Limits{Memory: 4096}, "](" + strings.Repeat("N", 1000) + "e.", LimitError{Limit: "memory", Max: 4096}},
		"stack":            {Limits{Stack: 3}, "NNNN0000.", LimitError{Limit: "stack", Value: 4, Max: 3, Offset: 4, Opcode: "POP"}},
		"marks":            {Limits{Marks: 3}, "((((1111N.", LimitError{Limit: "marks", Value: 4, Max: 3, Offset: 3, Opcode: "MARK"}},
		"memo":             {Limits{Memo: 3}, "\x80\x04N\x94\x94\x94\x94.", LimitError{Limit: "memo", Value: 4, Max: 3, Offset: 6, Opcode: "MEMOIZE"}},
		"memo, far away":   {Limits{Memo: 1}, "Nr\x00\x00\x00\x70r\x00\x00\x00\x60.", LimitError{Limit: "memo", Value: 2, Max: 1, Offset: 6, Opcode: "LONG_BINPUT"}},
		"digits":           {Limits{Digits: 30}, "L" + strings.Repeat("1", 31) + "L\n.", LimitError{Limit: "digits", Value: 31, Max: 30, Offset: 0, Opcode: "LONG"}},
		"int size":         {Limits{IntSize: 9}, "\x8b\x0a\x00\x00\x00" + strings.Repeat("\x01", 10) + ".", LimitError{Limit: "int size", Value: 10, Max: 9, Offset: 0, Opcode: "LONG4"}},
		"int size, LONG1":  {Limits{IntSize: 9}, "\x8a\x0a" + strings.Repeat("\x01", 10) + ".", LimitError{Limit: "int size", Value: 10, Max: 9, Offset: 0, Opcode: "LONG1"}},
		"name":             {Limits{Name: 5}, "cabcdef\nx\n.", LimitError{Limit: "name", Value: 6, Max: 5, Offset: 0, Opcode: "GLOBAL"}},
		"name on a stack":  {Limits{Name: 5}, "\x8c\x01a\x8c\x06abcdef\x93.", LimitError{Limit: "name", Value: 6, Max: 5, Offset: 11, Opcode: "STACK_GLOBAL"}},
		"name of an inst":  {Limits{Name: 5}, "(iabcdef\nx\n.", LimitError{Limit: "name", Value: 6, Max: 5, Offset: 1, Opcode: "INST"}},
		"work":             {Limits{Work: 10}, "}NN\x86NN\x86\x86\x85NN\x86NN\x86\x86\x86Ns.", LimitError{Limit: "work", Max: 10}},
		"memory, int text": {Limits{Memory: 600, Digits: -1}, "L" + strings.Repeat("9", 800) + "L\n.", LimitError{Limit: "memory", Max: 600, Offset: 0, Opcode: "LONG"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, before := range [][]byte{nil, []byte("N."), large} {
				if before != nil {
					c := newConfig(nil)
					_, _, _ = decode(before, &c)
				}
				var v any = "untouched"
				err := Unmarshal([]byte(c.pickle), &v, WithLimits(c.limits))
				var got *LimitError
				require.True(t, errors.As(err, &got), "%v", err)
				assert.Equal(t, c.want.Limit, got.Limit)
				assert.Equal(t, "untouched", v)
				assert.Greater(t, got.Value, got.Max)
				if c.want.Value != 0 {
					assert.Equal(t, c.want, *got)
				} else if c.want.Max != 0 {
					assert.Equal(t, c.want.Max, got.Max)
				}
			}
		})
	}
}

// What lies exactly at a limit is within it, and a negative limit is none.
func TestDecodeWithinLimits(t *testing.T) {
	for name, c := range map[string]struct {
		limits Limits
		pickle string
	}{
		"message":     {Limits{Message: 4}, "NN0."},
		"depth":       {Limits{Depth: 4}, "]]]]Naaaa."},
		"stack":       {Limits{Stack: 4}, "NNNN000."},
		"marks":       {Limits{Marks: 4}, "((((1111N."},
		"memo":        {Limits{Memo: 2}, "NPa\n\x94\x940."},
		"sparse memo": {Limits{Memo: 1}, "Nr\x00\x00\x00\x70j\x00\x00\x00\x700."},
		"far memo":    {Limits{Memo: 2}, "Nq\xf0h\xf00."},
		"overwritten": {Limits{Memo: 1}, "Nr\x00\x00\x00\x70r\x00\x00\x00\x70."},
		"digits":      {Limits{Digits: 30}, "L" + strings.Repeat("1", 30) + "L\n."},
		"int size":    {Limits{IntSize: 10}, "\x8b\x0a\x00\x00\x00" + strings.Repeat("\x01", 10) + "."},
		"name":        {Limits{Name: 6}, "cabcdef\nx\n."},
		"none": {Limits{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
			"((" + strings.Repeat("]q\x00", 100) + strings.Repeat("a", 99) + "1" + "1L" + strings.Repeat("1", 9000) + "\n."},
	} {
		t.Run(name, func(t *testing.T) {
			var v any
			require.NoError(t, Unmarshal([]byte(c.pickle), &v, WithLimits(c.limits)))
		})
	}
}

// A budget that many calls share is given back whether they succeed or not.
func TestBudgetIsGivenBack(t *testing.T) {
	b := NewBudget(1 << 20)
	small := "](" + strings.Repeat("}", 100) + "e."
	big := "](" + strings.Repeat("}", 20000) + "e."
	for range 3 {
		var v any
		require.NoError(t, Unmarshal([]byte(small), &v, WithBudget(b)))
		assert.Zero(t, b.Used())
		err := Unmarshal([]byte(big), &v, WithBudget(b), WithLimits(Limits{Memory: -1}))
		var limit *LimitError
		require.True(t, errors.As(err, &limit), "%v", err)
		assert.Equal(t, "memory budget", limit.Limit)
		assert.NotEmpty(t, limit.Opcode)
		assert.Zero(t, b.Used())
	}
	require.True(t, b.Acquire(1<<20))
	var v any
	require.Error(t, Unmarshal([]byte(small), &v, WithBudget(b)))
	b.Release(1 << 20)
	assert.Zero(t, b.Used())
}

// A pickle that fetches one long text from the memo as a key, over and over: hashing it each time
// would be quadratic.
func TestLongKeyIsHashedOnce(t *testing.T) {
	for _, head := range []string{"X", "T", "B"} {
		text := strings.Repeat("x", 1<<20)
		b := []byte(head)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
		b = append(append(b, text...), "q\x000}("...)
		b = append(b, strings.Repeat("h\x00N", 1<<18)...)
		b = append(b, "u."...)
		quick.Within(t, time.Second, func() {
			var v any
			require.NoError(t, Unmarshal(b, &v, WithLimits(Limits{Memory: -1})))
			assert.Equal(t, 1, v.(*Dict).Len())
		})
	}
}

// Equal long keys that are not one object have to be compared in full each time: that is work.
func TestComparingLongKeysIsWork(t *testing.T) {
	text := strings.Repeat("x", 1<<20)
	b := []byte{}
	for i := range 2 {
		b = binary.LittleEndian.AppendUint32(append(b, 'X'), uint32(len(text)))
		b = append(append(b, text...), 'q', byte(i), '0')
	}
	b = append(b, "}(h\x00N"...)
	b = append(b, strings.Repeat("h\x01N", 1<<18)...)
	b = append(b, "u."...)
	quick.Within(t, time.Second, func() {
		var v any
		var limit *LimitError
		require.True(t, errors.As(Unmarshal(b, &v, WithLimits(Limits{Memory: -1})), &limit))
		assert.Equal(t, "work", limit.Limit)
	})
}

// A large integer fetched as a key over and over: Python hashes it each time too.
func TestHashingLargeIntsIsWork(t *testing.T) {
	b := binary.LittleEndian.AppendUint32([]byte{0x8b}, 64<<10)
	b = append(b, bytes.Repeat([]byte{7}, 64<<10)...)
	b = append(b, "q\x000}("...)
	b = append(b, strings.Repeat("h\x00N", 1<<20)...)
	b = append(b, "u."...)
	quick.Within(t, time.Second, func() {
		var v any
		var limit *LimitError
		require.True(t, errors.As(Unmarshal(b, &v, WithLimits(Limits{Memory: -1})), &limit))
		assert.Equal(t, "work", limit.Limit)
	})
}

// Objects dropped before a GET whose index is a very long line: it is read once, not for each.
func TestDroppedObjectsLookOnce(t *testing.T) {
	b := []byte("cm\nf\nq\x000)q\x010h\x00h\x01Rq\x0a0")
	b = append(b, '(')
	b = append(b, strings.Repeat("h\x00)R", 20000)...)
	b = append(b, "1g"+strings.Repeat("0", 1<<20)+"10\n."...)
	quick.Within(t, time.Second, func() {
		var v any
		_ = Unmarshal(b, &v)
	})
}

// Memo indices far apart take an entry each, not all that lie between.
func TestSparseMemo(t *testing.T) {
	b := []byte{'N'}
	for i := range 31 {
		b = binary.LittleEndian.AppendUint32(append(b, 'r'), 1<<i)
	}
	b = append(b, "0j\x00\x00\x00\x40."...)
	var v any = 1
	require.NoError(t, Unmarshal(b, &v))
	assert.Nil(t, v)
}

// Many small pickles that arrive together are not moved for each of them.
func TestDecoderOfManySmallPickles(t *testing.T) {
	large := append([]byte("C\x00B\x00\x00\x0f\x00"), make([]byte, 0x0f0000)...)
	small := 500_000
	if quick.Race {
		small = 100_000
	}
	b := append(append(large, '.'), bytes.Repeat([]byte("N."), small)...)
	quick.Within(t, time.Second, func() {
		d := NewDecoder(bytes.NewReader(b))
		n := 0
		for {
			var v any
			err := d.Decode(&v)
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			n++
		}
		assert.Equal(t, small+1, n)
	})
}

// A Decoder writes its buffer again, so it does not lend it.
func TestDecoderDoesNotLend(t *testing.T) {
	d := NewDecoder(iotest.OneByteReader(strings.NewReader("\x8c\x05first.\x8c\x05other.")), WithLentBuffer())
	var first, other any
	require.NoError(t, d.Decode(&first))
	require.NoError(t, d.Decode(&other))
	assert.Equal(t, "first", first)
	assert.Equal(t, "other", other)
}

// A kept memo carries the nesting of earlier pickles along.
func TestDepthThroughAKeptMemo(t *testing.T) {
	memo := new(Memo)
	var v any
	require.NoError(t, Unmarshal([]byte("]q\x00."), &v, WithMemo(memo), WithLimits(Limits{Depth: 5})))
	var err error
	for i := byte(0); i < 10 && err == nil; i++ {
		err = Unmarshal([]byte{']', 'h', i, 'a', 'q', i + 1, '.'}, &v, WithMemo(memo), WithLimits(Limits{Depth: 5}))
	}
	var limit *LimitError
	require.True(t, errors.As(err, &limit), "%v", err)
	assert.Equal(t, "depth", limit.Limit)
}

// The limits also bound what is written: what one side refuses to read the other does not send.
func TestEncodeLimits(t *testing.T) {
	nested := func(n int) any {
		var v any = Tuple{nil}
		for range n - 1 {
			v = NewList(v)
		}
		return v
	}
	bomb := Tuple{int64(1)}
	for range 60 {
		bomb = Tuple{bomb, bomb}
	}
	var deepKey any = Tuple{int64(1)}
	var id any = "x"
	for range 200 {
		deepKey = Tuple{deepKey}
		id = &PersistentID{id}
	}
	withKey := func(k any) any {
		return &Object{Callable: Global{Module: "m", Name: "c"}, Args: Tuple{}, Ops: []Op{{OpSetItems, []any{k, nil}}}}
	}
	large := new(big.Int).Lsh(big.NewInt(1), 8*100)
	many := make([]any, 1000)
	for i := range many {
		many[i] = large
	}
	for name, c := range map[string]struct {
		limits Limits
		protos []int
		v      any
		want   LimitError
	}{
		"message":           {Limits{Message: 100}, []int{0, 1, 2, 3, 4, 5}, Bytes(strings.Repeat("x", 1000)), LimitError{Limit: "message", Max: 100}},
		"message of ints":   {Limits{Message: 1000, Digits: -1}, []int{0, 1, 2, 3, 4, 5}, NewList(many...), LimitError{Limit: "message", Max: 1000}},
		"message of ids":    {Limits{Message: 1000}, []int{1, 2, 3, 4, 5}, NewList(id, id, id, id, id, id, id, id), LimitError{Limit: "message", Max: 1000}},
		"depth":             {Limits{Depth: 10}, []int{0, 1, 2, 3, 4, 5}, nested(11), LimitError{Limit: "depth", Value: 11, Max: 10}},
		"depth of ids":      {Limits{Depth: 10}, []int{1, 2, 3, 4, 5}, id, LimitError{Limit: "depth", Value: 11, Max: 10}},
		"depth of a key":    {Limits{Depth: 100}, []int{0, 1, 2, 3, 4, 5}, withKey(deepKey), LimitError{Limit: "depth", Value: 101, Max: 100}},
		"work":              {Limits{}, []int{0, 1, 2, 3, 4, 5}, withKey(bomb), LimitError{Limit: "work"}},
		"memo":              {Limits{Memo: 2}, []int{4}, NewList("abc", "def"), LimitError{Limit: "memo", Value: 3, Max: 2}},
		"digits":            {Limits{}, []int{0, 1}, new(big.Int).Exp(big.NewInt(10), big.NewInt(4300), nil), LimitError{Limit: "digits", Value: 4301, Max: 4300, Opcode: "LONG"}},
		"int size":          {Limits{IntSize: 100}, []int{2, 3, 4, 5}, large, LimitError{Limit: "int size", Value: 101, Max: 100}},
		"int size, far off": {Limits{}, []int{2, 3, 4, 5}, new(big.Int).Lsh(big.NewInt(1), 16<<20), LimitError{Limit: "int size", Value: 2<<20 + 1, Max: DefaultMaxIntSize}},
		"name":              {Limits{}, []int{0, 1, 2, 3, 4, 5}, Global{Module: "m", Name: strings.Repeat("x", 1025)}, LimitError{Limit: "name", Value: 1025, Max: 1024}},
	} {
		for _, proto := range c.protos {
			t.Run(name+" at protocol "+itoa(int64(proto)), func(t *testing.T) {
				dst := []byte("before")
				out, err := AppendMarshal(dst, c.v, WithLimits(c.limits), WithProtocol(proto))
				assert.Equal(t, dst, out)
				var got *LimitError
				require.True(t, errors.As(err, &got), "%v", err)
				assert.Equal(t, c.want.Limit, got.Limit)
				assert.Greater(t, got.Value, got.Max)
				if c.want.Value != 0 {
					c.want.Offset = -1
					assert.Equal(t, c.want, *got)
				} else if c.want.Max != 0 {
					assert.Equal(t, c.want.Max, got.Max)
				}
			})
		}
	}
}

// What lies at a limit is written; so are the largest negative numbers of a size.
func TestEncodeWithinLimits(t *testing.T) {
	b, err := Marshal(Bytes(strings.Repeat("x", 1000)))
	require.NoError(t, err)
	again, err := Marshal(Bytes(strings.Repeat("x", 1000)), WithLimits(Limits{Message: int64(len(b))}))
	require.NoError(t, err)
	assert.Equal(t, b, again)
	least := new(big.Int).Lsh(big.NewInt(-1), 8*100-1)
	for _, v := range []*big.Int{least, new(big.Int).Not(least)} {
		b, err = Marshal(v, WithLimits(Limits{IntSize: 100}))
		require.NoError(t, err)
		var back any
		require.NoError(t, Unmarshal(b, &back, WithLimits(Limits{IntSize: 100})))
		assert.True(t, Equal(v, back))
	}
	_, err = Marshal(new(big.Int).Sub(new(big.Int).Exp(big.NewInt(10), big.NewInt(4300), nil), big.NewInt(1)), WithProtocol(0))
	require.NoError(t, err)
	_, err = Marshal(new(big.Int).Neg(new(big.Int).Exp(big.NewInt(10), big.NewInt(4299), nil)), WithProtocol(0))
	require.NoError(t, err)
}

// Python hashes a key anew for each dict that it is in: many keys, none of which costs much too
// much, may cost too much together.
func TestKeysTogetherAreWork(t *testing.T) {
	bomb := Tuple{int64(1)}
	for range 20 {
		bomb = Tuple{bomb, bomb}
	}
	items := []any{}
	for i := range int64(100) {
		items = append(items, Tuple{bomb, i}, nil)
	}
	_, err := Marshal(&Object{Callable: Global{Module: "collections", Name: "OrderedDict"}, Args: Tuple{}, Ops: []Op{{OpSetItems, items}}})
	var limit *LimitError
	require.True(t, errors.As(err, &limit), "%v", err)
	assert.Equal(t, "work", limit.Limit)
}

// The deepest that is possible without a limit of the caller's: no walk runs out of stack, which
// Go could not recover from.
func TestDepthWithoutLimit(t *testing.T) {
	const n = mostDepth - 1
	for name, b := range map[string]string{
		"list":   strings.Repeat("]", n) + "N" + strings.Repeat("a", n) + ".",
		"tuple":  "N" + strings.Repeat("\x85", n) + ".",
		"dict":   strings.Repeat("}N", n) + "N" + strings.Repeat("s", n) + ".",
		"object": objectNest(n/2) + ".",
		"id":     "N" + strings.Repeat("Q", n) + ".",
	} {
		if quick.Race && name != "list" && name != "object" {
			continue // they take the same ways
		}
		t.Run(name, func(t *testing.T) {
			none := WithLimits(Limits{Depth: -1, Memory: -1, Work: -1})
			var v any
			require.NoError(t, Unmarshal([]byte(b), &v, none))
			for _, proto := range []int{2, 4} {
				_, err := Marshal(v, none, WithProtocol(proto))
				require.NoError(t, err)
			}
			deeper := v
			for range 10 {
				deeper = Tuple{deeper}
			}
			_, err := Marshal(deeper, none)
			var limit *LimitError
			require.True(t, errors.As(err, &limit), "%v", err)
			assert.Equal(t, "depth", limit.Limit)
			type node []node // deep, and into Go types too
			var into node
			_ = Unmarshal([]byte(b), &into, none)
			var links struct{ Next any }
			_ = Unmarshal([]byte(b), &links, none)
			_ = Repr(v)
			Equal(v, deeper)
		})
	}
	t.Run("key", func(t *testing.T) {
		none := WithLimits(Limits{Depth: -1, Memory: -1, Work: -1})
		var v any
		require.NoError(t, Unmarshal([]byte("})"+strings.Repeat("\x85", mostDepth-2)+"Ns."), &v, none))
		err := Unmarshal([]byte("})"+strings.Repeat("\x85", mostDepth+2)+"Ns."), &v, none)
		var limit *LimitError
		require.True(t, errors.As(err, &limit), "%v", err)
	})
}

// objectNest is m.f(m.f(... m.f())), n of them.
func objectNest(n int) string {
	return "cm\nf\nq\x000" + strings.Repeat("h\x00", n) + ")R" + strings.Repeat("\x85R", n-1)
}

// What begins with many small items is not taken to go on so for the whole message at any price: a
// budget that others share has room for what there is.
func TestForesightWithinABudget(t *testing.T) {
	dict, ints, strs, lists := NewDict(), make([]int64, 5000), make([]any, 300), make([]any, 17000)
	for i := range int64(1001) {
		require.NoError(t, dict.Set(i, nil))
	}
	for i := range strs {
		strs[i] = ""
	}
	for i := range lists {
		lists[i] = NewList()
	}
	stack := func(n int) []byte {
		items := "(" + strings.Repeat("N", n) + "t"
		return append(append([]byte(items+items+"B\x00\x00\x80\x00"), make([]byte, 8<<20)...), "\x87."...)
	}
	long := strings.Repeat("x", 8<<20)
	for name, c := range map[string]struct{ v, into any }{
		"dict": {Tuple{dict, Bytes(long)}, new(any)},
		"ints": {Tuple{NewIntList(ints), Bytes(long)}, new(any)},
		"strs": {append(strs, long), new([]string)},
		"memo": {Tuple{NewList(lists...), Bytes(long)}, new(any)},
	} {
		data, err := Marshal(c.v)
		require.NoError(t, err)
		emptyPools()
		before := allocated()
		require.NoError(t, Unmarshal(data, c.into, WithBudget(NewBudget(28<<20))), name)
		assert.Less(t, allocated()-before, uint64(40<<20), name)
		emptyPools()
		before = allocated()
		require.NoError(t, Unmarshal(data, c.into))
		assert.Less(t, allocated()-before, uint64(32<<20), name)
	}
	var v any
	require.NoError(t, Unmarshal(stack(17000), &v, WithBudget(NewBudget(12<<20))))
	emptyPools()
	require.NoError(t, Unmarshal(stack(50000), &v, WithLimits(Limits{Memory: 13 << 20})))
}

// emptyPools has every sync.Pool let go of what it keeps.
func emptyPools() {
	runtime.GC()
	runtime.GC()
}
