//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// These tests run the command in a process of its own, under what peers can do to a socket. With
// PICKLEBRIDGE_THOROUGH set they do it in full numbers, which takes minutes; else in fewer.

func thorough(full, short int) int {
	if os.Getenv("PICKLEBRIDGE_THOROUGH") != "" {
		return full
	}
	return short
}

var built string // the directory of binary, once that has been called

var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pickle-server")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "pickle-server")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// No test leaves a goroutine behind.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if built != "" {
			os.RemoveAll(built)
		}
		os.Exit(code)
	}))
}

// process is pickle-server in a process of its own.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string
	log  output
	done chan struct{}
}

// launch starts the command with at most files descriptors; 0 is as many as there may be.
func launch(t *testing.T, files int, args ...string) *process {
	path, err := binary()
	require.NoError(t, err)
	p := &process{t: t, done: make(chan struct{})}
	if files > 0 {
		p.cmd = exec.Command("sh", append([]string{"-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, files), path}, args...)...)
	} else {
		p.cmd = exec.Command(path, args...)
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	require.NoError(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		if m := regexp.MustCompile(`msg=listening addr=(\S+)`).FindStringSubmatch(p.log.String()); m != nil {
			p.addr = m[1]
			return p
		}
		require.Less(t, time.Since(begin), 20*time.Second, "%s", &p.log)
	}
}

func (p *process) dial() *net.TCPConn {
	nc, err := net.Dial("tcp", p.addr)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { nc.Close() })
	return nc.(*net.TCPConn)
}

// field is a number in a file of /proc, behind a name.
func (p *process) field(file, name string) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
	require.NoError(p.t, err)
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			require.NoError(p.t, err)
			return n
		}
	}
	p.t.Fatalf("no %s in %s", name, file)
	return 0
}

func (p *process) residentKiB() int { return p.field("status", "VmRSS") }

// cpu is the time that the process has computed.
func (p *process) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	require.NoError(p.t, err)
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, err := strconv.Atoi(f[11])
	require.NoError(p.t, err)
	system, err := strconv.Atoi(f[12])
	require.NoError(p.t, err)
	return time.Duration(user+system) * 10 * time.Millisecond
}

func (p *process) files() int {
	d, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	require.NoError(p.t, err)
	return len(d)
}

// converse asks once and expects the answer.
func converse(t *testing.T, nc net.Conn, request, want string) {
	_, err := nc.Write([]byte(request))
	require.NoError(t, err)
	b := make([]byte, len(want))
	_, err = io.ReadFull(nc, b)
	require.NoError(t, err)
	require.Equal(t, want, string(b))
}

func (p *process) serves() {
	nc := p.dial()
	require.NoError(p.t, nc.SetDeadline(time.Now().Add(10*time.Second)))
	converse(p.t, nc, "\x80\x04K\x01.", "\x80\x04K\x01.")
	nc.Close()
}

// The most that an idle connection may cost.
const idleKiB = 12

func TestIdleConnections(t *testing.T) {
	n := thorough(10_000, 2_000)
	p := launch(t, 0, "-addr", "127.0.0.1:0", "-handler", "echo", "-max-conns", "11000")
	p.serves()
	before := p.residentKiB()
	conns := make([]*net.TCPConn, n)
	for i := range conns {
		conns[i] = p.dial()
	}
	each := func() float64 { return float64(p.residentKiB()-before) / float64(n) }
	p.serves() // all before it are accepted
	unspoken := each()
	for _, nc := range conns {
		converse(t, nc, "\x80\x04K\x01.", "\x80\x04K\x01.")
	}
	spoken := each()
	t.Logf("%d idle connections: %.1f KiB each, %.1f once they have asked something", n, unspoken, spoken)
	assert.LessOrEqual(t, unspoken, float64(idleKiB))
	// Their stacks have grown, and what the requests left is not collected yet.
	assert.LessOrEqual(t, spoken, idleKiB*1.25)
	p.serves()
}

// quantile99 is the 99th percentile of how long n requests of 8 good clients took.
func (p *process) quantile99(n int) time.Duration {
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	for range 8 {
		nc := p.dial()
		wg.Go(func() {
			b := make([]byte, 5)
			var took []time.Duration
			for range n / 8 {
				begin := time.Now()
				if _, err := nc.Write([]byte("\x80\x04K\x01.")); !assert.NoError(p.t, err) {
					return
				}
				if _, err := io.ReadFull(nc, b); !assert.NoError(p.t, err) {
					return
				}
				took = append(took, time.Since(begin))
				time.Sleep(time.Millisecond)
			}
			mu.Lock()
			all = append(all, took...)
			mu.Unlock()
		})
	}
	wg.Wait()
	slices.Sort(all)
	return all[int(math.Ceil(float64(len(all))*0.99))-1]
}

func TestSlowSenders(t *testing.T) {
	n := thorough(500, 100)
	const deadline = 3 * time.Second
	p := launch(t, 0, "-addr", "127.0.0.1:0", "-handler", "echo", "-read-timeout", deadline.String())
	before := p.quantile99(2000)
	var wg sync.WaitGroup
	for range n {
		nc := p.dial()
		wg.Go(func() {
			begin := time.Now()
			over := make(chan struct{})
			wg.Go(func() {
				for range 60 {
					if _, err := nc.Write([]byte("(")); err != nil {
						return
					}
					select {
					case <-over:
						return
					case <-time.After(time.Second):
					}
				}
			})
			_, _ = io.ReadAll(nc) // the exception, then the end
			took := time.Since(begin)
			close(over)
			assert.GreaterOrEqual(t, took, deadline-100*time.Millisecond)
			assert.LessOrEqual(t, took, deadline+time.Second)
			nc.Close()
		})
	}
	during := p.quantile99(2000)
	wg.Wait()
	t.Logf("p99 of good clients: %v, beside %d slow senders %v", before, n, during)
	// On a machine that does other things too a single pause is longer than any request.
	assert.LessOrEqual(t, during, 2*before+20*time.Millisecond)
	p.serves()
}

func TestPeersThatNeverRead(t *testing.T) {
	p := launch(t, 0, "-addr", "127.0.0.1:0", "-handler", "echo", "-write-timeout", "1s")
	files := p.files()
	big := "\x80\x04B\x00\x00\x40\x00" + strings.Repeat("x", 4<<20) + "."
	for range thorough(100, 8) {
		nc := p.dial()
		go func() {
			for range 50 {
				if _, err := nc.Write([]byte(big)); err != nil {
					return
				}
			}
		}()
	}
	time.Sleep(200 * time.Millisecond)
	p.serves()
	assert.Eventually(t, func() bool { return p.files() <= files+1 }, 20*time.Second, 50*time.Millisecond, "they are cut off")
	p.serves()
}

// reset closes a connection so that the peer gets RST.
func reset(nc *net.TCPConn) {
	_ = nc.SetLinger(0)
	nc.Close()
}

func TestResetAtEveryByte(t *testing.T) {
	p := launch(t, 0, "-addr", "127.0.0.1:0", "-handler", "echo")
	files := p.files()
	message := "\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x8c\x03key\x94K\x01s."
	answer := "\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x03key\x94K\x01s."
	for sent := range len(message) + 1 {
		nc := p.dial()
		_, err := nc.Write([]byte(message[:sent]))
		require.NoError(t, err)
		reset(nc)
	}
	for read := range len(answer) {
		nc := p.dial()
		_, err := nc.Write([]byte(message + message))
		require.NoError(t, err)
		b := make([]byte, read)
		_, err = io.ReadFull(nc, b)
		require.NoError(t, err)
		assert.Equal(t, answer[:read], string(b))
		reset(nc)
	}
	assert.Eventually(t, func() bool { return p.files() <= files }, 10*time.Second, 10*time.Millisecond)
	p.serves()
	assert.NotContains(t, p.log.String(), "panic")
}

func TestManyConnectsAndCloses(t *testing.T) {
	n := thorough(50_000, 2_000)
	p := launch(t, 0, "-addr", "127.0.0.1:0", "-handler", "echo")
	p.serves()
	files, threads := p.files(), p.field("status", "Threads")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range n / 4 {
				nc, err := net.Dial("tcp", p.addr)
				if !assert.NoError(t, err) {
					return
				}
				if i%2 == 0 {
					_, _ = nc.Write([]byte("N."))
					_, _ = io.ReadFull(nc, make([]byte, 2))
				}
				reset(nc.(*net.TCPConn)) // else the client runs out of ports: each waits a minute
			}
		})
	}
	wg.Wait()
	assert.Eventually(t, func() bool { return p.files() <= files }, 10*time.Second, 10*time.Millisecond)
	assert.LessOrEqual(t, p.field("status", "Threads"), threads+8)
	p.serves()
}

func TestNoDescriptorLeft(t *testing.T) {
	p := launch(t, 40, "-addr", "127.0.0.1:0", "-handler", "echo")
	var held []*net.TCPConn
	for range 80 {
		held = append(held, p.dial())
	}
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "cannot accept") }, 10*time.Second, 10*time.Millisecond)
	before := p.cpu()
	time.Sleep(2 * time.Second)
	assert.Less(t, p.cpu()-before, 500*time.Millisecond, "it waits instead of trying again and again")
	assert.Less(t, strings.Count(p.log.String(), "cannot accept"), 20)
	for _, nc := range held {
		nc.Close()
	}
	p.serves()
}

// SIGTERM under load: what a handler has processed is answered, and the answer arrives.
func TestTerminatedUnderLoad(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace.mmd")
	p := launch(t, 0, "-addr", "127.0.0.1:0", "-handler", "echo", "-trace", trace, "-drain-timeout", "10s")
	var mu sync.Mutex
	answered := 0
	var wg sync.WaitGroup
	for range 16 {
		nc := p.dial()
		wg.Go(func() {
			defer nc.Close()
			in := bufio.NewReader(nc)
			for {
				if _, err := nc.Write([]byte("N.")); err != nil {
					return
				}
				b := make([]byte, 2)
				if _, err := io.ReadFull(in, b); err != nil {
					assert.ErrorIs(t, err, io.EOF, "no answer is cut off")
					return
				}
				mu.Lock()
				answered++
				mu.Unlock()
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	wg.Wait()
	select {
	case <-p.done:
	case <-time.After(15 * time.Second):
		t.Fatal("it does not end")
	}
	assert.Equal(t, 0, p.cmd.ProcessState.ExitCode())
	drawn, err := os.ReadFile(trace)
	require.NoError(t, err)
	assert.NotZero(t, answered)
	assert.Equal(t, strings.Count(string(drawn), ": processes"), answered)
}
