// Package server answers Python programs that send pickles over a socket.
//
// A Server reads messages from connections, hands each to a Handler and answers with what the
// handler returns, in the pickle protocol of the request, in one write. What the handler sees are
// Python values or Go types; where a message begins and ends is a transport.Transport. An error
// reaches Python as a pickled exception.
//
// Nothing that a peer sends runs code, and a peer can cost no more than the limits allow: bytes
// of a message, memory, depth, time. One bad message closes at most its own connection.
package server
