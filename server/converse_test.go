package server_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/picklebridge/picklebridge/server"
)

// logLines is where a Logger writes to.
type logLines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// ServeConn holds the conversation by itself; what ends it ends no other, and Shutdown ends it
// between two messages.
func TestServeConn(t *testing.T) {
	var log logLines
	var mu sync.Mutex
	var events []server.EventKind
	s := &server.Server{
		Transport: transport.U32BE,
		Log:       slog.New(slog.NewTextHandler(&log, nil)),
		Trace: func(e server.Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e.Kind)
		},
		ServeConn: func(ctx context.Context, c transport.Conn) error {
			for {
				b, err := transport.ReceiveBytes(c)
				if err != nil {
					return err
				}
				switch string(b) {
				case "fail":
					return errors.New("it failed")
				case "panic":
					panic("it panicked")
				case "end":
					return nil
				}
				if err := transport.SendBytes(c, append(b, '!')); err != nil {
					return err
				}
			}
		},
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background(), ln) }()
	dial := func() transport.Conn {
		nc, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { nc.Close() })
		c, err := transport.U32BE.Client(context.Background(), nc, transport.Options{})
		require.NoError(t, err)
		return c
	}
	kept := dial()
	for _, last := range []string{"fail", "panic", "end"} {
		c := dial()
		require.NoError(t, transport.SendBytes(c, []byte("N.")))
		b, err := transport.ReceiveBytes(c)
		require.NoError(t, err)
		require.Equal(t, "N.!", string(b))
		require.NoError(t, transport.SendBytes(c, []byte(last)))
		_, err = transport.ReceiveBytes(c)
		require.Error(t, err)
		require.NoError(t, c.NetConn().Close())
	}
	require.NoError(t, transport.SendBytes(kept, []byte("x")))
	_, err = transport.ReceiveBytes(kept)
	require.NoError(t, err)
	require.NoError(t, s.Shutdown(context.Background()))
	require.ErrorIs(t, <-done, server.ErrServerClosed)
	require.Contains(t, log.String(), "it failed")
	require.Contains(t, log.String(), "it panicked")
	mu.Lock()
	defer mu.Unlock()
	counts := map[server.EventKind]int{}
	for _, e := range events {
		counts[e]++
	}
	require.Equal(t, map[server.EventKind]int{server.Accepted: 4, server.Received: 7, server.Answered: 4, server.Closed: 4}, counts)
}
