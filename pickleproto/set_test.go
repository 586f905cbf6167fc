package pickleproto

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A frozenset is filled at once if it holds a few ints or a few strs, and otherwise item by item: what comes out is the
// same, equal items left out.
func TestFrozenSetsAgainstItemByItem(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	kinds := [][]any{
		{int64(0), int64(1), int64(300), int64(-1), int64(1 << 20), int64(2), int64(3), int64(4), int64(5), int64(6), int64(7), int64(8), int64(9), int64(10)},
		{"a", "bb", "", "é", "some longer text"},
		{int64(0), true, false, 1.0, int64(1), "a", nil, 2.5},
		{strings.Repeat("long", longText), strings.Repeat("text", longText), "short"},
		{Tuple{int64(1)}, Tuple{int64(2)}, int64(1)},
	}
	repeated := 0
	for range 20000 {
		kind := kinds[r.IntN(len(kinds))]
		items := make([]any, 1+r.IntN(11))
		for i := range items {
			items[i] = kind[r.IntN(len(kind))]
		}
		want, err := newSetTable(items)
		require.NoError(t, err)
		if want.len() < len(items) {
			repeated++
		}
		pickle, err := Marshal(Tuple(items))
		require.NoError(t, err)
		body := strings.TrimPrefix(string(pickle[11:]), "(") // of a short tuple there is no MARK
		v, err := Native.Decode([]byte("(" + body[:len(body)-3] + "\x91."))
		require.NoError(t, err, "%q", body)
		got := v.(*FrozenSet)
		require.Equal(t, want.len(), got.Len(), "%q", body)
		require.Equal(t, len(items) > smallTable, got.t.index != nil)
		i := 0
		for item := range got.All() {
			require.True(t, Equal(want.keys[i], item))
			require.IsType(t, want.keys[i], item)
			i++
		}
		for _, item := range items {
			require.True(t, got.Has(item))
		}
		require.False(t, got.Has("not in it"))
	}
	assert.Greater(t, repeated, 1000)
}
