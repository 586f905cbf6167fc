package pickleproto

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net/netip"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Errors and limits in the middle of things: whatever goes wrong wherever, the error is of a
// documented type, comes out of Marshal or Unmarshal, changes nothing and gives the budget back.

// smallCorpus are the golden pickles of at most n bytes.
func smallCorpus(t *testing.T, n int) (out [][]byte) {
	f, err := os.Open("testdata/corpus/objects.jsonl")
	require.NoError(t, err)
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var row struct{ Data string }
		err := d.Decode(&row)
		if err == io.EOF {
			return out
		}
		require.NoError(t, err)
		b, err := base64.StdEncoding.DecodeString(row.Data)
		require.NoError(t, err)
		if len(b) > 0 && len(b) <= n {
			out = append(out, b)
		}
	}
}

func documented(err error) bool {
	var syntax *SyntaxError
	var limit *LimitError
	var kind *TypeError
	return errors.As(err, &syntax) || errors.As(err, &limit) || errors.As(err, &kind)
}

type robustStruct struct {
	A int            `pickle:"a"`
	B string         `pickle:"b,omitempty"`
	C []robustStruct `pickle:"c"`
	D map[string]any `pickle:"d"`
	E *robustStruct  `pickle:"e"`
	F float32        `pickle:"real"`
	G []byte         `pickle:"x"`
	H any            `pickle:"y"`
}

// Every golden pickle into types that mostly do not fit it.
func TestCorpusIntoTypes(t *testing.T) {
	var types []reflect.Type
	for _, v := range []any{
		false, 0, int8(0), uint8(0), uint64(0), float32(0), 0.0, complex64(0), "", big.Int{}, (*big.Int)(nil), big.Rat{}, []byte(nil), [3]byte{}, []int(nil), []int8(nil), []uint64(nil),
		[]float32(nil), []string(nil), []any(nil), [][]int(nil), [2]any{}, map[string]any(nil), map[string]int(nil), map[any]any(nil), map[int]string(nil), map[string]struct{}(nil), map[float64]bool(nil),
		robustStruct{}, &robustStruct{}, []robustStruct(nil), map[string]robustStruct(nil), struct{ Real, Imag float64 }{}, time.Time{}, time.Duration(0), netip.Addr{},
		Bytes(""), Tuple(nil), Global{}, (*List)(nil), (*Dict)(nil), (*Set)(nil), (*Object)(nil), (*ByteArray)(nil), (*Complex)(nil), (*Exception)(nil), ByteString(""),
	} {
		types = append(types, reflect.TypeOf(v))
	}
	types = append(types, reflect.TypeFor[error](), reflect.TypeFor[fmt.Stringer](), reflect.TypeFor[any]())
	fitted := 0
	for i, b := range quick.Some(smallCorpus(t, 300), 4) {
		for _, typ := range types {
			target := reflect.New(typ)
			err := Unmarshal(b, target.Interface())
			if err == nil {
				fitted++
				continue
			}
			if !documented(err) {
				t.Fatalf("%q into %v: %T %v", b, typ, err, err)
			}
			var kind *TypeError
			if errors.As(err, &kind) && kind.Offset >= int64(len(b)) {
				t.Fatalf("%q into %v: at %d", b, typ, kind.Offset)
			}
			if !target.Elem().IsZero() {
				t.Fatalf("%q into %v: changed by an error", b, typ)
			}
		}
		if i%5 != 0 {
			continue
		}
		// The same under limits that are met somewhere on the way.
		for _, limits := range []Limits{{Depth: 1}, {Depth: 2}, {Memory: 200}, {Memory: 2000}, {Work: 3}, {Memo: 1}, {Stack: 2}, {Marks: 1}, {Name: 2}, {Digits: 1}, {IntSize: 1}, {Message: 5}} {
			for _, typ := range types[len(types)-24:] {
				if err := Unmarshal(b, reflect.New(typ).Interface(), WithLimits(limits)); err != nil && !documented(err) {
					t.Fatalf("%q into %v within %+v: %T %v", b, typ, limits, err, err)
				}
			}
		}
	}
	assert.Greater(t, fitted, 1000)
}

// A budget that is used up somewhere on the way is given back.
func TestBudgetsAreGivenBack(t *testing.T) {
	refused := 0
	for _, b := range quick.Some(smallCorpus(t, 20000), 4) {
		for _, most := range []int64{1, 500, 64 << 10, 70 << 10, 130 << 10} {
			budget := NewBudget(most)
			for _, target := range []any{new(any), new([]any), new(robustStruct), new(map[string]any), new([]string), new([]byte), new([]float64)} {
				if err := Unmarshal(b, target, WithBudget(budget)); err != nil {
					require.True(t, documented(err), "%v", err)
					refused++
				} else if out, err := Marshal(target, WithBudget(budget)); err != nil {
					require.True(t, documented(err), "%v", err)
				} else {
					require.NotEmpty(t, out)
				}
				require.Zero(t, budget.Used())
			}
		}
	}
	assert.Greater(t, refused, 100)
	budget := NewBudget(100 << 10)
	_, err := Marshal(NewList(Bytes(make([]byte, 1<<20)), int64(1)), WithBudget(budget))
	var limit *LimitError
	require.True(t, errors.As(err, &limit), "%v", err)
	assert.Equal(t, "memory budget", limit.Limit)
	assert.Zero(t, budget.Used())
	_, err = Marshal(NewList(Bytes(make([]byte, 1<<20)), int64(1)), WithBudget(NewBudget(10<<20)))
	assert.NoError(t, err)
}

// bad cannot be written.
type bad struct{ C chan int }

// failing marshals itself into an error.
type failing struct{}

func (failing) MarshalPickle() (any, error) { return nil, errors.New("no") }

type failingText struct{}

func (failingText) MarshalText() ([]byte, error) { return nil, errors.New("no") }

// shapes are values of every kind that can hold v.
func shapes(v any) map[string]any {
	class := Global{Module: "m", Name: "c"}
	object := func(o Object) *Object {
		if o.Callable == nil {
			o.Callable = class
		}
		if o.Args == nil {
			o.Args = Tuple{}
		}
		return &o
	}
	kwargs := NewDict()
	_ = kwargs.Set("k", v)
	key := NewDict()
	_ = key.Set(&PersistentID{v}, nil)
	set, _ := NewSet(&PersistentID{v})
	frozen, _ := NewFrozenSet(&PersistentID{v})
	many := make([]any, 1500)
	for i := range many {
		many[i] = int64(i)
	}
	return map[string]any{
		"itself": v, "list of one": NewList(v), "list": NewList(nil, v), "long list": NewList(append(many, v)...), "tuple": Tuple{v}, "long tuple": Tuple{1, 2, 3, 4, v}, "dict": kwargs, "key": key,
		"set": set, "frozenset": frozen, "persistent id": &PersistentID{v},
		"argument": object(Object{Args: Tuple{v}}), "callable": object(Object{Callable: object(Object{Args: Tuple{v}})}),
		"argument of NEWOBJ": object(Object{How: ByNewObj, Args: Tuple{v}}), "class of NEWOBJ": object(Object{How: ByNewObj, Callable: object(Object{Args: Tuple{v}})}),
		"NEWOBJ_EX": object(Object{How: ByNewObjEx, Args: Tuple{v}, Kwargs: NewDict()}), "keyword": object(Object{How: ByNewObjEx, Kwargs: kwargs}),
		"class of NEWOBJ_EX": object(Object{How: ByNewObjEx, Callable: object(Object{Args: Tuple{v}}), Kwargs: NewDict()}),
		"INST":               object(Object{How: ByInst, Args: Tuple{v}}), "OBJ": object(Object{How: ByObj, Args: Tuple{v}}), "class of OBJ": object(Object{How: ByObj, Callable: object(Object{Args: Tuple{v}})}),
		"appended": object(Object{Ops: []Op{{OpAppends, []any{v}}}}), "appended two": object(Object{Ops: []Op{{OpAppends, []any{nil, v}}}}), "item": object(Object{Ops: []Op{{OpSetItems, []any{"k", v}}}}),
		"item's key": object(Object{Ops: []Op{{OpSetItems, []any{v, "k", 1, 2}}}}), "added": object(Object{Ops: []Op{{OpAddItems, []any{v}}}}), "state": object(Object{Ops: []Op{{OpBuild, []any{v}}}}),
		"setter": object(Object{Ops: []Op{{OpSetState, []any{object(Object{Args: Tuple{v}}), nil}}}}), "set state": object(Object{Ops: []Op{{OpSetState, []any{class, v}}}}),
		"[]any": []any{v}, "map[string]any": map[string]any{"k": v}, "map[int]any": map[int]any{1: v}, "map[any]any": map[any]any{2.5: v}, "struct": struct{ A, B any }{1, v}, "pointer": &struct{ A any }{v}, "array": [2]any{nil, v},
		"*any": &v, "[]struct": []struct{ A any }{{v}}, "map of structs": map[string]struct{ A any }{"k": {v}}, "nested map": map[string]map[string]any{"a": {"b": v}}, "[][]any": [][]any{{v}},
	}
}

// What cannot be written makes the whole an error, wherever it is; nothing is left behind for the
// next message.
func TestMarshalErrorsEverywhere(t *testing.T) {
	good, err := Marshal(NewList("a", "b", Global{Module: "m", Name: "c"}))
	require.NoError(t, err)
	for name, leaf := range map[string]any{
		"chan": make(chan int), "struct": &bad{}, "func": func() {}, "marshaler": failing{}, "text": failingText{}, "not UTF-8": "\xff", "a name with a newline": Global{Module: "m\n", Name: "\xff"},
		"extension": Extension(0), "object without arguments": &Object{Callable: Global{Module: "m", Name: "c"}}, "object of an int": &Object{Callable: int64(1), Args: Tuple{}},
		"odd items": &Object{Callable: Global{Module: "m", Name: "c"}, Args: Tuple{}, Ops: []Op{{OpSetItems, []any{1}}}}, "no state": &Object{Callable: Global{Module: "m", Name: "c"}, Args: Tuple{}, Ops: []Op{{OpBuild, nil}}},
		"no setter": &Object{Callable: Global{Module: "m", Name: "c"}, Args: Tuple{}, Ops: []Op{{OpSetState, nil}}}, "unknown op": &Object{Callable: Global{Module: "m", Name: "c"}, Args: Tuple{}, Ops: []Op{{Kind: 99}}},
	} {
		for where, v := range shapes(leaf) {
			for proto := range 6 {
				if out, err := Marshal(v, WithProtocol(proto)); err == nil {
					// The str of a name may be anything from protocol 4 on; a class of INST is written by its names.
					var back any
					require.NoError(t, Unmarshal(out, &back, WithLimits(Limits{Name: -1})), "%s in %s at protocol %d", name, where, proto)
				} else {
					require.True(t, documented(err), "%s in %s at protocol %d: %T %v", name, where, proto, err, err)
				}
			}
		}
		again, err := Marshal(NewList("a", "b", Global{Module: "m", Name: "c"}))
		require.NoError(t, err)
		require.Equal(t, good, again)
	}
}

// Limits that are met anywhere in any kind of value.
func TestMarshalLimitsEverywhere(t *testing.T) {
	leaf := NewList(int64(1), "text", Tuple{Tuple{int64(2)}})
	for where, v := range shapes(leaf) {
		for proto := range 6 {
			whole, err := Marshal(v, WithProtocol(proto))
			if err != nil {
				require.True(t, documented(err))
				continue
			}
			for _, limits := range []Limits{{Depth: 1}, {Depth: 2}, {Depth: 3}, {Depth: 4}, {Message: 1}, {Message: int64(len(whole)) - 1}, {Memo: 1}, {Name: 1}, {Work: 1}} {
				out, err := AppendMarshal([]byte("x"), v, WithProtocol(proto), WithLimits(limits))
				if err != nil {
					var limit *LimitError
					require.True(t, errors.As(err, &limit), "%s at protocol %d within %+v: %T %v", where, proto, limits, err, err)
					require.Equal(t, "x", string(out))
				}
			}
			exact, err := Marshal(v, WithProtocol(proto), WithLimits(Limits{Message: int64(len(whole))}))
			require.NoError(t, err, "%s at protocol %d", where, proto)
			require.Equal(t, len(whole), len(exact))
			// A hook that takes nothing changes nothing.
			hooked, err := Marshal(v, WithProtocol(proto), WithPersistentID(func(any) (any, bool) { return nil, false }))
			require.NoError(t, err)
			require.Equal(t, len(whole), len(hooked))
		}
	}
}

// Large values of each kind cross from frame to frame, at every protocol, and come back.
func TestLargeGoValues(t *testing.T) {
	type row struct {
		A int
		B string
		C float64
	}
	n := 30_000
	if quick.Race {
		n = 3_000
	}
	ints, small, floats, strs, bools, rows := make([]int, n), make([]int32, n), make([]float64, n), make([]string, n), make([]bool, n), make([]row, n)
	byName, byNumber, texts := map[string]int{}, map[int]float64{}, map[string]string{}
	for i := range n {
		ints[i], small[i], floats[i], strs[i], bools[i], rows[i] = i<<uint(i%40), int32(i), math.Sqrt(float64(i)), fmt.Sprint("s", i), i%2 == 0, row{i, fmt.Sprint(i), float64(i)}
		byName[strs[i]], byNumber[i], texts[strs[i]] = i, floats[i], strs[n-1-i]
	}
	for _, v := range []any{ints, small, floats, strs, bools, rows, byName, byNumber, texts, []any{ints, strs}, map[string]any{"a": floats, "b": texts}} {
		for proto := range 6 {
			b, err := Marshal(v, WithProtocol(proto))
			require.NoError(t, err)
			back := reflect.New(reflect.TypeOf(v))
			if reflect.TypeOf(v).Elem().Kind() == reflect.Interface {
				continue // comes back as values of the model
			}
			require.NoError(t, Unmarshal(b, back.Interface(), WithLimits(Limits{Memory: -1})), "%T at protocol %d", v, proto)
			require.True(t, reflect.DeepEqual(v, back.Elem().Interface()), "%T at protocol %d", v, proto)
		}
	}
}

// Dicts and sets that shrink are put together anew, and stay what they are.
func TestShrinkingContainers(t *testing.T) {
	d, s := NewDict(), new(Set)
	for i := range int64(1000) {
		require.NoError(t, d.Set(i, i*i))
		require.NoError(t, s.Add(Tuple{i}))
	}
	for i := range int64(990) {
		require.True(t, d.Delete(i))
		require.True(t, s.Remove(Tuple{i}))
		require.False(t, d.Delete(i))
	}
	require.Equal(t, 10, d.Len())
	require.Equal(t, 10, s.Len())
	for i := int64(990); i < 1000; i++ {
		v, ok := d.Get(i)
		require.True(t, ok)
		require.Equal(t, i*i, v)
		require.True(t, s.Has(Tuple{i}))
	}
	require.False(t, s.Has(Tuple{int64(5)}))
	require.Error(t, d.Set(NewList(), nil))
	require.Error(t, s.Add(NewDict()))
}
