package managers

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
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
		return 0, typeError("'%s' object cannot be interpreted as an integer", typeName(a.values[i]))
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
		return 0, false, typeError("'%s' object cannot be interpreted as a number of seconds", typeName(a.values[i]))
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

// typeName is Python's name of a value's type.
func typeName(x any) string {
	switch x := x.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, pickleproto.Long, pickleproto.Int, *big.Int:
		return "int"
	case float64:
		return "float"
	case string, pickleproto.ByteString:
		return "str"
	case pickleproto.Bytes:
		return "bytes"
	case pickleproto.Tuple:
		return "tuple"
	case *pickleproto.List:
		return "list"
	case *pickleproto.Dict:
		return "dict"
	case *pickleproto.Set:
		return "set"
	case *pickleproto.FrozenSet:
		return "frozenset"
	case *pickleproto.Complex:
		return "complex"
	case *pickleproto.ByteArray:
		return "bytearray"
	case *pickleproto.Object:
		if g, ok := x.Callable.(pickleproto.Global); ok {
			return clip(g.Name)
		}
	}
	return "object"
}

// iterate returns what iter(x) gives in Python.
func iterate(x any) ([]any, error) {
	var items []any
	switch x := x.(type) {
	case *pickleproto.List:
		return append(items, x.Items()...), nil
	case pickleproto.Tuple:
		return append(items, x...), nil
	case string:
		for _, r := range x {
			items = append(items, string(r))
		}
		return items, nil
	case pickleproto.ByteString:
		for i := range len(x) {
			items = append(items, x[i:i+1])
		}
		return items, nil
	case pickleproto.Bytes:
		for i := range len(x) {
			items = append(items, int64(x[i]))
		}
		return items, nil
	case *pickleproto.Dict:
		for k := range x.All() {
			items = append(items, k)
		}
		return items, nil
	case *pickleproto.Set:
		for k := range x.All() {
			items = append(items, k)
		}
		return items, nil
	case *pickleproto.FrozenSet:
		for k := range x.All() {
			items = append(items, k)
		}
		return items, nil
	case *pickleproto.Object:
		var r pickleproto.Range
		if pickleproto.Bind(x, &r) == nil {
			if r.Len() > maxMade {
				return nil, tooLong()
			}
			for n, i := r.Len(), r.Start; n > 0; n-- {
				items = append(items, i)
				i += r.Step
			}
			return items, nil
		}
	}
	return nil, typeError("'%s' object is not iterable", typeName(x))
}

// maxMade is the most items that one call makes out of few: [0] * n, range(n).
const maxMade = 10_000_000

func tooLong() error {
	return pickleproto.NewException("MemoryError", fmt.Sprintf("more than %d items", maxMade))
}

func keyError(key any) error { return pickleproto.NewException("KeyError", key) }

func valueError(format string, args ...any) error {
	return pickleproto.NewException("ValueError", fmt.Sprintf(format, args...))
}
func runtimeError(text string) error { return pickleproto.NewException("RuntimeError", text) }
