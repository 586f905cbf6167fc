package pickleproto

type unset struct{ _ byte }

// unsetMemo fills memo entries that nothing was put into.
var unsetMemo any = &unset{}

// The unpickler's memo: what memoize, load_put and load_get work on.

func (m *machine) memoize(v any) {
	if m.memoCount == len(m.memo) && len(m.memo) < cap(m.memo) {
		m.memo = append(m.memo, v)
		m.memoCount++
		return
	}
	m.put(m.memoCount, v)
}

func (m *machine) put(n int, v any) {
	switch {
	case n < len(m.memo):
		if same(m.memo[n], unsetMemo) {
			m.memoCount++
		}
		m.memo[n] = v
		return
	case n <= 2*m.memoCount+1024 && int64(n) < m.c.limits.Memo:
		if n >= cap(m.memo) {
			size := int(min(int64(max(m.foresee(cap(m.memo)), n+1, 64)), m.c.limits.Memo))
			m.charge(16 * (size - cap(m.memo)))
			s := make([]any, len(m.memo), size)
			copy(s, m.memo)
			m.memo = s
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
		v = m.memo[n]
		return v, !same(v, unsetMemo)
	}
	v, ok = m.sparse[n]
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
