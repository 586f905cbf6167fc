package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/gotypes"
	"github.com/picklebridge/picklebridge/pickleproto/literal"
	"github.com/picklebridge/picklebridge/pickleproto/transport"
)

// readRequest finds out what is to be sent.
func (o *options) readRequest(args []string, stdin io.Reader) (err error) {
	switch {
	case len(args) > 1:
		return fmt.Errorf("one literal at most, not %d: quote it for the shell (-help lists the flags)", len(args))
	case len(args) == 1 && o.in != "":
		return errors.New("either a literal or -in, not both")
	case o.in != "":
		return o.readPickle(stdin)
	case len(args) == 1:
		o.request, err = literal.Parse(args[0])
		return err
	}
	o.script1, o.halfClose = true, true
	o.request, err = script1Request()
	return err
}

// script1Request is script1.py's {'key': 'value', 'numbers': [1, 2, 3]}.
func script1Request() (any, error) {
	d := pickleproto.NewDict()
	return d, errors.Join(
		d.Set("key", "value"),
		d.Set("numbers", pickleproto.NewList(int64(1), int64(2), int64(3))),
	)
}

// readPickle reads the request from a file. It is sent at its own protocol, unless -protocol says
// another.
func (o *options) readPickle(stdin io.Reader) error {
	var data []byte
	var err error
	if o.in == "-" {
		data, err = io.ReadAll(stdin)
	} else {
		data, err = os.ReadFile(o.in)
	}
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return fmt.Errorf("%s: no pickle, it is empty", o.in)
	}
	if o.request, err = pickleproto.Native.Decode(data); err != nil {
		return fmt.Errorf("%s: %w", o.in, err)
	}
	if !o.protocolGiven {
		o.protocol = transport.ProtocolOf(data)
	}
	return nil
}

// encoded returns the request and the bytes that its pickle has.
func (o *options) encoded() (request any, size int, err error) {
	b, err := o.codec.Append(nil, o.request, pickleproto.WithProtocol(o.protocol))
	return o.request, len(b), err
}

var formats = []string{"repr", "json", "pickle", "go"}

func knownFormat(name string) bool { return slices.Contains(formats, name) }

// print writes the answer, whole or not at all.
func (o *options) print(stdout io.Writer, reply any) error {
	var b bytes.Buffer
	switch o.format {
	case "repr":
		if o.script1 {
			b.WriteString("Processed data received from script2.py: ")
		}
		b.WriteString(pickleproto.Repr(reply))
		b.WriteByte('\n')
	case "json":
		text, err := appendJSON(nil, reply, 0)
		if err != nil {
			return err
		}
		b.Write(append(text, '\n'))
	case "pickle":
		data, err := pickleproto.Marshal(reply, pickleproto.WithProtocol(o.protocol))
		if err != nil {
			return err
		}
		b.Write(data)
	case "go":
		source, err := gotypes.Declare(reply, "Value")
		if err != nil {
			return err
		}
		b.Write(source)
	}
	if o.out != "" {
		return os.WriteFile(o.out, b.Bytes(), 0o666)
	}
	_, err := stdout.Write(b.Bytes())
	return err
}
