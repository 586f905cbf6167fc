//go:build unix

package client_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/picklebridge/picklebridge/client"
	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pickleServer runs the command on addr and returns the address that it listens on, and what
// kills it.
func pickleServer(t *testing.T, path, addr string) (string, func()) {
	cmd := exec.Command(path, "-addr", addr, "-handler", "echo")
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	kill := sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // SIGKILL: nothing is answered, nothing is closed in an orderly way
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	b := make([]byte, 4096)
	n, err := stderr.Read(b)
	require.NoError(t, err)
	m := regexp.MustCompile(`msg=listening addr=(\S+)`).FindSubmatch(b[:n])
	require.NotNil(t, m, "%s", b[:n])
	go func() { _, _ = io.Copy(io.Discard, stderr) }()
	return string(m[1]), kill
}

// A server that is killed and started again on its port, under load: idempotent calls all get
// their answers, others get theirs or the error that says that none came, and never a wrong one.
func TestKilledAndRestarted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pickle-server")
	out, err := exec.Command("go", "build", "-o", path, "../server/cmd/pickle-server").CombinedOutput()
	require.NoError(t, err, "%s", out)
	addr, kill := pickleServer(t, path, "127.0.0.1:0")

	idempotent, err := client.Dial(context.Background(), addr, client.WithIdempotent())
	require.NoError(t, err)
	defer idempotent.Close()
	careful, err := client.Dial(context.Background(), addr)
	require.NoError(t, err)
	defer careful.Close()

	var stop atomic.Bool
	var answered, unanswered atomic.Int64
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				ask, got := fmt.Sprint(worker, "-", i), ""
				if assert.NoError(t, idempotent.Do(context.Background(), ask, &got)) {
					assert.Equal(t, ask, got)
				}
			}
		})
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				ask, got := fmt.Sprint(worker, "/", i), ""
				switch err := careful.Do(context.Background(), ask, &got); {
				case err == nil:
					assert.Equal(t, ask, got)
					answered.Add(1)
				default:
					assert.ErrorIs(t, err, client.ErrUnanswered)
					unanswered.Add(1)
				}
			}
		})
	}
	for range 3 {
		time.Sleep(100 * time.Millisecond)
		kill()
		time.Sleep(50 * time.Millisecond)
		_, kill = pickleServer(t, path, addr)
	}
	time.Sleep(100 * time.Millisecond)
	stop.Store(true)
	wg.Wait()
	assert.NotZero(t, answered.Load())
	// Those that were under way, and those whose new connection the dying server's kernel accepted.
	assert.LessOrEqual(t, unanswered.Load(), int64(3*4*2))
}

// A connection that is reset at any byte of the answer gives an error, never a wrong answer.
func TestResetAtEveryByteOfTheAnswer(t *testing.T) {
	answer := pickled(t, map[string]any{"key": "processed", "numbers": []int{2, 3, 4}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	for cut := range answer {
		for _, linger := range []int{0, -1} { // RST, FIN
			done := make(chan struct{})
			go func() {
				defer close(done)
				nc, err := ln.Accept()
				if !assert.NoError(t, err) {
					return
				}
				_, _ = nc.Read(make([]byte, 100))
				_, _ = nc.Write(answer[:cut])
				_ = nc.(*net.TCPConn).SetLinger(linger)
				nc.Close()
			}()
			c, err := client.Dial(context.Background(), ln.Addr().String())
			require.NoError(t, err)
			var got map[string]any
			require.ErrorIs(t, c.Do(context.Background(), nil, &got), client.ErrUnanswered, "cut at %d", cut)
			assert.Nil(t, got)
			c.Close()
			<-done
		}
	}
}

const onePickler = `
import pickle, socket
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen(1)
print(listener.getsockname()[1], flush=True)
conn, _ = listener.accept()
f, w = conn.makefile('rb'), conn.makefile('wb')
pickler, shared = pickle.Pickler(w), ['a list that is shared']
for i in range(3):
    pickle.load(f)
    pickler.dump([shared, i])
    w.flush()
`

// What it answers, as CPython 3.13 wrote it: the later ones refer back to the first.
var onePicklerAnswers = []string{
	"\x80\x04\x95\"\x00\x00\x00\x00\x00\x00\x00]\x94(]\x94\x8c\x15a list that is shared\x94aK\x00e.",
	"\x80\x04\x95\t\x00\x00\x00\x00\x00\x00\x00]\x94(h\x01K\x01e.",
	"\x80\x04\x95\t\x00\x00\x00\x00\x00\x00\x00]\x94(h\x01K\x02e.",
}

// acceptOne listens, and gives the first connection to serve.
func acceptOne(t *testing.T, network, addr string, serve func(nc net.Conn)) (at string) {
	ln, err := net.Listen(network, addr)
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		serve(nc)
	}()
	return ln.Addr().String()
}

// A Python server with one Pickler for all its answers, which refer back to each other.
func TestKeepMemoWithPython(t *testing.T) {
	ask := func(t *testing.T, addr string) {
		c := dial(t, addr, client.WithKeepMemo())
		for i := range onePicklerAnswers {
			var v any
			require.NoError(t, c.Do(context.Background(), i, &v))
			assert.Equal(t, fmt.Sprintf("[['a list that is shared'], %d]", i), pickleproto.Repr(v))
		}
	}
	t.Run("as recorded", func(t *testing.T) {
		ask(t, acceptOne(t, "tcp", "127.0.0.1:0", func(nc net.Conn) {
			for _, answer := range onePicklerAnswers {
				if _, err := nc.Read(make([]byte, 256)); err != nil {
					return
				}
				_, _ = io.WriteString(nc, answer)
			}
		}))
	})
	t.Run("live", func(t *testing.T) {
		python, err := exec.LookPath("python3")
		if err != nil {
			t.Skip("no Python 3 is installed to talk to; the recorded answers stand in for it")
		}
		cmd := exec.Command(python, "-c", onePickler)
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		defer func() { _ = cmd.Wait() }()
		var port int
		_, err = fmt.Fscan(stdout, &port)
		require.NoError(t, err)
		ask(t, fmt.Sprint("127.0.0.1:", port))
	})
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	acceptOne(t, "unix", path, func(nc net.Conn) {
		b := make([]byte, 100)
		n, _ := nc.Read(b)
		_, _ = nc.Write(b[:n])
	})
	c := dial(t, "unix:"+path)
	var got string
	require.NoError(t, c.Do(context.Background(), "x", &got))
	assert.Equal(t, "x", got)
	require.NoError(t, os.Remove(path))
}
