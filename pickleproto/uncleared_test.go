package pickleproto

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func clearedBeyond[T byte | int64 | float64](t *testing.T, s []T) {
	t.Helper()
	for _, x := range s[len(s):cap(s)] {
		require.Zero(t, x, "beyond the length of %d", len(s))
	}
}

// What lies in memory that was not cleared first is somebody else's: it ends where the values end. Each
// size comes so often that the memory of earlier ones, in which nothing is zero, is used again.
func TestUnclearedMemoryStaysInside(t *testing.T) {
	ints, floats := make([]int64, 30_000), make([]float64, 30_000)
	for i := range ints {
		ints[i], floats[i] = int64(i)+1, float64(i)/7+1
	}
	for range 12 {
		for _, n := range []int{0, 1, 7, 100, 999, 1001, 5000, 29_000, 30_000} {
			staysInside(t, ints[:n], (*List).Ints)
			staysInside(t, floats[:n], (*List).Floats)
		}
	}
}

// staysInside reads numbers as the outermost list, whose size is foreseen, and as another.
func staysInside[T int64 | float64](t *testing.T, numbers []T, packed func(*List) ([]T, bool)) {
	t.Helper()
	type inner struct{ Numbers []T }
	outermost, err := Marshal(numbers)
	require.NoError(t, err)
	nested, err := Marshal(inner{numbers})
	require.NoError(t, err)
	clearedBeyond(t, outermost)
	var typed []T
	require.NoError(t, Unmarshal(outermost, &typed))
	var within inner
	require.NoError(t, Unmarshal(nested, &within))
	var v any
	require.NoError(t, Unmarshal(outermost, &v))
	for _, got := range [][]T{typed, within.Numbers} {
		clearedBeyond(t, got)
		require.Equal(t, numbers, got)
	}
	if got, ok := packed(v.(*List)); ok {
		clearedBeyond(t, got)
		require.Equal(t, numbers, got)
	}
}

// A long output grows in such memory, as do long dicts.
func TestLongOutputInUnclearedMemory(t *testing.T) {
	text, entries := make([]any, 70_000), new(Dict)
	for i := range text {
		text[i] = strings.Repeat("x", 90) + itoa(int64(i))
		require.NoError(t, entries.Set(text[i], int64(i)))
	}
	for _, v := range []any{NewList(text...), entries} {
		data, err := Marshal(v)
		require.NoError(t, err)
		require.Greater(t, len(data), keepScratch)
		clearedBeyond(t, data)
		var back any
		require.NoError(t, Unmarshal(data, &back))
		assert.True(t, Equal(v, back))
		again, err := AppendMarshal([]byte("before"), back)
		require.NoError(t, err)
		assert.Equal(t, append([]byte("before"), data...), again)
	}
}
