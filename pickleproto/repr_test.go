package pickleproto

import (
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func mustSet(t *testing.T, items ...any) *Set {
	s, err := NewSet(items...)
	require.NoError(t, err)
	return s
}

func mustFrozenSet(t *testing.T, items ...any) *FrozenSet {
	s, err := NewFrozenSet(items...)
	require.NoError(t, err)
	return s
}

func TestRepr(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	negZero := math.Copysign(0, -1)
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, "None"}, {true, "True"}, {false, "False"},
		{int64(-5), "-5"}, {Long(5), "5"}, {Int(1 << 40), "1099511627776"}, {bigInt("-123456789012345678901234567890"), "-123456789012345678901234567890"},
		{0.0, "0.0"}, {negZero, "-0.0"}, {1.5, "1.5"}, {1e15, "1000000000000000.0"}, {1e16, "1e+16"}, {1e-4, "0.0001"}, {1e-5, "1e-05"},
		{5e-324, "5e-324"}, {1e22, "1e+22"}, {123456789012345680.0, "1.2345678901234568e+17"}, {inf, "inf"}, {-inf, "-inf"}, {nan, "nan"},
		{&Complex{0, 1}, "1j"}, {&Complex{0, negZero}, "-0j"}, {&Complex{negZero, 0}, "(-0+0j)"}, {&Complex{1.5, -2}, "(1.5-2j)"}, {&Complex{nan, nan}, "(nan+nanj)"}, {&Complex{inf, -inf}, "(inf-infj)"}, {&Complex{1e16, 1}, "(1e+16+1j)"},
		{"", "''"}, {"it's", `"it's"`}, {`it's "x"`, `'it\'s "x"'`}, {`a"b`, `'a"b'`}, {"\\\t\n\r\x00\x1f\x7f", `'\\\t\n\r\x00\x1f\x7f'`},
		{"\u00e9\u00a0\u00ad\u4e2d\u200b\u2028\ue000\U0001f600\U0010ffff", `'é\xa0\xad中\u200b\u2028\ue000😀\U0010ffff'`},
		{"\xed\xa0\x80x\xed\xbf\xbf", `'\ud800x\udfff'`},
		{Bytes("ab\x00\xff'"), `b"ab\x00\xff'"`}, {Bytes(`'"`), `b'\'"'`}, {ByteString("ab\xff"), `'ab\xff'`},
		{&ByteArray{[]byte("it's")}, `bytearray(b"it\'s")`}, {&ByteArray{}, "bytearray(b'')"},
		{Tuple{}, "()"}, {Tuple(nil), "()"}, {Tuple{int64(1)}, "(1,)"}, {Tuple{int64(1), nil}, "(1, None)"},
		{NewList(), "[]"}, {&List{}, "[]"}, {NewList(int64(1), "a"), "[1, 'a']"},
		{NewDict(), "{}"}, {dictOf(t, "a", int64(1), nil, NewList()), "{'a': 1, None: []}"},
		{mustSet(t), "set()"}, {mustSet(t, int64(1), "x"), "{1, 'x'}"}, {mustFrozenSet(t), "frozenset()"}, {mustFrozenSet(t, int64(1)), "frozenset({1})"},
		{Global{Module: "app.models", Name: "User.Meta"}, "<class 'app.models.User.Meta'>"}, {Global{Module: "builtins", Name: "int"}, "<class 'int'>"},
		{Global{Module: "builtins", Name: "len"}, "<built-in function len>"}, {Global{Module: "__builtin__", Name: "unicode"}, "<class 'str'>"}, {Ellipsis, "Ellipsis"}, {NotImplemented, "NotImplemented"},
		{&PersistentID{"x"}, "<persistent id 'x'>"}, {Extension(5), "<extension 5>"}, {&Buffer{Index: 2}, "<buffer 2>"},
		{&Object{How: ByNewObj, Callable: Global{Module: "app", Name: "User"}, Args: Tuple{}, Ops: []Op{{OpBuild, []any{dictOf(t, "x", int64(1))}}}}, "<app.User object: {'x': 1}>"},
		{&Object{How: ByNewObj, Callable: Global{Module: "app", Name: "User"}, Args: Tuple{}}, "<app.User object>"},
		{&Object{How: ByReduce, Callable: Global{Module: "app", Name: "Color"}, Args: Tuple{int64(1)}}, "<app.Color object: (1,)>"},
		{&Object{How: ByReduce, Callable: Global{Module: "datetime", Name: "date"}, Args: Tuple{Bytes("xx")}}, "<datetime.date object: (b'xx',)>"},
		{&Object{How: ByReduce, Callable: reduce("builtins", "getattr", Global{Module: "app", Name: "C"}, "make"), Args: Tuple{}}, "<<builtins.getattr object: (<class 'app.C'>, 'make')> object: ()>"},
		{&Object{}, "<None object: None>"},
		{(*List)(nil), "None"}, {(*Dict)(nil), "None"}, {(*Object)(nil), "None"}, {(*big.Int)(nil), "None"}, {(*Set)(nil), "None"},
		{(*Complex)(nil), "None"}, {(*ByteArray)(nil), "None"}, {(*PersistentID)(nil), "None"}, {(*Buffer)(nil), "None"}, {(*FrozenSet)(nil), "None"},
		// Go values, as Marshal would write them.
		{7, "7"}, {uint64(1 << 63), "9223372036854775808"}, {float32(0.5), "0.5"}, {[]byte("a"), "b'a'"}, {[]any{1, "x"}, "[1, 'x']"}, {map[string]any{"b": 1, "a": nil}, "{'a': None, 'b': 1}"},
		{time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), "datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)"},
		{Decimal{Coefficient: big.NewInt(150), Exponent: -2}, "Decimal('1.50')"}, {NewException("ValueError", "x"), "ValueError('x')"}, {struct{}{}, "<Go struct {}>"},
	} {
		require.Equal(t, c.want, Repr(c.v))
	}
}

func TestReprOfCycles(t *testing.T) {
	l := NewList(int64(1))
	l.Append(l)
	require.Equal(t, "[1, [...]]", Repr(l))

	d := NewDict()
	require.NoError(t, d.Set("d", d))
	require.Equal(t, "{'d': {...}}", Repr(d))

	inner := NewList()
	tup := Tuple{inner}
	inner.Append(tup)
	require.Equal(t, "([(...)],)", Repr(tup))

	o := reduce("collections", "deque")
	o.Ops = []Op{{OpAppends, []any{o}}}
	require.Equal(t, "deque([[...]])", Repr(o))
	o = reduce("collections", "OrderedDict")
	o.Ops = []Op{{OpSetItems, []any{"o", o}}}
	require.Equal(t, "OrderedDict({'o': ...})", Repr(o))
	o = reduce("collections", "defaultdict", Global{Module: "builtins", Name: "list"})
	o.Ops = []Op{{OpSetItems, []any{"o", o}}}
	require.Equal(t, "defaultdict(<class 'list'>, {'o': defaultdict(<class 'list'>, {...})})", Repr(o))
	o = reduce("types", "SimpleNamespace")
	o.Ops = []Op{{OpBuild, []any{dictOf(t, "o", o)}}}
	require.Equal(t, "namespace(o=namespace(...))", Repr(o))
	o = reduce("app", "C")
	o.Args = Tuple{o}
	require.Equal(t, "<app.C object: (...,)>", Repr(o))
	o = &Object{}
	o.Callable, o.Args = o, o
	require.Equal(t, "<... object: ...>", Repr(o))

	p := &PersistentID{}
	p.ID = p
	require.Equal(t, "<persistent id <persistent id ...>>", Repr(p))

	m := map[string]any{}
	m["m"] = m
	require.LessOrEqual(t, len(Repr(m)), maxReprBytes+3) // a Go map shows no identity: its depth ends it
	s := []any{nil}
	s[0] = s
	require.Equal(t, "[[...]]", Repr(s))
}

// sharedGraph is a list of the same list twice, n levels deep: 2**n leaves.
func sharedGraph(n int) any {
	var v any = int64(1)
	for range n {
		v = NewList(v, v)
	}
	return v
}

func deepList(n int) any {
	var v any = NewList()
	for range n {
		v = NewList(v)
	}
	return v
}

func TestReprIsBounded(t *testing.T) {
	start := time.Now()
	s := Repr(sharedGraph(60))
	require.True(t, strings.HasSuffix(s, "..."))
	require.LessOrEqual(t, len(s), maxReprBytes+3)
	require.Less(t, time.Since(start), 20*time.Second)

	require.Equal(t, strings.Repeat("[", 10000)+"..."+strings.Repeat("]", 10000), Repr(deepList(20000)))

	require.Equal(t, "'aaaa...", reprLimited(strings.Repeat("a", 1000), 5))
	require.Equal(t, "[1, 2...", reprLimited(NewList(int64(1), int64(222222), int64(3)), 5))
	huge := new(big.Int).Lsh(big.NewInt(1), 1<<20)
	start = time.Now()
	require.Equal(t, "...", reprLimited(huge, 100)) // not converted at all
	require.Less(t, time.Since(start), time.Second)

	// An OrderedDict whose items set one key again and again costs what they are, not what is printed.
	pairs := make([]any, 200_000)
	for i := range pairs {
		pairs[i] = int64(1)
	}
	o := reduce("collections", "OrderedDict")
	o.Ops = []Op{{OpSetItems, pairs}}
	many := NewList()
	for range 100_000 {
		many.Append(o)
	}
	start = time.Now()
	require.True(t, strings.HasSuffix(Repr(many), "..."))
	require.Less(t, time.Since(start), 20*time.Second)
}

func TestReprOfOddObjects(t *testing.T) {
	partial := func(state any) *Object {
		o := reduce("functools", "partial", Global{Module: "builtins", Name: "int"})
		o.Ops = []Op{{OpBuild, []any{state}}}
		return o
	}
	intClass := Global{Module: "builtins", Name: "int"}
	full := reduce("app", "Sub", int64(1))
	full.How, full.Kwargs = ByNewObjEx, dictOf(t, "k", "v")
	full.Ops = []Op{{OpBuild, []any{Tuple{nil}}}, {OpAppends, []any{"item"}}, {OpSetItems, []any{"key", "value"}}}
	for want, v := range map[string]any{
		"<class 'NoneType'>":                                                    reduce("builtins", "type", nil),
		"<class 'ellipsis'>":                                                    reduce("builtins", "type", Ellipsis),
		"<class 'NotImplementedType'>":                                          reduce("builtins", "type", NotImplemented),
		"<builtins.type object: (1,)>":                                          reduce("builtins", "type", int64(1)),
		"<builtins.type object: (<class 'int'>,)>":                              reduce("builtins", "type", intClass),
		"functools.partial(<class 'int'>, '1', base=2)":                         partial(Tuple{intClass, Tuple{"1"}, dictOf(t, "base", int64(2)), nil}),
		"<functools.partial object: (<class 'int'>,), 5>":                       partial(int64(5)),
		"<functools.partial object: (<class 'int'>,), (1, 2, 3, 4)>":            partial(Tuple{int64(1), int64(2), int64(3), int64(4)}),
		"<app.Sub object: (1,), {'k': 'v'}, (None,), 'item', ('key', 'value')>": full,
		"OSError(99, 'no')":                                                     reduce("builtins", "OSError", int64(99), "no", "file"),
		"FileNotFoundError(2, 'no')":                                            reduce("exceptions", "IOError", int64(2), "no"),
		"Empty()":                                                               reduce("queue", "Empty"),
		"zoneinfo.ZoneInfo(key='Europe/Berlin')":                                zoneInfo("Europe/Berlin", 0),
		"Counter({'a': 'x', 'b': 'y'})":                                         reduce("collections", "Counter", dictOf(t, "a", "x", "b", "y")),
		"Counter({'b': 18446744073709551616, 'a': 2.5, 'c': True})":             reduce("collections", "Counter", dictOf(t, "a", 2.5, "b", bigInt("18446744073709551616"), "c", true)),
		"Counter({'a': nan, 'b': 1})":                                           reduce("collections", "Counter", dictOf(t, "a", math.NaN(), "b", int64(1))),
		"range(0, 99999999999999999999)":                                        reduce("builtins", "range", int64(0), bigInt("99999999999999999999"), int64(1)),
		"namespace()":                                                           reduce("types", "SimpleNamespace"),
		"{'a': [1, 2]}":                                                         map[string]any{"a": []any{1, 2}},
		"[]":                                                                    []any{},
		"(" + strings.TrimSuffix(strings.Repeat("'a', ", 40), ", ") + ")":       Tuple(repeated("a", 40)),
	} {
		require.Equal(t, want, Repr(v))
	}
	require.Equal(t, "b'aaa...", reprLimited(Bytes(strings.Repeat("a", 100)), 5))
	require.Equal(t, "bytea...", reprLimited(&ByteArray{[]byte("aaaaaaaaaa")}, 5))
	require.Equal(t, "{'a':...", reprLimited(map[string]any{"a": strings.Repeat("b", 10)}, 5))
	require.Equal(t, "{1, 2...", reprLimited(mustSet(t, int64(1), int64(2), int64(3)), 5))
}

func repeated(v any, n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = v
	}
	return out
}
