package pickleproto

import (
	"encoding/binary"
	"math"
	"reflect"
	"sync"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// NOTE: the typed fast path. Most of what Go programs unmarshal is lists and dicts of numbers and
// strings in Go slices, maps and structs. For these nothing needs to be boxed: reader goes through
// the opcodes top down, with the Go type telling what to expect, and writes what it reads where it
// belongs.
//
// It knows the opcodes that picklers write for such data and nothing else. A value that begins
// otherwise, an instance above all, it leaves to the machine and the binder, and goes on behind it
// (typedpart.go). At anything that it does not expect within a value (another opcode, a type that does
// not fit, a list fetched from the memo, a limit) it gives up, and Unmarshal starts anew through the
// machine and the binder, which then say what the value is or what is wrong. So it has no errors of its
// own, and what it accepts must be just what the machine and the binder make of the same bytes; a fuzz
// target compares the two.
//
// Top down, a stack machine's language leaves one question open: whether a value that follows an
// empty list or dict belongs into it (APPEND, SETITEM come after it) or to whatever is around.
// applies looks ahead for that. Everywhere else a wrong guess ends in an opcode that does not fit,
// thus in giving up.

// fastFunc reads one value into the variable at p and reports whether it could. The variable is
// that of the plan's type; after a failure it may hold anything.
type fastFunc func(r *reader, p place) bool

type reader struct {
	data     []byte
	pos      int
	end      int // of the current frame, else of data
	framed   bool
	depth    int
	most     int   // depth that is allowed
	far      int   // depth at which a run of numbers foresees how long it is; -1 once one has
	memory   int64 // bytes that may still be allocated
	max      int64
	taken    int64 // from the budget
	c        *config
	memo     []uint32          // offsets of the opcodes that made the entries
	kept     map[uint32]string // strings fetched from the memo, by that offset
	text     string            // the block that short strings are cut from, a copy of data[textFrom:]
	textFrom int
	slabs    map[*typePlan]*pointerSlab
	keysPlan *typePlan // whose keys are in keys
	keys     []uint32
	allKeys  map[*typePlan][]uint32
	looked   int     // opcodes that applies has run
	ints     []int64 // slabs of what lies behind interfaces
	floats   []float64
	strs     []string
	intRun   []int64 // scratch of numberSlice
	floatRun []float64
	parts    *parts // what was left to the machine so far
	in       pointee
	fetched  [fetchedStrs]fetchedStr // the latest of them, by their index in the memo

	pointerPlans [8]pointerPlan // of this message's types, or those of messages before
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// noEntry is a memo entry that was left out: Python 2's cPickle counts from 1.
const noEntry = math.MaxUint32

// unmarshalFast reads the pickle at the beginning of data into what v points to, or leaves that
// unchanged and returns false.
func unmarshalFast(data []byte, v any, c *config, whole bool) (n int, ok bool) {
	r := readerOf(data, c)
	if r == nil {
		return 0, false
	}
	p := r.planBehind(v)
	if p == nil || p.fast == nil {
		r.free()
		return 0, false
	}
	// A target that holds nothing can be filled where it is: to empty it again is to leave it
	// unchanged.
	target := dataPointer(v)
	fresh := target
	inPlace := isZero(target, uintptr(p.size))
	if !inPlace {
		made := reflect.New(p.t)
		made.Elem().Set(valueAt(p.t, target))
		fresh = placeOf(made)
	}
	n, ok = r.read(fresh, p)
	r.free()
	switch {
	case !ok || whole && n != len(data):
		if inPlace {
			valueAt(p.t, target).SetZero()
		}
		return 0, false
	case !inPlace:
		valueAt(p.t, target).Set(valueAt(p.t, fresh))
	}
	return n, true
}

// readerOf makes a reader of data, to be freed; nil if the options ask for what only the machine
// can do, or are wrong.
func readerOf(data []byte, c *config) *reader {
	l := &c.limits
	if c.memo != nil || c.binding.err != nil || int64(len(data)) > l.Message || uint64(len(data)) >= noEntry ||
		l.Stack != unlimited || l.Memo != unlimited || l.IntSize < 8 || l.Marks < DefaultMaxDepth {
		return nil
	}
	r := readers.Get().(*reader)
	r.begin(data, c)
	return r
}

func (r *reader) free() {
	if r.parts != nil {
		r.parts.finish(r.data)
	}
	if r.taken > 0 {
		r.c.budget.Release(r.taken)
	}
	r.forget()
	readers.Put(r)
}

// begin prepares a reader from the pool, field by field: it is large.
func (r *reader) begin(data []byte, c *config) {
	r.data, r.pos, r.end, r.framed = data, 0, len(data), false
	r.far = 0
	r.depth, r.most = 0, int(min(c.limits.Depth, DefaultMaxDepth))-1
	r.memory = c.limits.memoryFor(len(data))
	r.max, r.taken = r.memory, 0
	r.c = c
	r.textFrom, r.looked = 0, 0
}

// forget drops what the message left, but for scratch that holds no pointers.
func (r *reader) forget() {
	r.data, r.c, r.text = nil, nil, ""
	if r.memo = r.memo[:0]; cap(r.memo) > pooledItems {
		r.memo = nil
	}
	r.parts, r.in = nil, pointee{}
	if r.keysPlan != nil {
		r.keysPlan, r.keys, r.allKeys = nil, nil, nil
	}
	if r.slabs != nil || r.kept != nil {
		if r.kept != nil {
			r.fetched = [fetchedStrs]fetchedStr{}
		}
		r.slabs, r.kept = nil, nil
	}
	if r.ints != nil || r.floats != nil || r.strs != nil {
		r.ints, r.floats, r.strs = nil, nil, nil
	}
}

func (r *reader) read(v place, p *typePlan) (n int, ok bool) {
	if !r.proto() || !p.fast(r, v) || !r.stop() {
		return 0, false
	}
	return r.pos, true
}

// proto takes the PROTO that a pickle may begin with.
func (r *reader) proto() bool {
	if len(r.data) > 2 && r.data[0] == wire.OpProto {
		if r.data[1] > HighestProtocol {
			return false
		}
		r.pos = 2
	}
	return true
}

// stop takes the STOP, with which a frame must end as well.
func (r *reader) stop() bool {
	if r.peek() != wire.OpStop {
		return false
	}
	r.pos++
	return !r.framed || r.pos == r.end
}

// peek returns the next opcode, or 0, which is none. At a frame's end it enters the next one.
func (r *reader) peek() byte {
	if r.pos < r.end && r.data[r.pos] != wire.OpFrame {
		return r.data[r.pos]
	}
	return r.nextFrame()
}

func (r *reader) nextFrame() byte {
	for {
		if r.pos >= r.end {
			if r.end == len(r.data) {
				return 0
			}
			r.end, r.framed = len(r.data), false
		}
		op := r.data[r.pos]
		if op != wire.OpFrame {
			return op
		}
		if r.framed || len(r.data)-r.pos < 9 {
			return 0
		}
		n := binary.LittleEndian.Uint64(r.data[r.pos+1:])
		if n > uint64(len(r.data)-r.pos-9) {
			return 0 // and again if asked again
		}
		r.pos += 9
		r.end, r.framed = r.pos+int(n), true
	}
}

// charge counts n bytes about to be allocated.
func (r *reader) charge(n int) bool {
	r.memory -= int64(n)
	return r.memory >= 0 && (r.c.budget == nil || r.chargeBudget())
}

// chargeBudget takes from the shared budget in lumps what has been charged since.
func (r *reader) chargeBudget() bool {
	more := budgetLump(r.max-r.memory, r.taken)
	if more > 0 && !r.c.budget.Acquire(more) {
		return false
	}
	r.taken += more
	return true
}

func (r *reader) enter() bool {
	r.depth++
	return r.depth <= r.most
}

// put takes the opcode, if there is one, that memoizes the value made by the opcode at offset at.
func (r *reader) put(at int) bool {
	switch r.peek() {
	case wire.OpMemoize:
		if r.countsFromOne() {
			return false
		}
		r.pos++
	case wire.OpBinPut:
		if r.end-r.pos < 2 || !r.putAt(int(r.data[r.pos+1])) {
			return false
		}
		r.pos += 2
	case wire.OpLongBinPut:
		if r.end-r.pos < 5 || !r.putAt(int(binary.LittleEndian.Uint32(r.data[r.pos+1:]))) {
			return false
		}
		r.pos += 5
	default:
		return true
	}
	r.memo = append(r.memo, uint32(at))
	return true
}

// countsFromOne reports whether the memo does, which no pickler has together with MEMOIZE.
func (r *reader) countsFromOne() bool { return len(r.memo) > 0 && r.memo[0] == noEntry }

func (r *reader) putAt(n int) bool {
	if n == 1 && len(r.memo) == 0 {
		r.memo = append(r.memo, noEntry)
	}
	return n == len(r.memo)
}

// get takes a GET and returns its entry's index in the memo.
func (r *reader) get() (n uint32, ok bool) {
	if r.data[r.pos] == wire.OpBinGet {
		if r.end-r.pos < 2 {
			return 0, false
		}
		n = uint32(r.data[r.pos+1])
		r.pos += 2
	} else {
		if r.end-r.pos < 5 {
			return 0, false
		}
		n = binary.LittleEndian.Uint32(r.data[r.pos+1:])
		r.pos += 5
	}
	return n, uint64(n) < uint64(len(r.memo)) && r.memo[n] != noEntry
}

// strAt returns the text of the str opcode at offset at, which must end by end, and what follows.
func (r *reader) strAt(at, end int) (b []byte, next int, ok bool) {
	if at >= end {
		return nil, 0, false
	}
	n := uint64(0)
	i := at + 1
	switch r.data[at] {
	case wire.OpShortBinUnicode:
		if end-i < 1 {
			return nil, 0, false
		}
		n = uint64(r.data[i])
		i++
	case wire.OpBinUnicode:
		if end-i < 4 {
			return nil, 0, false
		}
		n = uint64(binary.LittleEndian.Uint32(r.data[i:]))
		i += 4
	case wire.OpBinUnicode8:
		if end-i < 8 {
			return nil, 0, false
		}
		n = binary.LittleEndian.Uint64(r.data[i:])
		i += 8
	default:
		return nil, 0, false
	}
	if n > uint64(end-i) {
		return nil, 0, false
	}
	return r.data[i : i+int(n)], i + int(n), true
}

// key takes a str and returns its text where it lies in the message. It is not known to be UTF-8.
func (r *reader) key() (b []byte, ok bool) {
	switch r.peek() {
	case wire.OpShortBinUnicode:
		at := r.pos
		if r.end-at < 2 {
			return nil, false
		}
		n := int(r.data[at+1])
		if r.end-at-2 < n {
			return nil, false
		}
		r.pos = at + 2 + n
		return r.data[at+2 : r.pos], r.put(at)
	case wire.OpBinGet, wire.OpLongBinGet:
		n, ok := r.get()
		if !ok {
			return nil, false
		}
		b, _, ok := r.strAt(int(r.memo[n]), len(r.data))
		return b, ok
	case wire.OpBinUnicode, wire.OpBinUnicode8:
		at := r.pos
		b, next, ok := r.strAt(at, r.end)
		r.pos = next
		return b, ok && r.put(at)
	}
	return nil, false
}

// str takes a str.
func (r *reader) str() (s string, ok bool) {
	if r.shortStr(&s) {
		return s, true
	}
	return r.otherStr(r.peek())
}

// otherStr takes a str that shortStr does not. op is what peek says.
func (r *reader) otherStr(op byte) (s string, ok bool) {
	switch op {
	case wire.OpShortBinUnicode:
		at := r.pos
		if r.end-at < 2 {
			return "", false
		}
		next := at + 2 + int(r.data[at+1])
		if next > r.end {
			return "", false
		}
		if s, ok = r.keep(at+2, next); !ok {
			return "", false
		}
		r.pos = next
		return s, r.put(at)
	case wire.OpBinGet, wire.OpLongBinGet:
		n, ok := r.get()
		if !ok {
			return "", false
		}
		at := r.memo[n]
		if f := &r.fetched[n%fetchedStrs]; f.at == at+1 {
			return f.s, true
		}
		return r.fetch(at, n)
	}
	at := r.pos
	b, next, ok := r.strAt(at, r.end)
	if !ok {
		return "", false
	}
	if s, ok = r.keep(next-len(b), next); !ok {
		return "", false
	}
	r.pos = next
	return s, r.put(at)
}

// fetchedStrs is how many strings fetched from the memo are at hand; a few, such as the words of a
// list of choices, make up most of what is fetched.
const fetchedStrs = 32

// fetchedStr is a string made of the str whose opcode is at offset at-1.
type fetchedStr struct {
	at uint32
	s  string
}

// fetch returns the str whose opcode is at offset at, entry n of the memo: one string for all that
// fetch it.
func (r *reader) fetch(at, n uint32) (s string, ok bool) {
	b, next, ok := r.strAt(int(at), len(r.data))
	if !ok {
		return "", false
	}
	if s, ok = r.kept[at]; !ok {
		if s, ok = r.keep(next-len(b), next); !ok || !r.charge(48) {
			return "", false
		}
		if r.kept == nil {
			r.kept = map[uint32]string{}
		}
		r.kept[at] = s
	}
	r.fetched[n%fetchedStrs] = fetchedStr{at + 1, s}
	return s, true
}

// Short strings are cut from a copy of a block of the message: one allocation for many. A string
// that the program keeps keeps its block. longString are those that get memory of their own.
const (
	textBlockSize = 8192
	longString    = 1024
)

// keep returns data[from:to], which must be UTF-8, in memory of its own.
func (r *reader) keep(from, to int) (string, bool) {
	if !ascii(r.data, from, to) && !utf8.Valid(r.data[from:to]) {
		return "", false
	}
	if from >= r.textFrom && to <= r.textFrom+len(r.text) {
		return r.text[from-r.textFrom : to-r.textFrom], true
	}
	return r.keepApart(from, to)
}

// keepApart is keep for what does not lie in the current block.
func (r *reader) keepApart(from, to int) (string, bool) {
	switch n := to - from; {
	case n == 0:
		return "", true
	case r.c.lend:
		return stringOf(r.data[from:to]), true
	case n > longString || r.c.copyStrings || from < r.textFrom:
		return string(r.data[from:to]), r.charge(n)
	}
	end := min(len(r.data), from+textBlockSize)
	if !r.charge(end - from) {
		return "", false
	}
	r.text, r.textFrom = string(r.data[from:end]), from
	return r.text[:to-from], true
}

// integer takes an int of at most 64 bits.
func (r *reader) integer() (n int64, ok bool) {
	// The widest of the common arguments, and its opcode: one comparison for all.
	if d := r.data[r.pos:r.end]; len(d) >= 5 {
		switch d[0] {
		case wire.OpBinInt1:
			r.pos += 2
			return int64(d[1]), true
		case wire.OpBinInt2:
			r.pos += 3
			return int64(d[1]) | int64(d[2])<<8, true
		case wire.OpBinInt:
			r.pos += 5
			return int64(int32(binary.LittleEndian.Uint32(d[1:]))), true
		}
	}
	op := r.peek()
	d := r.data[r.pos:r.end]
	switch op {
	case wire.OpBinInt1:
		if len(d) < 2 {
			return 0, false
		}
		r.pos += 2
		return int64(d[1]), true
	case wire.OpBinInt2:
		if len(d) < 3 {
			return 0, false
		}
		r.pos += 3
		return int64(d[1]) | int64(d[2])<<8, true
	case wire.OpBinInt:
		if len(d) < 5 {
			return 0, false
		}
		r.pos += 5
		return int64(int32(binary.LittleEndian.Uint32(d[1:]))), true
	case wire.OpLong1:
		if len(d) < 2 || d[1] > 8 || len(d) < 2+int(d[1]) {
			return 0, false
		}
		k := 2 + int(d[1])
		r.pos += k
		return decodeLong64(d[2:k]), true
	}
	return 0, false
}

// float takes a float, or an int that it holds exactly.
func (r *reader) float() (f float64, ok bool) {
	if d := r.data[r.pos:r.end]; len(d) >= 9 && d[0] == wire.OpBinFloat {
		r.pos += 9
		return math.Float64frombits(binary.BigEndian.Uint64(d[1:])), true
	}
	if r.peek() == wire.OpBinFloat {
		if r.end-r.pos < 9 {
			return 0, false
		}
		f = math.Float64frombits(binary.BigEndian.Uint64(r.data[r.pos+1:]))
		r.pos += 9
		return f, true
	}
	n, ok := r.integer()
	return float64(n), ok && -1<<53 <= n && n <= 1<<53
}

// none takes None.
func (r *reader) none() bool {
	if r.peek() != wire.OpNone {
		return false
	}
	r.pos++
	return true
}

// lookAhead bounds how far applies looks, in opcodes.
const lookAhead = 256

// applies reports whether the value or values that follow a container end in the opcode op
// (APPEND, SETITEM) that puts them into it. It runs the opcodes by what they do to the height of
// the stack, which says so exactly; it gives up, saying false, after lookAhead of them, and when it
// has run more in all than the pickle has bytes: many empty lists would make it look at each byte
// lookAhead times.
func (r *reader) applies(op byte) bool {
	need := 1
	if op == wire.OpSetItem {
		need = 2
	}
	var markAt [16]int
	marks := 0
	height := 0 // above the container
	for pos, steps := r.pos, 0; pos < len(r.data) && steps < lookAhead && r.looked < len(r.data)+lookAhead; steps++ {
		r.looked++
		next := r.data[pos]
		info, known := wire.Lookup(next)
		if !known {
			return false
		}
		if next == op && height == need {
			return true
		}
		_, end, ok := argument(r.data, pos+1, info.Arg)
		if !ok {
			return false
		}
		pos = end
		switch next {
		case wire.OpMark:
			if marks == len(markAt) {
				return false
			}
			markAt[marks] = height
			marks++
			continue
		case wire.OpFrame, wire.OpMemoize, wire.OpBinPut, wire.OpLongBinPut:
			continue
		case wire.OpStop, wire.OpPop, wire.OpPopMark:
			return false
		}
		if info.Mark {
			if marks == 0 {
				return false
			}
			marks--
			height = markAt[marks]
		}
		if height -= int(info.Pops); height < 0 {
			return false
		}
		height += int(info.Pushes)
	}
	return false
}
