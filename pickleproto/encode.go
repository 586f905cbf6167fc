package pickleproto

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"runtime"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// The pickling side. Each saveXxx is pickle.py's save_xxx; where pickle.py and _pickle.c differ
// it does what C does. Output is only ever appended, so on an error the caller has what it had.

// encoder is the state of one encoding; encoders are pooled.
type encoder struct {
	buf     []byte
	scratch []byte // where Marshal writes, to copy what it made when the size is known
	proto   int
	bin     bool // protocol 1 or higher
	hooked  bool // there is a hook for persistent ids
	c       *config
	memo    memoTable
	depth   int64
	h       hasher
	taken   int64 // from the budget
	hashed  int64 // what it takes Python to hash the keys so far

	frameStart int // offset of the current frame's header; -1 without
	frameLimit int // the length of buf from which on a frame ends at the next opcode boundary
	base       int // the length of buf before the pickle
	most       int // the length that the limit of the message allows; frameLimit is never more

	names    map[nameKey]uint32    // module and attribute names by text
	shapes   [4]shapeMemo          // see saveShape
	globals  map[globalName]uint32 // globals by name
	visiting map[*Object]bool      // objects that contain themselves and are being written
	progress progress
	memoBase int      // entries of a kept memo
	keep     []any    // temporaries whose addresses the memo holds
	gov      goValues // see marshal.go
}

const (
	frameSizeTarget = 64 << 10
	frameSizeMin    = 4
	frameHeaderSize = 9
)

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// encode appends the pickle of v, a Python value, to dst. On error it returns dst as it was.
func encode(dst []byte, v any, c *config) ([]byte, error) {
	e, err := newEncoder(dst, c)
	if err != nil {
		return dst, err
	}
	err = e.saveRoot(v)
	return e.release(dst, v, err)
}

// saveRoot writes all of the pickle but what begins it.
func (e *encoder) saveRoot(v any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			b, ok := r.(bail)
			if !ok {
				panic(r)
			}
			err = b.err
		}
	}()
	if err = e.save(v); err == nil {
		e.finish()
	}
	return err
}

// newEncoder takes an encoder from the pool and writes the beginning of a pickle.
func newEncoder(dst []byte, c *config) (*encoder, error) {
	if c.protocol < 0 || c.protocol > HighestProtocol {
		return nil, &TypeError{Offset: -1, Msg: "pickle protocol must be 0 to " + itoa(HighestProtocol) + ", not " + itoa(int64(c.protocol))}
	}
	e := encoders.Get().(*encoder)
	e.buf, e.c, e.proto, e.bin = dst, c, c.protocol, c.protocol >= 1
	e.hooked = c.persistentID != nil
	if dst == nil {
		e.buf = e.scratch[:0]
	}
	if c.memo != nil {
		e.memo, e.names, e.globals = c.memo.table, c.memo.names, c.memo.globals
		e.memoBase = e.memo.n
	}
	e.h.depth = int(c.limits.Depth)
	e.base = len(dst)
	e.most = int(min(int64(e.base)+c.encodeMost, math.MaxInt))
	e.frameStart, e.frameLimit = -1, min(len(e.buf)+frameSizeTarget, e.most)
	if e.proto >= 2 {
		e.buf = append(e.buf, wire.OpProto, byte(e.proto))
	}
	if e.proto >= 4 {
		e.beginFrame()
	}
	return e, nil
}

// finish writes the end of the pickle.
func (e *encoder) finish() {
	e.buf = append(e.buf, wire.OpStop)
	if e.proto >= 4 {
		e.commitFrame()
	}
	e.checkLength()
	if n := int64(e.memo.n - e.memoBase); n > e.c.limits.Memo {
		panic(bail{&LimitError{Limit: "memo", Value: uint64(n), Max: uint64(e.c.limits.Memo), Offset: -1}})
	}
}

// checkLength refuses a pickle that has become too long. Few values are not memoised, large
// integers and persistent ids, but these a small pickle may mention any number of times.
func (e *encoder) checkLength() {
	if len(e.buf) > e.most {
		panic(bail{&LimitError{Limit: "message", Value: uint64(len(e.buf) - e.base), Max: uint64(e.most - e.base), Offset: -1}})
	}
}

// foresee checks that n bytes more are allowed, before they are written.
func (e *encoder) foresee(n int) {
	if n > e.most-len(e.buf) {
		panic(bail{&LimitError{Limit: "message", Value: uint64(len(e.buf) - e.base + n), Max: uint64(e.most - e.base), Offset: -1}})
	}
	if e.c.budget != nil {
		e.account(len(e.buf) - e.base + n)
	}
}

// account takes what has been written from the shared budget.
func (e *encoder) account(n int) {
	if more := int64(n) - e.taken; more > 0 {
		if !e.c.budget.Acquire(more) {
			panic(bail{&LimitError{Limit: "memory budget", Value: uint64(e.c.budget.Used() + more), Max: uint64(e.c.budget.Max()), Offset: -1}})
		}
		e.taken += more
	}
}

// release returns the encoder to the pool and returns what was written, or dst after an error.
func (e *encoder) release(dst []byte, root any, err error) ([]byte, error) {
	if m := e.c.memo; m != nil {
		m.table, m.names, m.globals = e.memo, e.names, e.globals
		e.memo, e.names, e.globals = memoTable{}, nil, nil
		m.keep = append(m.keep, root, e.keep)
		if err != nil {
			m.forget(e.memoBase)
		}
	}
	if e.taken > 0 {
		e.c.budget.Release(e.taken)
	}
	runtime.KeepAlive(root)
	runtime.KeepAlive(e.keep)
	out, scratch := e.buf, e.scratch
	if dst == nil {
		if cap(out) <= keepScratch {
			scratch = out
			out = append([]byte(nil), out...)
		}
		if err != nil {
			out = nil
		}
	} else if err != nil {
		out = dst
	}
	e.memo.reset()
	// Clearing a map takes the time of the largest that it ever was.
	if len(e.names) > keepNames {
		e.names = nil
	} else if len(e.names) > 0 {
		clear(e.names)
	}
	if len(e.globals) > keepNames {
		e.globals = nil
	} else if len(e.globals) > 0 {
		clear(e.globals)
	}
	*e = encoder{memo: e.memo, names: e.names, globals: e.globals, scratch: scratch}
	encoders.Put(e)
	return out, err
}

// keepNames is how many entries the maps may have had that a pooled encoder keeps.
const keepNames = 256

// keepScratch is how large a scratch buffer may get that a pooled encoder keeps.
const keepScratch = 4 << 20

// Frames. C starts one with the first write after the last has ended; there always is one, so
// here it starts at once.

func (e *encoder) beginFrame() {
	e.frameStart = len(e.buf)
	e.frameLimit = min(e.frameStart+frameHeaderSize+frameSizeTarget, e.most)
	e.buf = append(e.buf, wire.OpFrame, 0, 0, 0, 0, 0, 0, 0, 0)
}

func (e *encoder) commitFrame() {
	body := e.frameStart + frameHeaderSize
	if n := len(e.buf) - body; n >= frameSizeMin {
		binary.LittleEndian.PutUint64(e.buf[e.frameStart+1:], uint64(n))
	} else {
		e.buf = append(e.buf[:e.frameStart], e.buf[body:]...)
	}
}

// nextFrame is C's opcode boundary, for a frame that is full. It is also called, at any protocol,
// when the message gets near its limit.
func (e *encoder) nextFrame() {
	e.checkLength()
	if e.c.budget != nil {
		e.account(len(e.buf) - e.base)
	}
	e.reserve(2 * frameSizeTarget)
	if e.proto < 4 {
		e.frameLimit = min(len(e.buf)+frameSizeTarget, e.most)
	} else if len(e.buf) >= e.frameStart+frameHeaderSize+frameSizeTarget {
		e.commitFrame()
		e.beginFrame()
	}
}

// reserve makes room for n bytes in a large buffer; append alone would grow it by a quarter, and copy
// it, over and over.
func (e *encoder) reserve(n int) {
	if cap(e.buf)-len(e.buf) < n && len(e.buf) >= 8*frameSizeTarget {
		foreseen := e.progress.foresee(e.progress.output, len(e.buf))
		b := make([]byte, len(e.buf), grownSize(cap(e.buf), len(e.buf)+n, foreseen+n))
		copy(b, e.buf)
		e.buf = b
	}
}

// write appends an opcode with its header and a payload; a large one goes outside of any frame.
func (e *encoder) write(header []byte, payload string) {
	if len(payload) >= frameSizeTarget {
		e.foresee(len(payload))
	}
	e.reserve(len(payload))
	if len(payload) >= frameSizeTarget && e.proto >= 4 {
		e.commitFrame()
		e.buf = append(append(e.buf, header...), payload...)
		e.beginFrame()
		return
	}
	e.buf = append(append(e.buf, header...), payload...)
}

// save writes v.
func (e *encoder) save(v any) error {
	if len(e.buf) >= e.frameLimit {
		e.nextFrame()
	}
	if e.hooked {
		if id, ok := e.c.persistentID(v); ok {
			e.keep = append(e.keep, id)
			return e.savePers(id)
		}
	}
	switch typeWord(v) { // what most values are, without the search of a type switch
	case typString:
		return e.saveStr(v.(string))
	case typInt64:
		e.saveInt(v.(int64))
		return nil
	case nil:
		e.buf = append(e.buf, wire.OpNone)
		return nil
	case typFloat64:
		e.saveFloat(v.(float64))
		return nil
	case typDict:
		return e.saveDict(v.(*Dict))
	case typTuple:
		return e.saveTuple(v.(Tuple))
	}
	return e.saveValue(v)
}

func (e *encoder) saveValue(boxed any) error {
	switch v := boxed.(type) {
	case string:
		return e.saveStr(v)
	case int64:
		e.saveInt(v)
	case nil:
		e.buf = append(e.buf, wire.OpNone)
	case bool:
		e.saveBool(v)
	case float64:
		e.saveFloat(v)
	case *Dict:
		return e.saveDict(v)
	case *List:
		return e.saveList(v)
	case Tuple:
		return e.saveTuple(v)
	case Bytes:
		return e.saveBytes(v)
	case *Object:
		return e.saveObject(v)
	case *FrozenSet:
		return e.saveFrozenSet(v)
	case *Set:
		return e.saveSet(v)
	case *big.Int:
		if v == nil {
			e.buf = append(e.buf, wire.OpNone)
		} else {
			e.saveBigInt(v)
		}
	case Global:
		return e.saveGlobal(v, uintptr(dataPointer(boxed)))
	case *Complex:
		return e.saveComplex(v)
	case *ByteArray:
		return e.saveByteArray(v)
	case ByteString:
		e.saveByteString(v)
	case Long:
		e.saveLong(v)
	case Int:
		if e.proto < 3 {
			e.buf = append(e.buf, wire.OpInt)
			e.buf = append(strconv.AppendInt(e.buf, int64(v), 10), '\n')
		} else {
			e.saveInt(int64(v))
		}
	case *PersistentID:
		return e.savePers(v.ID)
	case Extension:
		return e.saveExtension(v)
	case *Buffer:
		return e.saveBuffer(v)
	default:
		return e.saveGo(v)
	}
	return nil
}

func (e *encoder) saveBool(v bool) {
	switch {
	case e.proto >= 2 && v:
		e.buf = append(e.buf, wire.OpNewTrue)
	case e.proto >= 2:
		e.buf = append(e.buf, wire.OpNewFalse)
	case v:
		e.buf = append(e.buf, "I01\n"...)
	default:
		e.buf = append(e.buf, "I00\n"...)
	}
}

func (e *encoder) saveInt(n int64) {
	switch {
	case !e.bin:
		if n == int64(int32(n)) {
			e.buf = append(strconv.AppendInt(append(e.buf, wire.OpInt), n, 10), '\n')
		} else {
			e.buf = append(strconv.AppendInt(append(e.buf, wire.OpLong), n, 10), 'L', '\n')
		}
	case uint64(n) <= 0xff:
		e.buf = append(e.buf, wire.OpBinInt1, byte(n))
	case uint64(n) <= 0xffff:
		e.buf = append(e.buf, wire.OpBinInt2, byte(n), byte(n>>8))
	case n == int64(int32(n)):
		e.buf = append(e.buf, wire.OpBinInt, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	case e.proto >= 2:
		e.saveLong1(n)
	default:
		e.buf = append(strconv.AppendInt(append(e.buf, wire.OpLong), n, 10), 'L', '\n')
	}
}

// saveLong1 writes LONG1 with as few bytes as two's complement needs.
func (e *encoder) saveLong1(n int64) {
	k := 8
	for k > 1 {
		top := int8(n >> (8 * (k - 1)))
		if next := int8(n >> (8 * (k - 2))); top != next>>7 {
			break
		}
		k--
	}
	e.buf = append(e.buf, wire.OpLong1, byte(k))
	for i := range k {
		e.buf = append(e.buf, byte(n>>(8*i)))
	}
}

func (e *encoder) saveLong(v Long) {
	switch {
	case e.proto < 2:
		e.buf = append(strconv.AppendInt(append(e.buf, wire.OpLong), int64(v), 10), 'L', '\n')
	case v == 0:
		e.buf = append(e.buf, wire.OpLong1, 0)
	default:
		e.saveLong1(int64(v))
	}
}

func (e *encoder) saveBigInt(v *big.Int) {
	if v.IsInt64() {
		e.saveInt(v.Int64())
		return
	}
	n := v.BitLen()>>3 + 1
	if e.proto < 2 {
		e.checkDigits(float64(v.BitLen()-1) * math.Log10(2)) // before the work, as CPython does
		start := len(e.buf)
		e.buf = append(v.Append(append(e.buf, wire.OpLong), 10), 'L', '\n')
		e.checkDigits(float64(len(bytes.TrimPrefix(e.buf[start+1:], []byte("-"))) - 2))
		return
	}
	if int64(n) > e.c.limits.IntSize+1 || int64(n) > e.c.limits.IntSize && bigSize(v) > e.c.limits.IntSize {
		panic(bail{&LimitError{Limit: "int size", Value: uint64(bigSize(v)), Max: uint64(e.c.limits.IntSize), Offset: -1}})
	}
	b := make([]byte, n)
	if v.Sign() > 0 {
		v.FillBytes(b)
	} else {
		w := new(big.Int).Not(v)
		w.FillBytes(b)
		for i := range b {
			b[i] = ^b[i]
		}
		// One byte too many, when the magnitude is exactly a power of 2 that fits.
		if n > 1 && b[0] == 0xff && b[1]&0x80 != 0 {
			b = b[1:]
			n--
		}
	}
	if n < 256 {
		e.buf = append(e.buf, wire.OpLong1, byte(n))
	} else {
		e.buf = binary.LittleEndian.AppendUint32(append(e.buf, wire.OpLong4), uint32(n))
	}
	for i := n - 1; i >= 0; i-- {
		e.buf = append(e.buf, b[i])
	}
}

// bigSize is the number of bytes that v has in two's complement.
func bigSize(v *big.Int) int64 {
	bits := v.BitLen()
	if v.Sign() < 0 {
		bits = new(big.Int).Not(v).BitLen()
	}
	return int64(bits>>3 + 1)
}

func (e *encoder) checkDigits(n float64) {
	if n > float64(e.c.limits.Digits) {
		panic(bail{&LimitError{Limit: "digits", Value: uint64(math.Ceil(n)), Max: uint64(e.c.limits.Digits), Offset: -1, Opcode: "LONG"}})
	}
}

func (e *encoder) saveFloat(f float64) {
	if e.bin {
		x := math.Float64bits(f)
		e.buf = append(e.buf, wire.OpBinFloat, byte(x>>56), byte(x>>48), byte(x>>40), byte(x>>32), byte(x>>24), byte(x>>16), byte(x>>8), byte(x))
		return
	}
	e.buf = append(appendFloatRepr(append(e.buf, wire.OpFloat), f), '\n')
}

// Memo opcodes.

// memoGet writes the opcode that fetches a memo entry.
func (e *encoder) memoGet(index uint32) {
	switch {
	case !e.bin:
		e.buf = append(strconv.AppendUint(append(e.buf, wire.OpGet), uint64(index), 10), '\n')
	case index < 256:
		e.buf = append(e.buf, wire.OpBinGet, byte(index))
	default:
		e.buf = append(e.buf, wire.OpLongBinGet, byte(index), byte(index>>8), byte(index>>16), byte(index>>24))
	}
}

// memoPut writes the opcode that stores what was just written as entry index.
func (e *encoder) memoPut(index uint32) {
	switch {
	case e.proto >= 4:
		e.buf = append(e.buf, wire.OpMemoize)
	case !e.bin:
		e.buf = append(strconv.AppendUint(append(e.buf, wire.OpPut), uint64(index), 10), '\n')
	case index < 256:
		e.buf = append(e.buf, wire.OpBinPut, byte(index))
	default:
		e.buf = append(e.buf, wire.OpLongBinPut, byte(index), byte(index>>8), byte(index>>16), byte(index>>24))
	}
}

// memoSkip memoises a temporary that CPython makes and nothing can refer to again.
func (e *encoder) memoSkip() {
	e.memoPut(uint32(e.memo.n))
	e.memo.n++
}

// latin1 holds what stands for the strs that CPython has but one of: their identity is their value.
// Entry 256 is the empty str, 257 the empty bytes.
var latin1 [258]byte

// strIdentity returns what the memo knows a str by.
func strIdentity(s string) (address uintptr, tag uint32) {
	address, tag = stringAddress(s), memoTag(len(s), kindString)
	if len(s) > 2 {
		return address, tag
	}
	switch {
	case len(s) == 0:
		return addressOf(&latin1[256]), tag
	case address-addressOf(&secondChars[0]) < uintptr(len(secondChars)):
	case len(s) == 1:
		return addressOf(&latin1[s[0]&0x7f]), memoTag(1, kindString)
	case s[0]&0xfe == 0xc2:
		return addressOf(&latin1[s[0]<<6|s[1]&0x3f]), memoTag(1, kindString)
	}
	return address, tag
}

// A str that lies in secondChars is not the one that CPython has of its character but another: see
// machine.char. It holds copies of the text of all characters up to U+00FF, so that many others
// can be told apart. A copy is written once, when it is first needed; until then its pages take no
// memory.
var (
	secondChars [secondCopies * copySize]byte
	secondReady [secondCopies]sync.Once
)

const (
	secondCopies = 40_000
	copySize     = 128 + 2*128
)

// secondChar returns the text of c, of so many bytes, in the nth copy. When the copies are used up
// it begins anew, and strs of one character that far apart are taken for one.
func secondChar(c byte, size, n int) string {
	n %= secondCopies
	text := secondChars[n*copySize : (n+1)*copySize]
	secondReady[n].Do(func() {
		b := text[:0]
		for c := range rune(256) {
			b = utf8.AppendRune(b, c)
		}
	})
	i := int(c)
	if size == 2 {
		i = 128 + 2*(i-128)
	}
	return stringOf(text[i : i+size])
}

func (e *encoder) saveStr(s string) error {
	index, found := e.memo.findOrAdd(strIdentity(s))
	if found {
		e.memoGet(index)
		return nil
	}
	return e.writeStr(s, index)
}

func errNotUTF8() error {
	return &TypeError{Offset: -1, Msg: "a Go string that is not UTF-8 has no Python str: use Bytes"}
}

// writeStr writes a str that the memo has just given an index.
func (e *encoder) writeStr(s string, index uint32) error {
	if !validString(s) {
		return errNotUTF8()
	}
	n := len(s)
	switch {
	case n < 256 && e.proto >= 4:
		e.buf = append(append(e.buf, wire.OpShortBinUnicode, byte(n)), s...)
	case !e.bin:
		e.buf = append(appendRawUnicodeEscape(append(e.buf, wire.OpUnicode), s), '\n')
	case uint64(n) <= math.MaxUint32:
		e.write([]byte{wire.OpBinUnicode, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}, s)
	case e.proto >= 4:
		e.write(binary.LittleEndian.AppendUint64([]byte{wire.OpBinUnicode8}, uint64(n)), s)
	default:
		return &TypeError{Offset: -1, Msg: "cannot write a str larger than 4 GiB below protocol 4"}
	}
	e.memoPut(index)
	return nil
}

func (e *encoder) saveBytes(v Bytes) error {
	address, tag := stringAddress(string(v)), memoTag(len(v), kindBytes)
	if v == "" {
		address = addressOf(&latin1[257])
	}
	if e.proto < 3 {
		if index, ok := e.memo.find(address, tag); ok {
			e.memoGet(index)
			return nil
		}
		if err := e.saveBytesReduce(v); err != nil {
			return err
		}
		index, _ := e.memo.findOrAdd(address, tag)
		e.memoPut(index)
		return nil
	}
	index, found := e.memo.findOrAdd(address, tag)
	if found {
		e.memoGet(index)
		return nil
	}
	if err := e.writeBytes(string(v)); err != nil {
		return err
	}
	e.memoPut(index)
	return nil
}

// writeBytes writes bytes at protocol 3 and above, without their memo opcode.
func (e *encoder) writeBytes(s string) error {
	n := len(s)
	switch {
	case n < 256:
		e.buf = append(append(e.buf, wire.OpShortBinBytes, byte(n)), s...)
	case uint64(n) <= math.MaxUint32:
		e.write([]byte{wire.OpBinBytes, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}, s)
	case e.proto >= 4:
		e.write(binary.LittleEndian.AppendUint64([]byte{wire.OpBinBytes8}, uint64(n)), s)
	default:
		return &TypeError{Offset: -1, Msg: "cannot write bytes larger than 4 GiB below protocol 4"}
	}
	return nil
}

var (
	globalSet       = Global{Module: "builtins", Name: "set"}
	globalFrozenSet = Global{Module: "builtins", Name: "frozenset"}
	globalBytes     = Global{Module: "builtins", Name: "bytes"}
	globalByteArray = Global{Module: "builtins", Name: "bytearray"}
	globalComplex   = Global{Module: "builtins", Name: "complex"}
	globalEncode    = Global{Module: "_codecs", Name: "encode"}
	globalGetattr   = Global{Module: "builtins", Name: "getattr"}
	globalNewObj    = Global{Module: "copyreg", Name: "__newobj__"}
)

// latin1Name is the one 'latin1' that all bytes at protocols 0 to 2 share.
const latin1Name = "latin1"

// saveBytesReduce writes bytes as protocols 0 to 2 have to: bytes(), or _codecs.encode(text,
// 'latin1'). text is a fresh str, but for those of one character.
func (e *encoder) saveBytesReduce(v Bytes) error {
	if v == "" {
		if err := e.saveGlobal(globalBytes, 0); err != nil {
			return err
		}
		e.emptyTuple()
		e.buf = append(e.buf, wire.OpReduce)
		return nil
	}
	if err := e.saveGlobal(globalEncode, 0); err != nil {
		return err
	}
	if e.proto < 2 {
		e.buf = append(e.buf, wire.OpMark)
	}
	text := fromLatin1(string(v))
	if len(v) == 1 {
		if err := e.saveStr(text); err != nil {
			return err
		}
	} else {
		index := uint32(e.memo.n)
		e.memo.n++
		if err := e.writeStr(text, index); err != nil {
			return err
		}
	}
	if err := e.saveStr(latin1Name); err != nil {
		return err
	}
	e.closeTuple(2)
	e.buf = append(e.buf, wire.OpReduce)
	return nil
}

func (e *encoder) emptyTuple() {
	if e.bin {
		e.buf = append(e.buf, wire.OpEmptyTuple)
	} else {
		e.buf = append(e.buf, wire.OpMark, wire.OpTuple)
	}
}

// closeTuple ends a fresh tuple of n items, 1 to 3; below protocol 2 a MARK was written before them.
func (e *encoder) closeTuple(n int) {
	if e.proto >= 2 {
		e.buf = append(e.buf, wire.OpTuple1+byte(n-1))
	} else {
		e.buf = append(e.buf, wire.OpTuple)
	}
	e.memoSkip()
}

func (e *encoder) saveByteString(v ByteString) {
	index, found := e.memo.findOrAdd(stringAddress(string(v)), memoTag(len(v), kindByteString))
	if found && v != "" {
		e.memoGet(index)
		return
	}
	n := len(v)
	switch {
	case !e.bin:
		e.buf = append(appendByteStringRepr(append(e.buf, wire.OpString), string(v)), '\n')
	case n < 256:
		e.buf = append(append(e.buf, wire.OpShortBinString, byte(n)), v...)
	default:
		e.buf = append(binary.LittleEndian.AppendUint32(append(e.buf, wire.OpBinString), uint32(n)), v...)
	}
	if !found {
		e.memoPut(index)
	}
}

func (e *encoder) saveComplex(v *Complex) error {
	address, tag := addressOf(v), memoTag(0, kindPointer)
	if index, ok := e.memo.find(address, tag); ok {
		e.memoGet(index)
		return nil
	}
	if err := e.saveGlobal(globalComplex, 0); err != nil {
		return err
	}
	if e.proto < 2 {
		e.buf = append(e.buf, wire.OpMark)
	}
	e.saveFloat(v.Real)
	e.saveFloat(v.Imag)
	e.closeTuple(2)
	e.buf = append(e.buf, wire.OpReduce)
	index, _ := e.memo.findOrAdd(address, tag)
	e.memoPut(index)
	return nil
}

func (e *encoder) saveByteArray(v *ByteArray) error {
	address, tag := addressOf(v), memoTag(0, kindPointer)
	if index, ok := e.memo.find(address, tag); ok {
		e.memoGet(index)
		return nil
	}
	if e.proto >= 5 {
		e.writeByteArray(v.Data)
	} else {
		if err := e.saveGlobal(globalByteArray, 0); err != nil {
			return err
		}
		if len(v.Data) == 0 {
			e.emptyTuple()
		} else {
			if e.proto < 2 {
				e.buf = append(e.buf, wire.OpMark)
			}
			if err := e.saveFreshBytes(stringOf(v.Data)); err != nil {
				return err
			}
			e.closeTuple(1)
		}
		e.buf = append(e.buf, wire.OpReduce)
	}
	index, _ := e.memo.findOrAdd(address, tag)
	e.memoPut(index)
	return nil
}

func (e *encoder) writeByteArray(data []byte) {
	e.write(binary.LittleEndian.AppendUint64([]byte{wire.OpByteArray8}, uint64(len(data))), stringOf(data))
}

// saveFreshBytes writes bytes that CPython makes for this purpose, so that they are never in the memo.
func (e *encoder) saveFreshBytes(s string) error {
	if len(e.buf) >= e.frameLimit {
		e.nextFrame()
	}
	var err error
	if e.proto < 3 {
		err = e.saveBytesReduce(Bytes(s))
	} else {
		err = e.writeBytes(s)
	}
	e.memoSkip()
	return err
}

func (e *encoder) savePers(id any) error {
	if e.bin {
		// Persistent ids are not memoised. One that is the id of another, and so on, costs a byte
		// for each that it stands for, and here no more than a step of this loop.
		levels := int64(1)
		for ; ; levels++ {
			p, ok := id.(*PersistentID)
			if !ok || e.depth+levels > e.c.limits.Depth {
				break
			}
			id = p.ID
		}
		e.depth += levels - 1
		if err := e.enter(); err != nil {
			return err
		}
		if err := e.saveValue(id); err != nil {
			return err
		}
		e.depth -= levels
		for range levels {
			e.buf = append(e.buf, wire.OpBinPersID)
		}
		return nil
	}
	var s string
	switch id := id.(type) {
	case string:
		s = id
	case int64:
		s = itoa(id)
	default:
		return &TypeError{Offset: -1, Msg: "persistent IDs in protocol 0 must be ASCII strings"}
	}
	if !isASCII(s) || hasNewline(s) {
		return &TypeError{Offset: -1, Msg: "persistent IDs in protocol 0 must be ASCII strings"}
	}
	e.buf = append(append(append(e.buf, wire.OpPersID), s...), '\n')
	return nil
}

func (e *encoder) saveExtension(v Extension) error {
	switch {
	case v <= 0:
		return &TypeError{Offset: -1, Msg: "extension code " + itoa(int64(v)) + " is out of range"}
	case v <= 0xff:
		e.buf = append(e.buf, wire.OpExt1, byte(v))
	case v <= 0xffff:
		e.buf = append(e.buf, wire.OpExt2, byte(v), byte(v>>8))
	default:
		e.buf = binary.LittleEndian.AppendUint32(append(e.buf, wire.OpExt4), uint32(v))
	}
	return nil
}

func (e *encoder) saveBuffer(v *Buffer) error {
	address, tag := addressOf(v), memoTag(0, kindPointer)
	if index, ok := e.memo.find(address, tag); ok {
		e.memoGet(index)
		return nil
	}
	if e.proto < 5 {
		return &TypeError{Offset: -1, Msg: "PickleBuffer can only be pickled with protocol >= 5"}
	}
	if v.Data == nil || e.c.bufferCallback != nil && !e.c.bufferCallback(v) {
		e.buf = append(e.buf, wire.OpNextBuffer)
		if v.ReadOnly {
			e.buf = append(e.buf, wire.OpReadOnlyBuffer)
		}
		return nil
	}
	if v.ReadOnly {
		if err := e.writeBytes(stringOf(v.Data)); err != nil {
			return err
		}
	} else {
		e.writeByteArray(v.Data)
	}
	index, _ := e.memo.findOrAdd(address, tag)
	e.memoPut(index)
	return nil
}
