package pickleproto

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMemoAgainstMap does with a memo, and with a map, what picklers do, at addresses that are neighbours,
// share a word, or are far apart, so often that the table has long become lazy.
func TestMemoAgainstMap(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			m := memoModel{t: t, r: r, known: map[wideIdentity]uint32{}, near: seed%2 == 0}
			for range 1 << (4 + seed%10) {
				m.step()
			}
			m.all()
			m.truncate(m.table.len() / 2)
			for range 1 << (4 + seed%10) {
				m.step()
			}
			m.all()
			for steps := 100; steps > 0; steps -= 1 + r.IntN(5) { // less and less, up to the few that have no slots
				m.table.reset()
				clear(m.known)
				for range steps {
					m.step()
				}
				m.all()
				m.truncate(r.IntN(1 + m.table.len()))
				for range steps / 4 {
					m.step()
				}
				m.all()
			}
		})
	}
}

type memoModel struct {
	t     *testing.T
	r     *rand.Rand
	table memoTable
	known map[wideIdentity]uint32
	near  bool
}

// identity returns one that may have been there before.
func (m *memoModel) identity() wideIdentity {
	address := uintptr(0xc000000000)
	switch {
	case m.r.IntN(20) == 0:
		address += uintptr(m.r.IntN(1 << 40))
	case m.near:
		address += uintptr(m.r.IntN(64 + 2*m.table.len()))
	default:
		address += 8 * uintptr(m.r.IntN(64+4*m.table.len()))
	}
	tag := memoTag(m.r.IntN(3), uint32(m.r.IntN(2)))
	switch m.r.IntN(40) {
	case 0:
		tag = memoTag(1<<20, kindString)
	case 1:
		address |= 1 << 50
	}
	return wideIdentity{address, tag}
}

func (m *memoModel) step() {
	switch m.r.IntN(20) {
	case 0:
		require.Equal(m.t, uint32(len(m.known)), m.table.fresh())
		m.known[wideIdentity{tag: uint32(len(m.known))}] = uint32(len(m.known))
	case 1, 2:
		m.strs()
	case 3, 4, 5:
		id := m.identity()
		want, has := m.known[id]
		index, found := m.table.find(id.address, id.tag)
		m.same(has, found, want, index)
	case 6, 7, 8, 9:
		id := m.identity()
		want, has := m.known[id]
		place, index, found := m.table.look(id.address, id.tag)
		m.same(has, found, want, index)
		if has {
			return
		}
		for range m.r.IntN(3) * m.r.IntN(50) {
			m.add(m.identity())
		}
		want, has = m.known[id]
		if !has {
			want = uint32(len(m.known))
		}
		index, found = m.table.addAt(place, id.address, id.tag)
		m.same(has, found, want, index)
		m.known[id] = want
	default:
		m.add(m.identity())
	}
}

func (m *memoModel) same(has, found bool, want, index uint32) {
	if has != found || want != index {
		m.t.Helper()
		m.t.Fatalf("found %v at %d, want %v at %d", found, index, has, want)
	}
}

func (m *memoModel) add(id wideIdentity) {
	want, has := m.known[id]
	if !has {
		want = uint32(len(m.known))
	}
	index, found := m.table.findOrAdd(id.address, id.tag)
	m.same(has, found, want, index)
	m.known[id] = want
}

// strs adds strs that lie in one text, some of them in the same word of it, some again.
func (m *memoModel) strs() {
	text := string(make([]byte, 4000))
	var v []string
	for i := 0; i+300 < len(text); i += 3 + m.r.IntN(30) {
		v = append(v, text[i:i+m.r.IntN(20)])
		if m.r.IntN(30) == 0 {
			v = append(v, v[m.r.IntN(len(v))], text[i:i+300])
		}
	}
	m.table.room(len(v))
	for len(v) > 0 {
		n := m.table.addNewStrs(v)
		for _, s := range v[:n] {
			id := wideIdentity{stringAddress(s), memoTag(len(s), kindString)}
			if _, has := m.known[id]; has || len(s) <= 2 || len(s) >= 256 {
				m.t.Fatal("not new, or not short")
			}
			m.known[id] = uint32(len(m.known))
		}
		if n < len(v) {
			m.add(wideIdentity{stringAddress(v[n]), memoTag(len(v[n]), kindString)})
			n++
		}
		v = v[n:]
	}
	m.forgetTexts(text)
}

// forgetTexts keeps the text alive until the table no longer asks, or another may lie where it lay.
func (m *memoModel) forgetTexts(text string) { m.t.Cleanup(func() { _ = text[0] }) }

func (m *memoModel) all() {
	require.Equal(m.t, len(m.known), m.table.len())
	for id, want := range m.known {
		if id.address == 0 {
			continue
		}
		index, found := m.table.find(id.address, id.tag)
		m.same(true, found, want, index)
	}
}

func (m *memoModel) truncate(n int) {
	m.table.truncate(n)
	for id, index := range m.known {
		if int(index) >= n {
			delete(m.known, id)
		}
	}
}

// TestLazyMemo says when the memo gives slots: to the first identities, and later on to those before one
// that is met again.
func TestLazyMemo(t *testing.T) {
	var table memoTable
	add := func(n int) {
		index, _ := table.findOrAdd(0xc000000000+64*uintptr(n), memoTag(4, kindTuple))
		require.Equal(t, uint32(n), index)
	}
	for i := range 100_000 {
		add(i)
	}
	require.True(t, table.lazy)
	require.LessOrEqual(t, len(table.slots), 2*lazyFrom)
	require.LessOrEqual(t, len(table.seen.words)*8, 100_000*8)
	add(70_000)
	require.Equal(t, 100_000, table.indexed)
	add(100_000)
	require.Equal(t, 100_000, table.indexed)
	table.reset()
	require.Zero(t, table.seen.used())
	require.False(t, table.lazy)
}

// fillMemo fills a table with two stretches of neighbouring addresses, so far apart, looks up all of them,
// and returns the best time of three.
func fillMemo(t *testing.T, n int, apart uintptr) (best time.Duration, slots int) {
	t.Helper()
	const begin = 0xc000000000
	best = time.Hour
	for range 3 {
		var table memoTable
		start := time.Now()
		for again := range 2 {
			for k, from := range []uintptr{begin, begin + apart} {
				for i := range n {
					index, found := table.findOrAdd(from+8*uintptr(i), memoTag(8, kindString))
					if found != (again == 1) || index != uint32(k*n+i) {
						t.Fatalf("%d of stretch %d: index %d, found %v", i, k, index, found)
					}
				}
			}
		}
		best, slots = min(best, time.Since(start)), len(table.slots)
	}
	return best, slots
}

// Values that lie side by side fill long runs of slots. Where those of another stretch of memory
// belong to the very same slots they must not walk along such a run.
func TestMemoOfStretchesThatMeet(t *testing.T) {
	const n = 1 << 15
	apart, slots := fillMemo(t, n, 1<<30+8*n)
	meeting, _ := fillMemo(t, n, uintptr(slots)*8) // the same slots again
	t.Logf("apart %v, meeting %v", apart, meeting)
	require.Less(t, meeting, 12*apart+time.Millisecond)
}
