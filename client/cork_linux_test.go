package client_test

import (
	"context"
	"encoding/binary"
	"net"
	"syscall"
	"testing"

	"github.com/picklebridge/picklebridge/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The end of the sending side comes with the request, not after it: a server that answers and
// closes at once closes second.
func TestHalfCloseComesWithTheRequest(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	answer := pickled(t, 1)
	const closeWait = 8 // TCP_CLOSE_WAIT of Linux's tcp_states.h
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			nc, err := ln.Accept()
			if !assert.NoError(t, err) {
				return
			}
			_, err = nc.Read(make([]byte, 4096))
			assert.NoError(t, err)
			raw, err := nc.(*net.TCPConn).SyscallConn()
			assert.NoError(t, err)
			assert.NoError(t, raw.Control(func(fd uintptr) {
				info, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
				assert.NoError(t, err)
				first := binary.NativeEndian.AppendUint32(nil, uint32(info))[0]
				assert.EqualValues(t, closeWait, first, "the state")
			}))
			_, err = nc.Write(answer)
			assert.NoError(t, err)
			nc.Close()
		}
	}()
	for range 200 {
		var n int
		require.NoError(t, client.Do(context.Background(), ln.Addr().String(), "request", &n, client.WithHalfClose()))
		require.Equal(t, 1, n)
	}
	<-done
}
