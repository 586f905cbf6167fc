//go:build linux

// Command managerload counts the calls that a manager serves, Python's own or Go's, and leaves it
// as much of the machine as it can: one thread keeps all the connections busy, each with one call
// under way, as a thread of a Python client has. What it sends is what Python 3.13 sends.
//
//	managerload ADDRESS CONNECTIONS TIME NUMBERS
//
// calls add, or sum if there are NUMBERS, looks at every answer, and prints the calls a second.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func check(ok bool, what ...any) {
	if !ok {
		panic(fmt.Sprint(what...))
	}
}

// dial makes a connection to "host:port", or to the path of a Unix socket.
func dial(addr string) transport.Conn {
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	nc := must(net.Dial(network, addr))
	return must(transport.Multiprocessing(transport.Auth{Key: []byte("k")}).Client(context.Background(), nc, transport.Options{}))
}

func request(ident any, method string, args ...any) []byte {
	return must(pickleproto.Marshal(pickleproto.Tuple{ident, method, pickleproto.Tuple(args), pickleproto.NewDict()}))
}

// ask sends a request and returns its answer as it came, and the result in that.
func ask(c transport.Conn, request []byte) (answer []byte, result any) {
	check(transport.SendBytes(c, request) == nil, "cannot send")
	answer = must(transport.ReceiveBytes(c))
	var pair pickleproto.Tuple
	check(pickleproto.Unmarshal(answer, &pair) == nil && len(pair) == 2 && pair[0] == "#RETURN", pickleproto.Repr(pair))
	return answer, pair[1]
}

// framed puts its length before a message.
func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)
}

// number is where value is the argument of a BININT.
func number(message []byte, value uint32) []byte {
	i := bytes.Index(message, binary.LittleEndian.AppendUint32([]byte("J"), value))
	check(i > 0, "no ", value, " in ", message)
	return message[i+1 : i+5]
}

// conn is a connection with a call under way.
type conn struct {
	fd        int
	poll      func(events uint32) // has the poller wait for these
	out, want []byte              // the request and its answer
	a, sum    []byte              // the numbers in them that each call counts up; nil if there are none
	sent, got int
	full      bool // the poller waits for room
	in        []byte
}

const (
	first  = 1 << 24
	addend = 40
)

// open makes a connection to the object. numbers is what it sums up; nil is to add.
func open(addr, ident string, numbers []any) *conn {
	tc := dial(addr)
	ask(tc, request(nil, "accept_connection", "load"))
	c := &conn{}
	if numbers != nil {
		message := request(ident, "sum", pickleproto.NewList(numbers...))
		answer, sum := ask(tc, message)
		check(sum == int64(len(numbers)*(len(numbers)-1)/2), "wrong sum")
		c.out, c.want = framed(message), framed(answer)
	} else {
		message := request(ident, "add", first, addend)
		answer, sum := ask(tc, message)
		check(sum == int64(first+addend), "wrong sum")
		c.out, c.want = framed(message), framed(answer)
		c.a, c.sum = number(c.out, first), number(c.want, first+addend)
	}
	c.in = make([]byte, len(c.want))
	// A descriptor that Go's own poller does not look at.
	f := must(tc.NetConn().(interface{ File() (*os.File, error) }).File())
	check(tc.Close() == nil, "cannot close")
	c.fd = int(f.Fd()) // makes it blocking
	check(syscall.SetNonblock(c.fd, true) == nil, "cannot unblock")
	files = append(files, f)
	return c
}

var files []*os.File // which would close when they are collected

// call begins the next call.
func (c *conn) call() {
	if c.a != nil {
		a := binary.LittleEndian.Uint32(c.a) + 1
		binary.LittleEndian.PutUint32(c.a, a)
		binary.LittleEndian.PutUint32(c.sum, a+addend)
	}
	c.sent, c.got = 0, 0
	c.send()
}

// send sends what there is room for. To wait for room, which nearly always is there, is left until
// there is none: each wait is woken by every byte that the manager reads.
func (c *conn) send() {
	for c.sent < len(c.out) {
		n, err := syscall.Write(c.fd, c.out[c.sent:])
		if errors.Is(err, syscall.EAGAIN) {
			c.poll(syscall.EPOLLOUT)
			c.full = true
			return
		}
		c.sent += must(n, err)
	}
	if c.full {
		c.poll(syscall.EPOLLIN)
		c.full = false
	}
}

// receive takes what has come and reports whether that completes the answer.
func (c *conn) receive() bool {
	n := must(syscall.Read(c.fd, c.in[c.got:]))
	check(n > 0, "the manager has closed the connection")
	if c.got += n; c.got < len(c.in) {
		return false
	}
	check(bytes.Equal(c.in, c.want), "a wrong answer")
	return true
}

func main() {
	addr := os.Args[1]
	conns, size := make([]*conn, must(strconv.Atoi(os.Args[2]))), must(strconv.Atoi(os.Args[4]))
	d := must(time.ParseDuration(os.Args[3]))
	var numbers []any
	for i := range size {
		numbers = append(numbers, i)
	}
	_, made := ask(dial(addr), request(nil, "create", "calc"))
	ident := made.(pickleproto.Tuple)[0].(string)
	poll := must(syscall.EpollCreate1(0))
	for i := range conns {
		c := open(addr, ident, numbers)
		conns[i] = c
		op := syscall.EPOLL_CTL_ADD
		c.poll = func(events uint32) {
			e := syscall.EpollEvent{Events: events, Fd: int32(i)}
			check(syscall.EpollCtl(poll, op, c.fd, &e) == nil, "cannot poll")
			op = syscall.EPOLL_CTL_MOD
		}
		c.poll(syscall.EPOLLIN)
	}
	for _, c := range conns {
		c.call()
	}
	events, count := make([]syscall.EpollEvent, len(conns)), 0
	start := time.Now()
	for time.Since(start) < d {
		n, err := syscall.EpollWait(poll, events, 1000)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		for _, e := range events[:must(n, err)] {
			c := conns[e.Fd]
			if e.Events&syscall.EPOLLOUT != 0 {
				c.send()
			} else if c.receive() {
				count++
				c.call()
			}
		}
	}
	fmt.Printf("%.0f\n", float64(count)/time.Since(start).Seconds())
	ask(dial(addr), request(nil, "decref", ident))
}
