package hostile_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/hostile"
)

// What any pickle may cost: see the docs. A machine that does other things meanwhile is given
// some tries.
const (
	quick      = 50 * time.Millisecond
	quickLarge = time.Second // for inputs of a megabyte and more
	largeInput = 1e6
	tries      = 20
	patient    = 4 // tries after which a busy machine is given time

	walkTime   = 5 * time.Second
	walkMemory = 4 << 30
)

// allowedMemory is the documented budget of a pickle of n bytes.
func allowedMemory(n int) uint64 { return 1<<20 + 64*uint64(n) }

// slack is what may be allocated in all: growing leaves what was outgrown, at most as much again,
// to the collector.
func slack(budget uint64) uint64 { return 2*budget + 1<<20 }

func typed(err error) bool {
	var syntax *pickleproto.SyntaxError
	var limit *pickleproto.LimitError
	var kind *pickleproto.TypeError
	return errors.As(err, &syntax) || errors.As(err, &limit) || errors.As(err, &kind) || err == io.EOF
}

// measured runs f up to a number of times until it was within the limit; it returns the best time,
// the processor's where the system tells it, and the least memory that was allocated.
func measured(limit time.Duration, f func()) (time.Duration, uint64) {
	best, least := time.Hour, ^uint64(0)
	for i := range tries {
		if i >= patient {
			time.Sleep(200 * time.Millisecond)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		runtime.LockOSThread()
		start, startCPU := time.Now(), threadTime()
		f()
		took := time.Since(start)
		if cpu := threadTime() - startCPU; cpu > 0 {
			took = min(took, cpu)
		}
		runtime.UnlockOSThread()
		runtime.ReadMemStats(&after)
		best, least = min(best, took), min(least, after.TotalAlloc-before.TotalAlloc)
		if best <= limit {
			break
		}
	}
	return best, least
}

// some are, under the race detector, one in three of the cases and at least one of each class.
func some(cases []hostile.Case) []hostile.Case {
	if !raceDetector {
		return cases
	}
	var out []hostile.Case
	for i, c := range cases {
		if i%3 == 0 || c.Class != cases[i-1].Class {
			out = append(out, c)
		}
	}
	return out
}

func timeLimit(n int) time.Duration {
	limit := quick
	if n >= largeInput {
		limit = quickLarge
	}
	if raceDetector {
		limit *= 10
	}
	return limit
}

func TestCasesAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	classes := map[string]bool{}
	for _, c := range hostile.Cases(false) {
		assert.False(t, seen[c.String()], "%s", c)
		seen[c.String()] = true
		classes[c.Class] = true
	}
	assert.Greater(t, len(seen), 500)
	assert.Greater(t, len(classes), 30)
}

// Each case against decoding into any: the outcome, the time, the memory; from a slice and from a
// stream.
func TestDecode(t *testing.T) {
	for _, c := range some(hostile.Cases(testing.Short() || raceDetector)) {
		t.Run(c.String(), func(t *testing.T) {
			b := c.Make()
			limit := timeLimit(len(b))
			var v any
			var err error
			took, memory := measured(limit, func() {
				v = nil
				err = pickleproto.Unmarshal(b, &v)
			})
			assert.LessOrEqual(t, took, limit)
			assert.LessOrEqual(t, memory, slack(allowedMemory(len(b))))
			check(t, c, err)

			var streamed any
			d := pickleproto.NewDecoder(bytes.NewReader(b))
			streamErr := d.Decode(&streamed)
			if c.Name != "trailing bytes" && c.Want != hostile.Either {
				assert.Equal(t, err == nil, streamErr == nil, "%v, as a stream %v", err, streamErr)
			}
			assert.True(t, streamErr == nil || typed(streamErr), "%v", streamErr)
			if err != nil {
				assert.Nil(t, v)
			}
		})
	}
}

func check(t *testing.T, c hostile.Case, err error) {
	t.Helper()
	switch {
	case err != nil:
		assert.NotEqual(t, hostile.Accept, c.Want, "%v", err)
		assert.True(t, typed(err), "%T: %v", err, err)
		assert.LessOrEqual(t, len(err.Error()), 200)
		var limit *pickleproto.LimitError
		if errors.As(err, &limit) {
			assert.NotEmpty(t, limit.Limit)
			assert.Greater(t, limit.Value, limit.Max)
			assert.GreaterOrEqual(t, limit.Offset, int64(0))
			assert.NotEmpty(t, limit.Opcode)
		}
		if c.Limit != "" {
			require.NotNil(t, limit, "%v", err)
			assert.Equal(t, c.Limit, limit.Limit)
		}
	default:
		assert.NotEqual(t, hostile.Refuse, c.Want)
	}
}

// A pickle that is cut off says so; one that has not begun is io.EOF.
func TestTruncation(t *testing.T) {
	b := hostile.Sample()
	for n := range len(b) {
		var v any
		err := pickleproto.NewDecoder(bytes.NewReader(b[:n])).Decode(&v)
		if n == 0 {
			assert.Equal(t, io.EOF, err)
			continue
		}
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "after %d bytes", n)
		var syntax *pickleproto.SyntaxError
		require.True(t, errors.As(err, &syntax))
		assert.LessOrEqual(t, syntax.Offset, int64(n))
		assert.ErrorIs(t, pickleproto.Unmarshal(b[:n], &v), io.ErrUnexpectedEOF, "after %d bytes", n)
	}
}

// Into Go types: by the fast way and by way of the model.
func TestUnmarshalTyped(t *testing.T) {
	type record struct {
		A int               `pickle:"a"`
		B string            `pickle:"b"`
		C []record          `pickle:"c"`
		D map[string]record `pickle:"d"`
		E any               `pickle:"e"`
		F *record           `pickle:"f"`
		G []byte            `pickle:"g"`
	}
	type tree []tree
	type leaves map[any]any
	targets := map[string]func() any{
		"[]any":          func() any { return new([]any) },
		"map[string]any": func() any { return new(map[string]any) },
		"map[any]any":    func() any { return new(leaves) },
		"[]int":          func() any { return new([]int) },
		"[]uint8":        func() any { return new([]byte) },
		"[]string":       func() any { return new([]string) },
		"[]float64":      func() any { return new([]float64) },
		"map[int]string": func() any { return new(map[int]string) },
		"record":         func() any { return new(record) },
		"[]record":       func() any { return new([]record) },
		"tree":           func() any { return new(tree) },
		"string":         func() any { return new(string) },
		"[4][4]int":      func() any { return new([4][4]int) },
		"*Object":        func() any { return new(*pickleproto.Object) },
	}
	for _, c := range some(hostile.Cases(true)) {
		b := c.Make()
		if raceDetector && len(b) > 10_000 {
			continue // the same code as for fewer of them
		}
		limit := 6 * timeLimit(len(b)) // tried the fast way, decoded, then bound by reflection
		for name, target := range targets {
			var err error
			took, memory := measured(limit, func() { err = pickleproto.Unmarshal(b, target()) })
			assert.LessOrEqual(t, took, limit, "%s into %s", c, name)
			assert.LessOrEqual(t, memory, 2*slack(allowedMemory(len(b))), "%s into %s", c, name)
			assert.True(t, err == nil || typed(err), "%s into %s: %T %v", c, name, err, err)
			if c.Want == hostile.Refuse {
				assert.Error(t, err, "%s into %s", c, name)
			}
		}
	}
}

// What was accepted is written again within the same bounds, those of what is written: a large
// int may be mentioned, and so written, many times. Repr and Equal, which nothing calls for a
// peer, have bounds of their own: ten and twenty million steps.
func TestWalks(t *testing.T) {
	for _, c := range some(hostile.Cases(testing.Short() || raceDetector)) {
		b := c.Make()
		if raceDetector && len(b) > 100_000 {
			continue
		}
		var v, w any
		if pickleproto.Unmarshal(b, &v) != nil || pickleproto.Unmarshal(b, &w) != nil {
			continue
		}
		t.Run(c.String(), func(t *testing.T) {
			limit := timeLimit(len(b))
			for proto := range 6 {
				var out []byte
				var err error
				options := []pickleproto.Option{pickleproto.WithProtocol(proto),
					pickleproto.WithLimits(pickleproto.Limits{Message: pickleproto.DefaultMaxMessage})}
				took, memory := measured(limit, func() { out, err = pickleproto.Marshal(v, options...) })
				written := len(out)
				var tooLong *pickleproto.LimitError
				if errors.As(err, &tooLong) && tooLong.Limit == "message" {
					written = pickleproto.DefaultMaxMessage
				}
				assert.LessOrEqual(t, took, timeLimit(max(len(b), written)), "protocol %d", proto)
				assert.LessOrEqual(t, memory, slack(allowedMemory(len(b)))+4*uint64(written), "protocol %d", proto)
				assert.True(t, err == nil || typed(err), "protocol %d: %T %v", proto, err, err)
			}
			took, memory := measured(walkTime, func() { _ = pickleproto.Repr(v) })
			assert.LessOrEqual(t, took, walkTime, "Repr")
			assert.LessOrEqual(t, memory, uint64(walkMemory), "Repr")
			took, memory = measured(walkTime, func() { pickleproto.Equal(v, w) })
			assert.LessOrEqual(t, took, walkTime, "Equal")
			assert.LessOrEqual(t, memory, uint64(walkMemory), "Equal")
		})
	}
}
