package pickleproto

import (
	"math/big"
	"reflect"
)

// What the binding takes an *Object for: a mapping, a sequence, or a record of attributes.

func classOfObject(o *Object) (Global, bool) {
	in, ok := instanceOf(o)
	return in.class, ok
}

// mapping returns the contents of OrderedDict, defaultdict, Counter and other subclasses of dict.
func (in *instance) mapping(o *Object) (d *Dict, ok bool) {
	if len(in.items) > 0 {
		return nil, false
	}
	if d, ok = reconstructedFrom(o).(*Dict); ok {
		return d, len(in.pairs) == 0
	}
	var err error
	if in.class.Module == "collections" {
		switch in.class.Name {
		case "OrderedDict":
			d, err = parseOrderedDict(in)
		case "defaultdict":
			_, d, err = parseDefaultDict(in)
		case "Counter":
			d, err = parseCounter(in)
		}
		if d != nil && err == nil {
			return d, true
		}
	}
	if len(in.pairs) == 0 {
		return nil, false
	}
	d, err = in.dict(nil, in.pairs)
	return d, err == nil
}

// sequence returns the contents of deque, array.array, namedtuples and subclasses of list and tuple.
func (in *instance) sequence(o *Object) ([]any, bool) {
	if len(in.pairs) > 0 {
		return nil, false
	}
	if l, ok := reconstructedFrom(o).(*List); ok {
		return l.Items(), len(in.items) == 0
	}
	switch in.class {
	case Global{Module: "collections", Name: "deque"}:
		items, _, ok, err := parseDeque(in)
		return items, ok && err == nil
	case Global{Module: "array", Name: "array"}, Global{Module: "array", Name: "_array_reconstructor"}:
		made, err := arrayFrom(in)
		a, ok := made.(*Array)
		if err != nil || !ok {
			return nil, false
		}
		return a.items()
	}
	if len(in.items) == 0 && !in.called && in.kwargs == nil && in.state == nil && len(in.args) > 0 {
		// A subclass of tuple: cls.__new__(cls, (items)), or of a namedtuple cls.__new__(cls, *items).
		if t, ok := in.args[0].(Tuple); ok && len(in.args) == 1 && o.How == ByNewObj {
			return t, true
		}
		return in.args, true
	}
	return in.items, len(in.items) > 0
}

// baseFor returns what an instance of a subclass of int, float, str, bytes or complex is as that
// builtin, where a value of the plan's type is made of one; else the instance.
func baseFor(o *Object, p *typePlan) any {
	isBytes := p.kind == bindByteSlice || p.kind == bindArray && p.elem.isPlain(reflect.Uint8)
	switch p.kind {
	case bindInt, bindUint, bindBigInt, bindFloat, bindComplex, bindString:
	default:
		if !isBytes {
			return o
		}
	}
	if len(o.Ops) > 1 {
		return o
	}
	in, ok := instanceOf(o)
	if !ok || in.called || in.kwargs != nil || len(in.items) > 0 || len(in.pairs) > 0 {
		return o
	}
	if p.kind == bindComplex && len(in.args) == 2 {
		re, ok1 := in.args[0].(float64)
		im, ok2 := in.args[1].(float64)
		if ok1 && ok2 {
			return &Complex{re, im}
		}
	}
	if len(in.args) != 1 {
		return o
	}
	fits := false
	switch base := in.args[0].(type) {
	case int64, Int, Long, *big.Int:
		fits = p.kind != bindString && !isBytes
	case float64:
		fits = p.kind == bindFloat || p.kind == bindComplex
	case *Complex:
		fits = p.kind == bindComplex
	case string:
		fits = p.kind == bindString
	case Bytes:
		fits = isBytes
	case ByteString:
		fits = p.kind == bindString || isBytes
	case *Object: // bytes as protocols 0 and 1 may write them
		_, _, isBinary := binaryOf(base)
		fits = isBinary && isBytes
	}
	if fits {
		return in.args[0]
	}
	return o
}

// reconstructedFrom returns the value of the builtin that o's class descends from, where protocol
// 0 or 1 wrote it: copyreg._reconstructor(cls, dict, {...}).
func reconstructedFrom(o *Object) any {
	g, _ := o.Callable.(Global)
	args, _ := o.Args.(Tuple)
	if o.How == ByReduce && len(args) == 3 && python3Name(g) == (Global{Module: "copyreg", Name: "_reconstructor"}) {
		return args[2]
	}
	return nil
}

func (a *Array) items() ([]any, bool) {
	switch s := a.Data.(type) {
	case []int8:
		return intItemsOf(s), true
	case []uint8:
		return intItemsOf(s), true
	case []int16:
		return intItemsOf(s), true
	case []uint16:
		return intItemsOf(s), true
	case []int32:
		return intItemsOf(s), true
	case []uint32:
		return intItemsOf(s), true
	case []int64:
		return intItemsOf(s), true
	case []uint64:
		items := make([]any, len(s))
		for i, n := range s {
			items[i] = uint64Value(n)
		}
		return items, true
	case []float32:
		return floatItemsOf(s), true
	case []float64:
		return floatItemsOf(s), true
	}
	return nil, false
}

func intItemsOf[T int8 | uint8 | int16 | uint16 | int32 | uint32 | int64](s []T) []any {
	items := make([]any, len(s))
	for i, n := range s {
		items[i] = int64(n)
	}
	return items
}

func floatItemsOf[T float32 | float64](s []T) []any {
	items := make([]any, len(s))
	for i, f := range s {
		items[i] = float64(f)
	}
	return items
}

// record returns the attributes of the instance: of its state, else the items of a namedtuple,
// which have no names.
func (in *instance) record(how Construction) ([]attribute, bool) {
	attributes, ok := in.attributes()
	if !ok || len(attributes) > 0 || in.called && how == ByReduce {
		return attributes, ok && (len(attributes) > 0 || in.state != nil)
	}
	for _, arg := range in.args {
		attributes = append(attributes, attribute{value: arg})
	}
	if in.kwargs != nil {
		for k, v := range in.kwargs.All() {
			name, ok := textOf(k)
			if !ok {
				return nil, false
			}
			attributes = append(attributes, attribute{name, v})
		}
	}
	return attributes, true
}
