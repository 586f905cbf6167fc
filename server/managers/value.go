package managers

import (
	"context"
	"sort"
	"strings"
	"sync"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// Value is one value shared between Python clients and Go code: SyncManager's Value.
type Value struct {
	typecode any

	mu sync.RWMutex // guards v
	v  any
}

// NewValue returns a Value that holds x. The typecode is no more than a note, as in Python.
func NewValue(typecode string, x any) *Value { return &Value{typecode: typecode, v: x} }

// Get returns the value.
func (v *Value) Get() any {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.v
}

// Set replaces the value.
func (v *Value) Set(x any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.v = x
}

// Update replaces the value by what f makes of it, while nobody else sees it.
func (v *Value) Update(f func(any) any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.v = f(v.v)
}

var valueMethods = named(builtins[*Value]{
	"get": fn("", func(_ context.Context, v *Value, _ *arguments) (any, error) { return v.Get(), nil }),
	"set": fn("value", func(_ context.Context, v *Value, a *arguments) (any, error) { v.Set(a.at(0)); return nil, nil }),
})

var valueNames = []string{"get", "set"}

func (v *Value) exposed() []string { return valueNames }

func (v *Value) call(ctx context.Context, c *call) (any, error) { return valueMethods.call(ctx, v, c) }

func (v *Value) text(context.Context, *call) string {
	return "Value(" + pickleproto.Repr(v.typecode) + ", " + pickleproto.Repr(v.Get()) + ")"
}

func (v *Value) value(context.Context, *call) (any, error) {
	return instance("Value", "_typecode", v.typecode, "_value", v.Get()), nil
}

// instance is one of a class of multiprocessing.managers, of which attributes are names and values
// in turns.
func instance(class string, attributes ...any) *pickleproto.Object {
	state := pickleproto.NewDict()
	for i := 0; i < len(attributes); i += 2 {
		_ = state.Set(attributes[i], attributes[i+1]) // a str has a hash
	}
	return &pickleproto.Object{
		How: pickleproto.ByReduce, Callable: pickleproto.Global{Module: "copyreg", Name: "_reconstructor"},
		Args: pickleproto.Tuple{
			pickleproto.Global{Module: module, Name: class}, pickleproto.Global{Module: "builtins", Name: "object"}, nil,
		},
		Ops: []pickleproto.Op{{Kind: pickleproto.OpBuild, Items: []any{state}}},
	}
}

// Namespace is SyncManager's Namespace: attributes by name, shared between Python clients and Go
// code.
type Namespace struct {
	mu    sync.RWMutex // guards attrs
	attrs map[string]any
}

// NewNamespace returns a Namespace without attributes.
func NewNamespace() *Namespace { return &Namespace{attrs: map[string]any{}} }

// Get returns the attribute.
func (n *Namespace) Get(name string) (value any, ok bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	value, ok = n.attrs[name]
	return value, ok
}

// Set sets the attribute.
func (n *Namespace) Set(name string, value any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.attrs[name] = value
}

// Delete removes the attribute and reports whether it was there.
func (n *Namespace) Delete(name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.attrs[name]
	delete(n.attrs, name)
	return ok
}

func noAttribute(class, name string) error {
	return pickleproto.NewException("AttributeError", "'"+class+"' object has no attribute "+pickleproto.Repr(clip(name)))
}

// attribute is an argument that names one.
func (a *arguments) attribute() (string, error) {
	name, ok := str(a.at(0))
	if !ok {
		return "", python.TypeError("attribute name must be string, not '%s'", python.TypeName(a.at(0)))
	}
	return name, nil
}

var namespaceMethods = named(builtins[*Namespace]{
	"__getattribute__": fn("name", func(_ context.Context, n *Namespace, a *arguments) (any, error) {
		name, err := a.attribute()
		if err != nil {
			return nil, err
		}
		if v, ok := n.Get(name); ok {
			return v, nil
		}
		return nil, noAttribute("Namespace", name)
	}),
	"__setattr__": fn("name value", func(_ context.Context, n *Namespace, a *arguments) (any, error) {
		name, err := a.attribute()
		if err == nil {
			n.Set(name, a.at(1))
		}
		return nil, err
	}),
	"__delattr__": fn("name", func(_ context.Context, n *Namespace, a *arguments) (any, error) {
		name, err := a.attribute()
		if err == nil && !n.Delete(name) {
			err = noAttribute("Namespace", name)
		}
		return nil, err
	}),
})

var namespaceNames = []string{"__getattribute__", "__setattr__", "__delattr__"}

func (n *Namespace) exposed() []string { return namespaceNames }

func (n *Namespace) call(ctx context.Context, c *call) (any, error) {
	return namespaceMethods.call(ctx, n, c)
}

func (n *Namespace) text(context.Context, *call) string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	var shown []string
	for name, v := range n.attrs {
		if !strings.HasPrefix(name, "_") {
			shown = append(shown, name+"="+pickleproto.Repr(v))
		}
	}
	sort.Strings(shown)
	return "Namespace(" + strings.Join(shown, ", ") + ")"
}

func (n *Namespace) value(context.Context, *call) (any, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	var attributes []any
	for name, v := range n.attrs {
		attributes = append(attributes, name, v)
	}
	return instance("Namespace", attributes...), nil
}
