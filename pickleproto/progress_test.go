package pickleproto

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A list that goes on as it began is written into memory that grows a few times; what it will take is
// known early.
func TestForecast(t *testing.T) {
	items := make([]any, 300_000)
	for i := range items {
		items[i] = Tuple{int64(i), itoa(int64(i))}
	}
	l := NewList(items...)
	out, err := AppendMarshal([]byte("a"), l)
	require.NoError(t, err)
	assert.Less(t, cap(out), len(out)+len(out)/8)
	grown := testing.Benchmark(func(b *testing.B) {
		for range b.N {
			_, err = Marshal(l)
		}
	})
	require.NoError(t, err)
	assert.Less(t, grown.AllocedBytesPerOp(), 5*int64(len(out)), "the output, and 8 bytes for each of two entries of the memo and its slots")
}

// The first items of a list may be its largest: what they foretell is not believed for more than so
// many times what there is.
func TestForecastOfLargeBeginning(t *testing.T) {
	items := make([]any, 2_000_000)
	for i := range items {
		items[i] = int64(1)
	}
	for i := range 20_000 {
		items[i] = Tuple{strings.Repeat("x", 1000)}
	}
	out, err := AppendMarshal([]byte("a"), NewList(items...))
	require.NoError(t, err)
	assert.Less(t, cap(out), steadyForesight*len(out))
}

// Some identities are larger than the table's: they are found all the same, and kept apart.
func TestWideIdentities(t *testing.T) {
	long := strings.Repeat("long text ", 2000)
	const far = uintptr(1) << (addressBits + 3) & ^uintptr(0)
	for _, kept := range []bool{false, true} {
		var table memoTable
		identities := []wideIdentity{
			{0x1000, memoTag(8, kindString)},
			{0x1000, memoTag(len(long), kindString)},
			{0x1000, memoTag(len(long)-1, kindString)},
			{0x1000, memoTag(len(long), kindTuple)},
			{far | 0x1000, memoTag(8, kindString)},
			{0x1000, memoTag(8, kindTuple)},
		}
		for i, id := range identities {
			_, known := table.find(id.address, id.tag)
			assert.False(t, known)
			place, _, known := table.look(id.address, id.tag)
			assert.False(t, known)
			index, known := table.addAt(place, id.address, id.tag)
			assert.False(t, known)
			assert.EqualValues(t, i, index)
		}
		assert.EqualValues(t, len(identities), table.fresh())
		table.alias(0x1000, 3)
		if kept {
			table.room(1000)
		}
		table.truncate(5)
		for i, id := range identities {
			index, known := table.find(id.address, id.tag)
			assert.Equal(t, i < 5, known, "%d", i)
			assert.EqualValues(t, index, max(0, i*btoi(known)))
		}
		index, known := table.aliased(0x1000)
		assert.True(t, known && index == 3)
		table.truncate(3)
		_, known = table.aliased(0x1000)
		assert.False(t, known)
	}
	// And in a pickle: long text and long slices are written once.
	data, err := Marshal(Tuple{long, long, long[:len(long)-1]})
	require.NoError(t, err)
	assert.Less(t, len(data), 2*len(long)+100)
	slice := make([]int64, 100)
	data, err = Marshal([][]int64{slice, slice, slice[:99], slice[:20], slice[:20]})
	require.NoError(t, err)
	var v any
	require.NoError(t, Unmarshal(data, &v))
	lists := v.(*List).Items()
	assert.Same(t, lists[0], lists[1])
	assert.NotSame(t, lists[0], lists[2])
	assert.Same(t, lists[3], lists[4])
	assert.NotSame(t, lists[2], lists[3])
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
