package python

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// TypeName is what Python's errors call the type of v.
func TypeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int, pickleproto.Long, pickleproto.Int:
		return "int"
	case float64:
		return "float"
	case *pickleproto.Complex:
		return "complex"
	case string, pickleproto.ByteString:
		return "str"
	case pickleproto.Bytes:
		return "bytes"
	case *pickleproto.ByteArray:
		return "bytearray"
	case *pickleproto.List:
		return "list"
	case pickleproto.Tuple:
		return "tuple"
	case *pickleproto.Dict:
		return "dict"
	case *pickleproto.Set:
		return "set"
	case *pickleproto.FrozenSet:
		return "frozenset"
	case pickleproto.Global:
		return "type"
	case *pickleproto.Object:
		return objectTypeName(v)
	}
	return "object"
}

// objectTypeName is __name__ of a class written in Python; one written in C has its module's name
// before it.
func objectTypeName(o *pickleproto.Object) string {
	class, _ := ClassOf(o)
	module, name, _ := strings.Cut(class, ".")
	if strings.Contains(" datetime decimal array ", " "+module+" ") ||
		class == "collections.deque" || class == "collections.OrderedDict" || class == "collections.defaultdict" {
		return class
	}
	if module == "__builtin__" && name == "xrange" {
		return "range"
	}
	return name[strings.LastIndexByte(name, '.')+1:]
}

// ClassOf returns an instance's class as module and name, and the arguments that it was made with.
func ClassOf(o *pickleproto.Object) (string, pickleproto.Tuple) {
	class, args := o.Callable, ArgsOf(o)
	if g, ok := class.(pickleproto.Global); ok && len(args) > 0 &&
		(g.Module == "copyreg" || g.Module == "copy_reg") && (g.Name == "_reconstructor" || g.Name == "__newobj__") {
		class, args = args[0], args[1:]
	}
	g, ok := class.(pickleproto.Global)
	if !ok {
		return "builtins.object", nil
	}
	return g.Module + "." + g.Name, args
}

// ArgsOf are the arguments that an instance was made with.
func ArgsOf(o *pickleproto.Object) pickleproto.Tuple {
	args, _ := o.Args.(pickleproto.Tuple)
	return args
}

// TypeError is Python's.
func TypeError(format string, args ...any) error {
	return pickleproto.NewException("TypeError", fmt.Sprintf(format, args...))
}

// ValueError is Python's.
func ValueError(format string, args ...any) error {
	return pickleproto.NewException("ValueError", fmt.Sprintf(format, args...))
}

// KeyError is Python's, for a key that is not there.
func KeyError(key any) error { return pickleproto.NewException("KeyError", key) }
