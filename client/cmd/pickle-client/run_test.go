package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/literal"
	"github.com/picklebridge/picklebridge/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serve answers on a free port until the test ends.
func serve(t *testing.T, h server.Handler) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server.Server{Handler: h, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(context.Background(), ln)
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return ln.Addr().String()
}

// call runs the command.
func call(stdin string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

func TestScript1(t *testing.T) {
	code, out, errs := call("", "-addr", serve(t, server.Increment))
	assert.Equal(t, 0, code, errs)
	assert.Equal(t, "Processed data received from script2.py: {'key': 'processed', 'numbers': [2, 3, 4]}\n", out)
}

func TestFormats(t *testing.T) {
	addr := serve(t, server.Echo)
	file := filepath.Join(t.TempDir(), "out")
	text := "{'b': [1, 2.5, True, None], 'a': ('x', b'\\x00'), 3: {4}}"
	for format, want := range map[string]string{
		"repr":   "{'b': [1, 2.5, True, None], 'a': ('x', b'\\x00'), 3: {4}}\n",
		"json":   `{"b":[1,2.5,true,null],"a":["x","AA=="],"3":[4]}` + "\n",
		"pickle": string(pickled(t, text)),
	} {
		code, out, errs := call("", "-addr", addr, "-format", format, text)
		assert.Equal(t, 0, code, errs)
		assert.Equal(t, want, out, format)
		code, out, errs = call("", "-addr", addr, "-format", format, "-out", file, text)
		assert.Equal(t, 0, code, errs)
		assert.Empty(t, out)
		written, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, want, string(written))
	}
	for _, none := range []string{"1e999", "{(1, 2): 3}"} {
		code, out, errs := call("", "-addr", addr, "-format", "json", none)
		assert.Equal(t, exitUsage, code)
		assert.Empty(t, out)
		assert.Contains(t, errs, "JSON")
	}
}

func pickled(t *testing.T, text string) []byte {
	v, err := literal.Parse(text)
	require.NoError(t, err)
	b, err := pickleproto.Marshal(v)
	require.NoError(t, err)
	return b
}

// A pickle small enough to send can mention one list 2**60 times, or itself.
func TestJSONIsBounded(t *testing.T) {
	addr := serve(t, server.Echo)
	// Lists that hold the one before twice, the first one a text.
	bomb := "\x80\x02]q\x00X\x00\x10\x00\x00" + strings.Repeat("x", 4096) + "a"
	for i := range 30 {
		bomb += "]q" + string(rune(i+1)) + "(h" + string(rune(i)) + "h" + string(rune(i)) + "e"
	}
	for _, p := range []string{bomb + ".", "]q\x00h\x00a."} {
		code, _, errs := call(p, "-addr", addr, "-format", "json", "-in", "-")
		assert.Equal(t, exitUsage, code)
		assert.Contains(t, errs, "JSON")
	}
}

func TestIn(t *testing.T) {
	addr := serve(t, server.Echo)
	for _, p := range []string{"I1\n.", "\x80\x02K\x01."} {
		code, out, errs := call(p, "-addr", addr, "-in", "-", "-format", "pickle")
		assert.Equal(t, 0, code, errs)
		assert.Equal(t, p, out, "a pickle keeps its protocol")
	}
	code, _, errs := call("not a pickle", "-addr", addr, "-in", "-")
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, errs, "byte")
}

func TestExitCodes(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	gone.Close()
	echo := serve(t, server.Echo)
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-addr", serve(t, server.Increment), "{}"}, exitException, "KeyError: 'numbers'\n"},
		{[]string{"-addr", gone.Addr().String(), "1"}, exitConnect, "refused"},
		{[]string{"-addr", echo, "-tls", "1"}, exitConnect, "TLS"},
		{[]string{"-addr", echo, "-transport", "u32be", "-timeout", "200ms", "1"}, exitNoAnswer, ""},
		{[]string{"-addr", serve(t, server.HandlerFunc(func(ctx context.Context, _ *server.Request) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})), "-timeout", "50ms", "1"}, exitNoAnswer, "timeout"},
		{[]string{"-max-message", "10B", "-addr", echo, "'more than ten bytes'"}, exitNoAnswer, "message limit"},
		{[]string{"-nonsense"}, exitUsage, "-help"},
		{[]string{"-addr", echo, "-5"}, exitUsage, "behind --"},
		{[]string{"{'a'"}, exitUsage, "literal"},
		{[]string{"1", "2"}, exitUsage, "one literal"},
		{[]string{"-in", "-", "1"}, exitUsage, "not both"},
		{[]string{"-in", "-"}, exitUsage, "it is empty"},
		{[]string{"-in", "/none"}, exitUsage, "/none"},
		{[]string{"-protocol", "9"}, exitUsage, "protocol"},
		{[]string{"-format", "xml"}, exitUsage, "xml"},
		{[]string{"-codec", "xml"}, exitUsage, "xml"},
		{[]string{"-transport", "xml"}, exitUsage, "xml"},
		{[]string{"-tls-ca", empty}, exitUsage, "no certificate"},
		{[]string{"-tls-cert", empty}, exitUsage, "-tls-key"},
		{[]string{"-authkey-file", empty, "-transport", "multiprocessing"}, exitUsage, "empty"},
		{[]string{"-timeout", "soon"}, exitUsage, "duration"},
	} {
		code, out, errs := call("", tt.args...)
		assert.Equal(t, tt.code, code, "%v: %s", tt.args, errs)
		assert.Empty(t, out)
		assert.Contains(t, errs, tt.want)
		assert.Equal(t, 1, strings.Count(errs, "\n"), "%q", errs)
	}
	code, out, errs := call("", "-help")
	assert.Equal(t, 0, code)
	assert.Contains(t, out, "Exit codes")
	assert.Empty(t, errs)
	code, out, errs = call("", "-addr", echo, "--", "-5")
	assert.Equal(t, []any{0, "-5\n", ""}, []any{code, out, errs})
}

func TestWarnsOfLargeRequests(t *testing.T) {
	code, _, errs := call("", "-addr", serve(t, server.Echo), "'"+strings.Repeat("x", 5000)+"'")
	assert.Equal(t, 0, code)
	assert.Contains(t, errs, "4096")
}
