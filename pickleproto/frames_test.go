package pickleproto

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
	"github.com/stretchr/testify/require"
)

// longValues are what loops of their own read, each with Go types that it fits.
func longValues(t *testing.T) map[string][]any {
	t.Helper()
	const n = 2 * batchSize
	type row struct {
		ID   int64  `pickle:"id"`
		Name string `pickle:"name"`
	}
	var ints []int64
	var floats []float64
	var strs []string
	var tuples, rows, sets []any
	toInts, toFloats := new(Dict), new(Dict)
	for i := range n + 500 {
		text := fmt.Sprint("text ", i)
		ints, floats, strs = append(ints, int64(i-1000)), append(floats, float64(i)/3), append(strs, text)
		require.NoError(t, toInts.Set(text, int64(i)))
		require.NoError(t, toFloats.Set(text, float64(i)))
		tuples = append(tuples, Tuple{int64(i), text})
		r := new(Dict)
		require.NoError(t, r.Set("id", int64(i)))
		require.NoError(t, r.Set("name", text))
		rows = append(rows, r)
		s, err := NewFrozenSet(int64(i), int64(-i-1))
		require.NoError(t, err)
		sets = append(sets, s)
	}
	return map[string][]any{
		"ints":              {NewIntList(ints), new([]int64), new([]any)},
		"floats":            {NewFloatList(floats), new([]float64)},
		"strs":              {NewStringList(strs), new([]string)},
		"a dict of ints":    {toInts, new(map[string]int64), new(map[string]any)},
		"a dict of floats":  {toFloats, new(map[string]float64)},
		"tuples":            {NewList(tuples...), new([][2]any)},
		"dicts of one kind": {NewList(rows...), new([]row), new([]map[string]any)},
		"frozensets":        {NewList(sets...), new([]map[int64]struct{}), new([][]int64)},
	}
}

// opcodeEnds says of each offset of a pickle without frames whether an opcode ends there.
func opcodeEnds(t *testing.T, body []byte) []bool {
	t.Helper()
	ends := make([]bool, len(body)+1)
	for i := 0; i < len(body); {
		info, known := wire.Lookup(body[i])
		require.True(t, known)
		_, end, ok := argument(body, i+1, info.Arg)
		require.True(t, ok)
		i = end
		ends[i] = true
	}
	return ends
}

// A frame may end after any opcode, and nowhere else. Whatever loop comes upon its end, it neither reads on nor
// waits for what never comes.
func TestFramesThatEndAnywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	cuts := 400
	if quick.Race {
		cuts = 40
	}
	for name, values := range longValues(t) {
		t.Run(name, func(t *testing.T) {
			whole, err := Marshal(values[0])
			require.NoError(t, err)
			body := []byte{}
			for at := 2; at < len(whole); {
				n := int(binary.LittleEndian.Uint64(whole[at+1:]))
				body = append(body, whole[at+9:at+9+n]...)
				at += 9 + n
			}
			ends := opcodeEnds(t, body)
			frame := func(b []byte, n int) []byte {
				return binary.LittleEndian.AppendUint64(append(b, wire.OpFrame), uint64(n))
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for i := range cuts {
					cut := 4 + r.IntN(len(body)-8)
					for i%2 == 0 && !ends[cut] {
						cut++
					}
					message := append(frame([]byte("\x80\x04"), cut), body[:cut]...)
					if i%4 < 2 {
						message = frame(message, len(body)-cut)
					}
					message = append(message, body[cut:]...)
					v, err := Native.Decode(message)
					if (err == nil) != ends[cut] {
						t.Errorf("%d of %d: %v, an opcode ends there: %v", cut, len(body), err, ends[cut])
						return
					}
					if err == nil {
						if again, err := Marshal(v); err != nil || string(again) != string(whole) {
							t.Errorf("%d of %d: another value (%v)", cut, len(body), err)
							return
						}
					}
					for _, target := range values[1:] {
						into := reflect.New(reflect.TypeOf(target).Elem())
						if err := Unmarshal(message, into.Interface()); (err == nil) != ends[cut] {
							t.Errorf("%T, %d of %d: %v, an opcode ends there: %v", target, cut, len(body), err, ends[cut])
							return
						}
						if ends[cut] {
							if want := reflect.New(into.Elem().Type()); Unmarshal(whole, want.Interface()) != nil || !reflect.DeepEqual(want.Interface(), into.Interface()) {
								t.Errorf("%T, %d of %d: another value", target, cut, len(body))
								return
							}
						}
					}
				}
			}()
			select {
			case <-done:
			case <-time.After(time.Minute):
				t.Fatal("it does not end")
			}
		})
	}
}
