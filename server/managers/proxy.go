package managers

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"sync"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

const module = "multiprocessing.managers"

var (
	tokenClass   = pickleproto.Global{Module: module, Name: "Token"}
	rebuildProxy = pickleproto.Global{Module: module, Name: "RebuildProxy"}
	autoProxy    = pickleproto.Global{Module: module, Name: "AutoProxy"}
)

// Proxy is a reference to one of the manager's objects that can be part of a result, at any depth:
// Python then has a proxy there. (A Python client needs its process's authkey for that:
// multiprocessing.current_process().authkey = b'...'.) As a parameter it is the proxy that the
// client passed, and keeps the object until Release.
type Proxy struct {
	m    *Manager
	o    *object
	once sync.Once
}

// Share makes v an object of the typeid, which must be registered, perhaps with nil, and returns
// a proxy of it. The object stays until Release, however many clients come and go.
func (m *Manager) Share(typeid string, v any) (*Proxy, error) {
	m.server()
	r := m.registration(typeid)
	if r == nil {
		return nil, fmt.Errorf("managers: %q is not registered", typeid)
	}
	o, err := m.newObject(r, v, "")
	if err != nil {
		return nil, err
	}
	m.objects.mu.Lock()
	o.pins, o.refs = 1, 0
	m.objects.mu.Unlock()
	return &Proxy{m: m, o: o}, nil
}

// Value returns the Go value that the proxy refers to.
func (p *Proxy) Value() any { return p.o.goValue }

// MarshalPickle makes the proxy that Python rebuilds. Its address is Manager.Address, or that of the
// listener.
func (p *Proxy) MarshalPickle() (any, error) {
	addr := p.m.Address
	if addr == nil {
		p.m.mu.Lock()
		addr = p.m.listening
		p.m.mu.Unlock()
	}
	if addr == nil {
		return nil, errors.New("managers: a proxy needs a manager that serves")
	}
	// As Python 2's str, which Python 3 reads as its own: Python 2 wants nothing else.
	return pythonProxy(p.o, addr, 2), nil
}

// Release lets the object go as soon as no client refers to it.
func (p *Proxy) Release() { p.once.Do(func() { p.m.objects.unpin(p.o) }) }

// newObject makes an object of v with one reference.
func (m *Manager) newObject(r *registration, v any, host string) (*object, error) {
	if v == nil {
		return nil, fmt.Errorf("managers: there is no object to share as %q", r.typeid)
	}
	t, err := targetOf(v, &r.cfg, r.typeid)
	if err != nil {
		return nil, err
	}
	o := &object{typeid: r.typeid, goValue: v, target: t, cfg: &r.cfg, host: host}
	return o, m.objects.add(o)
}

// token is a Python Token of the object, for a client that reaches the manager at addr.
func token(o *object, addr net.Addr, protocol int) any {
	return &pickleproto.Object{
		How: pickleproto.ByNewObj, Callable: tokenClass, Args: pickleproto.Tuple{},
		Ops: []pickleproto.Op{{Kind: pickleproto.OpBuild, Items: []any{
			pickleproto.Tuple{text(o.typeid, protocol), pythonAddress(addr, protocol), text(o.id, protocol)},
		}}},
	}
}

// pythonAddress is an address as Python's Client takes it.
func pythonAddress(addr net.Addr, protocol int) any {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return pickleproto.Tuple{text(a.IP.String(), protocol), int64(a.Port)}
	case nil:
		return nil
	}
	return text(addr.String(), protocol)
}

// text is a str: in Python 2, which alone speaks protocol 2 here, a str of bytes.
func text(s string, protocol int) any {
	if protocol <= 2 {
		return pickleproto.ByteString(s)
	}
	return s
}

// names is a tuple of strs.
func names(list []string, protocol int) pickleproto.Tuple {
	t := make(pickleproto.Tuple, len(list))
	for i, s := range list {
		t[i] = text(s, protocol)
	}
	return t
}

// pythonProxy is what a pickled proxy of o is made of.
func pythonProxy(o *object, addr net.Addr, protocol int) any {
	kwds, class := pickleproto.NewDict(), pickleproto.Global{Module: module, Name: proxyClass(o.target)}
	if class == autoProxy {
		_ = kwds.Set(text("exposed", protocol), names(o.exposedNames(), protocol)) // a str has a hash
	}
	return &pickleproto.Object{
		How: pickleproto.ByReduce, Callable: rebuildProxy,
		Args: pickleproto.Tuple{class, token(o, addr, protocol), text("pickle", protocol), kwds},
	}
}

// proxyClass is Python's class for proxies of such an object.
func proxyClass(t target) string {
	switch t := t.(type) {
	case *Dict:
		return "DictProxy"
	case *List:
		if t.typecode != "" {
			return "ArrayProxy"
		}
		return "ListProxy"
	case *Value:
		return "ValueProxy"
	case *Namespace:
		return "NamespaceProxy"
	case *Lock, *RLock, *Semaphore:
		return "AcquirerProxy"
	case *Event:
		return "EventProxy"
	case *Condition:
		return "ConditionProxy"
	case *Barrier:
		return "BarrierProxy"
	}
	return autoProxy.Name
}

// tokenID returns the id in a pickled Token: one that Python wrote, or token above.
func tokenID(x any) (string, bool) {
	o, ok := x.(*pickleproto.Object)
	if !ok {
		return "", false
	}
	state, _ := o.Args.(pickleproto.Tuple)
	class, _ := o.Callable.(pickleproto.Global)
	if class.Module != module || class.Name != "Token" {
		// Protocols 0 and 1: copyreg._reconstructor(Token, object, None).
		if class.Name != "_reconstructor" || len(state) == 0 {
			return "", false
		}
		if class, _ = state[0].(pickleproto.Global); class.Module != module || class.Name != "Token" {
			return "", false
		}
	}
	for _, op := range o.Ops {
		if op.Kind == pickleproto.OpBuild && len(op.Items) == 1 {
			state, _ = op.Items[0].(pickleproto.Tuple)
		}
	}
	if len(state) != 3 {
		return "", false
	}
	return str(state[2])
}

// proxyID returns the id of the object that a pickled proxy refers to.
func proxyID(x *pickleproto.Object) (string, bool) {
	f, _ := x.Callable.(pickleproto.Global)
	args, _ := x.Args.(pickleproto.Tuple)
	if f.Module != module || f.Name != "RebuildProxy" || len(args) < 2 {
		return "", false
	}
	return tokenID(args[1])
}

var proxyType = reflect.TypeFor[*Proxy]()

// referent resolves an argument that is a proxy of one of the manager's own objects: into the Go
// value if the parameter takes it, or into a *Proxy.
func (c *call) referent(x *pickleproto.Object, t reflect.Type) (reflect.Value, bool, error) {
	id, ok := proxyID(x)
	if !ok {
		return reflect.Value{}, false, nil
	}
	if t == proxyType {
		o := c.m.objects.pin(id)
		if o == nil {
			return reflect.Value{}, false, noKey(id)
		}
		return reflect.ValueOf(&Proxy{m: c.m, o: o}), true, nil
	}
	o := c.m.objects.get(id)
	if o == nil {
		return reflect.Value{}, false, noKey(id)
	}
	v := reflect.ValueOf(o.goValue)
	if v.Type().AssignableTo(t) {
		return v, true, nil
	}
	return reflect.Value{}, false, python.TypeError("%s() got a proxy of %s where the Go value of another type, %s, was expected", c.method, pickleproto.Repr(o.typeid), pythonName(t))
}
