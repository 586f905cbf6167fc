// Package numpy carries numpy's arrays and scalars between Python and Go, with no numpy and no
// Python on the Go side.
//
//	var a numpy.Array                                       // any array of numbers, text or times
//	err := pickleproto.Unmarshal(data, &a)
//	var m [][]float64
//	err = a.Into(&m)                                        // a copy, if shape and item type fit
//
//	var in struct{ Prices []float64 }                       // arrays straight into Go's own types,
//	err = pickleproto.Unmarshal(data, &in, numpy.Binding()) // wherever they are
//
//	a, err = numpy.From([][]float32{{1, 2}, {3, 4}})        // numpy.Array marshals to an ndarray
//	data, err = pickleproto.Marshal(map[string]any{"m": a})
//
// Both generations of numpy are read: the module names numpy.core and numpy._core, the forms of
// protocols below 5, of protocol 5 in band and out of band, C and Fortran order, both byte orders.
// What is written loads in both, at protocol 5 also out of band (pickleproto.WithBufferCallback).
//
// Decoded into `any`, arrays stay inert *pickleproto.Objects, which are written again as they
// came. Arrays of Python objects have no Go counterpart beyond that. The items of a structured array,
// or of a recarray, go into structs, []struct{...}, by the names of their fields, and structs become
// such items.
package numpy

import (
	"fmt"
	"math"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// Array is an array of numpy, or with an empty Shape and Scalar set one of its scalars. Data holds
// the items one after another, the last index counting fastest, or with Fortran set the first.
// Data of a decoded Array may lie in memory that it shares with the decoded value.
type Array struct {
	DType   DType
	Shape   []int
	Fortran bool
	Scalar  bool // numpy.float64(1.5) rather than numpy.array(1.5)
	Data    []byte
	Fields  []Field // of the items of a structured array, whose DType is "|V" and their size
}

// Len returns the number of items.
func (a Array) Len() int {
	n := 1
	for _, d := range a.Shape {
		n *= d
	}
	return n
}

// check reports whether the parts fit each other.
func (a Array) check() (layout, error) {
	l, err := layoutOf(a.DType, a.Fields)
	if err != nil {
		return l, err
	}
	n, zero := 1, false
	for _, d := range a.Shape {
		switch {
		case d < 0:
			return l, fmt.Errorf("numpy: a dimension of %d", d)
		case d == 0:
			zero = true
		case n > math.MaxInt/d:
			return l, fmt.Errorf("numpy: the shape is too large")
		default:
			n *= d
		}
	}
	if len(a.Shape) > 64 {
		return l, fmt.Errorf("numpy: %d dimensions", len(a.Shape))
	}
	if zero {
		n = 0
	}
	if l.size > 0 && n > math.MaxInt/l.size || n*l.size != len(a.Data) {
		return l, fmt.Errorf("numpy: %d bytes for %d items of %d bytes", len(a.Data), n, l.size)
	}
	return l, nil
}

// UnmarshalPickle takes an array or a scalar of numpy.
func (a *Array) UnmarshalPickle(v any) error {
	o, ok := v.(*pickleproto.Object)
	if !ok {
		return fmt.Errorf("numpy: no array")
	}
	made, ok, err := fromObject(o)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("numpy: no array")
	}
	*a = made
	return nil
}

// multiarray reports whether v is the function name of numpy's C module, under either of its names.
func multiarray(v any, name string) bool {
	return isGlobal(v, "numpy.core.multiarray", name) || isGlobal(v, "numpy._core.multiarray", name)
}

// fromObject reads an array or scalar; ok is false for any other object.
func fromObject(o *pickleproto.Object) (a Array, ok bool, err error) {
	args, isTuple := o.Args.(pickleproto.Tuple)
	if !isTuple || o.How != pickleproto.ByReduce {
		return a, false, nil
	}
	switch {
	case multiarray(o.Callable, "_reconstruct"):
		err = a.readState(o, args)
	case multiarray(o.Callable, "scalar"):
		err = a.readScalar(args)
	case isGlobal(o.Callable, "numpy.core.numeric", "_frombuffer"), isGlobal(o.Callable, "numpy._core.numeric", "_frombuffer"):
		err = a.readBuffer(args)
	case isGlobal(o.Callable, "numpy", "ndarray"):
		err = a.readNew(args)
	default:
		return a, false, nil
	}
	if err == nil {
		_, err = a.check()
	}
	return a, true, err
}

// readState reads ndarray.__reduce__: _reconstruct(ndarray, (0,), b'b') with the state (1, shape,
// dtype, is_fortran, data).
func (a *Array) readState(o *pickleproto.Object, args pickleproto.Tuple) error {
	if len(args) != 3 || !isGlobal(args[0], "numpy", "ndarray") && !isRecArray(args[0]) {
		return fmt.Errorf("numpy: no plain ndarray, but a subclass")
	}
	if len(o.Ops) != 1 || o.Ops[0].Kind != pickleproto.OpBuild || len(o.Ops[0].Items) != 1 {
		return fmt.Errorf("numpy: an array without its state")
	}
	state, _ := o.Ops[0].Items[0].(pickleproto.Tuple)
	if len(state) == 5 {
		state = state[1:] // the version
	}
	if len(state) != 4 {
		return fmt.Errorf("numpy: an array state of an unknown form")
	}
	fortran, ok := state[2].(bool)
	if n, isInt := state[2].(int64); isInt {
		fortran, ok = n != 0, true
	}
	if !ok {
		return fmt.Errorf("numpy: an array state of an unknown form")
	}
	a.Fortran = fortran
	return a.read(state[0], state[1], state[3])
}

// isRecArray reports whether v is the class of arrays whose fields are attributes as well, under any
// of its names. Written again it is a plain array with the same fields.
func isRecArray(v any) bool {
	return isGlobal(v, "numpy", "recarray") || isGlobal(v, "numpy.rec", "recarray") || isGlobal(v, "numpy.core.records", "recarray")
}

func (a *Array) read(shape, dtype, data any) (err error) {
	if a.Shape, err = shapeOf(shape); err != nil {
		return err
	}
	item, err := new(dtypeReader).dtype(dtype, 0)
	if err != nil {
		return err
	}
	if item.shape != nil {
		return fmt.Errorf("numpy: an array of arrays")
	}
	a.DType, a.Fields = item.dtype, item.fields
	switch data := data.(type) {
	case pickleproto.Bytes:
		a.Data = []byte(data)
	case pickleproto.ByteString:
		a.Data = []byte(data)
	case *pickleproto.ByteArray:
		a.Data = data.Data
	case *pickleproto.Buffer:
		if data.Data == nil {
			return fmt.Errorf("numpy: the array's buffer was sent out of band: WithBuffers takes it")
		}
		a.Data = data.Data
	default:
		return fmt.Errorf("numpy: items that are Python objects have no Go counterpart")
	}
	return nil
}

func shapeOf(v any) ([]int, error) {
	t, ok := v.(pickleproto.Tuple)
	if !ok {
		return nil, fmt.Errorf("numpy: the shape is a %T", v)
	}
	shape := make([]int, len(t))
	for i, d := range t {
		n, ok := d.(int64)
		if l, isLong := d.(pickleproto.Long); isLong {
			n, ok = int64(l), true
		}
		if !ok || n < 0 || n != int64(int(n)) {
			return nil, fmt.Errorf("numpy: a dimension of %v", d)
		}
		shape[i] = int(n)
	}
	return shape, nil
}

func (a *Array) readScalar(args pickleproto.Tuple) error {
	a.Scalar = true
	if len(args) != 2 {
		return fmt.Errorf("numpy: a scalar of an unknown form")
	}
	return a.read(pickleproto.Tuple{}, args[0], args[1])
}

// readBuffer reads _frombuffer(buffer, dtype, shape, order[, axes]), of protocol 5.
func (a *Array) readBuffer(args pickleproto.Tuple) error {
	if len(args) != 4 && len(args) != 5 {
		return fmt.Errorf("numpy: a buffer of an unknown form")
	}
	order, _ := args[3].(string)
	switch order {
	case "C", "A":
	case "F":
		a.Fortran = true
	case "K":
	default:
		return fmt.Errorf("numpy: an array in an unknown order")
	}
	if err := a.read(args[2], args[1], args[0]); err != nil {
		return err
	}
	if order != "K" {
		return nil
	}
	// The buffer's axes in the order in which they lie in memory: numpy transposes them.
	if len(args) != 5 {
		return fmt.Errorf("numpy: an array in an unknown order")
	}
	axes, err := shapeOf(args[4])
	if err != nil {
		return err
	}
	return a.transpose(axes)
}

// readNew reads ndarray(shape, dtype, buffer, 0, None, order), which is what this package writes
// at protocol 5.
func (a *Array) readNew(args pickleproto.Tuple) error {
	if len(args) != 6 {
		return fmt.Errorf("numpy: an ndarray of an unknown form")
	}
	if offset, ok := args[3].(int64); !ok || offset != 0 || args[4] != nil {
		return fmt.Errorf("numpy: an ndarray of an unknown form")
	}
	switch order, _ := args[5].(string); order {
	case "C":
	case "F":
		a.Fortran = true
	default:
		return fmt.Errorf("numpy: an ndarray of an unknown form")
	}
	return a.read(args[0], args[1], args[2])
}

// strides returns the distance of neighbours along each axis in bytes.
func (a *Array) strides(size int) []int {
	s := make([]int, len(a.Shape))
	step := size
	for i := range s {
		k := len(s) - 1 - i
		if a.Fortran {
			k = i
		}
		s[k] = step
		step *= a.Shape[k]
	}
	return s
}

// transpose makes the i-th axis what was the axes[i]-th, and lays the items out in C order.
func (a *Array) transpose(axes []int) error {
	l, err := a.check()
	if err != nil {
		return err
	}
	seen := make([]bool, len(a.Shape))
	if len(axes) != len(seen) {
		return fmt.Errorf("numpy: an array in an unknown order")
	}
	from := a.strides(l.size)
	shape, strides := make([]int, len(axes)), make([]int, len(axes))
	for i, axis := range axes {
		if axis >= len(seen) || seen[axis] {
			return fmt.Errorf("numpy: an array in an unknown order")
		}
		seen[axis] = true
		shape[i], strides[i] = a.Shape[axis], from[axis]
	}
	data := make([]byte, 0, len(a.Data))
	index := make([]int, len(shape))
	for range a.Len() {
		at := 0
		for i, n := range index {
			at += n * strides[i]
		}
		data = append(data, a.Data[at:at+l.size]...)
		for i := len(index) - 1; i >= 0; i-- {
			if index[i]++; index[i] < shape[i] {
				break
			}
			index[i] = 0
		}
	}
	a.Shape, a.Data, a.Fortran = shape, data, false
	return nil
}

// MarshalPickle returns the array as the protocols below 5 write it.
func (a Array) MarshalPickle() (any, error) {
	return a.MarshalPickleProtocol(pickleproto.DefaultProtocol)
}

// MarshalPickleProtocol returns the array as the Python value to write.
func (a Array) MarshalPickleProtocol(protocol int) (any, error) {
	if _, err := a.check(); err != nil {
		return nil, err
	}
	dtype, err := dtypeObject(a.DType, a.Fields)
	if err != nil {
		return nil, err
	}
	if a.Scalar {
		if len(a.Shape) > 0 {
			return nil, fmt.Errorf("numpy: a scalar with a shape")
		}
		return &pickleproto.Object{
			Callable: pickleproto.Global{Module: "numpy.core.multiarray", Name: "scalar"},
			Args:     pickleproto.Tuple{dtype, pickleproto.Bytes(a.Data)},
		}, nil
	}
	shape := make(pickleproto.Tuple, len(a.Shape))
	for i, d := range a.Shape {
		shape[i] = int64(d)
	}
	ndarray := pickleproto.Global{Module: "numpy", Name: "ndarray"}
	if protocol >= 5 {
		// By public names alone, so that each generation of numpy knows them.
		order := "C"
		if a.Fortran {
			order = "F"
		}
		data := a.Data
		if data == nil {
			data = []byte{}
		}
		return &pickleproto.Object{Callable: ndarray,
			Args: pickleproto.Tuple{shape, dtype, &pickleproto.Buffer{Data: data}, int64(0), nil, order}}, nil
	}
	// numpy 2 knows the old name of the module, numpy 1 does not know the new one.
	return &pickleproto.Object{
		Callable: pickleproto.Global{Module: "numpy.core.multiarray", Name: "_reconstruct"},
		Args:     pickleproto.Tuple{ndarray, pickleproto.Tuple{int64(0)}, pickleproto.Bytes("b")},
		Ops: []pickleproto.Op{{Kind: pickleproto.OpBuild, Items: []any{
			pickleproto.Tuple{int64(1), shape, dtype, a.Fortran, pickleproto.Bytes(a.Data)}}}},
	}, nil
}
