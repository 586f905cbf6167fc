package pickleproto

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
)

func TestUnmarshalTagged(t *testing.T) {
	p := Prepare(WithDisallowUnknownFields())
	for protocol := 2; protocol <= HighestProtocol; protocol++ {
		data, err := Marshal(Tuple{"id", "name", Tuple{1, "name", []int{2, 3}}, NewDict()}, WithProtocol(protocol))
		require.NoError(t, err)
		var n int
		var name string
		var list []int
		var tags [2][]byte
		var rest [2]any
		choose := func() bool {
			rest[0], rest[1] = []any{&n, &name, &list}, &struct{}{}
			return string(tags[0]) == "id"
		}
		require.True(t, p.UnmarshalTagged(append(data, "what follows"...), tags[:], rest[:], choose), "protocol %d", protocol)
		assert.Equal(t, "name", string(tags[1]))
		assert.Equal(t, []any{1, "name", []int{2, 3}}, []any{n, name, list})
	}
}

// What the shortcut does not do.
func TestUnmarshalTaggedRefuses(t *testing.T) {
	p := Prepare(WithDisallowUnknownFields())
	var a, b int64
	two := []any{&a, &b}
	one := NewDict()
	require.NoError(t, one.Set("x", int64(1)))
	for what, v := range map[string]any{
		"no tuple":            "id",
		"a tag that is None":  Tuple{nil, Tuple{1, 2}, NewDict()},
		"another tag":         Tuple{"no", Tuple{1, 2}, NewDict()},
		"too few":             Tuple{"id", Tuple{1, 2}},
		"too many":            Tuple{"id", Tuple{1, 2}, NewDict(), nil},
		"too few arguments":   Tuple{"id", Tuple{1}, NewDict()},
		"too many arguments":  Tuple{"id", Tuple{1, 2, 3}, NewDict()},
		"many arguments":      Tuple{"id", Tuple{1, 2, 3, 4}, NewDict()},
		"no arguments":        Tuple{"id", Tuple{}, NewDict()},
		"a list of arguments": Tuple{"id", NewList(int64(1), int64(2)), NewDict()},
		"another type":        Tuple{"id", Tuple{1, "2"}, NewDict()},
		"a named argument":    Tuple{"id", Tuple{1, 2}, one},
	} {
		for _, protocol := range []int{0, 2, 4} {
			data, err := Marshal(v, WithProtocol(protocol))
			require.NoError(t, err)
			var tags [1][]byte
			rest := []any{two, &struct{}{}}
			assert.False(t, p.UnmarshalTagged(data, tags[:], rest, func() bool { return string(tags[0]) == "id" }), what)
		}
	}
	good, err := Marshal(Tuple{"id", Tuple{1, 2}, NewDict()})
	require.NoError(t, err)
	var tags [1][]byte
	read := func(p *Prepared, data []byte, rest ...any) bool {
		return p.UnmarshalTagged(data, tags[:], rest, func() bool { return true })
	}
	require.True(t, read(p, good, two, &struct{}{}))
	for i := range good {
		assert.False(t, read(p, good[:i], two, &struct{}{}), "cut off at %d", i)
	}
	assert.False(t, read(p, good, two, struct{}{}), "no pointer")
	assert.False(t, read(p, good, two, (*struct{})(nil)), "a nil pointer")
	assert.False(t, read(p, good, two, new(chan int)), "a type that has no pickle")
	assert.False(t, read(Prepare(WithLimits(Limits{Message: 5})), good, two, &struct{}{}), "a limit")
	assert.False(t, read(Prepare(WithMemo(new(Memo))), good, two, &struct{}{}), "a memo")
}

// A long list of numbers costs little more than its slice, whether it is all of the pickle or an
// item of a tuple: its length is foreseen, and scratch is there from the last one.
func TestLongRunsAllocateOnce(t *testing.T) {
	if quick.Race {
		t.Skip("the race detector empties pools at random")
	}
	const n = 10_000
	numbers := make([]int64, n)
	for i := range numbers {
		numbers[i] = int64(i)
	}
	alone, err := Marshal(numbers)
	require.NoError(t, err)
	call, err := Marshal(Tuple{"id", Tuple{numbers}, NewDict()})
	require.NoError(t, err)
	p := Prepare()
	for what, read := range map[string]func() []int64{
		"Unmarshal": func() (out []int64) {
			_, err := p.UnmarshalFirst(alone, &out)
			require.NoError(t, err)
			return out
		},
		"UnmarshalTagged": func() (out []int64) {
			var tags [1][]byte
			require.True(t, p.UnmarshalTagged(call, tags[:], []any{[]any{&out}, &struct{}{}}, func() bool { return true }))
			return out
		},
	} {
		require.Equal(t, numbers, read())
		const runs = 50
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			read()
		}
		runtime.ReadMemStats(&after)
		assert.Less(t, (after.TotalAlloc-before.TotalAlloc)/runs, uint64(8*n*5/4), what)
	}
}

// The shortcut, where it can be taken, gives just what the machine and the binder give.
func FuzzUnmarshalTagged(f *testing.F) {
	for protocol := 2; protocol <= HighestProtocol; protocol++ {
		for _, args := range []Tuple{{1, "text", []float64{2, 3}}, {1, "a", []float64{}}} {
			data, err := Marshal(Tuple{"id", "a", args, NewDict()}, WithProtocol(protocol))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	p := Prepare(WithDisallowUnknownFields())
	f.Fuzz(func(t *testing.T, data []byte) {
		var n int
		var text string
		var list []float64
		var tags [2][]byte
		if !p.UnmarshalTagged(data, tags[:], []any{[]any{&n, &text, &list}, &struct{}{}}, func() bool { return true }) {
			return
		}
		var all struct {
			_        struct{} `pickle:",tuple"`
			ID, Name string
			Args     struct {
				_ struct{} `pickle:",tuple"`
				N int
				S string
				L []float64
			}
			Kwds map[string]any
		}
		x, _, err := decode(data, &p.c)
		require.NoError(t, err)
		require.NoError(t, Bind(x, &all))
		require.Equal(t, string(tags[0]), all.ID)
		require.Equal(t, string(tags[1]), all.Name)
		require.Equal(t, n, all.Args.N)
		require.Equal(t, text, all.Args.S)
		require.Equal(t, fmt.Sprint(list), fmt.Sprint(all.Args.L)) // NaN
		require.Empty(t, all.Kwds)
	})
}
