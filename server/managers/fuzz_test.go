package managers_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/picklebridge/picklebridge/server"
	"github.com/picklebridge/picklebridge/server/managers"
)

// script is a connection on which messages have arrived; answers are looked at by sent.
type script struct {
	nc       net.Conn
	messages [][]byte
	sent     func(answer []byte)
}

func (s *script) Receive() (transport.Message, error) {
	if len(s.messages) == 0 {
		return transport.Message{}, io.EOF
	}
	data := s.messages[0]
	s.messages = s.messages[1:]
	return transport.Message{Data: data, Protocol: transport.ProtocolOf(data)}, nil
}

func (s *script) Headroom() int           { return 0 }
func (s *script) Send(b []byte) error     { s.sent(b); return nil }
func (s *script) NetConn() net.Conn       { return s.nc }
func (s *script) Delimits() bool          { return true }
func (s *script) Interrupt(time.Duration) {}
func (s *script) CloseWrite() error       { return nil }
func (s *script) Close() error            { return nil }

// Whatever is asked, each request has one answer of a kind that Python knows, and nothing panics or
// waits for ever.
func FuzzRequest(f *testing.F) {
	one := pickleproto.NewDict()
	if err := one.Set("timeout", 0.0); err != nil {
		f.Fatal(err)
	}
	add := func(v any) {
		for _, protocol := range []int{0, 2, 4} {
			data, err := pickleproto.Marshal(v, pickleproto.WithProtocol(protocol))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	slice := &pickleproto.Object{How: pickleproto.ByReduce, Callable: pickleproto.Global{Module: "builtins", Name: "slice"}, Args: pickleproto.Tuple{nil, 2, -1}}
	for _, r := range []pickleproto.Tuple{
		request("forms", "int", 5), request("forms", "slices", []int64{1, 2}, pickleproto.NewList(), pickleproto.Bytes("x"), []int{1, 2}),
		request("queue", "put", "x"), request("queue", "get"), {"queue", "get", pickleproto.Tuple{}, one}, request("queue", "shutdown", true),
		request("list", "__getitem__", slice), request("list", "__setitem__", slice, "ab"), request("list", "sort"), request("list", "__imul__", 3),
		request("list", "extend", []int{1}), request("list", "index", 1, 0, 5), request("array", "__setitem__", 0, 300),
		request("dict", "update", pickleproto.NewList(pickleproto.Tuple{1, 2})), request("dict", "__iter__"), request("dict", "pop", "k"),
		request("dict", "__or__", one), request("set", "__ixor__", pickleproto.NewDict()), request("set", "add", 5),
		request("lock", "acquire", true, 0.01), request("lock", "release"), request("barrier", "wait", 0), request("barrier", "__getattribute__", "parties"),
		request("condition", "wait", 0.01), request("event", "wait"), request("semaphore", "release", 2), request("namespace", "__setattr__", "a", 1),
		request("value", "set", nil), request("value", "#GETVALUE"), request("value", "__str__"), request("nobody", "x"),
	} {
		add(r)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &managers.Manager{Server: &server.Server{Log: slog.New(slog.DiscardHandler)}, MaxObjects: 1000}
		ids := map[string]string{}
		share := func(typeid string, v any) {
			if err := m.Register(typeid, nil); err != nil {
				t.Fatal(err)
			}
			p, err := m.Share(typeid, v)
			if err != nil {
				t.Fatal(err)
			}
			ids[typeid] = managers.ID(p)
		}
		set, err := managers.NewSet(1)
		if err != nil {
			t.Fatal(err)
		}
		d := managers.NewDict()
		if err := d.Set("k", 1); err != nil {
			t.Fatal(err)
		}
		share("forms", &forms{})
		share("queue", managers.NewQueue(2))
		share("list", managers.NewList(int64(1), "x"))
		share("array", managers.NewArray("B", int64(1)))
		share("dict", d)
		share("set", set)
		share("lock", managers.NewLock())
		share("barrier", managers.NewBarrier(2))
		share("condition", managers.NewCondition(nil))
		share("event", managers.NewEvent())
		share("semaphore", managers.NewSemaphore(1))
		share("namespace", managers.NewNamespace())
		share("value", managers.NewValue("i", 1))
		hello, err := pickleproto.Marshal(request(nil, "accept_connection", "x"))
		if err != nil {
			t.Fatal(err)
		}
		messages := [][]byte{hello}
		// The ids are not to be guessed: the request names an object by its typeid.
		var r pickleproto.Tuple
		if pickleproto.Unmarshal(data, &r) == nil && len(r) == 4 {
			if args, ok := r[2].(pickleproto.Tuple); ok && len(args) == 1 && (r[1] == "__imul__" || r[1] == "__mul__" || r[1] == "__rmul__") {
				if n, ok := args[0].(int64); !ok || n > 1000 {
					t.Skip("ten million items are allowed, but take their time")
				}
			}
			if name, ok := r[0].(string); ok && ids[name] != "" {
				protocol := transport.ProtocolOf(data)
				r[0] = ids[name]
				if named, err := pickleproto.Marshal(r, pickleproto.WithProtocol(protocol)); err == nil {
					data = named
				}
			}
		}
		messages = append(messages, data)
		answers := 0
		left, right := net.Pipe()
		defer left.Close()
		defer right.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err = m.Converse(ctx, &script{nc: left, messages: messages, sent: func(b []byte) {
			answers++
			var pair pickleproto.Tuple
			if err := pickleproto.Unmarshal(b, &pair); err != nil || len(pair) != 2 {
				t.Errorf("answer %q: %v", b, err)
			}
			switch pair[0] {
			case "#RETURN", "#ERROR", "#TRACEBACK", "#PROXY", "#UNSERIALIZABLE", pickleproto.ByteString("#RETURN"), pickleproto.ByteString("#ERROR"),
				pickleproto.ByteString("#TRACEBACK"), pickleproto.ByteString("#PROXY"), pickleproto.ByteString("#UNSERIALIZABLE"):
			default:
				t.Errorf("an answer of kind %v", pair[0])
			}
		}})
		if ctx.Err() != nil || err != io.EOF || answers != 2 {
			t.Errorf("%d answers, %v, %v", answers, err, ctx.Err())
		}
	})
}
