package numpy

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"time"
	"unicode/utf8"
)

// From makes an array of a Go value: nested slices or arrays, all rows of one length, of bools,
// numbers, strings (as str), time.Time (as datetime64[ns]), time.Duration (as
// timedelta64[ns]), or structs of such and of arrays of such: a structured array. A single number becomes an array without dimensions; Scalar makes it numpy's
// scalar.
func From(v any) (Array, error) {
	rv := reflect.ValueOf(v)
	if !rv.IsValid() {
		return Array{}, fmt.Errorf("numpy: no array of nil")
	}
	a := Array{Shape: []int{}}
	t := rv.Type()
	for row, known := rv, true; t.Kind() == reflect.Slice || t.Kind() == reflect.Array; t = t.Elem() {
		n := 0
		if known {
			n = row.Len()
		} else if t.Kind() == reflect.Array {
			n = t.Len()
		}
		a.Shape = append(a.Shape, n)
		if known = known && n > 0; known {
			row = row.Index(0)
		}
	}
	put, err := a.itemsOf(rv, t)
	if err != nil {
		return Array{}, err
	}
	if err := a.flatten(rv, 0, put); err != nil {
		return Array{}, err
	}
	return a, nil
}

// Scalar makes a scalar of a Go number, bool, time.Time or time.Duration.
func Scalar(v any) (Array, error) {
	a, err := From(v)
	if err == nil && len(a.Shape) > 0 {
		err = fmt.Errorf("numpy: Go %T is no scalar", v)
	}
	a.Scalar = true
	return a, err
}

// flatten appends the items in C order.
func (a *Array) flatten(v reflect.Value, axis int, put func(v reflect.Value) error) error {
	if axis == len(a.Shape) {
		return put(v)
	}
	if v.Len() != a.Shape[axis] {
		return fmt.Errorf("numpy: rows of %d and of %d items", a.Shape[axis], v.Len())
	}
	for i := range v.Len() {
		if err := a.flatten(v.Index(i), axis+1, put); err != nil {
			return err
		}
	}
	return nil
}

// itemsOf chooses the item type and returns what appends an item.
func (a *Array) itemsOf(v reflect.Value, t reflect.Type) (func(v reflect.Value) error, error) {
	le := binary.LittleEndian
	integer := func(d DType, size int) (func(v reflect.Value) error, error) {
		a.DType = d
		return func(v reflect.Value) error {
			var n uint64
			if v.CanInt() {
				n = uint64(v.Int())
			} else {
				n = v.Uint()
			}
			a.Data = append(a.Data, le.AppendUint64(nil, n)[:size]...)
			return nil
		}, nil
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		a.DType = DateTime
		return func(v reflect.Value) error {
			when := v.Interface().(time.Time)
			if when.Before(time.Unix(0, math.MinInt64+1)) || when.After(time.Unix(0, math.MaxInt64)) {
				return fmt.Errorf("numpy: %v is beyond datetime64[ns]", when)
			}
			a.Data = le.AppendUint64(a.Data, uint64(when.UnixNano()))
			return nil
		}, nil
	case reflect.TypeFor[time.Duration]():
		return integer(TimeDelta, 8)
	}
	switch t.Kind() {
	case reflect.Bool:
		a.DType = Bool
		return func(v reflect.Value) error {
			b := byte(0)
			if v.Bool() {
				b = 1
			}
			a.Data = append(a.Data, b)
			return nil
		}, nil
	case reflect.Int8:
		return integer(Int8, 1)
	case reflect.Int16:
		return integer(Int16, 2)
	case reflect.Int32:
		return integer(Int32, 4)
	case reflect.Int, reflect.Int64:
		return integer(Int64, 8)
	case reflect.Uint8:
		return integer(Uint8, 1)
	case reflect.Uint16:
		return integer(Uint16, 2)
	case reflect.Uint32:
		return integer(Uint32, 4)
	case reflect.Uint, reflect.Uint64:
		return integer(Uint64, 8)
	case reflect.Float32:
		a.DType = Float32
		return func(v reflect.Value) error {
			a.Data = le.AppendUint32(a.Data, math.Float32bits(float32(v.Float())))
			return nil
		}, nil
	case reflect.Float64:
		a.DType = Float64
		return func(v reflect.Value) error {
			a.Data = le.AppendUint64(a.Data, math.Float64bits(v.Float()))
			return nil
		}, nil
	case reflect.Complex64:
		a.DType = Complex64
		return func(v reflect.Value) error {
			c := complex64(v.Complex())
			a.Data = le.AppendUint32(le.AppendUint32(a.Data, math.Float32bits(real(c))), math.Float32bits(imag(c)))
			return nil
		}, nil
	case reflect.Complex128:
		a.DType = Complex128
		return func(v reflect.Value) error {
			c := v.Complex()
			a.Data = le.AppendUint64(le.AppendUint64(a.Data, math.Float64bits(real(c))), math.Float64bits(imag(c)))
			return nil
		}, nil
	case reflect.String:
		return a.stringItems(v)
	case reflect.Struct:
		return a.structItems(v, t)
	}
	return nil, fmt.Errorf("numpy: no array of Go %v", t)
}

// stringItems makes items of the longest string's length.
func (a *Array) stringItems(v reflect.Value) (func(v reflect.Value) error, error) {
	width := 1
	var measure func(v reflect.Value, axis int)
	measure = func(v reflect.Value, axis int) {
		if axis == len(a.Shape) {
			width = max(width, utf8.RuneCountInString(v.String()))
			return
		}
		for i := range v.Len() {
			measure(v.Index(i), axis+1)
		}
	}
	measure(v, 0)
	a.DType = DType(fmt.Sprintf("<U%d", width))
	return func(v reflect.Value) error {
		s := v.String()
		if !utf8.ValidString(s) {
			return fmt.Errorf("numpy: a string that is not UTF-8")
		}
		end := len(a.Data) + 4*width
		for _, r := range s {
			a.Data = binary.LittleEndian.AppendUint32(a.Data, uint32(r))
		}
		for len(a.Data) < end {
			a.Data = append(a.Data, 0)
		}
		return nil
	}, nil
}
