package transport

// ServerConn is implemented by Conns that have a loop of their own for Serve.
type ServerConn interface {
	Conn

	// Serve is what the function Serve does.
	Serve(handle func(Message) bool) (Message, error)
}

// Serve receives one message after another and calls handle with each, until that returns false or
// receiving fails. It returns what Receive does when it fails; a nil error means that handle has
// returned false. It does what a loop around Receive does, and on Linux does it sooner: where messages
// are small, asking whether there is another one takes as long as reading it, and is left out when the
// last read has said that there is nothing more.
//
// Until Serve returns, handle alone may send, in the goroutine in which it is called, which is Serve's, and
// nobody may receive. Interrupt and CloseWrite may be called as ever. Closing NetConn() ends Serve, but waits
// until handle has returned; so handle must not close the connection itself. A message is handle's to read until
// handle returns, after false until the next Receive.
func Serve(c Conn, handle func(Message) bool) (Message, error) {
	if s, ok := c.(ServerConn); ok {
		return s.Serve(handle)
	}
	for {
		m, err := c.Receive()
		if err != nil || !handle(m) {
			return m, err
		}
	}
}

// serve is Serve for the messages that f finds. The first one is received in the ordinary way: with it
// a peer shows what it is.
func (s *stream) serve(c Conn, f framer, handle func(Message) bool) (Message, error) {
	m, err := c.Receive()
	if err != nil || !handle(m) {
		return m, err
	}
	if m, ok, err := s.converse(f, handle); ok {
		return m, err
	}
	for {
		m, err := c.Receive()
		if err != nil || !handle(m) {
			return m, err
		}
	}
}
