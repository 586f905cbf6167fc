package managers_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/managers"
)

type shade string

// forms has methods of many forms; each answers with what it was given.
type forms struct{}

func shown(args ...any) string { return fmt.Sprintf("%#v", args) }

func (*forms) Nothing() string                                           { return shown() }
func (*forms) Int(a int) string                                          { return shown(a) }
func (*forms) Small(a uint8, b int16) string                             { return shown(a, b) }
func (*forms) Floats(a float64, b float32) string                        { return shown(a, b) }
func (*forms) Text(a string, b shade, c bool) string                     { return shown(a, b, c) }
func (*forms) Context(ctx context.Context, a int) string                 { return shown(ctx.Err(), a) }
func (*forms) Slices(a []int64, b [][]string, c []byte, d [2]int) string { return shown(a, b, c, d) }
func (*forms) Loose(p struct{ A, B int }) string                         { return shown(p.A, p.B) }
func (*forms) Strict(a string, p struct {
	managers.Args
	B int
	C []string `pickle:"c,omitempty"`
}) string {
	return shown(a, p.B, p.C)
}
func (*forms) Any(a any) string                  { return pickleproto.Repr(a) }
func (*forms) Variadic(a int, b ...int) string   { return shown(a, b) }
func (*forms) Special(a time.Duration) string    { return shown(a) }
func (*forms) Big(a *big.Int) string             { return shown(a.String()) }
func (*forms) Mapping(a map[string]int) string   { return shown(a) }
func (*forms) Bytes(a pickleproto.Bytes) string  { return shown(a) }
func (*forms) Fail(a int) (int, error)           { return 0, errors.New(shown(a)) }
func (*forms) Two(a int, b string) (string, int) { return b, a }

// The direct way of a call gives what the long one gives, which a list of arguments takes.
func TestDirect(t *testing.T) {
	m := &managers.Manager{}
	require.NoError(t, m.Register("forms", &forms{}, managers.WithParams("Two", "a", "b")))
	addr := start(t, m)
	id := create(t, addr, "forms")
	p := thread(t, addr)
	one := pickleproto.NewDict()
	require.NoError(t, one.Set("a", int64(1)))
	values := []any{
		nil, true, 0, -1, 300, 70000, 1 << 40, new(big.Int).Lsh(big.NewInt(1), 70), 1.5, 2.0, 1e300, "", "text", "\u00e9", pickleproto.Bytes("b"),
		pickleproto.NewList(), pickleproto.NewList(int64(1), int64(2)), pickleproto.NewList(int64(1), "x"), pickleproto.Tuple{int64(1), int64(2)},
		pickleproto.NewList(pickleproto.NewList("x", "y"), pickleproto.NewList()), one, pickleproto.NewDict(), pickleproto.Tuple{},
	}
	lists := []pickleproto.Tuple{{}, {1, "x"}, {"x", 1}, {1, 2}, {1.5, 2}, {"x", "y", true}, {"x", "y", 1}, {"x", 1, pickleproto.NewList("z")}, {1, 2, 3},
		{pickleproto.NewList(int64(1)), pickleproto.NewList(pickleproto.NewList("x")), pickleproto.Bytes("y"), pickleproto.Tuple{1, 2}}, {1, 2, 3, 4}, {"x", one}}
	for _, v := range values {
		lists = append(lists, pickleproto.Tuple{v})
	}
	exposed := asked(t, addr, "get_methods", &pickleproto.Object{
		How: pickleproto.ByNewObj, Callable: pickleproto.Global{Module: "multiprocessing.managers", Name: "Token"}, Args: pickleproto.Tuple{},
		Ops: []pickleproto.Op{{Kind: pickleproto.OpBuild, Items: []any{pickleproto.Tuple{"forms", "x", id}}}},
	}).(pickleproto.Tuple)
	require.Len(t, exposed, 17)
	for _, name := range exposed {
		for _, args := range lists {
			for _, kwds := range []*pickleproto.Dict{pickleproto.NewDict(), one} {
				for _, protocol := range []int{2, 3, 4, 5} {
					kind, v := p.ask(protocol, pickleproto.Tuple{id, name, args, kwds})
					kind2, v2 := p.ask(protocol, pickleproto.Tuple{id, name, pickleproto.NewList(args...), kwds})
					what := fmt.Sprintf("%v%v **%v protocol %d", name, pickleproto.Repr(args), pickleproto.Repr(kwds), protocol)
					require.Equal(t, kind2, kind, what)
					require.Equal(t, pickleproto.Repr(v2), pickleproto.Repr(v), what)
				}
			}
		}
	}
}

func TestDirectIsTaken(t *testing.T) {
	m := &managers.Manager{}
	require.NoError(t, m.Register("forms", &forms{}))
	addr := start(t, m)
	id := create(t, addr, "forms")
	for _, r := range []pickleproto.Tuple{
		request(id, "nothing"), request(id, "int", 5), request(id, "floats", 1, 2.5), request(id, "text", "x", "y", true),
		request(id, "context", 1<<40), request(id, "loose", 1, 2), request(id, "strict", "x", 1, pickleproto.NewList("y")),
		request(id, "slices", []int64{1, 2}, pickleproto.NewList(pickleproto.NewList("x")), pickleproto.Bytes("y"), pickleproto.Tuple{1, 2}),
	} {
		for _, protocol := range []int{3, 4, 5} {
			assert.True(t, m.Direct(pickled(t, protocol, r)), "%v protocol %d", pickleproto.Repr(r), protocol)
		}
	}
	assert.False(t, m.Direct(pickled(t, 4, request(id, "any", 5))))
	assert.False(t, m.Direct(pickled(t, 4, request("nope", "int", 5))))
}

// What a method keeps of its arguments stays what it was.
func TestDirectKeeps(t *testing.T) {
	m := &managers.Manager{}
	f := &keeper{}
	require.NoError(t, m.Register("keeper", f))
	addr := start(t, m)
	id := create(t, addr, "keeper")
	p := thread(t, addr)
	for i := range int64(100) {
		kind, _ := p.ask(4, request(id, "keep", []int64{i, i}, fmt.Sprint("text ", i)))
		require.Equal(t, "#RETURN", kind)
	}
	for i := range int64(100) {
		assert.Equal(t, []int64{i, i}, f.lists[i])
		assert.Equal(t, fmt.Sprint("text ", i), f.texts[i])
	}
}

type keeper struct {
	lists [][]int64
	texts []string
}

func (k *keeper) Keep(p struct {
	List []int64
	Text string
}) {
	k.lists, k.texts = append(k.lists, p.List), append(k.texts, p.Text)
}
