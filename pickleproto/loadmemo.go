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
	n := len(m.memo)
	if m.memoCount != n || len(m.sparse) > 0 || m.c.memo != nil || int64(n+len(strs)) > m.c.limits.Memo {
		for i := range strs {
			m.memoize(boxString(&strs[i]))
		}
		return
	}
	if n+len(strs) > cap(m.memo) {
		m.growMemo(n + len(strs))
	}
	m.memo = m.memo[:n+len(strs)]
	if n < m.memoLeft { // else never written to before, so nil
		clear(m.memo[n:min(m.memoLeft, n+len(strs))])
	}
	m.memoCount += len(strs)
	m.charge(32)
	m.lazy = append(m.lazy, lazyMemo{n, strs})
}

// lazyEntry boxes entry n, which is nil.
func (m *machine) lazyEntry(n int) any {
	i := sort.Search(len(m.lazy), func(i int) bool { return m.lazy[i].from > n }) - 1
	v := boxString(&m.lazy[i].strs[n-m.lazy[i].from])
	m.memo[n] = v
	return v
}

func (m *machine) growMemo(least int) {
	size := int(min(int64(max(m.foresee(cap(m.memo)), least, 64)), m.c.limits.Memo))
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
	m.put(m.memoCount, v)
}

// memoKnown makes room for the entries up to n that someone else made.
func (m *machine) memoKnown(n int) {
	if n > cap(m.memo) {
		m.growMemo(n)
	}
	for len(m.memo) < n {
		m.memo = append(m.memo, unsetMemo)
	}
	m.memoCount = n
}

func (m *machine) put(n int, v any) {
	if v == nil {
		v = noneMemo
	}
	switch {
	case n < len(m.memo):
		if same(m.memo[n], unsetMemo) {
			m.memoCount++
		}
		m.memo[n] = v
		return
	case n <= 2*m.memoCount+1024 && int64(n) < m.c.limits.Memo:
		if n >= cap(m.memo) {
			m.growMemo(n + 1)
		}
		for len(m.memo) < n {
			if w, ok := m.sparse[len(m.memo)]; ok {
				m.memo = append(m.memo, w)
				delete(m.sparse, len(m.memo)-1)
			} else {
				m.memo = append(m.memo, unsetMemo)
			}
		}
		if _, ok := m.sparse[n]; ok {
			delete(m.sparse, n)
			m.memoCount--
		}
		m.memo = append(m.memo, v)
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
	if n < len(m.memo) {
		v, ok = m.memo[n], true
		if v == nil {
			return m.lazyEntry(n), true
		}
	} else {
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
