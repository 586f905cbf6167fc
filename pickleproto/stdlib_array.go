package pickleproto

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"
)

// Array is Python's array.array. Data is a slice of the fixed-size Go type that holds the items:
// []int8 (typecode b), []uint8 (B), []int16 (h), []uint16 (H), []int32 (i), []uint32 (I), []int64
// (l, q), []uint64 (L, Q), []float32 (f), []float64 (d), or a string of the characters (u, w).
// A typecode of 0 stands for the first of these that fits Data. An array that came from a machine
// whose l has 32 bits holds []int32 under l.
type Array struct {
	Typecode byte
	Data     any
}

// The machine format codes of array._array_reconstructor; the odd one of a pair is big-endian.
const (
	formatUint8, formatInt8         = 0, 1
	formatUint16, formatInt16       = 2, 4
	formatUint32, formatInt32       = 6, 8
	formatUint64, formatInt64       = 10, 12
	formatFloat32, formatFloat64    = 14, 16
	formatUTF16, formatUTF32        = 18, 20
	formatLast                      = 21
	typecodes                       = "bBuwhHiIlLqQfd"
	typecodeText, typecodeTextNewer = 'u', 'w'
)

// arrayFrom reads array._array_reconstructor(array, typecode, format, bytes), of protocol 3 and
// above, array(typecode, list), and array(typecode, bytes), which multiprocessing writes: bytes of
// which the pickle does not tell the machine. Taken for that of nearly all of them: little-endian,
// with an l of 64 bits.
func arrayFrom(in *instance) (any, error) {
	if !in.plain() {
		return nil, nil
	}
	if in.class.Name == "_array_reconstructor" {
		if len(in.args) == 4 {
			if b, ok := in.args[3].(Bytes); ok {
				if err := in.charge(len(b), 1); err != nil {
					return nil, err
				}
			}
		}
		return arrayFromBytes(in.args)
	}
	if len(in.args) == 0 || len(in.args) > 2 {
		return nil, badState("bad arguments")
	}
	code, err := typecodeOf(in.args[0])
	if err != nil || code == 0 {
		return nil, err
	}
	var items []any
	if len(in.args) == 2 {
		_, isText := in.args[1].(string)
		if b, ok := bytesOf(in.args[1]); ok && !isText {
			if err := in.charge(len(b), 1); err != nil {
				return nil, err
			}
			v, err := decodeArray(usualFormat(code), b)
			if err != nil {
				return nil, err
			}
			return &Array{Typecode: code, Data: v}, nil
		}
		l, ok := in.args[1].(*List)
		if !ok {
			return nil, nil
		}
		if err := in.charge(l.Len(), 8); err != nil {
			return nil, err
		}
		items = l.Items()
	}
	return arrayFromItems(code, items)
}

// usualFormat is the machine format of a typecode on most machines.
func usualFormat(code byte) int {
	switch code {
	case 'b':
		return formatInt8
	case 'B':
		return formatUint8
	case 'h':
		return formatInt16
	case 'H':
		return formatUint16
	case 'i':
		return formatInt32
	case 'I':
		return formatUint32
	case 'l', 'q':
		return formatInt64
	case 'L', 'Q':
		return formatUint64
	case 'f':
		return formatFloat32
	case 'd':
		return formatFloat64
	}
	return formatUTF32
}

// typecodeOf returns 0 for Python 2's typecode c, which has no Go type.
func typecodeOf(v any) (byte, error) {
	s, ok := textOf(v)
	if ok && s == "c" {
		return 0, nil
	}
	for i := range len(typecodes) {
		if ok && s == typecodes[i:i+1] {
			return s[0], nil
		}
	}
	return 0, badState("bad typecode")
}

func arrayFromBytes(args Tuple) (any, error) {
	if len(args) != 4 {
		return nil, badState("bad arguments")
	}
	class, ok := args[0].(Global)
	if !ok || class.Module != "array" || class.Name != "array" {
		return nil, nil // a subclass
	}
	code, err := typecodeOf(args[1])
	if err != nil || code == 0 {
		return nil, err
	}
	format, ok1 := intOf(args[2])
	data, ok2 := args[3].(Bytes)
	if !ok1 || !ok2 || format < 0 || format > formatLast {
		return nil, badState("bad machine format")
	}
	text := format >= formatUTF16
	if (code == typecodeText || code == typecodeTextNewer) != text {
		return nil, badState("the machine format is none of typecode %c", code)
	}
	v, err := decodeArray(int(format), string(data))
	if err != nil {
		return nil, err
	}
	return &Array{Typecode: code, Data: v}, nil
}

// decodeArray reads items of a machine format.
func decodeArray(format int, b string) (any, error) {
	var order binary.ByteOrder = binary.LittleEndian
	if format > formatInt8 && format%2 == 1 {
		order, format = binary.BigEndian, format-1
	}
	switch format {
	case formatUint8:
		return []uint8(b), nil
	case formatInt8:
		return unpack(b, 1, func(p []byte) int8 { return int8(p[0]) })
	case formatUint16:
		return unpack(b, 2, order.Uint16)
	case formatInt16:
		return unpack(b, 2, func(p []byte) int16 { return int16(order.Uint16(p)) })
	case formatUint32:
		return unpack(b, 4, order.Uint32)
	case formatInt32:
		return unpack(b, 4, func(p []byte) int32 { return int32(order.Uint32(p)) })
	case formatUint64:
		return unpack(b, 8, order.Uint64)
	case formatInt64:
		return unpack(b, 8, func(p []byte) int64 { return int64(order.Uint64(p)) })
	case formatFloat32:
		return unpack(b, 4, func(p []byte) float32 { return math.Float32frombits(order.Uint32(p)) })
	case formatFloat64:
		return unpack(b, 8, func(p []byte) float64 { return math.Float64frombits(order.Uint64(p)) })
	case formatUTF16:
		return utf16Text(b, order)
	case formatUTF32:
		return utf32Text(b, order)
	}
	return nil, badState("bad machine format")
}

func unpack[T any](b string, size int, item func([]byte) T) (any, error) {
	if len(b)%size != 0 {
		return nil, badState("the bytes are no whole number of items")
	}
	out := make([]T, len(b)/size)
	var buf [8]byte
	for i := range out {
		copy(buf[:], b[i*size:(i+1)*size])
		out[i] = item(buf[:])
	}
	return out, nil
}

func utf32Text(b string, order binary.ByteOrder) (any, error) {
	if len(b)%4 != 0 {
		return nil, badState("the bytes are no whole number of items")
	}
	out := make([]byte, 0, len(b)/4)
	var buf [4]byte
	for ; b != ""; b = b[4:] {
		copy(buf[:], b)
		c := order.Uint32(buf[:])
		if c > utf8.MaxRune {
			return nil, badState("a character beyond U+10FFFF")
		}
		out = appendChar(out, rune(c))
	}
	return string(out), nil
}

func utf16Text(b string, order binary.ByteOrder) (any, error) {
	if len(b)%2 != 0 {
		return nil, badState("the bytes are no whole number of items")
	}
	unit := func(i int) rune { return rune(order.Uint16([]byte{b[i], b[i+1]})) }
	out := make([]byte, 0, len(b)/2)
	for i := 0; i < len(b); i += 2 {
		c := unit(i)
		if c >= 0xd800 && c < 0xdc00 && i+3 < len(b) {
			if low := unit(i + 2); low >= 0xdc00 && low < 0xe000 {
				c = (c-0xd800)<<10 + (low - 0xdc00) + 0x10000
				i += 2
			}
		}
		out = appendChar(out, c)
	}
	return string(out), nil
}

func arrayFromItems(code byte, items []any) (any, error) {
	a := &Array{Typecode: code}
	var err error
	switch code {
	case 'b':
		a.Data, err = ints[int8](items)
	case 'B':
		a.Data, err = ints[uint8](items)
	case 'h':
		a.Data, err = ints[int16](items)
	case 'H':
		a.Data, err = ints[uint16](items)
	case 'i':
		a.Data, err = ints[int32](items)
	case 'I':
		a.Data, err = ints[uint32](items)
	case 'l', 'q':
		a.Data, err = ints[int64](items)
	case 'L', 'Q':
		out := make([]uint64, len(items))
		for i, v := range items {
			n, ok := bigOf(v)
			if !ok || !n.IsUint64() {
				return nil, badState("an item does not fit typecode %c", code)
			}
			out[i] = n.Uint64()
		}
		a.Data = out
	case 'f':
		out := make([]float32, len(items))
		for i, v := range items {
			f, ok := v.(float64)
			if !ok {
				return nil, badState("an item is no float")
			}
			out[i] = float32(f)
		}
		a.Data = out
	case 'd':
		out := make([]float64, len(items))
		for i, v := range items {
			f, ok := v.(float64)
			if !ok {
				return nil, badState("an item is no float")
			}
			out[i] = f
		}
		a.Data = out
	default:
		var text []byte
		for _, v := range items {
			s, ok := textOf(v)
			if _, n := nextChar(s); !ok || s == "" || n != len(s) {
				return nil, badState("an item is no character")
			}
			text = append(text, s...)
		}
		a.Data = string(text)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

func ints[T int8 | uint8 | int16 | uint16 | int32 | uint32 | int64](items []any) ([]T, error) {
	out := make([]T, len(items))
	for i, v := range items {
		n, ok := intOf(v)
		if !ok || int64(T(n)) != n {
			return nil, badState("an item does not fit its typecode")
		}
		out[i] = T(n)
	}
	return out, nil
}

// arrayClass is array.array: its two names are strs of their own, apart from the module's name of
// _array_reconstructor.
var arrayClass = Global{Module: strings.Clone("array"), Name: strings.Clone("array"), flags: distinctModule | distinctName}

// array writes a as CPython on 64-bit Linux and macOS does.
func (m *maker) array(a *Array) (*Object, error) {
	code, format, data, items, ok := arrayParts(a.Data, m.protocol < 3)
	if a.Typecode != 0 {
		allowed := map[byte]string{'b': "b", 'B': "B", 'h': "h", 'H': "H", 'i': "il", 'I': "IL", 'q': "ql", 'Q': "QL", 'u': "uw"}[code]
		if code == 'f' || code == 'd' {
			allowed = string(rune(code))
		}
		found := false
		for i := range len(allowed) {
			found = found || allowed[i] == a.Typecode
		}
		ok, code = ok && found, a.Typecode
	}
	if !ok {
		return nil, &TypeError{Offset: -1, Msg: "Array: Data is no slice that typecode " + string(rune(a.Typecode)) + " holds"}
	}
	if m.protocol < 3 {
		return reduce("array", "array", string(rune(code)), NewList(items...)), nil
	}
	return reduce("array", "_array_reconstructor", arrayClass, string(rune(code)), int64(format), Bytes(data)), nil
}

// arrayAsList returns array.array(typecode, list) for an array that a pickle of protocol 3 or above
// has as bytes of a machine format, which Python 2 does not know.
func arrayAsList(o *Object) (f Global, args Tuple, ok bool) {
	if g, isGlobal := o.Callable.(Global); !isGlobal || g.Module != "array" || g.Name != "_array_reconstructor" || o.How != ByReduce {
		return f, nil, false
	}
	args, ok = o.Args.(Tuple)
	if !ok {
		return f, nil, false
	}
	made, err := arrayFromBytes(args)
	a, ok := made.(*Array)
	if err != nil || !ok {
		return f, nil, false
	}
	m := maker{protocol: 2}
	list, err := m.array(a)
	if err != nil {
		return f, nil, false
	}
	return list.Callable.(Global), list.Args.(Tuple), true
}

// arrayParts returns the typecode that fits the data, and the items either as a list's or as bytes
// of a machine format.
func arrayParts(data any, list bool) (code byte, format int, b []byte, items []any, ok bool) {
	le := binary.LittleEndian
	switch s := data.(type) {
	case []int8:
		b, items = pack(s, list, func(b []byte, v int8) []byte { return append(b, byte(v)) }, func(v int8) any { return int64(v) })
		return 'b', formatInt8, b, items, true
	case []uint8:
		b, items = pack(s, list, func(b []byte, v uint8) []byte { return append(b, v) }, func(v uint8) any { return int64(v) })
		return 'B', formatUint8, b, items, true
	case []int16:
		b, items = pack(s, list, func(b []byte, v int16) []byte { return le.AppendUint16(b, uint16(v)) }, func(v int16) any { return int64(v) })
		return 'h', formatInt16, b, items, true
	case []uint16:
		b, items = pack(s, list, le.AppendUint16, func(v uint16) any { return int64(v) })
		return 'H', formatUint16, b, items, true
	case []int32:
		b, items = pack(s, list, func(b []byte, v int32) []byte { return le.AppendUint32(b, uint32(v)) }, func(v int32) any { return int64(v) })
		return 'i', formatInt32, b, items, true
	case []uint32:
		b, items = pack(s, list, le.AppendUint32, func(v uint32) any { return int64(v) })
		return 'I', formatUint32, b, items, true
	case []int64:
		b, items = pack(s, list, func(b []byte, v int64) []byte { return le.AppendUint64(b, uint64(v)) }, func(v int64) any { return v })
		return 'q', formatInt64, b, items, true
	case []uint64:
		b, items = pack(s, list, le.AppendUint64, uint64Value)
		return 'Q', formatUint64, b, items, true
	case []float32:
		b, items = pack(s, list, func(b []byte, v float32) []byte { return le.AppendUint32(b, math.Float32bits(v)) }, func(v float32) any { return float64(v) })
		return 'f', formatFloat32, b, items, true
	case []float64:
		b, items = pack(s, list, func(b []byte, v float64) []byte { return le.AppendUint64(b, math.Float64bits(v)) }, func(v float64) any { return v })
		return 'd', formatFloat64, b, items, true
	case string:
		for rest := s; rest != ""; {
			c, n := nextChar(rest)
			if list {
				items = append(items, rest[:n])
			} else {
				b = le.AppendUint32(b, uint32(c))
			}
			rest = rest[n:]
		}
		return 'u', formatUTF32, b, items, true
	}
	return 0, 0, nil, nil, false
}

func pack[T any](s []T, list bool, bytes func([]byte, T) []byte, item func(T) any) (b []byte, items []any) {
	if list {
		items = make([]any, len(s))
		for i, v := range s {
			items[i] = item(v)
		}
		return nil, items
	}
	for _, v := range s {
		b = bytes(b, v)
	}
	return b, nil
}
