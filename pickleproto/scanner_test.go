package pickleproto_test

import (
	"testing"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/corpus"
	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// FuzzScannerAgainstDecoder: a pickle ends, for the scanner by which transports cut a stream, where
// it ends for the decoder. What the scanner refuses, the decoder refuses too.
func FuzzScannerAgainstDecoder(f *testing.F) {
	for i, c := range corpus.Load(f, "objects") {
		if len(c.Data) < 300 && i%5 == 0 {
			f.Add(c.Data)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s wire.Scanner
		n, done, scanErr := s.Scan(b)
		var v any
		rest, err := pickleproto.UnmarshalFirst(b, &v)
		if err != nil {
			return
		}
		if scanErr != nil || !done || n != len(b)-len(rest) {
			t.Fatalf("%q ends after %d for the decoder; for the scanner after %d: %t, %v", b, len(b)-len(rest), n, done, scanErr)
		}
	})
}
