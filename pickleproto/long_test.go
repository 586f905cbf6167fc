package pickleproto

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkLong shows how the time a byte grows with the message: records of 1 and of 16 MB.
func BenchmarkLong(b *testing.B) {
	for _, n := range []int64{10_000, 160_000} {
		message, err := Marshal(payloadList(n, payloadRecord))
		require.NoError(b, err)
		b.Run(fmt.Sprintf("unmarshal/%d", n), func(b *testing.B) {
			benchmarkUnmarshal(b, message, func() any { return new(any) })
		})
		b.Run(fmt.Sprintf("marshal/%d", n), func(b *testing.B) {
			var v any
			require.NoError(b, Unmarshal(message, &v))
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			runtime.GC()
			for b.Loop() {
				if _, err := Marshal(v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
