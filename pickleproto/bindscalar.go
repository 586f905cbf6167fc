package pickleproto

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
)

// Numbers, strings and bytes, from Python values into Go variables.

// keepString copies a string that may lie in the message, so that it keeps nothing else alive. A
// string that Python shares is copied once.
func (b *binder) keepString(s string) (string, error) {
	if b.c.lend || b.c.copyStrings || len(s) == 0 {
		return s, nil
	}
	const short = 32 // below, the map costs more than the copy
	if len(s) > short {
		id := stringID{stringAddress(s), len(s)}
		if kept, ok := b.strings[id]; ok {
			return kept, nil
		}
		if err := b.take(int64(len(s))); err != nil {
			return "", err
		}
		kept := strings.Clone(s)
		if b.strings == nil {
			b.strings = map[stringID]string{}
		}
		b.strings[id] = kept
		return kept, nil
	}
	return strings.Clone(s), b.take(int64(len(s)))
}

func bindInteger(x any, v reflect.Value, p *typePlan) (ok bool, err error) {
	var n int64
	switch x := x.(type) {
	case int64:
		n = x
	case Int:
		n = int64(x)
	case Long:
		n = int64(x)
	case *big.Int:
		if p.kind == bindUint && x.IsUint64() && !v.OverflowUint(x.Uint64()) {
			v.SetUint(x.Uint64())
			return true, nil
		}
		if p.kind == bindInt && x.IsInt64() && !v.OverflowInt(x.Int64()) {
			v.SetInt(x.Int64())
			return true, nil
		}
		return false, overflow(x, p.t)
	default:
		return false, nil
	}
	switch {
	case p.kind == bindInt && !v.OverflowInt(n):
		v.SetInt(n)
	case p.kind == bindUint && n >= 0 && !v.OverflowUint(uint64(n)):
		v.SetUint(uint64(n))
	default:
		return false, overflow(x, p.t)
	}
	return true, nil
}

func overflow(x any, t reflect.Type) error {
	text := fmt.Sprint(x)
	if n, ok := x.(*big.Int); ok && n.BitLen() > 128 {
		text = fmt.Sprintf("of %d bits", n.BitLen())
	}
	return &bindError{err: TypeError{Python: pythonType(x), Go: t, Offset: -1,
		Msg: fmt.Sprintf("Python %s %s overflows Go %v", pythonType(x), text, t)}}
}

// bindFloating takes floats, and ints that a float holds exactly.
func bindFloating(x any, v reflect.Value, p *typePlan) (ok bool, err error) {
	var f float64
	switch x := x.(type) {
	case float64:
		if v.OverflowFloat(x) {
			return false, &bindError{err: TypeError{Python: "float", Go: p.t, Offset: -1,
				Msg: fmt.Sprintf("Python float %v overflows Go %v", x, p.t)}}
		}
		v.SetFloat(x)
		return true, nil
	case int64, Int, Long, *big.Int:
		n, _ := integerOf(x)
		if n.BitLen() <= 1024 {
			var accuracy big.Accuracy
			f, accuracy = new(big.Float).SetInt(n).Float64()
			if accuracy == big.Exact && (p.t.Kind() == reflect.Float64 || float64(float32(f)) == f) && !math.IsInf(f, 0) {
				v.SetFloat(f)
				return true, nil
			}
		}
		return false, mismatchf(x, p.t, "it does not hold this int exactly")
	}
	return false, nil
}

func integerOf(x any) (*big.Int, bool) {
	switch x := x.(type) {
	case int64:
		return big.NewInt(x), true
	case Int:
		return big.NewInt(int64(x)), true
	case Long:
		return big.NewInt(int64(x)), true
	case *big.Int:
		return x, true
	}
	return nil, false
}

// binaryOf returns the content of Python's binary types.
func binaryOf(x any) (s string, data []byte, ok bool) {
	switch x := x.(type) {
	case Bytes:
		return string(x), nil, true
	case ByteString:
		return string(x), nil, true
	case *ByteArray:
		return "", x.Data, true
	case *Buffer:
		return "", x.Data, x.Data != nil
	case *Object:
		// Up to 3.7, and below protocol 3, a bytearray is bytearray(text, 'latin-1').
		in, isInstance := instanceOf(x)
		if isInstance && in.class == (Global{Module: "builtins", Name: "bytearray"}) && in.plain() && len(in.args) == 2 {
			if encoding, isText := textOf(in.args[1]); isText && encoding == "latin-1" {
				s, ok = bytesOf(in.args[0])
				return s, nil, ok
			}
		}
	}
	return "", nil, false
}

func (b *binder) bindBytes(x any, v reflect.Value, p *typePlan) (ok bool, err error) {
	s, data, ok := binaryOf(x)
	if !ok {
		return false, nil
	}
	known, key, shared := b.known(x, p.t)
	if shared {
		v.Set(known)
		return true, nil
	}
	n := len(s) + len(data)
	if err := b.take(int64(n)); err != nil {
		return false, err
	}
	if data == nil {
		data = textBytes(s)
	}
	kept := cloneLong(data)
	v.SetBytes(kept)
	b.share(key, keepValue(v))
	return true, nil
}

// keepValue returns v's value apart from the variable, which goes on to change.
func keepValue(v reflect.Value) reflect.Value {
	kept := reflect.New(v.Type()).Elem()
	kept.Set(v)
	return kept
}
