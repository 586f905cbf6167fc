// Package literal reads Python literals: what ast.literal_eval reads.
//
// These are strings and bytes with all prefixes and escapes, numbers, tuples,
// lists, dicts, sets, set(), True, False, None and the Ellipsis (...), in
// brackets nested at most 200 deep, over several lines and with comments where
// Python allows them. A number may have one sign, and a complex number may be
// the sum or difference of a real and an imaginary one.
//
// Two things that CPython reads are refused: the escape \N{...}, which needs
// the names of all characters, and identifiers written in letters that only
// Unicode's compatibility mapping makes those of "set".
package literal

import (
	"fmt"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// MaxDepth is the number of brackets that may be open at a time, which is
// what CPython's tokenizer allows.
const MaxDepth = 200

// MaxDigits is the number of digits that a decimal integer may have, as
// CPython's sys.get_int_max_str_digits() by default. Those in hexadecimal,
// octal and binary are limited by the text alone, as there.
const MaxDigits = 4300

// Error says what is wrong with a text, and where.
type Error struct {
	Offset int // in bytes
	Msg    string
	Err    error // nil, or what refused a key: a *pickleproto.TypeError
}

func (e *Error) Error() string { return fmt.Sprintf("literal: %s at byte %d", e.Msg, e.Offset) }

func (e *Error) Unwrap() error { return e.Err }

// Parse returns the value of a Python literal, in pickleproto's types: nil,
// bool, int64 or *big.Int, float64, *pickleproto.Complex, string,
// pickleproto.Bytes, pickleproto.Tuple, *pickleproto.List, *pickleproto.Dict,
// *pickleproto.Set; the Ellipsis is the Global of that name. Errors are of
// type *Error. Time and memory are linear in the text.
func Parse(text string) (any, error) {
	if !utf8.ValidString(text) {
		return nil, &Error{Offset: invalidUTF8(text), Msg: "invalid UTF-8"}
	}
	p := parser{text: text}
	v, err := p.parse()
	if err != nil {
		return nil, err
	}
	return v, nil
}

func invalidUTF8(text string) int {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(text[i:]); n == 1 {
				return i
			}
		}
	}
	return len(text)
}

var ellipsis = pickleproto.Global{Module: "builtins", Name: "Ellipsis"}
