package managers_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/picklebridge/picklebridge/server"
	"github.com/picklebridge/picklebridge/server/managers"
)

var key = transport.Auth{Key: []byte("k")}

// start serves m on a free port until the test is over.
func start(t testing.TB, m *managers.Manager) net.Addr {
	t.Helper()
	m.Auth = key
	if m.Server == nil {
		m.Server = &server.Server{Log: slog.New(slog.DiscardHandler)}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- m.Serve(context.Background(), ln) }()
	t.Cleanup(func() {
		require.NoError(t, m.Close())
		require.ErrorIs(t, <-done, server.ErrServerClosed)
	})
	return ln.Addr()
}

// peer is a client that sends what it likes, as one of Python's connections.
type peer struct {
	t testing.TB
	transport.Conn
}

func connect(t testing.TB, addr net.Addr) *peer {
	t.Helper()
	nc, err := net.Dial(addr.Network(), addr.String())
	require.NoError(t, err)
	c, err := transport.Multiprocessing(key).Client(context.Background(), nc, transport.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { nc.Close() })
	return &peer{t, c}
}

func pickled(t testing.TB, protocol int, v any) []byte {
	t.Helper()
	b, err := pickleproto.Marshal(v, pickleproto.WithProtocol(protocol))
	require.NoError(t, err)
	return b
}

func request(ident any, method string, args ...any) pickleproto.Tuple {
	return pickleproto.Tuple{ident, method, pickleproto.Tuple(args), pickleproto.NewDict()}
}

// ask sends a request and returns kind and value of the answer.
func (p *peer) ask(protocol int, v any) (any, any) {
	p.t.Helper()
	require.NoError(p.t, transport.SendBytes(p, pickled(p.t, protocol, v)))
	m, err := p.Receive()
	require.NoError(p.t, err)
	var answer pickleproto.Tuple
	require.NoError(p.t, pickleproto.Unmarshal(m.Data, &answer))
	require.Len(p.t, answer, 2)
	return answer[0], answer[1]
}

// server asks the server itself, on a connection of its own, which must then be closed.
func asked(t testing.TB, addr net.Addr, method string, args ...any) any {
	t.Helper()
	p := connect(t, addr)
	kind, v := p.ask(4, request(nil, method, args...))
	require.Equal(t, "#RETURN", kind, "%v", v)
	_, err := p.Receive()
	require.ErrorIs(t, err, io.EOF)
	return v
}

func create(t testing.TB, addr net.Addr, typeid string, args ...any) string {
	t.Helper()
	return asked(t, addr, "create", append([]any{typeid}, args...)...).(pickleproto.Tuple)[0].(string)
}

// thread is a connection for the calls of objects.
func thread(t testing.TB, addr net.Addr) *peer {
	t.Helper()
	p := connect(t, addr)
	kind, _ := p.ask(4, request(nil, "accept_connection", "MainProcess"))
	require.Equal(t, "#RETURN", kind)
	return p
}

type calc struct{}

func (calc) Add(p struct{ A, B int }) int { return p.A + p.B }

func (calc) Sum(numbers []int64) (sum int64) {
	for _, n := range numbers {
		sum += n
	}
	return sum
}

func BenchmarkCall(b *testing.B) {
	numbers := make([]int64, 10_000)
	for i := range numbers {
		numbers[i] = int64(i)
	}
	for _, c := range []struct {
		name string
		req  func(id string) pickleproto.Tuple
	}{
		{"add", func(id string) pickleproto.Tuple { return request(id, "add", 2, 40) }},
		{"sum of 10,000", func(id string) pickleproto.Tuple { return request(id, "sum", numbers) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := &managers.Manager{}
			require.NoError(b, m.Register("calc", calc{}))
			addr := start(b, m)
			p := thread(b, addr)
			data := pickled(b, 4, c.req(create(b, addr, "calc")))
			buf := append(make([]byte, p.Headroom()), data...)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Send(buf); err != nil {
					b.Fatal(err)
				}
				if _, err := p.Receive(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestRegister(t *testing.T) {
	m := &managers.Manager{}
	require.NoError(t, m.Register("calc", calc{}))
	require.ErrorContains(t, m.Register("calc", calc{}), "registered already")
	require.ErrorContains(t, m.Register("x", func() {}), "must return one value")
	require.ErrorContains(t, m.Register("x", calc{}, managers.WithName("Nope", "y")), "no exported method Nope")
	require.ErrorContains(t, m.Register("x", calc{}, managers.WithName("Add", "sum")), "two methods")
	require.ErrorContains(t, m.Register("x", calc{}, managers.WithName("Add", "a b")), "cannot be the name")
	require.ErrorContains(t, m.Register("x", calc{}, managers.WithName("Add", "print")), "cannot be the name")
	require.ErrorContains(t, m.Register("x", calc{}, managers.WithParams("Sum", "a", "b")), "1 parameters, not the 2")
	require.ErrorContains(t, m.Serve(context.Background(), nil), "authkey")
	_, err := m.Share("nope", calc{})
	require.ErrorContains(t, err, "not registered")
}

// Protocol 2 is Python 2's: its strs are bytes, and it asserts that a traceback is one.
func TestPython2(t *testing.T) {
	m := &managers.Manager{}
	require.NoError(t, m.Register("calc", calc{}))
	addr := start(t, m)
	p := connect(t, addr)
	kind, v := p.ask(2, request(nil, "create", "nope"))
	require.Equal(t, pickleproto.ByteString("#TRACEBACK"), kind)
	require.Equal(t, pickleproto.ByteString("Traceback (most recent call last):\nKeyError: 'nope'\n"), v)
	p = thread(t, addr)
	kind, v = p.ask(2, request(create(t, addr, "calc"), "add", 2, 40))
	require.Equal(t, pickleproto.ByteString("#RETURN"), kind)
	require.Equal(t, int64(42), v)
}

func TestMaxObjects(t *testing.T) {
	m := &managers.Manager{MaxObjects: 2}
	require.NoError(t, m.RegisterSync())
	addr := start(t, m)
	first := create(t, addr, "dict")
	create(t, addr, "list")
	kind, v := connect(t, addr).ask(4, request(nil, "create", "dict"))
	require.Equal(t, "#TRACEBACK", kind)
	require.Contains(t, v, "MemoryError")
	asked(t, addr, "decref", first)
	create(t, addr, "dict")
	require.Equal(t, int64(2), asked(t, addr, "number_of_objects"))
}

// A client that goes while it waits takes no item with it.
func TestWaitingClientGoes(t *testing.T) {
	q := managers.NewQueue(0)
	m := &managers.Manager{}
	require.NoError(t, m.Register("get_queue", q))
	addr := start(t, m)
	id := create(t, addr, "get_queue")
	p := thread(t, addr)
	require.NoError(t, transport.SendBytes(p, pickled(t, 4, request(id, "get"))))
	require.Eventually(t, func() bool { return managers.Getters(q) == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, p.NetConn().Close())
	require.Eventually(t, func() bool { return managers.Getters(q) == 0 }, 10*time.Second, time.Millisecond)
	require.NoError(t, q.TryPut("kept"))
	x, err := q.TryGet()
	require.NoError(t, err)
	require.Equal(t, "kept", x)
}

// A second request that comes while the first one waits is answered after it.
func TestRequestWhileWaiting(t *testing.T) {
	q := managers.NewQueue(0)
	m := &managers.Manager{}
	require.NoError(t, m.Register("get_queue", q))
	addr := start(t, m)
	id := create(t, addr, "get_queue")
	p := thread(t, addr)
	require.NoError(t, transport.SendBytes(p, pickled(t, 4, request(id, "get"))))
	require.NoError(t, transport.SendBytes(p, pickled(t, 4, request(id, "qsize"))))
	require.Eventually(t, func() bool { return managers.Getters(q) == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, q.TryPut("x"))
	for _, want := range []any{"x", int64(0)} {
		m, err := p.Receive()
		require.NoError(t, err)
		var answer pickleproto.Tuple
		require.NoError(t, pickleproto.Unmarshal(m.Data, &answer))
		require.Equal(t, pickleproto.Tuple{"#RETURN", want}, answer)
	}
}

// A factory may wait for something; that its connection is watched meanwhile costs it nothing.
func TestFactoryThatWaits(t *testing.T) {
	m := &managers.Manager{}
	require.NoError(t, m.Register("slow", func(ctx context.Context) (calc, error) {
		select {
		case <-ctx.Done():
			return calc{}, ctx.Err()
		case <-time.After(20 * time.Millisecond):
			return calc{}, nil
		}
	}))
	addr := start(t, m)
	for range 3 {
		create(t, addr, "slow")
	}
	require.Equal(t, int64(3), asked(t, addr, "number_of_objects"))
}

// Shutdown lets a call come to its end and does not wait for those who say nothing.
func TestShutdown(t *testing.T) {
	q := managers.NewQueue(0)
	m := &managers.Manager{}
	require.NoError(t, m.Register("get_queue", q))
	addr := start(t, m)
	id := create(t, addr, "get_queue")
	idle, p := thread(t, addr), thread(t, addr)
	require.NoError(t, transport.SendBytes(p, pickled(t, 4, request(id, "get"))))
	require.Eventually(t, func() bool { return managers.Getters(q) == 1 }, 10*time.Second, time.Millisecond)
	done := make(chan error, 1)
	go func() { done <- m.Shutdown(context.Background()) }()
	_, err := idle.Receive()
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, q.TryPut("at last"))
	answer, err := p.Receive()
	require.NoError(t, err)
	require.Contains(t, string(answer.Data), "at last")
	require.NoError(t, <-done)
}

// What a client sends can be of any kind; it never ends the connection of another.
func TestHostileRequests(t *testing.T) {
	m := &managers.Manager{}
	require.NoError(t, m.RegisterSync())
	require.NoError(t, m.Register("calc", calc{}))
	addr := start(t, m)
	list := create(t, addr, "list")
	dict := create(t, addr, "dict")
	var deep any = pickleproto.NewList()
	for range 20_000 {
		deep = pickleproto.Tuple{deep}
	}
	good := thread(t, addr)
	p := thread(t, addr)
	for _, v := range []any{
		nil, 5, pickleproto.Tuple{}, request(5, "x"), request(list, "\x00"), request(list, "append"),
		request(list, "__mul__", int64(1)<<62), request(list, "__getitem__", pickleproto.Bytes("x")),
		request(list, "insert", 1<<62), request(list, "insert", "x", 1),
		request(list, "pop", int64(-1)<<62), request(dict, "__setitem__", pickleproto.NewList(), 1),
		request(dict, "update", pickleproto.NewList(pickleproto.NewList(1))),
		request(create(t, addr, "Array", "i", pickleproto.NewList()), "append", 1),
	} {
		kind, _ := p.ask(4, v)
		require.Contains(t, []any{"#ERROR", "#TRACEBACK", "#RETURN"}, kind)
	}
	b, err := pickleproto.Marshal(request(list, "append", deep), pickleproto.WithLimits(pickleproto.Limits{Depth: -1}))
	require.NoError(t, err)
	require.NoError(t, transport.SendBytes(p, b))
	m2, err := p.Receive()
	require.NoError(t, err)
	require.Contains(t, string(m2.Data), "#TRACEBACK")
	kind, v := good.ask(4, request(list, "__len__"))
	require.Equal(t, "#RETURN", kind)
	require.LessOrEqual(t, v, int64(2))
}

func Example() {
	m := &managers.Manager{Auth: transport.Auth{Key: []byte("k")}}
	if err := m.Register("calc", calc{}); err != nil {
		panic(err)
	}
	ln, err := net.Listen("tcp", "localhost:50000")
	if err != nil {
		panic(err)
	}
	// In Python: M.register('calc'); m = M(('localhost', 50000), b'k'); m.connect(); m.calc().add(2, b=40)
	if err := m.Serve(context.Background(), ln); err != nil {
		panic(err)
	}
}
