package logging

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/picklebridge/picklebridge/server"
)

// Collector receives log records and gives them to a slog.Handler. Its fields are not to be
// changed once it serves.
type Collector struct {
	// Handler gets the records, from many goroutines at a time.
	Handler slog.Handler

	// Server bounds the connections: limits, timeouts, numbers, log. Of its fields Handler and
	// ServeConn are of no account, a nil Transport is transport.U32BE, and an IdleTimeout of 0 is
	// none: a program may have nothing to log for hours, and would lose the record with which it
	// notices that its connection has gone. Its Log gets what the Collector itself has to say, of
	// records that it drops for example. Nil is the defaults.
	Server *server.Server
}

// loggedDrops is the number of dropped records of one connection that are logged one by one.
const loggedDrops = 3

// Serve receives from what connects to ln, as SocketHandler does, until ctx ends. Nothing is ever
// written to a connection. A record that is none is dropped; a message that is no pickle at all
// ends its connection. It returns server.ErrServerClosed.
func (c *Collector) Serve(ctx context.Context, ln net.Listener) error {
	b := c.base()
	s := &server.Server{
		Transport: b.Transport, ServeConn: c.ServeConn,
		Limits: b.Limits, Budget: b.Budget,
		ReadTimeout: b.ReadTimeout, WriteTimeout: b.WriteTimeout, IdleTimeout: b.IdleTimeout,
		HandshakeTimeout: b.HandshakeTimeout, DrainTimeout: b.DrainTimeout,
		MaxConns: b.MaxConns, MaxConnsPerAddr: b.MaxConnsPerAddr, Once: b.Once,
		CloseOnError: true, // not even a refusal is written
		Log:          b.Log, Trace: b.Trace,
	}
	if s.Transport == nil {
		s.Transport = transport.U32BE
	}
	if s.IdleTimeout == 0 {
		s.IdleTimeout = -1
	}
	return s.Serve(ctx, ln)
}

func (c *Collector) base() *server.Server {
	if c.Server != nil {
		return c.Server
	}
	return &server.Server{}
}

func (c *Collector) log() *slog.Logger {
	if l := c.base().Log; l != nil {
		return l
	}
	return slog.Default()
}

func (c *Collector) options() []pickleproto.Option {
	b := c.base()
	return append([]pickleproto.Option{pickleproto.WithLimits(b.Limits), pickleproto.WithBudget(b.Budget)}, b.Options...)
}

// ServeConn receives from one connection: what a server.Server of one's own can have as ServeConn.
func (c *Collector) ServeConn(ctx context.Context, tc transport.Conn) error {
	opts, dropped := c.options(), 0
	remote := tc.NetConn().RemoteAddr()
	defer func() {
		if dropped > loggedDrops {
			c.log().Warn("records dropped", "remote", remote, "number", dropped)
		}
	}()
	var lost error
	_, err := transport.Serve(tc, func(m transport.Message) bool {
		err := c.handle(ctx, m.Data, opts)
		var syntax *pickleproto.SyntaxError
		if errors.As(err, &syntax) {
			lost = err
			return false
		}
		if err != nil {
			if dropped++; dropped <= loggedDrops {
				c.log().Warn("record dropped", "remote", remote, "err", err)
			}
		}
		return true
	})
	if lost != nil {
		return lost
	}
	return err
}

// handle gives one record to the Handler.
func (c *Collector) handle(ctx context.Context, data []byte, opts []pickleproto.Option) error {
	r, err := Record(data, opts...)
	if err != nil {
		return err
	}
	if !c.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return c.Handler.Handle(ctx, r)
}

const (
	maxDatagram  = 64 << 10
	datagramRest = 50 * time.Millisecond // for the datagrams that have arrived when ctx ends
)

// ServePacket receives from pc, as DatagramHandler sends, until ctx ends; then it closes pc and
// returns server.ErrServerClosed. What is no record is dropped.
func (c *Collector) ServePacket(ctx context.Context, pc net.PacketConn) error {
	defer pc.Close()
	stop := context.AfterFunc(ctx, func() { _ = pc.SetReadDeadline(time.Now().Add(datagramRest)) })
	defer stop()
	opts := c.options()
	buf := make([]byte, maxDatagram)
	var dropped int
	var logged time.Time
	for {
		n, from, err := pc.ReadFrom(buf)
		switch {
		case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
			return server.ErrServerClosed
		case err != nil:
			return fmt.Errorf("logging: receive: %w", err)
		}
		if err := c.datagram(context.WithoutCancel(ctx), buf[:n], opts); err != nil {
			// Whoever can reach the port can send; the log is not theirs to fill.
			if dropped++; time.Since(logged) > time.Second {
				c.log().Warn("record dropped", "remote", from, "err", err, "number", dropped)
				dropped, logged = 0, time.Now()
			}
		}
	}
}

func (c *Collector) datagram(ctx context.Context, data []byte, opts []pickleproto.Option) error {
	const header = 4
	if len(data) < header || uint64(binary.BigEndian.Uint32(data)) != uint64(len(data)-header) {
		return fmt.Errorf("%w: the length before it is not that of the datagram", ErrNotARecord)
	}
	return c.handle(ctx, data[header:], opts)
}
