package server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/picklebridge/picklebridge/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lines is where a server under test logs to.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type running struct {
	*server.Server
	t    *testing.T
	addr string
	log  *lines
	done chan error
}

// start serves on a free port until the test ends; then nothing may be left running.
func start(t *testing.T, s *server.Server) *running {
	before := runtime.NumGoroutine()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &running{Server: s, t: t, addr: ln.Addr().String(), log: &lines{}, done: make(chan error, 1)}
	s.Log = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	go func() { r.done <- s.Serve(context.Background(), ln) }()
	t.Cleanup(func() {
		s.Close()
		<-r.done
		for begin := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Since(begin) > 10*time.Second {
				stacks := make([]byte, 1<<20)
				t.Errorf("goroutines are left running:\n%s", stacks[:runtime.Stack(stacks, true)])
				break
			}
		}
	})
	return r
}

func (r *running) dial() *net.TCPConn {
	nc, err := net.Dial("tcp", r.addr)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { nc.Close() })
	require.NoError(r.t, nc.SetDeadline(time.Now().Add(20*time.Second)))
	return nc.(*net.TCPConn)
}

// ask sends bytes, half-closes, and returns all that comes back.
func (r *running) ask(request string) string {
	nc := r.dial()
	_, err := nc.Write([]byte(request))
	require.NoError(r.t, err)
	require.NoError(r.t, nc.CloseWrite())
	b, err := io.ReadAll(nc)
	require.NoError(r.t, err)
	return string(b)
}

func dumps(t testing.TB, v any, protocol int) string {
	b, err := pickleproto.Marshal(v, pickleproto.WithProtocol(protocol))
	require.NoError(t, err)
	return string(b)
}

func loads(t testing.TB, data string) any {
	v, err := pickleproto.Native.Decode([]byte(data))
	require.NoError(t, err, "%q", data)
	return v
}

// raised is a pickled exception as "module.Class: text".
func raised(t testing.TB, data string) string {
	e, ok := pickleproto.ExceptionOf(loads(t, data), nil)
	require.True(t, ok, "%q is no exception", data)
	return e.Class.Module + "." + e.Class.Name + ": " + e.Text()
}

func numbers(t testing.TB, n ...any) any {
	d := pickleproto.NewDict()
	require.NoError(t, d.Set("key", "value"))
	require.NoError(t, d.Set("numbers", pickleproto.NewList(n...)))
	return d
}

func TestAnswersInTheProtocolOfTheRequest(t *testing.T) {
	r := start(t, &server.Server{Handler: server.Increment})
	for p := range pickleproto.HighestProtocol + 1 {
		d := pickleproto.NewDict()
		require.NoError(t, d.Set("key", "processed"))
		require.NoError(t, d.Set("numbers", pickleproto.NewList(int64(2), int64(3))))
		assert.Equal(t, dumps(t, d, p), r.ask(dumps(t, numbers(t, int64(1), int64(2)), p)))
	}
	fixed := start(t, &server.Server{Handler: server.Echo, Options: []pickleproto.Option{pickleproto.WithProtocol(1)}})
	assert.Equal(t, dumps(t, numbers(t), 1), fixed.ask(dumps(t, numbers(t), 5)))
}

func TestManyMessagesOnOneConnection(t *testing.T) {
	r := start(t, &server.Server{Handler: server.Echo})
	nc := r.dial()
	all := ""
	for i := range 200 {
		all += dumps(t, numbers(t, int64(i)), i%6)
	}
	go func() {
		rest := all
		for len(rest) > 0 { // segments that end anywhere
			n := min(len(rest), 37)
			if _, err := nc.Write([]byte(rest[:n])); err != nil {
				return
			}
			rest = rest[n:]
		}
		_ = nc.CloseWrite()
	}()
	got, err := io.ReadAll(nc)
	require.NoError(t, err)
	assert.Equal(t, all, string(got))
}

// An echo that sent the bytes back unseen would prove nothing: what comes back is what Python
// would write, not what was sent.
func TestEchoDecodesAndEncodes(t *testing.T) {
	r := start(t, &server.Server{Handler: server.Echo})
	assert.Equal(t, "\x80\x04K\x02.", r.ask("\x80\x04K\x01K\x02\x94\x85\x940K\x02."[:4]+"0K\x02."))
	assert.Contains(t, raised(t, r.ask("\x80\x04j\x05\x00\x00\x00.")), "UnpicklingError")
}

func TestTyped(t *testing.T) {
	type request struct {
		Numbers []int64 `pickle:"numbers"`
	}
	type answer struct {
		Sum int64 `pickle:"sum"`
	}
	r := start(t, &server.Server{Handler: server.Typed(func(_ context.Context, in request) (answer, error) {
		var out answer
		for _, n := range in.Numbers {
			out.Sum += n
		}
		if out.Sum < 0 {
			return out, pickleproto.NewException("ValueError", "negative")
		}
		return out, nil
	})})
	want := pickleproto.NewDict()
	require.NoError(t, want.Set("sum", int64(6)))
	assert.Equal(t, dumps(t, want, 4), r.ask(dumps(t, numbers(t, int64(1), int64(2), int64(3)), 4)))
	assert.Equal(t, "builtins.ValueError: negative", raised(t, r.ask(dumps(t, numbers(t, int64(-1)), 4))))
	assert.Contains(t, raised(t, r.ask(dumps(t, numbers(t, "x"), 4))), "builtins.TypeError: ")
}

func TestException(t *testing.T) {
	cut := &pickleproto.SyntaxError{Msg: "cut", Err: io.ErrUnexpectedEOF}
	for _, tt := range []struct {
		err      error
		protocol int
		want     string
	}{
		{&pickleproto.SyntaxError{Msg: "no"}, 4, "_pickle.UnpicklingError: pickle: no at byte 0"},
		{fmt.Errorf("wrapped: %w", &pickleproto.LimitError{Limit: "depth", Offset: -1}), 4, "_pickle.UnpicklingError: wrapped: pickle: depth limit exceeded: 0 > 0"},
		{cut, 4, "builtins.EOFError: pickle: cut at byte 0"},
		{&pickleproto.TypeError{Msg: "no", Offset: -1}, 4, "builtins.TypeError: pickle: no"},
		{&transport.TimeoutError{Waiting: "x", After: time.Second}, 4, "builtins.TimeoutError: transport: timeout after 1s waiting for x"},
		{context.DeadlineExceeded, 2, "socket.timeout: context deadline exceeded"},
		{pickleproto.NewException("queue.Empty"), 4, "queue.Empty: "},
		{errors.New("anything"), 4, "builtins.RuntimeError: anything"},
	} {
		e := server.Exception(tt.err, tt.protocol)
		assert.Equal(t, tt.want, e.Class.Module+"."+e.Class.Name+": "+e.Text())
	}
}

func TestHandlerErrors(t *testing.T) {
	r := start(t, &server.Server{Handler: server.HandlerFunc(func(_ context.Context, req *server.Request) (any, error) {
		var v any
		if err := req.Decode(&v); err != nil {
			return nil, err
		}
		switch v {
		case "error":
			return nil, errors.New("the text")
		case "panic":
			var list []int
			return list[len(req.Raw)], nil
		case "unpicklable":
			return func() {}, nil
		case "odd":
			return nil, pickleproto.NewException("ValueError", func() {})
		}
		return v, nil
	})})
	nc := r.dial()
	in := bufio.NewReader(nc)
	dec := pickleproto.NewDecoder(in)
	for _, tt := range []struct{ request, want string }{
		{"error", "RuntimeError: the text"},
		{"panic", "RuntimeError: internal error in the server's handler"},
		{"unpicklable", "func()"},
		{"odd", "ValueError: "},
	} {
		for p := range 6 {
			_, err := nc.Write([]byte(dumps(t, tt.request, p)))
			require.NoError(t, err)
			var v any
			require.NoError(t, dec.Decode(&v))
			e, ok := pickleproto.ExceptionOf(v, nil)
			require.True(t, ok, "%s: %#v", tt.request, v)
			assert.Contains(t, e.Error(), tt.want)
			assert.NotContains(t, e.Error(), "goroutine")
		}
	}
	assert.Contains(t, r.log.String(), "index out of range", "the log has what the peer is not told")
}

func TestBadMessages(t *testing.T) {
	for _, bad := range []string{"\xff", "\x80\x09N.", "\x80\x02a.", "\x80\x02j\x05\x00\x00\x00.", "}]Ns."} {
		r := start(t, &server.Server{Handler: server.Echo})
		other := r.dial()
		assert.Contains(t, raised(t, r.ask(bad+dumps(t, nil, 2))), "pickle.UnpicklingError: ", "%q", bad)
		assert.Equal(t, 1, strings.Count(r.log.String(), "level=WARN"), "%q: one line in the log", bad)

		_, err := other.Write([]byte("N."))
		require.NoError(t, err)
		b := make([]byte, 2)
		_, err = io.ReadFull(other, b)
		require.NoError(t, err, "other connections go on")
		assert.Equal(t, "N.", string(b))

		silent := start(t, &server.Server{Handler: server.Echo, CloseOnError: true})
		assert.Empty(t, silent.ask(bad))
	}
}

// A counted stream survives what is no pickle.
func TestBadMessageOnACountedStream(t *testing.T) {
	r := start(t, &server.Server{Handler: server.Echo, Transport: transport.U32BE})
	got := r.ask("\x00\x00\x00\x01\xff" + "\x00\x00\x00\x02N.")
	n := len(got) - 6
	assert.Contains(t, raised(t, got[4:n]), "UnpicklingError")
	assert.Equal(t, "\x00\x00\x00\x02N.", got[n:])
}

// A message that is too large is refused before it is read, and the peer, still sending, gets to
// read why.
func TestTooLargeAMessage(t *testing.T) {
	r := start(t, &server.Server{Handler: server.Echo, Limits: pickleproto.Limits{Message: 1 << 20}, Transport: transport.U32BE})
	nc := r.dial()
	_, err := nc.Write([]byte("\x01\x00\x00\x00"))
	require.NoError(t, err)
	_, err = nc.Write(make([]byte, 1<<24))
	require.NoError(t, err)
	got, err := io.ReadAll(nc)
	require.NoError(t, err)
	text := raised(t, string(got[4:]))
	assert.Contains(t, text, "UnpicklingError")
	assert.Contains(t, text, "16777216")
	assert.Contains(t, text, "1048576")
}

func TestCutOff(t *testing.T) {
	r := start(t, &server.Server{Handler: server.Echo})
	whole := dumps(t, numbers(t, int64(1)), 4)
	for cut := 1; cut < len(whole); cut++ {
		assert.Contains(t, raised(t, r.ask(whole[:cut])), "builtins.EOFError: ", "cut at %d", cut)
	}
	assert.Empty(t, r.ask(""))
}

func TestReadTimeout(t *testing.T) {
	r := start(t, &server.Server{Handler: server.Echo, ReadTimeout: 50 * time.Millisecond})
	nc := r.dial()
	_, err := nc.Write([]byte("\x80\x04"))
	require.NoError(t, err)
	got, err := io.ReadAll(nc)
	require.NoError(t, err)
	assert.Contains(t, raised(t, string(got)), "builtins.TimeoutError: ")

	r = start(t, &server.Server{Handler: server.Echo, IdleTimeout: 50 * time.Millisecond})
	got, err = io.ReadAll(r.dial())
	require.NoError(t, err)
	assert.Empty(t, got, "a connection that was idle is closed without a word")
}

// A peer that never reads holds nothing up but itself, and that not for ever.
func TestPeerThatNeverReads(t *testing.T) {
	r := start(t, &server.Server{Handler: server.Echo, WriteTimeout: 200 * time.Millisecond, Limits: pickleproto.Limits{Message: 1 << 26}})
	nc := r.dial()
	require.NoError(t, nc.SetReadBuffer(4096))
	big := dumps(t, pickleproto.Bytes(strings.Repeat("x", 1<<24)), 4)
	go func() { _, _ = nc.Write([]byte(big)) }()
	assert.Eventually(t, func() bool { return strings.Contains(r.log.String(), "the peer to read") }, 10*time.Second, 10*time.Millisecond)
	assert.Equal(t, "N.", r.ask("N."))
}

func TestMaxConns(t *testing.T) {
	for name, s := range map[string]*server.Server{
		"in all":      {Handler: server.Echo, MaxConns: 2},
		"per address": {Handler: server.Echo, MaxConnsPerAddr: 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, s)
			held := []*net.TCPConn{r.dial(), r.dial()}
			for _, nc := range held { // they are served, not only accepted by the kernel
				_, err := nc.Write([]byte("N."))
				require.NoError(t, err)
				_, err = io.ReadFull(nc, make([]byte, 2))
				require.NoError(t, err)
			}
			text := raised(t, r.ask("N."))
			assert.Contains(t, text, "2")
			assert.Contains(t, text, "builtins.RuntimeError: ")
			held[0].Close()
			assert.Eventually(t, func() bool { return r.ask("N.") == "N." }, 5*time.Second, 10*time.Millisecond)
		})
	}
}

func TestShutdown(t *testing.T) {
	begun, finish := make(chan struct{}, 10), make(chan struct{})
	r := start(t, &server.Server{Handler: server.HandlerFunc(func(context.Context, *server.Request) (any, error) {
		begun <- struct{}{}
		<-finish
		return true, nil
	})})
	busy, idle := r.dial(), r.dial()
	_, err := busy.Write([]byte("N."))
	require.NoError(t, err)
	<-begun

	over := make(chan error)
	go func() { over <- r.Shutdown(context.Background()) }()
	got, err := io.ReadAll(idle)
	require.NoError(t, err)
	assert.Empty(t, got)
	_, err = net.DialTimeout("tcp", r.addr, time.Second)
	require.Error(t, err, "nobody is accepted any more")
	select {
	case <-over:
		t.Fatal("Shutdown did not wait for a request under way")
	default:
	}
	close(finish)
	b := make([]byte, 4)
	_, err = io.ReadFull(busy, b)
	require.NoError(t, err)
	busy.Close()
	require.NoError(t, <-over)
	require.ErrorIs(t, <-r.done, server.ErrServerClosed)
	r.done <- nil
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.ErrorIs(t, r.Serve(context.Background(), ln), server.ErrServerClosed)
}

func TestShutdownDoesNotWaitForEver(t *testing.T) {
	begun := make(chan struct{})
	r := start(t, &server.Server{Handler: server.HandlerFunc(func(ctx context.Context, _ *server.Request) (any, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	})})
	_, err := r.dial().Write([]byte("N."))
	require.NoError(t, err)
	<-begun
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, r.Shutdown(ctx), context.DeadlineExceeded)
}

// Close and Shutdown do not wait for a handler that looks at nothing, though it may hold the connection: the
// peer sees the end at once, and a later answer goes nowhere.
func TestCloseDoesNotWaitForHandlers(t *testing.T) {
	for _, first := range []int{1, 2} { // the request at which the handler is stuck
		stuck, release := make(chan bool), make(chan bool)
		n := 0
		r := start(t, &server.Server{Handler: server.HandlerFunc(func(context.Context, *server.Request) (any, error) {
			if n++; n == first {
				stuck <- true
				<-release
			}
			return n, nil
		})}) // one connection, so n is its goroutine's
		nc := r.dial()
		for i := range first {
			_, err := nc.Write([]byte("N."))
			require.NoError(t, err)
			if i < first-1 {
				_, err = io.ReadFull(nc, make([]byte, len(dumps(t, i+1, 0))))
				require.NoError(t, err)
			}
		}
		<-stuck
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		assert.ErrorIs(t, r.Shutdown(ctx), context.DeadlineExceeded)
		cancel()
		require.NoError(t, r.Close())
		b, _ := io.ReadAll(nc) // the end, or a reset
		assert.Empty(t, b)
		assert.Less(t, time.Since(begin), 2*time.Second)
		close(release)
	}
}

func TestContextEndsServe(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	s := &server.Server{Handler: server.Echo}
	go func() { done <- s.Serve(ctx, ln) }()
	nc, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	defer nc.Close()
	cancel()
	_, err = nc.Write([]byte("N."))
	require.NoError(t, err, "what is accepted is served")
	b := make([]byte, 2)
	_, err = io.ReadFull(nc, b)
	require.NoError(t, err)
	nc.Close()
	require.ErrorIs(t, <-done, server.ErrServerClosed)
}

// Under load every request that a handler has seen is answered.
func TestShutdownUnderLoadLosesNoRequest(t *testing.T) {
	var served atomic.Int64
	r := start(t, &server.Server{Handler: server.HandlerFunc(func(context.Context, *server.Request) (any, error) {
		served.Add(1)
		return nil, nil
	})})
	var answered atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		nc := r.dial()
		wg.Go(func() {
			b := make([]byte, 2)
			for {
				if _, err := nc.Write([]byte("N.")); err != nil {
					return
				}
				if _, err := io.ReadFull(nc, b); err != nil {
					return
				}
				answered.Add(1)
			}
		})
	}
	assert.Eventually(t, func() bool { return answered.Load() > 100 }, 5*time.Second, time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, r.Shutdown(ctx))
	wg.Wait()
	assert.Equal(t, served.Load(), answered.Load())
}

func TestOnce(t *testing.T) {
	r := start(t, &server.Server{Handler: server.Echo, Once: true})
	nc := r.dial()
	_, err := nc.Write([]byte("N.N."))
	require.NoError(t, err)
	got, err := io.ReadAll(nc)
	require.NoError(t, err)
	assert.Equal(t, "N.", string(got), "script2.py answers one message")
	nc.Close()
	require.NoError(t, <-r.done)
	r.done <- nil
	_, err = net.Dial("tcp", r.addr)
	require.Error(t, err)
}

func TestKeepMemo(t *testing.T) {
	first, second := "\x80\x02X\x01\x00\x00\x00aq\x00.", "\x80\x02h\x00."
	assert.Equal(t, first+first, start(t, &server.Server{Handler: server.Echo, KeepMemo: true}).ask(first+second))
	got := start(t, &server.Server{Handler: server.Echo}).ask(first + second)
	assert.Contains(t, raised(t, strings.TrimPrefix(got, first)), "UnpicklingError")

	// With both, what a peer with one Pickler and one Unpickler sends comes back as it was.
	r := start(t, &server.Server{Handler: server.Echo, KeepMemo: true, KeepAnswerMemo: true})
	assert.Equal(t, first+second+second, r.ask(first+second+second))

	// A handler that does not look at a message, or into a struct, changes nothing.
	r = start(t, &server.Server{KeepMemo: true, Handler: server.HandlerFunc(func(_ context.Context, req *server.Request) (any, error) {
		if bytes.Equal(req.Raw, []byte(first)) {
			return nil, nil
		}
		var s string
		for range 2 {
			if err := req.Decode(&s); err != nil {
				return nil, err
			}
		}
		return s, nil
	})})
	assert.Equal(t, "\x80\x02N."+first, r.ask(first+second))

	// Increment changes nothing that the next message may refer to.
	for _, first := range []string{
		"\x80\x02}q\x00X\x07\x00\x00\x00numbersq\x01]q\x02K\x01as.",
		"\x80\x02}q\x00(X\x03\x00\x00\x00keyX\x05\x00\x00\x00valueX\x07\x00\x00\x00numbersq\x01]q\x02K\x01au.",
	} {
		once := start(t, &server.Server{Handler: server.Increment, KeepMemo: true}).ask(first)
		assert.Contains(t, once, "K\x02")
		assert.Equal(t, once+once, start(t, &server.Server{Handler: server.Increment, KeepMemo: true}).ask(first+second))
	}
}

// What is kept for a peer that keeps its Pickler is bounded.
func TestKeptMemoIsBounded(t *testing.T) {
	budget := pickleproto.NewBudget(1 << 30)
	r := start(t, &server.Server{Handler: server.Echo, KeepMemo: true, Limits: pickleproto.Limits{Message: 1000}, Budget: budget})
	message := dumps(t, strings.Repeat("x", 300), 4)
	got := r.ask(strings.Repeat(message, 5))
	assert.Equal(t, strings.Repeat(message, 3), got[:3*len(message)])
	assert.Contains(t, raised(t, got[3*len(message):]), "kept messages")
	assert.Eventually(t, func() bool { return budget.Used() == 0 }, 5*time.Second, time.Millisecond)
}

// The budget is for all messages together, also for answers that are on their way to peers that do
// not read them.
func TestBudget(t *testing.T) {
	budget := pickleproto.NewBudget(64 << 20)
	r := start(t, &server.Server{Handler: server.HandlerFunc(func(context.Context, *server.Request) (any, error) {
		return pickleproto.Bytes(make([]byte, 8<<20)), nil
	}), Budget: budget})
	var held []*net.TCPConn
	for range 12 {
		slow := r.dial()
		require.NoError(t, slow.SetReadBuffer(4096))
		_, err := slow.Write([]byte("\x80\x04N."))
		require.NoError(t, err)
		held = append(held, slow)
	}
	assert.Eventually(t, func() bool { return strings.Contains(r.log.String(), "memory budget") }, 20*time.Second, 10*time.Millisecond)
	for _, slow := range held {
		slow.Close()
	}
	assert.Eventually(t, func() bool { return budget.Used() == 0 && len(r.ask("\x80\x04N.")) > 8<<20 }, 20*time.Second, 10*time.Millisecond)
}

func TestTrace(t *testing.T) {
	var mu sync.Mutex
	var kinds []server.EventKind
	s := &server.Server{Handler: server.Echo, Trace: func(e server.Event) {
		mu.Lock()
		defer mu.Unlock()
		kinds = append(kinds, e.Kind)
		assert.Equal(t, int64(1), e.Conn)
		if e.Kind == server.Received || e.Kind == server.Answered {
			assert.Equal(t, 4, e.Protocol)
			assert.Equal(t, 4, e.Bytes)
		}
	}}
	start(t, s).ask("\x80\x04N.")
	assert.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(kinds) == 6
	}, 5*time.Second, time.Millisecond)
	assert.Equal(t, []server.EventKind{server.Accepted, server.Received, server.Decoded, server.Processed, server.Answered, server.Closed}, kinds)
}

// A peer that is silent in its handshake keeps nobody from being accepted.
func TestSilentHandshake(t *testing.T) {
	r := start(t, &server.Server{
		Handler: server.Echo, Transport: transport.Multiprocessing(transport.Auth{Key: []byte("k")}), HandshakeTimeout: 100 * time.Millisecond,
	})
	for range 5 {
		r.dial()
	}
	c, err := transport.Multiprocessing(transport.Auth{Key: []byte("k")}).Client(context.Background(), r.dial(), transport.Options{})
	require.NoError(t, err)
	require.NoError(t, transport.SendBytes(c, []byte("N.")))
	b, err := transport.ReceiveBytes(c)
	require.NoError(t, err)
	assert.Equal(t, "N.", string(b))
	assert.Eventually(t, func() bool { return strings.Count(r.log.String(), "handshake failed") == 5 }, 5*time.Second, 10*time.Millisecond)
	assert.Contains(t, r.log.String(), "authkey", "the log names the likely cause")
}

// exhausted is a listener in a process that has no descriptor left.
type exhausted struct {
	calls  atomic.Int64
	once   sync.Once
	closed chan struct{}
}

func (l *exhausted) Accept() (net.Conn, error) {
	l.calls.Add(1)
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
}
func (l *exhausted) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *exhausted) Addr() net.Addr { return &net.TCPAddr{} }

func TestAcceptBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := &exhausted{closed: make(chan struct{})}
		s := &server.Server{Handler: server.Echo, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
		go func() {
			time.Sleep(20 * time.Second)
			s.Close()
		}()
		err := s.Serve(context.Background(), ln)
		require.ErrorIs(t, err, server.ErrServerClosed)
		// 5 ms, doubling to 1 s: eight attempts in the first 1.3 s, then one a second.
		assert.InDelta(t, 28, ln.calls.Load(), 3)
	})
}

func TestListenAndServe(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.ErrorContains(t, server.ListenAndServe(context.Background(), addr, server.Echo), addr)
	require.NoError(t, ln.Close())

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.ListenAndServe(ctx, addr, server.Echo) }()
	var nc net.Conn
	require.Eventually(t, func() bool {
		nc, err = net.Dial("tcp", addr)
		return err == nil
	}, 10*time.Second, time.Millisecond)
	defer nc.Close()
	_, err = nc.Write([]byte("K\x01."))
	require.NoError(t, err)
	b := make([]byte, 3)
	_, err = io.ReadFull(nc, b)
	require.NoError(t, err)
	assert.Equal(t, "K\x01.", string(b))
	cancel()
	assert.ErrorIs(t, <-done, server.ErrServerClosed)
}
