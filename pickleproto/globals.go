package pickleproto

import "strings"

// The names that moved between Python 2 and 3. A pickle of protocol 0 to 2 holds Python 2's
// names, one of protocol 3 and above Python 3's: _pickle.c maps them when it reads or writes the
// former (fix_imports, from Lib/_compat_pickle.py), and so does this package when a pickle read on
// one side is written on the other. A name with an entry of its own is mapped by that entry alone;
// any other by its module's.

// globalName is a module and a name in it.
type globalName struct{ module, name string }

// mapToPython3 maps a name found in a pickle of protocol 0 to 2, as Unpickler.find_class does.
// The third result tells whether there was anything to map; without it the names come back as
// they are.
func mapToPython3(module, name string) (string, string, bool) {
	if to, ok := nameTo3[globalName{module, name}]; ok {
		return to.module, to.name, true
	}
	if to, ok := moduleTo3[module]; ok {
		return to, name, true
	}
	return module, name, false
}

// mapToPython2 maps a name that is to be written at protocol 0 to 2, as Pickler.save_global does.
func mapToPython2(module, name string) (string, string, bool) {
	if to, ok := nameTo2[globalName{module, name}]; ok {
		return to.module, to.name, true
	}
	if to, ok := moduleTo2[module]; ok {
		return to, name, true
	}
	return module, name, false
}

// The maps are built once, before main, and never written again.
var (
	nameTo3, nameTo2     = nameMaps()
	moduleTo3, moduleTo2 = moduleMaps()
)

// modulesBothWays are the modules renamed as a whole: Python 2's name, Python 3's. The tkinter.tix
// row left CPython with 3.13, which dropped the module; older readers still know it.
const modulesBothWays = `
__builtin__ builtins
copy_reg copyreg
Queue queue
SocketServer socketserver
ConfigParser configparser
repr reprlib
tkFileDialog tkinter.filedialog
tkSimpleDialog tkinter.simpledialog
tkColorChooser tkinter.colorchooser
tkCommonDialog tkinter.commondialog
Dialog tkinter.dialog
Tkdnd tkinter.dnd
tkFont tkinter.font
tkMessageBox tkinter.messagebox
ScrolledText tkinter.scrolledtext
Tkconstants tkinter.constants
Tix tkinter.tix
ttk tkinter.ttk
Tkinter tkinter
markupbase _markupbase
_winreg winreg
thread _thread
dummy_thread _dummy_thread
dbhash dbm.bsd
dumbdbm dbm.dumb
dbm dbm.ndbm
gdbm dbm.gnu
xmlrpclib xmlrpc.client
SimpleXMLRPCServer xmlrpc.server
httplib http.client
htmlentitydefs html.entities
HTMLParser html.parser
Cookie http.cookies
cookielib http.cookiejar
BaseHTTPServer http.server
test.test_support test.support
commands subprocess
urlparse urllib.parse
robotparser urllib.robotparser
urllib2 urllib.request
anydbm dbm
_abcoll collections.abc
`

// modulesOnlyTo3 and modulesOnlyTo2 hold in one direction.
const modulesOnlyTo3 = `
cPickle pickle
_elementtree xml.etree.ElementTree
FileDialog tkinter.filedialog
SimpleDialog tkinter.simpledialog
DocXMLRPCServer xmlrpc.server
SimpleHTTPServer http.server
CGIHTTPServer http.server
UserDict collections
UserList collections
UserString collections
whichdb dbm
StringIO io
cStringIO io
`

const modulesOnlyTo2 = `
_bz2 bz2
_dbm dbm
_functools functools
_gdbm gdbm
_pickle pickle
`

// namesBothWays are single names that moved: module and name in Python 2, the same in Python 3.
const namesBothWays = `
__builtin__ xrange builtins range
__builtin__ reduce functools reduce
__builtin__ intern sys intern
__builtin__ unichr builtins chr
__builtin__ unicode builtins str
__builtin__ long builtins int
itertools izip builtins zip
itertools imap builtins map
itertools ifilter builtins filter
itertools ifilterfalse itertools filterfalse
itertools izip_longest itertools zip_longest
UserDict IterableUserDict collections UserDict
UserList UserList collections UserList
UserString UserString collections UserString
whichdb whichdb dbm whichdb
_socket fromfd socket fromfd
_multiprocessing Connection multiprocessing.connection Connection
multiprocessing.process Process multiprocessing.context Process
multiprocessing.forking Popen multiprocessing.popen_fork Popen
urllib ContentTooShortError urllib.error ContentTooShortError
urllib getproxies urllib.request getproxies
urllib pathname2url urllib.request pathname2url
urllib quote_plus urllib.parse quote_plus
urllib quote urllib.parse quote
urllib unquote_plus urllib.parse unquote_plus
urllib unquote urllib.parse unquote
urllib url2pathname urllib.request url2pathname
urllib urlcleanup urllib.request urlcleanup
urllib urlencode urllib.parse urlencode
urllib urlopen urllib.request urlopen
urllib urlretrieve urllib.request urlretrieve
urllib2 HTTPError urllib.error HTTPError
urllib2 URLError urllib.error URLError
multiprocessing AuthenticationError multiprocessing.context AuthenticationError
multiprocessing BufferTooShort multiprocessing.context BufferTooShort
multiprocessing ProcessError multiprocessing.context ProcessError
multiprocessing TimeoutError multiprocessing.context TimeoutError
`

// exceptionsBothWays are the members of Python 2's module exceptions that Python 3 has in builtins.
const exceptionsBothWays = `
ArithmeticError AssertionError AttributeError BaseException BufferError BytesWarning
DeprecationWarning EOFError EnvironmentError Exception FloatingPointError FutureWarning
GeneratorExit IOError ImportError ImportWarning IndentationError IndexError KeyError
KeyboardInterrupt LookupError MemoryError NameError NotImplementedError OSError OverflowError
PendingDeprecationWarning ReferenceError RuntimeError RuntimeWarning StopIteration SyntaxError
SyntaxWarning SystemError SystemExit TabError TypeError UnboundLocalError
UnicodeDecodeError UnicodeEncodeError UnicodeError UnicodeTranslateError UnicodeWarning
UserWarning ValueError Warning ZeroDivisionError
`

const namesOnlyTo3 = `
__builtin__ basestring builtins str
exceptions StandardError builtins Exception
UserDict UserDict collections UserDict
socket _socketobject socket SocketType
`

// namesOnlyTo2 are names of Python 3, and what Python 2 is given in their place.
const namesOnlyTo2 = `
_functools reduce __builtin__ reduce
tkinter.filedialog FileDialog FileDialog FileDialog
tkinter.filedialog LoadFileDialog FileDialog LoadFileDialog
tkinter.filedialog SaveFileDialog FileDialog SaveFileDialog
tkinter.simpledialog SimpleDialog SimpleDialog SimpleDialog
xmlrpc.server ServerHTMLDoc DocXMLRPCServer ServerHTMLDoc
xmlrpc.server XMLRPCDocGenerator DocXMLRPCServer XMLRPCDocGenerator
xmlrpc.server DocXMLRPCRequestHandler DocXMLRPCServer DocXMLRPCRequestHandler
xmlrpc.server DocXMLRPCServer DocXMLRPCServer DocXMLRPCServer
xmlrpc.server DocCGIXMLRPCRequestHandler DocXMLRPCServer DocCGIXMLRPCRequestHandler
http.server SimpleHTTPRequestHandler SimpleHTTPServer SimpleHTTPRequestHandler
http.server CGIHTTPRequestHandler CGIHTTPServer CGIHTTPRequestHandler
_socket socket socket _socketobject
builtins ModuleNotFoundError exceptions ImportError
`

// osErrorsOnlyTo2 are the subclasses of OSError that Python 2 lacks.
const osErrorsOnlyTo2 = `
BrokenPipeError ChildProcessError ConnectionAbortedError ConnectionError ConnectionRefusedError
ConnectionResetError FileExistsError FileNotFoundError InterruptedError IsADirectoryError
NotADirectoryError PermissionError ProcessLookupError TimeoutError
`

func moduleMaps() (to3, to2 map[string]string) {
	to3, to2 = map[string]string{}, map[string]string{}
	for r := range rowsOf(modulesBothWays, 2) {
		to3[r[0]], to2[r[1]] = r[1], r[0]
	}
	for r := range rowsOf(modulesOnlyTo3, 2) {
		to3[r[0]] = r[1]
	}
	for r := range rowsOf(modulesOnlyTo2, 2) {
		to2[r[0]] = r[1]
	}
	return to3, to2
}

func nameMaps() (to3, to2 map[globalName]globalName) {
	to3, to2 = map[globalName]globalName{}, map[globalName]globalName{}
	for r := range rowsOf(namesBothWays, 4) {
		old, now := globalName{r[0], r[1]}, globalName{r[2], r[3]}
		to3[old], to2[now] = now, old
	}
	for r := range rowsOf(exceptionsBothWays, 1) {
		old, now := globalName{"exceptions", r[0]}, globalName{"builtins", r[0]}
		to3[old], to2[now] = now, old
	}
	for r := range rowsOf(namesOnlyTo3, 4) {
		to3[globalName{r[0], r[1]}] = globalName{r[2], r[3]}
	}
	for r := range rowsOf(namesOnlyTo2, 4) {
		to2[globalName{r[0], r[1]}] = globalName{r[2], r[3]}
	}
	for r := range rowsOf(osErrorsOnlyTo2, 1) {
		to2[globalName{"builtins", r[0]}] = globalName{"exceptions", "OSError"}
	}
	return to3, to2
}

// rowsOf yields the words of a table above, n at a time.
func rowsOf(table string, n int) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for f := strings.Fields(table); len(f) >= n; f = f[n:] {
			if !yield(f[:n]) {
				return
			}
		}
	}
}

// What a Global's names do not tell of how the stream wrote it.
const (
	// literalName: the mapping between Python 2 and 3 would change the names, but they were read
	// on the side that they are to be mapped to, so they are meant as they stand.
	literalName globalFlags = 1 << iota
	// distinctModule, distinctName: the stream wrote the text again although an equal module or
	// attribute name was there before; Python held two str objects.
	distinctModule
	distinctName
	// distinctGlobal: the stream wrote the global again instead of fetching it: Python held two
	// objects of one name, as FileNotFoundError and OSError at protocol 2.
	distinctGlobal
	// bareGlobal: the stream did not memoise it; see Object.bare.
	bareGlobal
)

// sideFlags returns literalName for names that a pickle of the given protocol means literally.
func sideFlags(proto int, module, name string) globalFlags {
	if proto < 3 {
		if _, _, ok := mapToPython2(module, name); ok {
			return literalName
		}
	} else if _, _, ok := mapToPython3(module, name); ok {
		return literalName
	}
	return 0
}

// namesFor returns the names to write at a protocol.
func (g Global) namesFor(proto int) (module, name string) {
	if g.flags&literalName != 0 {
		return g.Module, g.Name
	}
	if proto < 3 {
		module, name, _ = mapToPython2(g.Module, g.Name)
	} else {
		module, name, _ = mapToPython3(g.Module, g.Name)
	}
	return module, name
}
