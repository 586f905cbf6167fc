package transport_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// convention is a transport, and its bytes as another program would make them.
type convention struct {
	transport.Transport
	wrap func(pickle string) string
}

func conventions(t testing.TB) []convention {
	end, err := transport.Terminator("<F2B_END_COMMAND>")
	require.NoError(t, err)
	count := func(n int, put func([]byte, uint64)) func(string) string {
		return func(p string) string {
			h := make([]byte, n)
			put(h, uint64(len(p)))
			return string(h) + p
		}
	}
	return []convention{
		{transport.Raw, func(p string) string { return p }},
		{transport.U32BE, count(4, func(b []byte, n uint64) { binary.BigEndian.PutUint32(b, uint32(n)) })},
		{transport.U64BE, count(8, binary.BigEndian.PutUint64)},
		{transport.U32LE, count(4, func(b []byte, n uint64) { binary.LittleEndian.PutUint32(b, uint32(n)) })},
		{transport.U64LE, count(8, binary.LittleEndian.PutUint64)},
		{transport.ASCII10, func(p string) string { return fmt.Sprintf("%-10d%s", len(p), p) }},
		{transport.ASCII64, func(p string) string { return fmt.Sprintf("%-64d%s", len(p), p) }},
		{end, func(p string) string { return p + "<F2B_END_COMMAND>" }},
		{transport.Multiprocessing(transport.Auth{}), count(4, func(b []byte, n uint64) { binary.BigEndian.PutUint32(b, uint32(n)) })},
	}
}

// pickles of several protocols, with STOP's byte within arguments.
var pickles = []string{
	"N.", "I46\n.", "(lp0\nI1\naI2\na.", "}q\x00X\x01\x00\x00\x00.K.s.",
	"\x80\x02K\x2e.", "\x80\x04\x95\x0a\x00\x00\x00\x00\x00\x00\x00\x8c\x03a.b\x94\x85\x94N0.",
	"\x80\x04\x8e\x03\x00\x00\x00\x00\x00\x00\x00....",
	"\x80\x02U\xc8" + strings.Repeat(".", 200) + ".",
	"\x80\x03B\x00\x20\x00\x00" + strings.Repeat("x", 8192) + ".",
}

var protocols = []int{0, 0, 0, 1, 2, 4, 4, 2, 3}

// scripted is the reading side of a connection: it gives out the chunks, one a Read.
type scripted struct {
	net.Conn
	chunks [][]byte
	end    error // after the last chunk; nil is io.EOF
	reads  int
	writes [][]byte
	closed bool
}

func (c *scripted) Read(p []byte) (int, error) {
	c.reads++
	for len(c.chunks) > 0 && len(c.chunks[0]) == 0 {
		c.chunks = c.chunks[1:]
	}
	if len(c.chunks) == 0 {
		if c.end != nil {
			return 0, c.end
		}
		return 0, io.EOF
	}
	n := copy(p, c.chunks[0])
	c.chunks[0] = c.chunks[0][n:]
	return n, nil
}

func (c *scripted) Write(p []byte) (int, error) {
	c.writes = append(c.writes, bytes.Clone(p))
	return len(p), nil
}

func (c *scripted) Close() error                     { c.closed = true; return nil }
func (c *scripted) SetDeadline(time.Time) error      { return nil }
func (c *scripted) SetReadDeadline(time.Time) error  { return nil }
func (c *scripted) SetWriteDeadline(time.Time) error { return nil }

func open(t testing.TB, tr transport.Transport, nc net.Conn, o transport.Options) transport.Conn {
	c, err := tr.Server(context.Background(), nc, o)
	require.NoError(t, err)
	return c
}

// chunked cuts s into pieces of n bytes.
func chunked(s string, n int) (out [][]byte) {
	for len(s) > n {
		out = append(out, []byte(s[:n]))
		s = s[n:]
	}
	return append(out, []byte(s))
}

func TestReceive(t *testing.T) {
	for _, tr := range conventions(t) {
		t.Run(tr.String(), func(t *testing.T) {
			all := ""
			for _, p := range pickles {
				all += tr.wrap(p)
			}
			for _, size := range []int{1, 2, 3, 7, 64, 1000, 1024, 1025, len(all)} {
				c := open(t, tr, &scripted{chunks: chunked(all, size)}, transport.Options{})
				for i, p := range pickles {
					m, err := c.Receive()
					require.NoError(t, err, "pickle %d in chunks of %d", i, size)
					require.Equal(t, p, string(m.Data))
					require.Equal(t, protocols[i], m.Protocol, "%q", p)
				}
				_, err := c.Receive()
				require.Equal(t, io.EOF, err)
				require.NoError(t, c.Close())
			}
		})
	}
}

func TestReceiveSplitAnywhere(t *testing.T) {
	for _, tr := range conventions(t) {
		all := tr.wrap(pickles[5]) + tr.wrap(pickles[6])
		for cut := range all {
			c := open(t, tr, &scripted{chunks: [][]byte{[]byte(all[:cut]), []byte(all[cut:])}}, transport.Options{})
			for _, p := range pickles[5:7] {
				m, err := c.Receive()
				require.NoError(t, err, "%s cut at %d", tr, cut)
				require.Equal(t, p, string(m.Data))
			}
		}
	}
}

// A buffer that grew by a few bytes at a time would take minutes for a large message of small
// opcodes.
func TestReceiveOfSmallOpcodesTakesFewReads(t *testing.T) {
	large := "(" + strings.Repeat("I1\n", 1<<20) + "t."
	for _, tr := range conventions(t) {
		nc := &scripted{chunks: [][]byte{[]byte(tr.wrap(large))}}
		m, err := open(t, tr, nc, transport.Options{}).Receive()
		require.NoError(t, err, "%s", tr)
		assert.Equal(t, large, string(m.Data))
		assert.Less(t, nc.reads, 30, "%s", tr)
	}
}

// The cost is linear however the bytes drip in: none is looked at again with each read.
func TestReceiveByteByByteIsLinear(t *testing.T) {
	large := "(" + strings.Repeat("I1\n", 1<<15) + "V" + strings.Repeat("<", 1<<15) + "\nt."
	for _, tr := range conventions(t) {
		quick.Within(t, 500*time.Millisecond, func() {
			c := open(t, tr, &scripted{chunks: chunked(tr.wrap(large), 1)}, transport.Options{})
			m, err := c.Receive()
			require.NoError(t, err, "%s", tr)
			require.True(t, large == string(m.Data), "%s", tr)
		})
	}
}

func TestReceiveReadsNoMoreThanItNeeds(t *testing.T) {
	for _, tr := range conventions(t) {
		nc := &scripted{chunks: [][]byte{[]byte(tr.wrap(pickles[4]))}, end: errors.New("a read too many")}
		c := open(t, tr, nc, transport.Options{})
		_, err := c.Receive()
		require.NoError(t, err, "%s", tr)
		assert.Equal(t, 1, nc.reads, "%s: a small message is one read", tr)
	}
}

func TestReceiveCutOff(t *testing.T) {
	for _, tr := range conventions(t) {
		all := tr.wrap(pickles[5])
		for cut := 1; cut < len(all); cut++ {
			c := open(t, tr, &scripted{chunks: [][]byte{[]byte(all[:cut])}}, transport.Options{})
			_, err := c.Receive()
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s cut at %d", tr, cut)
			require.NotErrorIs(t, err, io.EOF)
		}
	}
}

func TestRawNamesTheFault(t *testing.T) {
	var syntax *pickleproto.SyntaxError
	c := open(t, transport.Raw, &scripted{chunks: [][]byte{[]byte("HTTP/1.1 200 OK")}}, transport.Options{})
	_, err := c.Receive()
	require.ErrorAs(t, err, &syntax)
	assert.Equal(t, int64(0), syntax.Offset)
	assert.Contains(t, err.Error(), "'H'")

	c = open(t, transport.Raw, &scripted{chunks: [][]byte{[]byte("\x80\x02X\x05\x00\x00\x00ab")}}, transport.Options{})
	m, err := c.Receive()
	require.ErrorAs(t, err, &syntax)
	assert.Equal(t, "BINUNICODE", syntax.Opcode)
	assert.Equal(t, int64(2), syntax.Offset)
	assert.Equal(t, 2, m.Protocol, "the peer is told in its own protocol")
	assert.Contains(t, err.Error(), "byte 9")
}

// A count that no memory holds is refused as soon as it is read, whatever follows.
func TestLimit(t *testing.T) {
	huge := map[string]string{
		"raw":             "\x80\x04\x8e\x00\x00\x00\x00\x10\x00\x00\x00",
		"u32be":           "\xff\xff\xff\xff",
		"u64be":           "\xff\xff\xff\xff\xff\xff\xff\xff",
		"u32le":           "\x00\x00\x00\x80",
		"u64le":           "\x00\x00\x00\x00\x00\x00\x00\x80",
		"ascii10":         "9999999999",
		"ascii64":         strings.Repeat("9", 64),
		"terminator":      strings.Repeat("x", 2000),
		"multiprocessing": "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	}
	for _, tr := range conventions(t) {
		c := open(t, tr, &scripted{chunks: [][]byte{[]byte(huge[tr.String()])}, end: errors.New("a read too many")},
			transport.Options{MaxMessage: 1000})
		_, err := c.Receive()
		var limit *pickleproto.LimitError
		require.ErrorAs(t, err, &limit, "%s", tr)
		assert.Equal(t, "message", limit.Limit)
		assert.Equal(t, uint64(1000), limit.Max)
		assert.Greater(t, limit.Value, uint64(1000))

		// Exactly the limit is allowed.
		p := "\x80\x02B\xe0\x03\x00\x00" + strings.Repeat("x", 992) + "."
		c = open(t, tr, &scripted{chunks: [][]byte{[]byte(tr.wrap(p))}}, transport.Options{MaxMessage: int64(len(p))})
		_, err = c.Receive()
		require.NoError(t, err, "%s", tr)
	}
}

func TestHeadersThatAreNone(t *testing.T) {
	for name, header := range map[string]string{
		"ascii10": "12three   ", "ascii64": strings.Repeat(" ", 64), "multiprocessing": "\xff\xff\xff\xfe",
	} {
		for _, tr := range conventions(t) {
			if tr.String() != name {
				continue
			}
			c := open(t, tr, &scripted{chunks: [][]byte{[]byte(header)}}, transport.Options{})
			_, err := c.Receive()
			require.Error(t, err, name)
			assert.NotErrorIs(t, err, io.ErrUnexpectedEOF)
		}
	}
	c := open(t, transport.ASCII10, &scripted{chunks: [][]byte{[]byte("         2N.")}}, transport.Options{})
	m, err := c.Receive()
	require.NoError(t, err, "int() reads a number on either side")
	assert.Equal(t, "N.", string(m.Data))
}

func TestSendIsOneWrite(t *testing.T) {
	for _, tr := range conventions(t) {
		nc := &scripted{}
		c := open(t, tr, nc, transport.Options{})
		for _, p := range pickles {
			buf := append(make([]byte, c.Headroom()), p...)
			require.NoError(t, c.Send(buf))
			require.Len(t, nc.writes, 1, "%s", tr)
			require.Equal(t, tr.wrap(p), string(nc.writes[0]))
			nc.writes = nil
		}
	}
}

func TestSendRefusesWhatTheConventionCannotCarry(t *testing.T) {
	end, err := transport.Terminator("..")
	require.NoError(t, err)
	nc := &scripted{}
	c := open(t, end, nc, transport.Options{})
	var refused *transport.RefusedError
	require.ErrorAs(t, c.Send([]byte("X\x02..N.")), &refused)
	require.ErrorAs(t, c.Send([]byte("N.")), &refused, "its last byte and the terminator's first would end it early")
	require.Empty(t, nc.writes)

	_, err = transport.Terminator("")
	require.Error(t, err)
}

func TestByteConnections(t *testing.T) {
	nc := &scripted{chunks: [][]byte{[]byte("\x00\x00\x00\x05hello\x00\x00\x00\x00")}}
	c := open(t, transport.Multiprocessing(transport.Auth{}), nc, transport.Options{})
	b, err := transport.ReceiveBytes(c)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(b))
	b, err = transport.ReceiveBytes(c)
	require.NoError(t, err)
	assert.Empty(t, b)
	require.NoError(t, transport.SendBytes(c, []byte("hello")))
	assert.Equal(t, "\x00\x00\x00\x05hello", string(nc.writes[0]))
}

// Memory follows the bytes that have arrived, not those that were announced.
func TestMemoryFollowsTheBytes(t *testing.T) {
	for name, announced := range map[string]string{
		"u64be": "\x00\x00\x00\x00\x7f\xff\xff\xff" + strings.Repeat("x", 100_000),
		"raw":   "\x80\x04\x8e\xff\xff\xff\x7f\x00\x00\x00\x00" + strings.Repeat("x", 100_000),
	} {
		tr, err := transport.ByName(name, "", transport.Auth{})
		require.NoError(t, err)
		budget := pickleproto.NewBudget(1 << 40)
		nc := &scripted{chunks: chunked(announced, 4096)}
		c := open(t, tr, nc, transport.Options{MaxMessage: -1, Budget: budget})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = c.Receive()
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), name)
		assert.Zero(t, budget.Used(), "%s: what was charged is given back", name)
	}
}

func TestBudget(t *testing.T) {
	message := "\x80\x03B\x00\x00\x10\x00" + strings.Repeat("x", 1<<20) + "."
	budget := pickleproto.NewBudget(1 << 20)
	c := open(t, transport.Raw, &scripted{chunks: [][]byte{[]byte(message)}}, transport.Options{Budget: budget})
	_, err := c.Receive()
	var limit *pickleproto.LimitError
	require.ErrorAs(t, err, &limit)
	assert.Equal(t, "memory", limit.Limit)
	assert.Zero(t, budget.Used())

	budget = pickleproto.NewBudget(4 << 20)
	c = open(t, transport.Raw, &scripted{chunks: [][]byte{[]byte(message + "N.")}}, transport.Options{Budget: budget})
	m, err := c.Receive()
	require.NoError(t, err)
	assert.Equal(t, message, string(m.Data))
	assert.NotZero(t, budget.Used())
	m, err = c.Receive()
	require.NoError(t, err)
	assert.Equal(t, "N.", string(m.Data))
	_, err = c.Receive()
	require.Equal(t, io.EOF, err)
	assert.Zero(t, budget.Used(), "a large buffer does not outlive its message")
}

// The tests below run in a bubble whose clock stands still until everybody waits.

func pipe(t *testing.T, tr transport.Transport, o transport.Options) (transport.Conn, net.Conn) {
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	return open(t, tr, a, o), b
}

func TestReadTimeoutIsForAWholeMessage(t *testing.T) {
	for _, tr := range conventions(t) {
		synctest.Test(t, func(t *testing.T) {
			c, peer := pipe(t, tr, transport.Options{ReadTimeout: 10 * time.Second, IdleTimeout: time.Hour})
			message := tr.wrap(pickles[7])
			var dripping sync.WaitGroup
			dripping.Go(func() {
				for i := range message { // a byte a second: each read is quick
					time.Sleep(time.Second)
					if _, err := peer.Write([]byte{message[i]}); err != nil {
						return
					}
				}
			})
			begin := time.Now()
			_, err := c.Receive()
			var timeout *transport.TimeoutError
			require.ErrorAs(t, err, &timeout, "%s", tr)
			assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
			assert.Equal(t, 11*time.Second, time.Since(begin), "a second until the first byte, and ten from there")
			assert.NotZero(t, timeout.Got)
			peer.Close()
			dripping.Wait()
		})
	}
}

func TestIdleTimeout(t *testing.T) {
	for _, tr := range conventions(t) {
		synctest.Test(t, func(t *testing.T) {
			c, peer := pipe(t, tr, transport.Options{IdleTimeout: 8 * time.Minute})
			go func() {
				for range 3 {
					time.Sleep(7 * time.Minute)
					_, _ = peer.Write([]byte(tr.wrap("N.")))
				}
			}()
			begin := time.Now()
			for range 3 {
				_, err := c.Receive()
				require.NoError(t, err, "%s", tr)
			}
			_, err := c.Receive()
			var timeout *transport.TimeoutError
			require.ErrorAs(t, err, &timeout, "%s", tr)
			assert.InDelta(t, 8*60, (time.Since(begin) - 21*time.Minute).Seconds(), 60)
			assert.Zero(t, timeout.Got)
		})
	}
}

func TestMultiprocessingHasNoIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pipe(t, transport.Multiprocessing(transport.Auth{}), transport.Options{})
		go func() {
			time.Sleep(100 * time.Hour)
			_ = transport.SendBytes(open(t, transport.Multiprocessing(transport.Auth{}), peer, transport.Options{}), []byte("N."))
		}()
		_, err := c.Receive()
		require.NoError(t, err)
	})
}

func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pipe(t, transport.Raw, transport.Options{WriteTimeout: 8 * time.Second})
		begin := time.Now()
		err := c.Send([]byte("N."))
		var timeout *transport.TimeoutError
		require.ErrorAs(t, err, &timeout)
		assert.GreaterOrEqual(t, time.Since(begin), 8*time.Second)
		assert.LessOrEqual(t, time.Since(begin), 10*time.Second)
	})
}

func TestInterrupt(t *testing.T) {
	t.Run("between messages", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, _ := pipe(t, transport.Raw, transport.Options{})
			time.AfterFunc(time.Second, func() { c.Interrupt(3 * time.Second) })
			begin := time.Now()
			_, err := c.Receive()
			require.ErrorIs(t, err, transport.ErrInterrupted)
			assert.Equal(t, 4*time.Second, time.Since(begin))
		})
	})
	t.Run("within a message", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, peer := pipe(t, transport.Raw, transport.Options{})
			time.AfterFunc(time.Second, func() { c.Interrupt(3 * time.Second) })
			go func() {
				_, _ = peer.Write([]byte("("))
				time.Sleep(20 * time.Second)
				_, _ = peer.Write([]byte("t."))
			}()
			m, err := c.Receive()
			require.NoError(t, err)
			assert.Equal(t, "(t.", string(m.Data))
			_, err = c.Receive()
			require.ErrorIs(t, err, transport.ErrInterrupted)
		})
	})
	t.Run("before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, _ := pipe(t, transport.U32BE, transport.Options{})
			c.Interrupt(0)
			_, err := c.Receive()
			require.ErrorIs(t, err, transport.ErrInterrupted)
		})
	})
}

func TestHalfCloseOnRealSockets(t *testing.T) {
	for _, tr := range conventions(t) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		var wg sync.WaitGroup
		wg.Go(func() {
			nc, err := ln.Accept()
			if !assert.NoError(t, err) {
				return
			}
			c := open(t, tr, nc, transport.Options{})
			defer c.Close()
			m, err := c.Receive()
			assert.NoError(t, err)
			answer := append(make([]byte, c.Headroom()), m.Data...)
			_, err = c.Receive()
			assert.Equal(t, io.EOF, err, "%s", tr)
			assert.NoError(t, c.Send(answer))
		})
		nc, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(t, err)
		c, err := tr.Client(context.Background(), nc, transport.Options{})
		require.NoError(t, err)
		require.NoError(t, c.Send(append(make([]byte, c.Headroom()), "N."...)))
		require.NoError(t, c.CloseWrite())
		m, err := c.Receive()
		require.NoError(t, err)
		assert.Equal(t, "N.", string(m.Data))
		wg.Wait()
		c.Close()
		ln.Close()
	}
}

func TestByName(t *testing.T) {
	for _, name := range transport.Names() {
		text := ""
		if name == "terminator" {
			text = "end"
		}
		tr, err := transport.ByName(name, text, transport.Auth{})
		require.NoError(t, err)
		assert.Equal(t, name, tr.String())
	}
	for _, bad := range []struct {
		name, text string
		auth       transport.Auth
	}{
		{name: "pigeon"}, {name: "terminator"}, {name: "raw", text: "x"},
		{name: "raw", auth: transport.Auth{Key: []byte("k")}}, {name: "u32be", auth: transport.Auth{ForbidMD5: true}},
	} {
		_, err := transport.ByName(bad.name, bad.text, bad.auth)
		assert.Error(t, err, "%v", bad)
	}
}

func TestProtocolOf(t *testing.T) {
	for i, p := range pickles {
		assert.Equal(t, protocols[i], transport.ProtocolOf([]byte(p)))
	}
	assert.Equal(t, 4, transport.ProtocolOf([]byte("\x80\x02\x8f.")), "EMPTY_SET is of protocol 4")
	assert.Equal(t, 0, transport.ProtocolOf(nil))
}

// What is received does not depend on how it was cut, and nothing that arrives makes a reader panic.
func FuzzReceive(f *testing.F) {
	all := conventions(f)
	for i := range all {
		for _, p := range pickles {
			f.Add(uint8(i), []byte(all[i].wrap(p)+all[i].wrap("N.")), uint8(3))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte, size uint8) {
		tr := all[int(which)%len(all)]
		receive := func(chunks [][]byte) (out []string, failed bool) {
			c := open(t, tr, &scripted{chunks: chunks}, transport.Options{MaxMessage: 5000})
			for {
				m, err := c.Receive()
				if err != nil {
					return out, err != io.EOF
				}
				out = append(out, string(m.Data))
			}
		}
		whole, failed1 := receive([][]byte{bytes.Clone(data)})
		cut, failed2 := receive(chunked(string(data), int(size)+1))
		require.Equal(t, whole, cut)
		require.Equal(t, failed1, failed2)
	})
}

func TestClientHelloIsNoticed(t *testing.T) {
	hello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("x", 600)
	for _, tr := range conventions(t) {
		var notices []string
		o := transport.Options{MaxMessage: 1 << 10, Notice: func(s string) { notices = append(notices, s) }}
		for _, p := range pickles[:5] {
			_, err := open(t, tr, &scripted{chunks: [][]byte{[]byte(tr.wrap(p))}}, o).Receive()
			require.NoError(t, err)
		}
		assert.Empty(t, notices, "%v", tr)
		_, err := open(t, tr, &scripted{chunks: [][]byte{[]byte(hello)}}, o).Receive()
		assert.Error(t, err, "%v", tr)
		assert.Equal(t, []string{"the peer speaks TLS, and this side does not"}, notices, "%v", tr)
	}
}
