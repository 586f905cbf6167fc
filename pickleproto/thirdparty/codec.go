// Package thirdparty puts two codecs of others behind pickleproto.Codec:
// gopickle (github.com/nlpodyssey/gopickle) reads, stalecucumber
// (github.com/hydrogen18/stalecucumber) writes.
//
// Neither is safe against hostile input by itself: both panic, and gopickle
// allocates by the lengths that the bytes declare. So a message is checked as
// a whole before gopickle sees it, a value before stalecucumber sees it, and a
// panic of theirs becomes an error. Bytes that are no pickle are a
// *pickleproto.SyntaxError, exceeded limits a *pickleproto.LimitError. A
// pickle or a value that the two cannot carry, or would carry as something
// else, is a *pickleproto.TypeError.
//
// What the two carry:
//
//	Python                          read                      written
//	None, bool, int, float          yes                       yes
//	str                             yes; protocol 0 only      yes
//	                                without escapes
//	bytes, bytearray, complex       yes                       no
//	Python 2 str                    as str; only ASCII        as str; only ASCII
//	tuple, list                     yes                       yes
//	dict                            yes                       yes, its order is lost
//	set, frozenset                  yes, their order is lost  no
//	classes, functions, instances   yes, inert, see below     no
//	persistent ids, extension       yes, inert                no
//	codes, out-of-band buffers
//	shared lists, dicts             yes                       as copies
//	lists, dicts within themselves  yes                       no
//
// Of instances these cannot be read: those with keyword arguments of __new__
// (NEWOBJ_EX), with a state setter of their own, subclasses of builtins at
// protocol 0 and 1, and the plain object(). Python 2's longs of value 0 cannot
// be read either.
//
// What is written is protocol 2 whatever WithProtocol says: every Python reads
// it. Hooks for persistent ids, extension codes and buffers are not called,
// and Limits other than Message, Depth, Memory, Marks, Digits, IntSize, Name
// and Work do not apply.
package thirdparty

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/hydrogen18/stalecucumber"
	"github.com/nlpodyssey/gopickle/pickle"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// Codec reads with gopickle and writes with stalecucumber. It is safe for use
// by many goroutines.
var Codec pickleproto.Codec = codec{}

type codec struct{}

// maxDepth bounds what no limit of the caller's may exceed, because both ways
// recurse over the value: Go's stack may not grow beyond 1 GB.
const maxDepth = 500_000

// Decode decodes data, exactly one pickle.
func (codec) Decode(data []byte, opts ...pickleproto.Option) (v any, err error) {
	limits := pickleproto.LimitsFor(len(data), opts...)
	limits.Depth = min(limits.Depth, maxDepth)
	form, err := check(data, &limits)
	if err != nil {
		return nil, err
	}
	loaded, err := load(data)
	if err != nil {
		return nil, err
	}
	return convert(loaded, form, &limits)
}

// Append appends v's pickle to dst, in protocol 2. On error it returns dst as
// it was.
func (codec) Append(dst []byte, v any, opts ...pickleproto.Option) (out []byte, err error) {
	limits := pickleproto.LimitsFor(0, opts...)
	limits.Depth = min(limits.Depth, maxDepth)
	theirs, err := prepare(v, &limits, opts)
	if err != nil {
		return dst, err
	}
	pickled, err := dump(theirs)
	if err != nil {
		return dst, err
	}
	if int64(len(pickled)) > limits.Message {
		return dst, &pickleproto.LimitError{Limit: "message", Value: uint64(len(pickled)), Max: uint64(limits.Message), Offset: -1}
	}
	return append(dst, pickled...), nil
}

// load runs gopickle over a message that check has passed.
func load(data []byte) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, cannot("gopickle", fmt.Sprint("read this pickle: ", p), -1)
		}
	}()
	u := pickle.NewUnpickler(bytes.NewReader(data))
	u.FindClass = func(module, name string) (any, error) { return &class{module: module, name: name}, nil }
	u.PersistentLoad = func(id any) (any, error) { return &persistentID{id: id}, nil }
	u.GetExtension = func(code int) (any, error) { return &extension{code: int32(code)}, nil }
	buffers := 0
	u.NextBuffer = func() (any, error) {
		buffers++
		return &pickleproto.Buffer{Index: buffers - 1}, nil
	}
	u.MakeReadOnly = func(v any) (any, error) {
		b, ok := v.(*pickleproto.Buffer)
		if !ok {
			return nil, errors.New("READONLY_BUFFER of what is no buffer")
		}
		return &pickleproto.Buffer{Index: b.Index, ReadOnly: true}, nil
	}
	v, err = u.Load()
	if err != nil {
		return nil, cannot("gopickle", "read this pickle: "+err.Error(), -1)
	}
	return v, nil
}

// dump runs stalecucumber over a value that prepare has made.
func dump(v any) (pickled []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			pickled, err = nil, cannot("stalecucumber", fmt.Sprint("write this value: ", p), -1)
		}
	}()
	var out bytes.Buffer
	if _, err := stalecucumber.NewPickler(&out).Pickle(v); err != nil {
		return nil, cannot("stalecucumber", "write this value: "+err.Error(), -1)
	}
	return out.Bytes(), nil
}

// cannot is the error for what one of the two cannot carry. The text may hold
// what they say of the input, which is cut short.
func cannot(who, what string, offset int64) error {
	const most = 120
	if len(what) > most {
		what = what[:most] + "..."
	}
	return &pickleproto.TypeError{Msg: who + " cannot " + what, Offset: offset}
}
