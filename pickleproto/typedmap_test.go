package pickleproto

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Entries of long dicts are read many at a time, as far as they are alike. Whatever stands between them, and wherever
// frames and batches end, the map is the one that the machine and the binder make.
func TestLongMapsAgainstBinder(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	dicts := 150
	if quick.Race {
		dicts = 15
	}
	taken, refused := 0, 0
	for range dicts {
		d := new(Dict)
		odd := []int{0, 4, 60, 1000}[r.IntN(4)] // one in so many
		met := "met again"
		for i := range entriesAhead + r.IntN(3*batchSize) {
			key := fmt.Sprint("key", i, strings.Repeat("y", r.IntN(16)))
			var value any = []int64{0, 255, 256, 65535, 65536, -1, -1 << 31, 1<<31 - 1}[r.IntN(8)]
			if odd > 0 && r.IntN(odd) == 0 {
				switch r.IntN(6) {
				case 0:
					value = int64(1) << 40
				case 1:
					key += strings.Repeat("x", r.IntN(300))
				case 2:
					key += "é"
				case 3:
					key = fmt.Sprint(i)
				case 4:
					key = met
				case 5:
					if r.IntN(20) == 0 {
						value = []any{nil, 1.5, true, "text"}[r.IntN(4)]
					}
				}
			}
			require.NoError(t, d.Set(key, value))
		}
		keys, _ := d.alive()
		data, err := Marshal(Tuple{met, d, keys[len(keys)-1-r.IntN(60)]}) // of which the memo knows the last
		require.NoError(t, err)
		if r.IntN(2) == 0 {
			data, err = Marshal(d)
			require.NoError(t, err)
		}
		switch r.IntN(8) { // something is wrong
		case 0:
			data[20+r.IntN(len(data)-20)] ^= 1 << r.IntN(8)
		case 1:
			data[20+bytes.Index(data[20:], []byte("key1"))] |= 0x80 // which is no text
		case 2:
			if len(data) < 1<<16 {
				binary.LittleEndian.PutUint64(data[3:], uint64(len(data)-30-r.IntN(20)))
			}
		}
		for _, opts := range [][]Option{nil, {WithCopyStrings()}, {WithLentBuffer()}, {WithLimits(Limits{Memory: int64(len(data))})}} {
			c := newConfig(opts)
			var slow, fast any = new(map[string]int64), new(map[string]int64)
			if data[len(data)-3] == wire.OpTuple3 {
				type triple struct {
					_     struct{} `pickle:",tuple"`
					First string
					Map   map[string]int64
					Last  string
				}
				slow, fast = new(triple), new(triple)
			}
			into := reflect.ValueOf(fast).Elem()
			n, ok := unmarshalFast(data, into.Addr().Interface(), &c, true)
			if !ok {
				refused++
				continue
			}
			taken++
			x, used, err := decode(data, &c)
			require.NoError(t, err)
			target := reflect.ValueOf(slow).Elem()
			require.NoError(t, bindInto(target, x, planOf(target.Type()), data, &c))
			require.Equal(t, used, n)
			require.Equal(t, slow, fast)
		}
	}
	assert.Greater(t, taken, dicts)
	assert.Greater(t, refused, dicts/10)
}

// What intEntries takes, and what it does not.
func TestIntEntries(t *testing.T) {
	d := new(Dict)
	want := map[string]int64{}
	for i := range 1000 {
		key := fmt.Sprint("a long key ", i)
		require.NoError(t, d.Set(key, int64(i)))
		want[key] = int64(i)
	}
	data, err := Marshal(d)
	require.NoError(t, err)
	unframed := append([]byte("\x80\x04"), data[11:]...)
	fast := func(data []byte, opts ...Option) (m map[string]int64, ok bool) {
		c := newConfig(opts)
		_, ok = unmarshalFast(data, &m, &c, true)
		return m, ok
	}
	for name, data := range map[string][]byte{
		"as Python writes it": data,
		"unframed":            unframed,
		"not memoised":        bytes.ReplaceAll(unframed, []byte{wire.OpMemoize, 'M'}, []byte("M")),
	} {
		m, ok := fast(data)
		require.True(t, ok, name)
		require.Equal(t, want, m, name)
	}
	// The memo goes on to count: entry 5 is the fifth key.
	m, ok := fast(append(unframed[:len(unframed)-2:len(unframed)-2], "h\x05K\x07u."...))
	require.True(t, ok)
	assert.Equal(t, int64(7), m["a long key 4"])
	// A number that looks like another opcode where a MEMOIZE is missing.
	var plain strings.Builder
	for i := range 200 {
		memoize := "\x94"
		if i > 75 {
			memoize = ""
		}
		fmt.Fprintf(&plain, "\x8c\x0ea long key %03d%sMK\x01", i, memoize)
	}
	m, ok = fast([]byte("\x80\x04}(" + plain.String() + "u."))
	require.True(t, ok)
	assert.Len(t, m, 200)
	assert.Equal(t, int64('K')+256, m["a long key 107"])
	// MEMOIZE, where PUT began with 1, is for the machine.
	_, ok = fast([]byte("\x80\x04}q\x01(" + strings.ReplaceAll(strings.ReplaceAll(plain.String(), "\x94", ""), "M", "\x94M") + "u."))
	assert.False(t, ok)
	// A byte that is no UTF-8 in the middle of 17.
	some, more := plain.String()[:70*20], plain.String()[70*20:75*20]
	m, ok = fast([]byte("\x80\x04}\x94(" + some + "\x8c\x11eight by-eight by\x94K\x01" + more + "u."))
	require.True(t, ok)
	assert.Len(t, m, 76)
	_, ok = fast([]byte("\x80\x04}\x94(" + some + "\x8c\x11eight by\xffeight by\x94K\x01" + more + "u."))
	assert.False(t, ok)
	// Each entry takes 32 bytes of the limit when the map is made, and again when it is filled.
	_, ok = fast(data, WithLimits(Limits{Memory: 60 * 1000}))
	assert.False(t, ok)
	for end := len(data) - 40; end < len(data)-2; end++ { // a frame that ends within an entry
		framed := append([]byte(nil), data...)
		binary.LittleEndian.PutUint64(framed[3:], uint64(end-11))
		m, ok := fast(framed)
		x, err := Native.Decode(framed)
		if err != nil {
			require.False(t, ok, end)
			continue
		}
		require.True(t, ok, end)
		require.Equal(t, len(m), x.(*Dict).Len())
	}
}
