package pickleproto

// The exception classes of Python's own: what they descend from, and which of them OSError becomes.

// osErrorClass returns what OSError's constructor makes of its arguments: an errno that has a class
// of its own gives that class. The numbers are those of Linux, and below 34 also of the others.
func osErrorClass(class Global, args Tuple) Global {
	if class.Module != "builtins" || canonicalException(class.Name) != "OSError" {
		return class
	}
	class.Name = "OSError"
	if len(args) < 2 || len(args) > 5 {
		return class
	}
	n, ok := args[0].(int64)
	if long, isLong := args[0].(Long); isLong { // Python 3 before 3.7 writes ints so at protocol 0
		n, ok = int64(long), true
	}
	if !ok {
		return class
	}
	switch n {
	case 1, 13:
		class.Name = "PermissionError"
	case 2:
		class.Name = "FileNotFoundError"
	case 3:
		class.Name = "ProcessLookupError"
	case 4:
		class.Name = "InterruptedError"
	case 10:
		class.Name = "ChildProcessError"
	case 11, 114, 115:
		class.Name = "BlockingIOError"
	case 17:
		class.Name = "FileExistsError"
	case 20:
		class.Name = "NotADirectoryError"
	case 21:
		class.Name = "IsADirectoryError"
	case 32, 108:
		class.Name = "BrokenPipeError"
	case 103:
		class.Name = "ConnectionAbortedError"
	case 104:
		class.Name = "ConnectionResetError"
	case 110:
		class.Name = "TimeoutError"
	case 111:
		class.Name = "ConnectionRefusedError"
	}
	return class
}

// isOSError reports whether a class is OSError or one of Python's subclasses of it.
func isOSError(class Global) bool {
	return (&Exception{Class: class}).IsA("OSError") && isException(class)
}

func canonicalException(name string) string {
	switch name {
	case "IOError", "EnvironmentError", "WindowsError":
		return "OSError"
	}
	return name
}

// isException reports whether a class, by its name in Python 3, is an exception of Python's own.
func isException(g Global) bool {
	if g.Module == "builtins" {
		_, ok := builtinExceptions[g.Name]
		return ok || g.Name == "BaseException" || canonicalException(g.Name) == "OSError"
	}
	_, ok := otherExceptions[globalName{g.Module, g.Name}]
	return ok
}

// builtinExceptions maps each class to its base. Written once, before main.
var builtinExceptions = func() map[string]string {
	m := map[string]string{}
	for r := range rowsOf(exceptionTree, 2) {
		m[r[0]] = r[1]
	}
	return m
}()

// exceptionTree is "class base" for each of Python 3's builtin exceptions but BaseException.
const exceptionTree = `
BaseExceptionGroup BaseException  GeneratorExit BaseException  KeyboardInterrupt BaseException
SystemExit BaseException  Exception BaseException  ExceptionGroup BaseExceptionGroup
ArithmeticError Exception  FloatingPointError ArithmeticError  OverflowError ArithmeticError
ZeroDivisionError ArithmeticError  AssertionError Exception  AttributeError Exception
BufferError Exception  EOFError Exception  ImportError Exception  ModuleNotFoundError ImportError
LookupError Exception  IndexError LookupError  KeyError LookupError  MemoryError Exception
NameError Exception  UnboundLocalError NameError  OSError Exception  BlockingIOError OSError
ChildProcessError OSError  ConnectionError OSError  BrokenPipeError ConnectionError
ConnectionAbortedError ConnectionError  ConnectionRefusedError ConnectionError
ConnectionResetError ConnectionError  FileExistsError OSError  FileNotFoundError OSError
InterruptedError OSError  IsADirectoryError OSError  NotADirectoryError OSError
PermissionError OSError  ProcessLookupError OSError  TimeoutError OSError
ReferenceError Exception  RuntimeError Exception  NotImplementedError RuntimeError
PythonFinalizationError RuntimeError  RecursionError RuntimeError  StopAsyncIteration Exception
StopIteration Exception  SyntaxError Exception  IndentationError SyntaxError
TabError IndentationError  _IncompleteInputError SyntaxError  SystemError Exception
TypeError Exception  ValueError Exception  UnicodeError ValueError
UnicodeDecodeError UnicodeError  UnicodeEncodeError UnicodeError
UnicodeTranslateError UnicodeError  Warning Exception  BytesWarning Warning
DeprecationWarning Warning  EncodingWarning Warning  FutureWarning Warning
ImportWarning Warning  PendingDeprecationWarning Warning  ResourceWarning Warning
RuntimeWarning Warning  SyntaxWarning Warning  UnicodeWarning Warning  UserWarning Warning
`

// otherExceptions are classes of other modules that programs send to each other, with the builtin
// class that each descends from; and the two functions that wrap exceptions.
var otherExceptions = func() map[globalName]string {
	m := map[globalName]string{}
	for r := range rowsOf(otherExceptionRows, 3) {
		m[globalName{r[0], r[1]}] = r[2]
	}
	return m
}()

const otherExceptionRows = `
_pickle PickleError Exception  _pickle PicklingError Exception  _pickle UnpicklingError Exception
pickle PickleError Exception  pickle PicklingError Exception  pickle UnpicklingError Exception
_queue Empty Exception  queue Empty Exception  queue Full Exception  queue ShutDown Exception
socket timeout OSError  socket error OSError  socket gaierror OSError  socket herror OSError
select error OSError  ssl SSLError OSError  binascii Error ValueError  struct error Exception
zlib error Exception  json.decoder JSONDecodeError ValueError
decimal InvalidOperation ArithmeticError  decimal DivisionByZero ZeroDivisionError
subprocess CalledProcessError Exception  subprocess TimeoutExpired Exception
asyncio.exceptions CancelledError BaseException  asyncio.exceptions TimeoutError Exception
asyncio.exceptions IncompleteReadError EOFError  asyncio.exceptions InvalidStateError Exception
concurrent.futures._base CancelledError Exception  concurrent.futures._base TimeoutError Exception
concurrent.futures.process BrokenProcessPool RuntimeError
concurrent.futures.process _RemoteTraceback Exception
concurrent.futures.process _rebuild_exc Exception
multiprocessing.context AuthenticationError Exception
multiprocessing.context BufferTooShort Exception
multiprocessing.context ProcessError Exception  multiprocessing.context TimeoutError Exception
multiprocessing.managers RemoteError Exception
multiprocessing.pool MaybeEncodingError Exception  multiprocessing.pool RemoteTraceback Exception
multiprocessing.pool rebuild_exc Exception
`
