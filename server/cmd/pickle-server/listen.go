package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// listen opens the socket that -addr names.
func listen(ctx context.Context, o *options) (net.Listener, error) {
	var ln net.Listener
	var err error
	if path, ok := strings.CutPrefix(o.addr, "unix:"); ok {
		ln, err = listenUnix(ctx, path)
	} else {
		ln, err = new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	}
	if err != nil {
		return nil, err
	}
	if o.tls != nil {
		ln = tlsListener{tls.NewListener(ln, o.tls), ln}
	}
	return ln, nil
}

// tlsListener keeps the SetDeadline that Shutdown uses, which tls.NewListener hides.
type tlsListener struct {
	net.Listener
	inner net.Listener
}

func (l tlsListener) SetDeadline(t time.Time) error {
	if d, ok := l.inner.(interface{ SetDeadline(time.Time) error }); ok {
		return d.SetDeadline(t)
	}
	return errors.ErrUnsupported
}

// listenUnix listens on a socket that its owner alone may use. A socket file that nobody listens
// on any more, as a killed server leaves it, is replaced; one that somebody listens on is not.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("%s exists and is not a socket", path)
	default:
		nc, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err == nil {
			nc.Close()
			return nil, fmt.Errorf("listen unix %s: address already in use: a server listens there", path)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, err
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	// With the umask there is no moment at which others could connect.
	defer ownerOnly()()
	return new(net.ListenConfig).Listen(ctx, "unix", path)
}

// loopback tells whether addr can be reached from this machine only.
func loopback(addr string) (bool, error) {
	if strings.HasPrefix(addr, "unix:") {
		return true, nil
	}
	a, err := net.ResolveTCPAddr("tcp", strings.TrimPrefix(addr, "udp:"))
	if err != nil {
		return false, err
	}
	return a.IP != nil && a.IP.IsLoopback(), nil
}
