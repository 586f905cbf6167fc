package thirdparty

import (
	"errors"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/hostile"
	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
)

// Each hostile pickle of the generator, but for the largest: what must be refused is refused, with
// a typed error; what may be accepted is accepted or refused as well. Time and
// memory are bounded, with room for what gopickle needs beyond the estimate.
func TestHostileGenerator(t *testing.T) {
	accepted, refused := 0, 0
	for _, c := range quick.Some(hostile.Cases(true), 3) {
		b := c.Make()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		v, err := Codec.Decode(b)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		budget := 1<<20 + 64*uint64(len(b))
		assert.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, 4*budget, "%s: memory", c)
		// Generous: for machines under load and the race detector.
		assert.LessOrEqual(t, took, 20*time.Second, "%s", c)
		if err == nil {
			assert.NotEqual(t, hostile.Refuse, c.Want, "%s: %T", c, v)
			accepted++
			continue
		}
		refused++
		var syntax *pickleproto.SyntaxError
		var limited *pickleproto.LimitError
		var typed *pickleproto.TypeError
		assert.True(t, errors.As(err, &syntax) || errors.As(err, &limited) || errors.As(err, &typed) || err == io.EOF, "%s: %T: %v", c, err, err)
		assert.LessOrEqual(t, len(err.Error()), 300, "%s", c)
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
	assert.Greater(t, refused, 400/rarely())
}
