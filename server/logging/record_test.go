package logging_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server"
	"github.com/picklebridge/picklebridge/server/logging"
)

func dict(t *testing.T, kv ...any) *pickleproto.Dict {
	d := pickleproto.NewDict()
	for i := 0; i < len(kv); i += 2 {
		require.NoError(t, d.Set(kv[i], kv[i+1]))
	}
	return d
}

func pickled(t *testing.T, v any) []byte {
	b, err := pickleproto.Marshal(v, pickleproto.WithProtocol(1))
	require.NoError(t, err)
	return b
}

// withoutTime prints records as text, all but their time.
func withoutTime(w *bytes.Buffer) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.Level(-100), ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
}

func TestRecord(t *testing.T) {
	for _, c := range []struct {
		fields []any
		want   string
	}{
		{[]any{"msg", "hello", "levelno", 20, "levelname", "INFO"}, `level=INFO msg=hello`},
		{[]any{"msg", pickleproto.ByteString("caf\xc3\xa9"), "levelno", 10, "levelname", pickleproto.ByteString("DEBUG")}, `level=DEBUG msg=café`},
		{[]any{"msg", "x", "levelno", 50, "levelname", "CRITICAL"}, `level=ERROR+4 msg=x levelname=CRITICAL`},
		{[]any{"msg", "x", "levelno", 5, "levelname", "TRACE"}, `level=DEBUG-2 msg=x levelname=TRACE`},
		{[]any{"msg", 5, "levelno", 30.0, "levelname", "WARNING"}, `level=WARN msg=5`},
		{[]any{"msg", "%s", "levelno", 20, "levelname", "INFO", "args", pickleproto.Tuple{int64(1)}}, `level=INFO msg=%s args=(1,)`},
		{[]any{"msg", "x", "levelno", 20, "levelname", "INFO", "args", pickleproto.Tuple{}}, `level=INFO msg=x`},
		{[]any{"msg", "x", "levelno", 20, "levelname", "INFO", "taskName", "t", "stack_info", "s", "exc_text", "e", "exc_info", nil,
			"thread", 7, "threadName", "w", "process", 8, "processName", "p", "funcName", "f", "lineno", 9, "pathname", "/a.py",
			"filename", "a.py", "module", "a", "name", "n", "msecs", 1.0, "relativeCreated", 2.0, "message", "x", "asctime", "now"},
			`level=INFO msg=x logger=n file=/a.py line=9 function=f process=8 process_name=p thread=7 thread_name=w task=t exception=e stack=s`},
		{[]any{"msg", "x", "levelno", 20, "levelname", "INFO", "user", "u", "msg2", pickleproto.NewList(int64(1)), "none", nil},
			`level=INFO msg=x extra.user=u extra.msg2=[1] extra.none=<nil>`},
	} {
		r, err := logging.Record(pickled(t, dict(t, c.fields...)))
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, withoutTime(&b).Handle(context.Background(), r))
		require.Equal(t, c.want+"\n", b.String())
	}
}

func TestRecordTime(t *testing.T) {
	r, err := logging.Record(pickled(t, dict(t, "msg", "x", "levelno", 20, "created", 1700000000.123456)))
	require.NoError(t, err)
	require.Equal(t, time.Unix(1700000000, 123456000), r.Time)
	for _, odd := range []any{nil, "x", 1e300, -1e300} {
		r, err = logging.Record(pickled(t, dict(t, "msg", "x", "levelno", 20, "created", odd)))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), r.Time, time.Minute)
	}
}

func TestNotARecord(t *testing.T) {
	for _, v := range []any{nil, "x", pickleproto.NewList(), pickleproto.NewDict(), dict(t, "msg", "x"), dict(t, "levelno", 10), dict(t, "msg", 1, "levelno", "20")} {
		_, err := logging.Record(pickled(t, v))
		require.ErrorIs(t, err, logging.ErrNotARecord)
	}
	var syntax *pickleproto.SyntaxError
	_, err := logging.Record([]byte("}q"))
	require.ErrorAs(t, err, &syntax)
}

// pipeListener accepts one end of each net.Pipe that is sent.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// A program may have nothing to log for days.
func TestIdleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		c := &logging.Collector{Handler: withoutTime(&b), Server: &server.Server{Log: slog.New(slog.DiscardHandler)}}
		ln := &pipeListener{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Serve(ctx, ln) }()
		ours, theirs := net.Pipe()
		ln.conns <- theirs
		for _, msg := range []string{"one", "two", "three"} {
			data := pickled(t, dict(t, "msg", msg, "levelno", 20, "levelname", "INFO"))
			_, err := ours.Write(append([]byte{0, 0, 0, byte(len(data))}, data...))
			require.NoError(t, err)
			time.Sleep(100 * time.Hour)
		}
		cancel()
		require.ErrorIs(t, <-done, server.ErrServerClosed)
		require.Equal(t, "level=INFO msg=one\nlevel=INFO msg=two\nlevel=INFO msg=three\n", b.String())
		ours.Close()
	})
}

// Nothing is written to a connection, not even when it is refused or closed.
func TestNothingIsWritten(t *testing.T) {
	var b bytes.Buffer
	c := &logging.Collector{Handler: withoutTime(&b), Server: &server.Server{Log: slog.New(slog.DiscardHandler), MaxConns: 1}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx, ln) }()
	nc, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	defer nc.Close()
	data := pickled(t, dict(t, "msg", "one", "levelno", 20, "levelname", "INFO"))
	_, err = nc.Write(append([]byte{0, 0, 0, byte(len(data))}, data...))
	require.NoError(t, err)

	cancel()
	require.ErrorIs(t, <-done, server.ErrServerClosed)
	n, err := nc.Read(make([]byte, 1))
	require.Zero(t, n)
	require.Error(t, err)
	require.Equal(t, "level=INFO msg=one\n", b.String())
}

func ExampleRecord() {
	fields := pickleproto.NewDict()
	for k, v := range map[string]any{"msg": "disk is full", "levelno": 40, "levelname": "ERROR", "name": "backup", "created": 1700000000.5} {
		if err := fields.Set(k, v); err != nil {
			panic(err)
		}
	}
	data, err := pickleproto.Marshal(fields, pickleproto.WithProtocol(1)) // as SocketHandler does
	if err != nil {
		panic(err)
	}
	record, err := logging.Record(data)
	if err != nil {
		panic(err)
	}
	record.Time = record.Time.UTC()
	if err := slog.NewTextHandler(os.Stdout, nil).Handle(context.Background(), record); err != nil {
		panic(err)
	}
	fmt.Println(record.Message)
	// Output:
	// time=2023-11-14T22:13:20.500Z level=ERROR msg="disk is full" logger=backup
	// disk is full
}
