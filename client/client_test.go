package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/picklebridge/picklebridge/client"
	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// peer is a server of a few lines, whose misbehaviour a test decides. answer gets each message and
// its connection, and returns the answer; nil closes the connection.
type peer struct {
	net.Listener
	addr  string
	conns atomic.Int64
	wg    sync.WaitGroup
}

func serve(t *testing.T, tr transport.Transport, answer func(conn int64, m []byte) []byte) *peer {
	return serveAt(t, "127.0.0.1:0", tr, answer)
}

func serveAt(t *testing.T, addr string, tr transport.Transport, answer func(conn int64, m []byte) []byte) *peer {
	ln, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	p := &peer{Listener: ln, addr: ln.Addr().String()}
	p.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			n := p.conns.Add(1)
			p.wg.Go(func() {
				defer nc.Close()
				c, err := tr.Server(context.Background(), nc, transport.Options{})
				if err != nil {
					return
				}
				for {
					m, err := c.Receive()
					if err != nil {
						return
					}
					out := answer(n, m.Data)
					if out == nil || c.Send(append(make([]byte, c.Headroom()), out...)) != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { p.Listener.Close() })
	return p
}

func echo(_ int64, m []byte) []byte { return append([]byte(nil), m...) }

func dial(t *testing.T, addr string, opts ...client.Option) *client.Client {
	before := runtime.NumGoroutine()
	c, err := client.Dial(context.Background(), addr, opts...)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = c.Close()
		for begin := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Since(begin) > 5*time.Second {
				stacks := make([]byte, 1<<20)
				t.Errorf("goroutines are left running:\n%s", stacks[:runtime.Stack(stacks, true)])
				return
			}
		}
	})
	return c
}

func pickled(t testing.TB, v any) []byte {
	b, err := pickleproto.Marshal(v)
	require.NoError(t, err)
	return b
}

func TestDo(t *testing.T) {
	for _, name := range transport.Names() {
		text := ""
		if name == "terminator" {
			text = "<END>"
		}
		tr, err := transport.ByName(name, text, transport.Auth{})
		require.NoError(t, err)
		p := serve(t, tr, echo)
		c := dial(t, p.addr, client.WithTransport(tr))
		for i := range 10 {
			var got int64
			require.NoError(t, c.Do(context.Background(), i, &got), name)
			assert.Equal(t, int64(i), got)
			var v any
			require.NoError(t, c.Do(context.Background(), "text", &v))
			assert.Equal(t, "text", v)
			var s string
			require.NoError(t, c.Do(context.Background(), "text", &s))
			assert.Equal(t, "text", s)
			require.NoError(t, c.Do(context.Background(), nil, nil))
		}
		assert.Equal(t, int64(1), p.conns.Load(), "one connection does for calls one after the other")
	}
}

func TestPool(t *testing.T) {
	p := serve(t, transport.Raw, func(_ int64, m []byte) []byte { time.Sleep(time.Millisecond); return echo(0, m) })
	c := dial(t, p.addr, client.WithMaxConns(3))
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			var got int
			assert.NoError(t, c.Do(context.Background(), i, &got))
			assert.Equal(t, i, got, "each caller gets its own answer")
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, p.conns.Load(), int64(3))
	assert.Greater(t, p.conns.Load(), int64(1))
}

func TestGoWithSeveralInFlight(t *testing.T) {
	hold := make(chan struct{})
	var arrived atomic.Int64
	p := serve(t, transport.Raw, func(_ int64, m []byte) []byte {
		if arrived.Add(1) == 1 {
			<-hold
		}
		return echo(0, m)
	})
	c := dial(t, p.addr, client.WithMaxConns(1), client.WithInFlight(20))
	calls := make([]*client.Call, 20)
	replies := make([]int, 20)
	for i := range calls {
		calls[i] = c.Go(context.Background(), i, &replies[i])
	}
	close(hold)
	for i, call := range calls {
		got := <-call.Done
		require.NoError(t, got.Error)
		assert.Equal(t, i, replies[i])
	}
	assert.Equal(t, int64(1), p.conns.Load())
}

func TestRemoteError(t *testing.T) {
	for _, protocol := range []int{0, 1, 2, 4} {
		answer, err := pickleproto.Marshal(pickleproto.NewException("KeyError", "numbers"), pickleproto.WithProtocol(protocol))
		require.NoError(t, err)
		p := serve(t, transport.Raw, func(int64, []byte) []byte { return answer })
		c := dial(t, p.addr)
		var v any
		var m map[string]int
		var s struct{ X int }
		for _, reply := range []any{&v, &m, &s, nil} {
			err := c.Do(context.Background(), nil, reply)
			var remote *client.RemoteError
			require.ErrorAs(t, err, &remote)
			assert.Equal(t, "KeyError: 'numbers'", remote.Error())
			assert.ErrorIs(t, err, pickleproto.NewException("LookupError"), "as except would decide")
		}
	}
}

func TestRegisteredException(t *testing.T) {
	answer := pickled(t, pickleproto.NewException("app.errors.Refused", "why"))
	p := serve(t, transport.Raw, func(int64, []byte) []byte { return answer })
	var v any
	require.NoError(t, dial(t, p.addr).Do(context.Background(), nil, &v), "an unknown class is a value")
	assert.IsType(t, &pickleproto.Object{}, v)
	err := dial(t, p.addr, client.WithExceptions("app.errors.Refused")).Do(context.Background(), nil, &v)
	assert.EqualError(t, err, "app.errors.Refused: why")
}

func TestContext(t *testing.T) {
	p := serve(t, transport.Raw, func(n int64, m []byte) []byte {
		if n == 1 {
			time.Sleep(200 * time.Millisecond)
		}
		return echo(0, m)
	})
	c := dial(t, p.addr)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	begin := time.Now()
	var got int
	require.ErrorIs(t, c.Do(ctx, 1, &got), context.DeadlineExceeded)
	assert.Less(t, time.Since(begin), 150*time.Millisecond)
	require.NoError(t, c.Do(context.Background(), 2, &got), "the late answer of the first call is nobody's")
	assert.Equal(t, 2, got)

	ctx2, cancel2 := context.WithCancelCause(context.Background())
	cancel2(errors.New("no longer wanted"))
	require.ErrorContains(t, c.Do(ctx2, 3, &got), "no longer wanted")
}

// A request that may have been served is not sent a second time, unless it may be.
func TestLostConnection(t *testing.T) {
	var served atomic.Int64
	p := serve(t, transport.Raw, func(n int64, m []byte) []byte {
		served.Add(1)
		if n == 1 {
			return nil // served, but the answer is lost
		}
		return echo(0, m)
	})
	c := dial(t, p.addr)
	var got int
	err := c.Do(context.Background(), 1, &got)
	require.ErrorIs(t, err, client.ErrUnanswered)
	require.ErrorIs(t, err, io.EOF)
	assert.Equal(t, int64(1), served.Load())
	require.NoError(t, c.Do(context.Background(), 2, &got), "the next call connects anew")
	assert.Equal(t, 2, got)

	served.Store(0)
	p = serve(t, transport.Raw, func(n int64, m []byte) []byte {
		served.Add(1)
		if n < 3 {
			return nil
		}
		return echo(0, m)
	})
	require.NoError(t, dial(t, p.addr, client.WithIdempotent()).Do(context.Background(), 3, &got))
	assert.Equal(t, 3, got)
	assert.Equal(t, int64(3), served.Load())
	c = dial(t, p.addr)
	require.NoError(t, c.Do(client.Idempotent(context.Background()), 4, &got))
}

// A connection that the server closed while it was idle is found out before a request goes into
// the void.
func TestIdleConnectionClosedByThePeer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- nc
		}
	}()
	c := dial(t, ln.Addr().String())
	(<-accepted).Close()
	time.Sleep(20 * time.Millisecond) // loopback: the FIN is there at once
	done := make(chan error)
	go func() {
		var got string
		done <- c.Do(context.Background(), "x", &got)
	}()
	nc := <-accepted
	_, err = nc.Read(make([]byte, 100))
	require.NoError(t, err)
	_, err = nc.Write(pickled(t, "x"))
	require.NoError(t, err)
	require.NoError(t, <-done)
	nc.Close()
}

// A server that is gone for a moment is waited for.
func TestReconnect(t *testing.T) {
	var dying atomic.Bool
	p := serve(t, transport.Raw, func(_ int64, m []byte) []byte {
		if dying.Load() {
			return nil
		}
		return echo(0, m)
	})
	c := dial(t, p.addr, client.WithIdempotent())
	var got int
	require.NoError(t, c.Do(context.Background(), 1, &got))
	dying.Store(true)
	p.Listener.Close()
	_, err := client.Dial(context.Background(), p.addr)
	require.Error(t, err, "a first connection is not waited for")

	restarted := make(chan *peer)
	go func() {
		time.Sleep(100 * time.Millisecond)
		restarted <- serveAt(t, p.addr, transport.Raw, echo)
	}()
	require.NoError(t, c.Do(context.Background(), 2, &got))
	assert.Equal(t, 2, got)
	assert.Equal(t, int64(1), (<-restarted).conns.Load())
}

func TestGivesUpReconnecting(t *testing.T) {
	var closing atomic.Bool
	p := serve(t, transport.Raw, func(_ int64, m []byte) []byte {
		if closing.Load() {
			return nil
		}
		return echo(0, m)
	})
	c := dial(t, p.addr, client.WithReconnect(100*time.Millisecond), client.WithIdempotent())
	closing.Store(true)
	p.Listener.Close()
	begin := time.Now()
	var got int
	err := c.Do(context.Background(), 1, &got)
	require.Error(t, err)
	assert.Less(t, time.Since(begin), 5*time.Second)
}

func TestHalfClose(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			b, _ := io.ReadAll(nc) // a peer that answers when it has seen the end of the stream
			_, _ = nc.Write(b)
			nc.Close()
		}
	}()
	c := dial(t, ln.Addr().String(), client.WithHalfClose())
	for i := range 3 {
		var got int
		require.NoError(t, c.Do(context.Background(), i, &got))
		assert.Equal(t, i, got)
	}
}

// A Python server that keeps one Pickler for all its answers.
func TestKeepMemo(t *testing.T) {
	answers := []string{"\x80\x02X\x01\x00\x00\x00aq\x00.", "\x80\x02h\x00.", "\x80\x02]q\x01h\x00a."}
	next := 0
	p := serve(t, transport.Raw, func(int64, []byte) []byte { next++; return []byte(answers[next-1]) })
	c := dial(t, p.addr, client.WithKeepMemo())
	var s string
	require.NoError(t, c.Do(context.Background(), nil, &s))
	assert.Equal(t, "a", s)
	var v any
	require.NoError(t, c.Do(context.Background(), nil, &v))
	assert.Equal(t, "a", v)
	var list []string
	require.NoError(t, c.Do(context.Background(), nil, &list))
	assert.Equal(t, []string{"a"}, list)

	next = 1
	require.Error(t, dial(t, p.addr).Do(context.Background(), nil, &v))
}

func TestAnswersThatAreNone(t *testing.T) {
	var syntax *pickleproto.SyntaxError
	var served atomic.Int64
	p := serve(t, transport.Raw, func(int64, []byte) []byte { served.Add(1); return []byte("HTTP/1.1 400 Bad Request") })
	c := dial(t, p.addr, client.WithIdempotent())
	var v any
	err := c.Do(context.Background(), nil, &v)
	require.ErrorAs(t, err, &syntax)
	assert.NotErrorIs(t, err, client.ErrUnanswered)
	assert.Equal(t, int64(1), served.Load(), "garbage is an answer: it is no reason to ask again")

	p = serve(t, transport.Raw, func(int64, []byte) []byte { return []byte("\x80\x02a.") })
	require.ErrorAs(t, dial(t, p.addr).Do(context.Background(), nil, &v), &syntax)
	var limit *pickleproto.LimitError
	p = serve(t, transport.U32BE, func(int64, []byte) []byte { return make([]byte, 2000) })
	c = dial(t, p.addr, client.WithTransport(transport.U32BE), client.WithLimits(pickleproto.Limits{Message: 1000}))
	require.ErrorAs(t, c.Do(context.Background(), nil, &v), &limit)
}

func TestRequestsThatCannotBeSent(t *testing.T) {
	end, err := transport.Terminator("ab")
	require.NoError(t, err)
	p := serve(t, end, echo)
	c := dial(t, p.addr, client.WithTransport(end))
	var refused *transport.RefusedError
	require.ErrorAs(t, c.Do(context.Background(), "xaby", nil), &refused)
	require.Error(t, c.Do(context.Background(), func() {}, nil))
	var s string
	require.NoError(t, c.Do(context.Background(), "x", &s), "the connection is as good as before")
	assert.Equal(t, int64(1), p.conns.Load())
}

func TestDialErrors(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ln.Close()
	_, err = client.Dial(context.Background(), ln.Addr().String())
	var connect *client.ConnectError
	require.ErrorAs(t, err, &connect)
	assert.Contains(t, err.Error(), ln.Addr().String())

	_, err = client.Dial(context.Background(), "unix:"+t.TempDir()+"/none")
	require.ErrorIs(t, err, os.ErrNotExist)

	// A listener without authkey never sends a challenge.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	_, err = client.Dial(context.Background(), silent.Addr().String(), client.WithHandshakeTimeout(50*time.Millisecond),
		client.WithTransport(transport.Multiprocessing(transport.Auth{Key: []byte("k")})))
	require.ErrorAs(t, err, &connect)
	assert.Contains(t, err.Error(), "without authkey")
}

func TestClose(t *testing.T) {
	hold := make(chan struct{})
	p := serve(t, transport.Raw, func(_ int64, m []byte) []byte { <-hold; return echo(0, m) })
	c := dial(t, p.addr)
	call := c.Go(context.Background(), 1, nil)
	assert.Eventually(t, func() bool { return p.conns.Load() == 1 }, 5*time.Second, time.Millisecond)
	time.Sleep(10 * time.Millisecond)
	require.NoError(t, c.Close())
	require.Error(t, (<-call.Done).Error)
	require.ErrorIs(t, c.Do(context.Background(), 1, nil), client.ErrClosed)
	require.ErrorIs(t, c.Close(), client.ErrClosed)
	close(hold)
}

func TestTrace(t *testing.T) {
	p := serve(t, transport.Raw, echo)
	var kinds []client.EventKind
	c := dial(t, p.addr, client.WithTrace(func(e client.Event) {
		kinds = append(kinds, e.Kind)
		if e.Kind == client.Sent || e.Kind == client.Received {
			assert.Equal(t, 4, e.Protocol)
			assert.Equal(t, 5, e.Bytes)
		}
	}))
	require.NoError(t, c.Do(context.Background(), 1, nil))
	require.NoError(t, c.Close())
	assert.Equal(t, []client.EventKind{client.Connected, client.Sent, client.Received, client.Decoded, client.Closed}, kinds)
}
