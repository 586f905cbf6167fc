package pickleproto

import "sort"

type unset struct{ _ byte }

// unsetMemo fills memo entries that nothing was put into.
var unsetMemo any = &unset{}

// noneMemo stands in the memo for None: an entry that is nil belongs to a lazyMemo.
var noneMemo any = &unset{}

// lazyMemo is a range of memo entries that are strs of one packed list. They are boxed when they
// are fetched, which most never are.
type lazyMemo struct {
	from int
	strs []string
}

// memoizeStrs memoises strs that lie where they will stay.
func (m *machine) memoizeStrs(strs []string) {
	n := m.memoLen()
	if m.memoCount != n || len(m.sparse) > 0 || m.c.memo != nil || int64(n+len(strs)) > m.mostMemo() {
		for i := range strs {
			m.memoize(boxString(&strs[i]))
		}
		return
	}
	m.memoRoom(n + len(strs))
	if early := min(len(strs), m.early-len(m.memo)); early > 0 {
		m.memo = m.memo[:n+early]
		if n < m.memoLeft { // else never written to before, so nil
			clear(m.memo[n:min(m.memoLeft, n+early)])
		}
	}
	if late := n + len(strs) - m.early; late > 0 {
		k := len(m.late.refs)
		m.late.refs = m.late.refs[:late]
		clear(m.late.refs[k:]) // each refLazy
	}
	m.memoCount += len(strs)
	m.charge(32)
	m.lazy = append(m.lazy, lazyMemo{n, strs})
}

// lazyStr boxes entry n, which belongs to a lazyMemo.
func (m *machine) lazyStr(n int) any {
	i := sort.Search(len(m.lazy), func(i int) bool { return m.lazy[i].from > n }) - 1
	return boxString(&m.lazy[i].strs[n-m.lazy[i].from])
}

// memoRoom makes room for n entries.
func (m *machine) memoRoom(n int) {
	if early := min(n, m.early); early > cap(m.memo) {
		m.growMemo(early)
	}
	if late := n - m.early; late > cap(m.late.refs) {
		m.growLate(late)
	}
}

func (m *machine) growMemo(least int) {
	size := int(min(int64(max(m.foresee(cap(m.memo)), least, 64)), m.c.limits.Memo, int64(m.early)))
	m.charge(16 * (size - cap(m.memo)))
	s := make([]any, len(m.memo), size)
	copy(s, m.memo)
	m.memo = s
}

// The unpickler's memo: what memoize, load_put and load_get work on.

func (m *machine) memoize(v any) {
	if v == nil {
		v = noneMemo
	}
	if m.memoCount == len(m.memo) && len(m.memo) < cap(m.memo) {
		m.memo = append(m.memo, v)
		m.memoCount++
		return
	}
	if refs := m.late.refs; m.memoCount == m.early+len(refs) && len(refs) < cap(refs) {
		m.late.refs = append(refs, m.refTo(v))
		m.memoCount++
		return
	}
	m.put(m.memoCount, v)
}

// memoLen is how many entries there are, with those that are unset, apart from sparse.
func (m *machine) memoLen() int { return len(m.memo) + len(m.late.refs) }

// addMemo adds an entry for which there is room.
func (m *machine) addMemo(v any) {
	if len(m.memo) < m.early {
		m.memo = append(m.memo, v)
	} else {
		m.late.refs = append(m.late.refs, m.refTo(v))
	}
}

// memoEntry returns entry n, nil if there is none; it may be unsetMemo, noneMemo, or, if it is lazy, nil.
func (m *machine) memoEntry(n int) any {
	if n < len(m.memo) {
		return m.memo[n]
	}
	return m.lateEntry(n)
}

// setMemo writes over entry n, which there is.
func (m *machine) setMemo(n int, v any) {
	if m.shapes.used {
		m.shapes.gets = [len(m.shapes.gets)]keyGets{}
	}
	if n < len(m.memo) {
		m.memo[n] = v
	} else {
		m.late.refs[n-m.early] = m.refTo(v)
	}
}

// memoKnown makes room for the entries up to n that someone else made.
func (m *machine) memoKnown(n int) {
	m.memoRoom(n)
	for m.memoLen() < n {
		m.addMemo(unsetMemo)
	}
	m.memoCount = n
}

func (m *machine) put(n int, v any) {
	if v == nil {
		v = noneMemo
	}
	switch {
	case n < m.memoLen():
		if same(m.memoEntry(n), unsetMemo) {
			m.memoCount++
		}
		m.setMemo(n, v)
		return
	case n <= 2*m.memoCount+1024 && int64(n) < m.mostMemo():
		m.memoRoom(n + 1)
		for k := m.memoLen(); k < n; k++ {
			if w, ok := m.sparse[k]; ok {
				m.addMemo(w)
				delete(m.sparse, k)
			} else {
				m.addMemo(unsetMemo)
			}
		}
		if _, ok := m.sparse[n]; ok {
			delete(m.sparse, n)
			m.memoCount--
		}
		m.addMemo(v)
		m.memoCount++
		return
	}
	if m.sparse == nil {
		m.sparse = make(map[int]any)
	}
	if _, ok := m.sparse[n]; !ok {
		if int64(m.memoCount) >= m.c.limits.Memo {
			panic(bail{&LimitError{Limit: "memo", Value: uint64(m.memoCount) + 1, Max: uint64(m.c.limits.Memo), Offset: -1}})
		}
		m.memoCount++
		m.charge(64)
	}
	m.sparse[n] = v
}

func (m *machine) get(n int) (v any, ok bool) {
	switch {
	case n < len(m.memo):
		v, ok = m.memo[n], true
		if v == nil {
			v = m.lazyStr(n)
			m.memo[n] = v
			return v, true
		}
	case n < m.memoLen():
		v, ok = m.lateEntry(n), true
	default:
		v, ok = m.sparse[n]
	}
	switch {
	case same(v, unsetMemo):
		return nil, false
	case same(v, noneMemo):
		return nil, true
	}
	return v, ok
}

// fetch notes that v, no str, was fetched from the memo to stack index at; it returns the new top.
func (m *machine) fetch(v any, at, top int) int {
	switch typeWord(v) {
	case typInt64, typFloat64, typBytes, typGlobal, nil:
		return top
	}
	m.sharing = true
	m.raise(at, 1)
	return at
}

func (m *machine) noMemo(i, n int) error {
	return m.fail(i, "Memo value not found at index "+itoa(int64(n)))
}
