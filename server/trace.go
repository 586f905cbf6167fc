package server

import "net"

// EventKind is a step of a conversation.
type EventKind uint8

// The steps, in the order of a conversation without errors.
const (
	Accepted  EventKind = iota
	Received            // a message has arrived; Bytes and Protocol say which
	Decoded             // the handler has decoded it, or failed to
	Processed           // the handler has returned
	Answered            // the answer, or an exception, has been written
	Closed
)

// Event is what Server.Trace is told.
type Event struct {
	Kind       EventKind
	Conn       int64 // counts the connections from 1
	RemoteAddr net.Addr
	Bytes      int // of the message
	Protocol   int
	Err        error // what went wrong, if something did
}
