package pickleproto

import (
	"math"
	"math/big"
	"math/rand"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slowDict is what Dict does, by looking at each key.
type slowDict struct{ keys, values []any }

func (d *slowDict) find(k any) int {
	h := newHasher()
	for i, x := range d.keys {
		if ok, _ := h.equal(x, k); ok {
			return i
		}
	}
	return -1
}

func (d *slowDict) set(k, v any) {
	if i := d.find(k); i >= 0 {
		d.values[i] = v
		return
	}
	d.keys, d.values = append(d.keys, k), append(d.values, v)
}

func (d *slowDict) remove(k any) bool {
	i := d.find(k)
	if i < 0 {
		return false
	}
	d.keys = append(d.keys[:i:i], d.keys[i+1:]...)
	d.values = append(d.values[:i:i], d.values[i+1:]...)
	return true
}

// randomKey makes keys of which many are equal across types.
func randomKey(r *rand.Rand, depth int) any {
	n := r.Intn(40)
	switch r.Intn(10 + depth) {
	case 0:
		return int64(n)
	case 1:
		return float64(n)
	case 2:
		return n%2 == 0
	case 3:
		return string(rune('a' + n))
	case 4:
		return Bytes(rune('a' + n))
	case 5:
		return ByteString(rune('a' + n))
	case 6:
		return new(big.Int).Lsh(big.NewInt(int64(n+1)), 70)
	case 7:
		return math.Ldexp(float64(n+1), 70)
	case 8:
		return &Complex{Real: float64(n), Imag: float64(n % 2)}
	case 9:
		return Long(n)
	}
	t := make(Tuple, r.Intn(3))
	for i := range t {
		t[i] = randomKey(r, depth-1)
	}
	if r.Intn(2) == 0 {
		s, err := NewFrozenSet(t...)
		if err == nil {
			return s
		}
	}
	return t
}

func TestDictAgainstASlowOne(t *testing.T) {
	for seed := range int64(60) {
		r := rand.New(rand.NewSource(seed))
		d, slow := NewDict(), &slowDict{}
		for range 400 {
			k := randomKey(r, 2)
			switch r.Intn(4) {
			case 0:
				require.Equal(t, slow.remove(k), d.Delete(k), "delete %s", Repr(k))
			default:
				v := r.Int63()
				slow.set(k, v)
				require.NoError(t, d.Set(k, v))
			}
			require.Equal(t, len(slow.keys), d.Len())
		}
		i := 0
		for k, v := range d.All() {
			require.True(t, same(k, slow.keys[i]) || Equal(k, slow.keys[i]), "the first form of a key stays")
			require.Equal(t, slow.values[i], v)
			got, ok := d.Get(slow.keys[i])
			require.True(t, ok)
			require.Equal(t, v, got)
			i++
		}
		require.Equal(t, len(slow.keys), i)
	}
}

func TestDictFirstKeyStaysLastValueWins(t *testing.T) {
	d := NewDict()
	require.NoError(t, d.Set(int64(1), "a"))
	require.NoError(t, d.Set(1.0, "b"))
	require.NoError(t, d.Set(true, "c"))
	assert.Equal(t, "{1: 'c'}", Repr(d))
}

func TestUnhashableKeys(t *testing.T) {
	for _, k := range []any{NewList(), NewDict(), &Set{}, &ByteArray{}, Tuple{int64(1), NewList()}} {
		var typ *TypeError
		require.ErrorAs(t, NewDict().Set(k, nil), &typ)
		assert.Contains(t, typ.Error(), "unhashable type: '")
		_, ok := NewDict().Get(k)
		assert.False(t, ok)
		_, err := NewSet(k)
		require.ErrorAs(t, err, &typ)
		_, err = NewFrozenSet(k)
		require.ErrorAs(t, err, &typ)
	}
}

func TestEveryNaNIsAKeyOfItsOwn(t *testing.T) {
	var v any
	require.NoError(t, Unmarshal([]byte("\x80\x04}(G\x7f\xf8\x00\x00\x00\x00\x00\x00K\x01G\x7f\xf8\x00\x00\x00\x00\x00\x00K\x02u."), &v))
	assert.Equal(t, 2, v.(*Dict).Len())
}

func TestSets(t *testing.T) {
	s, err := NewSet(int64(1), "a", 1.0)
	require.NoError(t, err)
	assert.Equal(t, 2, s.Len())
	assert.True(t, s.Has(true))
	assert.False(t, s.Has("b"))
	assert.False(t, s.Has(NewList()))
	require.NoError(t, s.Add("b"))
	assert.True(t, s.Remove("a"))
	assert.False(t, s.Remove("a"))
	assert.Equal(t, "{1, 'b'}", Repr(s))
	for i := range int64(100) {
		require.NoError(t, s.Add(i))
	}
	for i := range int64(90) {
		require.True(t, s.Remove(i), i)
	}
	assert.Equal(t, 11, s.Len())
	assert.True(t, s.Has(int64(95)))
	out, err := Marshal(s)
	require.NoError(t, err)
	var back any
	require.NoError(t, Unmarshal(out, &back))
	assert.True(t, Equal(s, back))

	var zero Set
	assert.Equal(t, 0, zero.Len())
	assert.False(t, zero.Remove("a"))
	require.NoError(t, zero.Add("a"))
	assert.True(t, zero.Has("a"))
}

// Dicts with the same keys share a table until one of them is changed.
func TestDictsOfOneShape(t *testing.T) {
	var v any
	require.NoError(t, Unmarshal([]byte("\x80\x04](}(\x8c\x03one\x94K\x01\x8c\x03two\x94K\x02u}(h\x00K\x03h\x01K\x04u}(h\x00K\x05h\x01K\x06ue."), &v))
	rows := v.(*List)
	a, b, c := rows.At(0).(*Dict), rows.At(1).(*Dict), rows.At(2).(*Dict)
	require.Same(t, a.t, b.t)
	require.Same(t, b.t, c.t)
	require.NoError(t, b.Set("three", int64(7)))
	assert.True(t, c.Delete("one"))
	assert.Equal(t, "[{'one': 1, 'two': 2}, {'one': 3, 'two': 4, 'three': 7}, {'two': 6}]", Repr(rows))
	out, err := Marshal(rows)
	require.NoError(t, err)
	var back any
	require.NoError(t, Unmarshal(out, &back))
	assert.True(t, Equal(rows, back))
}

// A dict that begins as if it went on for the whole message keeps no more room than it needs, and
// batches of any size find theirs.
func TestExpectedEntries(t *testing.T) {
	pairs := func(from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			b.WriteString("J" + string([]byte{byte(i), byte(i >> 8), byte(i >> 16), 0}) + "N")
		}
		return b.String()
	}
	for _, sizes := range [][]int{{1000}, {1000, 1}, {1000, 0}, {1000, 33}, {1000, 1000, 5}, {1000, 2000, 7000, 9}, {20, 12, 40}, {1000, 1000, 1000, 1000, 1000, 1000}} {
		for _, nested := range []bool{false, true} {
			p, n := "}\x94", 0
			if nested {
				p = "](NN" + p
			}
			for _, size := range sizes {
				p += "(" + pairs(n, n+size) + "u"
				n += size
			}
			if nested {
				p += "e"
			}
			// What follows is dropped, and makes the message long.
			p += strings.Repeat("](K\x01K\x02e0", 20_000) + "."
			var v any
			require.NoError(t, Unmarshal([]byte(p), &v), "%v", sizes)
			d, ok := v.(*Dict)
			if nested {
				d, ok = v.(*List).At(2).(*Dict)
			}
			require.True(t, ok)
			require.Equal(t, n, d.Len())
			if n >= batchSize {
				assert.LessOrEqual(t, cap(d.t.keys), 2*n, "%v", sizes)
				assert.LessOrEqual(t, d.t.index.size(), 8*n, "%v", sizes)
			}
			for i := range int64(n) {
				_, ok := d.Get(i)
				require.True(t, ok)
			}
			_, ok = d.Get(int64(n))
			require.False(t, ok)
		}
	}
}

// Keys of great depth cost what they have in common but once, and together no more than the bound.
func TestUpdate(t *testing.T) {
	deep := Tuple{}
	for range 9000 {
		deep = Tuple{deep}
	}
	d, from := mustDict(t, "a", int64(1), "b", int64(2)), mustDict(t, "b", int64(3), "c", int64(4))
	require.NoError(t, d.Update(from.All()))
	assert.Equal(t, "{'a': 1, 'b': 3, 'c': 4}", Repr(d))
	quick.Within(t, time.Second, func() {
		d := NewDict()
		require.NoError(t, d.Update(func(yield func(k, v any) bool) {
			for i := range 20_000 {
				yield(Tuple{deep, int64(i)}, nil)
			}
		}))
		require.Equal(t, 20_000, d.Len())
	})
	var kind *TypeError
	require.ErrorAs(t, d.Update(func(yield func(k, v any) bool) { _ = yield("d", nil) && yield(NewList(), nil) }), &kind)
	assert.Equal(t, 4, d.Len())
	// Others of their own each, until it is too much.
	var limit *LimitError
	require.ErrorAs(t, d.Update(func(yield func(k, v any) bool) {
		for i := range 1_000 {
			deep := Tuple{int64(i)}
			for range 9000 {
				deep = Tuple{deep}
			}
			if !yield(deep, nil) {
				return
			}
		}
	}), &limit)
	assert.Equal(t, "work", limit.Limit)
}

// Dicts of a few strs are filled at once, unless a key comes again.
func TestFewKeys(t *testing.T) {
	for _, c := range []struct{ pickle, want string }{
		{"}(\x8c\x01aK\x01\x8c\x01bK\x02u.", "{'a': 1, 'b': 2}"},
		{"}(\x8c\x01aK\x01\x8c\x01bK\x02\x8c\x01aK\x03u.", "{'a': 3, 'b': 2}"},
		{"}(\x8c\x01aK\x01\x8c\x01bK\x02U\x01aK\x03u.", "{'a': 3, 'b': 2}"},
		{"}(\x8c\x01aK\x01K\x05K\x02u.", "{'a': 1, 5: 2}"},
		{"}(K\x05K\x02\x8c\x01aK\x01u.", "{5: 2, 'a': 1}"},
		{"}(\x8c\x01aK\x01N}u.", "{'a': 1, None: {}}"},
		{"}(\x8c\x00K\x01\x8c\x01aK\x02u(\x8c\x00K\x03\x8c\x01cK\x04u.", "{'': 3, 'a': 2, 'c': 4}"},
	} {
		var v any
		require.NoError(t, Unmarshal([]byte(c.pickle), &v), "%q", c.pickle)
		assert.Equal(t, c.want, Repr(v))
	}
	var v any
	var syntax *SyntaxError
	require.ErrorAs(t, Unmarshal([]byte("}(\x8c\x01aK\x01]K\x02u."), &v), &syntax)
	assert.Contains(t, syntax.Error(), "unhashable type: 'list'")
}

// What a short message leaves in a pooled machine is its own small values, not what it was lent.
func TestShortMessagesKeepNothing(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one pool for all
	freed := make(chan struct{})
	func() {
		large := new([1 << 20]byte)
		runtime.AddCleanup(large, func(struct{}) { close(freed) }, struct{}{})
		var v any
		require.NoError(t, Unmarshal([]byte("\x80\x05\x97\x97\x86."), &v, WithBuffers(large[:10], large[:])))
	}()
	for range 10 {
		runtime.GC()
		var v any
		require.NoError(t, Unmarshal([]byte("N."), &v)) // the pool must not let go of the machine
		select {
		case <-freed:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Error("a buffer that was lent is still referred to")
}
