// Package managers calls the objects of a manager that serves Python's multiprocessing.managers:
// one of a Python program
//
//	M(address=('127.0.0.1', 50000), authkey=b'k').get_server().serve_forever()
//
// 2.7 to 3.13, or one of this module's server/managers.
//
//	c, err := managers.Dial(ctx, "127.0.0.1:50000", []byte("k"))
//	calc, err := c.Create(ctx, "calc", nil, nil)
//	var sum int
//	err = calc.Call(ctx, "add", []any{2}, map[string]any{"b": 40}, &sum)
//
// Arguments are what pickleproto.Marshal takes, results go to what pickleproto.Unmarshal would
// fill. A proxy may be an argument, and a result that Python gives as a proxy becomes one.
//
// An exception that the method raises arrives as *Error, in which errors.As finds the
// *pickleproto.Exception. Where Python's server answers with the text of a traceback (no such
// method, an error while an object is made, a result that cannot be pickled) Traceback holds it;
// of an exception that a method raises, Python sends no traceback.
//
// Each object lives in the manager until its Proxy is released.
package managers
