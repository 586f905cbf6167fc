//go:build !race

package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What can happen to a net.Conn happens the direct way, too.
func TestDirect(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			near, far := Connected(t, network)
			d, ok := directly(near).(*direct)
			require.True(t, ok)

			n, err := d.Read(nil)
			assert.True(t, n == 0 && err == nil)
			_, err = far.Write([]byte("hello"))
			require.NoError(t, err)
			buf := make([]byte, 16)
			n, err = d.Read(buf)
			assert.Equal(t, "hello", string(buf[:n]))
			require.NoError(t, err)

			// More than a socket takes at once, while the other way is in use.
			long := bytes.Repeat([]byte("0123456789abcdef"), 1<<19)
			got := make(chan []byte, 1)
			go func() {
				time.Sleep(20 * time.Millisecond)
				b := make([]byte, len(long))
				_, _ = io.ReadFull(far, b)
				got <- b
				_, _ = far.Write([]byte("x"))
			}()
			answered := make(chan error, 1)
			go func() {
				_, err := io.ReadFull(d, make([]byte, 1))
				answered <- err
			}()
			n, err = d.Write(long)
			require.NoError(t, err)
			assert.Equal(t, len(long), n)
			assert.True(t, bytes.Equal(long, <-got))
			require.NoError(t, <-answered)

			// Deadlines, with the errors of the net.Conn.
			_ = near.SetDeadline(time.Now().Add(20 * time.Millisecond))
			_, err = d.Read(buf)
			_, same := near.Read(buf)
			assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
			assert.Equal(t, same.Error(), err.Error())
			for err = nil; err == nil; _, err = d.Write(long) {
			}
			assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
			_ = near.SetDeadline(time.Time{})

			closed := make(chan error, 1)
			go func() {
				_, err := d.Read(buf)
				closed <- err
			}()
			time.Sleep(10 * time.Millisecond)
			near.Close()
			assert.ErrorIs(t, <-closed, net.ErrClosed)
			_, err = d.Write(buf)
			assert.ErrorIs(t, err, net.ErrClosed)
		})
		t.Run(network+" of a peer that goes", func(t *testing.T) {
			near, far := Connected(t, network)
			d := directly(near)
			far.Close()
			buf := make([]byte, 16)
			_, err := d.Read(buf)
			assert.Equal(t, io.EOF, err)
			for err = nil; err == nil; _, err = d.Write(buf) {
			}
			assert.True(t, errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET), "%v", err)
			var of *net.OpError
			require.ErrorAs(t, err, &of)
			assert.Equal(t, "write", of.Op)
		})
	}
	one, two := net.Pipe()
	assert.Equal(t, one, directly(one))
	one.Close()
	two.Close()
}

// The timer for the scheduler's monitor goes on while there is reading, and no longer.
func TestAwaken(t *testing.T) {
	for range 3 {
		awaken()
		assert.True(t, reading.ticking.Load())
		time.Sleep(awake / 2)
	}
	require.Eventually(t, func() bool { return !reading.ticking.Load() }, 5*time.Second, awake)
}

// The time of the timer is right again when there was no reading, and no timer, for a while.
func TestRecently(t *testing.T) {
	for range 3 {
		require.Eventually(t, func() bool { return !reading.some.Load() }, 5*time.Second, awake)
		exact := clock()
		first := recently()
		assert.GreaterOrEqual(t, first, exact)
		assert.LessOrEqual(t, first, clock())
		require.Eventually(t, func() bool { return recently() > first+2*awake }, 5*time.Second, time.Millisecond, "it stands still while there is reading")
	}
}
