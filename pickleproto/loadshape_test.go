package pickleproto

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pickleWriter writes pickles of dicts that have one of a few sets of keys, and of other things between them.
type pickleWriter struct {
	*rand.Rand
	out  []string // opcodes with their arguments
	memo int
}

var shapedKeys = [][]string{{"left", "right", "value"}, {"x"}, {"name", "text"}, {"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"}}

func (w *pickleWriter) put(s string) { w.out = append(w.out, s) }

func (w *pickleWriter) memoize() {
	w.put("\x94")
	w.memo++
}

func (w *pickleWriter) get(n int) {
	if w.IntN(4) == 0 {
		w.put("j" + string(rune(n)) + "\x00\x00\x00")
	} else {
		w.put("h" + string(rune(n)))
	}
}

// keys comes first, so that each key has a number of its own in the memo: the place of its set times 16 and its own.
func (w *pickleWriter) keys() {
	w.put("]")
	w.memoize()
	w.put("(")
	for _, keys := range shapedKeys {
		for i := range 16 {
			key := "unused"
			if i < len(keys) {
				key = keys[i]
			}
			w.put("\x8c" + string(rune(len(key))) + key)
			w.memoize()
		}
	}
	w.put("e")
}

// plain writes scalars, which lists and tuples of a dict's values may have.
func (w *pickleWriter) plain(n int) {
	for range n {
		switch w.IntN(12) {
		case 0:
			w.put("N")
		case 1:
			w.put("\x88")
		case 2:
			w.put("\x89")
		case 3, 4:
			w.put("K" + string(rune(w.IntN(100))))
		case 5:
			w.put("M\x01\x02")
		case 6:
			w.put("J\xff\xff\xff\xff")
		case 7:
			w.put("G?\xf0\x00\x00\x00\x00\x00\x00")
		case 8:
			w.get(1 + w.IntN(3))
		case 9:
			w.put("\x8c\x05fresh")
			if w.IntN(20) == 0 {
				w.put("q" + string(rune(1+w.IntN(60)))) // in the place of a key, perhaps
				return
			}
			w.memoize()
		case 10:
			w.put("\x8c\x0bnot äscii?")
		case 11:
			switch w.IntN(30) {
			case 0:
				w.put("\x8c\x09no \xff utf8")
			case 1:
				w.get(w.IntN(min(w.memo, 120)))
			default:
				w.put("\x8c\x11a str of 17 bytes")
				w.memoize()
			}
		}
	}
}

// few is a number of items, now and then more than shapedItems.
func (w *pickleWriter) few() int {
	if w.IntN(20) == 0 {
		return w.IntN(20)
	}
	return 1 + w.IntN(4)
}

// short writes a list or a tuple of scalars.
func (w *pickleWriter) short() {
	switch w.IntN(5) {
	case 0, 1:
		w.put("]")
		w.memoize()
		w.put("(")
		w.plain(w.few())
		w.put("e")
	case 2:
		w.put("]")
		w.memoize()
		w.plain(1)
		w.put("a")
	case 3:
		n := 1 + w.IntN(3)
		w.plain(n)
		w.put(string([]byte{0x84 + byte(n)}))
		if w.IntN(3) > 0 {
			w.memoize()
		}
	case 4:
		w.put("(")
		w.plain(w.few())
		w.put("t")
		if w.IntN(3) > 0 {
			w.memoize()
		}
	}
}

func (w *pickleWriter) value(depth int) {
	switch n := w.IntN(46); {
	case n >= 40:
		w.short()
	case n < 5:
		w.put("N")
	case n < 9:
		w.put("K" + string(rune(w.IntN(100))))
	case n < 10:
		w.put("M\x01\x02")
	case n < 11:
		w.put("J\xff\xff\xff\xff")
	case n < 12:
		w.put("G?\xf0\x00\x00\x00\x00\x00\x00")
	case n < 13:
		w.put("\x88")
	case n < 14:
		w.put("\x89")
	case n < 15:
		w.get(17)
	case n < 16:
		w.put("\x8c\x05fresh")
		w.memoize()
	case n < 17:
		w.put("\x8c\x01z") // which nothing memoises
	case n < 18:
		w.put("]")
		w.memoize()
	case n < 19 && depth > 0:
		w.put("]")
		w.memoize()
		w.put("(")
		w.value(depth - 1)
		w.value(depth - 1)
		w.put("e")
	case n < 20 && depth > 0:
		w.value(depth - 1)
		n := w.IntN(3)
		w.plain(n)
		w.put(string([]byte{0x85 + byte(n)}))
		w.memoize()
	case n < 21:
		w.get(w.IntN(min(w.memo, 120))) // anything, a container that is not done too
	case n < 22:
		w.put("}")
		w.memoize()
	case depth > 0:
		w.dict(depth)
	default:
		w.put("N")
	}
}

func (w *pickleWriter) dict(depth int) {
	set := w.IntN(len(shapedKeys))
	w.put("}")
	w.memoize()
	w.put("(")
	for i := range shapedKeys[set] {
		if w.IntN(200) == 0 {
			i = w.IntN(16)
		}
		w.get(1 + 16*set + i)
		w.value(depth - 1)
	}
	w.put("u")
}

func (w *pickleWriter) message() {
	w.out, w.memo = w.out[:0], 0
	w.put("\x80\x04")
	w.keys()
	w.put("(")
	for range 1 + w.IntN(4) {
		w.dict(1 + w.IntN(8))
	}
	w.put("t")
	w.put("\x86") // the keys and the dicts
	w.put(".")
	for w.IntN(3) == 0 { // something is wrong
		at := 3 + w.IntN(len(w.out)-3)
		switch w.IntN(4) {
		case 3:
			w.out[at] = "\x00\x00" // no opcode
		case 0:
			w.out = append(w.out[:at], w.out[at+1:]...)
		case 1:
			w.out[at] = w.out[w.IntN(len(w.out))]
		case 2:
			w.out[at] = w.out[at][:max(0, len(w.out[at])-1)]
		}
	}
}

// pickles returns the pickle and one that says the same but is read opcode by opcode: None is pushed and
// popped behind the MARK of each dict.
func (w *pickleWriter) pickles() (whole, plain string) {
	var s strings.Builder
	for i, op := range w.out {
		s.WriteString(op)
		if op == "(" && i > 1 && w.out[i-1] == "\x94" && w.out[i-2] == "}" {
			s.WriteString("N0")
		}
	}
	return strings.Join(w.out, ""), s.String()
}

// Dicts of known keys are read past the stack. Whatever stands in them or is wrong with them, what comes
// out is what running opcode by opcode gives.
func TestShapedDictsAgainstRun(t *testing.T) {
	w := pickleWriter{Rand: rand.New(rand.NewPCG(1, 2))}
	good, bad := 0, 0
	messages := 10000
	if quick.Race {
		messages /= 10
	}
	for range messages {
		w.message()
		whole, plain := w.pickles()
		for _, limits := range []Limits{{}, {Depth: 6}} {
			got, err := Native.Decode([]byte(whole), WithLimits(limits))
			want, wantErr := Native.Decode([]byte(plain), WithLimits(limits))
			if wantErr != nil {
				bad++
				require.Error(t, err, "%q", whole)
				var s, wantS *SyntaxError
				if errors.As(wantErr, &wantS) && errors.As(err, &s) {
					require.Equal(t, wantS.Msg, s.Msg, "%q", whole)
					require.Equal(t, wantS.Opcode, s.Opcode, "%q", whole)
				} else {
					require.IsType(t, wantErr, err, "%q", whole)
				}
				continue
			}
			good++
			require.NoError(t, err, "%q", whole)
			b, err := Marshal(got)
			require.NoError(t, err)
			wantB, err := Marshal(want)
			require.NoError(t, err)
			require.Equal(t, string(wantB), string(b), "%q", whole)
		}
	}
	assert.Greater(t, good, messages/2)
	assert.Greater(t, bad, messages/4)
}

// shapedChain is a list of a dict and of another with the same key, in which it lies so many times.
func shapedChain(depth int, innermost string) []byte {
	return []byte("\x80\x04]\x94(}\x94(\x8c\x01k\x94N" + "u" + strings.Repeat("}\x94(h\x02", depth) + innermost + strings.Repeat("u", depth) + "e.")
}

// What lies deeper than a reader goes by recursion is read all the same, and counted.
func TestShapedDepth(t *testing.T) {
	for _, depth := range []int{1, 2, shapedDepth - 1, shapedDepth, shapedDepth + 1, shapedDepth + 2, 3*shapedDepth + 5, 1000} {
		for _, innermost := range []string{"N", "]\x94", "]\x94(K\x01K\x02e", "N\x85\x94", "K\x01K\x02\x86\x94", "(K\x01t\x94", "]\x94K\x01a", "h\x00"} {
			message := shapedChain(depth, innermost)
			plain := bytes.ReplaceAll(message, []byte("}\x94(h"), []byte("}\x94(N0h"))
			refused := 0
			for _, most := range []int64{int64(depth), int64(depth) + 1, int64(depth) + 2, int64(depth) + 3} {
				v, err := Native.Decode(message, WithLimits(Limits{Depth: most}))
				want, wantErr := Native.Decode(plain, WithLimits(Limits{Depth: most}))
				if wantErr != nil {
					refused++
					var limit *LimitError
					require.ErrorAs(t, err, &limit, "%d %q", depth, innermost)
					assert.Equal(t, "depth", limit.Limit)
					continue
				}
				require.NoError(t, err, "%d %q", depth, innermost)
				b, err := Marshal(v)
				require.NoError(t, err)
				wantB, err := Marshal(want)
				require.NoError(t, err)
				require.Equal(t, wantB, b)
			}
			require.Positive(t, refused)
			require.Less(t, refused, 4)
		}
	}
}

// Rows of dicts with short lists and tuples in them are read past the stack to the last of them.
func TestShapedRows(t *testing.T) {
	rows := make([]map[string]any, 60_000)
	for i := range rows {
		rows[i] = map[string]any{
			"list": []any{i, "a", nil, fmt.Sprint(i)}, "one": []any{i}, "none": []any{}, "many": Tuple{i, 2, 3, "a", 0.5},
			"alone": Tuple{i}, "pair": Tuple{"x", fmt.Sprint(i)}, "three": Tuple{1, 2, i}, "zlast": Tuple{i, 0.5},
		}
	}
	message, err := Marshal(rows)
	require.NoError(t, err)
	var v any
	require.NoError(t, Unmarshal(message, &v))
	got := v.(*List).Items()
	first, last := got[1].(*Dict), got[len(got)-1].(*Dict)
	require.Same(t, first.t, last.t, "one table of keys")
	require.Greater(t, len(message), 80<<16, "so many frames that some end within a list or a tuple")
	assert.Less(t, first.t.failed, uint8(shapedGiveUp), "the ends of frames are no reason to give up")
	again, err := Marshal(v)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(message, again))
}

// A message that ends anywhere is truncated, wherever its frames end.
func TestShapedDictsCutShort(t *testing.T) {
	message := shapedChain(40, "K\x01")
	for n := 2; n < len(message); n++ {
		_, err := Native.Decode(message[:n])
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d of %d bytes", n, len(message))
	}
	want, err := Native.Decode(message)
	require.NoError(t, err)
	for _, at := range []int{60, 61, 62, 63, 64, len(message) - 30} {
		if !bytes.ContainsAny(message[at:at+1], "}\x94(hu") || message[at-1] == 'h' {
			continue // within an opcode
		}
		framed := append([]byte("\x80\x04\x95"), byte(at-2), 0, 0, 0, 0, 0, 0, 0)
		framed = append(framed, message[2:at]...)
		framed = append(framed, 0x95, byte(len(message)-at), 0, 0, 0, 0, 0, 0, 0)
		got, err := Native.Decode(append(framed, message[at:]...))
		require.NoError(t, err, at)
		require.True(t, Equal(want, got))
	}
}

// A pooled machine keeps nothing of what it left unread.
func TestShapedPartsAreForgotten(t *testing.T) {
	m := new(machine)
	message := shapedChain(20, "K\x01")
	m.parts = append(m.parts, shapedPart{d: new(Dict)})
	m.forget()
	assert.Empty(t, m.parts)
	assert.Zero(t, m.parts[:1][0])
	_, err := Native.Decode(message, WithLimits(Limits{Stack: 30}))
	var limit *LimitError
	if err != nil {
		require.ErrorAs(t, err, &limit)
	}
}

// The depth of such dicts counts where nothing else is around them, and where they are met again.
func TestShapedDepthAlone(t *testing.T) {
	first := "\x80\x04}\x94(\x8c\x01k\x94Nu0"
	chain := strings.Repeat("}\x94(h\x01", 15) + "N" + strings.Repeat("u", 15)
	for name, message := range map[string]string{
		"alone":     first + chain + ".",
		"met again": first + chain + "0" + strings.Repeat("](", 10) + "h\x02" + strings.Repeat("e", 10) + ".",
	} {
		t.Run(name, func(t *testing.T) {
			depth := int64(15)
			if name != "alone" {
				depth = 25
			}
			_, err := Native.Decode([]byte(message), WithLimits(Limits{Depth: depth}))
			require.NoError(t, err)
			_, err = Native.Decode([]byte(message), WithLimits(Limits{Depth: depth - 1}))
			var limit *LimitError
			require.ErrorAs(t, err, &limit)
		})
	}
}

// A dict that lies within another, and has other keys, does not make what comes after it be taken for the keys that
// the other one had.
func TestShapesWithinOneAnother(t *testing.T) {
	const shapes = 9
	var start strings.Builder
	start.WriteString("\x80\x04]\x94(")
	for i := range shapes { // entries 1 + 3*i to 3 + 3*i are a dict and its two keys
		fmt.Fprintf(&start, "}\x94(\x8c\x02a%d\x94N\x8c\x02b%d\x94Nu", i, i)
	}
	for i := range shapes {
		for j := range shapes {
			inner := fmt.Sprintf("}\x94(h%cNh%cNu", 2+3*j, 3+3*j)
			message := start.String() + fmt.Sprintf("}\x94(h%c%sh%cNu", 2+3*i, inner, 3+3*j) + fmt.Sprintf("}\x94(h%c%sh%cNu", 2+3*i, inner, 3+3*i) + "e."
			v, err := Native.Decode([]byte(message))
			require.NoError(t, err)
			items := v.(*List).Items()[shapes:]
			within := fmt.Sprintf("{'a%d': None, 'b%d': None}", j, j)
			assert.Equal(t, fmt.Sprintf("{'a%d': %s, 'b%d': None}", i, within, j), Repr(items[0]))
			assert.Equal(t, fmt.Sprintf("{'a%d': %s, 'b%d': None}", i, within, i), Repr(items[1]))
		}
	}
}

// Dicts whose first keys share a place in the cache do not keep one another from being read: another first key is no
// failure of the table that is there.
func TestShapesOfOnePlace(t *testing.T) {
	m := new(machine)
	keys := make([]string, 40)
	for i := range keys {
		keys[i] = strings.Repeat("k", i+1)
		m.memo = append(m.memo, boxString(&keys[i]))
	}
	table := &keyTable{keys: m.memo[:1]}
	m.shapes.add(table)
	get := []byte{'h', 0, 'N', 'u', '.'}
	require.Same(t, table, m.shapeOf(get, 0))
	collided := false
	for i := 1; i < len(keys); i++ {
		collided = collided || firstSlot(m.memo[i]) == firstSlot(m.memo[0])
		get[1] = byte(i)
		assert.Nil(t, m.shapeOf(get, 0))
	}
	assert.True(t, collided)
	assert.Zero(t, table.failed)
}

// Keys whose dicts have what is not read past the stack are given up, at once or when they begin to, but not for one in
// twenty of them.
func TestShapedGivesUp(t *testing.T) {
	for _, c := range []struct {
		name  string
		plain func(i int) bool
		gives bool
	}{
		{"none", func(i int) bool { return false }, true},
		{"one of two", func(i int) bool { return i%2 == 0 }, true},
		{"one of ten", func(i int) bool { return i%10 == 0 }, true},
		{"nine of ten", func(i int) bool { return i%10 > 0 }, true},
		{"at first", func(i int) bool { return i < 1000 }, true},
		{"19 of 20", func(i int) bool { return i%20 > 0 }, false},
		{"all", func(i int) bool { return true }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows := make([]map[string]any, 1100)
			for i := range rows {
				rows[i] = map[string]any{"a": i, "b": "x", "c": nil}
				if !c.plain(i) {
					rows[i]["c"] = complex(1, float64(i))
				}
			}
			message, err := Marshal(rows)
			require.NoError(t, err)
			var v any
			require.NoError(t, Unmarshal(message, &v))
			got := v.(*List).Items()
			first, last := got[0].(*Dict), got[len(got)-1].(*Dict)
			require.Same(t, first.t, last.t)
			assert.Equal(t, c.gives, first.t.failed >= shapedGiveUp, "%d", first.t.failed)
			again, err := Marshal(v)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(message, again))
		})
	}
}
