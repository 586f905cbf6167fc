package pickleproto

// Memo is a memo that outlives one pickle: see WithMemo. It serves either reading or writing, one
// call at a time.
type Memo struct {
	// Reading: what machine has.
	dense  []any
	sparse map[int]any
	count  int
	nested int
	// Writing: the table, and the values whose addresses it holds.
	table   memoTable
	names   map[nameKey]uint32
	globals map[globalName]uint32
	keep    []any
}

func (m *Memo) take() ([]any, map[int]any, int, int) { return m.dense, m.sparse, m.count, m.nested }

func (m *Memo) put(dense []any, sparse map[int]any, count, nested int) {
	m.dense, m.sparse, m.count, m.nested = dense, sparse, count, nested
}

// Len returns the number of entries.
func (m *Memo) Len() int { return max(m.count, m.table.len()) }

// forget removes what was memoised from index n on: the peer has not seen it.
func (m *Memo) forget(n int) {
	m.table.truncate(n)
	forgetFrom(m.names, n)
	forgetFrom(m.globals, n)
}
