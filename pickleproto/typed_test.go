package pickleproto

import (
	"encoding/hex"
	"math"
	"math/rand"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fastPairs are the small pickles of testdata/binding.txt with the Go types that the fast path
// takes them into.
func fastPairs(t *testing.T) (pairs []struct {
	data []byte
	typ  reflect.Type
}) {
	t.Helper()
	text, err := os.ReadFile("testdata/binding.txt")
	require.NoError(t, err)
	c := newConfig(nil)
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if fields[1] != "2" && fields[1] != "4" || len(fields[2]) > 600 {
			continue
		}
		data, err := hex.DecodeString(fields[2])
		require.NoError(t, err)
		for _, typ := range append([]reflect.Type{reflect.TypeFor[any](), reflect.TypeFor[[]byte](), reflect.TypeFor[[]bool](),
			reflect.TypeFor[map[string]bool](), reflect.TypeFor[map[string]float64](), reflect.TypeFor[[]any]()}, fuzzTargets...) {
			if _, ok := unmarshalFast(data, reflect.New(typ).Interface(), &c, true); ok {
				pairs = append(pairs, struct {
					data []byte
					typ  reflect.Type
				}{data, typ})
			}
		}
	}
	typ := reflect.TypeFor[[]partRow]()
	for i, p := range append(partPickles(t, 2), partPickles(t, 4)...) {
		if _, ok := unmarshalFast(p.data, reflect.New(typ).Interface(), &c, true); ok && i%3 == 0 && len(p.data) < 250 {
			pairs = append(pairs, struct {
				data []byte
				typ  reflect.Type
			}{p.data, typ})
		}
	}
	require.Greater(t, len(pairs), 160)
	return pairs
}

// A pickle that was cut is never taken, and leaves the target as it was.
func TestFastTruncated(t *testing.T) {
	c := newConfig(nil)
	for _, p := range quick.Some(fastPairs(t), 4) {
		if len(p.data) > 100 {
			continue
		}
		for cut := range p.data {
			v := reflect.New(p.typ).Elem()
			_, ok := unmarshalFast(p.data[:cut], v.Addr().Interface(), &c, true)
			if ok || !v.IsZero() {
				t.Fatalf("%v took %q", p.typ, p.data[:cut])
			}
		}
	}
}

// Whatever a pickle is turned into: what the fast path takes, the machine and the binder take too,
// as the same value.
func TestFastAgainstMachine(t *testing.T) {
	pairs := fastPairs(t)
	random := rand.New(rand.NewSource(1))
	opcodes := []byte("().0NKMJGXUChjqraestu}]\x85\x86\x87\x88\x89\x8a\x8c\x8f\x90\x91\x94\x95")
	tries, taken := 8_000, 0
	if quick.Race {
		tries = 2_000
	}
	for range tries {
		p := pairs[random.Intn(len(pairs))]
		data := append([]byte(nil), p.data...)
		for range 1 + random.Intn(3) {
			i := random.Intn(len(data))
			switch random.Intn(5) {
			case 0:
				data[i] = byte(random.Intn(256))
			case 1:
				data[i] = opcodes[random.Intn(len(opcodes))]
			case 2:
				data = append(data[:i:i], data[min(i+1, len(data)-1):]...)
			case 3:
				data = append(data[:i:i], append([]byte{opcodes[random.Intn(len(opcodes))]}, data[i:]...)...)
			case 4:
				if j := random.Intn(len(data)); i < j && j < i+40 {
					data = append(data[:j:j], append(append([]byte(nil), data[i:j]...), data[j:]...)...)
				}
			}
		}
		if len(data) > 11 && data[2] == 0x95 {
			for k, n := 0, len(data)-11; k < 8; k++ {
				data[3+k] = byte(n >> (8 * k)) // the frame's length
			}
		}
		c := newConfig(nil)
		fast := reflect.New(p.typ).Elem()
		n, ok := unmarshalFast(data, fast.Addr().Interface(), &c, false)
		if !ok {
			continue
		}
		taken++
		x, used, err := decode(data, &c)
		require.NoError(t, err, "%q into %v", data, p.typ)
		slow := reflect.New(p.typ).Elem()
		require.NoError(t, bindInto(slow, x, planOf(p.typ), data, &c), "%q into %v", data, p.typ)
		require.Equal(t, used, n, "%q into %v", data, p.typ)
		if d := sameShape(fast.Addr().Interface(), slow.Addr().Interface()); d != "" {
			t.Fatalf("%q into %v: %v, the binder %v: %s", data, p.typ, fast, slow, d)
		}
	}
	assert.Greater(t, taken, tries/16)
}

// What the fast path leaves to the machine, and what limits it.
func TestFastGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		into any
		opts []Option
	}{
		"no opcode":                    {"\x80\x04\xff.", new(int), nil},
		"another int":                  {"\x80\x04I5\n.", new(int), nil},
		"a protocol of the future":     {"\x80\x06K\x05.", new(int), nil},
		"the memo's index":             {"\x80\x02]q\x05.", new([]int), nil},
		"a long memo index":            {"\x80\x02]r\x05\x00\x00\x00.", new([]int), nil},
		"a memo entry that is no str":  {"\x80\x02]q\x00(h\x00e.", new([]string), nil},
		"a memo entry that is not":     {"\x80\x02](h\x07e.", new([]string), nil},
		"MEMOIZE after an index of 1":  {"\x80\x02](X\x01\x00\x00\x00aq\x01X\x01\x00\x00\x00b\x94e.", new([]string), nil},
		"a frame within a frame":       {"\x80\x04\x95\x0d\x00\x00\x00\x00\x00\x00\x00]\x95\x02\x00\x00\x00\x00\x00\x00\x00\x94(.", new([]int), nil},
		"a frame beyond the end":       {"\x80\x04\x95\x0d\x00\x00\x00\x00\x00\x00\x00].", new([]int), nil},
		"text that is no UTF-8":        {"\x80\x04\x8c\x01\xff.", new(string), nil},
		"long text that is no UTF-8":   {"\x80\x04X\x01\x00\x00\x00\xff.", new(string), nil},
		"a key that is no UTF-8":       {"\x80\x04}\x8c\x01\xffK\x01s.", new(person), nil},
		"an unknown field, not UTF-8":  {"\x80\x04}\x8c\x01x\x8c\x01\xffs.", new(person), nil},
		"a field twice":                {"\x80\x04}(\x8c\x04nameN\x8c\x04nameNu.", new(struct{ Name *string }), nil},
		"the memory limit":             {"\x80\x04](K\x01K\x02K\x03e.", new([]int), []Option{WithLimits(Limits{Memory: 8})}},
		"a budget":                     {"\x80\x04](K\x01K\x02K\x03e.", new([]int), []Option{WithBudget(NewBudget(8))}},
		"the depth limit":              {"\x80\x04]]]ee.", new([][][]int), []Option{WithLimits(Limits{Depth: 2})}},
		"an int that a float32 is not": {"\x80\x04J\x01\x00\x00\x01.", new(float32), nil},
		"an int that a float is not":   {"\x80\x04\x8a\x08\x01\x00\x00\x00\x00\x00\x20\x00.", new(float64), nil},
		"a float that overflows":       {"\x80\x04G\x7f\xe0\x00\x00\x00\x00\x00\x00.", new(float32), nil},
		"one that overflows by a bit":  {"\x80\x04](G\x47\xef\xff\xff\xe0\x00\x00\x01e.", new([]float32), nil},
		"another among many":           {"\x80\x04](G\x47\xef\xff\xff\xe0\x00\x00\x01K\x01K\x01e.", new([]float32), nil},
		"a negative uint":              {"\x80\x04J\xff\xff\xff\xff.", new(uint64), nil},
		"a long int":                   {"\x80\x04\x8a\x09\x01\x00\x00\x00\x00\x00\x00\x00\x01.", new(int64), nil},
		"an array of another length":   {"\x80\x04](K\x01K\x02e.", new([3]int), nil},
		"a tuple of another length":    {"\x80\x04K\x01K\x02\x86.", new([1]int), nil},
		"TUPLE2 of three":              {"\x80\x04K\x01K\x02K\x03\x86.", new([]int), nil},
		"bytes into a string":          {"\x80\x04C\x01a.", new(string), nil},
		"bytes beyond the end":         {"\x80\x04C\x09a.", new([]byte), nil},
		"a list in an any":             {"\x80\x04].", new([]any), nil},
		"required fields":              {"\x80\x04}.", new(person), []Option{WithRequireFields()}},
		"unknown fields":               {"\x80\x04}\x8c\x01xNs.", new(person), []Option{WithDisallowUnknownFields()}},
		"a list as a key":              {"\x80\x04}\x8c\x01x}]NssN.", new(person), nil},
		"a set into a map of bools":    {"\x80\x04\x8f.", new(map[string]bool), nil},
	} {
		cfg := newConfig(c.opts)
		v := reflect.ValueOf(c.into).Elem()
		_, ok := unmarshalFast([]byte(c.data), v.Addr().Interface(), &cfg, true)
		if name == "a list in an any" {
			assert.True(t, ok, name) // an empty list holds no any
			continue
		}
		assert.False(t, ok, name)
		assert.True(t, v.IsZero(), name)
	}
}

// Strings, bytes and numbers that lie far apart in one message.
func TestFastLongMessages(t *testing.T) {
	type row struct {
		Name  string            `pickle:"name"`
		Data  []byte            `pickle:"data"`
		Tags  []string          `pickle:"tags"`
		Next  *row              `pickle:"next"`
		Extra map[string]string `pickle:"extra"`
		Any   any               `pickle:"any"`
		Small float32           `pickle:"small"`
		Set   map[string]struct{}
	}
	shared := strings.Repeat("shared ", 20)
	long := strings.Repeat("long ", 1000)
	var rows []row
	n := 3000
	if quick.Race {
		n = 600
	}
	for i := range n {
		r := row{Name: shared, Data: []byte{byte(i)}, Tags: []string{"a", "b", shared[:10]}, Next: &row{Name: "n"}, Any: int64(i) << 20, Small: float32(i)}
		switch i % 5 {
		case 0:
			r.Name, r.Tags = long, make([]string, 20)
		case 1:
			r.Any, r.Tags = math.Pi*float64(i), []string{}
		case 2:
			r.Any, r.Extra = "text "+shared[:i%20], map[string]string{"k": "v", "l": shared}
		case 3:
			r.Any, r.Set = true, map[string]struct{}{"x": {}}
		}
		rows = append(rows, r)
	}
	for protocol := 4; protocol <= HighestProtocol; protocol++ {
		data, err := Marshal(rows, WithProtocol(protocol))
		require.NoError(t, err)
		for _, opts := range [][]Option{nil, {WithCopyStrings()}, {WithLentBuffer()}, {WithBudget(NewBudget(1 << 30))}} {
			c := newConfig(opts)
			var got []row
			_, ok := unmarshalFast(data, &got, &c, true)
			require.True(t, ok, "protocol %d", protocol)
			require.Equal(t, rows, got)
			if c.budget != nil {
				assert.Zero(t, c.budget.Used(), "the budget is given back")
			}
		}
	}
}

// A long str that is fetched from the memo again and again takes memory once more, not each time.
func TestFastFetchesLongStrOnce(t *testing.T) {
	for _, long := range []string{strings.Repeat("long ", 1000), strings.Repeat("longer ", 5000)} {
		strs := []string{"first"}
		for range 100 {
			strs = append(strs, long)
		}
		data, err := Marshal(strs)
		require.NoError(t, err)
		c := newConfig(nil)
		var got []string
		_, ok := unmarshalFast(data, &got, &c, true)
		require.True(t, ok)
		require.Equal(t, strs, got)
		assert.Same(t, unsafe.StringData(got[2]), unsafe.StringData(got[100]))
	}
}

// A type that contains itself may be opened anywhere, but not more often than it can be closed.
func TestFastNestsNoDeeperThanTheMessage(t *testing.T) {
	type self []self
	quick.Within(t, 300*time.Millisecond, func() {
		for range 1000 {
			var v self
			require.Error(t, Unmarshal([]byte("K\x01."), &v))
		}
	})
	c := newConfig(nil)
	var v [][][]int
	data := []byte("\x80\x02K\x01\x85\x85\x85.")
	_, ok := unmarshalFast(data, &v, &c, true)
	require.True(t, ok)
	require.Equal(t, [][][]int{{{1}}}, v)
}
