//go:build unix

package client

import (
	"crypto/tls"
	"syscall"
)

// alive tells whether an idle connection can still be used: that the peer has neither closed it
// nor sent anything without being asked. It never waits.
func (l *link) alive() bool {
	nc := l.tc.NetConn()
	t, encrypted := nc.(*tls.Conn)
	if encrypted {
		nc = t.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return true
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	alive := false
	err = rc.Read(func(fd uintptr) bool {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		alive = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK ||
			encrypted && err == nil && n > 0 // TLS sends session tickets of its own accord
		return true
	})
	return err == nil && alive
}
