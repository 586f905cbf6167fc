package hostile_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/hostile"
)

// running is a pickle-server in a process of its own.
type running struct {
	cmd  *exec.Cmd
	addr string
	done chan error
}

var listening = regexp.MustCompile(`msg=listening addr=(\S+)`)

func startServer(t *testing.T, program string, args ...string) *running {
	r := &running{cmd: exec.Command(program, append([]string{"-addr", "127.0.0.1:0", "-handler", "echo"}, args...)...), done: make(chan error, 1)}
	stderr, err := r.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, r.cmd.Start())
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			r.addr = m[1]
			break
		}
	}
	require.NotEmpty(t, r.addr)
	go func() {
		for lines.Scan() {
			if strings.Contains(lines.Text(), "panic") {
				t.Errorf("the server logs %s", lines.Text())
			}
		}
		r.done <- r.cmd.Wait()
	}()
	t.Cleanup(func() {
		if r.cmd.ProcessState == nil {
			_ = r.cmd.Process.Kill()
		}
	})
	return r
}

// peakMemory is the largest resident size that the process had, or 0 where the system does not say.
func (r *running) peakMemory() int64 {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(r.cmd.Process.Pid), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

func dial(t *testing.T, addr string) *net.TCPConn {
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	return c.(*net.TCPConn)
}

// A conversation is one way of sending a pickle and reading the answer, nil if the server closed.
type conversation func(c *net.TCPConn, b []byte) ([]byte, error)

func closed(err error) bool {
	return err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// counted talks u32be.
func counted(c *net.TCPConn, b []byte) ([]byte, error) {
	sent := make(chan error, 1)
	go func() { // a large echo comes back while it is being sent
		_, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
		sent <- err
	}()
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		if closed(err) {
			return nil, nil
		}
		return nil, err
	}
	answer := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(c, answer); err != nil {
		return nil, err
	}
	return answer, <-sent
}

// raw sends the pickle alone and says that nothing more comes.
func raw(c *net.TCPConn, b []byte) ([]byte, error) {
	go func() {
		_, _ = c.Write(b)
		_ = c.CloseWrite()
	}()
	answer, err := io.ReadAll(c)
	if err != nil && !closed(err) {
		return nil, err
	}
	return answer, nil
}

// Each case against a running server that echoes: an exception or the value comes back, or the
// connection is closed, within the time (and what the way there and back takes); a request on
// another connection is answered meanwhile; in the end the process is the same, and has not
// grown beyond its memory.
func TestRunningServer(t *testing.T) {
	program := filepath.Join(t.TempDir(), "pickle-server")
	out, err := exec.Command("go", "build", "-o", program, "github.com/picklebridge/picklebridge/server/cmd/pickle-server").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for name, talk := range map[string]conversation{"u32be": counted, "raw": raw} {
		t.Run(name, func(t *testing.T) {
			r := startServer(t, program, "-transport", name, "-max-memory", "512MiB")
			ping := pingBy(talk)
			other := dial(t, r.addr)
			for _, c := range some(hostile.Cases(name == "raw" || testing.Short() || raceDetector)) {
				b := c.Make()
				if name == "raw" && len(b) == 0 {
					continue
				}
				limit := timeLimit(len(b)) + 50*time.Millisecond
				if c.Want != hostile.Refuse {
					limit += time.Second // large echoes are decoded, written, sent and read here
				}
				var answer []byte
				best := time.Hour
				for range tries {
					conn := dial(t, r.addr)
					start := time.Now()
					var err error
					answer, err = talk(conn, b)
					best = min(best, time.Since(start))
					_ = conn.Close()
					require.NoError(t, err, "%s", c)
					if best <= limit {
						break
					}
				}
				assert.LessOrEqual(t, best, limit, "%s", c)
				checkAnswer(t, c, answer)
				if name == "raw" {
					other = dial(t, r.addr) // a conversation each: the end of the request is the end of the stream
				}
				require.NoError(t, other.SetDeadline(time.Now().Add(10*time.Second)))
				start := time.Now()
				ping(t, other)
				assert.LessOrEqual(t, time.Since(start), 2*time.Second, "after %s", c)
			}
			_ = other.Close()
			select {
			case err := <-r.done:
				t.Fatalf("the server ended: %v", err)
			default:
			}
			assert.LessOrEqual(t, r.peakMemory(), int64(1536<<20))
			require.NoError(t, r.cmd.Process.Signal(os.Interrupt))
			select {
			case err := <-r.done:
				assert.NoError(t, err)
			case <-time.After(20 * time.Second):
				t.Error("the server does not end")
			}
		})
	}
}

// checkAnswer: a refused pickle is answered by an exception, if it is answered; a value is echoed.
func checkAnswer(t *testing.T, c hostile.Case, answer []byte) {
	t.Helper()
	if len(answer) == 0 {
		assert.NotEqual(t, hostile.Accept, c.Want, "%s: closed", c)
		return
	}
	var v any
	if _, err := pickleproto.UnmarshalFirst(answer, &v, pickleproto.WithLimits(pickleproto.Limits{Memory: -1})); err != nil {
		t.Errorf("%s: the answer is no pickle: %v", c, err)
		return
	}
	if _, isException := pickleproto.ExceptionOf(v, nil); c.Want == hostile.Refuse && c.Name != "trailing bytes" {
		assert.True(t, isException, "%s: answered by %.100s", c, pickleproto.Repr(v))
	}
}

// pingBy makes a small request.
func pingBy(talk conversation) func(t *testing.T, c *net.TCPConn) {
	return func(t *testing.T, c *net.TCPConn) {
		request := []byte("\x80\x04\x95\x08\x00\x00\x00\x00\x00\x00\x00\x8c\x04ping\x94.")
		answer, err := talk(c, request)
		require.NoError(t, err)
		assert.Equal(t, request, answer)
	}
}

// A slow request keeps nobody waiting: others are answered while it goes on.
func TestServedMeanwhile(t *testing.T) {
	program := filepath.Join(t.TempDir(), "pickle-server")
	out, err := exec.Command("go", "build", "-o", program, "github.com/picklebridge/picklebridge/server/cmd/pickle-server").CombinedOutput()
	require.NoError(t, err, "%s", out)
	r := startServer(t, program, "-transport", "u32be")
	stop := make(chan struct{})
	finished := make(chan struct{})
	heavy := []byte("](" + strings.Repeat("}", 3_000_000) + "e.")
	go func() {
		defer close(finished)
		for {
			select {
			case <-stop:
				return
			default:
			}
			c, err := net.Dial("tcp", r.addr)
			if err != nil {
				continue
			}
			_, _ = counted(c.(*net.TCPConn), heavy)
			_ = c.Close()
		}
	}()
	other := dial(t, r.addr)
	worst := time.Duration(0)
	for range 50 {
		start := time.Now()
		pingBy(counted)(t, other)
		worst = max(worst, time.Since(start))
		time.Sleep(10 * time.Millisecond) // spreads the requests over the heavy ones
	}
	close(stop)
	<-finished
	assert.Less(t, worst, 2*time.Second)
}
