package pickleproto

import (
	"bytes"
	"errors"
	"io"
	"runtime/metrics"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto/internal/hostile"
)

// fuzzSeeds adds the hostile pickles that are not large, and a few that are valid.
func fuzzSeeds(f *testing.F) {
	for _, c := range hostile.Cases(true) {
		if b := c.Make(); len(b) <= 2048 {
			f.Add(b)
		}
	}
	for _, b := range fuzzFindings {
		f.Add([]byte(b))
	}
	for proto := range 6 {
		for _, v := range []any{
			NewList(int64(1), int64(-1), int64(1<<40), 1.5, "text", Bytes("bytes"), nil, true, Tuple{}, Tuple{int64(1)}),
			&Complex{1, 2}, &ByteArray{[]byte("abc")}, NewException("ValueError", "text"),
		} {
			b, err := Marshal(v, WithProtocol(proto))
			require.NoError(f, err)
			f.Add(b)
		}
	}
}

// fuzzFindings are what the fuzz targets found, by name; TestFuzzFindings runs them.
var fuzzFindings = map[string]string{}

func TestFuzzFindings(t *testing.T) {
	for name, b := range fuzzFindings {
		t.Run(name, func(t *testing.T) {
			unmarshalAny(t, []byte(b))
			reencode(t, []byte(b))
		})
	}
}

// FuzzUnmarshalAny: never a panic, errors of the documented types, memory within the budget, and
// the same outcome from a stream that comes byte by byte.
func FuzzUnmarshalAny(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) { unmarshalAny(t, b) })
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func unmarshalAny(t *testing.T, b []byte) {
	before := allocated()
	var v any
	rest, err := UnmarshalFirst(b, &v)
	if took := allocated() - before; took > 2*(memoryBase+memoryPerByte*uint64(len(b)))+2<<20 {
		t.Errorf("%d bytes allocated for a pickle of %d", took, len(b))
	}
	requireTyped(t, err)
	var streamed any
	streamErr := NewDecoder(iotest.OneByteReader(bytes.NewReader(b))).Decode(&streamed)
	requireTyped(t, streamErr)
	if (err == nil) != (streamErr == nil) {
		// What follows the pickle counts as received where it is at hand.
		var limit *LimitError
		if !errors.As(streamErr, &limit) {
			t.Errorf("%v, as a stream %v", err, streamErr)
		}
	}
	sameWithFewEarly(t, b)
	if err != nil {
		return
	}
	d := NewDecoder(bytes.NewReader(b))
	if d.Decode(&streamed) == nil && !bytes.Equal(rest, b[len(b)-len(rest):]) {
		t.Errorf("rest")
	}
	if n := len(rest); n > 0 {
		var l *SyntaxError
		if err := Unmarshal(b, &v); !errors.As(err, &l) {
			t.Errorf("%d trailing bytes: %v", n, err)
		}
	}
}

func requireTyped(t *testing.T, err error) {
	t.Helper()
	if err == nil || err == io.EOF {
		return
	}
	var syntax *SyntaxError
	var limit *LimitError
	if !errors.As(err, &syntax) && !errors.As(err, &limit) {
		t.Errorf("%T: %v", err, err)
	}
	if len(err.Error()) > 300 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

// FuzzReencode: what was decoded can be written at every protocol, or is refused with a typed
// error; what was written decodes again, and is then written as the same bytes.
func FuzzReencode(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) { reencode(t, b) })
}

func reencode(t *testing.T, b []byte) {
	c := newConfig(nil)
	v, _, err := decode(b, &c)
	if err != nil {
		return
	}
	for proto := range 6 {
		once, err := Marshal(v, WithProtocol(proto))
		if err != nil {
			var limit *LimitError
			var kind *TypeError
			if !errors.As(err, &limit) && !errors.As(err, &kind) {
				t.Errorf("protocol %d: %T %v", proto, err, err)
			}
			continue
		}
		var w any
		if err := Unmarshal(once, &w, WithLimits(Limits{Memory: -1, Digits: -1})); err != nil {
			t.Errorf("protocol %d: wrote %q, which is refused: %v", proto, once, err)
			continue
		}
		twice, err := Marshal(w, WithProtocol(proto))
		if err != nil {
			t.Errorf("protocol %d: wrote %q, which is not written again: %v", proto, once, err)
		} else if !bytes.Equal(once, twice) {
			t.Errorf("protocol %d: wrote %q, then %q", proto, once, twice)
		}
	}
}
