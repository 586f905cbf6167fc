package pickleproto

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runRecord has a field of each kind that is read without a call, and arrays and short lists, which have runs.
type runRecord struct {
	ID    int64             `pickle:"id"`
	Name  string            `pickle:"name"`
	On    bool              `pickle:"on"`
	Score float64           `pickle:"score"`
	Pos   [2]float64        `pickle:"pos"`
	Cells [3]int64          `pickle:"cells"`
	Tags  []string          `pickle:"tags"`
	Note  *string           `pickle:"note"`
	More  map[string]string `pickle:"more"`
}

// runText returns a str, most of which are alike.
func runText(r *rand.Rand, odd int) string {
	if odd > 0 && r.IntN(odd) == 0 {
		switch r.IntN(5) {
		case 0:
			return strings.Repeat("x", r.IntN(400))
		case 1:
			return "é" + strings.Repeat("x", r.IntN(20))
		case 2:
			return strings.Repeat("x", 6+r.IntN(10)) + "é"
		case 3:
			return ""
		case 4:
			return "seen before"
		}
	}
	return strings.Repeat("s", 7+r.IntN(11))
}

func runNumber(r *rand.Rand) int64 {
	return []int64{0, 255, 256, 65535, 65536, -1, math.MinInt32, math.MaxInt32, 1 << 40, -1 << 63}[r.IntN(10)]
}

// runRecords returns a list of dicts with the fields of a runRecord, now and then with others.
func runRecords(t *testing.T, r *rand.Rand, n, odd int) *List {
	t.Helper()
	l := NewList()
	for range n {
		strange := func() bool { return odd > 0 && r.IntN(odd) == 0 }
		var on, score any = r.IntN(2) == 0, r.NormFloat64()
		if strange() {
			score = runNumber(r) >> 12
		}
		if odd > 50 && strange() {
			on = nil
		}
		pos := []any{r.Float64(), r.Float64()}
		cells := []any{runNumber(r), int64(r.IntN(300)), runNumber(r)}
		if strange() {
			pos[r.IntN(2)] = int64(r.IntN(3))
		}
		if odd > 50 && strange() {
			cells = append(cells, int64(1))[r.IntN(3):]
		}
		tags := NewList()
		for range r.IntN(4) * r.IntN(8) {
			tags.Append(runText(r, 3))
		}
		type field struct {
			key   string
			value any
		}
		fields := []field{{"id", runNumber(r)}, {"name", runText(r, odd)}, {"on", on}, {"score", score}, {"pos", Tuple(pos)},
			{"cells", NewList(cells...)}, {"tags", tags}, {"note", nil}, {"more", new(Dict)}}
		if r.IntN(2) == 0 {
			fields[7].value = runText(r, odd)
		}
		switch {
		case strange():
			r.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		case strange():
			fields = append(fields[:3], fields[3+r.IntN(4):]...)
		case strange():
			fields[r.IntN(len(fields))].key = "unknown"
		}
		d := new(Dict)
		for _, f := range fields {
			require.NoError(t, d.Set(f.key, f.value))
		}
		l.Append(d)
	}
	return l
}

// Strs of a list and fields of records are read many at a time, as far as they are alike. Whatever stands between
// them, and wherever blocks, frames and batches end, they are what the machine and the binder make of them.
func TestRunsAgainstBinder(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	messages := 200
	if quick.Race {
		messages = 20
	}
	taken, refused := 0, 0
	for i := range messages {
		odd := []int{0, 4, 60, 1000}[r.IntN(4)] // one in so many
		var v any
		var typ reflect.Type
		if i%2 == 0 {
			l := NewList()
			for range r.IntN(3 * batchSize) {
				l.Append(runText(r, odd))
			}
			v, typ = NewList(l, "seen before", NewList("seen before")), reflect.TypeFor[struct {
				_     struct{} `pickle:",tuple"`
				Long  []string
				Word  string
				Short []string
			}]()
			v = Tuple(v.(*List).Items())
			if r.IntN(2) == 0 {
				v, typ = l, reflect.TypeFor[[]string]()
			}
		} else {
			v, typ = runRecords(t, r, r.IntN(300), odd), reflect.TypeFor[[]runRecord]()
		}
		protocol := 2 + r.IntN(4)
		data, err := Marshal(v, WithProtocol(protocol))
		require.NoError(t, err)
		if protocol >= 4 && len(data) > 200 && len(data) < 1<<16 && r.IntN(4) == 0 { // a frame ends early
			binary.LittleEndian.PutUint64(data[3:], uint64(40+r.IntN(len(data)-100)))
		}
		if r.IntN(6) == 0 && len(data) > 60 { // something is wrong
			data[20+r.IntN(len(data)-20)] ^= 1 << r.IntN(8)
		}
		for _, opts := range [][]Option{nil, {WithCopyStrings()}, {WithLentBuffer()}, {WithLimits(Limits{Memory: int64(len(data))})}} {
			c := newConfig(opts)
			slow, fast := reflect.New(typ), reflect.New(typ)
			n, ok := unmarshalFast(data, fast.Interface(), &c, true)
			if !ok {
				require.True(t, fast.Elem().IsZero())
				refused++
				continue
			}
			taken++
			x, used, err := decode(data, &c)
			require.NoError(t, err)
			require.NoError(t, bindInto(slow.Elem(), x, planOf(typ), data, &c))
			require.Equal(t, used, n)
			require.Equal(t, slow.Interface(), fast.Interface())
		}
	}
	assert.Greater(t, taken, messages)
	assert.Greater(t, refused, messages/10)
}

// Where a run of strs ends, and that the memo counts on.
func TestStrRuns(t *testing.T) {
	str := func(s string) string { return "\x8c" + string([]byte{byte(len(s))}) + s + "\x94" }
	var many, want = strings.Builder{}, []string{}
	for i := range 3000 { // more than a block has
		want = append(want, fmt.Sprintf("text %04d", i))
		many.WriteString(str(want[i]))
	}
	fast := func(data string) (s []string, ok bool) {
		c := newConfig(nil)
		_, ok = unmarshalFast([]byte(data), &s, &c, true)
		return s, ok
	}
	for name, c := range map[string]struct {
		end  string
		more []string
	}{
		"nothing":          {"", nil},
		"a short one":      {str("x"), []string{"x"}},
		"seven bytes":      {str("seven b"), []string{"seven b"}},
		"sixteen":          {str("sixteen bytes 16"), []string{"sixteen bytes 16"}},
		"seventeen":        {str("seventeen bytes.."), []string{"seventeen bytes.."}},
		"not ASCII":        {str("ASCII é"), []string{"ASCII é"}},
		"first not ASCII":  {str("é and ASCII"), []string{"é and ASCII"}},
		"not memoised":     {"\x8c\x08eight by", []string{"eight by"}},
		"fetched":          {"h\x05j\xb7\x0b\x00\x00", []string{"text 0004", "text 2998"}},
		"after the others": {str("the last") + "j\xb9\x0b\x00\x00", []string{"the last", "the last"}},
	} {
		got, ok := fast("\x80\x04]\x94(" + many.String() + c.end + "e.")
		require.True(t, ok, name)
		require.Equal(t, append(want[:len(want):len(want)], c.more...), got, name)
	}
	for name, end := range map[string]string{
		"no UTF-8":         "\x8c\x08eight\xffby\x94",
		"no UTF-8 at last": "\x8c\x0aten bytes.\x94"[:11] + "\xff\x94",
		"one amid 17":      "\x8c\x11eight by\xffeight by\x94",
		"another opcode":   "\x8c\x08eight by\x93",
		"past the end":     "\x8c\xc8eight by\x94",
	} {
		_, ok := fast("\x80\x04]\x94(" + many.String() + end + "e.")
		assert.False(t, ok, name)
	}
	// MEMOIZE, where PUT began with 1, is for the machine.
	_, ok := fast("\x80\x02]q\x01(" + many.String() + "e.")
	assert.False(t, ok)
	_, ok = fast("\x80\x02]q\x01(" + strings.Repeat("X\x08\x00\x00\x00no entry", 40) + many.String()[:12*300] + "e.")
	assert.False(t, ok)
	// A frame that ends within a str.
	frame := string(binary.LittleEndian.AppendUint64([]byte("\x80\x04\x95"), uint64(4+12*500-3)))
	_, ok = fast(frame + "]\x94(" + many.String() + "e.")
	assert.False(t, ok)
	frame = string(binary.LittleEndian.AppendUint64([]byte("\x80\x04\x95"), uint64(3+12*500)))
	got, ok := fast(frame + "]\x94(" + many.String() + "e.")
	assert.True(t, ok)
	assert.Equal(t, want, got)
}

// Fields that come as in the record before, and where they do not.
func TestExpectedFields(t *testing.T) {
	type abc struct {
		A, B, C int64
	}
	first := "\x80\x04](}(\x8c\x01A\x94K\x01\x8c\x01B\x94K\x02\x8c\x01C\x94K\x03u" + "}(h\x00K\x04h\x01K\x05h\x02K\x06u"
	for name, c := range map[string]struct {
		record string
		want   abc
		ok     bool
	}{
		"the same":            {"}(h\x00K\x04h\x01K\x05h\x02K\x06u", abc{4, 5, 6}, true},
		"the last are not":    {"}(h\x00K\x04u", abc{A: 4}, true},
		"the first is not":    {"}(h\x01K\x05h\x02M\x06\x01u", abc{B: 5, C: 262}, true},
		"another order":       {"}(h\x02J\xff\xff\xff\xffh\x00K\x04h\x01\x8a\x01\x05u", abc{4, 5, -1}, true},
		"one after another":   {"}h\x00K\x04sh\x01K\x05sh\x02K\x06s", abc{4, 5, 6}, true},
		"one, then others":    {"}h\x00K\x04s(h\x01K\x05h\x02K\x06u", abc{4, 5, 6}, true},
		"one that is unknown": {"}(h\x00K\x04\x8c\x01x\x94Nh\x01K\x05u", abc{A: 4, B: 5}, true},
		"one again":           {"}h\x02K\x04sh\x00K\x05s(h\x01K\x06h\x02K\x07u}(h\x00K\x04h\x01K\x05h\x02K\x06u", abc{}, false},
		"one again, later":    {"}(h\x00K\x04h\x01K\x05h\x00K\x07u", abc{}, false},
		"no int":              {"}(h\x00K\x04h\x01Nu", abc{}, false},
		"cut":                 {"}(h\x00K\x04h\x01J\x05", abc{}, false},
		"cut in a key":        {"}(h\x00K\x04h", abc{}, false},
	} {
		var got []abc
		cfg := newConfig(nil)
		data := slices.Clip([]byte(first + c.record + "e."))
		_, ok := unmarshalFast(data, &got, &cfg, true)
		require.Equal(t, c.ok, ok, name)
		if ok {
			require.Equal(t, []abc{{1, 2, 3}, {4, 5, 6}, c.want}, got, name)
		}
	}
	var got []abc
	cfg := newConfig([]Option{WithRequireFields()})
	for record, want := range map[string]bool{"": true, "}(h\x00K\x04h\x01K\x05u": false} {
		_, ok := unmarshalFast([]byte(first+record+"e."), &got, &cfg, true)
		assert.Equal(t, want, ok)
		got = nil
	}
}

// Arrays of numbers have runs, which end with the array.
func TestArrayRuns(t *testing.T) {
	one, two := "G\x3f\xf0\x00\x00\x00\x00\x00\x00", "G\x40\x00\x00\x00\x00\x00\x00\x00"
	for data, want := range map[string]any{
		one + two + "\x86":                [2]float64{1, 2},
		one + "K\x02\x86":                 [2]float64{1, 2},
		"K\x01" + two + "\x86":            [2]float64{1, 2},
		"](" + one + two + "e":            [2]float64{1, 2},
		"(" + one + two + one + two + "t": [4]float64{1, 2, 1, 2},
		"](K\x01J\xff\xff\xff\xffe":       [2]int64{1, -1},
		"](K\x01K\x02\x8a\x01\x03e":       [3]int64{1, 2, 3},
	} {
		got := reflect.New(reflect.TypeOf(want)).Elem()
		c := newConfig(nil)
		_, ok := unmarshalFast([]byte("\x80\x04"+data+"."), got.Addr().Interface(), &c, true)
		require.True(t, ok, "%q", data)
		require.Equal(t, want, got.Interface(), "%q", data)
	}
	for data, into := range map[string]any{
		one + two + one + two + "\x88":         new([4]float64), // of which there is no tuple
		one + two + one + "\x87":               new([2]float64),
		"](" + one + two + one + "e":           new([2]float64),
		"](" + one + "e":                       new([2]float64),
		"](" + one + "Ne":                      new([2]float64),
		"](K\x01" + one + "e":                  new([2]int64),
		"](K\x01\x8a\x09123456789e":            new([2]int64),
		"](K\x01K\x02\x8a\x09\x001234567\x01e": new([3]int64),
	} {
		got := reflect.ValueOf(into).Elem()
		c := newConfig(nil)
		_, ok := unmarshalFast([]byte("\x80\x04"+data+"."), got.Addr().Interface(), &c, true)
		assert.False(t, ok, "%q", data)
		assert.True(t, got.IsZero(), "%q", data)
	}
	var want, got [2*batchSize + 7]int64 // in three batches
	for i := range want {
		want[i] = int64(i)
	}
	data, err := Marshal(want[:])
	require.NoError(t, err)
	c := newConfig(nil)
	_, ok := unmarshalFast(data, &got, &c, true)
	require.True(t, ok)
	assert.Equal(t, want, got)
}

// Short lists of strs lie in one slab, and each ends where the next begins.
func TestShortListsApart(t *testing.T) {
	var got [][]string
	data, err := Marshal([][]string{{"a", "b"}, {}, {"c"}, {"d", "e", "f", "g", "h", "i", "j", "k", "l"}, {"m"}})
	require.NoError(t, err)
	c := newConfig(nil)
	_, ok := unmarshalFast(data, &got, &c, true)
	require.True(t, ok)
	for i := range got {
		got[i] = append(got[i], "more")
	}
	assert.Equal(t, [][]string{{"a", "b", "more"}, {"more"}, {"c", "more"}, {"d", "e", "f", "g", "h", "i", "j", "k", "l", "more"}, {"m", "more"}}, got)
}
