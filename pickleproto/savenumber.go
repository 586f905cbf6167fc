package pickleproto

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"strconv"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Writing numbers.

func (e *encoder) saveBool(v bool) {
	switch {
	case e.proto >= 2 && v:
		e.buf = append(e.buf, wire.OpNewTrue)
	case e.proto >= 2:
		e.buf = append(e.buf, wire.OpNewFalse)
	case v:
		e.buf = append(e.buf, "I01\n"...)
	default:
		e.buf = append(e.buf, "I00\n"...)
	}
}

func (e *encoder) saveInt(n int64) {
	switch {
	case !e.bin:
		if n == int64(int32(n)) {
			e.buf = append(strconv.AppendInt(append(e.buf, wire.OpInt), n, 10), '\n')
		} else {
			e.buf = append(strconv.AppendInt(append(e.buf, wire.OpLong), n, 10), 'L', '\n')
		}
	case uint64(n) <= 0xff:
		e.buf = append(e.buf, wire.OpBinInt1, byte(n))
	case uint64(n) <= 0xffff:
		e.buf = append(e.buf, wire.OpBinInt2, byte(n), byte(n>>8))
	case n == int64(int32(n)):
		e.buf = append(e.buf, wire.OpBinInt, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	case e.proto >= 2:
		e.saveLong1(n)
	default:
		e.buf = append(strconv.AppendInt(append(e.buf, wire.OpLong), n, 10), 'L', '\n')
	}
}

// saveLong1 writes LONG1 with as few bytes as two's complement needs.
func (e *encoder) saveLong1(n int64) {
	k := 8
	for k > 1 {
		top := int8(n >> (8 * (k - 1)))
		if next := int8(n >> (8 * (k - 2))); top != next>>7 {
			break
		}
		k--
	}
	e.buf = append(e.buf, wire.OpLong1, byte(k))
	for i := range k {
		e.buf = append(e.buf, byte(n>>(8*i)))
	}
}

func (e *encoder) saveLong(v Long) {
	switch {
	case e.proto < 2:
		e.buf = append(strconv.AppendInt(append(e.buf, wire.OpLong), int64(v), 10), 'L', '\n')
	case v == 0:
		e.buf = append(e.buf, wire.OpLong1, 0)
	default:
		e.saveLong1(int64(v))
	}
}

func (e *encoder) saveBigInt(v *big.Int) {
	if v.IsInt64() {
		e.saveInt(v.Int64())
		return
	}
	n := v.BitLen()>>3 + 1
	if e.proto < 2 {
		e.checkDigits(float64(v.BitLen()-1) * math.Log10(2)) // before the work, as CPython does
		start := len(e.buf)
		e.buf = append(v.Append(append(e.buf, wire.OpLong), 10), 'L', '\n')
		e.checkDigits(float64(len(bytes.TrimPrefix(e.buf[start+1:], []byte("-"))) - 2))
		return
	}
	if int64(n) > e.c.limits.IntSize+1 || int64(n) > e.c.limits.IntSize && bigSize(v) > e.c.limits.IntSize {
		panic(bail{&LimitError{Limit: "int size", Value: uint64(bigSize(v)), Max: uint64(e.c.limits.IntSize), Offset: -1}})
	}
	b := make([]byte, n)
	if v.Sign() > 0 {
		v.FillBytes(b)
	} else {
		w := new(big.Int).Not(v)
		w.FillBytes(b)
		for i := range b {
			b[i] = ^b[i]
		}
		// One byte too many, when the magnitude is exactly a power of 2 that fits.
		if n > 1 && b[0] == 0xff && b[1]&0x80 != 0 {
			b = b[1:]
			n--
		}
	}
	if n < 256 {
		e.buf = append(e.buf, wire.OpLong1, byte(n))
	} else {
		e.buf = binary.LittleEndian.AppendUint32(append(e.buf, wire.OpLong4), uint32(n))
	}
	for i := n - 1; i >= 0; i-- {
		e.buf = append(e.buf, b[i])
	}
}

// bigSize is the number of bytes that v has in two's complement.
func bigSize(v *big.Int) int64 {
	bits := v.BitLen()
	if v.Sign() < 0 {
		bits = new(big.Int).Not(v).BitLen()
	}
	return int64(bits>>3 + 1)
}

func (e *encoder) checkDigits(n float64) {
	if n > float64(e.c.limits.Digits) {
		panic(bail{&LimitError{Limit: "digits", Value: uint64(math.Ceil(n)), Max: uint64(e.c.limits.Digits), Offset: -1, Opcode: "LONG"}})
	}
}

func (e *encoder) saveFloat(f float64) {
	if e.bin {
		x := math.Float64bits(f)
		e.buf = append(e.buf, wire.OpBinFloat, byte(x>>56), byte(x>>48), byte(x>>40), byte(x>>32), byte(x>>24), byte(x>>16), byte(x>>8), byte(x))
		return
	}
	e.buf = append(appendFloatRepr(append(e.buf, wire.OpFloat), f), '\n')
}

func (e *encoder) saveComplex(v *Complex) error {
	address, tag := addressOf(v), memoTag(0, kindPointer)
	if index, ok := e.memo.find(address, tag); ok {
		e.memoGet(index)
		return nil
	}
	if err := e.saveGlobal(globalComplex, 0); err != nil {
		return err
	}
	if e.proto < 2 {
		e.buf = append(e.buf, wire.OpMark)
	}
	e.saveFloat(v.Real)
	e.saveFloat(v.Imag)
	e.closeTuple(2)
	e.buf = append(e.buf, wire.OpReduce)
	index, _ := e.memo.findOrAdd(address, tag)
	e.memoPut(index)
	return nil
}
