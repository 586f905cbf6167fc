package transport_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dialled returns both ends of a connection. "pipe" has no socket, so no direct way to one.
func dialled(t testing.TB, network string) (server, client net.Conn) {
	t.Helper()
	if network == "pipe" {
		server, client = net.Pipe()
		t.Cleanup(func() { server.Close(); client.Close() })
	} else {
		server, client = transport.Connected(t, network)
	}
	require.NoError(t, client.SetDeadline(time.Now().Add(30*time.Second)))
	return server, client
}

// served is what Serve has done in the end.
type served struct {
	got []string // messages
	m   transport.Message
	err error
}

// serving starts Serve. Messages are noted, and given to handle, if there is one.
func serving(t testing.TB, c transport.Conn, handle func(data []byte, n int) bool) <-chan served {
	done := make(chan served, 1)
	go func() {
		var s served
		s.m, s.err = transport.Serve(c, func(m transport.Message) bool {
			s.got = append(s.got, string(m.Data))
			return handle == nil || handle(m.Data, len(s.got))
		})
		done <- s
	}()
	return done
}

func ended(t testing.TB, done <-chan served) served {
	t.Helper()
	select {
	case s := <-done:
		return s
	case <-time.After(10 * time.Second):
		require.FailNow(t, "Serve does not end")
		return served{}
	}
}

func send(t testing.TB, c transport.Conn, data []byte) {
	assert.NoError(t, transport.SendBytes(c, data))
}

func write(t testing.TB, nc net.Conn, s string) {
	t.Helper()
	_, err := io.WriteString(nc, s)
	require.NoError(t, err)
}

// writesNoMore looks that nothing is sent on a connection that is closed, whoever has its descriptor now.
func writesNoMore(t testing.TB, c transport.Conn) {
	t.Helper()
	other, peer := dialled(t, "tcp")
	assert.ErrorIs(t, transport.SendBytes(c, []byte("N.")), net.ErrClosed)
	for _, nc := range []net.Conn{other, peer} {
		require.NoError(t, nc.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
		_, err := nc.Read(make([]byte, 1))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	}
}

func closeWrite(t testing.TB, nc net.Conn) {
	t.Helper()
	require.NoError(t, nc.(interface{ CloseWrite() error }).CloseWrite())
}

// everyConversation runs a test with every convention on every kind of connection.
func everyConversation(t *testing.T, networks string, o transport.Options, test func(t *testing.T, tr convention, c transport.Conn, client net.Conn)) {
	for _, network := range strings.Fields(networks) {
		for _, tr := range conventions(t) {
			t.Run(network+"/"+tr.String(), func(t *testing.T) {
				server, client := dialled(t, network)
				test(t, tr, open(t, tr, server, o), client)
			})
		}
	}
}

// Requests that come one by one, several at once, and in pieces.
func TestServe(t *testing.T) {
	everyConversation(t, "tcp unix pipe", transport.Options{}, func(t *testing.T, tr convention, c transport.Conn, client net.Conn) {
		done := serving(t, c, func(data []byte, _ int) bool {
			send(t, c, data)
			return true
		})
		var want []string
		answered := func(p string) {
			answer := make([]byte, len(tr.wrap(p)))
			_, err := io.ReadFull(client, answer)
			require.NoError(t, err)
			require.Equal(t, tr.wrap(p), string(answer))
			want = append(want, p)
		}
		for range 3 {
			for _, p := range pickles {
				write(t, client, tr.wrap(p))
				answered(p)
			}
		}
		go func() {
			for _, p := range pickles {
				_, _ = io.WriteString(client, tr.wrap(p))
			}
		}()
		for _, p := range pickles {
			answered(p)
		}
		for _, p := range pickles[:6] {
			for _, piece := range chunked(tr.wrap(p), 1) {
				write(t, client, string(piece))
			}
			answered(p)
		}
		client.Close()
		s := ended(t, done)
		assert.Equal(t, io.EOF, s.err)
		assert.Equal(t, want, s.got)
	})
}

// A client that half-closes behind its request is seen to have done so, though nothing tells of that
// any more when the request has been read: the end was there before.
func TestServeSeesTheEndBehindARequest(t *testing.T) {
	everyConversation(t, "tcp unix", transport.Options{}, func(t *testing.T, tr convention, c transport.Conn, client net.Conn) {
		done := serving(t, c, func(_ []byte, n int) bool {
			if n == 3 {
				write(t, client, tr.wrap("K\x07."))
				closeWrite(t, client)
				time.Sleep(10 * time.Millisecond) // and the poller has told of both
			}
			return true
		})
		for range 3 {
			write(t, client, tr.wrap("N."))
			time.Sleep(5 * time.Millisecond)
		}
		s := ended(t, done)
		assert.Equal(t, io.EOF, s.err)
		assert.Equal(t, []string{"N.", "N.", "N.", "K\x07."}, s.got)
	})
}

func TestServeCutOff(t *testing.T) {
	everyConversation(t, "tcp unix", transport.Options{}, func(t *testing.T, tr convention, c transport.Conn, client net.Conn) {
		done := serving(t, c, nil)
		whole := tr.wrap("\x80\x03B\x00\x20\x00\x00" + strings.Repeat("x", 8192) + ".")
		write(t, client, tr.wrap("N."))
		time.Sleep(5 * time.Millisecond)
		write(t, client, whole[:len(whole)-1])
		closeWrite(t, client)
		s := ended(t, done)
		assert.ErrorIs(t, s.err, io.ErrUnexpectedEOF)
		assert.Equal(t, []string{"N."}, s.got)
		if tr.String() == "raw" {
			assert.Equal(t, 3, s.m.Protocol)
		}
	})
}

// Deadlines are those of Receive.
func TestServeTimeouts(t *testing.T) {
	const timeout = 600 * time.Millisecond
	for _, part := range []int{0, 3} {
		t.Run(fmt.Sprint(part, " bytes"), func(t *testing.T) {
			o := transport.Options{IdleTimeout: timeout, ReadTimeout: timeout}
			if part > 0 {
				o.IdleTimeout = time.Minute
			}
			everyConversation(t, "tcp", o, func(t *testing.T, tr convention, c transport.Conn, client net.Conn) {
				t.Parallel()
				timesOut(t, tr, c, client, timeout, part)
			})
		})
	}
}

// Whether a long deadline will do is seen by a time that is not looked up for each message.
func TestServeLongTimeout(t *testing.T) {
	const timeout = 2 * time.Second
	tr := conventions(t)[0]
	server, client := dialled(t, "tcp")
	timesOut(t, tr, open(t, tr, server, transport.Options{IdleTimeout: timeout}), client, timeout, 0)
}

// timesOut sends messages, each of them within the timeout, then part of one, and nothing.
func timesOut(t *testing.T, tr convention, c transport.Conn, client net.Conn, timeout time.Duration, part int) {
	t.Helper()
	done := serving(t, c, nil)
	for range 3 { // each wait begins anew
		write(t, client, tr.wrap("N."))
		time.Sleep(timeout / 2)
	}
	begun := time.Now()
	write(t, client, tr.wrap("N.")+tr.wrap("I46\n.")[:part])
	s := ended(t, done)
	assert.Greater(t, time.Since(begun), timeout*3/4)
	var te *transport.TimeoutError
	require.ErrorAs(t, s.err, &te)
	assert.Equal(t, part > 0, te.Waiting != "a message")
	assert.Equal(t, int64(part), te.Got)
	assert.Len(t, s.got, 4)
}

func TestServeInterrupted(t *testing.T) {
	everyConversation(t, "tcp unix", transport.Options{}, func(t *testing.T, tr convention, c transport.Conn, client net.Conn) {
		// While it waits.
		done := serving(t, c, nil)
		for range 2 {
			write(t, client, tr.wrap("N."))
			time.Sleep(10 * time.Millisecond)
		}
		c.Interrupt(time.Millisecond)
		assert.ErrorIs(t, ended(t, done).err, transport.ErrInterrupted)

		// While a message is handled, or has begun to arrive.
		server, client := dialled(t, "tcp")
		c = open(t, tr, server, transport.Options{})
		whole := tr.wrap("K\x07.")
		done = serving(t, c, func(_ []byte, n int) bool {
			if n == 2 {
				c.Interrupt(100 * time.Millisecond)
				write(t, client, whole[:1])
			}
			return true
		})
		for range 2 {
			write(t, client, tr.wrap("N."))
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(150 * time.Millisecond)
		write(t, client, whole[1:])
		s := ended(t, done)
		assert.ErrorIs(t, s.err, transport.ErrInterrupted)
		assert.Equal(t, []string{"N.", "N.", "K\x07."}, s.got)
	})
}

// After handle has said that it is enough, the connection is as good as before.
func TestServeAndReceive(t *testing.T) {
	everyConversation(t, "tcp unix pipe", transport.Options{}, func(t *testing.T, tr convention, c transport.Conn, client net.Conn) {
		go func() {
			for i := range 20 {
				_, _ = io.WriteString(client, tr.wrap(fmt.Sprint("I", i, "\n.")))
				if i%3 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		}()
		for i := 0; i < 20; i++ {
			n := 0
			m, err := transport.Serve(c, func(m transport.Message) bool {
				assert.Equal(t, fmt.Sprint("I", i, "\n."), string(m.Data))
				i, n = i+1, n+1
				return n < 4
			})
			require.NoError(t, err)
			if i == 20 {
				break
			}
			m, err = c.Receive()
			require.NoError(t, err)
			assert.Equal(t, fmt.Sprint("I", i, "\n."), string(m.Data))
		}
	})
}

// An answer that the socket has no room for is written whole, as fast as the client reads.
func TestServeAnswersAtLength(t *testing.T) {
	long := []byte("\x80\x03B\x00\x00\x80\x00" + strings.Repeat("0123456789abcdef", 1<<19) + ".")
	everyConversation(t, "tcp unix", transport.Options{}, func(t *testing.T, tr convention, c transport.Conn, client net.Conn) {
		done := serving(t, c, func([]byte, int) bool {
			send(t, c, long)
			return true
		})
		for range 2 {
			write(t, client, tr.wrap("N."))
			time.Sleep(20 * time.Millisecond)
			answer := make([]byte, len(tr.wrap(string(long))))
			_, err := io.ReadFull(client, answer)
			require.NoError(t, err)
			require.True(t, bytes.Equal([]byte(tr.wrap(string(long))), answer))
		}
		client.Close()
		assert.Len(t, ended(t, done).got, 2)
	})
}

// An answer that is not read fails after WriteTimeout.
func TestServeAPeerThatNeverReads(t *testing.T) {
	long := []byte("\x80\x03B\x00\x00\x80\x00" + strings.Repeat("0123456789abcdef", 1<<19) + ".")
	everyConversation(t, "tcp unix", transport.Options{WriteTimeout: 100 * time.Millisecond}, func(t *testing.T, tr convention, c transport.Conn, client net.Conn) {
		var sent error
		done := serving(t, c, func(_ []byte, n int) bool {
			for n == 2 && sent == nil { // until the buffers are full
				sent = transport.SendBytes(c, long)
			}
			return sent == nil
		})
		write(t, client, tr.wrap("N."))
		time.Sleep(5 * time.Millisecond)
		write(t, client, tr.wrap("N."))
		s := ended(t, done)
		assert.NoError(t, s.err)
		assert.Len(t, s.got, 2)
		var te *transport.TimeoutError
		require.ErrorAs(t, sent, &te)
		assert.Equal(t, "the peer to read", te.Waiting)
	})
}

func TestServeClosed(t *testing.T) {
	everyConversation(t, "tcp unix", transport.Options{}, func(t *testing.T, tr convention, c transport.Conn, client net.Conn) {
		handled := make(chan bool)
		done := serving(t, c, func(_ []byte, n int) bool {
			if n == 3 {
				handled <- true
				<-handled
			}
			return true
		})
		for range 3 {
			write(t, client, tr.wrap("N."))
			time.Sleep(5 * time.Millisecond)
		}
		<-handled
		closed := make(chan error)
		go func() { closed <- c.NetConn().Close() }()
		time.Sleep(5 * time.Millisecond)
		handled <- true
		assert.NoError(t, <-closed)
		s := ended(t, done)
		assert.ErrorIs(t, s.err, net.ErrClosed)
		var of *net.OpError
		require.ErrorAs(t, s.err, &of)
		assert.Equal(t, "read", of.Op)

		writesNoMore(t, c)
	})
}

// What is wrong with a message, its size and the memory that it may take is what it is for Receive.
func TestServeLimits(t *testing.T) {
	budget := pickleproto.NewBudget(1 << 20)
	o := transport.Options{MaxMessage: 200_000, Budget: budget}
	everyConversation(t, "tcp unix", o, func(t *testing.T, tr convention, c transport.Conn, client net.Conn) {
		handled := make(chan bool, 3)
		done := serving(t, c, func(data []byte, n int) bool {
			assert.Equal(t, n == 2, budget.Used() > 0)
			handled <- true
			return true
		})
		write(t, client, tr.wrap("N."))
		large := "\x80\x03B\xa0\x86\x01\x00" + strings.Repeat("x", 100_000) + "."
		for _, p := range []string{large, "N."} {
			<-handled
			write(t, client, tr.wrap(p))
		}
		<-handled
		_, _ = io.WriteString(client, tr.wrap("\x80\x03B\x40\x0d\x03\x00"+strings.Repeat("x", 200_000)+"."))
		s := ended(t, done)
		var limit *pickleproto.LimitError
		require.ErrorAs(t, s.err, &limit)
		assert.Equal(t, "message", limit.Limit)
		assert.Equal(t, []string{"N.", large, "N."}, s.got)
		assert.Zero(t, budget.Used())
	})
}

// A Conn that is somebody else's has Receive alone.
func TestServeOfAnyConn(t *testing.T) {
	server, client := dialled(t, "tcp")
	c := plainConn{open(t, transport.Raw, server, transport.Options{})}
	done := serving(t, c, nil)
	write(t, client, "N.N.")
	closeWrite(t, client)
	s := ended(t, done)
	assert.Equal(t, io.EOF, s.err)
	assert.Equal(t, []string{"N.", "N."}, s.got)
}

type plainConn struct{ transport.Conn }

// A panic of handle leaves the connection to whoever recovers it.
func TestServeAndPanic(t *testing.T) {
	server, client := dialled(t, "tcp")
	c := open(t, transport.Raw, server, transport.Options{})
	fault := errors.New("handle's")
	write(t, client, "N.")
	go func() {
		time.Sleep(20 * time.Millisecond)
		_, _ = io.WriteString(client, "N.N.")
	}()
	assert.PanicsWithValue(t, fault, func() {
		n := 0
		_, _ = transport.Serve(c, func(transport.Message) bool {
			if n++; n == 2 {
				panic(fault)
			}
			return true
		})
	})
	m, err := c.Receive()
	require.NoError(t, err)
	assert.Equal(t, "N.", string(m.Data))
	assert.NoError(t, transport.SendBytes(c, []byte("N.")))
	assert.NoError(t, c.Close())
	writesNoMore(t, c)
}

// A connection that waits does not keep the buffer of the large message before.
func TestServeGivesBuffersBack(t *testing.T) {
	const size = 32 << 20
	server, client := dialled(t, "tcp")
	c := open(t, transport.U32BE, server, transport.Options{})
	handled := make(chan int)
	go func() {
		defer close(handled)
		_, _ = transport.Serve(c, func(m transport.Message) bool {
			handled <- len(m.Data)
			return true
		})
	}()
	for _, n := range []int{1, size} {
		message := binary.BigEndian.AppendUint32(nil, uint32(n))
		go func() {
			_, _ = client.Write(message)
			_, _ = io.CopyN(client, zeros{}, int64(n))
		}()
		require.Equal(t, n, <-handled)
	}
	assert.Eventually(t, func() bool {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc < size
	}, 5*time.Second, 10*time.Millisecond)
	client.Close()
	<-handled
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
