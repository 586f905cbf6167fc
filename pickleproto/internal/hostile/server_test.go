package hostile_test

import (
	"encoding/binary"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/hostile"
)

// pickleServer runs the command, with the echo handler, until the test ends.
func pickleServer(t *testing.T, args ...string) (addr string) {
	path := filepath.Join(t.TempDir(), "pickle-server")
	out, err := exec.Command("go", "build", "-o", path, "../../../server/cmd/pickle-server").CombinedOutput()
	require.NoError(t, err, "%s", out)
	cmd := exec.Command(path, append([]string{"-addr", "127.0.0.1:0", "-handler", "echo"}, args...)...)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	first := make([]byte, 4096)
	n, err := stderr.Read(first)
	require.NoError(t, err)
	m := regexp.MustCompile(`msg=listening addr=(\S+)`).FindSubmatch(first[:n])
	require.NotNil(t, m, "%s", first[:n])
	go func() { _, _ = io.Copy(io.Discard, stderr) }()
	return string(m[1])
}

func dialServer(t *testing.T, addr string) *net.TCPConn {
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { nc.Close() })
	return nc.(*net.TCPConn)
}

// others is somebody else's conversation, held until stop: every request is answered, within
// patience, whatever is sent on other connections.
func others(t *testing.T, addr, request string) (stop func() int64) {
	const patience = 10 * time.Second
	nc := dialServer(t, addr)
	var over atomic.Bool
	var count atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		answer := make([]byte, len(request))
		for !over.Load() {
			if !assert.NoError(t, nc.SetDeadline(time.Now().Add(patience))) {
				return
			}
			if _, err := nc.Write([]byte(request)); !assert.NoError(t, err) {
				return
			}
			if _, err := io.ReadFull(nc, answer); !assert.NoError(t, err) {
				return
			}
			if !assert.Equal(t, request, string(answer)) {
				return
			}
			count.Add(1)
			time.Sleep(time.Millisecond)
		}
	})
	return func() int64 {
		over.Store(true)
		wg.Wait()
		return count.Load()
	}
}

func counted(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// judgeAnswer holds an answer against what a case may lead to: the value again, or an exception
// that says why not.
func judgeAnswer(t *testing.T, c hostile.Case, answer []byte) {
	var v any
	if _, err := pickleproto.UnmarshalFirst(answer, &v); err != nil { // several, where bytes trailed
		// What was decoded and is written again may be deeper than what is read by default.
		assert.NotEqual(t, hostile.Refuse, c.Want, "%s: %v", c, err)
		return
	}
	if c.Want == hostile.Refuse && c.Name != "trailing bytes" { // which pickle.loads ignores
		e, ok := pickleproto.ExceptionOf(v, nil)
		if assert.True(t, ok, "%s: answered %.100q", c, answer) {
			assert.Contains(t, []string{"UnpicklingError", "EOFError", "TypeError"}, e.Class.Name, "%s: %s", c, e)
		}
	}
}

// Each case is sent to a server that runs: it answers in time, with a value or an exception, goes
// on with the connection, and serves others meanwhile.
func TestServer(t *testing.T) {
	addr := pickleServer(t, "-transport", "u32be", "-max-memory", "1GiB")
	stop := others(t, addr, "\x00\x00\x00\x02N.")
	nc := dialServer(t, addr)
	for _, c := range hostile.Cases(testing.Short() || raceDetector) {
		request := counted(c.Make())
		var answer []byte
		limit, took := time.Duration(0), time.Hour
		for range tries {
			require.NoError(t, nc.SetDeadline(time.Now().Add(time.Minute)))
			begin := time.Now()
			_, err := nc.Write(request)
			require.NoError(t, err, "%s", c)
			var header [4]byte
			_, err = io.ReadFull(nc, header[:])
			require.NoError(t, err, "%s", c)
			answer = make([]byte, binary.BigEndian.Uint32(header[:]))
			_, err = io.ReadFull(nc, answer)
			require.NoError(t, err, "%s", c)
			took = min(took, time.Since(begin))
			written := len(answer)
			if strings.Contains(string(answer), "message limit exceeded") {
				written = pickleproto.DefaultMaxMessage // so much was, before that was found out
			}
			// Decoded and encoded, by a process of which only the clock is known.
			if limit = 2 * (timeLimit(len(request)) + timeLimit(written)); took <= limit {
				break
			}
		}
		assert.LessOrEqual(t, took, limit, "%s", c)
		judgeAnswer(t, c, answer)
	}
	assert.Greater(t, stop(), int64(100))
}

// The same without counts: each case has a connection of its own, which may end with it.
func TestServerRaw(t *testing.T) {
	addr := pickleServer(t, "-max-memory", "1GiB")
	stop := others(t, addr, "N.")
	for _, c := range hostile.Cases(true) {
		b := c.Make()
		nc := dialServer(t, addr)
		require.NoError(t, nc.SetDeadline(time.Now().Add(time.Minute)))
		go func() {
			_, _ = nc.Write(b) // the server may have closed before the end
			_ = nc.CloseWrite()
		}()
		answer, err := io.ReadAll(nc)
		require.NoError(t, err, "%s", c)
		nc.Close()
		if len(b) == 0 {
			assert.Empty(t, answer)
			continue
		}
		if assert.NotEmpty(t, answer, "%s", c) {
			judgeAnswer(t, c, answer)
		}
	}
	assert.Greater(t, stop(), int64(50))
}
