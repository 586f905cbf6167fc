package managers

import (
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// What makes a List with a typecode an array.array: its items are of one kind.

// arrayKinds are the typecodes of integers, by the words in which Python says that one is too
// large, and their range.
var arrayKinds = map[string]struct {
	name string // "" where Python has other words
	bits uint
	sign bool
}{
	"b": {"signed char", 8, true}, "B": {"unsigned byte integer", 8, false},
	"h": {"signed short integer", 16, true}, "H": {"unsigned short", 16, false},
	"i": {"signed integer", 32, true}, "I": {"", 32, false},
	"l": {"", 64, true}, "L": {"", 64, false}, "q": {"", 64, true}, "Q": {"", 64, false},
}

// newArray is array.array(typecode, items).
func newArray(typecode string, items []any) (*List, error) {
	if !strings.Contains("bBuhHiIlLqQfdw", typecode) {
		return nil, python.ValueError("bad typecode (must be b, B, u, h, H, i, I, l, L, q, Q, f or d)")
	}
	l := &List{typecode: typecode, items: make([]any, len(items))}
	for i, x := range items {
		var err error
		if l.items[i], err = l.item(x); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// item makes of x what the array holds.
func (l *List) item(x any) (any, error) {
	switch l.typecode {
	case "":
		return x, nil
	case "f", "d":
		f, ok := floatOf(x)
		if !ok {
			return nil, python.TypeError("must be real number, not %s", python.TypeName(x))
		}
		if l.typecode == "f" {
			f = float64(float32(f))
		}
		return f, nil
	case "u", "w":
		if s, ok := x.(string); ok && utf8.RuneCountInString(s) == 1 {
			return s, nil
		}
		return nil, python.TypeError("array item must be a unicode character, not %s", python.TypeName(x))
	}
	n := asInteger(x)
	if n == nil {
		return nil, python.TypeError("'%s' object cannot be interpreted as an integer", python.TypeName(x))
	}
	k := arrayKinds[l.typecode]
	low, high := new(big.Int), new(big.Int).Lsh(big.NewInt(1), k.bits)
	if k.sign {
		high.Rsh(high, 1)
		low.Neg(high)
	}
	fault := ""
	switch below, above := n.Cmp(low) < 0, n.Cmp(high) >= 0; {
	case below && k.name != "":
		fault = k.name + " is less than minimum"
	case above && k.name != "":
		fault = k.name + " is greater than maximum"
	case below && !k.sign:
		fault = "can't convert negative value to unsigned int"
	case below, above:
		fault = "int too big to convert"
	}
	if fault != "" {
		return nil, pickleproto.NewException("OverflowError", fault)
	}
	if n.IsInt64() {
		return n.Int64(), nil
	}
	return n, nil
}

// asInteger is what Python's operator.index makes of x; nil if it is no integer.
func asInteger(x any) *big.Int {
	if n, ok := x.(*big.Int); ok {
		return n
	}
	n, ok := index(x)
	if !ok {
		return nil
	}
	return big.NewInt(int64(n))
}

// slice is what may take the place of a slice of the array: an array of the same typecode.
func (l *List) slice(v any) ([]any, error) {
	var from pickleproto.Array
	o, ok := v.(*pickleproto.Object)
	if !ok || pickleproto.Bind(o, &from) != nil {
		return nil, python.TypeError("can only assign array (not \"%s\") to array slice", python.TypeName(v))
	}
	if string(from.Typecode) != l.typecode {
		return nil, python.TypeError("bad argument type for built-in operation")
	}
	return python.Iterate(v)
}

// arrayOf is array.array(typecode, from) as a Python value.
func arrayOf(typecode string, from any) any {
	return &pickleproto.Object{
		How: pickleproto.ByReduce, Callable: pickleproto.Global{Module: "array", Name: "array"},
		Args: pickleproto.Tuple{pickleproto.ByteString(typecode), from},
	}
}
