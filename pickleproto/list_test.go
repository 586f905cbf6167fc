package pickleproto

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func longInts() []int64 {
	v := make([]int64, 100)
	for i := range v {
		v[i] = int64(i) * 1_000_003
	}
	return v
}

func TestPackedListsAreLists(t *testing.T) {
	floats, strs := make([]float64, 100), make([]string, 100)
	for i := range 100 {
		floats[i], strs[i] = float64(i)/4, string(rune('a'+i%26))+"bcd"
	}
	for _, l := range []*List{NewIntList(longInts()), NewFloatList(floats), NewStringList(strs)} {
		require.NotNil(t, l.packed)
		plain := NewList(append([]any(nil), l.Items()...)...)
		assert.True(t, Equal(plain, l))
		for i, v := range l.All() {
			require.True(t, same(v, l.At(i)))
		}
		for p := range 6 {
			a, err := Marshal(l, WithProtocol(p))
			require.NoError(t, err)
			b, err := Marshal(plain, WithProtocol(p))
			require.NoError(t, err)
			require.Equal(t, string(b), string(a), "protocol %d", p)
			var back any
			require.NoError(t, Unmarshal(a, &back))
			require.True(t, Equal(plain, back))
		}
	}
	ints, ok := NewIntList(longInts()).Ints()
	assert.True(t, ok)
	assert.Equal(t, longInts(), ints)
	_, ok = NewFloatList(floats).Ints()
	assert.False(t, ok)
	f, ok := NewFloatList(floats).Floats()
	assert.True(t, ok)
	assert.Equal(t, floats, f)
	s, ok := NewStringList(strs).Strings()
	assert.True(t, ok)
	assert.Equal(t, strs, s)
	_, ok = NewList(int64(1)).Strings()
	assert.False(t, ok)
	_, ok = NewList(int64(1)).Floats()
	assert.False(t, ok)
	assert.Equal(t, "[1, 2]", Repr(NewIntList([]int64{1, 2})), "a short one is not packed")
}

func TestPackedListIsChanged(t *testing.T) {
	l := NewIntList(longInts())
	l.SetAt(0, "first")
	l.Append(nil, int64(2))
	assert.Equal(t, 102, l.Len())
	assert.Equal(t, "first", l.At(0))
	assert.Equal(t, int64(1_000_003), l.At(1))
	assert.Nil(t, l.At(100))
	_, ok := l.Ints()
	assert.False(t, ok)
}

func TestPackedListIsReadByMany(t *testing.T) {
	l := NewIntList(longInts())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i, v := range l.Items() {
				if v != any(longInts()[i]) || l.At(i) != v {
					t.Error(i, v)
				}
			}
		})
	}
	wg.Wait()
}

// A str of a packed list is boxed when the memo is asked for it, and then is one object.
func TestMemoOfPackedStrs(t *testing.T) {
	pickle := "\x80\x04]\x94("
	for i := range 40 {
		pickle += "\x8c\x03a" + string([]byte{byte('A' + i), 'c', 0x94})
	}
	pickle += "eN\x94h\x03h\x03h\x29\x87."
	var v any
	require.NoError(t, Unmarshal([]byte(pickle), &v))
	tuple := v.(Tuple)
	assert.Equal(t, "aCc", tuple[0])
	assert.True(t, same(tuple[0], tuple[1]))
	assert.Nil(t, tuple[2], "None too may be memoised")

	var missing *SyntaxError
	require.ErrorAs(t, Unmarshal([]byte(pickle[:len(pickle)-4]+"h\x2a\x87."), &v), &missing)
	assert.Contains(t, missing.Error(), "Memo value not found at index 42")
}

// Short lists of ints are read ahead, up to any end of them.
func TestShortLists(t *testing.T) {
	opcodes := []struct {
		text  string
		value any
	}{
		{"K\x07", int64(7)},
		{"K\xff", int64(255)},
		{"M\x01\x02", int64(513)},
		{"J\xff\xff\xff\xff", int64(-1)},
		{"J\x00\x00\x00\x01", int64(1 << 24)},
		{"\x8a\x06\x00\x00\x00\x00\x00\x01", int64(1 << 40)},
		{"N", nil},
		{"G\x3f\xf0\x00\x00\x00\x00\x00\x00", 1.0},
	}
	for n := range 12 {
		for _, odd := range opcodes {
			for at := range n + 1 {
				p, want := "](", []any(nil)
				for i := range n {
					op := opcodes[i%5]
					if i == at {
						op = odd
					}
					p, want = p+op.text, append(want, op.value)
				}
				p += "e."
				var v any
				require.NoError(t, Unmarshal([]byte(p), &v), "%q", p)
				require.Equal(t, n, v.(*List).Len())
				for i, x := range want {
					require.Equal(t, x, v.(*List).At(i), "%q", p)
				}
				for cut := 1; cut < len(p); cut++ {
					var syntax *SyntaxError
					require.ErrorAs(t, Unmarshal([]byte(p[:cut]), &v), &syntax, "%q", p[:cut])
				}
			}
		}
	}
	var v any
	require.NoError(t, Unmarshal([]byte("](K\x01e(K\x02e."), &v), "two batches, which no pickler of Python's writes so short")
	assert.Equal(t, []any{int64(1), int64(2)}, v.(*List).Items())
}
