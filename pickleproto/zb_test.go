package pickleproto

import (
	"os"
	"testing"
)

var names = []string{"seed", "ints", "ints_seq", "floats", "strs", "dict", "records", "tree", "tuples", "fsets", "bytes16"}

func BenchmarkZDec(b *testing.B) {
	for _, n := range names {
		d, _ := os.ReadFile("/tmp/pay/" + n + ".pkl")
		b.Run(n, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var x any
				if err := Unmarshal(d, &x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
func BenchmarkZEnc(b *testing.B) {
	for _, n := range names {
		d, _ := os.ReadFile("/tmp/pay/" + n + ".pkl")
		var x any
		Unmarshal(d, &x)
		var buf []byte
		b.Run(n, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = AppendMarshal(buf[:0], x)
			}
		})
	}
}
