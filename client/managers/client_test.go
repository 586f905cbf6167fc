package managers_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/client"
	"github.com/picklebridge/picklebridge/client/managers"
	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
)

var key = []byte("k")

// scripted is a manager that answers each request as answer says; nil closes the connection.
func scripted(t *testing.T, answer func(ident any, method string, args pickleproto.Tuple) []byte) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	serve := func(nc net.Conn) {
		defer nc.Close()
		c, err := transport.Multiprocessing(transport.Auth{Key: key}).Server(context.Background(), nc, transport.Options{})
		if err != nil {
			return
		}
		for {
			m, err := c.Receive()
			if err != nil {
				return
			}
			var r pickleproto.Tuple
			if pickleproto.Unmarshal(m.Data, &r) != nil || len(r) != 4 {
				return
			}
			b := answer(r[0], fmt.Sprint(r[1]), r[2].(pickleproto.Tuple))
			if b == nil || transport.SendBytes(c, b) != nil {
				return
			}
		}
	}
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go serve(nc)
		}
	}()
	return ln.Addr().String()
}

func pickled(v any) []byte {
	b, err := pickleproto.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func returns(v any) []byte { return pickled(pickleproto.Tuple{"#RETURN", v}) }

// calc connects to a scripted manager whose object answers calls with what call gives.
func calc(t *testing.T, call func(args pickleproto.Tuple) []byte) (*managers.Client, *managers.Proxy) {
	t.Helper()
	addr := scripted(t, func(ident any, method string, args pickleproto.Tuple) []byte {
		switch {
		case ident != nil:
			return call(args)
		case method == "create":
			return returns(pickleproto.Tuple{"1", pickleproto.Tuple{"add"}})
		}
		return returns(nil)
	})
	c, err := managers.Dial(context.Background(), addr, key)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	p, err := c.Create(context.Background(), "calc", nil, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"add"}, p.Methods())
	require.Equal(t, "calc", p.TypeID())
	return c, p
}

func TestAnswers(t *testing.T) {
	exception := pickleproto.NewException("app.Refused", "no")
	for _, c := range []struct {
		answer []byte
		want   string
	}{
		{[]byte("nonsense"), "bad answer"},
		{pickled(5), "no pair"},
		{pickled(pickleproto.Tuple{5, 5}), "no kind"},
		{pickled(pickleproto.Tuple{"#NEW", 5}), `unknown kind "#NEW"`},
		{pickled(pickleproto.Tuple{"#TRACEBACK", 5}), "has no text"},
		{pickled(pickleproto.Tuple{"#TRACEBACK", "Traceback (most recent call last):\n  x\nKeyError: 'a'\n"}), "KeyError: 'a'"},
		{pickled(pickleproto.Tuple{"#UNSERIALIZABLE", "TypeError: cannot pickle\n"}), "TypeError: cannot pickle"},
		{pickled(pickleproto.Tuple{"#ERROR", exception}), "app.Refused: no"},
		{pickled(pickleproto.Tuple{"#ERROR", "no exception"}), "the manager raised 'no exception'"},
		{pickled(pickleproto.Tuple{"#PROXY", 5}), "no pair of methods and token"},
		{pickled(pickleproto.Tuple{"#PROXY", pickleproto.Tuple{pickleproto.Tuple{}, "x"}}), "not a Token"},
		{nil, "may have been served"},
		{returns("text"), "Python str into Go int"},
	} {
		_, p := calc(t, func(pickleproto.Tuple) []byte { return c.answer })
		var n int
		require.ErrorContains(t, p.Call(context.Background(), "add", nil, nil, &n), c.want)
		// Whatever it was, the next call has a connection that is good.
		require.ErrorContains(t, p.Call(context.Background(), "add", nil, nil, &n), c.want)
	}
}

func TestExceptions(t *testing.T) {
	_, p := calc(t, func(pickleproto.Tuple) []byte {
		return pickled(pickleproto.Tuple{"#ERROR", pickleproto.NewException("_queue.Empty")})
	})
	err := p.Call(context.Background(), "get", nil, nil, nil)
	require.ErrorIs(t, err, managers.ErrEmpty)
	require.NotErrorIs(t, err, managers.ErrFull)
	var e *pickleproto.Exception
	require.ErrorAs(t, err, &e)
}

func TestContext(t *testing.T) {
	// The deadline passes when the call has arrived.
	ctx, pass := context.WithCancelCause(context.Background())
	release := make(chan struct{})
	_, p := calc(t, func(args pickleproto.Tuple) []byte {
		if len(args) > 0 {
			pass(context.DeadlineExceeded)
			<-release
		}
		return returns(7)
	})
	defer close(release)
	err := p.Call(ctx, "add", []any{1}, nil, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, client.ErrUnanswered)
	var n int
	require.NoError(t, p.Call(context.Background(), "add", nil, nil, &n))
	require.Equal(t, 7, n)
}

func TestDial(t *testing.T) {
	var connect *client.ConnectError
	_, err := managers.Dial(context.Background(), "127.0.0.1:1", key)
	require.ErrorAs(t, err, &connect)
	addr := scripted(t, func(any, string, pickleproto.Tuple) []byte { return nil })
	_, err = managers.Dial(context.Background(), addr, []byte("another"))
	require.ErrorAs(t, err, &connect)
	_, err = managers.Dial(context.Background(), addr, key)
	require.ErrorIs(t, err, client.ErrUnanswered)
}

// A Python program serves BaseManager with a class Calc registered as calc.
func Example() {
	ctx := context.Background()
	c, err := managers.Dial(ctx, "localhost:50000", []byte("k"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	calc, err := c.Create(ctx, "calc", nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	var sum int
	if err := calc.Call(ctx, "add", []any{2}, map[string]any{"b": 40}, &sum); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sum)
}
