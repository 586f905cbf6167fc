// Package managers lets unmodified Python programs call the methods of Go values, with their own
// standard library's multiprocessing.managers and nothing installed. It takes the place of the
// process that a Python program would start with BaseManager.get_server().serve_forever().
//
//	m := &managers.Manager{Auth: transport.Auth{Key: []byte("k")}}
//	m.Register("calc", &Calc{})
//	m.Serve(ctx, listener)
//
// and in Python, 2.7 to 3.13, all of them at the same time:
//
//	class M(BaseManager): pass
//	M.register('calc')
//	m = M(address=('127.0.0.1', port), authkey=b'k'); m.connect()
//	c = m.calc()
//	c.add(2, b=40)        # 42, computed in Go
//
// # Methods
//
// The exported methods of the value are the proxy's, their names in snake_case: AddAll is add_all.
// WithName gives one another name, WithMethods exposes some of them alone.
// A context.Context as the first parameter is given the call's, which ends when the client goes
// away. Arguments are bound to the other parameters as pickleproto.Unmarshal binds, what is
// variadic takes the rest. Go does not keep the names of parameters, so those that Python gives by
// name are the fields of a struct, the last parameter:
//
//	func (*Calc) Add(p struct{ A, B int }) int
//
// takes add(2, 40), add(2, b=40) and add(a=2, b=40). A field's name is its pickle tag's, or its
// own in snake_case; one with omitempty in its tag may be left out. One dict or instance in place
// of the fields fills a struct of a named type as a whole; if that is not meant, the type embeds
// Args. WithParams names the parameters of a method without such a struct.
//
// No result is None, one is its value, several are a tuple; a last result of type error is not
// among them:
//
//	wrong arguments            TypeError, in Python's words
//	*pickleproto.Exception     that exception
//	any other error            as package server says: RuntimeError for most
//	a panic                    RemoteError; what it says is logged, not sent
//	a result without a pickle  RemoteError: Unserializable message
//	no such method or object   RemoteError
//
// As in Python, what goes wrong while an object is made is a RemoteError too.
//
// # Objects
//
// An object stays as long as clients refer to it; Python's proxies count for themselves. A method
// named in Returns, or one that returns a *Proxy, gives the client a proxy instead of a copy. An
// argument that is a proxy of this manager's own object is the Go value behind it.
//
// A value's methods are called by many goroutines at a time, one for each of the clients'
// threads; they must be safe for that, and so must be what they return, which is read after
// they have returned. Values are not read themselves: proxy._getvalue() copies only those that
// implement pickleproto.Marshaler.
//
// Clients are trusted as far as the authkey goes: they can fill the objects that they use. What
// they send runs no code here, and is bounded by the limits of Manager.Server.
package managers
