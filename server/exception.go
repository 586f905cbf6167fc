package server

import (
	"errors"
	"io"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// Exception returns the Python exception that a peer receives for err, to be written at the given
// protocol:
//
//	*pickleproto.Exception                that exception
//	a stream that was cut off             EOFError
//	no pickle, a limit                    _pickle.UnpicklingError
//	a Python value that fits no Go type   TypeError
//	a deadline                            TimeoutError; up to protocol 2 socket.timeout
//	any other                             RuntimeError
//
// The argument is err's text.
func Exception(err error, protocol int) *pickleproto.Exception {
	var own *pickleproto.Exception
	var mismatch *pickleproto.TypeError
	name := "RuntimeError"
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, io.ErrUnexpectedEOF):
		name = "EOFError"
	case isBadMessage(err):
		name = "UnpicklingError"
	case errors.As(err, &mismatch):
		name = "TypeError"
	case isTimeout(err) && protocol <= 2:
		name = "socket.timeout"
	case isTimeout(err):
		name = "TimeoutError"
	}
	return pickleproto.NewException(name, err.Error())
}
