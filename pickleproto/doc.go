// Package pickleproto reads and writes Python's pickles: all 68 opcodes, protocols 0 to 5. What it
// writes is, byte for byte, what CPython's C pickler writes; what it reads never runs anything: a
// class is a name, an instance a record of what the pickle says of it.
//
//	err := pickleproto.Unmarshal(data, &v)  // as encoding/json; v is a struct, a map, a slice, an `any` ...
//	data, err := pickleproto.Marshal(v)     // protocol 4, or WithProtocol(n)
//
// # Python and Go
//
// Decoded into `any` a pickle becomes values of a model of its own, from which the same pickle can
// be written again: nothing is lost, what is shared stays shared, unknown classes stay what they
// are. Into Go's own types it is bound by the table below; [Plain] does what lies between. An arrow
// to the right alone: it is read so, and written back as what stands in another row.
//
//	Python                       any                     Go types
//	None                     <-> nil                 <-> nil pointer, map, slice or interface
//	bool                     <-> bool                <-> bool kinds
//	int                      <-> int64, *big.Int     <-> every integer type that holds it, *big.Int;
//	                                                  -> floats and complex that hold it exactly
//	float                    <-> float64             <-> float64, float32 (an overflow is an error)
//	complex                  <-> *Complex            <-> complex128, complex64
//	str                      <-> string              <-> string kinds, encoding.TextUnmarshaler and
//	                                                     encoding.TextMarshaler
//	bytes                    <-> Bytes               <-> []byte, [N]byte, Bytes
//	bytearray                <-> *ByteArray           -> []byte, [N]byte
//	list                     <-> *List               <-> slices, arrays
//	tuple                    <-> Tuple                -> slices, arrays; <-> structs tagged ",tuple"
//	dict                     <-> *Dict               <-> maps, structs
//	set                      <-> *Set                <-> map[T]struct{}; -> slices, arrays
//	frozenset                <-> *FrozenSet           -> map[T]struct{}, slices, arrays
//	Python 2's str           <-> ByteString           -> string if it is UTF-8, []byte, Bytes
//	                                                     (WithPython2Strings decodes it beforehand)
//	a class or function      <-> Global              <-> Global
//	an instance              <-> *Object             <-> structs (see Classes)
//	persistent id            <-> *PersistentID        -> what WithPersistentLoad returns
//	extension code           <-> Extension            -> what WithExtension returns
//	out-of-band buffer       <-> *Buffer              -> []byte
//
// Instances of these classes of the standard library are *Object in `any`, and bind to
//
//	datetime with tzinfo     <-> time.Time           (a naive one is no time.Time: no zone is invented)
//	datetime without         <-> NaiveDateTime
//	date, time               <-> Date, TimeOfDay
//	timedelta                <-> time.Duration, and beyond its range TimeDelta
//	timezone, ZoneInfo       <-> *time.Location
//	Decimal, Fraction        <-> Decimal, *big.Rat
//	UUID                     <-> UUID; -> [16]byte
//	OrderedDict, defaultdict <-> *OrderedDict, *DefaultDict; -> maps, structs
//	Counter                  <-> *Counter; -> maps
//	deque                    <-> *Deque; -> slices, arrays
//	SimpleNamespace          <-> *SimpleNamespace; -> maps, structs
//	range, slice             <-> Range, Slice
//	array.array              <-> *Array; -> slices, arrays
//	pathlib                  <-> Path, PurePath, WindowsPath, PureWindowsPath
//	ipaddress                <-> netip.Addr, netip.Prefix, IPInterface
//	exceptions               <-> *Exception, which is an error; -> error (of any class, if it was made
//	                                                     by a call as exceptions are)
//	members of an Enum       <-> Go constants of a type that WithEnum names
//
// Instances of a program's own subclasses of int, float, str, bytes, complex, list, tuple and dict go
// where those go, namedtuples where tuples go.
//
// Arrays of numpy: package pickleproto/numpy. The Go types that fit a pickle at hand are written by
// package pickleproto/gotypes, or pickle-client -in FILE -format go. Conversations over sockets:
// packages server and client; where a message ends there: package pickleproto/transport.
//
// # Structs
//
// Fields are found as encoding/json finds them: by the name in the tag `pickle:"name"`, else by
// the field's own name; a key takes the field of just its name, else one that differs in case only.
// Embedded structs lend their fields, unexported fields do not take part, `pickle:"-"` leaves one
// out. Marshal leaves out a field with omitempty that is false, 0, nil or empty, and one with
// omitzero that is zero or says so by IsZero.
//
// A key without a field is ignored, or with [WithDisallowUnknownFields] an error; a field without a
// key keeps its value, or with [WithRequireFields] is an error unless it has omitempty or omitzero.
//
// # What is in the target
//
// Unmarshal changes nothing before all of the pickle has been bound: on an error the target is what
// it was. As with encoding/json, fields and map entries that the pickle does not mention stay; but
// what a pointer or a map holds is copied first, so that nobody else who has that pointer or map
// sees it change. Slices are made anew. An array that is longer than the list ends in zeros, one
// that is shorter takes what it has room for. An `any` is replaced.
//
// # Sharing
//
// A Python object that is met twice as the same Go pointer, map or slice type becomes one Go value,
// and a Python object that contains itself one that does. Marshal keeps what Go shares: pointers and
// maps by type and address, slices by type, address and length. A Go string is one str with another
// of the same memory and length, as a str that CPython has once; strs of no character and of one up
// to U+00FF are one by value. Struct keys are the same strs in all structs of a type.
//
// Strings decoded into `any` share blocks copied from the message, of at most 32 KiB each; into Go
// types, blocks of at most 8 KiB, and small variables that pointers point to share blocks of 2 KiB:
// one that is kept keeps its block. WithCopyStrings gives each string its own memory, WithLentBuffer
// copies none.
//
// # Marshal
//
// The keys of maps are sorted: numbers, then strs, then bytes, then tuples, which are Go arrays. A
// nil slice, map, pointer or interface is None. Functions, channels and keys that Python cannot hash
// are errors, and after any error nothing has been written. An error that is no *Exception is
// written as RuntimeError with its text. Types can say what they are by [Marshaler].
//
// Times and durations hold microseconds in Python: what is finer is an error, or cut off by
// [WithTruncatedNanoseconds].
//
// # Classes
//
// A struct is a dict, or by a tag on a blank field, or by an option, an instance of a Python class:
//
//	_ struct{} `pickle:",class=app.models.User"`      // plain objects, dataclasses; WithClass
//	_ struct{} `pickle:",slots=app.models.Slotted"`   // with __slots__; WithSlotsClass
//	_ struct{} `pickle:",namedtuple=app.models.Point"`// WithNamedTuple
//	_ struct{} `pickle:",tuple"`                      // a plain tuple
//
// "app.models:Outer.Inner" names a nested class. Any instance whose attributes fit is read into a
// struct, whatever its class; the attributes are the keys. A Go interface receives the type that is
// registered for the instance's class. [WithConverter] binds what no rule fits.
//
// # Errors
//
// A pickle that CPython would not load is a *[SyntaxError] with the offset and the opcode; one that
// exceeds a limit a *[LimitError]; a value that does not fit its Go type a *[TypeError] with the path
// to it and its offset, as in ".users[3].born: Python str into Go int at byte 217".
//
// # Coming from another codec
//
//	stalecucumber                               here
//	Unpickle(r); .DictString(), .ListOfInts ... Unmarshal(data, &v) with v of the type wanted
//	UnpackInto(&v).From(Unpickle(r))            Unmarshal(data, &v); `pickle:"name"` tags are the same
//	NewPickler(w).Pickle(v)                     NewEncoder(w).Encode(v), at any protocol
//	PickleTuple                                 Tuple, or a struct tagged ",tuple"
//
//	gopickle                                    here
//	pickle.Loads(s), NewUnpickler(r).Load()     Unmarshal(data, &v), NewDecoder(r).Decode(&v)
//	types.Dict, .Get, .MustGet                  *Dict, in constant time; or a map, or a struct
//	u.FindClass                                 nothing is called: *Object; structs, WithConverter
//	u.PersistentLoad, GetExtension, NextBuffer  WithPersistentLoad, WithExtension, WithBuffers
//
//	og-rek                                      here
//	NewDecoder(r).Decode()                      NewDecoder(r).Decode(&v), any number of pickles
//	DecoderConfig{StrictUnicode, PyDict}        always so: Bytes, ByteString and string are apart,
//	                                            *Dict compares keys as Python does
//	ogórek.Class, Call, Ref                     Global, *Object, *PersistentID
//	AsInt64, AsString, AsBytes                  Unmarshal into int64, string, []byte
//	NewEncoderWithConfig(w, Protocol: n)        NewEncoder(w, WithProtocol(n))
package pickleproto
