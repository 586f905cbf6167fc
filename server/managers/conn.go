package managers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/picklebridge/picklebridge/server"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// client is one connection of a client, served by one goroutine.
type client struct {
	m      *Manager
	tc     transport.Conn
	host   string
	called map[*object]struct{} // for OrphanTimeout
	call   call                 // the one under way
	pair   [2]any               // kind and value of the answer
	reply  any                  // the tuple of both

	accepted bool // the connection goes on with calls of objects
	shutdown bool // the client has demanded the server's end
	sendErr  error

	// While a call waits for something, another goroutine receives, to see the client's end.
	mu      sync.Mutex
	pending chan received // of that goroutine; nil if there is none
}

type received struct {
	m   transport.Message
	err error
}

// call is one request: call the method of an object, or of the server itself.
type call struct {
	m        *Manager
	client   *client
	protocol int
	size     int    // of the message
	ident    string // of the object
	method   string
	args     pickleproto.Tuple
	kwds     *pickleproto.Dict // may be nil

	// Of one that takes the direct way, which has no args and kwds:
	object *object
	direct *direct
}

// errNoMethod is a target's answer to a name that it does not know.
var errNoMethod = errors.New("managers: no such method")

// tracebackError is an error that the client sees as RemoteError with the text of a traceback.
type tracebackError struct{ err error }

func (e *tracebackError) Error() string { return e.err.Error() }

func (m *Manager) serveConn(ctx context.Context, tc transport.Conn) error {
	c := &client{m: m, tc: tc, host: hostOf(tc.NetConn().RemoteAddr())}
	c.call.m, c.call.client = m, c
	m.objects.connected(c.host)
	defer func() { m.objects.disconnected(c.host, c.called) }()
	defer c.unwatch()
	for {
		msg, err := c.receive(ctx)
		if err != nil {
			return c.refused(msg, err)
		}
		if c.sendErr != nil {
			return c.sendErr
		}
		if err = c.answer(ctx, msg); err != nil {
			return err
		}
		if c.shutdown {
			// By itself: it may wait for this connection.
			go m.OnShutdown()
		}
		if !c.accepted {
			return nil
		}
	}
}

// refused ends a connection from which no further message comes; one that is too large is told.
func (c *client) refused(msg transport.Message, err error) error {
	var limit *pickleproto.LimitError
	if errors.As(err, &limit) {
		_ = c.send(msg.Protocol, traceback(err, msg.Protocol))
	}
	return err
}

// receive returns the next message, which may have come while a call was under way. Calls whose method
// cannot ask for the client's end it answers itself: watch, which receives, has no place there.
func (c *client) receive(ctx context.Context) (transport.Message, error) {
	c.mu.Lock()
	pending := c.pending
	c.pending = nil
	c.mu.Unlock()
	if pending != nil {
		r := <-pending
		c.directly(r.m, r.err)
		return r.m, r.err
	}
	var last transport.Message
	m, err := transport.Serve(c.tc, func(m transport.Message) bool {
		if last = m; !c.directly(m, nil) || c.call.direct.m.context {
			return false
		}
		c.sendErr = c.finish(ctx, m)
		return c.sendErr == nil
	})
	if err != nil {
		return m, err
	}
	return last, nil
}

// directly reports whether the message that was received is a call that takes the direct way.
func (c *client) directly(m transport.Message, err error) bool {
	c.call.protocol, c.call.size = m.Protocol, len(m.Data)
	return err == nil && c.accepted && c.call.directly(m.Data)
}

// watch receives in another goroutine while a call waits, and calls gone when the client is.
func (c *client) watch(gone func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending != nil {
		return
	}
	pending := make(chan received, 1)
	c.pending = pending
	go func() {
		m, err := c.tc.Receive()
		pending <- received{m, err}
		if err != nil && !errors.Is(err, transport.ErrInterrupted) {
			gone()
		}
	}()
}

// unwatch waits at the end of the connection for a goroutine that still receives. The peer, which
// has its answer, is given some time to close; closing first could cost it the answer.
func (c *client) unwatch() {
	c.mu.Lock()
	pending := c.pending
	c.mu.Unlock()
	if pending == nil {
		return
	}
	if c.tc.CloseWrite() == nil {
		select {
		case <-pending:
			return
		case <-time.After(unwatchTime):
		}
	}
	c.tc.NetConn().Close()
	<-pending
}

const unwatchTime = 2 * time.Second

// callContext is the context of a call: it ends when the client goes away. As long as nobody asks
// for that, which only those do who are about to wait, it costs nothing.
type callContext struct {
	context.Context // the connection's
	client          *client

	mu      sync.Mutex // guards over, and the making of watched
	watched atomic.Pointer[context.Context]
	cancel  context.CancelFunc
	over    bool
}

func (x *callContext) Done() <-chan struct{} {
	if inner := x.watched.Load(); inner != nil {
		return (*inner).Done()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.watched.Load() == nil {
		inner, cancel := context.WithCancel(x.Context)
		x.cancel = cancel
		x.watched.Store(&inner)
		if x.over {
			cancel()
		} else {
			x.client.watch(cancel)
		}
	}
	return (*x.watched.Load()).Done()
}

func (x *callContext) Err() error {
	if inner := x.watched.Load(); inner != nil {
		return (*inner).Err()
	}
	return x.Context.Err()
}

// end is called when the call is over: the connection goes on.
func (x *callContext) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	if x.cancel != nil {
		x.cancel()
	}
}

// answer is what a request is answered with.
type answer struct {
	kind  string
	value any
}

// answer decodes a request, if it does not take the direct way, has it served and sends the answer. Its
// error ends the connection.
func (c *client) answer(ctx context.Context, msg transport.Message) error {
	if c.call.direct == nil {
		if err := c.call.decode(msg.Data); err != nil {
			c.m.log.Warn("bad request", "remote", c.tc.NetConn().RemoteAddr(), "err", err)
			return c.send(msg.Protocol, traceback(err, msg.Protocol))
		}
	}
	return c.finish(ctx, msg)
}

// finish has a request served that has been decoded, and sends the answer.
func (c *client) finish(ctx context.Context, msg transport.Message) error {
	call := &c.call
	p := msg.Protocol
	serve := (*client).serverCall
	if c.accepted {
		serve = (*client).objectCall
	}
	a, err := c.guarded(ctx, serve)
	call.args, call.kwds, call.object, call.direct = nil, nil, nil, nil
	if err != nil {
		a = c.failed(err, p)
	}
	return c.send(p, a)
}

// guarded calls serve; its panic is an error that says nothing of its innards.
func (c *client) guarded(ctx context.Context, serve func(*client, context.Context) (answer, error)) (a answer, err error) {
	var x *callContext
	if d := c.call.direct; d == nil || d.m.context { // else nobody sees it
		x = &callContext{Context: ctx, client: c}
		ctx = x
	}
	defer func() {
		if x != nil {
			x.end()
		}
		if r := recover(); r != nil {
			c.m.log.Error("method panicked", "remote", c.tc.NetConn().RemoteAddr(), "method", c.call.method,
				"panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = &tracebackError{fmt.Errorf("internal error in the method %s", pickleproto.Repr(clip(c.call.method)))}
		}
	}()
	return serve(c, ctx)
}

// failed is the answer for an error.
func (c *client) failed(err error, protocol int) answer {
	var trace *tracebackError
	if errors.As(err, &trace) {
		return traceback(trace.err, protocol)
	}
	var mismatch *pickleproto.TypeError
	if errors.As(err, &mismatch) && mismatch.Path == "" {
		err = python.TypeError("%s", strings.TrimPrefix(err.Error(), "pickle: ")) // an unhashable key, for example
	}
	return answer{"#ERROR", native(server.Exception(err, protocol), protocol)}
}

// native is the exception with its texts as str of the Python that it goes to: Python 2 has a str of
// bytes in its own, and str(e) fails on one of Unicode that is not ASCII.
func native(e *pickleproto.Exception, protocol int) *pickleproto.Exception {
	own := *e
	own.Args = slices.Clone(e.Args)
	for i, x := range own.Args {
		if s, ok := x.(string); ok {
			own.Args[i] = text(s, protocol)
		}
	}
	return &own
}

// traceback is the answer that raises RemoteError, with the text of err as Python prints it.
func traceback(err error, protocol int) answer {
	return answer{"#TRACEBACK", text(tracebackText(err, protocol), protocol)}
}

func tracebackText(err error, protocol int) string {
	return "Traceback (most recent call last):\n" + server.Exception(err, protocol).Error() + "\n"
}

const keepBuffer = 64 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

var anyReturn any = "#RETURN"

// kindText is the kind of an answer as the client's str.
func kindText(kind string, protocol int) any {
	if kind == anyReturn && protocol > 2 {
		return anyReturn
	}
	return text(kind, protocol)
}

// send sends an answer; what has no pickle is told so.
func (c *client) send(protocol int, a answer) error {
	out := buffers.Get().(*[]byte)
	defer func() {
		if cap(*out) <= keepBuffer {
			buffers.Put(out)
		}
	}()
	head := c.tc.Headroom()
	buf := append((*out)[:0], make([]byte, head)...)
	if c.reply == nil {
		c.reply = pickleproto.Tuple(c.pair[:])
	}
	c.pair[0], c.pair[1] = kindText(a.kind, protocol), a.value
	buf, err := c.m.encode[protocol].AppendMarshal(buf, c.reply)
	c.pair[1] = nil
	if err == nil {
		*out = buf
		if err = c.tc.Send(buf); err == nil {
			return nil
		}
		var refused *transport.RefusedError
		if !errors.As(err, &refused) {
			return err
		}
	}
	kind := "#UNSERIALIZABLE"
	fault := pickleproto.Tuple{text(kind, protocol), text(tracebackText(pickleproto.NewException("PicklingError", err.Error()), protocol), protocol)}
	buf, err = pickleproto.AppendMarshal(buf[:head], fault, pickleproto.WithProtocol(protocol))
	if err != nil {
		return err
	}
	*out = buf
	return c.tc.Send(buf)
}

// copyStringsAbove is the size of a message from which on a string that is kept does not keep
// the message with it.
const copyStringsAbove = 1 << 10

var rebuildProxyName = []byte("RebuildProxy")

// decode reads (ident, method, args, kwds).
func (c *call) decode(data []byte) error {
	c.ident, c.method, c.args, c.kwds = "", "", nil, nil
	decode := c.m.decode
	if len(data) > copyStringsAbove {
		decode = c.m.decodeLong
	}
	var x any
	if _, err := decode.UnmarshalFirst(data, &x); err == io.EOF {
		return fmt.Errorf("an empty message: %w", io.ErrUnexpectedEOF)
	} else if err != nil {
		return err
	}
	request, ok := x.(pickleproto.Tuple)
	if !ok || len(request) != 4 {
		return fmt.Errorf("not a request: a tuple of ident, method, args and kwds")
	}
	if request[0] != nil {
		if c.ident, ok = str(request[0]); !ok {
			return python.TypeError("the ident must be str or None")
		}
	}
	if c.method, ok = str(request[1]); !ok {
		return python.TypeError("the method's name must be str")
	}
	switch args := request[2].(type) {
	case pickleproto.Tuple:
		c.args = args
	case *pickleproto.List:
		c.args = args.Items()
	default:
		return python.TypeError("args must be a tuple")
	}
	if c.kwds, ok = request[3].(*pickleproto.Dict); !ok {
		return python.TypeError("kwds must be a dict")
	}
	if bytes.Contains(data, rebuildProxyName) {
		c.keepProxies()
	}
	return nil
}

// keepProxies keeps the objects that proxies within the arguments refer to: the argument may be
// stored in another object and outlive the client's own proxies. (A proxy that is an argument by
// itself is resolved when the argument is bound, except by the types that store it.)
func (c *call) keepProxies() {
	budget := 1_000_000
	var walk func(x any, depth int)
	seen := map[any]bool{}
	walk = func(x any, depth int) {
		if budget--; budget < 0 || depth > 100 {
			return
		}
		switch x := x.(type) {
		case pickleproto.Tuple:
			for _, y := range x {
				walk(y, depth+1)
			}
		case *pickleproto.List:
			if !seen[x] {
				seen[x] = true
				for _, y := range x.All() {
					walk(y, depth+1)
				}
			}
		case *pickleproto.Dict:
			if !seen[x] {
				seen[x] = true
				for k, y := range x.All() {
					walk(k, depth+1)
					walk(y, depth+1)
				}
			}
		case *pickleproto.Object:
			if id, ok := proxyID(x); ok && (depth > 0 || c.stores()) {
				c.m.objects.keep(id)
			}
		}
	}
	for _, x := range c.args {
		walk(x, 0)
	}
	if c.kwds != nil {
		for _, x := range c.kwds.All() {
			walk(x, 0)
		}
	}
}

// stores tells whether the called object may keep an argument as it is.
func (c *call) stores() bool {
	o := c.m.objects.get(c.ident)
	if o == nil {
		return c.method == "create"
	}
	_, plain := o.target.(*reflectedValue)
	return !plain
}

// bindOptions are those for the binding of an argument, within the limits of the message.
func (c *call) bindOptions() []pickleproto.Option {
	opts := c.m.bindOpts
	if c.size > 4<<10 {
		memory := int64(1<<20 + 64*c.size)
		opts = append(opts[:len(opts):len(opts)], pickleproto.WithLimits(pickleproto.Limits{Memory: memory, Work: 10_000_000 + 16*int64(c.size)}))
	}
	return opts
}

// objectCall serves the call of an object's method.
func (c *client) objectCall(ctx context.Context) (answer, error) {
	call := &c.call
	o := call.object
	if o == nil {
		o = c.m.objects.get(call.ident)
	}
	if o == nil {
		return answer{}, &tracebackError{noKey(call.ident)}
	}
	c.noteCall(o)
	var v any
	var err error
	if call.direct != nil {
		v, err = call.direct.invoke(ctx)
	} else {
		v, err = o.target.call(ctx, call)
	}
	if err == errNoMethod {
		return c.fallback(ctx, o)
	}
	if err != nil {
		return answer{}, err
	}
	if typeid := o.cfg.returns[call.method]; typeid != "" {
		return c.proxyAnswer(typeid, v)
	}
	switch v := v.(type) {
	case *iterated:
		return c.proxyAnswer("Iterator", v)
	case *Proxy:
		return answer{"#RETURN", pythonProxy(v.o, c.tc.NetConn().LocalAddr(), call.protocol)}, nil
	}
	return answer{"#RETURN", v}, nil
}

func (c *client) noteCall(o *object) {
	if c.m.objects.orphans <= 0 {
		return
	}
	if _, known := c.called[o]; known {
		return
	}
	if c.called == nil {
		c.called = map[*object]struct{}{}
	}
	c.called[o] = struct{}{}
	c.m.objects.calledBy(o)
}

// fallback serves what every object answers, whether exposed or not.
func (c *client) fallback(ctx context.Context, o *object) (answer, error) {
	switch c.call.method {
	case "__str__", "__repr__":
		return answer{"#RETURN", text(o.target.text(ctx, &c.call), c.call.protocol)}, nil
	case "#GETVALUE":
		v, err := o.target.value(ctx, &c.call)
		if err != nil {
			return answer{}, &tracebackError{err}
		}
		return answer{"#RETURN", v}, nil
	}
	return answer{}, &tracebackError{pickleproto.NewException("AttributeError",
		fmt.Sprintf("method %s of %s object is not in exposed=%s", pickleproto.Repr(clip(c.call.method)),
			pickleproto.Repr(o.typeid), pickleproto.Repr(names(o.exposedNames(), 3))))}
}

// proxyAnswer makes an object of a result and answers with a proxy of it.
func (c *client) proxyAnswer(typeid string, v any) (answer, error) {
	if isNil(v) {
		return answer{"#RETURN", nil}, nil
	}
	r := c.m.registration(typeid)
	if r == nil && typeid == "Iterator" {
		r = &registration{typeid: typeid}
	}
	if r == nil {
		return answer{}, &tracebackError{noKey(typeid)}
	}
	var o *object
	if p, ok := v.(*Proxy); ok {
		if o = p.o; !c.m.objects.again(o) {
			return answer{}, &tracebackError{noKey(o.id)}
		}
	} else {
		var err error
		if o, err = c.m.newObject(r, v, c.host); err != nil {
			return answer{}, err
		}
	}
	p := c.call.protocol
	return answer{"#PROXY", pickleproto.Tuple{names(o.exposedNames(), p), token(o, c.tc.NetConn().LocalAddr(), p)}}, nil
}

func hostOf(a net.Addr) string {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.IP.String()
	}
	return "local"
}

// seconds turns a Python timeout into a duration.
func seconds(f float64) time.Duration {
	const most = float64(1 << 62)
	if d := f * float64(time.Second); d < most {
		return max(time.Duration(d), 0)
	}
	return 1 << 62
}
