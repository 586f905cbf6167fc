package client

import (
	"bytes"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// RemoteError is the error of a call whose answer is an exception: an instance of one of Python's
// own exception classes, or of a class of WithExceptions.
type RemoteError struct{ Exception *pickleproto.Exception }

// Error is the last line of Python's traceback: "ValueError: text".
func (e *RemoteError) Error() string { return e.Exception.Error() }

func (e *RemoteError) Unwrap() error { return e.Exception }

// remoteError returns nil for an answer that is no exception.
func (c *Client) remoteError(v any) error {
	e, ok := pickleproto.ExceptionOf(v, func(class pickleproto.Global) bool {
		return c.cfg.exceptions[class.Module+"."+class.Name]
	})
	if !ok {
		return nil
	}
	return &RemoteError{e}
}

// beginsWithGlobal tells whether a pickle may be that of an instance, and so of an exception: its
// first opcode after PROTO and FRAME is GLOBAL, or a str, the module of STACK_GLOBAL. It
// spares every other answer from being decoded twice.
func beginsWithGlobal(data []byte) bool {
	if len(data) > 2 && data[0] == 0x80 {
		data = data[2:]
	}
	if len(data) > 9 && data[0] == 0x95 {
		data = data[9:]
	}
	return len(data) > 0 && bytes.IndexByte([]byte("c\x8cX\x8d"), data[0]) >= 0
}
