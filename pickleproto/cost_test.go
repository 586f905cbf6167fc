package pickleproto

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a decoded value may hold of the heap for each byte of its message, once garbage is gone.
const (
	maxHeapPerByte     = 12
	maxHeapPerTextByte = 3
)

// heldBy returns the heap bytes that stay while what f returns is alive.
func heldBy(f func() any) int64 {
	before := liveHeap()
	v := f()
	after := liveHeap()
	runtime.KeepAlive(v)
	return after - before
}

func liveHeap() int64 {
	var m runtime.MemStats
	for range 3 { // pools let go of what they keep only at the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestLiveHeapOfDecodedValues(t *testing.T) {
	text := payload{name: "text", make: func() any {
		return payloadList(20000, func(i int64) any {
			return strings.Repeat(fmt.Sprintf("the quick brown fox no. %d jumps over the lazy dog; ", i), 2)
		})
	}}
	for _, p := range append([]payload{text}, payloads...) {
		if p.name == "seed" {
			continue // 50 bytes: what one value costs, not what a byte does
		}
		t.Run(p.name, func(t *testing.T) {
			message := p.pickle(t)
			held := heldBy(func() any {
				var v any
				require.NoError(t, Unmarshal(message, &v))
				return v
			})
			perByte := float64(held) / float64(len(message))
			t.Logf("%.2f bytes of heap for a byte of message", perByte)
			if p.name == "text" {
				require.LessOrEqual(t, perByte, float64(maxHeapPerTextByte))
			}
			require.LessOrEqual(t, perByte, float64(maxHeapPerByte))
			runtime.KeepAlive(message)
		})
	}
}

// maxEchoAllocations is what decoding and encoding the seed's dict may allocate.
const maxEchoAllocations = 12

func TestAllocationsOfTheEcho(t *testing.T) {
	message := payloads[0].pickle(t)
	var out []byte
	n := testing.AllocsPerRun(1000, func() {
		v, err := Native.Decode(message)
		if err != nil {
			t.Fatal(err)
		}
		if out, err = Native.Append(out[:0], v); err != nil {
			t.Fatal(err)
		}
	})
	require.Equal(t, message, out)
	t.Logf("%.0f allocations", n)
	require.LessOrEqual(t, n, float64(maxEchoAllocations))
}
