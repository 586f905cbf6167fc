package server_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server"
)

// A typed handler: Python sends {'name': 'Ada', 'scores': [3, 4]} and gets {'name': 'Ada', 'total': 7}.
func Example() {
	type request struct {
		Name   string  `pickle:"name"`
		Scores []int64 `pickle:"scores"`
	}
	type answer struct {
		Name  string `pickle:"name"`
		Total int64  `pickle:"total"`
	}
	s := &server.Server{Handler: server.Typed(func(_ context.Context, in request) (answer, error) {
		if len(in.Scores) == 0 {
			return answer{}, pickleproto.NewException("ValueError", "no scores")
		}
		out := answer{Name: in.Name}
		for _, n := range in.Scores {
			out.Total += n
		}
		return out, nil
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = s.Serve(context.Background(), ln) }()
	defer s.Shutdown(context.Background())

	// What Python's socket and pickle do on the other side:
	fmt.Println(python(ln.Addr().String(), map[string]any{"name": "Ada", "scores": []int{3, 4}}))
	fmt.Println(python(ln.Addr().String(), map[string]any{"name": "Bob"}))
	// Output:
	// {'name': 'Ada', 'total': 7}
	// ValueError('no scores')
}

func python(addr string, v any) string {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	request, err := pickleproto.Marshal(v)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := nc.Write(request); err != nil {
		log.Fatal(err)
	}
	if err := nc.(*net.TCPConn).CloseWrite(); err != nil {
		log.Fatal(err)
	}
	data, err := io.ReadAll(nc)
	if err != nil {
		log.Fatal(err)
	}
	answer, err := pickleproto.Native.Decode(data)
	if err != nil {
		log.Fatal(err)
	}
	return pickleproto.Repr(answer)
}
