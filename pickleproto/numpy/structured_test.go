package numpy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/numpy"
)

type place struct{ X, Y float32 }

type stay struct {
	place
	Name   string      `pickle:"name"`
	When   time.Time   `pickle:"when"`
	Counts [2][3]int16 `pickle:"counts"`
	At     place       `pickle:"at"`
	Left   int         `pickle:"-"`
}

// Structs become the items of a structured array, and such items structs again.
func TestStructured(t *testing.T) {
	stays := [][]stay{{
		{Name: "a", When: time.Unix(5, 7).UTC(), Counts: [2][3]int16{{1, 2, 3}, {4, 5, -6}}, At: place{1, -2}},
		{place: place{3, 4}, Name: "longer é", When: time.Unix(0, 0).UTC()},
	}}
	a, err := numpy.From(stays)
	require.NoError(t, err)
	assert.Equal(t, numpy.DType("|V68"), a.DType)
	assert.Equal(t, []int{1, 2}, a.Shape)
	assert.Equal(t, []numpy.Field{
		{Name: "X", DType: numpy.Float32}, {Name: "Y", DType: numpy.Float32, Offset: 4}, {Name: "name", DType: "<U8", Offset: 8},
		{Name: "when", DType: numpy.DateTime, Offset: 40}, {Name: "counts", DType: numpy.Int16, Offset: 48, Shape: []int{2, 3}},
		{Name: "at", DType: "|V8", Offset: 60, Fields: []numpy.Field{{Name: "X", DType: numpy.Float32}, {Name: "Y", DType: numpy.Float32, Offset: 4}}},
	}, a.Fields)
	for protocol := 2; protocol <= pickleproto.HighestProtocol; protocol++ {
		data, err := pickleproto.Marshal(a, pickleproto.WithProtocol(protocol))
		require.NoError(t, err)
		var back [][]stay
		require.NoError(t, pickleproto.Unmarshal(data, &back, numpy.Binding()))
		assert.Equal(t, stays, back)
		var array numpy.Array
		require.NoError(t, pickleproto.Unmarshal(data, &array))
		assert.Equal(t, a, array)
		var some []struct{ NAME string } // by another case, and only that
		require.Error(t, array.Into(&some), "it has two dimensions")
		var rows [][]struct{ NAME string }
		require.NoError(t, array.Into(&rows))
		assert.Equal(t, "longer é", rows[0][1].NAME)
	}
	empty, err := numpy.From([]stay{})
	require.NoError(t, err)
	assert.Empty(t, empty.Data)
	_, err = numpy.From([]struct{ F func() }{{}})
	require.ErrorContains(t, err, "in field F")
	_, err = numpy.From([]struct{}{{}})
	require.Error(t, err)
	_, err = numpy.From([]struct{ A []int }{{[]int{1}}, {[]int{1, 2}}})
	require.Error(t, err)
}

// Fields that lie outside of their item, dtypes that contain themselves, and shapes that make much of
// nothing are refused.
func TestStructuredHostile(t *testing.T) {
	for name, a := range map[string]numpy.Array{
		"beyond the end": {DType: "|V4", Shape: []int{1}, Data: make([]byte, 4), Fields: []numpy.Field{{Name: "A", DType: "<f8"}}},
		"before it":      {DType: "|V8", Shape: []int{1}, Data: make([]byte, 8), Fields: []numpy.Field{{Name: "A", DType: "<f8", Offset: -1}}},
		"a shape":        {DType: "|V8", Shape: []int{1}, Data: make([]byte, 8), Fields: []numpy.Field{{Name: "A", DType: "|i1", Shape: []int{1 << 62, 8}}}},
		"of nothing":     {DType: "|V8", Shape: []int{1}, Data: make([]byte, 8), Fields: []numpy.Field{{Name: "A", DType: "|S0", Shape: []int{1 << 40}}}},
		"no fields":      {DType: "|V8", Shape: []int{1}, Data: make([]byte, 8)},
		"no size":        {DType: "<f8", Shape: []int{1}, Data: make([]byte, 8), Fields: []numpy.Field{{Name: "A", DType: "<f8"}}},
	} {
		var v []struct{ A float64 }
		assert.Error(t, a.Into(&v), name)
		_, err := pickleproto.Marshal(a)
		assert.Error(t, err, name)
	}
	twice := numpy.Array{DType: "|V2", Shape: []int{1}, Data: make([]byte, 2), Fields: []numpy.Field{{Name: "A", DType: "|i1"}, {Name: "A", DType: "|i1", Offset: 1}}}
	_, err := pickleproto.Marshal(twice)
	assert.ErrorContains(t, err, "two fields")

	// A dtype that is the type of its own field; and one of which each level has the next one twice.
	dtype := &pickleproto.Object{Callable: pickleproto.Global{Module: "numpy", Name: "dtype"}, Args: pickleproto.Tuple{"V8", false, true}}
	state := func(inner any) []pickleproto.Op {
		fields := pickleproto.NewDict()
		for _, name := range []string{"a", "b"} {
			require.NoError(t, fields.Set(name, pickleproto.Tuple{inner, int64(0)}))
		}
		return []pickleproto.Op{{Kind: pickleproto.OpBuild, Items: []any{pickleproto.Tuple{int64(3), "|", nil, pickleproto.Tuple{"a", "b"}, fields, int64(8), int64(1), int64(16)}}}}
	}
	dtype.Ops = state(dtype)
	scalar := func(d any) *pickleproto.Object {
		return &pickleproto.Object{Callable: pickleproto.Global{Module: "numpy.core.multiarray", Name: "scalar"}, Args: pickleproto.Tuple{d, pickleproto.Bytes("12345678")}}
	}
	var a numpy.Array
	assert.Error(t, a.UnmarshalPickle(scalar(dtype)))
	var d any = &pickleproto.Object{Callable: dtype.Callable, Args: pickleproto.Tuple{"f8", false, true}, Ops: []pickleproto.Op{{Kind: pickleproto.OpBuild,
		Items: []any{pickleproto.Tuple{int64(3), "<", nil, nil, nil, int64(-1), int64(-1), int64(0)}}}}}
	for range 15 {
		d = &pickleproto.Object{Callable: dtype.Callable, Args: dtype.Args, Ops: state(d)}
	}
	assert.ErrorContains(t, a.UnmarshalPickle(scalar(d)), "fields")
}
