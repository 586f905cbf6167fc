package pickleproto

import "math/big"

// typeName returns Python's name of a value's type, for error texts.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int, Int, Long:
		return "int"
	case float64:
		return "float"
	case string, ByteString:
		return "str"
	case Bytes:
		return "bytes"
	case Tuple:
		return "tuple"
	case *List:
		return "list"
	case *Dict:
		return "dict"
	case *Set:
		return "set"
	case *FrozenSet:
		return "frozenset"
	case *Complex:
		return "complex"
	case *ByteArray:
		return "bytearray"
	case Global:
		return "type"
	case *Object:
		if g, ok := v.Callable.(Global); ok && len(g.Name) <= 64 {
			return g.Name
		}
		return "object"
	case *PersistentID:
		return "persistent id"
	case Extension:
		return "extension"
	case *Buffer:
		return "memoryview"
	}
	return "object"
}
