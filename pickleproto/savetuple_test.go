package pickleproto

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tupleMaker makes tuples of what saveTuples writes itself, and of what it leaves to others.
type tupleMaker struct {
	*rand.Rand
	strs   []any
	tuples []any
}

func (m *tupleMaker) item(depth int) any {
	switch n := m.IntN(64); {
	case n < 10:
		return []int64{0, 255, 256, 65535, 65536, -1, math.MaxInt32, math.MinInt32}[m.IntN(8)]
	case n < 11:
		return []int64{math.MaxInt32 + 1, math.MinInt32 - 1, math.MaxInt64, math.MinInt64}[m.IntN(4)]
	case n < 20:
		return []float64{0, -1.5, math.Inf(1), math.NaN()}[m.IntN(4)]
	case n < 28:
		return nil
	case n < 50:
		s := strings.Repeat("abcdefghij", 30)[:m.IntN(18)]
		switch m.IntN(20) {
		case 0:
			s = strings.Repeat("x", m.IntN(300))
		case 1:
			s += "é"
		case 2:
			s = "é" + s
		}
		v := any(strings.Clone(s))
		m.strs = append(m.strs, v)
		return v
	case n < 54 && len(m.strs) > 0:
		return m.strs[m.IntN(len(m.strs))]
	case n < 55 && len(m.tuples) > 0:
		return m.tuples[m.IntN(len(m.tuples))]
	case n < 57:
		return m.IntN(2) == 0
	case n < 58:
		return Bytes("some bytes")
	case n < 60 && depth > 0:
		return m.tuple(depth - 1)
	case n < 61 && depth > 0:
		l := &List{}
		t := Tuple{int64(1), l, "and", nil}[:1+m.IntN(4)]
		l.Append(t, m.tuple(depth-1)) // recursive, if the list is within
		return t
	}
	return nil
}

func (m *tupleMaker) tuple(depth int) any {
	n := m.IntN(6)
	if m.IntN(10) == 0 {
		n = m.IntN(20)
	}
	t := make(Tuple, n)
	for i := range t {
		t[i] = m.item(depth)
	}
	m.tuples = append(m.tuples, t)
	return t
}

// samePickle requires a pickle, or a kind of error, that is what the same value gives another way. It reports whether the
// value was refused.
func samePickle(t *testing.T, want []byte, wantErr error, got []byte, err error) (refused bool) {
	t.Helper()
	if wantErr != nil {
		require.Error(t, err)
		require.IsType(t, wantErr, err)
		return true
	}
	require.NoError(t, err)
	require.True(t, string(want) == string(got))
	return false
}

// Tuples in a long message are written without the calls that others take, which a hook brings back: what is
// written is the same, and so is what is refused.
func TestTuplesAgainstItemByItem(t *testing.T) {
	nothing := WithPersistentID(func(any) (any, bool) { return nil, false })
	m := tupleMaker{Rand: rand.New(rand.NewPCG(3, 4))}
	messages, refused := 60, 0
	if quick.Race {
		messages = 6
	}
	for range messages {
		m.strs, m.tuples = nil, nil
		items := make([]any, 300+m.IntN(4000))
		for i := range items {
			items[i] = m.tuple(3)
		}
		if m.IntN(4) == 0 {
			items[len(items)-m.IntN(100)-1] = Tuple{"valid", "not text \xff"[:9+m.IntN(2)]}
		}
		v := NewList(items...)
		for _, limits := range []Limits{{}, {Depth: 3}, {Message: 40000}, {Memo: 3000}} {
			want, wantErr := Marshal(v, WithLimits(limits), nothing)
			got, err := Marshal(v, WithLimits(limits))
			if samePickle(t, want, wantErr, got, err) {
				refused++
			}
		}
	}
	assert.Positive(t, refused)
}

// A tuple that its own items contain, met first within a long message.
func TestRecursiveTupleInLongMessage(t *testing.T) {
	items := make([]any, 2000)
	for i := range items {
		items[i] = Tuple{fmt.Sprint("text", i), int64(i)}
	}
	for _, n := range []int{1, 3, 4, 16, 17} {
		l := NewList()
		tuple := make(Tuple, n)
		tuple[n-1] = l
		l.Append(tuple)
		items[1999] = tuple
		b, err := Marshal(NewList(items...))
		require.NoError(t, err)
		v, err := Native.Decode(b)
		require.NoError(t, err)
		back := v.(*List).Items()[1999].(Tuple)
		assert.Equal(t, tupleAddress(back), tupleAddress(back[n-1].(*List).Items()[0].(Tuple)), n)
	}
}

// A tuple counts as a level of depth late in a long message too.
func TestTupleDepthInLongMessage(t *testing.T) {
	items := make([]any, 2000)
	for i := range items {
		items[i] = fmt.Sprint("text", i)
	}
	_, err := Marshal(NewList(items...), WithLimits(Limits{Depth: 1}))
	require.NoError(t, err)
	items[1999] = Tuple{int64(1)}
	_, err = Marshal(NewList(items...), WithLimits(Limits{Depth: 1}))
	var limit *LimitError
	require.ErrorAs(t, err, &limit)
	assert.Equal(t, "depth", limit.Limit)
}
