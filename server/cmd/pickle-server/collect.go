package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/picklebridge/picklebridge/server"
	"github.com/picklebridge/picklebridge/server/logging"
)

// collector prints log records on stdout, all of them: which to send is Python's to say.
func collector(stdout io.Writer, format string) (*logging.Collector, error) {
	all := &slog.HandlerOptions{Level: slog.Level(-1 << 30)}
	switch format {
	case "text":
		return &logging.Collector{Handler: slog.NewTextHandler(stdout, all)}, nil
	case "json":
		return &logging.Collector{Handler: slog.NewJSONHandler(stdout, all)}, nil
	}
	return nil, fmt.Errorf("-log-format is text or json, not %q", format)
}

// collectPackets receives records by UDP until ctx ends. It returns the exit code.
func collectPackets(ctx context.Context, o *options, addr string, stderr io.Writer) int {
	pc, err := new(net.ListenConfig).ListenPacket(ctx, "udp", addr)
	if err != nil {
		fmt.Fprintf(stderr, "pickle-server: cannot listen: %v\n", err)
		return exitFail
	}
	o.log.LogAttrs(ctx, slog.LevelInfo, "listening", slog.String("addr", "udp:"+pc.LocalAddr().String()),
		slog.String("handler", o.handlerName))
	if err := o.collector.ServePacket(ctx, pc); err != nil && !errors.Is(err, server.ErrServerClosed) {
		fmt.Fprintf(stderr, "pickle-server: %v\n", err)
		return exitFail
	}
	return exitOK
}
