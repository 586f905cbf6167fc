// Package wire knows how a pickle is laid out in bytes, and nothing of what
// it means: the 68 opcodes with their names and argument shapes, and a
// scanner that finds the end of a pickle on a stream.
//
// It imports no values and no reflection, keeps no state of its own, and is
// shared by the decoder, the encoder and the transports.
package wire

// The opcodes, named as in pickle.py. Sorted by code, as in the table below.
const (
	OpMark            byte = '('
	OpEmptyTuple      byte = ')'
	OpStop            byte = '.'
	OpPop             byte = '0'
	OpPopMark         byte = '1'
	OpDup             byte = '2'
	OpBinBytes        byte = 'B'
	OpShortBinBytes   byte = 'C'
	OpFloat           byte = 'F'
	OpBinFloat        byte = 'G'
	OpInt             byte = 'I'
	OpBinInt          byte = 'J'
	OpBinInt1         byte = 'K'
	OpLong            byte = 'L'
	OpBinInt2         byte = 'M'
	OpNone            byte = 'N'
	OpPersID          byte = 'P'
	OpBinPersID       byte = 'Q'
	OpReduce          byte = 'R'
	OpString          byte = 'S'
	OpBinString       byte = 'T'
	OpShortBinString  byte = 'U'
	OpUnicode         byte = 'V'
	OpBinUnicode      byte = 'X'
	OpEmptyList       byte = ']'
	OpAppend          byte = 'a'
	OpBuild           byte = 'b'
	OpGlobal          byte = 'c'
	OpDict            byte = 'd'
	OpAppends         byte = 'e'
	OpGet             byte = 'g'
	OpBinGet          byte = 'h'
	OpInst            byte = 'i'
	OpLongBinGet      byte = 'j'
	OpList            byte = 'l'
	OpObj             byte = 'o'
	OpPut             byte = 'p'
	OpBinPut          byte = 'q'
	OpLongBinPut      byte = 'r'
	OpSetItem         byte = 's'
	OpTuple           byte = 't'
	OpSetItems        byte = 'u'
	OpEmptyDict       byte = '}'
	OpProto           byte = 0x80
	OpNewObj          byte = 0x81
	OpExt1            byte = 0x82
	OpExt2            byte = 0x83
	OpExt4            byte = 0x84
	OpTuple1          byte = 0x85
	OpTuple2          byte = 0x86
	OpTuple3          byte = 0x87
	OpNewTrue         byte = 0x88
	OpNewFalse        byte = 0x89
	OpLong1           byte = 0x8a
	OpLong4           byte = 0x8b
	OpShortBinUnicode byte = 0x8c
	OpBinUnicode8     byte = 0x8d
	OpBinBytes8       byte = 0x8e
	OpEmptySet        byte = 0x8f
	OpAddItems        byte = 0x90
	OpFrozenSet       byte = 0x91
	OpNewObjEx        byte = 0x92
	OpStackGlobal     byte = 0x93
	OpMemoize         byte = 0x94
	OpFrame           byte = 0x95
	OpByteArray8      byte = 0x96
	OpNextBuffer      byte = 0x97
	OpReadOnlyBuffer  byte = 0x98
)

// HighestProtocol is the newest pickle protocol there is.
const HighestProtocol = 5

// Arg is the shape of an opcode's argument: where it ends.
type Arg uint8

const (
	ArgNone Arg = iota

	// A fixed number of bytes.
	ArgFixed1
	ArgFixed2
	ArgFixed4
	ArgFixed8

	// A little-endian count, then that many bytes. The signed count is that
	// of LONG4 and BINSTRING; a negative one is an error.
	ArgCount1
	ArgCount4
	ArgCountSigned4
	ArgCount8

	// Text up to and with a newline; GLOBAL and INST have two lines.
	ArgLine
	ArgTwoLines
)

var argNames = [...]string{"none", "fixed1", "fixed2", "fixed4", "fixed8", "count1", "count4", "signed4", "count8", "line", "lines2"}

// String names the shape as testdata/opcodes.txt does.
func (a Arg) String() string {
	if int(a) < len(argNames) {
		return argNames[a]
	}
	return "unknown"
}

// Fixed is the number of bytes that always follow the opcode: the whole
// argument of a fixed shape, the count of a counted one, 0 for the others.
func (a Arg) Fixed() int {
	switch a {
	case ArgFixed1, ArgCount1:
		return 1
	case ArgFixed2:
		return 2
	case ArgFixed4, ArgCount4, ArgCountSigned4:
		return 4
	case ArgFixed8, ArgCount8:
		return 8
	}
	return 0
}

// Info is one row of the opcode table.
type Info struct {
	Name  string // pickletools' name, "" for a byte that is no opcode
	Arg   Arg
	Proto uint8 // the protocol that introduced it

	// What it does to the stack. Pops counts the single items it needs, and
	// with Mark it needs a mark too and takes all that lies above that.
	// The items lie below the mark (APPENDS, SETITEMS, ADDITEMS), except for
	// OBJ, whose class is the first item above it. MARK's Pushes is the mark.
	Pops   uint8
	Mark   bool
	Pushes uint8
}

// table is the one source of what is known of an opcode; indexed by the
// opcode, with rows for all 256 bytes so that no index needs a check.
var table = [256]Info{
	OpMark:            {"MARK", ArgNone, 0, 0, false, 1},
	OpEmptyTuple:      {"EMPTY_TUPLE", ArgNone, 1, 0, false, 1},
	OpStop:            {"STOP", ArgNone, 0, 1, false, 0},
	OpPop:             {"POP", ArgNone, 0, 1, false, 0},
	OpPopMark:         {"POP_MARK", ArgNone, 1, 0, true, 0},
	OpDup:             {"DUP", ArgNone, 0, 1, false, 2},
	OpBinBytes:        {"BINBYTES", ArgCount4, 3, 0, false, 1},
	OpShortBinBytes:   {"SHORT_BINBYTES", ArgCount1, 3, 0, false, 1},
	OpFloat:           {"FLOAT", ArgLine, 0, 0, false, 1},
	OpBinFloat:        {"BINFLOAT", ArgFixed8, 1, 0, false, 1},
	OpInt:             {"INT", ArgLine, 0, 0, false, 1},
	OpBinInt:          {"BININT", ArgFixed4, 1, 0, false, 1},
	OpBinInt1:         {"BININT1", ArgFixed1, 1, 0, false, 1},
	OpLong:            {"LONG", ArgLine, 0, 0, false, 1},
	OpBinInt2:         {"BININT2", ArgFixed2, 1, 0, false, 1},
	OpNone:            {"NONE", ArgNone, 0, 0, false, 1},
	OpPersID:          {"PERSID", ArgLine, 0, 0, false, 1},
	OpBinPersID:       {"BINPERSID", ArgNone, 1, 1, false, 1},
	OpReduce:          {"REDUCE", ArgNone, 0, 2, false, 1},
	OpString:          {"STRING", ArgLine, 0, 0, false, 1},
	OpBinString:       {"BINSTRING", ArgCountSigned4, 1, 0, false, 1},
	OpShortBinString:  {"SHORT_BINSTRING", ArgCount1, 1, 0, false, 1},
	OpUnicode:         {"UNICODE", ArgLine, 0, 0, false, 1},
	OpBinUnicode:      {"BINUNICODE", ArgCount4, 1, 0, false, 1},
	OpEmptyList:       {"EMPTY_LIST", ArgNone, 1, 0, false, 1},
	OpAppend:          {"APPEND", ArgNone, 0, 2, false, 1},
	OpBuild:           {"BUILD", ArgNone, 0, 2, false, 1},
	OpGlobal:          {"GLOBAL", ArgTwoLines, 0, 0, false, 1},
	OpDict:            {"DICT", ArgNone, 0, 0, true, 1},
	OpAppends:         {"APPENDS", ArgNone, 1, 1, true, 1},
	OpGet:             {"GET", ArgLine, 0, 0, false, 1},
	OpBinGet:          {"BINGET", ArgFixed1, 1, 0, false, 1},
	OpInst:            {"INST", ArgTwoLines, 0, 0, true, 1},
	OpLongBinGet:      {"LONG_BINGET", ArgFixed4, 1, 0, false, 1},
	OpList:            {"LIST", ArgNone, 0, 0, true, 1},
	OpObj:             {"OBJ", ArgNone, 1, 1, true, 1},
	OpPut:             {"PUT", ArgLine, 0, 0, false, 0},
	OpBinPut:          {"BINPUT", ArgFixed1, 1, 0, false, 0},
	OpLongBinPut:      {"LONG_BINPUT", ArgFixed4, 1, 0, false, 0},
	OpSetItem:         {"SETITEM", ArgNone, 0, 3, false, 1},
	OpTuple:           {"TUPLE", ArgNone, 0, 0, true, 1},
	OpSetItems:        {"SETITEMS", ArgNone, 1, 1, true, 1},
	OpEmptyDict:       {"EMPTY_DICT", ArgNone, 1, 0, false, 1},
	OpProto:           {"PROTO", ArgFixed1, 2, 0, false, 0},
	OpNewObj:          {"NEWOBJ", ArgNone, 2, 2, false, 1},
	OpExt1:            {"EXT1", ArgFixed1, 2, 0, false, 1},
	OpExt2:            {"EXT2", ArgFixed2, 2, 0, false, 1},
	OpExt4:            {"EXT4", ArgFixed4, 2, 0, false, 1},
	OpTuple1:          {"TUPLE1", ArgNone, 2, 1, false, 1},
	OpTuple2:          {"TUPLE2", ArgNone, 2, 2, false, 1},
	OpTuple3:          {"TUPLE3", ArgNone, 2, 3, false, 1},
	OpNewTrue:         {"NEWTRUE", ArgNone, 2, 0, false, 1},
	OpNewFalse:        {"NEWFALSE", ArgNone, 2, 0, false, 1},
	OpLong1:           {"LONG1", ArgCount1, 2, 0, false, 1},
	OpLong4:           {"LONG4", ArgCountSigned4, 2, 0, false, 1},
	OpShortBinUnicode: {"SHORT_BINUNICODE", ArgCount1, 4, 0, false, 1},
	OpBinUnicode8:     {"BINUNICODE8", ArgCount8, 4, 0, false, 1},
	OpBinBytes8:       {"BINBYTES8", ArgCount8, 4, 0, false, 1},
	OpEmptySet:        {"EMPTY_SET", ArgNone, 4, 0, false, 1},
	OpAddItems:        {"ADDITEMS", ArgNone, 4, 1, true, 1},
	OpFrozenSet:       {"FROZENSET", ArgNone, 4, 0, true, 1},
	OpNewObjEx:        {"NEWOBJ_EX", ArgNone, 4, 3, false, 1},
	OpStackGlobal:     {"STACK_GLOBAL", ArgNone, 4, 2, false, 1},
	OpMemoize:         {"MEMOIZE", ArgNone, 4, 1, false, 1},
	OpFrame:           {"FRAME", ArgFixed8, 4, 0, false, 0},
	OpByteArray8:      {"BYTEARRAY8", ArgCount8, 5, 0, false, 1},
	OpNextBuffer:      {"NEXT_BUFFER", ArgNone, 5, 0, false, 1},
	OpReadOnlyBuffer:  {"READONLY_BUFFER", ArgNone, 5, 1, false, 1},
}

// Lookup returns what is known of op; ok is false when op is no opcode.
func Lookup(op byte) (info Info, ok bool) {
	info = table[op]
	return info, info.Name != ""
}

// Name returns pickletools' name of op, such as "BININT1", or "" when op is
// no opcode.
func Name(op byte) string { return table[op].Name }
