package wire

import "strconv"

// Error says what is wrong with the bytes, and where.
type Error struct {
	Offset int64 // of the opcode, from the first byte of the pickle
	Op     byte  // the opcode, or the byte that is none; see HasOp
	HasOp  bool  // false where the bytes ended before an opcode
	Msg    string
}

func (e *Error) Error() string { return describe(e.Msg, e.Offset, e.Op, e.HasOp) }

// LimitError says that a pickle is, or announces to be, longer than allowed.
type LimitError struct {
	Value  uint64 // the size that the pickle has or announces, at least
	Max    uint64 // the size allowed
	Offset int64  // of the opcode, from the first byte of the pickle
	Op     byte   // the opcode; see HasOp
	HasOp  bool   // false where the limit fell between two opcodes
}

func (e *LimitError) Error() string {
	msg := "message of at least " + strconv.FormatUint(e.Value, 10) + " bytes exceeds the limit of " + strconv.FormatUint(e.Max, 10)
	return describe(msg, e.Offset, e.Op, e.HasOp)
}

func describe(msg string, offset int64, op byte, hasOp bool) string {
	s := "pickle: " + msg + " at byte " + strconv.FormatInt(offset, 10)
	if name := Name(op); hasOp && name != "" {
		s += " (" + name + ")"
	}
	return s
}
