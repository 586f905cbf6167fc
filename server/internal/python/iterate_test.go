package python_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// made is module.name(*args), with state if it is not nil.
func made(module, name string, state any, args ...any) *pickleproto.Object {
	o := &pickleproto.Object{How: pickleproto.ByReduce, Callable: pickleproto.Global{Module: module, Name: name}, Args: pickleproto.Tuple(args)}
	if state != nil {
		o.Ops = []pickleproto.Op{{Kind: pickleproto.OpBuild, Items: []any{state}}}
	}
	return o
}

func TestIterate(t *testing.T) {
	list := pickleproto.NewList("a", "b", "c")
	d := pickleproto.NewDict()
	require.NoError(t, d.Set("k", 1))
	set, err := pickleproto.NewSet("m")
	require.NoError(t, err)
	for _, c := range []struct {
		v    any
		want string // the repr of the items, or the error
	}{
		{list, "['a', 'b', 'c']"},
		{pickleproto.Tuple{1, nil}, "[1, None]"},
		{d, "['k']"},
		{set, "['m']"},
		{"h\u00e9\xed\xa0\x80", `['h', 'é', '\ud800']`},
		{pickleproto.ByteString("hi"), "['h', 'i']"},
		{pickleproto.Bytes("\x01\xff"), "[1, 255]"},
		{&pickleproto.ByteArray{Data: []byte("\x02")}, "[2]"},
		{made("builtins", "range", nil, int64(1), int64(7), int64(3)), "[1, 4]"},
		{made("builtins", "range", nil, int64(0), int64(1)<<40), "a range of 1099511627776 items, more than 1000000"},
		{made("builtins", "list", nil, list), "['a', 'b', 'c']"},
		{made("builtins", "iter", int64(1), list), "['b', 'c']"},
		{made("builtins", "reversed", int64(1), list), "['b', 'a']"},
		{made("builtins", "reversed", int64(9), list), "['c', 'b', 'a']"},
		{made("builtins", "reversed", int64(-1), list), "[]"},
		{made("builtins", "enumerate", nil, list, int64(5)), "[(5, 'a'), (6, 'b'), (7, 'c')]"},
		{made("builtins", "zip", nil, list, "xy"), "[('a', 'x'), ('b', 'y')]"},
		{made("builtins", "zip", nil), "[]"},
		{made("builtins", "map", nil, list), "TypeError: 'map' object is not iterable"},
		{made("array", "array", nil, "i", pickleproto.Bytes("\x05\x00\x00\x00")), "[5]"},
		{made("array", "array", nil, "u", pickleproto.Bytes("\xe9\x00\x00\x00")), "['é']"},
		{made("builtins", "bytearray", nil, "\u00e9", "latin-1"), "[233]"},
		{nil, "TypeError: 'NoneType' object is not iterable"},
		{int64(5), "TypeError: 'int' object is not iterable"},
		{made("datetime", "date", nil, "x"), "TypeError: 'datetime.date' object is not iterable"},
	} {
		items, err := python.Iterate(c.v)
		if err != nil {
			assert.Equal(t, c.want, err.Error())
			continue
		}
		assert.Equal(t, c.want, pickleproto.Repr(pickleproto.NewList(items...)))
	}
}

// A zip of one iterator many times is refused before it is made.
func TestIterateZipOfShared(t *testing.T) {
	long := pickleproto.NewList(make([]any, 10_000)...)
	columns := make([]any, 10_000)
	for i := range columns {
		columns[i] = long
	}
	_, err := python.Iterate(made("builtins", "zip", nil, columns...))
	require.ErrorContains(t, err, tooMany)
}

const tooMany = "iterators of more than 16000000 items together"

// Iterators of iterators name far more items than a pickle has bytes; what is within reason is made.
func TestIterateIteratorsOfIterators(t *testing.T) {
	nested := func(name string, x any, levels, times int) any {
		for range levels {
			args := make([]any, times)
			for i := range args {
				args[i] = x
			}
			x = made("builtins", name, nil, args...)
		}
		return x
	}
	many := made("builtins", "range", nil, int64(100_000))
	for name, v := range map[string]any{
		"zip":       nested("zip", pickleproto.NewList(), 60, 2),
		"enumerate": nested("enumerate", many, 1000, 1),
		"reversed":  nested("reversed", many, 1000, 1),
		"iter":      nested("iter", pickleproto.Bytes(make([]byte, 100_000)), 1000, 1),
	} {
		items, err := python.Iterate(v)
		if name == "iter" { // goes on with the same items
			require.NoError(t, err)
			require.Len(t, items, 100_000)
			continue
		}
		require.ErrorContains(t, err, tooMany, name)
	}
	for name, levels := range map[string]int{"zip": 10, "enumerate": 10, "reversed": 100} {
		items, err := python.Iterate(nested(name, many, levels, 1))
		require.NoError(t, err, name)
		require.Len(t, items, 100_000, name)
	}
}

// An array has more items than an empty message could.
func TestIterateLongArray(t *testing.T) {
	items, err := python.Iterate(made("array", "array", nil, "i", pickleproto.Bytes(make([]byte, 4<<20))))
	require.NoError(t, err)
	require.Len(t, items, 1<<20)
}

func TestMapping(t *testing.T) {
	d := pickleproto.NewDict()
	require.NoError(t, d.Set("k", int64(1)))
	for _, v := range []any{d, made("collections", "Counter", nil, d)} {
		got, err := python.Mapping(v)
		require.NoError(t, err)
		require.Equal(t, "{'k': 1}", pickleproto.Repr(got))
	}
	ordered := made("collections", "OrderedDict", nil, pickleproto.NewList(pickleproto.NewList("a", int64(1)), pickleproto.Tuple{"b", int64(2)}))
	ordered.Ops = []pickleproto.Op{{Kind: pickleproto.OpSetItems, Items: []any{"c", int64(3)}}}
	got, err := python.Mapping(ordered)
	require.NoError(t, err)
	require.Equal(t, "{'a': 1, 'b': 2, 'c': 3}", pickleproto.Repr(got))
	ordered.Args = pickleproto.Tuple{pickleproto.NewList("abc")}
	_, err = python.Mapping(ordered)
	require.ErrorContains(t, err, "cannot convert dictionary update sequence element to a sequence")
	ordered.Args, ordered.Ops[0].Items = nil, []any{pickleproto.NewList(), nil}
	_, err = python.Mapping(ordered)
	require.ErrorContains(t, err, "unhashable type: 'list'")
	got, err = python.Mapping(pickleproto.NewList())
	require.NoError(t, err)
	require.Nil(t, got)
}
