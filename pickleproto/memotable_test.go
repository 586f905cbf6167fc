package pickleproto

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fillMemo fills a table of fixed size with two stretches of neighbouring addresses, so far apart, and
// returns the best time of three.
func fillMemo(t *testing.T, n int, apart uintptr) time.Duration {
	t.Helper()
	const begin = 0xc000000000
	best := time.Hour
	for range 3 {
		var table memoTable
		table.room(2 * n)
		start := time.Now()
		for _, from := range []uintptr{begin, begin + apart} {
			for i := range uintptr(n) {
				if _, found := table.findOrAdd(from+8*i, memoTag(8, kindString)); found {
					t.Fatal("found before it was added")
				}
			}
		}
		best = min(best, time.Since(start))
		for i := range uintptr(n) {
			if index, found := table.find(begin+apart+8*i, memoTag(8, kindString)); !found || index != uint32(n)+uint32(i) {
				t.Fatal("not found again")
			}
		}
	}
	return best
}

// Values that lie side by side fill long runs of slots. Where those of another stretch of memory
// belong to the very same slots they must not walk along such a run.
func TestMemoOfStretchesThatMeet(t *testing.T) {
	const n = 1 << 15
	var table memoTable
	table.room(2 * n)
	same := uintptr(len(table.slots)) * 8 // the same slots again
	apart, meeting := fillMemo(t, n, same/2), fillMemo(t, n, same)
	t.Logf("apart %v, meeting %v", apart, meeting)
	require.Less(t, meeting, 12*apart+time.Millisecond)
}
