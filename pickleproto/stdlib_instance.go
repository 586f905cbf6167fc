package pickleproto

import (
	"math/big"
	"strings"
)

// instance is what a stream says of one object, whichever opcodes and helper functions of copyreg
// said it. The slices are the Object's own.
type instance struct {
	class  Global // in Python 3's names
	args   Tuple  // of the call or of __new__
	kwargs *Dict  // of __new__, else nil
	called bool   // class(*args), not class.__new__(class, *args)
	state  any    // what BUILD or the state setter was given; nil if there was none
	items  []any  // appended or added
	pairs  []any  // keys and values in turn

	meter *meter // nil: what this instance costs is bounded for itself alone
}

// meter bounds what all the instances that one call converts may cost together: they may share
// their arguments, so that a short message asks for the same long conversion again and again.
type meter struct {
	h    hasher            // of dict keys
	take func(int64) error // is told of bytes to be copied or looked through; may be nil
}

func newMeter(take func(bytes int64) error) *meter { return &meter{h: newHasher(), take: take} }

// charge takes n bytes, or items of that size, from the meter.
func (in *instance) charge(n, size int) error {
	if in.meter == nil || in.meter.take == nil {
		return nil
	}
	return in.meter.take(int64(n) * int64(size))
}

func (in *instance) hasher() *hasher {
	if in.meter == nil {
		in.meter = newMeter(nil)
	}
	return &in.meter.h
}

// instanceOf reads an Object as an instance of a named class. It fails when the callable is not a
// name, or when the stream did to the object what no pickler does.
func instanceOf(o *Object) (in instance, ok bool) {
	g, ok := o.Callable.(Global)
	if !ok {
		return instance{}, false
	}
	args, ok := o.Args.(Tuple)
	if !ok && o.Args != nil {
		return instance{}, false
	}
	in = instance{class: python3Name(g), args: args, called: o.How == ByReduce || o.How == ByInst || o.How == ByObj}
	if o.Kwargs != nil {
		if in.kwargs, ok = o.Kwargs.(*Dict); !ok {
			return instance{}, false
		}
	}
	if o.How == ByReduce && in.class.Module == "copyreg" && !in.copyreg() {
		return instance{}, false
	}
	var items, pairs gathered
	for _, op := range o.Ops {
		switch op.Kind {
		case OpAppends, OpAddItems:
			items.add(op.Items)
		case OpSetItems:
			pairs.add(op.Items)
		case OpBuild:
			if in.state != nil || len(op.Items) != 1 {
				return instance{}, false
			}
			in.state = op.Items[0]
		case OpSetState:
			if in.state != nil || len(op.Items) != 2 {
				return instance{}, false
			}
			in.state = op.Items[1]
		default:
			return instance{}, false
		}
	}
	in.items, in.pairs = items.all, pairs.all
	return in, true
}

// gathered is what several Ops carry, in one slice: that of the Op if it is the only one.
type gathered struct {
	all   []any
	owned bool
}

func (g *gathered) add(items []any) {
	switch {
	case len(g.all) == 0:
		g.all = items
	case !g.owned:
		g.all, g.owned = append(append(make([]any, 0, 2*(len(g.all)+len(items))), g.all...), items...), true
	default:
		g.all = append(g.all, items...)
	}
}

// copyreg takes the helpers of that module apart: _reconstructor(class, base, value), which
// protocols 0 and 1 use, __newobj__(class, *args) and __newobj_ex__(class, args, kwargs).
func (in *instance) copyreg() bool {
	if len(in.args) == 0 {
		return false
	}
	class, ok := in.args[0].(Global)
	if !ok {
		return false
	}
	args := in.args
	switch in.class.Name {
	case "_reconstructor":
		base, ok := Global{}, false
		if len(args) == 3 {
			base, ok = args[1].(Global)
		}
		if !ok {
			return false
		}
		switch base = python3Name(base); {
		case base.Module == "builtins" && base.Name == "object":
			in.args = nil
		case base.Module == "builtins" && base.Name == "tuple":
			if in.args, ok = args[2].(Tuple); !ok {
				return false
			}
		default:
			in.args = args[2:3]
		}
	case "__newobj__":
		in.args = args[1:]
	case "__newobj_ex__":
		if len(args) != 3 {
			return false
		}
		pos, ok1 := args[1].(Tuple)
		kw, ok2 := args[2].(*Dict)
		if !ok1 || !ok2 {
			return false
		}
		in.args, in.kwargs = pos, kw
	default:
		return false
	}
	in.class, in.called = python3Name(class), false
	return true
}

func join(a, b []any) []any {
	if len(a) == 0 {
		return b
	}
	return append(a[:len(a):len(a)], b...)
}

// plain reports that nothing but the constructor's arguments made the instance.
func (in *instance) plain() bool {
	return in.kwargs == nil && in.state == nil && len(in.items) == 0 && len(in.pairs) == 0
}

// stateParts splits a state as object.__setstate__'s default does: the instance's dict, and the
// slots of a (dict, slots) pair. Either may be nil. It fails for a state of a class's own making.
func stateParts(state any) (dict, slots *Dict, ok bool) {
	switch s := state.(type) {
	case nil:
		return nil, nil, true
	case *Dict:
		return s, nil, true
	case Tuple:
		if len(s) != 2 {
			return nil, nil, false
		}
		for i, p := range []**Dict{&dict, &slots} {
			if s[i] == nil {
				continue
			}
			if *p, ok = s[i].(*Dict); !ok {
				return nil, nil, false
			}
		}
		return dict, slots, true
	}
	return nil, nil, false
}

// attribute is one attribute of a plain object.
type attribute struct {
	name  string
	value any
}

// attributes returns the attributes that the state sets, in its order, those of the dict before
// those of the slots. A frozen dataclass with slots writes the values of its fields alone, as a
// list: their names are empty then. It fails for a state of a class's own making.
func (in *instance) attributes() ([]attribute, bool) {
	if l, ok := in.state.(*List); ok {
		out := make([]attribute, l.Len())
		for i, v := range l.All() {
			out[i].value = v
		}
		return out, true
	}
	dict, slots, ok := stateParts(in.state)
	if !ok {
		return nil, false
	}
	var out []attribute
	for _, d := range []*Dict{dict, slots} {
		if d == nil {
			continue
		}
		for k, v := range d.All() {
			name, ok := textOf(k)
			if !ok {
				return nil, false
			}
			out = append(out, attribute{name, v})
		}
	}
	return out, true
}

// newInstance returns an instance of a class without a __reduce__ of its own whose __dict__ is
// dict and whose __slots__ hold slots, as object.__reduce_ex__ makes it; either may be nil.
// Protocols 0 and 1 have no way to write slots.
func newInstance(class Global, dict, slots *Dict, protocol int) (*Object, error) {
	o := &Object{How: ByNewObj, Callable: class, Args: Tuple{}}
	if protocol < 2 {
		if slots != nil && slots.Len() > 0 {
			return nil, &TypeError{Offset: -1, Msg: "a class that defines __slots__ without defining __getstate__ cannot be pickled with protocol " + string(rune('0'+protocol))}
		}
		o = reduce("copyreg", "_reconstructor", class, Global{Module: "builtins", Name: "object"}, nil)
	}
	var state any
	if dict != nil && dict.Len() > 0 {
		state = dict
	}
	if slots != nil && slots.Len() > 0 {
		state = Tuple{state, slots}
	}
	if state != nil {
		o.Ops = []Op{{Kind: OpBuild, Items: []any{state}}}
	}
	return o, nil
}

// newNamedTuple returns an instance of a namedtuple class.
func newNamedTuple(class Global, fields Tuple, protocol int) *Object {
	if protocol < 2 {
		return reduce("copyreg", "_reconstructor", class, Global{Module: "builtins", Name: "tuple"}, fields)
	}
	return &Object{How: ByNewObj, Callable: class, Args: fields}
}

// EnumMember is a member of a Python Enum, IntEnum or Flag to be written: its class and value.
type EnumMember struct {
	Class Global
	Value any
}

// python3Name returns g under the names that Python 3 has for it, and without flags.
func python3Name(g Global) Global {
	m, n := g.namesFor(3)
	return Global{Module: m, Name: n}
}

// textOf returns a str, or a Python 2 str that is ASCII.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case ByteString:
		for i := range len(v) {
			if v[i] >= 0x80 {
				return "", false
			}
		}
		return string(v), true
	}
	return "", false
}

// bytesOf returns bytes, a Python 2 str, or the str that encoding="latin1" made of one.
func bytesOf(v any) (string, bool) {
	switch v := v.(type) {
	case Bytes:
		return string(v), true
	case ByteString:
		return string(v), true
	case *ByteArray:
		return string(v.Data), true
	case string:
		var b strings.Builder
		for _, r := range v {
			if r > 0xff {
				return "", false
			}
			b.WriteByte(byte(r))
		}
		return b.String(), true
	}
	return "", false
}

// intOf returns an int of at most 64 bits.
func intOf(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case Int:
		return int64(v), true
	case Long:
		return int64(v), true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case *big.Int:
		if v.IsInt64() {
			return v.Int64(), true
		}
	}
	return 0, false
}

// bigOf returns an int of any size. The result is not to be changed.
func bigOf(v any) (*big.Int, bool) {
	if i, ok := v.(*big.Int); ok {
		return i, i != nil
	}
	if i, ok := intOf(v); ok {
		return big.NewInt(i), true
	}
	return nil, false
}

// normalInt returns i as the value model has it: int64 where it fits.
func normalInt(i *big.Int) any {
	if i.IsInt64() {
		return i.Int64()
	}
	return i
}
