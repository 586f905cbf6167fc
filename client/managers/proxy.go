package managers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// Proxy stands for an object of the manager, which keeps it until Release. It is safe for use by
// many goroutines.
type Proxy struct {
	c       *Client
	s       *Session
	typeid  string
	id      string
	address any // as the manager writes it; nil for the one that the client dialled
	methods []string

	mu       sync.Mutex // guards released
	released bool
}

// Create has the manager make an object of the typeid: m.typeid(*args, **kwds) in Python.
func (c *Client) Create(ctx context.Context, typeid string, args []any, kwds map[string]any) (*Proxy, error) {
	all := append([]any{pickleproto.ByteString(typeid)}, args...)
	x, err := c.request(ctx, "create", all, kwds)
	if err != nil {
		return nil, err
	}
	t, ok := x.(pickleproto.Tuple)
	if !ok || len(t) != 2 {
		return nil, errors.New("managers: the manager has answered create with no pair of id and methods")
	}
	id, ok := text(t[0])
	if !ok {
		return nil, errors.New("managers: the manager has made an object without an id")
	}
	// The reference that create counts is this proxy's.
	return c.hold(&Proxy{c: c, typeid: typeid, id: id, methods: names(t[1])}), nil
}

func (c *Client) hold(p *Proxy) *Proxy {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[p] = struct{}{}
	return p
}

func names(x any) []string {
	t, ok := x.(pickleproto.Tuple)
	if !ok {
		return nil
	}
	list := make([]string, 0, len(t))
	for _, y := range t {
		if s, ok := text(y); ok {
			list = append(list, s)
		}
	}
	return list
}

// Methods are the names of the methods that the manager exposes.
func (p *Proxy) Methods() []string { return p.methods }

// TypeID is the name under which the object's type is registered.
func (p *Proxy) TypeID() string { return p.typeid }

// In returns the same proxy, for calls through the Session. It is not to be released.
func (p *Proxy) In(s *Session) *Proxy {
	return &Proxy{c: p.c, s: s, typeid: p.typeid, id: p.id, address: p.address, methods: p.methods, released: true}
}

// Call calls the method and puts its result into what out points to; a nil out drops it. A result
// that is a proxy goes into a **Proxy or a *any. When ctx ends first, the call may have been served,
// and may still be under way in the manager: the error wraps client.ErrUnanswered.
func (p *Proxy) Call(ctx context.Context, method string, args []any, kwds map[string]any, out any) error {
	a, err := p.c.call(ctx, p.s, p.id, method, args, kwds)
	if err != nil {
		return err
	}
	switch a.kind {
	case "#RETURN":
		return p.c.bind(ctx, a.value, out)
	case "#PROXY":
		return p.result(ctx, a.value, out)
	}
	return failure(a)
}

func (c *Client) bind(ctx context.Context, x, out any) error {
	switch out := out.(type) {
	case nil:
		return nil
	case *any:
		*out = x
		return nil
	case **Proxy:
		p, err := c.Resolve(ctx, x)
		if err == nil {
			*out = p
		}
		return err
	}
	return pickleproto.Bind(x, out, c.decode...)
}

// result is that of a method whose result the manager keeps: (methods, token).
func (p *Proxy) result(ctx context.Context, x, out any) error {
	t, ok := x.(pickleproto.Tuple)
	if !ok || len(t) != 2 {
		return errors.New("managers: the manager has answered with no pair of methods and token")
	}
	made, err := p.c.fromToken(t[1])
	if err != nil {
		return err
	}
	made.methods = names(t[0])
	p.c.hold(made)
	switch out := out.(type) {
	case *any:
		*out = made
		return nil
	case **Proxy:
		*out = made
		return nil
	case nil:
		return made.Release(ctx)
	}
	return errors.Join(&pickleproto.TypeError{Msg: fmt.Sprintf("the result is a proxy, which fits no %T", out), Offset: -1}, made.Release(ctx))
}

// fromToken makes a proxy of a Token, whose reference is counted already.
func (c *Client) fromToken(x any) (*Proxy, error) {
	o, ok := x.(*pickleproto.Object)
	if ok {
		for _, op := range o.Ops {
			if op.Kind != pickleproto.OpBuild || len(op.Items) != 1 {
				continue
			}
			state, isTuple := op.Items[0].(pickleproto.Tuple)
			if !isTuple || len(state) != 3 {
				break
			}
			typeid, ok1 := text(state[0])
			id, ok2 := text(state[2])
			if ok1 && ok2 {
				return &Proxy{c: c, typeid: typeid, id: id, address: state[1]}, nil
			}
		}
	}
	return nil, errors.New("managers: not a Token")
}

// Resolve makes a Proxy of a pickled one, as it is found within results. It counts a reference of
// its own. Of which manager the object is, is not looked at: it must be this one's.
func (c *Client) Resolve(ctx context.Context, x any) (*Proxy, error) {
	o, ok := x.(*pickleproto.Object)
	if !ok {
		return nil, &pickleproto.TypeError{Msg: fmt.Sprintf("%s is no proxy", clip(pickleproto.Repr(x))), Offset: -1}
	}
	args, _ := o.Args.(pickleproto.Tuple)
	if g, _ := o.Callable.(pickleproto.Global); g.Name != "RebuildProxy" || len(args) != 4 {
		return nil, &pickleproto.TypeError{Msg: fmt.Sprintf("%s is no proxy", clip(pickleproto.Repr(x))), Offset: -1}
	}
	p, err := c.fromToken(args[1])
	if err != nil {
		return nil, err
	}
	if kwds, ok := args[3].(*pickleproto.Dict); ok {
		exposed, _ := kwds.Get("exposed")
		p.methods = names(exposed)
	}
	if _, err := c.request(ctx, "incref", []any{pickleproto.ByteString(p.id)}, nil); err != nil {
		return nil, err
	}
	return c.hold(p), nil
}

// Value returns a copy of the object itself, as proxy._getvalue() in Python.
func (p *Proxy) Value(ctx context.Context, out any) error {
	return p.Call(ctx, "#GETVALUE", nil, nil, out)
}

// Text is Python's str of the object.
func (p *Proxy) Text(ctx context.Context) (string, error) {
	var s string
	err := p.Call(ctx, "__str__", nil, nil, &s)
	return s, err
}

// Release gives the reference back; the object goes with the last one. To release a proxy again
// does nothing.
func (p *Proxy) Release(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.released {
		return nil
	}
	if _, err := p.c.request(ctx, "decref", []any{pickleproto.ByteString(p.id)}, nil); err != nil {
		return err
	}
	p.released = true
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	delete(p.c.held, p)
	return nil
}

// proxyClasses are Python's classes for the proxies of SyncManager's types. For others it has
// AutoProxy, which its managers of 3.6 and 3.7 cannot take as an argument: they raise TypeError.
var proxyClasses = map[string]string{
	"Event": "EventProxy", "Lock": "AcquirerProxy", "RLock": "AcquirerProxy", "Semaphore": "AcquirerProxy",
	"BoundedSemaphore": "AcquirerProxy", "Condition": "ConditionProxy", "Barrier": "BarrierProxy",
	"list": "ListProxy", "dict": "DictProxy", "Value": "ValueProxy", "Array": "ArrayProxy", "Namespace": "NamespaceProxy",
}

// MarshalPickle makes a proxy an argument: the manager finds its own object behind it.
func (p *Proxy) MarshalPickle() (any, error) {
	address := p.address
	if address == nil {
		var err error
		if address, err = p.c.pythonAddress(); err != nil {
			return nil, err
		}
	}
	global := func(name string) pickleproto.Global {
		return pickleproto.Global{Module: "multiprocessing.managers", Name: name}
	}
	kwds, class := pickleproto.NewDict(), proxyClasses[p.typeid]
	if class == "" {
		class = "AutoProxy"
		exposed := make(pickleproto.Tuple, len(p.methods))
		for i, name := range p.methods {
			exposed[i] = pickleproto.ByteString(name)
		}
		if err := kwds.Set(pickleproto.ByteString("exposed"), exposed); err != nil {
			return nil, err
		}
	}
	token := &pickleproto.Object{
		How: pickleproto.ByNewObj, Callable: global("Token"), Args: pickleproto.Tuple{},
		Ops: []pickleproto.Op{{Kind: pickleproto.OpBuild, Items: []any{
			pickleproto.Tuple{pickleproto.ByteString(p.typeid), address, pickleproto.ByteString(p.id)},
		}}},
	}
	return &pickleproto.Object{
		How: pickleproto.ByReduce, Callable: global("RebuildProxy"),
		Args: pickleproto.Tuple{global(class), token, pickleproto.ByteString("pickle"), kwds},
	}, nil
}

// pythonAddress is the manager's address as Python writes it.
func (c *Client) pythonAddress() (any, error) {
	if c.network == "unix" {
		return pickleproto.ByteString(c.addr), nil
	}
	a, err := net.ResolveTCPAddr(c.network, c.addr)
	if err != nil {
		return nil, err
	}
	return pickleproto.Tuple{pickleproto.ByteString(a.IP.String()), int64(a.Port)}, nil
}
