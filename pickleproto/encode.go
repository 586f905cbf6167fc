package pickleproto

import (
	"math"
	"math/big"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"unsafe"

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
	shaped   bool                  // there is one
	globals  map[globalName]uint32 // globals by name
	visiting map[*Object]bool      // objects that contain themselves and are being written
	progress progress
	memoBase int      // entries of a kept memo
	keep     []any    // temporaries whose addresses the memo holds
	gov      goValues // see marshal.go

	goType unsafe.Pointer // the type that was looked up last, of this message or the one before
	goPlan *savePlan      // how it is written
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
		e.memoBase = e.memo.len()
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
	if n := int64(e.memo.len() - e.memoBase); n > e.c.limits.Memo {
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
		e.memo.foreseen = 0
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
			out = cloneLong(out)
		}
		out = slices.Clip(out)
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
	e.scratch = scratch
	e.forget()
	encoders.Put(e)
	return out, err
}

// forget drops what the pickle left, field by field: the encoder is large. What newEncoder sets anew stays.
func (e *encoder) forget() {
	e.buf, e.c, e.h.cache = nil, nil, nil
	e.depth, e.taken, e.hashed, e.memoBase = 0, 0, 0, 0
	e.progress = progress{}
	if e.shaped {
		e.shapes, e.shaped = [4]shapeMemo{}, false
	}
	if e.visiting != nil || e.keep != nil {
		e.visiting, e.keep = nil, nil
	}
	if g := &e.gov; g.memo != nil || g.made != nil || g.maker.zones != nil || g.maker.protocol != 0 {
		e.gov = goValues{}
	}
}

// keepNames is how many entries the maps may have had that a pooled encoder keeps.
const keepNames = 256

// keepScratch is how large a scratch buffer may get that a pooled encoder keeps.
const keepScratch = 4 << 20

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
		if d := v.(*Dict); d != nil {
			return e.saveDict(d)
		}
	case typTuple:
		return e.saveTuple(v.(Tuple))
	}
	return e.saveValue(v)
}

func (e *encoder) saveValue(boxed any) error {
	if dataPointer(boxed) == nil && isNilValue(boxed) {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
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
		e.saveBigInt(v)
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
