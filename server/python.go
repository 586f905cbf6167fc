package server

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// What Python's `d[key]`, `for x in v` and `x + 1` do with the values of a pickle. The words of
// the errors are those of CPython 3.13.

// subscript is v[key] for a key of type str.
func subscript(v, key any) (any, error) {
	switch v := v.(type) {
	case *pickleproto.Dict:
		if x, ok := v.Get(key); ok {
			return x, nil
		}
		return nil, python.KeyError(key)
	case *pickleproto.List, pickleproto.Tuple, *pickleproto.ByteArray:
		return nil, python.TypeError("%s indices must be integers or slices, not str", python.TypeName(v))
	case pickleproto.Bytes:
		return nil, python.TypeError("byte indices must be integers or slices, not str")
	case string, pickleproto.ByteString:
		return nil, python.TypeError("string indices must be integers, not 'str'")
	case pickleproto.Global:
		return nil, python.TypeError("type '%s' is not subscriptable", v.Name)
	case *pickleproto.Object:
		return subscriptObject(v, key)
	}
	return nil, python.TypeError("'%s' object is not subscriptable", python.TypeName(v))
}

func subscriptObject(o *pickleproto.Object, key any) (any, error) {
	if b := python.ByteArrayOf(o); b != nil {
		return subscript(b, key)
	}
	switch class, _ := python.ClassOf(o); class {
	case "collections.OrderedDict", "collections.defaultdict", "collections.Counter":
		pairs, err := python.Pairs(o)
		if err != nil {
			return nil, err
		}
		if x, ok := pairs.Get(key); ok {
			return x, nil
		}
		switch {
		case class == "collections.Counter":
			return int64(0), nil
		case class == "collections.defaultdict" && len(python.ArgsOf(o)) > 0 && python.ArgsOf(o)[0] != nil:
			return madeBy(python.ArgsOf(o)[0])
		}
		return nil, python.KeyError(key)
	case "collections.deque":
		return nil, python.TypeError("sequence index must be integer, not 'str'")
	case "builtins.range", "__builtin__.xrange":
		return nil, python.TypeError("range indices must be integers or slices, not str")
	case "array.array":
		return nil, python.TypeError("array indices must be integers")
	}
	return nil, python.TypeError("'%s' object is not subscriptable", python.TypeName(o))
}

// madeBy is what the factory of a defaultdict makes, which is called without arguments.
func madeBy(factory any) (any, error) {
	g, _ := factory.(pickleproto.Global)
	if g.Module == "builtins" || g.Module == "__builtin__" {
		switch g.Name {
		case "list", "tuple", "dict", "set", "frozenset", "str", "bytes", "bytearray":
			return pickleproto.Tuple{}, nil // only its having no items is seen
		case "int":
			return int64(0), nil
		case "float":
			return 0.0, nil
		}
	}
	return nil, fmt.Errorf("the factory of a defaultdict is called by Python only")
}

// itemsOf returns the items of v, as far as addOne needs them.
func itemsOf(v any) ([]any, error) {
	switch v := v.(type) {
	case string:
		return firstOfText(v), nil
	case pickleproto.ByteString:
		return firstOfText(string(v)), nil
	}
	return python.Iterate(v)
}

// firstOfText returns no more than the first character, since adding 1 to that already fails.
func firstOfText(s string) []any {
	if s == "" {
		return nil
	}
	return []any{s}
}

// addOne is v + 1.
func addOne(v any) (any, error) {
	switch v := v.(type) {
	case int64:
		if v == 1<<63-1 {
			return addBig(big.NewInt(v)), nil
		}
		return v + 1, nil
	case *big.Int:
		return addBig(v), nil
	case pickleproto.Long:
		return int64(v) + 1, nil
	case pickleproto.Int:
		return addOne(int64(v))
	case bool:
		if v {
			return int64(2), nil
		}
		return int64(1), nil
	case float64:
		return v + 1, nil
	case *pickleproto.Complex:
		return &pickleproto.Complex{Real: v.Real + 1, Imag: v.Imag + 0}, nil // 1 is 1+0j, and so -0.0 becomes 0.0
	case string, *pickleproto.List, pickleproto.Tuple:
		name := python.TypeName(v)
		return nil, python.TypeError(`can only concatenate %s (not "int") to %s`, name, name)
	case pickleproto.ByteString:
		return nil, python.TypeError(`can only concatenate str (not "int") to str`)
	case pickleproto.Bytes, *pickleproto.ByteArray:
		return nil, python.TypeError("can't concat int to %s", python.TypeName(v))
	case *pickleproto.Object:
		if b := python.ByteArrayOf(v); b != nil {
			return addOne(b)
		}
		switch class, args := python.ClassOf(v); class {
		case "decimal.Decimal":
			return decimalPlusOne(v, args)
		case "fractions.Fraction":
			return fractionPlusOne(v, args)
		case "collections.deque":
			return nil, python.TypeError(`can only concatenate deque (not "int") to deque`)
		case "array.array":
			return nil, python.TypeError(`can only append array (not "int") to array`)
		}
	}
	return nil, python.TypeError("unsupported operand type(s) for +: '%s' and 'int'", python.TypeName(v))
}

// addBig keeps the rule of the value model that what fits an int64 is one.
func addBig(v *big.Int) any {
	sum := new(big.Int).Add(v, big.NewInt(1))
	if sum.IsInt64() {
		return sum.Int64()
	}
	return sum
}

// fractionPlusOne is Fraction + 1, in the form in which the fraction was written: of a text up to
// 3.11, of two ints since.
func fractionPlusOne(o *pickleproto.Object, args pickleproto.Tuple) (any, error) {
	malformed := pickleproto.NewException("ValueError", "Invalid literal for Fraction")
	switch len(args) {
	case 1:
		s, ok := args[0].(string)
		if b, isBytes := args[0].(pickleproto.ByteString); isBytes {
			s, ok = string(b), true
		}
		if !ok || len(s) > pickleproto.DefaultMaxDigits || strings.ContainsAny(s, "eE.xX_pP") {
			return nil, malformed
		}
		r, ok := new(big.Rat).SetString(s)
		if !ok {
			return nil, malformed
		}
		r.Add(r, big.NewRat(1, 1))
		return remade(o, r.RatString()), nil
	case 2:
		n, ok1 := asBig(args[0])
		d, ok2 := asBig(args[1])
		if !ok1 || !ok2 || d.Sign() <= 0 {
			return nil, malformed
		}
		return remade(o, normal(new(big.Int).Add(n, d)), args[1]), nil
	}
	return nil, malformed
}

func asBig(v any) (*big.Int, bool) {
	switch v := v.(type) {
	case int64:
		return big.NewInt(v), true
	case *big.Int:
		return v, true
	}
	return nil, false
}

func normal(n *big.Int) any {
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

// remade is a new instance of o's class with other arguments.
func remade(o *pickleproto.Object, args ...any) *pickleproto.Object {
	return &pickleproto.Object{How: o.How, Callable: o.Callable, Args: pickleproto.Tuple(args)}
}
