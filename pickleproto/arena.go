package pickleproto

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// arena is where one decoded message takes its memory from: slabs of values of one kind, which
// cost one allocation for many values and leave the collector few objects to look at. A slab
// starts small and doubles, so that a small message does not pay for a large one. What is kept
// of a message keeps its slabs: of each kind at most 4 KiB or, if that is more, a 32nd of the
// message, and never more than 32 KiB.
//
// The arena also counts: every slab, and whatever else a message makes grow, is charged against
// the memory limit before it is allocated.
type arena struct {
	ints     []int64
	floats   []float64
	strs     []string
	cells    []any
	tuples   []Tuple
	lists    []List
	dicts    []Dict
	tables   []keyTable
	sets     []Set
	frozen   []FrozenSet
	objects  []Object
	opsSlab  []Op
	nInts    int
	nFloats  int
	nStrs    int
	nCells   int
	nTuples  int
	nLists   int
	nDicts   int
	nTables  int
	nObjects int
	nFrozen  int
	nOps     int

	slab uintptr // bytes of a slab that has grown up

	text     []byte // what strs are copied into, one behind the other
	textUsed int
	textAll  bool // text is a copy of the message, which is short

	left   int64 // bytes that may still be allocated
	max    int64
	budget *Budget
	taken  int64 // from the budget
	shapes shapeCache
}

// Slabs end up at 4 KiB, in long messages at up to 8 times that, less the 8 bytes that Go's allocator
// puts before an object with pointers: with these it would take the next size that it has, 4,864
// bytes instead of 4,096.
const (
	slabBytes   = 4096
	slabHeader  = 8
	slabDoubles = 3
)

func slabFor(message int) uintptr {
	return slabBytes<<min(bits.Len(uint(message)/(32*2*slabBytes)), slabDoubles) - slabHeader
}

// bail is how the machine leaves from deep inside: decode recovers it and returns err.
type bail struct{ err error }

func (a *arena) charge(n int) {
	if a.left -= int64(n); a.left < 0 {
		panic(bail{&LimitError{Limit: "memory", Value: uint64(a.max - a.left), Max: uint64(a.max), Offset: -1}})
	}
	if a.budget != nil {
		a.chargeBudget()
	}
}

// chargeBudget takes from the shared budget in lumps what has been charged since.
func (a *arena) chargeBudget() {
	if n := budgetLump(a.max-a.left, a.taken); n > 0 {
		if !a.budget.Acquire(n) {
			panic(bail{&LimitError{Limit: "memory budget", Value: uint64(a.budget.Used() + n), Max: uint64(a.budget.Max()), Offset: -1}})
		}
		a.taken += n
	}
}

// budgetLump is how much more than taken to take from a shared budget for used bytes: in lumps, since
// all connections meet there.
func budgetLump(used, taken int64) int64 {
	const lump = 64 << 10
	if used <= taken {
		return 0
	}
	return (used - taken + lump - 1) / lump * lump
}

// next returns the length of the slab that follows one of n values of the given size.
func (a *arena) next(n int, size uintptr) int {
	most := int(a.slab / size)
	switch {
	case n == 0:
		return 4
	case 2*n > most:
		return most
	}
	return 2 * n
}

func (a *arena) int(v int64) any {
	if a.nInts == len(a.ints) {
		n := a.next(len(a.ints), 8)
		a.charge(8 * n)
		a.ints, a.nInts = make([]int64, n), 0
	}
	p := &a.ints[a.nInts]
	a.nInts++
	*p = v
	return boxInt(p)
}

func (a *arena) float(v float64) any {
	if a.nFloats == len(a.floats) {
		n := a.next(len(a.floats), 8)
		a.charge(8 * n)
		a.floats, a.nFloats = make([]float64, n), 0
	}
	p := &a.floats[a.nFloats]
	a.nFloats++
	*p = v
	return boxFloat(p)
}

// header returns a place for a string header that nothing else will write to.
func (a *arena) header(s string) *string {
	if a.nStrs == len(a.strs) {
		n := a.next(len(a.strs), 16)
		a.charge(16 * n)
		a.strs, a.nStrs = make([]string, n), 0
	}
	p := &a.strs[a.nStrs]
	a.nStrs++
	*p = s
	return p
}

// anys returns n empty cells, with no capacity beyond them.
func (a *arena) anys(n int) []any {
	if n > len(a.cells)-a.nCells {
		return a.moreAnys(n)
	}
	i := a.nCells
	a.nCells += n
	return a.cells[i:a.nCells:a.nCells]
}

func (a *arena) moreAnys(n int) []any {
	if n > 64 {
		a.charge(16 * n)
		return make([]any, n)
	}
	m := max(a.next(len(a.cells), 16), n)
	a.charge(16 * m)
	a.cells, a.nCells = make([]any, m), n
	return a.cells[:n:n]
}

func (a *arena) tuple(items []any) any {
	if a.nTuples == len(a.tuples) {
		n := a.next(len(a.tuples), 24)
		a.charge(24 * n)
		a.tuples, a.nTuples = make([]Tuple, n), 0
	}
	p := &a.tuples[a.nTuples]
	a.nTuples++
	*p = items
	return boxTuple(p)
}

func (a *arena) list() *List {
	if a.nLists == len(a.lists) {
		n := a.next(len(a.lists), unsafe.Sizeof(List{}))
		a.charge(n * int(unsafe.Sizeof(List{})))
		a.lists, a.nLists = make([]List, n), 0
	}
	p := &a.lists[a.nLists]
	a.nLists++
	return p
}

func (a *arena) dict() *Dict {
	if a.nDicts == len(a.dicts) {
		n := a.next(len(a.dicts), unsafe.Sizeof(Dict{}))
		a.charge(n * int(unsafe.Sizeof(Dict{})))
		a.dicts, a.nDicts = make([]Dict, n), 0
	}
	p := &a.dicts[a.nDicts]
	a.nDicts++
	return p
}

func (a *arena) keyTable() *keyTable {
	if a.nTables == len(a.tables) {
		n := a.next(len(a.tables), unsafe.Sizeof(keyTable{}))
		a.charge(n * int(unsafe.Sizeof(keyTable{})))
		a.tables, a.nTables = make([]keyTable, n), 0
	}
	p := &a.tables[a.nTables]
	a.nTables++
	return p
}

func (a *arena) set() *Set {
	if len(a.sets) == 0 {
		a.charge(8 * 64)
		a.sets = make([]Set, 64)
	}
	p := &a.sets[0]
	a.sets = a.sets[1:]
	return p
}

func (a *arena) frozenSet() *FrozenSet {
	if a.nFrozen == len(a.frozen) {
		n := a.next(len(a.frozen), unsafe.Sizeof(FrozenSet{}))
		a.charge(n * int(unsafe.Sizeof(FrozenSet{})))
		a.frozen, a.nFrozen = make([]FrozenSet, n), 0
	}
	p := &a.frozen[a.nFrozen]
	a.nFrozen++
	return p
}

func (a *arena) object() *Object {
	if a.nObjects == len(a.objects) {
		n := a.next(len(a.objects), unsafe.Sizeof(Object{}))
		a.charge(n * int(unsafe.Sizeof(Object{})))
		a.objects, a.nObjects = make([]Object, n), 0
	}
	p := &a.objects[a.nObjects]
	a.nObjects++
	return p
}

// op returns room for one Op with no capacity beyond it: most objects have one.
func (a *arena) op() []Op {
	if a.nOps == len(a.opsSlab) {
		n := a.next(len(a.opsSlab), unsafe.Sizeof(Op{}))
		a.charge(n * int(unsafe.Sizeof(Op{})))
		a.opsSlab, a.nOps = make([]Op, n), 0
	}
	i := a.nOps
	a.nOps++
	return a.opsSlab[i : i+1 : i+1]
}

const (
	// textBlock is how large the blocks get that strings share. A kept string keeps its block.
	textBlock = 32 << 10
	// longCopy is the length from which on a string is copied alone.
	longCopy = 2 << 10
)

// copied returns a string that is a copy of data[i:j].
func (a *arena) copied(data []byte, i, j int) string {
	if a.textAll {
		return stringOf(a.text[i:j])
	}
	n := j - i
	to := a.textUsed + n
	if to > len(a.text) {
		if n >= longCopy {
			a.charge(n)
			return stringOf(cloneLong(data[i:j]))
		}
		a.newBlock(len(data) - i)
		to = n
	}
	s := a.text[a.textUsed:to]
	a.textUsed = (to + 7) &^ 7 // the pickler's memo likes one of 8 bytes
	if n >= 8 && n <= 16 {     // as most strings are: by two words that may overlap
		x, y := binary.LittleEndian.Uint64(data[i:]), binary.LittleEndian.Uint64(data[j-8:])
		binary.LittleEndian.PutUint64(s, x)
		binary.LittleEndian.PutUint64(s[n-8:], y)
	} else {
		copy(s, data[i:j])
	}
	return stringOf(s)
}

// newBlock makes a block for the strings of the rest of a message, or for some of them: how much of it
// is text is not known.
func (a *arena) newBlock(rest int) {
	size := min(max(rest, 64), max(longCopy, 2*len(a.text)), textBlock)
	a.charge(size)
	a.text, a.textUsed = uncleared[byte](size)[:size], 0
}

// starter is the first slab of each kind in one allocation, for messages that need little more.
type starter struct {
	cells  [8]any
	strs   [4]string
	lists  [1]List
	dicts  [1]Dict
	tables [1]keyTable
}

// shortStarter is a starter with the text of a message that is short.
type shortStarter struct {
	starter
	text [64]byte
}

// begin prepares the arena for a message, of which it keeps a copy at once, if it may and the
// message is short.
func (a *arena) begin(data []byte, copies bool) {
	var s *starter
	a.slab = slabFor(len(data))
	if copies && len(data) <= len(shortStarter{}.text) {
		short := new(shortStarter)
		s = &short.starter
		a.text, a.textAll = short.text[:copy(short.text[:], data)], true
	} else {
		s = new(starter)
	}
	a.cells, a.strs, a.lists, a.dicts, a.tables = s.cells[:], s.strs[:], s.lists[:], s.dicts[:], s.tables[:]
}

// forget lets go of the slabs.
func (a *arena) forget() {
	a.cells, a.strs, a.lists, a.dicts, a.tables = nil, nil, nil, nil, nil
	a.nCells, a.nStrs, a.nLists, a.nDicts, a.nTables = 0, 0, 0, 0, 0
	if a.ints != nil || a.floats != nil || a.tuples != nil {
		a.ints, a.floats, a.tuples = nil, nil, nil
		a.nInts, a.nFloats, a.nTuples = 0, 0, 0
	}
	if a.objects != nil || a.opsSlab != nil || a.sets != nil || a.frozen != nil {
		a.objects, a.opsSlab, a.sets, a.frozen = nil, nil, nil, nil
		a.nObjects, a.nOps, a.nFrozen = 0, 0, 0
	}
	a.text, a.textUsed, a.textAll, a.budget, a.taken = nil, 0, false, nil, 0
	if a.shapes.used {
		a.shapes = shapeCache{}
	}
}
