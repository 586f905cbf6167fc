package pickleproto

import (
	"math"
	"math/big"
	"reflect"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Numbers, strings and bytes of Go.

func saveBool(e *encoder, _ *savePlan, v reflect.Value) error {
	e.saveBool(v.Bool())
	return nil
}

func saveInt(e *encoder, _ *savePlan, v reflect.Value) error {
	e.saveInt(v.Int())
	return nil
}

func saveUint(e *encoder, _ *savePlan, v reflect.Value) error {
	e.saveUint(v.Uint())
	return nil
}

func (e *encoder) saveUint(n uint64) {
	if n <= math.MaxInt64 {
		e.saveInt(int64(n))
	} else {
		e.saveBigInt(new(big.Int).SetUint64(n))
	}
}

func saveFloat(e *encoder, _ *savePlan, v reflect.Value) error {
	e.saveFloat(v.Float())
	return nil
}

func saveComplex(e *encoder, _ *savePlan, v reflect.Value) error {
	c := &Complex{real(v.Complex()), imag(v.Complex())}
	e.keep = append(e.keep, c)
	return e.saveComplex(c)
}

func saveString(e *encoder, _ *savePlan, v reflect.Value) error { return e.saveStr(v.String()) }

func saveBigInt(e *encoder, _ *savePlan, v reflect.Value) error {
	n := v.Interface().(big.Int)
	e.saveBigInt(&n)
	return nil
}

func saveByteSlice(e *encoder, _ *savePlan, v reflect.Value) error {
	if v.IsNil() {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
	return e.saveBytes(Bytes(stringOf(v.Bytes())))
}

func saveByteArray(e *encoder, p *savePlan, v reflect.Value) error {
	b := make([]byte, v.Len())
	reflect.Copy(reflect.ValueOf(b), v)
	s := Bytes(stringOf(b))
	e.keep = append(e.keep, s)
	return e.saveBytes(s)
}
