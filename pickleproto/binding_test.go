package pickleproto

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The place of an error is found at each protocol, in each kind of container.
func TestErrorPlaces(t *testing.T) {
	for _, c := range []struct {
		name, path string
		into       any
	}{
		{"user", ".score", new(struct{ Score string })},
		{"user", ".tags[1]", new(struct{ Tags []tagX })},
		{"str_int", ".b", new(map[string]evenOnly)},
		{"int_str", "[2]", new(map[int]aOnly)},
		{"int_str", `{1}`, new(map[string]string)},
		{"tuple", "[1]", new([]*int)},
		{"pairs", "[0][1]", new([][]int)},
		{"plain", ".age", new(struct{ Age bool })},
		{"data", ".age", new(struct{ Age bool })},
		{"slotted", ".age", new(struct{ Age bool })},
		{"frozen_slots", "[1]", new(struct {
			Name string
			Age  bool
		})},
		{"named", "[1]", new(struct {
			Name string
			Age  bool
		})},
		{"ordered", ".age", new(struct{ Age bool })},
		{"default", ".age", new(struct{ Age bool })},
		{"dict_subclass", ".age", new(struct{ Age bool })},
		{"counter", ".a", new(map[string]string)},
		{"deque", "[1]", new([]oneOnly)},
		{"set", "[0]", new([]string)},
		{"frozenset", `{"x"}`, new(map[int]struct{})},
		{"shared", ".b.age", new(struct{ B struct{ Age string } })},
		{"nested", ".b.d.e", new(struct{ B struct{ D map[string]string } })},
	} {
		for protocol, data := range pickled(t, c.name) {
			err := Unmarshal(data, c.into)
			var te *TypeError
			if !assert.ErrorAs(t, err, &te, "%s protocol %d", c.name, protocol) {
				continue
			}
			assert.Equal(t, c.path, te.Path, "%s protocol %d: %v", c.name, protocol, err)
			assert.Positive(t, te.Offset, "%s protocol %d: %v", c.name, protocol, err)
			assert.Less(t, te.Offset, int64(len(data)))
		}
	}
	// Long paths are shortened; a message that a budget has no room to walk has no offset.
	deep := []byte("\x80\x04")
	for range 40 {
		deep = append(deep, ']')
	}
	deep = append(append(append(deep, "K\x01"...), strings.Repeat("a", 40)...), '.')
	type nest []nest
	var n nest
	var te *TypeError
	require.ErrorAs(t, Unmarshal(deep, &n), &te)
	assert.Equal(t, strings.Repeat("[0]", 12)+"..."+strings.Repeat("[0]", 12), te.Path)
	assert.Equal(t, int64(42), te.Offset)
	small := NewBudget(128 << 10)
	var s []string
	require.ErrorAs(t, Unmarshal([]byte("\x80\x04](K\x01"+strings.Repeat("K\x01", 2000)+"e."), &s, WithBudget(small)), &te)
	assert.Equal(t, "[0]", te.Path)
	assert.Equal(t, int64(-1), te.Offset)
	assert.Zero(t, small.Used())
}

type tagX string

func (x *tagX) UnmarshalText(b []byte) error {
	if *x = tagX(b); *x != "x" {
		return errors.New("not x")
	}
	return nil
}

type evenOnly int

func (n *evenOnly) UnmarshalPickle(v any) error {
	if i, ok := v.(int64); !ok || i == 2 {
		return errors.New("not this one")
	}
	return nil
}

type aOnly string

func (x *aOnly) UnmarshalText(b []byte) error {
	if string(b) != "a" {
		return errors.New("not a")
	}
	return nil
}

type oneOnly int

func (n *oneOnly) UnmarshalPickle(v any) error {
	if v != any(int64(1)) {
		return errors.New("not 1")
	}
	return nil
}

func TestUnmarshalPython2(t *testing.T) {
	var s struct {
		Name string
		Raw  []byte
		B    Bytes
	}
	// {'Name': 'x', 'Raw': '\xff', 'B': 'b'}, all of them str of Python 2
	data := []byte("}(U\x04NameU\x01xU\x03RawU\x01\xffU\x01BU\x01bu.")
	require.NoError(t, Unmarshal(data, &s))
	assert.Equal(t, "x", s.Name)
	assert.Equal(t, []byte{0xff}, s.Raw)
	assert.Equal(t, Bytes("b"), s.B)
	var bad struct{ Raw string }
	assert.ErrorContains(t, Unmarshal(data, &bad), "WithPython2Strings")
	require.NoError(t, Unmarshal(data, &bad, WithPython2Strings(DecodeLatin1)))
	assert.Equal(t, "ÿ", bad.Raw)

	for _, data := range []string{"I5\n.", "L5L\n.", "\x80\x02\x8a\x01\x05."} {
		for _, into := range []any{new(int8), new(uint8), new(float32), new(big.Int), new(complex64), new(*big.Int)} {
			require.NoError(t, Unmarshal([]byte(data), into), "%q into %T", data, into)
			assert.Contains(t, fmt.Sprint(reflect.ValueOf(into).Elem().Interface(), into), "5")
		}
	}
	var n int64
	require.NoError(t, Unmarshal([]byte("I99999999999\n."), &n))
	assert.Equal(t, int64(99999999999), n)
	assert.ErrorContains(t, Unmarshal([]byte("L"+strings.Repeat("9", 300)+"L\n."), &n), "of 997 bits overflows")
	var text key
	require.NoError(t, Unmarshal([]byte("U\x01x."), &text))
	assert.Equal(t, "x", text.text)
}

func TestUnmarshalHooks(t *testing.T) {
	ada := &person{"Ada", 36}
	load := WithPersistentLoad(func(any) (any, error) { return ada, nil })
	var p *person
	require.NoError(t, Unmarshal([]byte("\x80\x02K\x01Q."), &p, load))
	assert.Same(t, ada, p, "what a hook made is taken as it is")
	var i fmt.Stringer
	assert.Error(t, Unmarshal([]byte("\x80\x02K\x01Q."), &i, load))

	converter := func(made any, ok bool, err error) Option {
		return WithConverter(func(o *Object, t reflect.Type) (any, bool, error) { return made, ok, err })
	}
	data := pickled(t, "plain")[4]
	var n int
	require.NoError(t, Unmarshal(data, &n, converter(nil, false, nil), converter(5, true, nil)))
	assert.Equal(t, 5, n)
	var pointer *int
	require.NoError(t, Unmarshal(data, &pointer, converter(5, true, nil)))
	assert.Equal(t, 5, *pointer)
	assert.ErrorContains(t, Unmarshal(data, &n, converter("x", true, nil)), "the converter made a string")
	assert.ErrorContains(t, Unmarshal(data, &n, converter(nil, false, errors.New("no way"))), "no way")
	var inert any
	require.NoError(t, Unmarshal(data, &inert, converter(5, true, nil)))
	assert.IsType(t, (*Object)(nil), inert)
}

func TestUnmarshalLimits(t *testing.T) {
	var le *LimitError
	many := pickled(t, "users")[4]
	var users []user
	require.ErrorAs(t, Unmarshal(many, &users, WithLimits(Limits{Work: 3})), &le)
	var m map[string]any
	budget := NewBudget(100)
	require.ErrorAs(t, Unmarshal(pickled(t, "user")[4], &m, WithBudget(budget)), &le)
	assert.Zero(t, budget.Used())

	// The binder's own counts.
	c := newConfig([]Option{WithLimits(Limits{Work: 2})})
	items := NewList(int64(1), int64(2), int64(3))
	require.ErrorAs(t, bindInto(reflect.ValueOf(new([]int)).Elem(), items, planOf(reflect.TypeFor[[]int]()), nil, &c), &le)
	assert.Equal(t, "work", le.Limit)
	c = newConfig([]Option{WithBudget(NewBudget(20))})
	require.ErrorAs(t, bindInto(reflect.ValueOf(new([]int)).Elem(), items, planOf(reflect.TypeFor[[]int]()), nil, &c), &le)
	assert.Equal(t, "memory budget", le.Limit)
	c = newConfig([]Option{WithLimits(Limits{Depth: 1})})
	require.ErrorAs(t, bindInto(reflect.ValueOf(new([][]int)).Elem(), NewList(items), planOf(reflect.TypeFor[[][]int]()), nil, &c), &le)
	assert.Equal(t, "depth", le.Limit)
	// A long str that is fetched a thousand times is copied once.
	long := strings.Repeat("x", 1000)
	list := NewList()
	for range 1000 {
		list.Append(long)
	}
	c = newConfig([]Option{WithLimits(Limits{Memory: 20_000})})
	var out []string
	require.NoError(t, bindInto(reflect.ValueOf(&out).Elem(), list, planOf(reflect.TypeOf(out)), nil, &c))
	assert.Len(t, out, 1000)
}

func TestUnmarshalArrays(t *testing.T) {
	for _, v := range []any{[]int8{-1}, []uint8{1}, []int16{-1}, []uint16{1}, []int32{-1}, []uint32{1}, []int64{-1},
		[]uint64{math.MaxUint64}, []float32{1.5}, []float64{1.5}} {
		data, err := Marshal(&Array{Data: v})
		require.NoError(t, err)
		got := reflect.New(reflect.TypeOf(v))
		if _, isBytes := v.([]uint8); isBytes {
			var b [1]int
			require.NoError(t, Unmarshal(data, &b))
			assert.Equal(t, 1, b[0])
			continue
		}
		require.NoError(t, Unmarshal(data, got.Interface()), "%T", v)
		assert.Equal(t, v, got.Elem().Interface())
	}
	data, err := Marshal(&Array{Typecode: 'u', Data: "text"})
	require.NoError(t, err)
	assert.Error(t, Unmarshal(data, new([]int)))
	assert.Error(t, Unmarshal(pickled(t, "uuid")[4], new([15]byte)))
	assert.Error(t, Unmarshal(pickled(t, "error")[4], new([]int)))
	assert.Error(t, Unmarshal(pickled(t, "error")[4], new(map[string]int)))
	assert.Error(t, Unmarshal(pickled(t, "set")[4], new(map[int]bool)))
	assert.Error(t, Unmarshal(pickled(t, "none")[4], new([2]int)))
}

func TestStructFields(t *testing.T) {
	type A struct{ X, Y int }
	type B struct{ X, Z int }
	type tagged struct {
		X int `pickle:"X"`
	}
	type hidden struct{ H int }
	type number int
	type All struct {
		A
		*B         // X is in both: neither
		hidden     // its exported fields count
		number     // not a struct, not exported: skipped
		T      int `pickle:"x,omitzero"`
	}
	names := func(v any) (out []string) {
		for _, f := range fieldsOf(reflect.TypeOf(v)).fields {
			out = append(out, f.name)
		}
		return out
	}
	assert.Equal(t, []string{"Y", "Z", "H", "x"}, names(All{number: 1}))
	assert.Equal(t, []string{"Y", "X"}, names(struct {
		A
		tagged // the tagged one of two at the same depth wins
	}{}))
	assert.Equal(t, []string{"Y", "X"}, names(struct {
		A
		X string // the shallower one wins
	}{}))

	// Names fold as with encoding/json: the Kelvin sign is a k, the long s an s.
	folded := fieldsOf(reflect.TypeFor[struct{ Kiss int }]())
	for _, name := range []string{"kiss", "KISS", "\u212aiSS", "ki\u017fs"} {
		_, ok := folded.lookup(name)
		assert.True(t, ok, name)
	}
	_, ok := folded.lookup("kis")
	assert.False(t, ok)

	// A nil embedded pointer is made where a key needs it, unless its type is not exported.
	var all All
	require.NoError(t, Unmarshal([]byte("\x80\x04}(\x8c\x01YK\x01\x8c\x01ZK\x02\x8c\x01HK\x03\x8c\x01xK\x04u."), &all))
	assert.Equal(t, All{A: A{Y: 1}, B: &B{Z: 2}, hidden: hidden{3}, T: 4}, all)
	var cannot struct{ *hidden }
	assert.ErrorContains(t, Unmarshal([]byte("\x80\x04}\x8c\x01HK\x03s."), &cannot), "cannot set the embedded pointer to unexported")
	data, err := Marshal(All{})
	require.NoError(t, err)
	var v any
	require.NoError(t, Unmarshal(data, &v))
	assert.Equal(t, "{'Y': 0, 'H': 0}", Repr(v))

	for _, bad := range []any{
		struct {
			_ struct{} `pickle:",class=User"`
		}{}, struct {
			_ struct{} `pickle:",class=app."`
		}{}, struct {
			_ struct{} `pickle:",klass=app.User"`
		}{}, struct {
			_ struct{} `pickle:",class=app.User"`
			X int      `pickle:"x,string"`
		}{},
	} {
		_, err := Marshal(bad)
		assert.Error(t, err, "%T", bad)
		assert.Error(t, Unmarshal([]byte("\x80\x04}."), reflect.New(reflect.TypeOf(bad)).Interface()), "%T", bad)
	}

	type zero struct {
		When *time.Time  `pickle:"when,omitzero"`
		Nil  interface{} `pickle:"nil,omitempty"`
		Bool bool        `pickle:"bool,omitempty"`
		Num  float64     `pickle:"num,omitempty"`
		List []int       `pickle:"list,omitempty"`
		In   struct{}    `pickle:"in,omitempty"`
		Z    [2]int      `pickle:"z,omitzero"`
	}
	data, err = Marshal(zero{})
	require.NoError(t, err)
	require.NoError(t, Unmarshal(data, &v))
	assert.Equal(t, "{'in': {}}", Repr(v))
	now := time.Unix(0, 0).UTC()
	data, err = Marshal(zero{When: &now, Nil: 1, Bool: true, Num: 1, List: []int{1}, Z: [2]int{0, 1}})
	require.NoError(t, err)
	require.NoError(t, Unmarshal(data, &v))
	assert.Equal(t, "{'when': datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc), 'nil': 1, 'bool': True, 'num': 1.0, 'list': [1], 'in': {}, 'z': [0, 1]}", Repr(v))
}

type pointerMarshaler struct{ n int }

func (m *pointerMarshaler) MarshalPickle() (any, error) { return NewList(int64(m.n)), nil }

type pointerText struct{ s string }

func (m *pointerText) MarshalText() ([]byte, error) {
	if m.s == "" {
		return nil, errors.New("empty")
	}
	return []byte(m.s), nil
}

var _ encoding.TextMarshaler = (*pointerText)(nil)

type pointerError struct{ s string }

func (e *pointerError) Error() string { return e.s }

type endless struct{}

func (e endless) MarshalPickle() (any, error) { return e, nil }

type level string

// repr marshals v and says what Python would show of it.
func repr(t *testing.T, v any, opts ...Option) string {
	t.Helper()
	data, err := Marshal(v, opts...)
	require.NoError(t, err, "%T", v)
	var x any
	require.NoError(t, Unmarshal(data, &x))
	return Repr(x)
}

func TestMarshalKinds(t *testing.T) {
	shared := &pointerMarshaler{1}
	for _, c := range []struct {
		want string
		v    any
	}{
		{"[[1], [1], [2], None]", []any{shared, shared, pointerMarshaler{2}, (*pointerMarshaler)(nil)}},
		{"['a', 'b', None]", []any{&pointerText{"a"}, pointerText{"b"}, (*pointerText)(nil)}},
		{"[RuntimeError('no'), None, ValueError('inner')]", []any{&pointerError{"no"}, (*pointerError)(nil),
			fmt.Errorf("outer: %w", NewException("ValueError", "inner"))}},
		{"[18446744073709551615, 255, 1]", []any{uint64(math.MaxUint64), uint8(255), uintptr(1)}},
		{"[(1+2j), b'ab', b'', None]", []any{complex64(1 + 2i), [2]byte{'a', 'b'}, []byte{}, []byte(nil)}},
		{"[[1, 2], [1.5], ['x'], [True]]", []any{[]int32{1, 2}, []float64{1.5}, []string{"x"}, []bool{true}}},
		{"{'a': 'b'}", map[string]string{"a": "b"}},
		{"{'a': 1}", map[level]int{"a": 1}},
		{"{'a': 1, 'b': 2}", map[string]int{"b": 2, "a": 1}},
		{"{'a': 1.5}", map[string]float64{"a": 1.5}},
		{"{True: 1}", map[bool]int{true: 1}},
		{"{False: 0, True: 1}", map[any]int{true: 1, false: 0}},
		{"{nan: 0, -1.5: 1, 2: 2, 36893488147419103232: 3}", map[any]int{math.NaN(): 0, -1.5: 1, 2: 2, lshift65{}: 3}},
		{"{None: 0, 'a': 1, b'ab': 2}", map[any]int{nil: 0, "a": 1, [2]byte{'a', 'b'}: 2}},
		{"{UUID('00000000-0000-0000-0000-000000000000'): 1}", map[UUID]int{{}: 1}},
		{"{builtins.int: 1}", map[Global]int{{Module: "builtins", Name: "int"}: 1}},
		{"None", map[int]struct{}(nil)},
		{"{1, 2}", map[int]struct{}{2: {}, 1: {}}},
		{"set()", map[string]struct{}{}},
		{"{'aaaaaaaa': 0, 'aaaaaaaab': 1, 'b': 2}", map[string]int{"aaaaaaaab": 1, "b": 2, "aaaaaaaa": 0}},
		{"[{}, {}]", [2]struct{}{}},
		{"[{}, {}]", []*struct{}{{}, {}}},
		{"[1, None]", func() []*int { n := 1; return []*int{&n, nil} }()},
		{"[[1]]", func() []**[]int { s := &[]int{1}; return []**[]int{&s} }()},
		{"[Fraction(1, 2), Fraction(1, 2)]", func() []*big.Rat { r := big.NewRat(1, 2); return []*big.Rat{r, r} }()},
	} {
		got := repr(t, c.v)
		if strings.HasPrefix(c.want, "{builtins") {
			assert.Contains(t, got, "int", "%T", c.v)
			continue
		}
		assert.Equal(t, c.want, got, "%T", c.v)
	}
	for _, c := range []struct {
		want string
		v    any
	}{
		{"empty", []any{&pointerText{}}}, {"depth", endless{}},
		{"empty", map[textKey]int{{}: 1}}, {"debt", map[money]int{{-1}: 1}},
		{"Go []interface {} is no key", map[any]int{keyList{}: 1}},
		{"", map[any]int{complex(1, 2): 1}}, {"two keys", map[any]int{big1{}: 1, 1: 2}},
		{"not UTF-8", map[string]int{"\xff": 1}}, {"not UTF-8", map[level]int{"\xff": 1}},
		{"not UTF-8", map[string]string{"a": "\xff"}},
		{"no Python counterpart", map[int]func(){1: nil}},
		{"no Python counterpart", map[string]func(){"a": nil}},
		{"no Python counterpart", map[string]any{"a": func() {}}},
		{"no Python counterpart", []func(){nil}}, {"no Python counterpart", []any{1, []func(){nil, nil}}},
	} {
		_, err := Marshal(c.v)
		if assert.Error(t, err, "%T", c.v) {
			assert.Contains(t, err.Error(), c.want)
		}
	}
}

type lshift65 struct{}

func (lshift65) MarshalPickle() (any, error) { return new(big.Int).Lsh(big.NewInt(1), 65), nil }

type big1 struct{}

func (big1) MarshalPickle() (any, error) { return int64(1), nil }

type keyList struct{}

func (keyList) MarshalPickle() (any, error) { return []any{1}, nil }

type textKey struct{ s string }

func (k textKey) MarshalText() ([]byte, error) {
	if k.s == "" {
		return nil, errors.New("empty")
	}
	return []byte(k.s), nil
}

func TestMarshalOptions(t *testing.T) {
	shared := &person{"Ada", 36}
	opts := []Option{WithClass("app.P", person{}), WithEnum("app.L", level("")), WithEnum("app.C", color(0))}
	data, err := Marshal([]any{shared, shared, *shared, level("x"), map[level]color{"y": 2}}, opts...)
	require.NoError(t, err)
	var v []any
	require.NoError(t, Unmarshal(data, &v))
	assert.Same(t, v[0], v[1])
	var back []any
	require.NoError(t, Unmarshal(data, &back, opts...))
	var m []map[level]color
	data, err = Marshal([]map[level]color{{"y": 2}}, opts...)
	require.NoError(t, err)
	require.NoError(t, Unmarshal(data, &m, opts...))
	assert.Equal(t, color(2), m[0]["y"])

	for _, bad := range []any{true, 1.5, uint8(1)} {
		_, err := Marshal(bad, WithEnum("app.E", bad))
		assert.NoError(t, err)
	}
	_, err = Marshal([]int{}, WithEnum("app.E", []int{}))
	assert.ErrorContains(t, err, "cannot be registered")
	_, err = Marshal(slottedUser{}, WithProtocol(1))
	assert.ErrorContains(t, err, "__slots__")
	_, err = Marshal(1, WithClass("noclass", person{}))
	assert.ErrorContains(t, err, "is not the name of a class")

	// A persistent id may stand for any value, also one within Go's own types.
	ids := WithPersistentID(func(v any) (any, bool) { p, ok := v.(*person); return fmt.Sprint(p), ok })
	for _, v := range []any{[]*person{shared, shared}, map[string]*person{"a": shared}, struct{ P *person }{shared}, []any{"x", shared}} {
		data, err := Marshal(v, ids)
		require.NoError(t, err)
		var x any
		require.NoError(t, Unmarshal(data, &x))
		assert.Contains(t, fmt.Sprintf("%q", data), "&{Ada 36}", "%T", v)
	}

	// A record of more fields than a batch holds, and lists of just a batch, as Python writes them.
	for n := 998; n <= 1002; n++ {
		s := make([]string, n)
		for i := range s {
			s[i] = fmt.Sprint("item ", i)
		}
		for protocol := range 6 {
			typed, err := Marshal(s, WithProtocol(protocol))
			require.NoError(t, err)
			list := NewList()
			for _, x := range s {
				list.Append(x)
			}
			model, err := Marshal(list, WithProtocol(protocol))
			require.NoError(t, err)
			require.Equal(t, model, typed, "%d strings, protocol %d", n, protocol)
		}
		m, d := map[int]int{}, NewDict()
		for i := range n {
			m[i] = i
			require.NoError(t, d.Set(int64(i), int64(i)))
		}
		typed, err := Marshal(m)
		require.NoError(t, err)
		model, err := Marshal(d)
		require.NoError(t, err)
		require.Equal(t, model, typed, "%d entries", n)
	}
}
