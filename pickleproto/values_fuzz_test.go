package pickleproto

import (
	"os"
	"testing"
	"time"
)

// FuzzValues: whatever is decoded, Repr, Equal, Plain and the table of stdlib classes take it
// without a panic and in bounded time, and a value equals itself where nothing says otherwise.
func FuzzValues(f *testing.F) {
	text, err := os.ReadFile("testdata/stdlib.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, row := range parseGolden(f, string(text)) {
		if row.protocol%2 == 0 {
			f.Add(row.pickle)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Native.Decode(b, WithLimits(Limits{Memory: 16 << 20}))
		if err != nil {
			return
		}
		start := time.Now()
		if Repr(v) == "" {
			t.Fatal("an empty repr")
		}
		Equal(v, v)
		if w, err := Native.Decode(b, WithLimits(Limits{Memory: 16 << 20})); err == nil {
			if Equal(v, w) != Equal(w, v) {
				t.Fatalf("== is not symmetric: %s", Repr(v))
			}
		}
		_, _ = Plain(v)
		if o, ok := v.(*Object); ok {
			if g, known, err := fromObject(o); known && err == nil {
				for p := range HighestProtocol + 1 {
					if made, ok, err := toObject(g, p); !ok || err == nil && made == nil {
						t.Fatalf("protocol %d: %T from Python is nothing to write", p, g)
					}
				}
			}
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Fatalf("took %v", d)
		}
	})
}
