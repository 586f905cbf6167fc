package pickleproto

import "math/big"

// The value model: what a pickle becomes when it is decoded into `any`. It is lossless: for
// every pickle that CPython writes, encoding what was decoded gives the same bytes again.
//
//	None, bool, float      nil, bool, float64
//	int                    int64, else *big.Int
//	str                    string (lone surrogates as CPython's surrogatepass bytes)
//	bytes                  Bytes
//	tuple                  Tuple
//	list, dict             *List, *Dict
//	set, frozenset         *Set, *FrozenSet
//	complex, bytearray     *Complex, *ByteArray
//	Python 2 str           ByteString (or string, by WithPython2Strings)
//	Python 2 long, int     Long, Int where they differ from what Python 3 would write
//	a class or function    Global
//	an instance            *Object
//	persistent id          *PersistentID
//	extension code         Extension
//	out-of-band buffer     *Buffer
//
// Mutable values are pointers: they have identity, may be shared and may contain themselves.
// A value that is not being changed may be read by any number of goroutines.

// Bytes is Python's bytes. It is a string type because bytes are immutable and may be keys.
type Bytes string

// ByteString is Python 2's str as the opcodes STRING, BINSTRING and SHORT_BINSTRING carry it:
// bytes of no known encoding. As a dict key it equals the str with the same ASCII text.
type ByteString string

// Long is a Python 2 long whose value a Python 3 pickler would write as an int, that is one of
// at most 32 bits. Longer ones are int64 or *big.Int, which both lines of Python read alike.
type Long int64

// Int is a Python 2 int of more than 32 bits, which Python 2 writes as text (INT) at every
// protocol where Python 3 writes LONG1.
type Int int64

// Tuple is Python's tuple. Its identity is that of its first element's address and its length;
// the empty tuple has none. The elements must not be changed once the tuple is a key.
type Tuple []any

// Complex is Python's complex.
type Complex struct{ Real, Imag float64 }

// ByteArray is Python's bytearray. The holder may change Data.
type ByteArray struct{ Data []byte }

// Global is a class or function by name, as the stream wrote it. It is inert: nothing is
// imported. Names are mapped between Python 2 and 3 only when the pickle was read on one side
// of protocol 3 and is written on the other.
//
// Globals compare with == by module and name, save for the few whose names the mapping would
// change although the stream meant them literally; Equal ignores that difference.
type Global struct {
	Module, Name string
	flags        globalFlags
}

// String returns the name with its module, as "collections.OrderedDict".
func (g Global) String() string { return g.Module + "." + g.Name }

// globalFlags says what of a Global's making its two names do not tell; see globals.go.
type globalFlags uint8

// Extension is a code of copyreg's extension registry (EXT1, EXT2, EXT4).
type Extension int32

// PersistentID stands for an object that the pickler left to the reader (PERSID, BINPERSID).
// ID is a string when protocol 0 wrote it.
type PersistentID struct{ ID any }

// Buffer is an out-of-band buffer (NEXT_BUFFER, protocol 5): the Index-th of the pickle. Data
// is nil unless WithBuffers supplied the buffers.
type Buffer struct {
	Index    int
	ReadOnly bool
	Data     []byte
}

// Construction says which opcode made an Object.
type Construction uint8

// The ways in which a pickle makes an instance.
const (
	ByReduce   Construction = iota // callable(*args)
	ByNewObj                       // cls.__new__(cls, *args)
	ByNewObjEx                     // cls.__new__(cls, *args, **kwargs)
	ByInst                         // Python 2's INST: class by name, arguments above a mark
	ByObj                          // Python 2's OBJ: class and arguments above a mark
)

// Object is an instance: how it was made, and what the stream did to it afterwards. Nothing is
// ever called; Python does, when it reads the object again.
type Object struct {
	How      Construction
	Callable any  // nearly always a Global
	Args     any  // a Tuple, in every pickle that Python writes
	Kwargs   any  // a *Dict with ByNewObjEx, else nil
	Ops      []Op // in the order of the stream

	// An object that its own arguments contain is made twice by the stream: within the arguments,
	// which is the one that stays, and with them, which is dropped. recursed is 1 + the number of
	// Ops that came before that, or 0; outer are the arguments of the one that was dropped.
	recursed uint32
	outer    Tuple
	// bare is 1 + the number of objects in a chain of getattr calls that the stream, and CPython
	// since 3.13, wrote without memoising any of it: a nested class below protocol 4. Else 0.
	bare uint8
}

// OpKind is the kind of an Op.
type OpKind uint8

// What a stream can do to an object after making it.
const (
	OpAppends  OpKind = iota // APPEND, APPENDS: Items are the appended values
	OpSetItems               // SETITEM, SETITEMS: Items are keys and values in turn
	OpAddItems               // ADDITEMS: Items are the added values
	OpBuild                  // BUILD: Items is the state alone
	OpSetState               // setter, (obj, state), REDUCE, POP: Items is setter, state
)

// Op is one thing that the stream did to an Object.
type Op struct {
	Kind  OpKind
	Items []any
}

// isNilValue reports whether v is a nil pointer to a type of the value model, which a Go program may
// have in an interface: None, as any nil pointer.
func isNilValue(v any) bool {
	switch v := v.(type) {
	case *List:
		return v == nil
	case *Dict:
		return v == nil
	case *Set:
		return v == nil
	case *FrozenSet:
		return v == nil
	case *Object:
		return v == nil
	case *ByteArray:
		return v == nil
	case *Complex:
		return v == nil
	case *PersistentID:
		return v == nil
	case *Buffer:
		return v == nil
	case *big.Int:
		return v == nil
	}
	return false
}
