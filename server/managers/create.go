package managers

import (
	"context"
	"fmt"
	"reflect"
	"sort"
	"strings"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// serverCall serves a request to the server itself.
func (c *client) serverCall(ctx context.Context) (answer, error) {
	a := answer{kind: "#RETURN"}
	call := &c.call
	p := call.protocol
	switch call.method {
	case "dummy":
	case "create":
		o, err := c.create(ctx)
		if err != nil {
			return a, &tracebackError{err}
		}
		a.value = pickleproto.Tuple{text(o.id, p), names(o.exposedNames(), p)}
	case "accept_connection":
		c.accepted = true // the name that it brings is that of the client's thread
	case "get_methods":
		id, ok := "", false
		if len(call.args) == 1 {
			id, ok = tokenID(call.args[0])
		}
		if !ok {
			return a, &tracebackError{python.TypeError("get_methods() takes a Token")}
		}
		o := c.m.objects.get(id)
		if o == nil {
			return a, &tracebackError{noKey(id)}
		}
		a.value = names(o.exposedNames(), p)
	case "incref", "decref":
		id, ok := "", false
		if len(call.args) == 1 {
			id, ok = str(call.args[0])
		}
		if !ok {
			return a, &tracebackError{python.TypeError("%s() takes an ident", call.method)}
		}
		count := c.m.objects.incref
		if call.method == "decref" {
			count = c.m.objects.decref
		}
		if err := count(id); err != nil {
			return a, &tracebackError{err}
		}
	case "number_of_objects":
		a.value = int64(c.m.objects.count())
	case "debug_info":
		a.value = text(c.m.objects.info(ctx, call), p)
	case "shutdown":
		if c.m.OnShutdown == nil {
			return a, &tracebackError{pickleproto.NewException("PermissionError", "this manager is not ended by its clients")}
		}
		c.shutdown = true // when it is answered: what OnShutdown does may end the process
	default:
		return a, &tracebackError{pickleproto.NewException("AssertionError", pickleproto.Repr(clip(call.method))+" unrecognized")}
	}
	return a, nil
}

// create makes an object, or a reference to one that is shared: args are the typeid and the
// arguments for it.
func (c *client) create(ctx context.Context) (*object, error) {
	call := &c.call
	typeid, ok := "", false
	if len(call.args) > 0 {
		typeid, ok = str(call.args[0])
	}
	if !ok {
		return nil, python.TypeError("create() takes a typeid")
	}
	r := c.m.registration(typeid)
	if r == nil {
		return nil, noKey(typeid)
	}
	call.args = call.args[1:]
	if r.make != nil {
		v, err := r.make(ctx, call)
		if err != nil {
			return nil, err
		}
		return c.m.newObject(r, v, c.host)
	}
	if r.factory == nil {
		if r.value == nil {
			return nil, pickleproto.NewException("ValueError", fmt.Sprintf("%s objects are results of methods, not made by clients", pickleproto.Repr(typeid)))
		}
		if n := len(call.args) + call.kwds.Len(); n > 0 {
			return nil, python.TypeError("%s() takes no arguments (%d given)", typeid, n)
		}
		return c.m.shared(r, c.host)
	}
	v, err := r.factory.invoke(ctx, call)
	if err != nil {
		return nil, err
	}
	if isNil(v) {
		return nil, pickleproto.NewException("RuntimeError", fmt.Sprintf("no object was made for %s", pickleproto.Repr(typeid)))
	}
	return c.m.newObject(r, v, c.host)
}

// shared returns the one object of a registered value, with one more reference.
func (m *Manager) shared(r *registration, host string) (*object, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shared != nil && m.objects.again(r.shared) {
		return r.shared, nil
	}
	o, err := m.newObject(r, r.value, host)
	if err != nil {
		return nil, err
	}
	r.shared = o
	return o, nil
}

func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Interface, reflect.Chan:
		return rv.IsNil()
	}
	return false
}

// info is Python's debug_info: a line or two for each of the first objects.
func (t *table) info(ctx context.Context, c *call) string {
	const most = 1000
	type line struct {
		o    *object
		refs int
	}
	t.mu.RLock()
	lines := make([]line, 0, min(len(t.byID), most))
	for _, o := range t.byID {
		if len(lines) < most {
			lines = append(lines, line{o, o.refs})
		}
	}
	t.mu.RUnlock()
	sort.Slice(lines, func(i, j int) bool { return lines[i].o.id < lines[j].o.id })
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		shown := l.o.target.text(ctx, c)
		if r := []rune(shown); len(r) > 75 {
			shown = string(r[:75])
		}
		fmt.Fprintf(&b, "  %s:       refcount=%d\n    %s", l.o.id, l.refs, shown)
	}
	return b.String()
}
