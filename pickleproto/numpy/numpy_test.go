package numpy_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/numpy"
)

type golden struct {
	version, name, protocol string
	data                    []byte
}

func readGolden(t *testing.T) []golden {
	t.Helper()
	files, err := filepath.Glob("testdata/arrays-*.txt")
	require.NoError(t, err)
	require.Len(t, files, 2, "one of each generation of numpy")
	var all []golden
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			f := strings.Split(strings.TrimSpace(line), "\t")
			require.Len(t, f, 4)
			data, err := hex.DecodeString(f[3])
			require.NoError(t, err)
			all = append(all, golden{f[0], f[1], f[2], data})
		}
	}
	return all
}

// wanted is what the arrays of testdata/arrays.py are in Go.
var wanted = map[string]any{
	"bool":            []bool{true, false},
	"matrix":          [][]float64{{0, 1, 2}, {3, 4, 5}},
	"fortran":         [2][3]float64{{0, 1, 2}, {3, 4, 5}},
	"big_endian":      [][]int64{{1, 2}, {3, -4}},
	"transposed":      [][][]int{{{0, 1, 2, 3}, {12, 13, 14, 15}}, {{4, 5, 6, 7}, {16, 17, 18, 19}}, {{8, 9, 10, 11}, {20, 21, 22, 23}}},
	"zero_size":       [][]float64{{}, {}},
	"no_dimensions":   1.5,
	"text":            []string{"ab", "é"},
	"bytes":           [][]byte{[]byte("ab"), []byte("c")},
	"datetime_ns":     []time.Time{time.Date(2024, 1, 1, 0, 0, 0, 5e8, time.UTC)},
	"datetime_D":      []time.Time{time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
	"datetime_Y":      []time.Time{time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)},
	"datetime_25s":    []time.Time{time.Unix(50, 0).UTC()},
	"nat":             []int64{math.MinInt64},
	"timedelta":       []time.Duration{1500 * time.Millisecond},
	"half":            []float32{1.5, -0.25, 65504, float32(math.Ldexp(1, -24)), float32(math.Inf(1))},
	"complex":         []complex128{1 + 2i},
	"read_only":       []byte{0, 1, 2},
	"float_scalar":    1.5,
	"int_scalar":      int64(-7),
	"bool_scalar":     true,
	"datetime_scalar": time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC),
	"limits_i1":       []int8{math.MinInt8, math.MaxInt8},
	"limits_i2":       []int16{math.MinInt16, math.MaxInt16},
	"limits_i4":       []int32{math.MinInt32, math.MaxInt32},
	"limits_i8":       []int{math.MinInt64, math.MaxInt64},
	"limits_u1":       []uint8{0, math.MaxUint8},
	"limits_u2":       []uint16{0, math.MaxUint16},
	"limits_u4":       []uint32{0, math.MaxUint32},
	"limits_u8":       []uint64{0, math.MaxUint64},
	"structured":      []pair{{1, 2}},
}

type pair struct {
	A int32
	B float64 `pickle:"b"`
}

func TestRead(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range readGolden(t) {
		label := fmt.Sprintf("%s of numpy %s at protocol %s", g.name, g.version, g.protocol)
		var array numpy.Array
		err := pickleproto.Unmarshal(g.data, &array)
		if g.name == "objects" {
			assert.ErrorContains(t, err, "no Go counterpart", label)
		} else if assert.NoError(t, err, label) {
			want, ok := wanted[g.name]
			require.True(t, ok, "nothing is wanted of %s", g.name)
			got := reflect.New(reflect.TypeOf(want))
			assert.NoError(t, array.Into(got.Interface()), label)
			assert.Equal(t, want, got.Elem().Interface(), label)

			direct := reflect.New(reflect.TypeOf(want))
			assert.NoError(t, pickleproto.Unmarshal(g.data, direct.Interface(), numpy.Binding()), label)
			assert.Equal(t, want, direct.Elem().Interface(), label)
			seen[g.name] = true
		}

		// In `any` all of them stay what they were.
		var inert any
		require.NoError(t, pickleproto.Unmarshal(g.data, &inert), label)
		again, err := pickleproto.Marshal(inert, pickleproto.WithProtocol(int(g.protocol[0]-'0')))
		require.NoError(t, err, label)
		assert.Equal(t, string(g.data), string(again), label)
	}
	assert.Len(t, seen, len(wanted))
}

// What is written below protocol 5 is, but for the generation's module name, what numpy writes.
func TestWrite(t *testing.T) {
	for _, g := range readGolden(t) {
		want, ok := wanted[g.name]
		if !ok || strings.HasPrefix(g.version, "2") {
			continue
		}
		var array numpy.Array
		require.NoError(t, pickleproto.Unmarshal(g.data, &array))
		data, err := pickleproto.Marshal(array, pickleproto.WithProtocol(int(g.protocol[0]-'0')))
		require.NoError(t, err)
		switch g.name {
		case "datetime_ns", "datetime_D", "datetime_Y", "datetime_25s", "nat", "timedelta", "datetime_scalar":
			// numpy 1 writes an empty dict of metadata where numpy 2 writes None.
		default:
			if g.protocol != "5" || array.Scalar {
				assert.Equal(t, string(g.data), string(data), "%s at protocol %s", g.name, g.protocol)
			}
		}
		back := reflect.New(reflect.TypeOf(want))
		require.NoError(t, pickleproto.Unmarshal(data, back.Interface(), numpy.Binding()), g.name)
		assert.Equal(t, want, back.Elem().Interface(), g.name)
	}
}

func TestFrom(t *testing.T) {
	for name, want := range wanted {
		switch name {
		case "bytes", "zero_size":
			continue // [][]byte is a matrix of uint8; of no rows nothing is known
		}
		array, err := numpy.From(want)
		require.NoError(t, err, name)
		for protocol := range 6 {
			data, err := pickleproto.Marshal(map[string]any{"x": array}, pickleproto.WithProtocol(protocol))
			require.NoError(t, err, name)
			got := reflect.New(reflect.MapOf(reflect.TypeFor[string](), reflect.TypeOf(want)))
			require.NoError(t, pickleproto.Unmarshal(data, got.Interface(), numpy.Binding()), name)
			assert.Equal(t, want, got.Elem().MapIndex(reflect.ValueOf("x")).Interface(), name)
		}
	}
	for _, bad := range []any{nil, [][]int{{1}, {1, 2}}, []any{1}, struct{}{}, time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), "\xff"} {
		_, err := numpy.From(bad)
		assert.Error(t, err, "%v", bad)
	}
	scalar, err := numpy.Scalar(int16(5))
	require.NoError(t, err)
	assert.Equal(t, numpy.Array{DType: numpy.Int16, Shape: []int{}, Scalar: true, Data: []byte{5, 0}}, scalar)
	_, err = numpy.Scalar([]int{1})
	assert.Error(t, err)
}

// At protocol 5 the items may travel out of band.
func TestOutOfBand(t *testing.T) {
	array, err := numpy.From([]float64{1, 2})
	require.NoError(t, err)
	var buffers [][]byte
	data, err := pickleproto.Marshal(array, pickleproto.WithProtocol(5),
		pickleproto.WithBufferCallback(func(b *pickleproto.Buffer) bool { buffers = append(buffers, b.Data); return false }))
	require.NoError(t, err)
	require.Len(t, buffers, 1)
	var back []float64
	require.NoError(t, pickleproto.Unmarshal(data, &back, numpy.Binding(), pickleproto.WithBuffers(buffers...)))
	assert.Equal(t, []float64{1, 2}, back)
	assert.ErrorContains(t, pickleproto.Unmarshal(data, &back, numpy.Binding()), "")
}

func TestMisfits(t *testing.T) {
	data := map[string][]byte{}
	for _, g := range readGolden(t) {
		data[g.name] = g.data
	}
	for _, c := range []struct {
		name string
		into any
		want string
	}{
		{"matrix", new([]float64), "fewer dimensions"},
		{"matrix", new([][]float32), "do not fit"},
		{"matrix", new([][]int), "do not fit"},
		{"matrix", new([][2]float64), "a dimension of 3 into 2"},
		{"matrix", new(float64), "fewer dimensions"},
		{"bool", new([]int), "do not fit"},
		{"limits_i2", new([]int8), "-32768 overflows"},
		{"limits_i8", new([]uint), "-9223372036854775808 overflows"},
		{"limits_u8", new([]int64), "18446744073709551615 overflows"},
		{"nat", new([]time.Time), "NaT"},
		{"text", new([][]byte), "do not fit"},
		{"structured", new([]int), "do not fit"},
		{"structured", new([]struct{ A int8 }), ""},
		{"structured", new([]struct{ B string }), "field b, items <f8 into Go string: they do not fit"},
		{"datetime_Y", new([]time.Duration), "do not fit"},
	} {
		err := pickleproto.Unmarshal(data[c.name], c.into, numpy.Binding())
		if c.want == "" {
			assert.NoError(t, err, c.name)
			continue
		}
		assert.ErrorContains(t, err, c.want, c.name)
		var te *pickleproto.TypeError
		assert.ErrorAs(t, err, &te)
	}
	for _, bad := range []numpy.Array{
		{DType: "<f8", Shape: []int{2}, Data: make([]byte, 8)},
		{DType: "<f8", Shape: []int{-1}},
		{DType: "<f9", Shape: []int{0}},
		{DType: "", Shape: []int{0}},
		{DType: "<M8[parsec]", Shape: []int{0}},
		{DType: "|V8", Shape: []int{0}},
		{DType: "<f8", Shape: []int{math.MaxInt, math.MaxInt}},
		{DType: "|S0", Shape: []int{math.MaxInt, 0}},
	} {
		var x [][]float64
		assert.Error(t, bad.Into(&x), "%v", bad)
	}
	var text []string
	assert.ErrorContains(t, numpy.Array{DType: "|S0", Shape: []int{1 << 40}}.Into(&text), "no items")
	huge := numpy.Array{DType: numpy.Float64, Shape: []int{1 << 40, 0}}
	var rows [][]float64
	assert.ErrorContains(t, huge.Into(&rows), "no items")
}
