package pickleproto

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// entry is a key, as SHORT_BINUNICODE and MEMOIZE, and a value's opcodes.
func entry(key, value string) string {
	return "\x8c" + string([]byte{byte(len(key))}) + key + "\x94" + value
}

func intValue(i int) string {
	return string(binary.LittleEndian.AppendUint32([]byte{'J'}, uint32(i)))
}

func floatValue(i int) string {
	return string(binary.BigEndian.AppendUint64([]byte{'G'}, math.Float64bits(float64(i)+0.5)))
}

// entries is the keys from..to, each with a value that is as long as the value opcodes need.
func entries(from, to int, value func(int) string) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		b.WriteString(entry(fmt.Sprintf("key %d", i), value(i)))
	}
	return b.String()
}

// shortInts are ints of every opcode that has them.
func shortInts(i int) string {
	switch i % 4 {
	case 0:
		return "K" + string([]byte{byte(i)})
	case 1:
		return "M" + string([]byte{byte(i), byte(i >> 8)})
	case 2:
		return "\x8a\x06" + string([]byte{byte(i), byte(i >> 8), 0, 0, 0, 1})
	}
	return intValue(-i)
}

func decodePacked(t *testing.T, pickle string) *Dict {
	t.Helper()
	var v any
	require.NoError(t, Unmarshal([]byte(pickle), &v))
	d, ok := v.(*Dict)
	require.True(t, ok, "%T", v)
	return d
}

func TestPackedDicts(t *testing.T) {
	for _, c := range []struct {
		name   string
		pickle string
		packed bool
	}{
		{"ints", "}\x94(" + entries(0, 1000, shortInts) + "u(" + entries(1000, 2000, shortInts) + "u(" + entries(2000, 2007, shortInts) + "u", true},
		{"floats", "}\x94(" + entries(0, 1000, floatValue) + "u(" + entries(1000, 1500, floatValue) + "u", true},
		{"an empty last batch", "}\x94(" + entries(0, 1000, intValue) + "u(u", false},
		{"large batches", "}\x94(" + entries(0, 1000, intValue) + "u(" + entries(1000, 9000, intValue) + "u(" + entries(9000, 30000, intValue) + "u", true},
		{"no second batch", "}\x94(" + entries(0, 1000, intValue) + "u", false},
		{"keys of one character", "}\x94(" + entry("x", "K\x01") + entries(0, 999, intValue) + "u(" + entry("x", "K\x02") + entry("y", "K\x03") + entry("\u00e9", "K\x04") + entry("", "K\x05") + entry("y", "K\x06") + "u", false},
		{"keys of one character, all new", "}\x94(" + entries(0, 1000, intValue) + "u(" + entry("y", "K\x03") + entry("\u00e9", "K\x04") + entry("", "K\x05") + entry("\u4e2d\u6587", "K\x06") + "u", true},
		{"a key twice in the first batch", "}\x94(" + entries(0, 1000, intValue) + entries(5, 6, shortInts) + "u(" + entries(1000, 1001, intValue) + "u", false},
		{"a key twice in a later batch", "}\x94(" + entries(0, 1000, intValue) + "u(" + entries(1000, 1100, intValue) + entries(1005, 1006, shortInts) + "u(" + entries(1100, 1200, intValue) + "u", false},
		{"a key of an earlier batch", "}\x94(" + entries(0, 1000, intValue) + "u(" + entries(1000, 2000, intValue) + "u(" + entries(2000, 2100, intValue) + entries(7, 8, shortInts) + "u", false},
		{"None in the second batch", "}\x94(" + entries(0, 1000, intValue) + "u(" + entries(1000, 1100, intValue) + entry("none", "N") + "u", false},
		{"a float among ints", "}\x94(" + entries(0, 1000, intValue) + "u(" + entries(1000, 2000, intValue) + "u(" + entry("f", floatValue(1)) + "u", false},
		{"an int among floats", "}\x94(" + entries(0, 1000, floatValue) + "u(" + entries(1000, 1100, floatValue) + entry("f", "K\x01") + "u", false},
		{"a bool among ints", "}\x94(" + entries(0, 1000, intValue) + entry("b", "\x88") + "u(" + entries(1000, 1100, intValue) + "u", false},
		{"a long that is an int", "}\x94(" + entries(0, 1000, intValue) + "u(" + entry("l", "\x8a\x01\x05") + "u", false},
		{"an int as a key", "}\x94(" + entries(0, 1000, intValue) + "u(K\x01K\x02u", false},
		{"a str that was before", "}\x94(" + entries(0, 1000, intValue) + "u(h\x01K\x02u", false},
		{"no end of the batch", "}\x94(" + entries(0, 1000, intValue) + "u(" + entries(1000, 1100, intValue), false},
		{"half an entry", "}\x94(" + entries(0, 1000, intValue) + "u(" + entries(1000, 1100, intValue) + "\x8c\x01a\x94u", false},
		{"bytes that are no text", "}\x94(" + entries(0, 1000, intValue) + "u(" + entry("\xff\xfe\xfd", "K\x01") + "u", false},
		{"a mark for something else", "}\x94(" + entries(0, 1000, intValue) + "u(" + entries(1000, 1002, intValue) + "t\x86", false},
		{"set by way of the memo", "}\x94(" + entries(0, 1000, intValue) + "u(" + entries(1000, 1001, intValue) + "uh\x00\x8c\x01aK\x01s0", false},
		{"keys that are fetched", "}\x94(" + entries(0, 1000, intValue) + "u(" + entries(1000, 1300, intValue) + "uj\xe9\x03\x00\x00j\xea\x03\x00\x00h\x02\x87\x86", false},
		{"within a list", "](" + "}\x94(" + entries(0, 1000, intValue) + "u(" + entries(1000, 1001, intValue) + "u}(" + entries(0, 1000, floatValue) + "u(" + entries(1000, 2001, floatValue) + "uNe", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			pickle := []byte("\x80\x04" + c.pickle + ".")
			var got, want any
			// Entries of a memo that is kept are boxed one by one, so nothing is packed.
			errWant := Unmarshal(pickle, &want, WithMemo(new(Memo)))
			errGot := Unmarshal(pickle, &got)
			if errWant != nil {
				require.EqualError(t, errGot, errWant.Error())
				return
			}
			require.NoError(t, errGot)
			if d, ok := got.(*Dict); ok {
				assert.Equal(t, c.packed, d.t.packedOf() != nil)
				assert.Equal(t, want.(*Dict).Len(), d.Len())
				for k, v := range want.(*Dict).All() {
					w, ok := d.Get(k)
					assert.True(t, ok && w == v, "%v", k)
				}
			}
			assert.True(t, Equal(want, got))
			assert.Equal(t, Repr(want), Repr(got))
			for proto := range HighestProtocol + 1 {
				a, errA := Marshal(want, WithProtocol(proto))
				b, errB := Marshal(got, WithProtocol(proto))
				require.NoError(t, errA)
				require.NoError(t, errB)
				require.Equal(t, a, b, "protocol %d", proto)
			}
			for _, opt := range []Option{WithLentBuffer(), WithCopyStrings()} {
				var v any
				require.NoError(t, Unmarshal(pickle, &v, opt))
				assert.True(t, Equal(want, v))
			}
		})
	}
}

// Frames end anywhere between two opcodes: here, between any two of an entry's.
func TestPackedDictOfFrames(t *testing.T) {
	d := NewDict()
	for i := range 20_000 {
		require.NoError(t, d.Set(fmt.Sprintf("a key with number %d", i), int64(i)*int64(i)))
	}
	whole, err := Marshal(d)
	require.NoError(t, err)
	got := decodePacked(t, string(whole))
	require.NotNil(t, got.t.packedOf())
	assert.True(t, Equal(d, got))
	again, err := Marshal(got)
	require.NoError(t, err)
	assert.Equal(t, whole, again)

	frame := func(body string) string {
		return "\x95" + string(binary.LittleEndian.AppendUint64(nil, uint64(len(body)))) + body
	}
	begin := "\x80\x04" + frame("}\x94("+entries(0, 1000, intValue)+"u(")
	for _, split := range []string{
		begin + frame("\x8c\x01a\x94") + frame("K\x01") + frame("\x8c\x02bc\x94K\x02u") + ".",
		begin + "\x8c\x01a\x94K\x01" + frame("\x8c\x02bc\x94") + "K\x02" + frame("u."),
		begin + frame("\x8c\x01a\x94K\x01") + frame("") + frame("\x8c\x02bc\x94K\x02u."),
	} {
		d := decodePacked(t, split)
		assert.Equal(t, 1002, d.Len())
		v, ok := d.Get("bc")
		assert.True(t, ok && v == int64(2))
	}
	var v any
	err = Unmarshal([]byte(begin+frame("\x8c\x01a\x94M\x01")+"\x01u."), &v)
	require.ErrorContains(t, err, "argument straddles the end of a frame")
}

func TestPackedDictIsChanged(t *testing.T) {
	pickle := "\x80\x04}\x94(" + entries(0, 1000, intValue) + "u(" + entries(1000, 2000, intValue) + "u(u."
	d := decodePacked(t, pickle)
	_, ok := d.Get(int64(5))
	assert.False(t, ok)
	v, ok := d.Get(ByteString("key 1500"))
	assert.True(t, ok && v == int64(1500), "Python 2's str of the same text")
	require.NoError(t, d.Set("key 1999", "changed"))
	require.NoError(t, d.Set("new", nil))
	assert.True(t, d.Delete("key 0"))
	assert.False(t, d.Delete("key 0"))
	assert.Equal(t, 2000, d.Len())
	v, _ = d.Get("key 1999")
	assert.Equal(t, "changed", v)
	assert.Nil(t, d.t.packedOf())

	d = decodePacked(t, pickle)
	assert.True(t, d.Delete("key 7"))
	assert.Equal(t, 1999, d.Len())
	v, _ = d.Get("key 8")
	assert.Equal(t, int64(8), v)
}

func TestPackedDictIsReadByMany(t *testing.T) {
	d := decodePacked(t, "\x80\x04}\x94("+entries(0, 1000, intValue)+"u("+entries(1000, 1100, intValue)+"u.")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for k, v := range d.All() {
				if w, ok := d.Get(k); !ok || w != v {
					t.Error(k, v, w)
				}
			}
		})
	}
	wg.Wait()
}

// What follows may make a dict look as if it became much larger, and it may outgrow what was expected.
func TestPackedDictGivesBackRoom(t *testing.T) {
	begin := "\x80\x04}\x94(" + entries(0, 1000, intValue) + "u(" + entries(1000, 1010, intValue) + "u"
	d := decodePacked(t, begin+strings.Repeat("](K\x01K\x02e0", 20_000)+".")
	p := d.t.packedOf()
	require.NotNil(t, p)
	assert.LessOrEqual(t, p.room(), 2*len(p.keys))
	assert.LessOrEqual(t, d.t.index.size(), 8*len(p.keys))
	v, ok := d.Get("key 1009")
	assert.True(t, ok && v == int64(1009))

	inner := "\x80\x04](}\x94(" + entries(0, 1000, intValue) + "u"
	for i := 1; i < 20; i++ {
		inner += "(" + entries(1000*i, 1000*i+1000, intValue) + "u"
	}
	var list any
	require.NoError(t, Unmarshal([]byte(inner+"(uNe."), &list))
	d = list.(*List).At(0).(*Dict)
	require.NotNil(t, d.t.packedOf())
	assert.Equal(t, 20_000, d.Len())
	for i := range 20_000 {
		v, ok := d.Get(fmt.Sprintf("key %d", i))
		require.True(t, ok && v == int64(i))
	}

	var limit *LimitError
	require.ErrorAs(t, Unmarshal([]byte(inner+"(uNe."), &list, WithLimits(Limits{Memory: 400_000})), &limit)
	assert.Equal(t, "memory", limit.Limit)
}
