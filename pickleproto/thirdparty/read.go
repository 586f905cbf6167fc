package thirdparty

import (
	"bytes"
	"errors"
	"math/big"
	"sort"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// What gopickle is given for classes, and makes of them. Nothing is called:
// each records what the pickle did.

type class struct{ module, name string }

type extension struct{ code int32 }

type persistentID struct{ id any }

type made struct {
	callable any
	args     []any
	how      how
	ops      []pickleproto.Op // Items are still gopickle's
}

type how uint8

const (
	byCall how = iota
	byNew
	byReconstructor // copy_reg._reconstructor(class, object, None)
)

func (c *class) Call(args ...any) (any, error)        { return &made{callable: c, args: args}, nil }
func (c *class) PyNew(args ...any) (any, error)       { return makeNew(c, args) }
func (e *extension) Call(args ...any) (any, error)    { return &made{callable: e, args: args}, nil }
func (e *extension) PyNew(args ...any) (any, error)   { return makeNew(e, args) }
func (p *persistentID) Call(args ...any) (any, error) { return &made{callable: p, args: args}, nil }
func (p *persistentID) PyNew(args ...any) (any, error) {
	return makeNew(p, args)
}
func (m *made) Call(args ...any) (any, error)  { return &made{callable: m, args: args}, nil }
func (m *made) PyNew(args ...any) (any, error) { return makeNew(m, args) }

// makeNew is a class's __new__. Only gopickle's own reconstructor of plain
// objects comes without even an empty slice of arguments.
func makeNew(callable any, args []any) (any, error) {
	if args == nil {
		return &made{callable: callable, how: byReconstructor}, nil
	}
	return &made{callable: callable, args: args, how: byNew}, nil
}

func (m *made) Append(v any)       { m.do(pickleproto.OpAppends, v) }
func (m *made) Set(key, value any) { m.do(pickleproto.OpSetItems, key, value) }
func (m *made) Add(v any)          { m.do(pickleproto.OpAddItems, v) }
func (m *made) PySetState(state any) error {
	m.ops = append(m.ops, pickleproto.Op{Kind: pickleproto.OpBuild, Items: []any{state}})
	return nil
}

// do joins what gopickle hands over one by one.
func (m *made) do(kind pickleproto.OpKind, items ...any) {
	if n := len(m.ops); n > 0 && m.ops[n-1].Kind == kind {
		m.ops[n-1].Items = append(m.ops[n-1].Items, items...)
		return
	}
	m.ops = append(m.ops, pickleproto.Op{Kind: kind, Items: items})
}

// converter turns gopickle's values into pickleproto's. Identity is kept: a
// container is entered in done before what it holds is looked at.
type converter struct {
	form   form
	limits *pickleproto.Limits
	depth  int64
	work   int64
	done   map[any]any
	weight map[any]int64 // of containers in keys: of all in them, shared ones as often as they occur
	memory int64

	// Dicts and sets are filled last: their keys must be complete.
	fill []func() error
}

func convert(v any, f form, limits *pickleproto.Limits) (any, error) {
	c := converter{form: f, limits: limits, done: map[any]any{}, weight: map[any]int64{}, memory: f.memory}
	out, err := c.value(v)
	if err != nil {
		return nil, err
	}
	for _, fill := range c.fill {
		if err := fill(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *converter) values(in []any) ([]any, error) {
	out := make([]any, len(in))
	return out, c.into(out, in)
}

func (c *converter) into(out, in []any) error {
	for i, v := range in {
		var err error
		if out[i], err = c.value(v); err != nil {
			return err
		}
	}
	return nil
}

func (c *converter) value(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, float64, string, *pickleproto.Buffer:
		return v, nil
	case int:
		return int64(v), nil
	case *big.Int:
		if v.IsInt64() {
			return v.Int64(), nil
		}
		return v, nil
	case []byte:
		if len(v) == 0 {
			return pickleproto.Bytes(""), nil
		}
		// The same object may be fetched from the memo many times.
		if out, ok := c.done[&v[0]]; ok {
			return out, nil
		}
		out := pickleproto.Bytes(v)
		c.done[&v[0]] = out
		return out, nil
	case *class:
		return c.global(v.module, v.name)
	case *types.OrderedDictClass:
		return pickleproto.Global{Module: "collections", Name: "OrderedDict"}, nil
	case *types.ObjectClass:
		return pickleproto.Global{Module: "__builtin__", Name: "object"}, nil
	case *types.Reconstructor:
		return pickleproto.Global{Module: "copy_reg", Name: "_reconstructor"}, nil
	case *extension:
		return pickleproto.Extension(v.code), nil
	}
	if out, ok := c.done[v]; ok {
		return out, nil
	}
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > c.limits.Depth {
		return nil, &pickleproto.LimitError{Limit: "depth", Value: uint64(c.depth), Max: uint64(c.limits.Depth), Offset: -1}
	}
	return c.container(v)
}

func (c *converter) global(module, name string) (any, error) {
	if n := int64(max(len(module), len(name))); n > c.limits.Name {
		return nil, &pickleproto.LimitError{Limit: "name", Value: uint64(n), Max: uint64(c.limits.Name), Offset: -1}
	}
	return pickleproto.Global{Module: module, Name: name}, nil
}

func (c *converter) container(v any) (any, error) {
	switch v := v.(type) {
	case *types.Tuple:
		out := make(pickleproto.Tuple, v.Len())
		c.done[v] = out
		return out, c.into(out, *v)
	case *types.List:
		out := pickleproto.NewList()
		c.done[v] = out
		items, err := c.values(*v)
		out.Append(items...)
		return out, err
	case *types.Dict:
		out := pickleproto.NewDict()
		c.done[v] = out
		pairs := make([]any, 0, 2*v.Len())
		for _, e := range *v {
			pairs = append(pairs, e.Key, e.Value)
		}
		return out, c.fillDict(out, pairs)
	case *types.Set:
		out, err := pickleproto.NewSet()
		c.done[v] = out
		items := make([]any, 0, v.Len())
		for item := range *v {
			items = append(items, item)
		}
		return out, errors.Join(err, c.fillSet(out, items))
	case *types.FrozenSet:
		items := make([]any, 0, v.Len())
		for item := range *v {
			items = append(items, item)
		}
		return c.frozenSet(v, items)
	case *types.ByteArray:
		out := &pickleproto.ByteArray{Data: *v}
		c.done[v] = out
		return out, nil
	case *types.OrderedDict:
		return c.orderedDict(v)
	case *persistentID:
		out := &pickleproto.PersistentID{}
		c.done[v] = out
		var err error
		out.ID, err = c.value(v.id)
		return out, err
	case *made:
		if out, ok, err := c.fold(v); ok || err != nil {
			if len(v.ops) > 0 && err == nil {
				err = cannot("gopickle", "read what is done to a builtin that a call made", -1)
			}
			return out, err
		}
		return c.object(v)
	}
	return nil, cannot("gopickle", "read this pickle: it made a value of no known type", -1)
}

func (c *converter) fillDict(out *pickleproto.Dict, pairs []any) error {
	converted, err := c.values(pairs)
	if err != nil {
		return err
	}
	for i := 0; i < len(pairs); i += 2 {
		if err := c.key(pairs[i]); err != nil {
			return err
		}
	}
	c.fill = append(c.fill, func() error {
		for i := 0; i < len(converted); i += 2 {
			if err := out.Set(converted[i], converted[i+1]); err != nil {
				return err
			}
		}
		return nil
	})
	return nil
}

func (c *converter) fillSet(out *pickleproto.Set, items []any) error {
	converted, err := c.values(items)
	if err != nil {
		return err
	}
	for _, item := range items {
		if err := c.key(item); err != nil {
			return err
		}
	}
	c.fill = append(c.fill, func() error {
		for _, v := range converted {
			if err := out.Add(v); err != nil {
				return err
			}
		}
		return nil
	})
	return nil
}

// frozenSet is made when its items are there. Where it holds itself, through
// an object, the walk through the items has come by and made it.
func (c *converter) frozenSet(v any, items []any) (any, error) {
	converted, err := c.values(items)
	if err != nil {
		return nil, err
	}
	if out, ok := c.done[v]; ok {
		return out, nil
	}
	for _, item := range items {
		if err := c.key(item); err != nil {
			return nil, err
		}
	}
	out, err := pickleproto.NewFrozenSet(converted...)
	if err != nil {
		return nil, err
	}
	c.done[v] = out
	return out, nil
}

// charge counts memory that convert takes and check could not see coming: a
// call's arguments may be many, and be fetched from the memo each time.
func (c *converter) charge(n int64) error {
	c.memory += n
	if c.memory > c.limits.Memory {
		return &pickleproto.LimitError{Limit: "memory", Value: uint64(c.memory), Max: uint64(c.limits.Memory), Offset: -1}
	}
	return nil
}

// key charges the work of hashing a key: what keys share is hashed as often
// as it occurs.
func (c *converter) key(v any) error {
	c.work = min(c.work+c.weigh(v, 0), c.limits.Work+1)
	if c.work > c.limits.Work {
		return &pickleproto.LimitError{Limit: "work", Value: uint64(c.work), Max: uint64(c.limits.Work), Offset: -1}
	}
	return nil
}

// bytesPerStep is how many bytes are hashed and compared for a unit of work.
const bytesPerStep = 16

func (c *converter) weigh(v any, depth int64) int64 {
	switch v := v.(type) {
	case string:
		return 1 + int64(len(v))/bytesPerStep
	case []byte:
		return 1 + int64(len(v))/bytesPerStep
	case *big.Int:
		return 1 + int64(v.BitLen())/(8*bytesPerStep)
	case *made:
		if b, ok := c.done[v].(pickleproto.Bytes); ok {
			return 1 + int64(len(b))/bytesPerStep
		}
		return 1
	case *types.Tuple, *types.FrozenSet:
		if depth > c.limits.Depth {
			return 1
		}
	default:
		return 1
	}
	if w, ok := c.weight[v]; ok {
		return w
	}
	c.weight[v] = 1 // within itself
	w := int64(1)
	add := func(item any) { w = min(w+c.weigh(item, depth+1), c.limits.Work+1) }
	switch v := v.(type) {
	case *types.Tuple:
		for _, item := range *v {
			add(item)
		}
	case *types.FrozenSet:
		for item := range *v {
			add(item)
		}
	}
	c.weight[v] = w
	return w
}

func (c *converter) orderedDict(v *types.OrderedDict) (any, error) {
	out := &pickleproto.Object{
		How:      pickleproto.ByReduce,
		Callable: pickleproto.Global{Module: "collections", Name: "OrderedDict"},
		Args:     pickleproto.Tuple{},
	}
	c.done[v] = out
	var pairs []any
	for e := v.List.Front(); e != nil; e = e.Next() {
		entry := e.Value.(*types.OrderedDictEntry)
		pairs = append(pairs, entry.Key, entry.Value)
	}
	if len(pairs) > 0 {
		items, err := c.values(pairs)
		if err != nil {
			return nil, err
		}
		out.Ops = append(out.Ops, pickleproto.Op{Kind: pickleproto.OpSetItems, Items: items})
	}
	if len(v.PyDict) > 0 {
		names := make([]string, 0, len(v.PyDict))
		for name := range v.PyDict {
			names = append(names, name)
		}
		sort.Strings(names)
		attributes := pickleproto.NewDict()
		for _, name := range names {
			value, err := c.value(v.PyDict[name])
			if err != nil {
				return nil, err
			}
			if err := attributes.Set(name, value); err != nil {
				return nil, err
			}
		}
		out.Ops = append(out.Ops, pickleproto.Op{Kind: pickleproto.OpBuild, Items: []any{attributes}})
	}
	return out, nil
}

func (c *converter) object(m *made) (any, error) {
	out := &pickleproto.Object{}
	c.done[m] = out
	var err error
	if out.Callable, err = c.value(m.callable); err != nil {
		return nil, err
	}
	switch out.Callable.(type) {
	case pickleproto.Global, *pickleproto.Object, *pickleproto.PersistentID, pickleproto.Extension:
	default: // what a call made has become a builtin value
		return nil, cannot("gopickle", "call a value", -1)
	}
	if err := c.charge(costSlot * int64(len(m.args))); err != nil {
		return nil, err
	}
	args, err := c.values(m.args)
	if err != nil {
		return nil, err
	}
	out.Args = pickleproto.Tuple(args)
	switch m.how {
	case byCall:
		out.How = c.form.calls
	case byNew:
		if len(m.args) == 1 && c.form.reconstructor {
			if _, ok := m.args[0].(*class); ok {
				return nil, cannot("gopickle", "read a subclass of a builtin (copy_reg._reconstructor)", -1)
			}
		}
		out.How = pickleproto.ByNewObj
	case byReconstructor:
		out.How = pickleproto.ByReduce
		out.Args = pickleproto.Tuple{out.Callable, pickleproto.Global{Module: "__builtin__", Name: "object"}, nil}
		out.Callable = pickleproto.Global{Module: "copy_reg", Name: "_reconstructor"}
	}
	for _, op := range m.ops {
		items, err := c.values(op.Items)
		if err != nil {
			return nil, err
		}
		out.Ops = append(out.Ops, pickleproto.Op{Kind: op.Kind, Items: items})
	}
	return out, nil
}

// fold makes native values of the calls that old protocols write for them, in
// the forms that the native codec folds.
func (c *converter) fold(m *made) (v any, ok bool, err error) {
	f, isClass := m.callable.(*class)
	if !isClass || m.how != byCall || c.form.calls != pickleproto.ByReduce {
		return nil, false, nil
	}
	builtins, proto := "builtins", c.form.proto
	if proto < 3 {
		builtins = "__builtin__"
	}
	if f.module == "_codecs" && f.name == "encode" && proto < 3 {
		if err := c.chargeText(m.args); err != nil {
			return nil, false, err
		}
		if b, ok := latin1(m.args); ok && len(b) > 0 {
			out := pickleproto.Bytes(b)
			c.done[m] = out
			return out, true, nil
		}
	}
	if f.module != builtins {
		return nil, false, nil
	}
	switch f.name {
	case "set":
		if proto > 3 {
			break
		}
		if items, ok := onlyArgument[*types.List](m); ok {
			if err := c.charge(costSet + costPair*int64(items.Len())); err != nil {
				return nil, false, err
			}
			out, err := pickleproto.NewSet()
			c.done[m] = out
			return out, true, errors.Join(err, c.fillSet(out, *items))
		}
	case "frozenset":
		if proto > 3 {
			break
		}
		if items, ok := onlyArgument[*types.List](m); ok {
			if err := c.charge(costSet + costPair*int64(items.Len())); err != nil {
				return nil, false, err
			}
			out, err := c.frozenSet(m, *items)
			return out, true, err
		}
	case "bytes":
		if len(m.args) == 0 && proto < 3 {
			return pickleproto.Bytes(""), true, nil
		}
	case "bytearray":
		if proto > 4 {
			break
		}
		// Python 2's own form, with a str and 'latin-1', stays a call: it would
		// be written otherwise.
		b, ok := onlyArgument[[]byte](m)
		if inner, is := onlyArgument[*made](m); is {
			// Protocols 0 to 2 of Python 3 write the bytes as a call too.
			v, folded, err := c.fold(inner)
			if err != nil {
				return nil, false, err
			}
			if s, is := v.(pickleproto.Bytes); is && folded {
				b, ok = []byte(s), true
			}
		}
		if ok && len(b) > 0 || len(m.args) == 0 {
			if err := c.charge(costSlot + int64(len(b))); err != nil {
				return nil, false, err
			}
			// A copy: two bytearrays may have been made of one bytes object.
			out := &pickleproto.ByteArray{Data: bytes.Clone(b)}
			c.done[m] = out
			return out, true, nil
		}
	case "complex":
		if len(m.args) == 2 {
			re, ok1 := m.args[0].(float64)
			im, ok2 := m.args[1].(float64)
			if ok1 && ok2 {
				out := &pickleproto.Complex{Real: re, Imag: im}
				c.done[m] = out
				return out, true, nil
			}
		}
	}
	return nil, false, nil
}

func onlyArgument[T any](m *made) (v T, ok bool) {
	if len(m.args) != 1 {
		return v, false
	}
	v, ok = m.args[0].(T)
	return v, ok
}

// chargeText charges for the bytes that latin1 makes.
func (c *converter) chargeText(args []any) error {
	if len(args) > 0 {
		if s, ok := args[0].(string); ok {
			return c.charge(2 * int64(len(s)))
		}
	}
	return nil
}

// latin1 takes the bytes from (str, 'latin1').
func latin1(args []any) ([]byte, bool) {
	if len(args) != 2 || args[1] != "latin1" {
		return nil, false
	}
	s, ok := args[0].(string)
	if !ok {
		return nil, false
	}
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return nil, false
		}
		out = append(out, byte(r))
	}
	return out, true
}
