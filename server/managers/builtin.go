package managers

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// The types of SyncManager answer Python's calls by tables of functions rather than by reflection:
// their methods have Python's names, defaults and errors.

// builtins is such a table.
type builtins[T any] map[string]*builtin[T]

type builtin[T any] struct {
	sig *method
	do  func(ctx context.Context, self T, a *arguments) (any, error)
}

// fn makes an entry. params are the names of the parameters; those behind "?" may be left out.
func fn[T any](params string, do func(ctx context.Context, self T, a *arguments) (any, error)) *builtin[T] {
	m := &method{into: -1}
	optional := false
	for _, name := range strings.Fields(params) {
		if name == "?" {
			optional = true
			continue
		}
		m.params = append(m.params, param{name: name, optional: optional})
		m.named++
		if !optional {
			m.required++
		}
	}
	return &builtin[T]{sig: m, do: do}
}

// named gives the entries their names.
func named[T any](t builtins[T]) builtins[T] {
	for name, b := range t {
		b.sig.name = name
	}
	return t
}

// names returns the names of the methods, sorted.
func (t builtins[T]) names() []string { return slices.Sorted(maps.Keys(t)) }

// call calls the method that c names.
func (t builtins[T]) call(ctx context.Context, self T, c *call) (any, error) {
	b := t[c.method]
	if b == nil {
		return nil, errNoMethod
	}
	a := arguments{c: c, m: b.sig}
	if err := b.sig.place(c, a.values[:], a.has[:]); err != nil {
		return nil, err
	}
	return b.do(ctx, self, &a)
}

// arguments are those of a call, by the index of their parameter.
type arguments struct {
	c      *call
	m      *method
	values [4]any
	has    [4]bool
}

func (a *arguments) at(i int) any { return a.values[i] }

// truth is Python's bool() of an argument; absent is what it is if it was not given.
func (a *arguments) truth(i int, absent bool) bool {
	if !a.has[i] {
		return absent
	}
	switch x := a.values[i].(type) {
	case nil:
		return false
	case bool:
		return x
	case int64:
		return x != 0
	case float64:
		return x != 0
	}
	return true
}

// integer is an argument that must be one.
func (a *arguments) integer(i int, absent int) (int, error) {
	if !a.has[i] {
		return absent, nil
	}
	n, ok := index(a.values[i])
	if !ok {
		return 0, python.TypeError("'%s' object cannot be interpreted as an integer", python.TypeName(a.values[i]))
	}
	return n, nil
}

// timeout is a number of seconds; ok is false where there is none, so that the wait is for ever.
func (a *arguments) timeout(i int) (d time.Duration, ok bool, err error) {
	if !a.has[i] || a.values[i] == nil {
		return 0, false, nil
	}
	f, isNumber := floatOf(a.values[i])
	if !isNumber || math.IsNaN(f) {
		return 0, false, python.TypeError("'%s' object cannot be interpreted as a number of seconds", python.TypeName(a.values[i]))
	}
	if f < 0 {
		return -1, true, nil
	}
	return seconds(f), true, nil
}

// index is Python's operator.index, bounded by what an int holds.
func index(x any) (int, bool) {
	switch x := x.(type) {
	case int64:
		return int(x), true
	case pickleproto.Long:
		return int(x), true
	case pickleproto.Int:
		return int(x), true
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	case *big.Int:
		if x.Sign() < 0 {
			return math.MinInt, true
		}
		return math.MaxInt, true
	}
	return 0, false
}

func floatOf(x any) (float64, bool) {
	if f, ok := x.(float64); ok {
		return f, true
	}
	n, ok := index(x)
	return float64(n), ok
}

// iterate returns what iter(x) gives in Python, in a slice that is not to be changed. A proxy of one
// of the manager's own containers is that container.
func (a *arguments) iterate(x any) ([]any, error) {
	x, err := a.c.contents(x)
	if err != nil {
		return nil, err
	}
	return python.Iterate(x)
}

// contents returns a copy of the container that x is a proxy of, and any other x as it is.
func (c *call) contents(x any) (any, error) {
	o, ok := x.(*pickleproto.Object)
	if !ok {
		return x, nil
	}
	id, ok := proxyID(o)
	if !ok {
		return x, nil
	}
	referent := c.m.objects.get(id)
	if referent == nil {
		return nil, noKey(id)
	}
	switch v := referent.goValue.(type) {
	case *Dict:
		return v.Copy(), nil
	case *List:
		return pickleproto.NewList(v.Items()...), nil
	case *Set:
		return v.Copy(), nil
	}
	return nil, python.TypeError("'%s' object is not iterable", referent.typeid)
}

// maxMade is the most items that one call makes out of few: [0] * n, range(n).
const maxMade = 10_000_000

func tooLong() error {
	return pickleproto.NewException("MemoryError", fmt.Sprintf("more than %d items", maxMade))
}

func runtimeError(text string) error { return pickleproto.NewException("RuntimeError", text) }
