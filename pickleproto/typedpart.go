package pickleproto

import "github.com/picklebridge/picklebridge/pickleproto/internal/wire"

// What the typed fast path leaves to the machine, a value at a time: instances, and whatever else
// its opcodes do not make. See the NOTE in typed.go.
//
// partEnd finds where such a value ends, the machine decodes just that part of the message, and the
// binder binds it. (A message that is a list or dict of nothing but such values is theirs as a whole.)
// The two live as long as the reader, and so does what they remember: a Python object that several such
// values share is one object to the machine and one Go value to the binder.
//
// The memo is one as well. The reader has the offset of each entry's opcode, whoever made it, so it
// finds the strs among them; the machine has the values of its own entries, and is given the strs and
// bytes of the reader's that a part fetches. A list or dict that the reader made has become Go
// variables long since: a part that fetches one ends the fast path, as any error in a part does.
//
// Code of the program (UnmarshalPickle, UnmarshalText, converters, hooks) never runs here: it would run
// again if the fast path gave up later.

// parts is what the reader needs from the first part on.
type parts struct {
	m     *machine
	b     binder
	marks []int     // scratch of partEnd: heights below the marks
	gets  []partGet // and the GETs of the part
	got   []int     // and where on the stack they lie, if they may be containers
}

type partGet struct{ at, index int }

// pointee is the variable that the latest pointer points to: what the machine decodes for it is bound
// to the pointer, so that the binder knows the pointer when it meets the object again.
type pointee struct {
	made, pointer place
	plan          *typePlan // of the pointer
}

// fillPart reads a value of a type that the fast path has no way of its own for.
func fillPart(p *typePlan) fastFunc {
	p.parts = true
	return func(r *reader, v place) bool { return r.part(v, p) }
}

// part reads a value by way of the machine and the binder.
func (r *reader) part(v place, p *typePlan) bool {
	if p.runsCode || len(r.c.binding.converters) > 0 || p.interfaces && len(r.c.binding.byName) > 0 {
		return false
	}
	x, ok := r.partValue()
	if !ok {
		return false
	}
	if in := r.in; in.made == v && in.plan != nil && in.plan.elem == p {
		setPointer(in.pointer, nil)
		v, p = in.pointer, in.plan
	}
	b := &r.parts.b
	b.depth, b.memory = int64(r.depth), r.memory
	err := b.bind(x, valueAt(p.t, v), p)
	r.memory = b.memory
	return err == nil
}

// partValue takes a value as the machine decodes it.
func (r *reader) partValue() (x any, ok bool) {
	defer func() {
		if e := recover(); e != nil {
			if _, isBail := e.(bail); !isBail {
				panic(e)
			}
			x, ok = nil, false
		}
	}()
	if r.peek() == 0 { // which enters the frame that the value begins in
		return nil, false
	}
	ps := r.parts
	if ps == nil {
		// A pickle that is one such value as a whole is better off without the way round.
		if r.depth == 0 {
			return nil, false
		}
		m := machines.Get().(*machine)
		m.start(r.data, r.c)
		if len(r.data) > 2 && r.data[0] == wire.OpProto { // which read has taken
			m.proto = int(r.data[1])
		}
		n := len(r.data)
		l := &r.c.limits
		ps = &parts{m: m, b: binder{c: r.c, work: l.workFor(n), memory: l.memoryFor(n), received: n}}
		r.parts = ps
	}
	from, frameEnd, known := r.pos, 0, len(r.memo)
	if r.framed {
		frameEnd = r.end
	}
	// What STOP follows is all there is: no item of the list or tuple that was expected.
	if !r.partEnd() {
		return nil, false
	}
	to := r.pos
	if r.peek() == wire.OpStop {
		return nil, false
	}
	m := ps.m
	m.max += r.memory - m.left // all together keep to what the message may take
	m.left = r.memory
	m.memoKnown(known)
	r.memory = m.left
	for _, g := range ps.gets {
		if g.at < to && g.index < known && !r.giveEntry(g.index) {
			return nil, false
		}
	}
	m.max += r.memory - m.left
	m.left = r.memory
	x, ok = m.loadPart(r.data, from, to, frameEnd)
	r.memory = m.left
	if !ok || m.memoCount != len(r.memo) || len(m.sparse) > 0 {
		return nil, false
	}
	// As checkDepth, but without a walk: what was fetched from earlier parts is small, and each
	// further level has cost a container that was put into another.
	depth := int64(m.highest) + int64(r.depth)
	if m.sharing {
		depth += int64(m.nested) + sharedMost
	}
	return x, depth <= r.c.limits.Depth
}

// finish gives back what the parts took.
func (ps *parts) finish(data []byte) {
	ps.m.whole = data
	ps.m.finish(nil)
	ps.b.release()
}

const (
	// aheadMost is how many values a pickler has above one that it goes on with, without a mark: a
	// callable, and arguments with callables and arguments.
	aheadMost = 16
	// sharedMost is how many values there may be in one that a part fetches from an earlier part.
	sharedMost = 64
)

// partEnd goes to the end of the value that begins here, and notes the memo entries made on the way.
// It runs the opcodes by what they do to the height of the stack. The value ends with the last opcode
// that works on it, before one that reaches below. How far ahead that may be is bounded: without a mark
// by lookAhead and aheadMost, and all in all, as in applies, by the length of the message. A wrong guess
// ends the fast path, for then an opcode comes that the reader does not expect.
func (r *reader) partEnd() bool {
	ps := r.parts
	marks, gets, got := ps.marks[:0], ps.gets[:0], ps.got[:0]
	type state struct {
		pos, end, memo int
		framed         bool
	}
	var best state
	height, made, ahead := 0, 0, 0
	violated := len(r.data) // where a container was changed that the part had fetched
scan:
	for {
		op := r.peek()
		if best.pos > 0 {
			if len(marks) == 0 && (ahead >= lookAhead || height > aheadMost) || r.looked+ahead >= len(r.data)+lookAhead {
				break
			}
			ahead++
		}
		info, known := wire.Lookup(op)
		if !known || op == 0 {
			break
		}
		at := r.pos
		_, next, ok := argument(r.data[:r.end], at+1, info.Arg)
		if !ok {
			break
		}
		pops, fetched := int(info.Pops), false
		switch op {
		case wire.OpMark:
			marks = append(marks, height)
			r.pos = next
			continue
		case wire.OpMemoize, wire.OpBinPut, wire.OpLongBinPut:
			if len(marks) > 0 && height == marks[len(marks)-1] || height == 0 || !r.put(made) {
				break scan
			}
			if best.pos == at {
				best = state{r.pos, r.end, len(r.memo), r.framed}
			}
			continue
		case wire.OpBinGet, wire.OpLongBinGet:
			index := 0
			if op == wire.OpBinGet {
				index = int(r.data[at+1])
			} else {
				index = longIndex(r.data[at+1:])
			}
			if index >= len(r.memo) || r.memo[index] == noEntry {
				break scan
			}
			gets = append(gets, partGet{at, index})
			fetched = !r.isText(index)
		case wire.OpStop, wire.OpProto, wire.OpPop, wire.OpPopMark, wire.OpDup, wire.OpGet, wire.OpPut, wire.OpPersID,
			wire.OpBinPersID, wire.OpExt1, wire.OpExt2, wire.OpExt4, wire.OpNextBuffer, wire.OpReadOnlyBuffer:
			break scan
		case wire.OpObj:
			pops = 0 // the class lies above the mark
		}
		if info.Mark {
			if len(marks) == 0 {
				break
			}
			height = marks[len(marks)-1]
			marks = marks[:len(marks)-1]
		}
		if height -= pops; height < 0 || len(marks) > 0 && height < marks[len(marks)-1] {
			break
		}
		switch op {
		case wire.OpAppend, wire.OpAppends, wire.OpSetItem, wire.OpSetItems, wire.OpAddItems, wire.OpBuild:
			for len(got) > 0 && got[len(got)-1] > height {
				got = got[:len(got)-1]
			}
			if len(got) > 0 && got[len(got)-1] == height {
				violated = min(violated, at)
			}
		default:
			for len(got) > 0 && got[len(got)-1] >= height {
				got = got[:len(got)-1]
			}
			if fetched {
				got = append(got, height)
			}
		}
		r.pos, made = next, at
		if height == 0 && len(marks) == 0 {
			best, ahead = state{r.pos, r.end, len(r.memo), r.framed}, 0
		}
		height += int(info.Pushes)
	}
	r.looked += ahead
	ps.marks, ps.gets, ps.got = marks, gets, got
	if best.pos == 0 || violated < best.pos {
		return false
	}
	r.pos, r.end, r.framed, r.memo = best.pos, best.end, best.framed, r.memo[:best.memo]
	return true
}

// isText reports whether memo entry n is a str or bytes.
func (r *reader) isText(n int) bool {
	if r.memo[n] == noEntry {
		return false
	}
	switch r.data[r.memo[n]] {
	case wire.OpShortBinUnicode, wire.OpBinUnicode, wire.OpBinUnicode8, wire.OpShortBinBytes, wire.OpBinBytes, wire.OpBinBytes8:
		return true
	}
	return false
}

// getsStr reports whether the GET that is next fetches a str.
func (r *reader) getsStr() bool {
	n := 0
	switch d := r.data[r.pos:r.end]; {
	case d[0] == wire.OpBinGet && len(d) >= 2:
		n = int(d[1])
	case d[0] == wire.OpLongBinGet && len(d) >= 5:
		n = longIndex(d[1:])
	default:
		return false
	}
	if n >= len(r.memo) || r.memo[n] == noEntry {
		return false
	}
	op := r.data[r.memo[n]]
	return op == wire.OpShortBinUnicode || op == wire.OpBinUnicode || op == wire.OpBinUnicode8
}

// namesGlobal reports whether the str that is next is the module's name of a STACK_GLOBAL.
func (r *reader) namesGlobal() bool {
	i := r.pos
	for range 2 {
		if i >= r.end {
			return false
		}
		switch r.data[i] {
		case wire.OpBinGet:
			i += 2
			continue
		case wire.OpLongBinGet:
			i += 5
			continue
		}
		_, next, ok := r.strAt(i, r.end)
		if !ok || next >= r.end {
			return false
		}
		switch i = next; r.data[i] {
		case wire.OpMemoize:
			i++
		case wire.OpBinPut:
			i += 2
		case wire.OpLongBinPut:
			i += 5
		}
	}
	return i < r.end && r.data[i] == wire.OpStackGlobal
}

// beginsInstance reports whether an instance or a class is next, or something that was memoised and is
// no str.
func (r *reader) beginsInstance() bool {
	switch r.peek() {
	case wire.OpGlobal:
		return true
	case wire.OpBinGet, wire.OpLongBinGet:
		return !r.getsStr() || r.namesGlobal()
	case wire.OpShortBinUnicode:
		return r.namesGlobal()
	}
	return false
}

// giveEntry sees to it that the machine has memo entry n, which is older than the part.
func (r *reader) giveEntry(n int) bool {
	m := r.parts.m
	v, ok := m.get(n)
	if ok {
		left := sharedMost
		return fewWithin(v, &left)
	}
	if !r.isText(n) {
		return false
	}
	at := int(r.memo[n])
	op := r.data[at]
	info, _ := wire.Lookup(op)
	b, _, ok := argument(r.data, at+1, info.Arg)
	if !ok || !r.charge(len(b)+32) {
		return false
	}
	s := ""
	if r.c.lend {
		s = stringOf(b)
	} else {
		s = string(b)
	}
	switch op {
	case wire.OpShortBinBytes, wire.OpBinBytes, wire.OpBinBytes8:
		m.setMemo(n, Bytes(s))
	default:
		if !validSurrogateFree(b) {
			return false
		}
		m.setMemo(n, s)
	}
	return true
}

// fewWithin reports whether v is a scalar or holds less than *left values, however deep.
func fewWithin(v any, left *int) bool {
	if *left--; *left < 0 {
		return false
	}
	all := func(items []any) bool {
		if len(items) > *left {
			return false
		}
		for _, x := range items {
			if !fewWithin(x, left) {
				return false
			}
		}
		return true
	}
	switch v := v.(type) {
	case Tuple:
		return all(v)
	case *List:
		return v.packed != nil || all(v.items)
	case *Dict:
		return v.t == nil || v.t.packedOf() == nil && all(v.t.keys) && all(v.values) // packed are many
	case *Set:
		return v.t == nil || all(v.t.keys)
	case *FrozenSet:
		return all(v.t.keys)
	case *Object:
		if !fewWithin(v.Callable, left) || !fewWithin(v.Args, left) || !fewWithin(v.Kwargs, left) {
			return false
		}
		for i := range v.Ops {
			if !all(v.Ops[i].Items) {
				return false
			}
		}
	}
	return true
}
