// Package client calls Python programs that answer pickles over a socket.
//
// A Client keeps a pool of connections to one address. Do sends a value and waits for the answer;
// Go does not wait. Both are safe for use by many goroutines. Deadlines and cancellation come
// with the context of each call.
//
// A request is never silently sent twice: if the connection is lost after a request was sent and
// before its answer came, the peer may have served it, and the error says so (ErrUnanswered). Only
// for calls that are declared idempotent does the client connect anew and send them again.
package client
