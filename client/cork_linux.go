package client

import (
	"net"
	"syscall"
)

// cork has the last bytes of a request wait for the end of the sending side, which is about to be
// closed, so that they leave in one segment. A server that closes as soon as it has answered, as
// script2.py, may otherwise do so before it hears that its client has closed first: then the
// server's port, not the client's, is the one that stays busy for a minute.
func cork(nc net.Conn) {
	c, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	// Without it everything works as well.
	_ = raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, 1) })
}
