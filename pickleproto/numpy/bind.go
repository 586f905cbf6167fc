package numpy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"time"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// Binding returns the option that lets Unmarshal put arrays and scalars of numpy straight into Go's
// own types wherever they meet: []float64, [][]float32, [3][3]int, []time.Time, a float64 ...
func Binding() pickleproto.Option { return pickleproto.WithConverter(convert) }

var arrayType = reflect.TypeFor[Array]()

func convert(o *pickleproto.Object, t reflect.Type) (any, bool, error) {
	if t == arrayType || t == reflect.PointerTo(arrayType) {
		return nil, false, nil // takes it itself
	}
	a, ok, err := fromObject(o)
	if !ok || err != nil {
		return nil, false, err
	}
	v := reflect.New(t)
	if err := a.into(v.Elem()); err != nil {
		return nil, false, err
	}
	return v.Elem().Interface(), true, nil
}

// Into copies the items into what dst points to: nested slices or Go arrays with as many levels as
// the array has dimensions, or for a scalar or an array without dimensions one variable. Integers
// go into every integer type that holds them, floats and complex numbers into types of at least
// their size, datetime64 into time.Time in UTC or an integer, timedelta64 into time.Duration or an
// integer, text into strings, bytes into []byte or strings, items with fields into structs. On error dst
// is unchanged.
func (a Array) Into(dst any) error {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("numpy: Into a %T, which is no pointer", dst)
	}
	fresh := reflect.New(v.Type().Elem())
	if err := a.into(fresh.Elem()); err != nil {
		return err
	}
	v.Elem().Set(fresh.Elem())
	return nil
}

// emptyRows bounds the rows of an array that has no items.
const emptyRows = 1 << 16

func (a *Array) into(dst reflect.Value) error {
	l, err := a.check()
	if err != nil {
		return err
	}
	set, err := setterFor(l, itemType(dst.Type(), len(a.Shape)), a.Fields)
	if err != nil {
		return fmt.Errorf("numpy: an array of shape %v and items %s into Go %v: %w", a.Shape, a.DType, dst.Type(), err)
	}
	if a.Len() == 0 || l.size == 0 { // much is made of nothing
		rows := 1
		for _, d := range a.Shape {
			if rows *= d; rows == 0 {
				break
			} else if rows > emptyRows {
				return fmt.Errorf("numpy: an array of shape %v, which has no items", a.Shape)
			}
		}
	}
	f := filler{a: a, l: l, strides: a.strides(l.size), set: set}
	if err := f.fill(dst, 0, 0); err != nil {
		return fmt.Errorf("numpy: an array of shape %v and items %s into Go %v: %w", a.Shape, a.DType, dst.Type(), err)
	}
	return nil
}

// itemType is the type below n levels of slices and arrays, nil if there are fewer.
func itemType(t reflect.Type, n int) reflect.Type {
	for ; n > 0; n-- {
		if t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
			return nil
		}
		t = t.Elem()
	}
	return t
}

type filler struct {
	a       *Array
	l       layout
	strides []int
	set     func(v reflect.Value, item []byte) error
}

func (f *filler) fill(v reflect.Value, axis, at int) error {
	if axis == len(f.a.Shape) {
		return f.set(v, f.a.Data[at:at+f.l.size])
	}
	n := f.a.Shape[axis]
	if v.Kind() == reflect.Slice {
		v.Set(reflect.MakeSlice(v.Type(), n, n))
	} else if v.Len() != n {
		return fmt.Errorf("a dimension of %d into %d", n, v.Len())
	}
	if axis == len(f.a.Shape)-1 && f.strides[axis] == f.l.size && f.l.size > 0 && f.run(v, f.a.Data[at:at+n*f.l.size]) {
		return nil
	}
	for i := range n {
		if err := f.fill(v.Index(i), axis+1, at+i*f.strides[axis]); err != nil {
			return err
		}
	}
	return nil
}

// run copies items that lie next to each other into the slices that are most common.
func (f *filler) run(v reflect.Value, data []byte) bool {
	if v.Kind() != reflect.Slice || f.l.big {
		return false
	}
	switch s := v.Interface().(type) {
	case []float64:
		if f.l.kind == 'f' && f.l.size == 8 {
			for i := range s {
				s[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
			}
			return true
		}
	case []float32:
		if f.l.kind == 'f' && f.l.size == 4 {
			for i := range s {
				s[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
			}
			return true
		}
	case []int64:
		if f.l.kind == 'i' && f.l.size == 8 {
			for i := range s {
				s[i] = int64(binary.LittleEndian.Uint64(data[8*i:]))
			}
			return true
		}
	case []int32:
		if f.l.kind == 'i' && f.l.size == 4 {
			for i := range s {
				s[i] = int32(binary.LittleEndian.Uint32(data[4*i:]))
			}
			return true
		}
	case []uint8:
		if f.l.kind == 'u' && f.l.size == 1 {
			copy(s, data)
			return true
		}
	}
	return false
}

// setterFor returns what stores an item in a variable of type t.
func setterFor(l layout, t reflect.Type, fields []Field) (func(v reflect.Value, item []byte) error, error) {
	misfit := fmt.Errorf("they do not fit")
	if t == nil {
		return nil, fmt.Errorf("it has fewer dimensions")
	}
	k := t.Kind()
	signed := k >= reflect.Int && k <= reflect.Int64
	unsigned := k >= reflect.Uint && k <= reflect.Uintptr
	switch l.kind {
	case 'V':
		if k == reflect.Struct && len(fields) > 0 {
			return structSetter(fields, t)
		}
	case 'b':
		if k == reflect.Bool {
			return func(v reflect.Value, item []byte) error { v.SetBool(item[0] != 0); return nil }, nil
		}
	case 'M':
		if t == reflect.TypeFor[time.Time]() {
			return func(v reflect.Value, item []byte) error {
				when, err := l.time(l.integer(item))
				v.Set(reflect.ValueOf(when))
				return err
			}, nil
		}
		if signed && t != reflect.TypeFor[time.Duration]() {
			return l.setInteger, nil
		}
	case 'm':
		if t == reflect.TypeFor[time.Duration]() {
			return func(v reflect.Value, item []byte) error {
				d, err := l.duration(l.integer(item))
				v.SetInt(int64(d))
				return err
			}, nil
		}
		if signed {
			return l.setInteger, nil
		}
	case 'i', 'u':
		if (signed || unsigned) && t != reflect.TypeFor[time.Duration]() {
			return l.setInteger, nil
		}
	case 'f':
		if k == reflect.Float64 || k == reflect.Float32 && l.size <= 4 {
			return func(v reflect.Value, item []byte) error { v.SetFloat(l.float(item, l.size)); return nil }, nil
		}
	case 'c':
		if k == reflect.Complex128 || k == reflect.Complex64 && l.size <= 8 {
			return func(v reflect.Value, item []byte) error {
				half := l.size / 2
				v.SetComplex(complex(l.float(item[:half], half), l.float(item[half:], half)))
				return nil
			}, nil
		}
	case 'S':
		if k == reflect.String || k == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
			return func(v reflect.Value, item []byte) error {
				item = bytes.TrimRight(item, "\x00")
				if k == reflect.String {
					v.SetString(string(item))
				} else {
					v.SetBytes(bytes.Clone(item))
				}
				return nil
			}, nil
		}
	case 'U':
		if k == reflect.String {
			return func(v reflect.Value, item []byte) error {
				s, err := l.text(item)
				v.SetString(s)
				return err
			}, nil
		}
	}
	return nil, misfit
}

func (l layout) order() binary.ByteOrder {
	if l.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// integer reads an item as a signed integer.
func (l layout) integer(item []byte) int64 {
	switch len(item) {
	case 1:
		return int64(int8(item[0]))
	case 2:
		return int64(int16(l.order().Uint16(item)))
	case 4:
		return int64(int32(l.order().Uint32(item)))
	}
	return int64(l.order().Uint64(item))
}

func (l layout) setInteger(v reflect.Value, item []byte) error {
	n := l.integer(item)
	u := uint64(n)
	if l.kind == 'u' {
		switch len(item) {
		case 1:
			u = uint64(uint8(n))
		case 2:
			u = uint64(uint16(n))
		case 4:
			u = uint64(uint32(n))
		}
		n = int64(u)
	}
	negative := l.kind != 'u' && n < 0
	if v.CanInt() {
		if !negative && u > math.MaxInt64 || v.OverflowInt(n) {
			return fmt.Errorf("%s overflows", integerText(n, u, negative))
		}
		v.SetInt(n)
		return nil
	}
	if negative || v.OverflowUint(u) {
		return fmt.Errorf("%s overflows", integerText(n, u, negative))
	}
	v.SetUint(u)
	return nil
}

func integerText(n int64, u uint64, negative bool) string {
	if negative {
		return fmt.Sprint(n)
	}
	return fmt.Sprint(u)
}

func (l layout) float(item []byte, size int) float64 {
	switch size {
	case 2:
		return halfFloat(l.order().Uint16(item))
	case 4:
		return float64(math.Float32frombits(l.order().Uint32(item)))
	}
	return math.Float64frombits(l.order().Uint64(item))
}

// halfFloat reads a float16 (IEEE 754 binary16).
func halfFloat(b uint16) float64 {
	sign, exponent, fraction := 1.0, int(b>>10&31), float64(b&1023)
	if b>>15 != 0 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1+fraction/1024, exponent-15)
}

func (l layout) text(item []byte) (string, error) {
	var b []byte
	for i := 0; i+4 <= len(item); i += 4 {
		r := l.order().Uint32(item[i:])
		if r > utf8.MaxRune || r >= 0xd800 && r < 0xe000 {
			return "", fmt.Errorf("a character U+%04X", r)
		}
		b = utf8.AppendRune(b, rune(r))
	}
	return string(bytes.TrimRight(b, "\x00")), nil
}

// notATime is numpy's NaT.
const notATime = math.MinInt64

// time returns n units after 1970.
func (l layout) time(n int64) (time.Time, error) {
	if n == notATime {
		return time.Time{}, fmt.Errorf("NaT is no time")
	}
	if n > math.MaxInt64/l.count || n < math.MinInt64/l.count {
		return time.Time{}, fmt.Errorf("a time beyond Go's")
	}
	n *= l.count
	const days = 365 * 300_000_000 // Go's years
	switch l.unit {
	case "Y":
		if n > 200_000_000 || n < -200_000_000 {
			return time.Time{}, fmt.Errorf("a time beyond Go's")
		}
		return time.Date(1970+int(n), 1, 1, 0, 0, 0, 0, time.UTC), nil
	case "M":
		if n > 2_000_000_000 || n < -2_000_000_000 {
			return time.Time{}, fmt.Errorf("a time beyond Go's")
		}
		return time.Date(1970, time.Month(1+n), 1, 0, 0, 0, 0, time.UTC), nil
	}
	per, below := secondsOf(l.unit)
	switch {
	case per > 0:
		if n > days*86400/per || n < -days*86400/per {
			return time.Time{}, fmt.Errorf("a time beyond Go's")
		}
		return time.Unix(n*per, 0).UTC(), nil
	case below > 0:
		seconds, rest := n/below, n%below
		if rest < 0 {
			seconds, rest = seconds-1, rest+below
		}
		if below > 1e9 {
			if rest%(below/1e9) != 0 {
				return time.Time{}, fmt.Errorf("a time finer than nanoseconds")
			}
			return time.Unix(seconds, rest/(below/1e9)).UTC(), nil
		}
		return time.Unix(seconds, rest*(1e9/below)).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("a time of no unit")
}

func (l layout) duration(n int64) (time.Duration, error) {
	if n == notATime {
		return 0, fmt.Errorf("NaT is no duration")
	}
	per, below := secondsOf(l.unit)
	unit := int64(0)
	switch {
	case per > 0:
		unit = per * int64(time.Second)
	case below > 0 && below <= 1e9:
		unit = 1e9 / below
	case below > 0:
		if n%(below/1e9) != 0 || l.count != 1 {
			return 0, fmt.Errorf("a duration finer than nanoseconds")
		}
		return time.Duration(n / (below / 1e9)), nil
	default:
		return 0, fmt.Errorf("a duration in units of no fixed length")
	}
	if l.count > math.MaxInt64/unit {
		return 0, fmt.Errorf("a duration beyond Go's")
	}
	unit *= l.count
	if n > math.MaxInt64/unit || n < math.MinInt64/unit {
		return 0, fmt.Errorf("a duration beyond Go's")
	}
	return time.Duration(n * unit), nil
}

// secondsOf returns the seconds of a unit, or how many of it make a second.
func secondsOf(unit string) (per, below int64) {
	switch unit {
	case "W":
		return 7 * 86400, 0
	case "D":
		return 86400, 0
	case "h":
		return 3600, 0
	case "m":
		return 60, 0
	case "s":
		return 1, 0
	case "ms":
		return 0, 1e3
	case "us":
		return 0, 1e6
	case "ns":
		return 0, 1e9
	case "ps":
		return 0, 1e12
	case "fs":
		return 0, 1e15
	case "as":
		return 0, 1e18
	}
	return 0, 0
}
