package pickleproto

import (
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type partPoint struct {
	X, Y int
	Next *partPoint
}

// partRow is a struct some of whose fields only the machine can fill.
type partRow struct {
	Name string                  `pickle:"name"`
	When time.Time               `pickle:"when"`
	Day  *Date                   `pickle:"day"`
	Sum  Decimal                 `pickle:"sum"`
	Any  any                     `pickle:"any"`
	P    *partPoint              `pickle:"p"`
	Q    *partPoint              `pickle:"q"`
	V    partPoint               `pickle:"v"`
	Tags map[string]int          `pickle:"tags"`
	More map[string]map[string]P `pickle:"more"`
	Nums []int64                 `pickle:"nums"`
	Text []string                `pickle:"text"`
	Days []Date                  `pickle:"days"`
	Data []byte                  `pickle:"data"`
	Rat  *big.Rat                `pickle:"rat"`
	C    complex128              `pickle:"c"`
	L    *List                   `pickle:"l"`
	T    Tuple                   `pickle:"t"`
	Set  map[int]struct{}        `pickle:"set"`
	ID   UUID                    `pickle:"id"`
	N    int                     `pickle:"n"`
	Args []any                   `pickle:"args"`
	Meta map[string]any          `pickle:"meta"`
}

type P = *partPoint

// partValues are what the fields of a partRow may come as, by the name of the field.
func partValues(t testing.TB) map[string][]any {
	object := func(class string, state ...any) any {
		o, err := newInstance(Global{Module: "app", Name: class}, mustDict(t, state...), nil, 4)
		require.NoError(t, err)
		return o
	}
	std := func(v any) any {
		b, err := Marshal(v)
		require.NoError(t, err)
		var x any
		require.NoError(t, Unmarshal(b, &x))
		return x
	}
	decimal := func(s string) Decimal {
		d, err := ParseDecimal(s)
		require.NoError(t, err)
		return d
	}
	point := object("Point", "X", int64(1), "Y", int64(2))
	zone := time.FixedZone("", 3600)
	list := NewList(int64(1), "two", NewList())
	ring := NewDict()
	require.NoError(t, ring.Set("ring", NewList(ring)))
	first, second := object("Point", "X", int64(5)), object("Point", "X", int64(6))
	require.NoError(t, first.(*Object).Ops[0].Items[0].(*Dict).Set("Next", second))
	require.NoError(t, second.(*Object).Ops[0].Items[0].(*Dict).Set("Next", first))
	ints, err := NewSet(int64(1), int64(300))
	require.NoError(t, err)
	return map[string][]any{
		"name": {"a", "", strings.Repeat("long ", 300), "é"},
		"when": {std(time.Unix(1e9, 5000).UTC()), std(time.Unix(2e9, 0).In(zone))},
		"day":  {nil, std(Date{Year: 2024, Month: 2, Day: 29})},
		"sum":  {std(decimal("-1.50")), std(decimal("NaN"))},
		"any": {nil, true, int64(7), int64(1) << 40, 2.5, "text", list, Tuple{}, Tuple{int64(1), "x", list, point}, ring, point,
			Global{Module: "app", Name: "Point"}, Bytes("\x00\xff"), NewList(Tuple{list, list}), mustDict(t, int64(1), Tuple{}), ints,
			NewList(int64(5)), new(big.Int).Lsh(big.NewInt(1), 70)},
		"p":    {nil, mustDict(t, "X", int64(3)), point, first},
		"q":    {nil, mustDict(t, "X", int64(3), "Next", point), point, second},
		"v":    {mustDict(t, "Y", int64(3)), point, first, mustDict(t)},
		"tags": {nil, mustDict(t, "a", int64(1), "b", int64(2)), std(&OrderedDict{mustDict(t, "z", int64(1), "a", int64(2))})},
		"more": {nil, mustDict(t, "k", mustDict(t, "p", point, "q", first))},
		"nums": {nil, NewList(int64(1), int64(2)), std(NewDeque(int64(4))), Tuple{int64(1)}},
		"text": {nil, NewList("x", "text"), std(NewDeque("y", "x"))},
		"days": {NewList(std(Date{Year: 1, Month: 1, Day: 1})), NewList(std(Date{Year: 1, Month: 1, Day: 1}), std(Date{Year: 1, Month: 1, Day: 2})), Tuple{}},
		"data": {Bytes("abc"), &ByteArray{Data: []byte("xyz")}, nil},
		"rat":  {nil, std(big.NewRat(1, 3))},
		"c":    {&Complex{1, -2}, 1.5},
		"l":    {nil, list, NewList()},
		"t":    {Tuple{}, Tuple{int64(1), Tuple{"a", nil}}},
		"set":  {ints, nil},
		"id":   {std(UUID{1, 2, 3})},
		"n":    {int64(1), int64(-5)},
		"args": {nil, NewList(int64(1), "x", point, list, Tuple{}), NewList(point), NewList("text", std(Date{Year: 2, Month: 1, Day: 1}))},
		"meta": {nil, mustDict(t, "a", list, "b", point, "c", "x", "d", ring), mustDict(t, "when", std(time.Unix(0, 0).UTC()), "name", nil)},
		"junk": {nil, list, point, Tuple{int64(1), point}, "text", mustDict(t, "k", point), Bytes("abc"), ring},
	}
}

func mustDict(t testing.TB, pairs ...any) *Dict {
	d := NewDict()
	for i := 0; i < len(pairs); i += 2 {
		require.NoError(t, d.Set(pairs[i], pairs[i+1]))
	}
	return d
}

// sameShape reports how the Go values differ, in content or in what is shared; "" if they do not.
func sameShape(x, y any) string {
	there, back := map[sharedKey]any{}, map[sharedKey]any{}
	var walk func(path string, x, y reflect.Value) string
	identical := func(x, y reflect.Value) (met, same bool) {
		kx, ky := sharedKey{x.Pointer(), x.Type()}, sharedKey{y.Pointer(), y.Type()}
		if _, ok := there[kx]; !ok && back[ky] == nil {
			there[kx], back[ky] = y.Pointer(), x.Pointer()
			return false, true
		}
		return true, there[kx] == y.Pointer() && back[ky] == x.Pointer()
	}
	walk = func(path string, x, y reflect.Value) string {
		if x.Type() != y.Type() {
			return fmt.Sprintf("%s: %v and %v", path, x.Type(), y.Type())
		}
		if modelTypes[x.Type()] || stdlibTypes[x.Type()] {
			if (x.Kind() == reflect.Pointer) && (x.IsNil() || y.IsNil()) {
				if x.IsNil() != y.IsNil() {
					return path + ": nil"
				}
				return ""
			}
			bx, errx := Marshal(x.Interface())
			by, erry := Marshal(y.Interface())
			if string(bx) != string(by) || fmt.Sprint(errx) != fmt.Sprint(erry) {
				return fmt.Sprintf("%s: %q and %q", path, bx, by)
			}
			if x.Kind() == reflect.Pointer {
				if _, same := identical(x, y); !same {
					return path + ": sharing"
				}
			}
			return ""
		}
		switch x.Kind() {
		case reflect.Pointer, reflect.Map, reflect.Slice:
			if x.IsNil() || y.IsNil() {
				if x.IsNil() != y.IsNil() {
					return path + ": nil"
				}
				return ""
			}
			if x.Kind() == reflect.Slice && x.Len() == 0 {
				break
			}
			if met, same := identical(x, y); met || !same {
				if !same {
					return path + ": sharing"
				}
				return ""
			}
		}
		switch x.Kind() {
		case reflect.Interface:
			if x.IsNil() || y.IsNil() {
				if x.IsNil() != y.IsNil() {
					return path + ": nil"
				}
				return ""
			}
			return walk(path, x.Elem(), y.Elem())
		case reflect.Pointer:
			return walk(path, x.Elem(), y.Elem())
		case reflect.Struct:
			for i := range x.NumField() {
				if !x.Type().Field(i).IsExported() {
					continue
				}
				if d := walk(path+"."+x.Type().Field(i).Name, x.Field(i), y.Field(i)); d != "" {
					return d
				}
			}
			return ""
		case reflect.Slice, reflect.Array:
			if x.Len() != y.Len() {
				return path + ": length"
			}
			for i := range x.Len() {
				if d := walk(fmt.Sprintf("%s[%d]", path, i), x.Index(i), y.Index(i)); d != "" {
					return d
				}
			}
			return ""
		case reflect.Map:
			if x.Len() != y.Len() {
				return path + ": length"
			}
			for it := x.MapRange(); it.Next(); {
				e := y.MapIndex(it.Key())
				if !e.IsValid() {
					return path + ": keys"
				}
				if d := walk(fmt.Sprintf("%s[%v]", path, it.Key()), it.Value(), e); d != "" {
					return d
				}
			}
			return ""
		case reflect.Float64, reflect.Float32:
			if a, b := x.Float(), y.Float(); a != b && (a == a || b == b) {
				return path + ": " + fmt.Sprint(a, b)
			}
			return ""
		}
		if !x.Equal(y) {
			return fmt.Sprintf("%s: %v and %v", path, x, y)
		}
		return ""
	}
	return walk("", reflect.ValueOf(x), reflect.ValueOf(y))
}

// partPickles are pickles of lists of dicts for a []partRow, each with what the fast path must not make
// of it: nothing, if it must take it.
func partPickles(t testing.TB, protocol int) (pickles []partPickle) {
	add := func(name string, mayGiveUp bool, rows ...any) {
		data, err := Marshal(NewList(rows...), WithProtocol(protocol))
		require.NoError(t, err, name)
		pickles = append(pickles, partPickle{name, data, mayGiveUp})
	}
	fields := partValues(t)
	for field, values := range fields {
		for i, v := range values {
			name := fmt.Sprintf("%s %d", field, i)
			// A list or dict that the fast path has read already; a tuple that a number begins.
			fetches := name == "junk 7" || name == "junk 3"
			add(name, fetches, mustDict(t, "name", "x", field, v))
			add(name+" and after it", fetches, mustDict(t, field, v, "n", int64(5), "text", NewList(field, "name", "X")))
			add(name+" twice", true, mustDict(t, "name", "x", field, v), mustDict(t, "name", "x", field, v))
			add(name+" after others", true, mustDict(t, "day", fields["day"][1], "sum", fields["sum"][0], field, v, "when", fields["when"][i%2]))
		}
	}
	for _, pair := range [][2]string{{"p", "q"}, {"p", "any"}, {"any", "p"}, {"any", "l"}, {"l", "any"}, {"day", "any"}, {"junk", "p"}, {"any", "any"}} {
		for i, v := range fields["any"] {
			if pair[0] == "p" || pair[1] == "p" {
				v = fields["p"][i%4]
			} else if pair[0] == "day" {
				v = fields["day"][i%2]
			} else if _, ok := v.(*List); (pair[0] == "l" || pair[1] == "l") && !ok {
				v = nil
			}
			add(fmt.Sprintf("%s and %s %d", pair[0], pair[1], i), v != nil, mustDict(t, pair[0], v, "name", "p"), mustDict(t, "n", int64(1), pair[1], v))
		}
	}
	return pickles
}

type partPickle struct {
	name      string
	data      []byte
	mayGiveUp bool
}

// Instances and tuples in the fields of structs go through the machine, one at a time, and become what
// they become through the machine as a whole, with the same sharing.
func TestFastParts(t *testing.T) {
	plan := planOf(reflect.TypeFor[[]partRow]())
	for protocol := 2; protocol <= HighestProtocol; protocol++ {
		taken, all := 0, 0
		for _, p := range partPickles(t, protocol) {
			for _, opts := range [][]Option{nil, {WithCopyStrings()}, {WithLentBuffer()}, {WithBudget(NewBudget(1 << 30))}} {
				all++
				c := newConfig(opts)
				var fast, slow []partRow
				_, ok := unmarshalFast(p.data, &fast, &c, true)
				if c.budget != nil {
					require.Zero(t, c.budget.Used(), "the budget is given back")
				}
				x, _, err := decode(p.data, &c)
				require.NoError(t, err)
				require.NoError(t, bindInto(reflect.ValueOf(&slow).Elem(), x, plan, p.data, &c), "%s: %q", p.name, p.data)
				if ok {
					taken++
					require.Empty(t, sameShape(fast, slow), "%s at protocol %d: %q", p.name, protocol, p.data)
				} else if !p.mayGiveUp {
					t.Errorf("%s at protocol %d: gave up on %q", p.name, protocol, p.data)
				}
			}
		}
		assert.Greater(t, taken, all*3/4)
	}
}

// Pointers to one instance are one pointer, whether it comes first as a value of its own or within
// another; and what the machine has seen of a class serves all of a message.
func TestFastPartsShare(t *testing.T) {
	o, err := newInstance(Global{Module: "app", Name: "Point"}, mustDict(t, "X", int64(1)), nil, 4)
	require.NoError(t, err)
	data, err := Marshal(NewList(mustDict(t, "p", o, "q", o), mustDict(t, "any", Tuple{o}), mustDict(t, "p", o)))
	require.NoError(t, err)
	c := newConfig(nil)
	var rows []partRow
	_, ok := unmarshalFast(data, &rows, &c, true)
	require.True(t, ok)
	assert.Equal(t, &partPoint{X: 1}, rows[0].P)
	assert.Same(t, rows[0].P, rows[0].Q)
	assert.Same(t, rows[0].P, rows[2].P)
	assert.Equal(t, "(<app.Point object: {'X': 1}>,)", Repr(rows[1].Any))

	// So are pointers to maps and slices.
	data, err = Marshal(NewList(mustDict(t, "M", o, "N", o), mustDict(t, "N", o)))
	require.NoError(t, err)
	var maps []struct{ M, N *map[string]any }
	_, ok = unmarshalFast(data, &maps, &c, true)
	require.True(t, ok)
	assert.Equal(t, &map[string]any{"X": int64(1)}, maps[0].M)
	assert.Same(t, maps[0].M, maps[0].N)
	assert.Same(t, maps[0].M, maps[1].N)
}

// Frames end anywhere, within parts too, and long parts take their time once.
func TestFastPartsLong(t *testing.T) {
	type row struct {
		Name string
		When time.Time
		Any  any
		More string
	}
	var rows []row
	for i := range 5000 {
		var x any = Tuple{Bytes(strings.Repeat("y", i%300)), int64(i), strings.Repeat("x", i%200)}
		if i == 2500 {
			numbers := NewList()
			for j := range 50_000 {
				numbers.Append(Tuple{int64(j), "s"})
			}
			x = numbers
		}
		rows = append(rows, row{fmt.Sprint("n", i), time.Unix(int64(i)*1e5, 0).UTC(), x, "more"})
	}
	data, err := Marshal(rows)
	require.NoError(t, err)
	c := newConfig(nil)
	var fast, slow []row
	_, ok := unmarshalFast(data, &fast, &c, true)
	require.True(t, ok)
	x, _, err := decode(data, &c)
	require.NoError(t, err)
	require.NoError(t, bindInto(reflect.ValueOf(&slow).Elem(), x, planOf(reflect.TypeOf(slow)), data, &c))
	require.Empty(t, sameShape(fast, slow))
}

type countedText struct{ s string }

func (c *countedText) UnmarshalText(b []byte) error { c.s += string(b); return nil }

type (
	marked interface{ mark() }
	// counted counts in a variable how often it is unmarshalled.
	counted struct{}
)

var timesCounted int

func (*counted) mark()                     {}
func (*counted) UnmarshalPickle(any) error { timesCounted++; return nil }

// What limits a message limits its parts too, and the program's own methods are called once.
func TestFastPartsGiveUp(t *testing.T) {
	deep := func(n int) any {
		x := any(Tuple{})
		for range n {
			x = Tuple{x}
		}
		return x
	}
	grown := NewList()
	for range 100 {
		grown.Append(Tuple{int64(1)})
	}
	instance, err := newInstance(Global{Module: "app", Name: "Point"}, mustDict(t, "X", int64(1)), nil, 4)
	require.NoError(t, err)
	outer, err := newInstance(Global{Module: "app", Name: "Outer"}, mustDict(t, "X", instance), nil, 4)
	require.NoError(t, err)
	marshal := func(v any) string {
		data, err := Marshal(v)
		require.NoError(t, err)
		return string(data)
	}
	for name, c := range map[string]struct {
		data string
		into any
		opts []Option
	}{
		"depth":                       {marshal(NewList(mustDict(t, "any", deep(20)))), new([]partRow), []Option{WithLimits(Limits{Depth: 21})}},
		"memory":                      {marshal(NewList(mustDict(t, "any", Tuple{grown}))), new([]partRow), []Option{WithLimits(Limits{Memory: 1000})}},
		"a budget":                    {marshal(NewList(mustDict(t, "any", Tuple{grown}))), new([]partRow), []Option{WithBudget(NewBudget(1000))}},
		"much that is shared":         {marshal(NewList(mustDict(t, "any", Tuple{grown}), mustDict(t, "any", Tuple{grown}))), new([]partRow), nil},
		"text of the program's":       {marshal(NewList(mustDict(t, "T", "x"))), new([]struct{ T countedText }), nil},
		"and within a part":           {marshal(NewList(mustDict(t, "P", instance))), new([]struct{ P struct{ X countedText } }), nil},
		"a registered class":          {marshal(NewList(mustDict(t, "P", instance))), new([]struct{ P marked }), []Option{WithClass("app.Point", &counted{})}},
		"and within another":          {marshal(NewList(mustDict(t, "P", outer))), new([]struct{ P struct{ X marked } }), []Option{WithClass("app.Point", &counted{})}},
		"a converter":                 {marshal(NewList(mustDict(t, "p", instance))), new([]partRow), []Option{WithConverter(func(*Object, reflect.Type) (any, bool, error) { return nil, false, nil })}},
		"a list of instances":         {marshal(NewList(instance, instance)), new([]*partPoint), nil},
		"a dict of parts":             {marshal(map[string]time.Time{"a": time.Unix(0, 0), "b": time.Unix(1, 0)}), new(map[string]time.Time), nil},
		"a persistent id":             {"\x80\x04]}\x8c\x03anyK\x01Qsa.", new([]partRow), nil},
		"a dict that the reader made": {"\x80\x04]}\x94\x8c\x03anyh\x00\x85sa.", new([]partRow), nil},
		"a list that grows meanwhile": {"\x80\x04](}\x8c\x03anyK\x01]\x94\x86s}\x8c\x03anyh\x00K\x05a\x85se.", new([]partRow), nil},
		"a popped value":              {"\x80\x04]}\x8c\x03any)K\x010sa.", new([]partRow), nil},
		"an opcode unknown":           {"\x80\x04]}\x8c\x03any)\xffsa.", new([]partRow), nil},
		"an unhashable key":           {"\x80\x04]}\x8c\x03any)}]Ns\x86sa.", new([]partRow), nil},
		"a mark of the dict around":   {"\x80\x04]}(\x8c\x03any))tua.", new([]partRow), nil},
		"a mismatch":                  {"\x80\x04]}\x8c\x01v)\x85sa.", new([]partRow), nil},
	} {
		cfg := newConfig(c.opts)
		v := reflect.ValueOf(c.into).Elem()
		_, ok := unmarshalFast([]byte(c.data), v.Addr().Interface(), &cfg, true)
		assert.False(t, ok, name)
		assert.True(t, v.IsZero(), name)
		if cfg.budget != nil {
			assert.Zero(t, cfg.budget.Used(), name)
		}
	}
	var once []struct{ T countedText }
	require.NoError(t, Unmarshal([]byte(marshal(NewList(mustDict(t, "T", "x")))), &once))
	assert.Equal(t, "x", once[0].T.s)
	assert.Zero(t, timesCounted)
}

// Variables of no size all have one address: what is meant for one of them does not go to the
// pointer that another was made for.
func TestFastPointersToNothing(t *testing.T) {
	type nothing struct{}
	type row struct {
		A *nothing
		B []nothing
	}
	instance, err := newInstance(Global{Module: "app", Name: "Point"}, mustDict(t), nil, 4)
	require.NoError(t, err)
	for _, b := range []any{instance, nil} {
		data, err := Marshal(mustDict(t, "A", instance, "B", NewList(b)))
		require.NoError(t, err)
		c := newConfig(nil)
		var v row
		_, ok := unmarshalFast(data, &v, &c, true)
		assert.Equal(t, b != nil, ok, "None is no nothing, as the binder says")
		assert.Equal(t, ok, v.A != nil)
	}
}
