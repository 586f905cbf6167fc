package server_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/picklebridge/picklebridge/server"
	"github.com/stretchr/testify/assert"
)

// repeated is a connection on which the same message arrives n times, in as few Reads as hold it.
type repeated struct {
	message []byte
	n       int
	at      int // of what Read gives next
	written int
}

func (c *repeated) Read(p []byte) (int, error) {
	if c.n == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.message[c.at:])
	if c.at += n; c.at == len(c.message) {
		c.at = 0
		c.n--
	}
	return n, nil
}
func (c *repeated) Write(p []byte) (int, error)      { c.written += len(p); return len(p), nil }
func (c *repeated) Close() error                     { return nil }
func (c *repeated) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *repeated) RemoteAddr() net.Addr             { return nowhere }
func (c *repeated) SetDeadline(time.Time) error      { return nil }
func (c *repeated) SetReadDeadline(time.Time) error  { return nil }
func (c *repeated) SetWriteDeadline(time.Time) error { return nil }

var nowhere net.Addr = &net.TCPAddr{}

// single is a listener with one connection.
type single struct{ conns chan net.Conn }

func (l *single) Accept() (net.Conn, error) {
	nc, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return nc, nil
}
func (l *single) Close() error   { return nil }
func (l *single) Addr() net.Addr { return &net.TCPAddr{} }

// serveRepeated lets a server answer the message n times and returns the allocations of each.
func serveRepeated(tb testing.TB, h server.Handler, message string, n int) float64 {
	tb.Helper()
	ln := &single{make(chan net.Conn, 1)}
	c := &repeated{message: []byte(message), n: n}
	ln.conns <- c
	s := &server.Server{Handler: h, Once: false}
	done := make(chan struct{})
	s.Trace = func(e server.Event) {
		if e.Kind == server.Closed {
			close(done)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	go func() { _ = s.Serve(context.Background(), ln) }()
	<-done
	runtime.ReadMemStats(&after)
	close(ln.conns)
	assert.GreaterOrEqual(tb, c.written, n*len(message))
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

// The whole way of a message, from the connection through codec and handler and back, costs few
// allocations: those of the value, and none of the server's own.
func TestAllocationsOfAnEcho(t *testing.T) {
	message := dumps(t, numbers(t, int64(1), int64(2), int64(3)), 4)
	got := serveRepeated(t, server.Echo, message, 10_000)
	t.Logf("%.1f allocations an echo", got)
	assert.LessOrEqual(t, got, 12.5)
}

func BenchmarkEcho(b *testing.B) {
	message := dumps(b, numbersOf(b), 4)
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	serveRepeated(b, server.Echo, message, b.N)
}

func numbersOf(tb testing.TB) any { return loads(tb, "}X\x07\x00\x00\x00numbers](K\x01K\x02K\x03es.") }

func BenchmarkIncrement(b *testing.B) {
	for name, count := range map[string]int{"seed": 3, "10000": 10_000} {
		b.Run(name, func(b *testing.B) {
			items := make([]any, count)
			for i := range items {
				items[i] = int64(i)
			}
			request := dumps(b, numbers(b, items...), 4)
			b.SetBytes(int64(len(request)))
			b.ReportAllocs()
			serveRepeated(b, server.Increment, request, b.N)
		})
	}
}
