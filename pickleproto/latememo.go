package pickleproto

import "unsafe"

// lateMemo is the unpickler's memo from entry earlyMemo on. The entries of a long message are many, and most of
// them are never fetched. So an entry says in four bytes where its value lies, among the slabs that the decoder
// takes its memory from, and the collector has nothing to look at. An interface is sixteen bytes and two
// pointers, which the collector marks, and wants to be told of while it does.
type lateMemo struct {
	refs []memoRef

	strs    slabs[string]
	tuples  slabs[Tuple]
	lists   slabs[List]
	dicts   slabs[Dict]
	frozen  slabs[FrozenSet]
	objects slabs[Object]
	others  []any // what was not the latest of its slab when it was memoised
}

// earlyMemo is how many entries are interfaces: as many as a pooled machine keeps room for. They are made and
// fetched faster. A variable for the tests alone.
var earlyMemo = pooledItems

// A memoRef is the kind of a value, and which of the values of its kind it is.
type memoRef uint32

const kindShift = 28

// mostLate is how many late entries there may be; what comes behind them has a place in a map each.
const mostLate = 1 << kindShift

const (
	refLazy memoRef = iota << kindShift // see lazyMemo
	refStr
	refBytes // among the strs
	refTuple
	refList
	refDict
	refFrozenSet
	refObject
	refOther
)

func (r memoRef) kind() memoRef { return r >> kindShift << kindShift }
func (r memoRef) index() int    { return int(r & (mostLate - 1)) }

// slabs are those that values of one kind were memoised from. They stay as long as the message is decoded.
type slabs[T any] struct {
	all  [][]T
	most int     // values in a slab
	last *T      // the first value of the last of them
	base memoRef // the entry for that
}

// at returns the value that r says.
func (s *slabs[T]) at(r memoRef) *T { return &s.all[r.index()/s.most][r.index()%s.most] }

// add notes one more slab of the arena, if there is a number for it.
func (s *slabs[T]) add(a *arena, slab []T, kind memoRef) bool {
	if s.most == 0 {
		s.most = int(a.slab / unsafe.Sizeof(slab[0]))
	}
	n := len(s.all) * s.most
	if n+s.most > mostLate {
		return false
	}
	a.charge(2 * int(unsafe.Sizeof(slab)))
	s.all = append(s.all, slab)
	s.base, s.last = kind|memoRef(n), &slab[0]
	return true
}

// takes reports whether the value at p is the latest of the n that a took from slab, which then has been noted.
func (s *slabs[T]) takes(p uintptr, a *arena, slab []T, n int, kind memoRef) bool {
	return n > 0 && p == addressOf(&slab[n-1]) && (s.last == &slab[0] || s.add(a, slab, kind))
}

// refTo returns the entry for v, which mostly is the latest value that the arena gave.
func (m *machine) refTo(v any) memoRef {
	l, a, p := &m.late, &m.arena, uintptr(dataPointer(v))
	switch w := typeWord(v); {
	case w == typString && l.strs.takes(p, a, a.strs, a.nStrs, refStr):
		return l.strs.base + memoRef(a.nStrs-1)
	case w == typBytes && l.strs.takes(p, a, a.strs, a.nStrs, refStr):
		return l.strs.base - refStr + refBytes + memoRef(a.nStrs-1)
	case w == typTuple && l.tuples.takes(p, a, a.tuples, a.nTuples, refTuple):
		return l.tuples.base + memoRef(a.nTuples-1)
	case w == typDict && l.dicts.takes(p, a, a.dicts, a.nDicts, refDict):
		return l.dicts.base + memoRef(a.nDicts-1)
	case w == typList && l.lists.takes(p, a, a.lists, a.nLists, refList):
		return l.lists.base + memoRef(a.nLists-1)
	case w == typFrozenSet && l.frozen.takes(p, a, a.frozen, a.nFrozen, refFrozenSet):
		return l.frozen.base + memoRef(a.nFrozen-1)
	case w == typObject && l.objects.takes(p, a, a.objects, a.nObjects, refObject):
		return l.objects.base + memoRef(a.nObjects-1)
	}
	return m.refToOther(v)
}

func (m *machine) refToOther(v any) memoRef {
	l := &m.late
	k := len(l.others)
	if k > 0 && same(l.others[k-1], v) {
		return refOther | memoRef(k-1)
	}
	if k >= mostLate {
		panic(bail{&LimitError{Limit: "memo", Value: uint64(m.memoCount) + 1, Max: uint64(m.memoCount), Offset: -1}})
	}
	m.charge(2 * int(unsafe.Sizeof(v)))
	l.others = append(l.others, v)
	return refOther | memoRef(k)
}

// lateEntry returns entry n, as m.memo would have it, or nil if there is none.
func (m *machine) lateEntry(n int) any {
	l, i := &m.late, n-m.early
	if i < 0 || i >= len(l.refs) {
		return nil
	}
	switch r := l.refs[i]; r.kind() {
	case refLazy:
		return m.lazyStr(n)
	case refStr:
		return boxString(l.strs.at(r))
	case refBytes:
		return boxBytes(l.strs.at(r))
	case refTuple:
		return boxTuple(l.tuples.at(r))
	case refList:
		return l.lists.at(r)
	case refDict:
		return l.dicts.at(r)
	case refFrozenSet:
		return l.frozen.at(r)
	case refObject:
		return l.objects.at(r)
	default:
		return l.others[r.index()]
	}
}

// mostMemo is how many entries there may be apart from those of sparse.
func (m *machine) mostMemo() int64 { return min(m.c.limits.Memo, int64(m.early)+mostLate) }

// growLate makes room for so many late entries at least.
func (m *machine) growLate(least int) {
	l := &m.late
	n := max(m.foresee(m.early+cap(l.refs))-m.early, least)
	n = int(min(int64(n), m.mostMemo()-int64(m.early)))
	m.charge(int(unsafe.Sizeof(l.refs[0])) * (n - cap(l.refs)))
	l.refs = append(uncleared[memoRef](n), l.refs...)
}

// begin takes the room that a pooled machine brings along, as far as entries are allowed.
func (l *lateMemo) begin(most int64) {
	l.refs = l.refs[:0:max(0, min(int64(cap(l.refs)), most))]
}

// reset forgets the entries, and what is large.
func (l *lateMemo) reset() {
	refs := l.refs[:0]
	if cap(refs) > pooledItems {
		refs = nil
	}
	*l = lateMemo{refs: refs}
}
