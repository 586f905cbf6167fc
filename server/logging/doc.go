// Package logging receives what Python programs send with the standard library's
// logging.handlers.SocketHandler (TCP, Unix sockets) and DatagramHandler (UDP), 2.7 to 3.13, and
// gives it to a slog.Handler.
//
//	c := &logging.Collector{Handler: slog.NewJSONHandler(os.Stdout, nil)}
//	c.Serve(ctx, listener)
//
// and in Python
//
//	logging.getLogger().addHandler(logging.handlers.SocketHandler('localhost', 9020))
//
// What the fields of a LogRecord become:
//
//	created                the time, to the microsecond
//	levelno                the level: DEBUG, INFO, WARNING and ERROR are slog's, CRITICAL is ERROR+4,
//	                       and what is between lies between (25 is INFO+2)
//	levelname              levelname, unless it is the usual name of one of slog's four
//	msg                    the message; Python has put the arguments in
//	args                   args, from a handler that has not
//	name                   logger
//	pathname               file
//	lineno                 line
//	funcName               function
//	process, processName   process, process_name
//	thread, threadName     thread, thread_name
//	taskName               task (3.12 and later, within asyncio)
//	exc_text               exception: the traceback
//	stack_info             stack
//	anything else          extra.NAME: what extra={...} has given
//	msecs, relativeCreated, filename, module, exc_info, message, asctime
//	                       left out: the others say the same
//
// A field that is None is left out. Numbers and booleans stay what they are, any other value that
// is no str becomes its repr.
//
// The conversation has one direction: nothing is ever written back. Connections are never cut for
// being idle. Nothing that is sent runs code here; a record that is none is dropped, and logged.
package logging
