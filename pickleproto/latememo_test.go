package pickleproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto/internal/corpus"
	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
)

// withEarly calls f as if memo entries were late from the nth on.
func withEarly(n int, f func()) {
	defer func(n int) { earlyMemo = n }(earlyMemo)
	earlyMemo = n
	f()
}

var fewEarly = []int{0, 1, 2, 7, 40}

// requireSameLate decodes a message with fewer and fewer early entries: what comes out, what is shared in it and what is
// wrong with it are the same.
func requireSameLate(t *testing.T, name string, message []byte, opts ...Option) {
	t.Helper()
	write := []Option{WithProtocol(5), WithLimits(Limits{Digits: -1})}
	want, wantErr := Native.Decode(message, opts...)
	var written []byte
	if wantErr == nil {
		var err error
		written, err = Native.Append(nil, want, write...)
		require.NoError(t, err, name)
	}
	for _, n := range fewEarly {
		withEarly(n, func() {
			got, err := Native.Decode(message, opts...)
			if wantErr != nil {
				require.EqualError(t, err, wantErr.Error(), "%s, %d early", name, n)
				return
			}
			require.NoError(t, err, "%s, %d early", name, n)
			again, err := Native.Append(nil, got, write...)
			require.NoError(t, err, name)
			require.Equal(t, string(written), string(again), "%s, %d early", name, n)
		})
	}
}

// sameWithFewEarly is requireSameLate for what a fuzzer makes, where the limit of memory may be met by one and not the other.
func sameWithFewEarly(t *testing.T, message []byte) {
	c := newConfig(nil)
	want, n, wantErr := decode(message, &c)
	withEarly(2, func() {
		got, m, err := decode(message, &c)
		var limit *LimitError
		switch {
		case errors.As(err, &limit) || errors.As(wantErr, &limit):
		case err != nil || wantErr != nil:
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("%v, with few early memo entries %v", wantErr, err)
			}
		default:
			one, wantErr := Marshal(want, WithProtocol(5))
			two, err := Marshal(got, WithProtocol(5))
			if n != m || fmt.Sprint(err) != fmt.Sprint(wantErr) || !bytes.Equal(one, two) {
				t.Errorf("%d bytes, %q, %v, with few early memo entries %d, %q, %v", n, one, wantErr, m, two, err)
			}
		}
	})
}

func TestLateMemoOfTheCorpus(t *testing.T) {
	for _, file := range []string{"objects", "payloads"} {
		for _, c := range quick.Some(corpus.Load(t, file), 4) {
			requireSameLate(t, fmt.Sprintf("%s, protocol %d, %s", c.Name, c.Protocol, c.Pythons), c.Data, WithLimits(Limits{Digits: -1}))
		}
	}
}

func TestLateMemoOfShapes(t *testing.T) {
	w := pickleWriter{Rand: rand.New(rand.NewPCG(3, 4))}
	for range 1000 {
		w.message()
		whole, _ := w.pickles()
		requireSameLate(t, whole, []byte(whole))
	}
}

// memoWriter writes values of every kind, puts them into the memo at the next index or at any other, and fetches what is
// there and what is not.
type memoWriter struct {
	*rand.Rand
	b []byte
	n int // the largest index put, and 1 more
}

func (w *memoWriter) index() int {
	switch w.IntN(20) {
	case 0:
		return w.IntN(5000)
	case 1:
		return w.n + w.IntN(30)
	}
	return w.IntN(w.n + 1)
}

func (w *memoWriter) value() {
	values := []string{
		"N", "K\x07", "\x8c\x04text", "\x8c\x01c", "\x8c\x00", "]", "](K\x01\x8c\x03abce", "}", "}(K\x01NK\x02Nu", ")", "K\x01\x85", "K\x01N\x86",
		"(K\x01NK\x02K\x03t", "(K\x01\x91", "\x8f", "C\x03abc", "G?\xf0\x00\x00\x00\x00\x00\x00", "ccollections\nOrderedDict\n)R", "cbuiltins\nlen\n",
	}
	w.b = append(w.b, values[w.IntN(len(values))]...)
}

func (w *memoWriter) message() []byte {
	w.b, w.n = append(w.b[:0], "\x80\x04("...), 0
	for range w.IntN(200) {
		switch w.IntN(8) {
		case 0:
			i := w.index()
			w.b = binary.LittleEndian.AppendUint32(append(w.b, 'j'), uint32(i))
		case 1, 2:
			if w.n > 0 {
				w.b = binary.LittleEndian.AppendUint32(append(w.b, 'j'), uint32(w.IntN(w.n)))
				if w.IntN(4) == 0 { // again
					w.n++
					w.b = append(w.b, 0x94)
				}
				break
			}
			fallthrough
		default:
			w.value()
			switch w.IntN(8) {
			case 0:
			case 1:
				i := w.index()
				w.n = max(w.n, i+1)
				w.b = binary.LittleEndian.AppendUint32(append(w.b, 'r'), uint32(i))
			default:
				w.n++
				w.b = append(w.b, 0x94)
			}
		}
	}
	return append(w.b, "t."...)
}

func TestLateMemoAgainstEarly(t *testing.T) {
	requireSameLate(t, "beyond", []byte("\x80\x04]\x94(}\x94(\x8c\x01k\x94Nu}\x94(h\x63NNNNNNNNNNNNNNue."))
	w := memoWriter{Rand: rand.New(rand.NewPCG(5, 6))}
	for range 5000 {
		message := w.message()
		requireSameLate(t, fmt.Sprintf("%q", message), message)
		requireSameLate(t, fmt.Sprintf("%q", message), message, WithLimits(Limits{Memo: 50}))
	}
}

// Where values come from other slabs than the latest entry of the memo, and from many of them.
func TestLateMemoOfManySlabs(t *testing.T) {
	rows := make([]any, 6000)
	for i := range rows {
		text := fmt.Sprint("text", i)
		list := NewList(int64(i), text)
		set, err := NewFrozenSet(int64(i))
		require.NoError(t, err)
		rows[i] = Tuple{text, list, set, Tuple{list, text, nil}, &Object{Callable: Global{Module: "m", Name: "n"}, Args: Tuple{text}}, Bytes(fmt.Sprint("bytes", i))}
	}
	all := NewList(rows...)
	for _, r := range rows[:2000] {
		all.Append(r)
		all.Append(r.(Tuple)[4])
		all.Append(r.(Tuple)[2])
		all.Append(r.(Tuple)[5])
	}
	for protocol := 2; protocol <= 5; protocol++ {
		message, err := Marshal(all, WithProtocol(protocol))
		require.NoError(t, err)
		requireSameLate(t, fmt.Sprint("protocol ", protocol), message)
	}
}

// Strs and bytes share slabs; what was memoised as bytes is fetched as bytes, and takes no more room than a str.
func TestLateMemoOfBytes(t *testing.T) {
	message := []byte("\x80\x04](")
	const n = 3000
	for i := range n {
		message = append(message, fmt.Sprintf("C\x04b%03d\x94\x8c\x04s%03d\x94", i%1000, i%1000)...)
	}
	for i := range n {
		message = append(message, 'j', byte(2*i), byte(2*i>>8), 0, 0)
	}
	message = append(message, "e."...)
	withEarly(3, func() {
		m, c := new(machine), newConfig(nil)
		m.start(message, &c)
		v, _, err := m.load()
		require.NoError(t, err)
		items := v.(*List).Items()
		for i := range n {
			require.Equal(t, Bytes(fmt.Sprintf("b%03d", i%1000)), items[2*i])
			require.True(t, same(items[2*i], items[2*n+i]))
		}
		assert.Empty(t, m.late.others)
	})
}

// The strs of a packed list are memoised by one entry of the machine, on both sides of where entries become late.
func TestLateMemoOfPackedStrs(t *testing.T) {
	strs := make([]string, 3000)
	for i := range strs {
		strs[i] = fmt.Sprint("text", i)
	}
	again := make([]any, 0, 30)
	for i := 0; i < len(strs); i += 100 {
		again = append(again, strs[i])
	}
	message, err := Marshal([]any{strs, again, strs[len(strs)-1]})
	require.NoError(t, err)
	requireSameLate(t, "strs", message)
	withEarly(1000, func() {
		v, err := Native.Decode(message)
		require.NoError(t, err)
		items := v.(*List).Items()
		for i, s := range items[1].(*List).Items() {
			require.Equal(t, strs[100*i], s)
		}
		require.Equal(t, strs[len(strs)-1], items[2])
	})
}

// The parts of a message that Go types leave to the machine share its memo.
func TestLateMemoOfTypedParts(t *testing.T) {
	type row struct {
		Name string
		Any  any
	}
	rows := make([]row, 300)
	for i := range rows {
		name := fmt.Sprint("name", i)
		rows[i] = row{name, []any{name, "all", Tuple{name}}}
	}
	message, err := Marshal(rows)
	require.NoError(t, err)
	var want []row
	require.NoError(t, Unmarshal(message, &want))
	for _, n := range fewEarly {
		withEarly(n, func() {
			var got []row
			require.NoError(t, Unmarshal(message, &got))
			require.Equal(t, want, got)
		})
	}
}

// A memo that outlives the message has no late entries, whose slabs would not be there.
func TestLateMemoAndKeptMemo(t *testing.T) {
	withEarly(1, func() {
		var memo Memo
		v, err := Native.Decode([]byte("\x80\x04\x8c\x04text\x94]\x94}\x94)\x94\x87."), WithMemo(&memo))
		require.NoError(t, err)
		runtime.GC()
		again, err := Native.Decode([]byte("\x80\x04h\x00h\x01h\x02\x87."), WithMemo(&memo))
		require.NoError(t, err)
		assert.Equal(t, "text", again.(Tuple)[0])
		assert.Same(t, v.(Tuple)[0], again.(Tuple)[1])
	})
}

// What a pooled machine keeps of late entries is empty, and not large; and what they take counts.
func TestLateMemoIsForgottenAndCharged(t *testing.T) {
	m, c := new(machine), newConfig(nil)
	message := []byte("\x80\x04(")
	for range 3 * earlyMemo {
		message = append(message, "]\x94N\x940"...)
	}
	message = append(message, "t."...)
	m.start(message, &c)
	_, _, err := m.load()
	require.NoError(t, err)
	require.Len(t, m.late.refs, 5*earlyMemo)
	require.Len(t, m.memo, earlyMemo)
	require.Len(t, m.late.others, 1, "None is there once")
	m.forget()
	assert.Equal(t, lateMemo{}, m.late)

	withEarly(10, func() {
		ints := []byte("\x80\x04(")
		for range 1000 {
			ints = append(ints, "G\x00\x00\x00\x00\x00\x00\x00\x00\x94"...)
		}
		ints = append(ints, "t."...)
		_, err := Native.Decode(ints)
		require.NoError(t, err)
		var limit *LimitError
		_, err = Native.Decode(ints, WithLimits(Limits{Memory: 16*1000 + 8*1000 + 20*1000}))
		require.ErrorAs(t, err, &limit)
		assert.Equal(t, "memory", limit.Limit)
	})
}
