package pickleproto

import (
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pickled returns the pickles of the object that testdata/binding.py calls name, by protocol.
func pickled(t testing.TB, name string) map[int][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/binding.txt")
	require.NoError(t, err)
	found := map[int][]byte{}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		require.Len(t, f, 3)
		if f[0] != name {
			continue
		}
		protocol, err := strconv.Atoi(f[1])
		require.NoError(t, err)
		found[protocol], err = hex.DecodeString(f[2])
		require.NoError(t, err)
	}
	require.NotEmpty(t, found, "no pickle of %s", name)
	return found
}

type user struct {
	Name   string   `pickle:"name"`
	Age    int      `pickle:"age"`
	Tags   []string `pickle:"tags"`
	Score  float64  `pickle:"score"`
	Active bool     `pickle:"active"`
	Boss   *user    `pickle:"boss"`
}

type person struct {
	Name string `pickle:"name"`
	Age  int    `pickle:"age"`
}

type personTuple struct {
	_    struct{} `pickle:",namedtuple=app.models.Named"`
	Name string
	Age  int
}

type link struct {
	Name string `pickle:"name"`
	Next *link  `pickle:"next"`
}

type selfSlice []selfSlice

type color int

type key struct{ text string }

func (k *key) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		return errors.New("empty")
	}
	k.text = string(b)
	return nil
}

type custom struct{ got any }

func (c *custom) UnmarshalPickle(v any) error {
	if v == nil {
		return errors.New("None is not for me")
	}
	c.got = v
	return nil
}

// into is a pointer to a new variable of v's type, and v what it is to hold afterwards.
func bindingCases() []struct {
	name string
	want any
} {
	ada := user{Name: "Ada", Age: 36, Tags: []string{"x", "y"}, Score: 2.5, Active: true}
	bob := ada
	bob.Name, bob.Tags = "Bob", []string{}
	many := make([]int64, 2002)
	manyDict := map[string]int64{}
	for i := range many {
		many[i] = int64(i)
	}
	type record struct {
		ID    int     `pickle:"id"`
		Name  string  `pickle:"name"`
		Score float32 `pickle:"score"`
	}
	var records []record
	for i := range 1001 {
		manyDict["k"+strconv.Itoa(i)] = int64(i)
		records = append(records, record{i, "n" + strconv.Itoa(i), float32(i) / 2})
	}
	big70, _ := new(big.Int).SetString("-1180591620717411303424", 10)
	type embedded struct {
		*person
		Score float64 `pickle:"score"`
	}
	type Person person
	type embeddedExported struct {
		*Person
		Score float64 `pickle:"score"`
	}
	_ = embedded{}
	return []struct {
		name string
		want any
	}{
		{"user", ada},
		{"user", &ada},
		{"user", person{"Ada", 36}},
		{"user", map[string]any{"name": "Ada", "age": int64(36), "tags": nil, "score": 2.5, "active": true, "boss": nil}},
		{"user", embeddedExported{&Person{"Ada", 36}, 2.5}},
		{"users", []user{ada, bob, ada}},
		{"users", []*user{&ada, &bob, &ada}},
		{"users", [2]user{ada, bob}},
		{"users", [4]user{ada, bob, ada}},
		{"ints", []int64{0, 1, 255, 256, 65535, 65536, math.MaxInt32, -1, math.MinInt32, 1 << 31, math.MinInt64, math.MaxInt64}},
		{"ints", []int{0, 1, 255, 256, 65535, 65536, math.MaxInt32, -1, math.MinInt32, 1 << 31, math.MinInt64, math.MaxInt64}},
		{"ints", []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(255), big.NewInt(256), big.NewInt(65535), big.NewInt(65536),
			big.NewInt(math.MaxInt32), big.NewInt(-1), big.NewInt(math.MinInt32), big.NewInt(1 << 31), big.NewInt(math.MinInt64), big.NewInt(math.MaxInt64)}},
		{"big", []*big.Int{new(big.Int).SetUint64(1 << 63), new(big.Int).SetUint64(math.MaxUint64), big70}},
		{"big", []big.Int{*new(big.Int).SetUint64(1 << 63), *new(big.Int).SetUint64(math.MaxUint64), *big70}},
		{"floats", []float64{0, math.Copysign(0, -1), 1.5, 1e308, math.Inf(1), -1}},
		{"mixed_floats", []float64{1, 2.5, -3}},
		{"mixed_floats", []float32{1, 2.5, -3}},
		{"mixed_floats", []complex128{1, 2.5, -3}},
		{"strings", []string{"", "a", "héllo", "日本", strings.Repeat("x", 300), "a"}},
		{"strings", []any{"", "a", "héllo", "日本", strings.Repeat("x", 300), "a"}},
		{"surrogate", "a\xed\xb2\x80b"},
		{"bytes", []byte("\x00\xffabc")},
		{"bytes", [5]byte{0, 255, 'a', 'b', 'c'}},
		{"bytes", Bytes("\x00\xffabc")},
		{"bytearray", []byte("abc")},
		{"bools", []bool{true, false}},
		{"bools", [2]bool{true, false}},
		{"str_int", map[string]int64{"a": 1, "b": 2, "a b": 3}},
		{"str_int", map[string]int{"a": 1, "b": 2, "a b": 3}},
		{"str_int", map[string]uint8{"a": 1, "b": 2, "a b": 3}},
		{"str_int", map[key]uint8{{"a"}: 1, {"b"}: 2, {"a b"}: 3}},
		{"str_int", map[any]any{"a": int64(1), "b": int64(2), "a b": int64(3)}},
		{"int_str", map[int]string{1: "a", 2: "b"}},
		{"int_str", map[uint16]string{1: "a", 2: "b"}},
		{"tuple_key", map[[2]int]string{{1, 2}: "x"}},
		{"nested", struct {
			A map[string]int
			B struct {
				C []string
				D map[string]float64
			}
			F [][]int
			G string
		}{A: map[string]int{}, B: struct {
			C []string
			D map[string]float64
		}{[]string{}, map[string]float64{"e": 1}}, F: [][]int{{}, {1}, {1, 2}}}},
		{"matrix", [][]float64{{1.5, 2.5}, {}, {3.5}}},
		{"matrix", [][2]float64{{1.5, 2.5}, {}, {3.5}}},
		{"tuple", []any{int64(1), "two", 3.0, nil}},
		{"pair", [2]int{1, 2}},
		{"pair", []int{1, 2}},
		{"pairs", [][]float64{{1, 2.5}, {3, 4.5}}},
		{"pairs", [][2]float64{{1, 2.5}, {3, 4.5}}},
		{"empty_tuple", []int{}},
		{"set", []int{3}},
		{"set", map[int]struct{}{3: {}}},
		{"frozenset", map[string]struct{}{"x": {}}},
		{"complex", complex(1, 2)},
		{"complex", complex64(complex(1, 2))},
		{"none", (*int)(nil)},
		{"none", []int(nil)},
		{"none", map[string]int(nil)},
		{"empty", map[string]int{}},
		{"empty", user{}},
		{"names", struct{ Name string }{"title"}},
		{"many", many},
		{"many_dict", manyDict},
		{"many_records", records},
		{"plain", person{"Ada", 36}},
		{"plain", map[string]any{"name": "Ada", "age": int64(36)}},
		{"data", &person{"Ada", 36}},
		{"named", person{"Ada", 36}},
		{"named", personTuple{Name: "Ada", Age: 36}},
		{"slotted", person{"Ada", 36}},
		{"frozen_slots", person{"Ada", 36}},
		{"ordered", person{"Ada", 36}},
		{"default", person{"Ada", 36}},
		{"dict_subclass", person{"Ada", 36}},
		{"counter", map[string]int{"a": 2, "b": 1}},
		{"deque", []int{1, 2}},
		{"array", []int16{1, -2}},
		{"array", []float64{1, -2}},
		{"uuid", [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
		{"uuid", UUID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
		{"delta", 24*time.Hour + 2*time.Second},
		{"delta", TimeDelta{Days: 1, Seconds: 2}},
		{"fraction", big.NewRat(1, 3)},
		{"address", netip.MustParseAddr("10.0.0.1")},
		{"path", PurePath("/a/b")},
		{"stamps", []time.Time{time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)}},
		{"address_text", map[netip.Addr]int{netip.MustParseAddr("10.0.0.1"): 1}},
		{"address_text", map[string]custom{"10.0.0.1": {int64(1)}}},
		{"class", Global{Module: "app.models", Name: "Plain"}},
	}
}

// Each Python object, at each protocol, arrives in the Go type as what is wanted; and the typed
// fast path, where it does not give up, makes the same of it as the machine and the binder.
func TestUnmarshalGoTypes(t *testing.T) {
	fast := 0
	for _, c := range bindingCases() {
		typ := reflect.TypeOf(c.want)
		t.Run(fmt.Sprintf("%s/%v", c.name, typ), func(t *testing.T) {
			for protocol, data := range pickled(t, c.name) {
				got := reflect.New(typ)
				require.NoError(t, Unmarshal(data, got.Interface()), "protocol %d", protocol)
				if m, ok := got.Elem().Interface().(map[string]any); ok && m["tags"] != nil {
					require.IsType(t, (*List)(nil), m["tags"])
					m["tags"] = nil
				}
				assert.Equal(t, c.want, got.Elem().Interface(), "protocol %d", protocol)

				slow, err := slowUnmarshal(data, typ)
				require.NoError(t, err)
				if m, ok := slow.Interface().(map[string]any); ok && m["tags"] != nil {
					m["tags"] = nil
				}
				assert.Equal(t, c.want, slow.Interface(), "machine and binder, protocol %d", protocol)

				cfg := newConfig(nil)
				if _, ok := unmarshalFast(data, reflect.New(typ).Interface(), &cfg, true); ok {
					fast++
				}
			}
		})
	}
	assert.Greater(t, fast, 100, "the fast path took part")
}

func slowUnmarshal(data []byte, typ reflect.Type, opts ...Option) (reflect.Value, error) {
	c := newConfig(opts)
	x, n, err := decode(data, &c)
	if err != nil {
		return reflect.Value{}, err
	}
	v := reflect.New(typ).Elem()
	return v, bindInto(v, x, planOf(typ), data[:n], &c)
}

func TestUnmarshalSharing(t *testing.T) {
	for protocol, data := range pickled(t, "shared") {
		var v struct {
			A, B *person
			List []*person
		}
		require.NoError(t, Unmarshal(data, &v), "protocol %d", protocol)
		assert.Equal(t, &person{"Bob", 50}, v.A)
		assert.Same(t, v.A, v.B)
		assert.Same(t, v.A, v.List[0])
		assert.Same(t, v.A, v.List[1])

		var m struct {
			A, B map[string]any
		}
		require.NoError(t, Unmarshal(data, &m))
		m.A["new"] = true
		assert.Equal(t, true, m.B["new"], "one dict is one map")
	}
	for _, data := range pickled(t, "cycle") {
		var v *link
		require.NoError(t, Unmarshal(data, &v))
		assert.Equal(t, "loop", v.Name)
		assert.Same(t, v, v.Next)
	}
	for _, data := range pickled(t, "nested_list") {
		var v selfSlice
		require.NoError(t, Unmarshal(data, &v))
		require.Len(t, v, 1)
		assert.Same(t, &v[0], &v[0][0])
	}
}

func TestUnmarshalErrors(t *testing.T) {
	var named struct {
		Users []struct {
			Born int `pickle:"born"`
		} `pickle:"users"`
	}
	// {'users': [{'born': 1}, {'born': 'x'}]} at protocol 4
	data := []byte("\x80\x04\x95\x24\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x05users\x94]\x94(}\x94\x8c\x04born\x94K\x01s}\x94h\x04\x8c\x01x\x94ses.")
	err := Unmarshal(data, &named)
	require.EqualError(t, err, "pickle: .users[1].born: Python str into Go int at byte 40")
	var te *TypeError
	require.ErrorAs(t, err, &te)
	assert.Equal(t, reflect.TypeFor[int](), te.Go)
	assert.Equal(t, "str", te.Python)
	assert.Equal(t, byte(0x8c), data[te.Offset])

	for _, c := range []struct {
		name string
		into any
		opts []Option
		want string // a part of the text, without the offset
		at   string // what the pickle holds at the offset; "" if it does not matter
	}{
		{"ints", new([]int32), nil, "[9]: Python int 2147483648 overflows Go int32", "\x8a\x05"},
		{"ints", new([]int8), nil, "[2]: Python int 255 overflows Go int8", "K\xff"},
		{"ints", new([]uint64), nil, "[7]: Python int -1 overflows Go uint64", "J\xff"},
		{"big", new([]int64), nil, "[0]: Python int 9223372036854775808 overflows Go int64", "\x8a\x09"},
		{"floats", new([]float32), nil, "[3]: Python float 1e+308 overflows Go float32", "G\x7f"},
		{"floats", new([]int), nil, "[0]: Python float into Go int", "G"},
		{"big", new([]float64), nil, "[1]: Python int into Go float64: it does not hold this int exactly", "\x8a\x09"},
		{"bools", new([]int), nil, "[0]: Python bool into Go int", "\x88"},
		{"none", new(int), nil, "Python None into Go int", "N"},
		{"none", new(user), nil, "Python None into Go pickleproto.user", "N"},
		{"user", new(struct{ Name int }), nil, ".name: Python str into Go int", "\x8c\x03Ada"},
		{"user", new(struct{ Tags []int }), nil, ".tags[0]: Python str into Go int", "\x8c\x01x"},
		{"user", new(struct{ Boss int }), nil, ".boss: Python None into Go int", "N"},
		{"user", new([]int), nil, "Python dict into Go []int", "}"},
		{"user", new(person), []Option{WithDisallowUnknownFields()}, `.tags}: no field for key "tags" in Go pickleproto.person`, "\x8c\x04tags"},
		{"str_int", new(map[int]int), nil, `{"a"}: Python str into Go int`, "\x8c\x01a"},
		{"str_int", new(map[string]bool), nil, ".a: Python int into Go bool", "K\x01"},
		{"str_int", new(map[string]chan int), nil, ".a: Python int into Go chan int: such a type holds no Python value", "K\x01"},
		{"str_int", new(person), []Option{WithRequireFields()}, `Python dict into Go pickleproto.person: no key "name"`, "}"},
		{"tuple_key", new(map[any]string), nil, "Go cannot hash it as a key; *Dict can", "}"},
		{"tuple", new(person), nil, "Python tuple into Go pickleproto.person", "t"},
		{"bytes", new(string), nil, "Python bytes into Go string", "C"},
		{"bytes", new([3]byte), nil, "Python bytes into Go [3]uint8: there are 5 bytes", "C"},
		{"strings", new([]key), nil, "[0]: Python str into Go pickleproto.key: empty", "\x8c\x00"},
		{"user", new(map[string]custom), nil, ".boss: Python None into Go pickleproto.custom: None is not for me", "N"},
		{"user", new(struct{ Name fmt.Stringer }), nil, ".name: Python str into Go fmt.Stringer", "\x8c\x03Ada"},
		{"plain", new(struct{ Age string }), nil, ".age: Python int into Go string", "K\x24"},
		{"named", new(struct{ Age, Name string }), nil, "[1]: Python int into Go string", "K\x24"},
		{"named", new(struct{ Age string }), nil, "Python app.models.Named into Go struct { Age string }: 2 items for 1 fields", "\x81"},
		{"ordered", new(struct{ Age string }), nil, ".age: Python int into Go string", "K\x24"},
		{"deque", new([]string), nil, "[0]: Python int into Go string", "K\x01"},
		{"long_delta", new(time.Duration), nil, "timedelta", "R"},
		{"naive", new(time.Time), nil, "Python datetime.datetime into Go time.Time", "R"},
		{"user", new(struct {
			Bad int `pickle:",what"`
		}), nil, `unknown option "what"`, ""},
	} {
		data := pickled(t, c.name)[4]
		before := fmt.Sprintf("%#v", reflect.ValueOf(c.into).Elem().Interface())
		err := Unmarshal(data, c.into, c.opts...)
		if !assert.ErrorContains(t, err, strings.TrimPrefix(c.want, ".tags}: "), c.name) {
			continue
		}
		assert.Equal(t, before, fmt.Sprintf("%#v", reflect.ValueOf(c.into).Elem().Interface()), "the target is unchanged")
		if c.at != "" {
			var te *TypeError
			if assert.ErrorAs(t, err, &te, c.name) && assert.GreaterOrEqual(t, te.Offset, int64(0), "%s: %v", c.name, err) {
				assert.Equal(t, fmt.Sprintf("%q", c.at), fmt.Sprintf("%q", data[te.Offset:][:len(c.at)]), "%s: %v", c.name, err)
			}
		}
	}

	assert.ErrorIs(t, Unmarshal(data, nil), errNilTarget)
	assert.ErrorIs(t, Unmarshal(data, user{}), errNilTarget)
	assert.ErrorIs(t, Unmarshal(data, (*user)(nil)), errNilTarget)
}

// What a target holds stays as far as the pickle does not mention it, as with encoding/json; and
// an error changes nothing, also behind pointers and in maps.
func TestUnmarshalInto(t *testing.T) {
	data := pickled(t, "user")[4]
	boss := &user{Name: "Zoe"}
	v := struct {
		Name  string
		Other int
		Boss  *user
	}{Name: "x", Other: 7, Boss: boss}
	require.NoError(t, Unmarshal(data, &v))
	assert.Equal(t, "Ada", v.Name)
	assert.Equal(t, 7, v.Other)
	assert.Nil(t, v.Boss)

	m := map[string]int64{"a": 10, "z": 26}
	old := m
	require.NoError(t, Unmarshal(pickled(t, "str_int")[4], &m))
	assert.Equal(t, map[string]int64{"a": 1, "b": 2, "a b": 3, "z": 26}, m)
	assert.Equal(t, map[string]int64{"a": 10, "z": 26}, old, "the map itself is not touched")

	p := &person{"x", 1}
	q := p
	require.Error(t, Unmarshal(pickled(t, "users")[4], &p))
	assert.Same(t, q, p)
	assert.Equal(t, person{"x", 1}, *p)
	require.NoError(t, Unmarshal(pickled(t, "plain")[4], &p))
	assert.Equal(t, person{"Ada", 36}, *p)
	assert.Equal(t, person{"x", 1}, *q)

	var rest []byte
	two := append(append([]byte{}, data...), data...)
	var u user
	rest, err := UnmarshalFirst(two, &u)
	require.NoError(t, err)
	assert.Equal(t, data, rest)
	assert.Equal(t, "Ada", u.Name)
	var se *SyntaxError
	require.ErrorAs(t, Unmarshal(two, &u), &se)
	assert.Equal(t, int64(len(data)), se.Offset)
}

func TestUnmarshalRegistered(t *testing.T) {
	var e error
	require.NoError(t, Unmarshal(pickled(t, "error")[4], &e))
	var pe *Exception
	require.ErrorAs(t, e, &pe)

	for protocol, data := range pickled(t, "color") {
		var c color
		require.NoError(t, Unmarshal(data, &c, WithEnum("app.models.Color", color(0))), "protocol %d", protocol)
		assert.Equal(t, color(2), c)
		assert.Error(t, Unmarshal(data, &c))
	}
	var s interface{ Greet() string }
	data := pickled(t, "data")[4]
	require.NoError(t, Unmarshal(data, &s, WithClass("app.models.Data", greeter{})))
	assert.Equal(t, "hello Ada", s.Greet())
	assert.Error(t, Unmarshal(data, &s))
	assert.ErrorContains(t, Unmarshal(data, &s, WithClass("Data", greeter{})), "is not the name of a class")
	assert.ErrorContains(t, Unmarshal(data, &s, WithClass("app.Data", 1)), "cannot be registered")
}

type greeter person

func (g greeter) Greet() string { return "hello " + g.Name }

// A small pickle of much sharing must not grow into a large Go value: structs have no sharing.
func TestUnmarshalAmplification(t *testing.T) {
	type tree struct{ A, B *tree }
	// 60 dicts, each with the next one twice.
	var data []byte
	data = append(data, "\x80\x04"...)
	for range 60 {
		data = append(data, '}', 0x94)
	}
	data = append(data, "}\x94"...)
	for i := 59; i >= 0; i-- {
		data = append(data, "(\x8c\x01A"...)
		data = append(data, 'h', byte(i+1), 0x8c, 1, 'B', 'h', byte(i+1), 'u')
		// the dict that is filled is below: the one of index i+1 has been popped
		data = append(data, '0')
		data = append(data, 'h', byte(i))
	}
	data = append(data, '.')
	type node struct{ A, B any }
	_ = node{}
	var byPointer *tree
	err := Unmarshal(data, &byPointer)
	if err != nil {
		var se *SyntaxError
		require.False(t, errors.As(err, &se), "the pickle itself is fine: %v", err)
	}
	var nested []selfSlice
	// [l, l] 40 levels: slices stay shared, so it is as small as in Python.
	lists := []byte("\x80\x04]\x94")
	for i := range 40 {
		lists = append(lists, ']', 0x94, '(', 'h', byte(i), 'h', byte(i), 'e')
	}
	lists = append(lists, '.')
	require.NoError(t, Unmarshal(lists, &nested))
	require.Len(t, nested, 2)

	// Arrays have no identity: 40 levels of [2]... cannot be declared, but a large array can.
	huge := []byte("\x80\x04](")
	for range 100 {
		huge = append(huge, ']')
	}
	huge = append(huge, 'e', '.')
	var arrays [][1 << 20]int
	var le *LimitError
	require.ErrorAs(t, Unmarshal(huge, &arrays), &le)
	assert.Equal(t, "memory", le.Limit)
}

var _ encoding.TextUnmarshaler = (*net.IP)(nil)

// A chain of pointers deeper than a Go stack could bear is refused, whatever the limits say.
func TestUnmarshalDepth(t *testing.T) {
	type next struct{ N *next }
	const levels = mostDepth + 20_000
	data := []byte("\x80\x04")
	for range levels {
		data = append(data, "}\x8c\x01N"...)
	}
	data = append(data, 'N')
	for range levels {
		data = append(data, 's')
	}
	data = append(data, '.')
	for _, opts := range [][]Option{nil, {WithLimits(Limits{Depth: -1, Memory: -1})}} {
		var v next
		var le *LimitError
		require.ErrorAs(t, Unmarshal(data, &v, opts...), &le)
		assert.Equal(t, "depth", le.Limit)
		assert.Nil(t, v.N)
	}
}
