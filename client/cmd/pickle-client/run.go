package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/picklebridge/picklebridge/client"
	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
	"github.com/picklebridge/picklebridge/pickleproto/transport/mermaid"
)

// Exit codes.
const (
	exitOK        = 0
	exitException = 1 // the answer is an exception
	exitUsage     = 2
	exitConnect   = 3 // could not connect, or the handshake failed
	exitNoAnswer  = 4 // a timeout, cut off, or not a pickle
)

// script2Reads is what script2.py, and many a recipe like it, reads of a request.
const script2Reads = 4096

// run is the command. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	fail := func(code int, err error) int {
		fmt.Fprintf(stderr, "pickle-client: %v\n", err)
		return code
	}
	o, err := parse(args, stdin, stdout)
	switch {
	case errors.Is(err, errHelp):
		return exitOK
	case err != nil:
		return fail(exitUsage, err)
	}
	if o.format == "go" && o.in != "" { // the file's own types: no server is asked
		if err := o.print(stdout, o.request); err != nil {
			return fail(exitUsage, err)
		}
		return exitOK
	}
	if o.timeout.d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout.d)
		defer cancel()
	}
	opts := []client.Option{
		client.WithTransport(o.transport), client.WithCodec(o.codec), client.WithPickle(pickleproto.WithProtocol(o.protocol)),
		client.WithMaxConns(1), client.WithLimits(pickleproto.Limits{Message: o.maxMessage.n}),
	}
	if o.tls != nil {
		opts = append(opts, client.WithTLS(o.tls))
	}
	if o.halfClose {
		opts = append(opts, client.WithHalfClose())
	}
	if o.trace != "" {
		f, err := os.Create(o.trace)
		if err != nil {
			return fail(exitUsage, err)
		}
		defer f.Close()
		opts = append(opts, client.WithTrace(tracer(mermaid.New(f))))
	}
	request, size, err := o.encoded()
	if err != nil {
		return fail(exitUsage, err)
	}
	if size > script2Reads && o.transport == transport.Raw {
		fmt.Fprintf(stderr, "pickle-client: warning: the request has %d bytes; a peer that reads once, as script2.py, reads no more than %d\n", size, script2Reads)
	}

	c, err := client.Dial(ctx, o.addr, opts...)
	if err != nil {
		return fail(exitConnect, err)
	}
	defer c.Close()
	var reply any
	if err := c.Do(ctx, request, &reply); err != nil {
		return report(err, stderr, fail)
	}
	if err := o.print(stdout, reply); err != nil {
		return fail(exitUsage, err)
	}
	return exitOK
}

// report says what went wrong with a call, and returns the exit code.
func report(err error, stderr io.Writer, fail func(int, error) int) int {
	var remote *client.RemoteError
	var connect *client.ConnectError
	var auth *transport.AuthError
	var network net.Error
	switch {
	case errors.As(err, &remote):
		fmt.Fprintln(stderr, remote)
		return exitException
	case errors.As(err, &connect), errors.As(err, &auth):
		return fail(exitConnect, err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fail(exitNoAnswer, fmt.Errorf("timeout: %w", err))
	}
	return fail(exitNoAnswer, err)
}

// tracer draws what happens; the client is C, the server S.
func tracer(d *mermaid.Diagram) func(client.Event) {
	return func(e client.Event) {
		switch e.Kind {
		case client.Connected:
			d.Participant("C", "pickle-client")
			d.Participant("S", e.Addr)
			d.Arrow("C", "S", "connects")
		case client.Sent:
			d.Arrow("C", "S", "sends %d bytes, protocol %d", e.Bytes, e.Protocol)
		case client.Received:
			d.Answer("S", "C", "answers %d bytes, protocol %d", e.Bytes, e.Protocol)
		case client.Decoded:
			text := fmt.Sprintf("decodes the answer of %d bytes, protocol %d", e.Bytes, e.Protocol)
			if e.Err != nil {
				text += fmt.Sprintf(": %v", e.Err)
			}
			d.Arrow("C", "C", "%s", text)
		case client.Closed:
			d.Arrow("C", "S", "closes")
		}
	}
}
