package pickleproto

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Full batches wait on the stack for the next one. These pickles touch the container meanwhile;
// none is written by Python, and what CPython makes of each is said beside it.

// batch is n Nones, which no packed list takes.
func batch(n int) string { return strings.Repeat("N", n) }

func TestDeferredBatches(t *testing.T) {
	pairs := func(from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			b.WriteString("M" + string([]byte{byte(i), byte(i >> 8)}) + "N")
		}
		return b.String()
	}
	members := func(from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			b.WriteString("M" + string([]byte{byte(i), byte(i >> 8)}))
		}
		return b.String()
	}
	for _, c := range []struct {
		name, pickle string
		check        func(t *testing.T, v any)
	}{
		{"three batches", "](" + batch(1000) + "e(" + batch(1000) + "e(" + batch(5) + "e.", func(t *testing.T, v any) {
			l := v.(*List)
			assert.Equal(t, 2005, l.Len())
			assert.LessOrEqual(t, cap(l.items), 2005+2005/8, "allocated once, at the size that was foreseen")
		}},
		{"three batches within a list", "](N](" + batch(1000) + "e(" + batch(1000) + "e(" + batch(5) + "ee.", func(t *testing.T, v any) {
			l := v.(*List).At(1).(*List)
			assert.Equal(t, 2005, l.Len())
			assert.Equal(t, 2005, cap(l.items), "allocated once, at its final size")
		}},
		{"an empty last batch", "](" + batch(1000) + "e(e.", func(t *testing.T, v any) {
			assert.Equal(t, 1000, v.(*List).Len())
		}},
		{"an empty last batch of another kind", "\x8f(" + members(0, 1000) + "\x90(u](" + batch(1000) + "e(\x90\x86.", func(t *testing.T, v any) {
			assert.Equal(t, 1000, v.(Tuple)[0].(*Set).Len())
			assert.Equal(t, 1000, v.(Tuple)[1].(*List).Len())
		}},
		{"appended to by way of the memo", "]\x94(" + batch(1000) + "e(h\x00K\x07a" + "0" + batch(3) + "e.", func(t *testing.T, v any) {
			l := v.(*List)
			require.Equal(t, 1004, l.Len(), "the waiting batch, the 7, and three more")
			assert.Equal(t, int64(7), l.At(1000))
			assert.Nil(t, l.At(1001))
		}},
		{"the mark goes to a tuple", "](" + batch(1000) + "e(" + batch(2) + "t\x86.", func(t *testing.T, v any) {
			p := v.(Tuple)
			assert.Equal(t, 1000, p[0].(*List).Len())
			assert.Len(t, p[1], 2)
		}},
		{"the mark is popped", "](" + batch(1000) + "e(NN1.", func(t *testing.T, v any) {
			assert.Equal(t, 1000, v.(*List).Len())
		}},
		{"the mark is popped by POP", "](" + batch(1000) + "e(0.", func(t *testing.T, v any) {
			assert.Equal(t, 1000, v.(*List).Len())
		}},
		{"within another", "](((](" + batch(1000) + "e(" + batch(1000) + "elt" + batch(1000) + "e(Ne.", func(t *testing.T, v any) {
			l := v.(*List)
			require.Equal(t, 1002, l.Len())
			assert.Equal(t, 2000, l.At(0).(Tuple)[0].(*List).At(0).(*List).Len())
		}},
		{"a dict", "}(" + pairs(0, 1000) + "u(" + pairs(999, 1500) + "u.", func(t *testing.T, v any) {
			assert.Equal(t, 1500, v.(*Dict).Len())
		}},
		{"a dict, set by way of the memo", "}\x94(" + pairs(0, 1000) + "u(h\x00M\x00\x00K\x01s0" + pairs(0, 1) + "u.", func(t *testing.T, v any) {
			d := v.(*Dict)
			assert.Equal(t, 1000, d.Len())
			x, ok := d.Get(int64(0))
			assert.True(t, ok)
			assert.Nil(t, x, "the last value wins")
		}},
		{"a set", "\x8f(" + members(0, 1000) + "\x90(" + members(500, 2000) + "\x90.", func(t *testing.T, v any) {
			assert.Equal(t, 2000, v.(*Set).Len())
		}},
		{"STOP while a batch waits", "]\x94(" + batch(1000) + "e(h\x00.", func(t *testing.T, v any) {
			assert.Equal(t, 1000, v.(*List).Len())
		}},
		{"a run of numbers by way of the memo", "]\x94(" + batch(1000) + "e(h\x00(K\x02K\x03ee.", func(t *testing.T, v any) {
			l := v.(*List)
			require.Equal(t, 1003, l.Len(), "the waiting batch, the 2 and the 3, and the list itself")
			assert.Nil(t, l.At(0))
			assert.Equal(t, int64(2), l.At(1000))
			assert.Equal(t, int64(3), l.At(1001))
			assert.Same(t, l, l.At(1002))
		}},
		{"a set of a list that waits", "\x80\x03]\x94(" + strings.Repeat("K\x01K\x02", 500) + "e(cbuiltins\nset\nh\x00\x85RNtN\x87.", func(t *testing.T, v any) {
			s := v.(Tuple)[1].(Tuple)[0].(*Set)
			assert.Equal(t, 2, s.Len())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v any
			pickle := c.pickle
			if !strings.HasPrefix(pickle, "\x80") {
				pickle = "\x80\x04" + pickle
			}
			require.NoError(t, Unmarshal([]byte(pickle), &v))
			c.check(t, v)
		})
	}
}

func TestDeferredBatchesOfDifferentKinds(t *testing.T) {
	var v any
	err := Unmarshal([]byte("\x80\x04]("+batch(1000)+"e(NNu."), &v)
	var syntax *SyntaxError
	require.ErrorAs(t, err, &syntax)
	assert.Equal(t, "SETITEMS", syntax.Opcode)
	require.ErrorAs(t, Unmarshal([]byte("\x80\x04](("+batch(1000)+"e(e."), &v), &syntax, "a list below a mark is out of reach")
}

// The outermost list is given the room that the message foretells, and keeps no more than it needs,
// whatever comes instead.
func TestExpectedItems(t *testing.T) {
	tail := strings.Repeat("](K\x01K\x02e0", 20_000) // is dropped, and makes the message long
	for _, c := range []struct {
		name, pickle string
		n            int
	}{
		{"as foreseen", "](" + batch(1000) + "e(" + batch(1000) + "e(" + batch(1000) + "e(" + batch(700) + "e.", 3700},
		{"it ends soon", "](" + batch(1000) + "e(" + batch(3) + "e" + tail + ".", 1003},
		{"a batch is full at the end", "](" + batch(1000) + "e(" + batch(1000) + "e" + tail + ".", 2000},
		{"the mark is not its own", "](" + batch(1000) + "e(" + batch(3) + "t0" + tail + ".", 1000},
		{"the mark is popped", "](" + batch(1000) + "e(1" + tail + ".", 1000},
		{"larger batches later", "](" + batch(1000) + "e(" + batch(50_000) + "e(" + batch(100_000) + "e.", 151_000},
		{"items become longer", "](" + batch(1000) + "e(" + strings.Repeat("\x8c\x05abcde", 1000) + "e(N" + strings.Repeat("\x8c\x05abcde", 499) + "e.", 2500},
		{"items become shorter", "](" + strings.Repeat("(NNNNt", 1000) + "e(" + batch(5000) + "e(" + batch(5000) + "e(" + batch(99) + "e.", 11_099},
		{"single items meanwhile", "]\x94(" + batch(1000) + "e(h\x00Na0" + batch(999) + "e(" + batch(1000) + "eNaNa.", 3002},
		{"two lists, the first dropped", "](" + batch(1000) + "e(" + batch(1000) + "e0](" + batch(1000) + "e(" + batch(4) + "e" + tail + ".", 1004},
		{"numbers first", "](" + strings.Repeat("K\x01", 1000) + "e(" + strings.Repeat("K\x01", 999) + "Ne(" + batch(3) + "e.", 2003},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v, kept any
			require.NoError(t, Unmarshal([]byte(c.pickle), &v))
			l := v.(*List)
			require.Equal(t, c.n, l.Len())
			assert.LessOrEqual(t, cap(l.items), c.n+c.n/2+8)
			if strings.HasSuffix(c.pickle, tail+".") {
				assert.LessOrEqual(t, cap(l.items), c.n+c.n/8)
			}
			require.NoError(t, Unmarshal([]byte("](N"+c.pickle[:len(c.pickle)-1]+"e."), &kept), "the same within another")
			assert.True(t, Equal(v, kept.(*List).At(1)))
		})
	}
}

// The outermost list takes its batches one by one whatever its items are, lists too, and wherever frames end; so the stack
// never holds them all.
func TestOutermostListOfLists(t *testing.T) {
	rows := make([][][]int64, 60_000)
	for i := range rows {
		rows[i] = [][]int64{{int64(i), 1}, {2}}
	}
	framed, err := Marshal(rows)
	require.NoError(t, err)
	batch := "(" + strings.Repeat("](K\x01]e", 1000) + "e"
	frame := string(binary.LittleEndian.AppendUint64([]byte{0x95}, uint64(2*len(batch))))
	for name, message := range map[string]string{
		"as written":              string(framed),
		"without frames":          "\x80\x04]" + strings.Repeat(batch, 60) + ".",
		"a frame for two batches": "\x80\x04]" + strings.Repeat(frame+batch+batch, 30) + ".",
	} {
		t.Run(name, func(t *testing.T) {
			m, c := new(machine), newConfig(nil)
			m.start([]byte(message), &c)
			v, _, err := m.load()
			require.NoError(t, err)
			assert.Len(t, v.(*List).Items(), 60_000)
			assert.LessOrEqual(t, cap(v.(*List).items), 60_000+60_000/8)
			assert.LessOrEqual(t, cap(m.stack), 4096)
		})
	}
}
