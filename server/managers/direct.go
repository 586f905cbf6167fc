package managers

import (
	"context"
	"reflect"
	"sync"
)

// NOTE: the direct way of a call. Most calls give what a Go method takes, numbers, strings and lists
// of them, by position. Their arguments are read from the request right into the variables that the
// method is called with. Anything else (a name, a proxy, an argument that does not fit, a method
// that takes Python values) goes the long way of call.decode and method.bind, which also know all
// the errors; where the direct way is taken, the long one would give the same.

// direct is a set of variables for the arguments of a method, used for one call at a time.
type direct struct {
	m        *method
	pointers []any           // to the variables that the request's arguments are read into
	items    any             // pointers
	fn       reflect.Value   // the method
	in       []reflect.Value // what it is called with, made of the variables; a receiver and a context come first
	context  int             // index of that context; -1 without
	clear    []reflect.Value // the variables
}

// directPool returns the pool of m's variables; nil if the long way alone will do.
func directPool(m *method) *sync.Pool {
	if m.variadic || len(m.params) > 64 {
		return nil
	}
	for _, p := range m.params {
		if !isDirect(p.typ, 0) {
			return nil
		}
	}
	return &sync.Pool{New: func() any {
		d := &direct{m: m, fn: m.fn, context: -1}
		if m.unbound.IsValid() {
			d.fn, d.in = m.unbound, append(d.in, m.receiver)
		}
		if m.context {
			d.context = len(d.in)
			d.in = append(d.in, reflect.Value{})
		}
		for i, t := range m.in {
			v := reflect.New(t).Elem()
			d.in, d.clear = append(d.in, v), append(d.clear, v)
			if i != m.into {
				d.pointers = append(d.pointers, v.Addr().Interface())
				continue
			}
			for _, p := range m.params[m.into:] {
				d.pointers = append(d.pointers, v.FieldByIndex(p.field).Addr().Interface())
			}
		}
		d.items = d.pointers
		return d
	}}
}

// isDirect tells types that nothing but plain values fit: no proxy, nothing that keeps a Python value.
func isDirect(t reflect.Type, depth int) bool {
	if isValueType(t) {
		return false
	}
	switch t.Kind() {
	case reflect.Bool, reflect.Float32, reflect.Float64, reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Slice, reflect.Array:
		return depth < 3 && isDirect(t.Elem(), depth+1)
	}
	return false
}

// directly reads a request whose call can take the direct way; false if it cannot.
func (c *call) directly(data []byte) bool {
	var tags [2][]byte
	var rest [2]any
	var d *direct
	ok := c.m.direct.UnmarshalTagged(data, tags[:], rest[:], func() bool {
		if c.object = c.m.objects.named(tags[0]); c.object == nil {
			return false
		}
		value, _ := c.object.target.(*reflectedValue)
		if value == nil {
			return false
		}
		m := value.methods[string(tags[1])]
		if m == nil || m.direct == nil {
			return false
		}
		d = m.direct.Get().(*direct)
		rest[0], rest[1] = d.items, &struct{}{} // a dict with no entry
		return true
	})
	if !ok {
		c.object = nil
		if d != nil {
			d.free()
		}
		return false
	}
	c.ident, c.method, c.direct = c.object.id, d.m.name, d
	return true
}

// invoke calls the method.
func (d *direct) invoke(ctx context.Context) (any, error) {
	if d.context >= 0 {
		d.in[d.context] = reflect.ValueOf(ctx)
	}
	v, err := d.m.finish(d.fn.Call(d.in))
	d.free()
	return v, err
}

// free makes the variables ready for another call: what they held may live on in the hands of the
// method. Those of one that panicked are left to the collector.
func (d *direct) free() {
	for _, v := range d.clear {
		v.SetZero()
	}
	if d.context >= 0 {
		d.in[d.context] = reflect.Value{}
	}
	d.m.direct.Put(d)
}
