//go:build !linux

package client

import "net"

func cork(net.Conn) {}
