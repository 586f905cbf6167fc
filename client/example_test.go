package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/picklebridge/picklebridge/client"
	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server"
)

// A Go program asks what script1.py asks.
func Example() {
	addr, stop := script2()
	defer stop()

	c, err := client.Dial(context.Background(), addr)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var reply struct {
		Key     string  `pickle:"key"`
		Numbers []int64 `pickle:"numbers"`
	}
	if err := c.Do(ctx, map[string]any{"key": "value", "numbers": []int{1, 2, 3}}, &reply); err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Key, reply.Numbers)

	err = c.Do(ctx, map[string]any{}, &reply)
	fmt.Println(err)
	fmt.Println(errors.Is(err, pickleproto.NewException("LookupError")))
	// Output:
	// processed [2 3 4]
	// KeyError: 'numbers'
	// true
}

// One call, on a connection of its own.
func ExampleDo() {
	addr, stop := script2()
	defer stop()

	var reply struct {
		Numbers []int `pickle:"numbers"`
	}
	err := client.Do(context.Background(), addr, map[string]any{"numbers": []int{1, 2, 3}}, &reply)
	fmt.Println(reply.Numbers, err)
	// Output: [2 3 4] <nil>
}

// script2 stands in for script2.py.
func script2() (addr string, stop func()) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	s := &server.Server{Handler: server.Increment}
	go func() { _ = s.Serve(context.Background(), ln) }()
	return ln.Addr().String(), func() { _ = s.Close() }
}
