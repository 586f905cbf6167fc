package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport/mermaid"
	"github.com/picklebridge/picklebridge/server"
)

// Exit codes.
const (
	exitOK    = 0
	exitFail  = 1 // could not listen, or serve
	exitUsage = 2
)

// run is the command: it serves until ctx ends. It returns the exit code.
func run(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout, stderr)
	switch {
	case errors.Is(err, errHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "pickle-server: %v\n", err)
		return exitUsage
	}
	tuneMemory(o.maxMemory.n)

	srv := &server.Server{
		Handler:          o.handler,
		Transport:        o.transport,
		Codec:            o.codec,
		Limits:           pickleproto.Limits{Message: o.maxMessage.n, Depth: int64(o.maxDepth)},
		Budget:           pickleproto.NewBudget(o.maxMemory.n),
		ReadTimeout:      o.readTimeout.d,
		WriteTimeout:     o.writeTimeout.d,
		IdleTimeout:      o.idleTimeout.d,
		HandshakeTimeout: o.handshakeTimeout.d,
		DrainTimeout:     o.drainTimeout.d,
		MaxConns:         o.maxConns,
		MaxConnsPerAddr:  o.maxConnsPerAddr.n,
		CloseOnError:     o.onError == "close",
		KeepMemo:         o.keepMemo,
		Once:             o.once,
		Log:              o.log,
	}
	if o.protocol >= 0 {
		srv.Options = append(srv.Options, pickleproto.WithProtocol(o.protocol))
	}
	if o.trace != "" {
		f, err := os.Create(o.trace)
		if err != nil {
			fmt.Fprintf(stderr, "pickle-server: %v\n", err)
			return exitUsage
		}
		defer f.Close()
		srv.Trace = tracer(mermaid.New(f))
	}
	if o.once {
		trace := srv.Trace
		srv.Trace = func(e server.Event) {
			if e.Kind == server.Accepted {
				fmt.Fprintf(stdout, "Connected by %s\n", pythonAddr(e.RemoteAddr))
			}
			if trace != nil {
				trace(e)
			}
		}
	}

	if o.collector != nil {
		o.collector.Server = srv
		srv.ServeConn, srv.CloseOnError = o.collector.ServeConn, true
	}
	if addr, ok := strings.CutPrefix(o.addr, "udp:"); ok {
		return collectPackets(ctx, o, addr, stderr)
	}

	ln, err := listen(ctx, o)
	if err != nil {
		fmt.Fprintf(stderr, "pickle-server: cannot listen: %v\n", err)
		return exitFail
	}
	o.log.LogAttrs(ctx, slog.LevelInfo, "listening",
		slog.String("addr", addrText(ln.Addr())), slog.String("transport", o.transport.String()),
		slog.String("handler", o.handlerName), slog.Bool("tls", o.tls != nil))
	err = srv.Serve(ctx, ln)
	if err != nil && !errors.Is(err, server.ErrServerClosed) {
		fmt.Fprintf(stderr, "pickle-server: %v\n", err)
		return exitFail
	}
	return exitOK
}

// tuneMemory lets the heap grow to five times what is live before it is collected, which makes
// decoding about twice as fast, but only within the limit. The environment has precedence.
func tuneMemory(limit int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" && limit > 0 {
		debug.SetMemoryLimit(limit)
	}
}

// pythonAddr is an address as Python prints it.
func pythonAddr(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	switch {
	case !ok:
		return ""
	case t.IP.To4() != nil:
		return fmt.Sprintf("('%s', %d)", t.IP, t.Port)
	}
	return fmt.Sprintf("('%s', %d, 0, 0)", t.IP, t.Port)
}

func addrText(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return a.String()
}

// tracer draws what happens on each connection; the server is S, the clients C1, C2 ...
func tracer(d *mermaid.Diagram) func(server.Event) {
	return func(e server.Event) {
		c := fmt.Sprintf("C%d", e.Conn)
		switch e.Kind {
		case server.Accepted:
			d.Participant(c, "client "+e.RemoteAddr.String())
			d.Participant("S", "pickle-server")
			d.Arrow(c, "S", "connects")
			d.Answer("S", c, "accepts")
		case server.Received:
			d.Arrow(c, "S", "sends %d bytes, protocol %d", e.Bytes, e.Protocol)
		case server.Decoded:
			step(d, "decodes", e.Err)
		case server.Processed:
			step(d, "processes", e.Err)
		case server.Answered:
			what := "answers"
			if e.Err != nil {
				what = "answers with an exception,"
			}
			d.Answer("S", c, "%s %d bytes, protocol %d", what, e.Bytes, e.Protocol)
		case server.Closed:
			d.Answer("S", c, "closes")
		}
	}
}

func step(d *mermaid.Diagram, what string, err error) {
	if err != nil {
		what = fmt.Sprintf("%s: %v", what, err)
	}
	d.Arrow("S", "S", "%s", what)
}
