package pickleproto

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBind(t *testing.T) {
	numbers := make([]int64, 1000)
	for i := range numbers {
		numbers[i] = int64(i) << 33 * int64(1-2*(i%2))
	}
	floats := make([]float64, 1000)
	for i := range floats {
		floats[i] = float64(i) / 3
	}
	for _, v := range []any{numbers, floats, []string{"a", "b"}, map[string]int{"a": 1}, struct{ A, B int }{1, 2}, 5, "x", true, nil} {
		data, err := Marshal(v)
		require.NoError(t, err)
		var x any
		require.NoError(t, Unmarshal(data, &x))
		for _, target := range []func() any{
			func() any { return new([]int64) }, func() any { return new([]int) }, func() any { return new([]float64) },
			func() any { return new([]string) }, func() any { return new([]any) }, func() any { return new([]int8) },
			func() any { return new(map[string]int) }, func() any { return new(struct{ A, B int }) },
			func() any { return new(int) }, func() any { return new(string) }, func() any { return new(bool) },
		} {
			got, want := target(), target()
			err, wanted := Bind(x, got), Unmarshal(data, want)
			require.Equal(t, want, got)
			require.Equal(t, wanted == nil, err == nil, "%v %v", err, wanted)
		}
	}
	var same any
	require.NoError(t, Bind("x", &same))
	require.Equal(t, "x", same)
	require.Error(t, Bind(int64(1), nil))
	require.Error(t, Bind(int64(1), 5))
	var limit *LimitError
	x := NewList()
	for range 1000 {
		x.Append(int64(1))
	}
	require.ErrorAs(t, Bind(x, new([]int64), WithLimits(Limits{Memory: 100})), &limit)
}
