// Command numpytypes is what test_numpy.py sends numpy's arrays to: a request is (row, pickle of the
// array, its out-of-band buffers), the array is bound to the row's Go type, and the answer is what
// arrived, in Go's words, the pickle of an array made of the Go value, and its buffers.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/numpy"
	"github.com/picklebridge/picklebridge/server"
)

type request struct {
	_        struct{} `pickle:",tuple"`
	Row      string
	Protocol int
	Array    []byte
	Buffers  [][]byte
	OutOf    bool // send the answer's items out of band
}

type answer struct {
	_       struct{} `pickle:",tuple"`
	Arrived string
	Array   []byte
	Buffers [][]byte
}

// row binds to a T, and sends back what to makes of it.
func row[T any](to func(v any) (numpy.Array, error)) func(in request) (answer, error) {
	return func(in request) (answer, error) {
		var v T
		opts := []pickleproto.Option{numpy.Binding()}
		if len(in.Buffers) > 0 {
			opts = append(opts, pickleproto.WithBuffers(in.Buffers...))
		}
		if err := pickleproto.Unmarshal(in.Array, &v, opts...); err != nil {
			return answer{}, err
		}
		array, err := to(v)
		if err != nil {
			return answer{}, err
		}
		out := answer{Arrived: fmt.Sprint(v), Buffers: [][]byte{}}
		opts = []pickleproto.Option{pickleproto.WithProtocol(in.Protocol)}
		if in.OutOf {
			opts = append(opts, pickleproto.WithBufferCallback(func(b *pickleproto.Buffer) bool {
				out.Buffers = append(out.Buffers, b.Data)
				return false
			}))
		}
		out.Array, err = pickleproto.Marshal(array, opts...)
		return out, err
	}
}

// same sends the array back as it came, in its own item type and order.
func same(v any) (numpy.Array, error) { return v.(numpy.Array), nil }

type (
	pair struct {
		A int32   `pickle:"a"`
		B float64 `pickle:"b"`
	}
	record struct {
		A int32   `pickle:"a"`
		B float64 `pickle:"b"`
		C string  `pickle:"c"`
	}
	smallPair struct {
		A int8    `pickle:"a"`
		B float64 `pickle:"b"`
	}
	bytePair struct {
		A int16 `pickle:"a"`
		B uint8 `pickle:"b"`
	}
	point struct {
		X float32 `pickle:"x"`
		Y float32 `pickle:"y"`
	}
	nested struct {
		At     point       `pickle:"at"`
		Counts [2][3]int16 `pickle:"counts"`
	}
)

var rows = map[string]func(in request) (answer, error){
	"bool":       row[[]bool](numpy.From),
	"int8":       row[[]int8](numpy.From),
	"int16":      row[[]int16](numpy.From),
	"int32":      row[[]int32](numpy.From),
	"int64":      row[[]int64](numpy.From),
	"uint8":      row[[]uint8](numpy.From),
	"uint16":     row[[]uint16](numpy.From),
	"uint32":     row[[]uint32](numpy.From),
	"uint64":     row[[]uint64](numpy.From),
	"float16":    row[numpy.Array](same),
	"float32":    row[[]float32](numpy.From),
	"float64":    row[[]float64](numpy.From),
	"complex64":  row[[]complex64](numpy.From),
	"complex128": row[[]complex128](numpy.From),
	"str":        row[[]string](numpy.From),
	"bytes":      row[numpy.Array](same),
	"datetime":   row[[]time.Time](numpy.From),
	"timedelta":  row[[]time.Duration](numpy.From),
	"matrix":     row[[][]float64](numpy.From),
	"fortran":    row[[2][3]float64](numpy.From),
	"big endian": row[[][]int16](numpy.From),
	"transposed": row[[][][]int64](numpy.From),
	"as it came": row[numpy.Array](same),
	"scalar":     row[float64](numpy.Scalar),
	"int scalar": row[int32](numpy.Scalar),

	"structured":              row[[][]record](numpy.From),
	"structured, other order": row[[][]bytePair](numpy.From),
	"structured, nested":      row[[]nested](numpy.From),
	"structured, aligned":     row[[]smallPair](numpy.From),
	"structured, as it came":  row[numpy.Array](same),
	"structured scalar":       row[pair](numpy.Scalar),
	"recarray":                row[[]pair](numpy.From),

	"half into single":     row[[][]float32](numpy.From),
	"no items":             row[[][]float64](numpy.From),
	"no rows":              row[[]([3]int32)](numpy.From),
	"no dimensions":        row[float64](numpy.From),
	"no dimensions, int":   row[int16](numpy.From),
	"big endian float":     row[[]float64](numpy.From),
	"big endian half":      row[[]float32](numpy.From),
	"big endian complex":   row[[]complex64](numpy.From),
	"big endian str":       row[[]string](numpy.From),
	"big endian datetime":  row[[]time.Time](numpy.From),
	"big endian timedelta": row[[]time.Duration](numpy.From),
	"big endian, fortran":  row[[][]uint32](numpy.From),
	"strided":              row[[][]int64](numpy.From),
	"backwards":            row[[]uint16](numpy.From),
	"read only":            row[[]uint8](numpy.From),
	"days":                 row[[]time.Time](numpy.From),
	"months":               row[[]time.Time](numpy.From),
	"five minutes":         row[[]time.Time](numpy.From),
	"hours":                row[[]time.Duration](numpy.From),
	"bool scalar":          row[bool](numpy.Scalar),
	"uint64 scalar":        row[uint64](numpy.Scalar),
	"half scalar":          row[float32](numpy.Scalar),
	"single scalar":        row[float32](numpy.Scalar),
	"complex scalar":       row[complex64](numpy.Scalar),
	"complex128 scalar":    row[complex128](numpy.Scalar),
	"str scalar":           row[string](numpy.Scalar),
	"bytes scalar":         row[numpy.Array](same),
	"datetime scalar":      row[time.Time](numpy.Scalar),
	"timedelta scalar":     row[time.Duration](numpy.Scalar),
}

func serve(_ context.Context, in request) (answer, error) {
	f, ok := rows[in.Row]
	if !ok {
		return answer{}, pickleproto.NewException("LookupError", "no row "+in.Row)
	}
	return f(in)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening", ln.Addr().(*net.TCPAddr).Port)
	s := &server.Server{Handler: server.Typed(serve)}
	if err := s.Serve(ctx, ln); err != nil && err != server.ErrServerClosed {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
