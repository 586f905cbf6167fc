package pickleproto

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
)

// Exception is an instance of a Python exception: what raises in Python, an error in Go. Its zero
// value is of no use: NewException makes one. It is not to be changed once it is shared.
type Exception struct {
	Class Global // in Python 3's names: builtins.ValueError
	Args  Tuple  // of the constructor, and the attribute args
	State *Dict  // further attributes, among them __notes__; nil if there are none

	// Cause is Python's __cause__. CPython's own pickles leave it out, save for the traceback text
	// that multiprocessing and concurrent.futures add; written from Go it arrives in Python.
	Cause error
}

// NewException returns an exception of a class by its name, "ValueError" of builtins or
// "queue.Empty" of a module. The names that the pickle module itself raises (UnpicklingError,
// PicklingError, PickleError) are those of _pickle, which Python 2 is given as pickle's. Arguments
// are Python values; Go's other integers and floats become int64 and float64.
func NewException(name string, args ...any) *Exception {
	g := Global{Module: "builtins", Name: name}
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		g.Module, g.Name = name[:i], name[i+1:]
	} else if strings.HasPrefix(name, "Pickl") || name == "UnpicklingError" {
		g.Module = "_pickle"
	}
	e := &Exception{Class: g, Args: make(Tuple, len(args))}
	for i, a := range args {
		e.Args[i] = pythonNumber(a)
	}
	return e
}

func pythonNumber(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	case uint:
		return uint64Value(uint64(v))
	case uint64:
		return uint64Value(v)
	case float32:
		return float64(v)
	}
	return v
}

// Error is the last line of Python's traceback: "ValueError: text", the class with its module
// unless that is builtins.
func (e *Exception) Error() string {
	name := e.Class.Name
	if e.Class.Module != "builtins" && e.Class.Module != "__main__" && e.Class.Module != "" {
		name = e.Class.Module + "." + name
	}
	if text := e.Text(); text != "" {
		return name + ": " + text
	}
	return name
}

// Text is Python's str(e), which for most classes is the text it was raised with.
func (e *Exception) Text() string {
	args := e.Args
	if len(args) == 0 {
		return ""
	}
	str := func(i int) string { return pythonStr(args[i]) }
	if e.Class.Module == "builtins" {
		switch {
		case e.Class.Name == "KeyError" && len(args) == 1:
			return Repr(args[0])
		case e.IsA("OSError") && len(args) >= 2 && len(args) <= 5:
			s := fmt.Sprintf("[Errno %s] %s", str(0), str(1))
			if len(args) > 2 && args[2] != nil {
				if s += ": " + Repr(args[2]); len(args) == 5 && args[4] != nil {
					s += " -> " + Repr(args[4])
				}
			}
			return s
		case e.IsA("BaseExceptionGroup") && len(args) == 2:
			n, plural := 0, "s"
			switch l := args[1].(type) {
			case *List:
				n = l.Len()
			case Tuple:
				n = len(l)
			}
			if n == 1 {
				plural = ""
			}
			return fmt.Sprintf("%s (%d sub-exception%s)", str(0), n, plural)
		case e.IsA("UnicodeError"):
			if s, ok := e.unicodeText(); ok {
				return s
			}
		case e.IsA("SyntaxError") && len(args) == 2:
			if where, ok := args[1].(Tuple); ok && len(where) >= 2 {
				name, isName := where[0].(string)
				line, isLine := intOf(where[1])
				switch {
				case isName && isLine:
					return fmt.Sprintf("%s (%s, line %d)", str(0), name[strings.LastIndexByte(name, '/')+1:], line)
				case isName:
					return fmt.Sprintf("%s (%s)", str(0), name[strings.LastIndexByte(name, '/')+1:])
				case isLine:
					return fmt.Sprintf("%s (line %d)", str(0), line)
				}
			}
			return str(0)
		}
	}
	if len(args) == 1 {
		return str(0)
	}
	return Repr(args)
}

// unicodeText is str() of UnicodeDecodeError, UnicodeEncodeError and UnicodeTranslateError.
func (e *Exception) unicodeText() (string, bool) {
	args, encoding := e.Args, ""
	if e.Class.Name != "UnicodeTranslateError" {
		var ok bool
		if encoding, ok = textOf(args[0]); !ok {
			return "", false
		}
		args = args[1:]
	}
	if len(args) != 4 {
		return "", false
	}
	start, ok1 := intOf(args[1])
	end, ok2 := intOf(args[2])
	if !ok1 || !ok2 {
		return "", false
	}
	reason := pythonStr(args[3])
	where := fmt.Sprintf("in position %d-%d: %s", start, end-1, reason)
	one := end == start+1 && start >= 0
	if e.Class.Name == "UnicodeDecodeError" {
		b, ok := bytesOf(args[0])
		if ok && one && start < int64(len(b)) {
			return fmt.Sprintf("'%s' codec can't decode byte 0x%02x in position %d: %s", encoding, b[start], start, reason), true
		}
		return fmt.Sprintf("'%s' codec can't decode bytes %s", encoding, where), ok
	}
	prefix := "can't translate"
	if encoding != "" {
		prefix = fmt.Sprintf("'%s' codec can't encode", encoding)
	}
	s, ok := args[0].(string)
	if ok && one {
		for ; start > 0 && s != ""; start-- {
			_, n := nextChar(s)
			s = s[n:]
		}
		if c, n := nextChar(s); n > 0 {
			return fmt.Sprintf("%s character '%s' in position %d: %s", prefix, escapeAlways(c), end-1, reason), true
		}
	}
	return fmt.Sprintf("%s characters %s", prefix, where), ok
}

func escapeAlways(c rune) string {
	switch {
	case c <= 0xff:
		return fmt.Sprintf(`\x%02x`, c)
	case c <= 0xffff:
		return fmt.Sprintf(`\u%04x`, c)
	}
	return fmt.Sprintf(`\U%08x`, c)
}

// Unwrap returns the cause.
func (e *Exception) Unwrap() error { return e.Cause }

// Is lets errors.Is match by class: the target is an *Exception without arguments, and e is of its
// class or, among the builtins, of a subclass of it, as `except` decides.
func (e *Exception) Is(target error) bool {
	t, ok := target.(*Exception)
	if !ok || len(t.Args) > 0 {
		return false
	}
	if e.Class.Module == t.Class.Module && e.Class.Name == t.Class.Name {
		return true
	}
	return t.Class.Module == "builtins" && e.IsA(t.Class.Name)
}

// IsA reports whether e is an instance of the builtin exception class of that name. Of a class that
// is not Python's own only "Exception" and "BaseException" are known.
func (e *Exception) IsA(name string) bool {
	class := e.Class.Name
	if e.Class.Module != "builtins" {
		base, ok := otherExceptions[globalName{e.Class.Module, e.Class.Name}]
		if !ok {
			base = "Exception"
		}
		class = base
	}
	for range 16 { // deeper than the tree is
		if canonicalException(class) == canonicalException(name) {
			return true
		}
		if class == "ExceptionGroup" && name == "Exception" {
			return true // its second base
		}
		base, ok := builtinExceptions[class]
		if !ok {
			return false
		}
		class = base
	}
	return false
}

// Notes returns the texts that add_note attached.
func (e *Exception) Notes() []string {
	if e.State == nil {
		return nil
	}
	v, _ := e.State.Get("__notes__")
	l, ok := v.(*List)
	if !ok {
		return nil
	}
	var out []string
	for _, n := range l.All() {
		if s, ok := textOf(n); ok {
			out = append(out, s)
		}
	}
	return out
}

// AddNote attaches a text that Python prints below the exception (3.11 and later).
func (e *Exception) AddNote(note string) {
	if e.State == nil {
		e.State = NewDict()
	}
	v, _ := e.State.Get("__notes__")
	l, ok := v.(*List)
	if !ok {
		l = NewList()
		// A str is always a key that a dict takes.
		_ = e.State.Set("__notes__", l)
	}
	l.Append(note)
}

// exceptionOf reads an instance of any class as an exception: the caller knows that it is one.
func exceptionOf(o *Object) (*Exception, bool) { return exceptionDepth(o, nil, 0) }

// calledException reads class(*args), with attributes perhaps, as an exception: what
// BaseException.__reduce__ writes of any class.
func calledException(o *Object, m *meter) (*Exception, bool) {
	if in, ok := instanceOf(o); !ok || o.How != ByReduce || !in.called {
		return nil, false
	}
	return exceptionDepth(o, m, 0)
}

// maxCauses bounds a chain of causes.
const maxCauses = 100

func exceptionDepth(o *Object, m *meter, depth int) (*Exception, bool) {
	in, ok := instanceOf(o)
	in.meter = m
	if !ok || depth > maxCauses || in.kwargs != nil || len(in.items) > 0 || len(in.pairs) > 0 {
		return nil, false
	}
	if in.class.Name == "rebuild_exc" || in.class.Name == "_rebuild_exc" {
		// What the pools of multiprocessing and concurrent.futures wrap an exception in.
		if len(in.args) != 2 || in.state != nil {
			return nil, false
		}
		inner, ok := in.args[0].(*Object)
		if !ok {
			return nil, false
		}
		e, ok := exceptionDepth(inner, m, depth+1)
		if ok {
			text, _ := textOf(in.args[1])
			e.Cause = NewException(in.class.Module+"."+map[string]string{"rebuild_exc": "RemoteTraceback", "_rebuild_exc": "_RemoteTraceback"}[in.class.Name], text)
		}
		return e, ok
	}
	e := &Exception{Class: osErrorClass(in.class, in.args), Args: in.args}
	if e.Args == nil {
		e.Args = Tuple{}
	}
	if in.state == nil {
		return e, true
	}
	d, ok := in.state.(*Dict)
	if !ok {
		return nil, false
	}
	// __cause__ has a field of its own, and 3.12's AttributeError repeats its args.
	e.State = NewDict()
	if in.charge(d.Len(), perEntry) != nil {
		return nil, false
	}
	for k, v := range d.All() {
		switch k, _ := textOf(k); k {
		case "__cause__":
			if c, ok := v.(*Object); ok {
				if cause, ok := exceptionDepth(c, m, depth+1); ok {
					e.Cause = cause
					continue
				}
			}
		case "args":
			if a, ok := v.(Tuple); ok && sameTuple(a, e.Args) {
				continue
			}
		}
		if err := e.State.set(k, v, in.hasher()); err != nil {
			return nil, false
		}
	}
	if e.State.Len() == 0 {
		e.State = nil
	}
	return e, true
}

func sameTuple(a, b Tuple) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// exception writes e as BaseException.__reduce__ does: class(*args), and the state if there is any.
func (m *maker) exception(e *Exception, depth int) (*Object, error) {
	if depth > maxCauses {
		return nil, &LimitError{Limit: "causes", Value: uint64(depth), Max: maxCauses, Offset: -1}
	}
	args := e.Args
	if args == nil {
		args = Tuple{}
	}
	o := &Object{How: ByReduce, Callable: e.Class, Args: args}
	state := NewDict()
	if e.State != nil {
		for k, v := range e.State.All() {
			if err := state.Set(k, v); err != nil {
				return nil, err
			}
		}
	}
	if e.Class.Module == "builtins" && e.Class.Name == "AttributeError" {
		if err := state.Set("args", args); err != nil { // as 3.12 and later do
			return nil, err
		}
	}
	if e.Cause != nil {
		var cause *Exception
		if !errors.As(e.Cause, &cause) {
			cause = NewException("RuntimeError", e.Cause.Error())
		}
		c, err := m.exception(cause, depth+1)
		if err != nil {
			return nil, err
		}
		if err := state.Set("__cause__", c); err != nil {
			return nil, err
		}
	}
	if state.Len() > 0 {
		o.Ops = []Op{{Kind: OpBuild, Items: []any{state}}}
	}
	return o, nil
}

// pythonStr is Python's str of a value.
func pythonStr(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case ByteString:
		return string(v)
	case *Object:
		if g, known, err := fromObject(v); known && err == nil {
			switch g := g.(type) {
			case *Exception:
				return g.Text()
			case *big.Rat:
				return g.RatString()
			case Path, PurePath, WindowsPath, PureWindowsPath:
				return fmt.Sprint(g)
			case Decimal, UUID, Date, TimeOfDay, NaiveDateTime, TimeDelta, netip.Addr, netip.Prefix, IPInterface:
				return g.(fmt.Stringer).String()
			}
		}
	}
	return Repr(v)
}

// ExceptionOf returns what v, a value decoded into any, is as an exception: an instance of one of
// Python's own exception classes, or of a class for which also, if not nil, returns true. The class
// is asked for by its name in Python 3.
func ExceptionOf(v any, also func(class Global) bool) (*Exception, bool) {
	o, ok := v.(*Object)
	if !ok {
		return nil, false
	}
	e, ok := exceptionOf(o)
	if !ok || !isException(e.Class) && (also == nil || !also(e.Class)) {
		return nil, false
	}
	return e, true
}
