package managers

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// isValueType tells struct types that are one Python value, not a set of named ones.
func isValueType(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	if p.Implements(reflect.TypeFor[pickleproto.Unmarshaler]()) || p.Implements(reflect.TypeFor[interface{ UnmarshalText([]byte) error }]()) {
		return true
	}
	switch t.PkgPath() {
	case "time", "math/big", "net/netip", "net/url":
		return true
	}
	return strings.HasSuffix(t.PkgPath(), "/pickleproto") || strings.HasSuffix(t.PkgPath(), "/pickleproto/numpy")
}

// invoke binds the arguments and calls the function.
func (m *method) invoke(ctx context.Context, c *call) (any, error) {
	var space [6]reflect.Value
	in := space[:0]
	if m.context {
		in = append(in, reflect.ValueOf(ctx))
	}
	in, err := m.bind(in, c)
	if err != nil {
		return nil, err
	}
	return m.finish(m.fn.Call(in))
}

// finish makes one value of the results.
func (m *method) finish(out []reflect.Value) (any, error) {
	if m.fails {
		last := out[len(out)-1]
		out = out[:len(out)-1]
		if !last.IsNil() {
			return nil, last.Interface().(error)
		}
	}
	switch len(out) {
	case 0:
		return nil, nil
	case 1:
		return out[0].Interface(), nil
	}
	results := make(pickleproto.Tuple, len(out))
	for i, v := range out {
		results[i] = v.Interface()
	}
	return results, nil
}

// bind appends the Go arguments to in.
func (m *method) bind(in []reflect.Value, c *call) ([]reflect.Value, error) {
	n, kwds := len(c.args), 0
	if c.kwds != nil {
		kwds = c.kwds.Len()
	}
	if m.into >= 0 && !m.strict && kwds == 0 && n == m.into+1 && isRecord(c.args[n-1]) {
		// The struct as such.
		for i, t := range m.in {
			v, err := m.argument(c, i, "", c.args[i], t)
			if err != nil {
				return nil, err
			}
			in = append(in, v)
		}
		return in, nil
	}
	var space [8]any
	var given [8]bool
	values, has := space[:], given[:]
	if len(m.params) > len(values) {
		values, has = make([]any, len(m.params)), make([]bool, len(m.params))
	}
	if err := m.place(c, values, has); err != nil {
		return nil, err
	}

	own := len(m.in) // parameters that are no part of the struct, nor variadic
	if m.into >= 0 || m.variadic {
		own--
	}
	for i := range own {
		v, err := m.argument(c, i, m.params[i].name, values[i], m.in[i])
		if err != nil {
			return nil, err
		}
		in = append(in, v)
	}
	switch {
	case m.variadic:
		elem := m.in[own].Elem()
		for i := own; i < n; i++ {
			v, err := m.argument(c, i, "", c.args[i], elem)
			if err != nil {
				return nil, err
			}
			in = append(in, v)
		}
	case m.into >= 0:
		s := reflect.New(m.in[m.into]).Elem()
		for i := own; i < len(m.params); i++ {
			if !has[i] {
				continue
			}
			p := &m.params[i]
			v, err := m.argument(c, i, p.name, values[i], p.typ)
			if err != nil {
				return nil, err
			}
			s.FieldByIndex(p.field).Set(v)
		}
		in = append(in, s)
	}
	return in, nil
}

// place puts the arguments, by position and by name, where the parameters are; values and has have
// room for all of these.
func (m *method) place(c *call, values []any, has []bool) error {
	n, kwds := len(c.args), 0
	if c.kwds != nil {
		kwds = c.kwds.Len()
	}
	if m.named == 0 && kwds > 0 {
		return python.TypeError("%s() takes no keyword arguments", m.name)
	}
	if n > len(m.params) && !m.variadic {
		return m.tooMany(n)
	}
	for i := range min(n, len(m.params)) {
		values[i], has[i] = c.args[i], true
	}
	if kwds > 0 {
		for k, x := range c.kwds.All() {
			name, ok := str(k)
			if !ok {
				return python.TypeError("%s() keywords must be strings", m.name)
			}
			i := m.param(name)
			switch {
			case i < 0:
				return python.TypeError("%s() got an unexpected keyword argument %s", m.name, pickleproto.Repr(clip(name)))
			case has[i]:
				return python.TypeError("%s() got multiple values for argument %s", m.name, pickleproto.Repr(name))
			}
			values[i], has[i] = x, true
		}
	}
	return m.missing(has, n)
}

// isRecord tells what a struct can be filled from as a whole.
func isRecord(x any) bool {
	switch x.(type) {
	case *pickleproto.Dict, *pickleproto.Object:
		return true
	}
	return false
}

func (m *method) param(name string) int {
	for i := range m.params {
		if m.params[i].name == name {
			return i
		}
	}
	return -1
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// tooMany is the error for more positional arguments than there are parameters.
func (m *method) tooMany(given int) error {
	n := len(m.params)
	if m.named < n {
		return m.wrongCount(given)
	}
	takes := fmt.Sprintf("%d positional %s", n, plural(n, "argument", "arguments"))
	if m.required < n {
		takes = fmt.Sprintf("from %d to %d positional arguments", m.required, n)
	}
	return python.TypeError("%s() takes %s but %d %s given", m.name, takes, given, plural(given, "was", "were"))
}

// wrongCount is the error in the words of functions that are written in C, whose parameters have
// no names either.
func (m *method) wrongCount(given int) error {
	n, how := len(m.params), "exactly"
	switch {
	case m.variadic:
		how = "at least"
	case m.required < n && given < m.required:
		how, n = "at least", m.required
	case m.required < n:
		how = "at most"
	}
	switch {
	case n == 0:
		return python.TypeError("%s() takes no arguments (%d given)", m.name, given)
	case n == 1:
		return python.TypeError("%s() takes %s one argument (%d given)", m.name, how, given)
	}
	return python.TypeError("%s() takes %s %d arguments (%d given)", m.name, how, n, given)
}

// missing is the error for parameters that got nothing, if there are any.
func (m *method) missing(has []bool, given int) error {
	var names []string
	for i, p := range m.params {
		if has[i] || p.optional {
			continue
		}
		if p.name == "" {
			return m.wrongCount(given)
		}
		names = append(names, pickleproto.Repr(p.name))
	}
	n := len(names)
	if n == 0 {
		return nil
	}
	list := names[0]
	switch {
	case n == 2:
		list += " and " + names[1]
	case n > 2:
		list = strings.Join(names[:n-1], ", ") + ", and " + names[n-1]
	}
	return python.TypeError("%s() missing %d required positional %s: %s", m.name, n, plural(n, "argument", "arguments"), list)
}

// argument makes the Go value of one argument; i counts from 0.
func (m *method) argument(c *call, i int, name string, x any, t reflect.Type) (reflect.Value, error) {
	// The common ones, without the binding's machinery.
	switch x := x.(type) {
	case int64:
		if t.Kind() == reflect.Int && t.PkgPath() == "" {
			return reflect.ValueOf(int(x)), nil
		}
		if t.Kind() == reflect.Int64 && t.PkgPath() == "" {
			return reflect.ValueOf(x), nil
		}
	case string:
		if t.Kind() == reflect.String && t.PkgPath() == "" {
			return reflect.ValueOf(x), nil
		}
	case float64:
		if t.Kind() == reflect.Float64 && t.PkgPath() == "" {
			return reflect.ValueOf(x), nil
		}
	case bool:
		if t.Kind() == reflect.Bool && t.PkgPath() == "" {
			return reflect.ValueOf(x), nil
		}
	case *pickleproto.Object:
		if v, ok, err := c.referent(x, t); ok || err != nil {
			return v, err
		}
	}
	v := reflect.New(t)
	err := pickleproto.Bind(x, v.Interface(), c.bindOptions()...)
	if err == nil {
		return v.Elem(), nil
	}
	if list := listOf(x); list != nil && t.Kind() == reflect.Slice && pickleproto.Bind(list, v.Interface(), c.bindOptions()...) == nil {
		return v.Elem(), nil
	}
	which := fmt.Sprint(i + 1)
	if name != "" {
		which = pickleproto.Repr(name)
	}
	var mismatch *pickleproto.TypeError
	switch {
	case !errors.As(err, &mismatch):
		return v, err
	case mismatch.Path == "" && mismatch.Msg == "":
		return v, python.TypeError("%s() argument %s must be %s, not %s", m.name, which, pythonName(t), mismatch.Python)
	case mismatch.Path == "" && mismatch.Err != nil:
		return v, python.TypeError("%s() argument %s: %v", m.name, which, mismatch.Err)
	}
	return v, python.TypeError("%s() argument %s: %s", m.name, which, strings.TrimPrefix(err.Error(), "pickle: "))
}

// listOf makes a list of what Python would iterate over, though it is no list: a range, an iterator,
// a view of a dict. It is nil for what is bound as it is, or not at all.
func listOf(x any) *pickleproto.List {
	o, ok := x.(*pickleproto.Object)
	if !ok {
		return nil
	}
	if d, err := python.Mapping(o); d != nil || err != nil {
		return nil
	}
	items, err := python.Iterate(o)
	if err != nil {
		return nil
	}
	return pickleproto.NewList(items...)
}

// pythonName is what a Python programmer would call a Go type.
func pythonName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "int"
	case reflect.Float32, reflect.Float64:
		return "float"
	case reflect.Complex64, reflect.Complex128:
		return "complex"
	case reflect.String:
		if t == reflect.TypeFor[pickleproto.Bytes]() {
			return "bytes"
		}
		return "str"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "list"
	case reflect.Array:
		return "list"
	case reflect.Map:
		return "dict"
	case reflect.Pointer:
		if t == reflect.TypeFor[*big.Int]() {
			return "int"
		}
		return pythonName(t.Elem())
	}
	return t.Name()
}

// str returns the text of a Python str, of Python 2 or 3.
func str(x any) (string, bool) {
	switch x := x.(type) {
	case string:
		return x, true
	case pickleproto.ByteString:
		return string(x), true
	}
	return "", false
}

// clip bounds what an error text echoes of the peer's input.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "..."
	}
	return s
}
