package server

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// What Python's `d[key]`, `for x in v` and `x + 1` do with the values of a pickle. The words of
// the errors are those of CPython 3.13.

// maxRange is the number of items of a range that iterate makes: a pickle of 40 bytes can name
// one that no memory holds.
const maxRange = 1_000_000

// subscript is v[key] for a key of type str.
func subscript(v any, key string) (any, error) {
	switch v := v.(type) {
	case *pickleproto.Dict:
		if x, ok := v.Get(key); ok {
			return x, nil
		}
		return nil, keyError(key)
	case *pickleproto.List, pickleproto.Tuple, *pickleproto.ByteArray:
		return nil, typeError("%s indices must be integers or slices, not str", typeName(v))
	case pickleproto.Bytes:
		return nil, typeError("byte indices must be integers or slices, not str")
	case string, pickleproto.ByteString:
		return nil, typeError("string indices must be integers, not 'str'")
	case pickleproto.Global:
		return nil, typeError("type '%s' is not subscriptable", v.Name)
	case *pickleproto.Object:
		return subscriptObject(v, key)
	}
	return nil, typeError("'%s' object is not subscriptable", typeName(v))
}

func subscriptObject(o *pickleproto.Object, key string) (any, error) {
	if b := byteArrayOf(o); b != nil {
		return subscript(b, key)
	}
	switch class, _ := classOf(o); class {
	case "collections.OrderedDict", "collections.defaultdict", "collections.Counter":
		pairs, err := pairsOf(o)
		if err != nil {
			return nil, err
		}
		if x, ok := pairs.Get(key); ok {
			return x, nil
		}
		switch {
		case class == "collections.Counter":
			return int64(0), nil
		case class == "collections.defaultdict" && len(argsOf(o)) > 0 && argsOf(o)[0] != nil:
			return madeBy(argsOf(o)[0])
		}
		return nil, keyError(key)
	case "collections.deque":
		return nil, typeError("sequence index must be integer, not 'str'")
	case "builtins.range", "__builtin__.xrange":
		return nil, typeError("range indices must be integers or slices, not str")
	case "array.array":
		return nil, typeError("array indices must be integers")
	}
	return nil, typeError("'%s' object is not subscriptable", typeName(o))
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

// iterate returns the items of v.
func iterate(v any) ([]any, error) {
	switch v := v.(type) {
	case *pickleproto.List:
		return v.Items(), nil
	case pickleproto.Tuple:
		return v, nil
	case *pickleproto.Dict:
		items := make([]any, 0, v.Len())
		for k := range v.All() {
			items = append(items, k)
		}
		return items, nil
	case *pickleproto.Set:
		items := make([]any, 0, v.Len())
		for x := range v.All() {
			items = append(items, x)
		}
		return items, nil
	case *pickleproto.FrozenSet:
		items := make([]any, 0, v.Len())
		for x := range v.All() {
			items = append(items, x)
		}
		return items, nil
	case string:
		return firstOfText(v), nil
	case pickleproto.ByteString:
		return firstOfText(string(v)), nil
	case pickleproto.Bytes:
		return bytesItems([]byte(v)), nil
	case *pickleproto.ByteArray:
		return bytesItems(v.Data), nil
	case *pickleproto.Object:
		return iterateObject(v)
	}
	return nil, typeError("'%s' object is not iterable", typeName(v))
}

// firstOfText returns no more than the first character, since adding 1 to that already fails.
func firstOfText(s string) []any {
	if s == "" {
		return nil
	}
	return []any{s}
}

func bytesItems(b []byte) []any {
	items := make([]any, len(b))
	for i, x := range b {
		items[i] = int64(x)
	}
	return items
}

func iterateObject(o *pickleproto.Object) ([]any, error) {
	if b := byteArrayOf(o); b != nil {
		return iterate(b)
	}
	class, args := classOf(o)
	switch class {
	case "collections.OrderedDict", "collections.defaultdict", "collections.Counter":
		pairs, err := pairsOf(o)
		if err != nil {
			return nil, err
		}
		return iterate(pairs)
	case "collections.deque":
		var items []any
		if len(args) > 0 { // Python 2 gives the items as an argument
			first, err := iterate(args[0])
			if err != nil {
				return nil, err
			}
			items = append(items, first...)
		}
		for _, op := range o.Ops {
			if op.Kind == pickleproto.OpAppends {
				items = append(items, op.Items...)
			}
		}
		return items, nil
	case "array.array", "array._array_reconstructor":
		return arrayItems(o, args)
	case "builtins.iter", "__builtin__.iter":
		return iteratorItems(o, args)
	case "builtins.range", "__builtin__.xrange":
		return rangeItems(args)
	}
	return nil, typeError("'%s' object is not iterable", typeName(o))
}

// arrayItems are the items of an array: written as a list by protocol 2 and below, else as the
// machine's bytes.
func arrayItems(o *pickleproto.Object, args pickleproto.Tuple) ([]any, error) {
	if len(args) == 2 {
		if l, ok := args[1].(*pickleproto.List); ok {
			return l.Items(), nil
		}
	}
	var ints []int64
	if pickleproto.Bind(o, &ints) == nil {
		return pickleproto.NewIntList(ints).Items(), nil
	}
	var floats []float64
	if pickleproto.Bind(o, &floats) == nil {
		return pickleproto.NewFloatList(floats).Items(), nil
	}
	return nil, fmt.Errorf("an array.array of this type code is understood by Python only")
}

// iteratorItems are the items that an iterator over a builtin has left: iter(container), and the
// place where it stands as its state. Iterators over dicts and sets are written as ones over a
// list.
func iteratorItems(o *pickleproto.Object, args pickleproto.Tuple) ([]any, error) {
	if len(args) != 1 {
		return nil, typeError("'%s' object is not iterable", typeName(o))
	}
	items, err := iterate(args[0])
	if err != nil {
		return nil, err
	}
	for _, op := range o.Ops {
		if op.Kind != pickleproto.OpBuild {
			continue
		}
		if at, ok := smallInt(op.Items[0]); ok {
			items = items[min(max(at, 0), int64(len(items))):]
		}
	}
	return items, nil
}

// byteArrayOf is a bytearray as Python up to 3.7 writes it, bytearray(text, 'latin-1'); nil for
// anything else.
func byteArrayOf(o *pickleproto.Object) *pickleproto.ByteArray {
	class, args := classOf(o)
	if class != "builtins.bytearray" && class != "__builtin__.bytearray" || len(args) != 2 {
		return nil
	}
	text, ok := args[0].(string)
	if !ok {
		return nil
	}
	data := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil
		}
		data = append(data, byte(r))
	}
	return &pickleproto.ByteArray{Data: data}
}

// smallInt is an int of at most 64 bits. Python 3.6 writes each int as a long at protocol 0.
func smallInt(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case pickleproto.Long:
		return int64(v), true
	case pickleproto.Int:
		return int64(v), true
	}
	return 0, false
}

func rangeItems(args pickleproto.Tuple) ([]any, error) {
	bounds := [3]int64{0, 0, 1}
	for i, a := range args {
		n, ok := smallInt(a)
		if !ok || i > 2 {
			return nil, fmt.Errorf("a range of more than 64 bits")
		}
		bounds[i] = n
	}
	if len(args) == 1 {
		bounds[0], bounds[1] = 0, bounds[0]
	}
	start, stop, step := bounds[0], bounds[1], bounds[2]
	if step == 0 {
		return nil, pickleproto.NewException("ValueError", "range() arg 3 must not be zero")
	}
	length := uint64(0) // as Python's len()
	switch {
	case step > 0 && start < stop:
		length = (uint64(stop)-uint64(start)-1)/uint64(step) + 1
	case step < 0 && start > stop:
		length = (uint64(start)-uint64(stop)-1)/-uint64(step) + 1
	}
	if length > maxRange {
		return nil, fmt.Errorf("a range of %d items, more than %d", length, maxRange)
	}
	items := make([]any, length)
	for i := range items {
		items[i] = start + int64(i)*step
	}
	return items, nil
}

// pairsOf makes a dict of what a subclass of dict was filled with.
func pairsOf(o *pickleproto.Object) (*pickleproto.Dict, error) {
	d := pickleproto.NewDict()
	_, args := classOf(o)
	for _, a := range args {
		switch a := a.(type) {
		case *pickleproto.Dict: // Counter({...})
			for k, v := range a.All() {
				if err := d.Set(k, v); err != nil {
					return nil, err
				}
			}
		case *pickleproto.List: // Python 2: OrderedDict([[k, v], ...])
			for _, pair := range a.Items() {
				kv, err := iterate(pair)
				if err != nil || len(kv) != 2 {
					return nil, typeError("cannot convert dictionary update sequence element to a sequence")
				}
				if err := d.Set(kv[0], kv[1]); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, op := range o.Ops {
		if op.Kind != pickleproto.OpSetItems {
			continue
		}
		for i := 0; i+1 < len(op.Items); i += 2 {
			if err := d.Set(op.Items[i], op.Items[i+1]); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
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
		name := typeName(v)
		return nil, typeError(`can only concatenate %s (not "int") to %s`, name, name)
	case pickleproto.ByteString:
		return nil, typeError(`can only concatenate str (not "int") to str`)
	case pickleproto.Bytes, *pickleproto.ByteArray:
		return nil, typeError("can't concat int to %s", typeName(v))
	case *pickleproto.Object:
		if b := byteArrayOf(v); b != nil {
			return addOne(b)
		}
		switch class, args := classOf(v); class {
		case "decimal.Decimal":
			return decimalPlusOne(v, args)
		case "fractions.Fraction":
			return fractionPlusOne(v, args)
		case "collections.deque":
			return nil, typeError(`can only concatenate deque (not "int") to deque`)
		case "array.array":
			return nil, typeError(`can only append array (not "int") to array`)
		}
	}
	return nil, typeError("unsupported operand type(s) for +: '%s' and 'int'", typeName(v))
}

// addBig keeps the rule of the value model that what fits an int64 is one.
func addBig(v *big.Int) any {
	sum := new(big.Int).Add(v, big.NewInt(1))
	if sum.IsInt64() {
		return sum.Int64()
	}
	return sum
}

// typeName is what Python's errors call the type of v.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int, pickleproto.Long, pickleproto.Int:
		return "int"
	case float64:
		return "float"
	case *pickleproto.Complex:
		return "complex"
	case string, pickleproto.ByteString:
		return "str"
	case pickleproto.Bytes:
		return "bytes"
	case *pickleproto.ByteArray:
		return "bytearray"
	case *pickleproto.List:
		return "list"
	case pickleproto.Tuple:
		return "tuple"
	case *pickleproto.Dict:
		return "dict"
	case *pickleproto.Set:
		return "set"
	case *pickleproto.FrozenSet:
		return "frozenset"
	case pickleproto.Global:
		return "type"
	case *pickleproto.Object:
		return objectTypeName(v)
	}
	return "object"
}

// objectTypeName is __name__ of a class written in Python; one written in C has its module's name
// before it.
func objectTypeName(o *pickleproto.Object) string {
	class, _ := classOf(o)
	module, name, _ := strings.Cut(class, ".")
	if strings.Contains(" datetime decimal array ", " "+module+" ") ||
		class == "collections.deque" || class == "collections.OrderedDict" || class == "collections.defaultdict" {
		return class
	}
	if module == "__builtin__" && name == "xrange" {
		return "range"
	}
	return name[strings.LastIndexByte(name, '.')+1:]
}

// classOf returns an instance's class as module and name, and the arguments that it was made with.
func classOf(o *pickleproto.Object) (string, pickleproto.Tuple) {
	class, args := o.Callable, argsOf(o)
	if g, ok := class.(pickleproto.Global); ok && len(args) > 0 &&
		(g.Module == "copyreg" || g.Module == "copy_reg") && (g.Name == "_reconstructor" || g.Name == "__newobj__") {
		class, args = args[0], args[1:]
	}
	g, ok := class.(pickleproto.Global)
	if !ok {
		return "builtins.object", nil
	}
	return g.Module + "." + g.Name, args
}

func argsOf(o *pickleproto.Object) pickleproto.Tuple {
	args, _ := o.Args.(pickleproto.Tuple)
	return args
}

func typeError(format string, args ...any) error {
	return pickleproto.NewException("TypeError", fmt.Sprintf(format, args...))
}

func keyError(key string) error { return pickleproto.NewException("KeyError", key) }

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
