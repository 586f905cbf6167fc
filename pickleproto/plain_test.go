package pickleproto

import (
	"math/big"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPlain(t *testing.T) {
	obj := func(v any) any {
		o, known, err := toObject(v, 4)
		require.NoError(t, err)
		require.True(t, known)
		return o
	}
	utc := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	user, err := newInstance(Global{Module: "app", Name: "User"}, dictOf(t, "name", "x", "tags", Tuple{"a"}), dictOf(t, "slot", int64(1)), 4)
	require.NoError(t, err)
	frozen := &Object{How: ByNewObj, Callable: Global{Module: "app", Name: "P"}, Args: Tuple{}, Ops: []Op{{OpBuild, []any{NewList(int64(1), "x")}}}}
	dec, err := ParseDecimal("1.5")
	require.NoError(t, err)
	for _, c := range []struct{ v, want any }{
		{nil, nil}, {true, true}, {int64(1), int64(1)}, {Long(1), int64(1)}, {Int(1), int64(1)}, {1.5, 1.5}, {bigInt("18446744073709551616"), bigInt("18446744073709551616")},
		{"s", "s"}, {Bytes("b"), []byte("b")}, {ByteString("ab"), "ab"}, {ByteString("\xff"), []byte("\xff")}, {&ByteArray{[]byte("b")}, []byte("b")}, {&ByteArray{}, []byte{}}, {&Complex{1, 2}, complex(1, 2)},
		{Tuple{}, []any{}}, {Tuple{int64(1), Bytes("b")}, []any{int64(1), []byte("b")}}, {NewList(), []any{}}, {NewList(int64(1), Tuple{}), []any{int64(1), []any{}}}, {mustSet(t, int64(1)), []any{int64(1)}}, {mustFrozenSet(t, "x"), []any{"x"}},
		{NewDict(), map[string]any{}}, {dictOf(t, "a", NewList()), map[string]any{"a": []any{}}}, {dictOf(t, "a", int64(1), int64(2), "b"), map[any]any{"a": int64(1), int64(2): "b"}},
		{dictOf(t, Bytes("k"), nil, nil, 1.5, true, "t"), map[any]any{Bytes("k"): nil, nil: 1.5, true: "t"}}, {dictOf(t, ByteString("k"), int64(1)), map[string]any{"k": int64(1)}},
		{dictOf(t, obj(Date{2020, 1, 2}), int64(1)), map[any]any{Date{2020, 1, 2}: int64(1)}},
		{obj(utc), utc}, {obj(NaiveDateTimeOf(utc)), NaiveDateTimeOf(utc)}, {obj(Date{2020, 1, 2}), Date{2020, 1, 2}}, {obj(TimeOfDay{Hour: 1}), TimeOfDay{Hour: 1}}, {obj(TimeDelta{Seconds: 2}), 2 * time.Second}, {obj(TimeDelta{Days: 200000}), TimeDelta{Days: 200000}},
		{obj(dec), dec}, {obj(big.NewRat(1, 3)), big.NewRat(1, 3)}, {obj(UUID{1}), UUID{1}}, {obj(netip.MustParseAddr("::1")), netip.MustParseAddr("::1")}, {obj(Path("/a")), "/a"}, {obj(PureWindowsPath(`c:\a`)), `c:\a`},
		{obj(&OrderedDict{dictOf(t, "a", int64(1))}), map[string]any{"a": int64(1)}}, {obj(&DefaultDict{Dict: dictOf(t, int64(1), int64(1))}), map[any]any{int64(1): int64(1)}}, {obj(&Counter{dictOf(t, "a", int64(1))}), map[string]any{"a": int64(1)}},
		{obj(NewDeque(int64(1))), []any{int64(1)}}, {obj(&SimpleNamespace{dictOf(t, "a", int64(1))}), map[string]any{"a": int64(1)}}, {obj(Range{0, 3, 1}), Range{0, 3, 1}}, {obj(&Array{'i', []int32{1}}), []int32{1}},
		{user, map[string]any{"name": "x", "tags": []any{"a"}, "slot": int64(1)}}, {newNamedTuple(Global{Module: "app", Name: "P"}, Tuple{int64(1), "y"}, 4), []any{int64(1), "y"}}, {newNamedTuple(Global{Module: "app", Name: "P"}, Tuple{int64(1), "y"}, 0), []any{int64(1), "y"}}, {frozen, []any{int64(1), "x"}},
		{Global{Module: "app", Name: "f"}, Global{Module: "app", Name: "f"}}, {&Buffer{Data: []byte("b")}, []byte("b")}, {(*List)(nil), nil}, {(*Object)(nil), nil}, {(*Dict)(nil), nil}, {struct{}{}, struct{}{}},
	} {
		got, err := Plain(c.v)
		require.NoError(t, err, Repr(c.v))
		require.Equal(t, c.want, got, Repr(c.v))
	}
	got, err := Plain(obj(NewException("ValueError", "x")))
	require.NoError(t, err)
	require.EqualError(t, got.(*Exception), "ValueError: x")
}

func TestPlainErrors(t *testing.T) {
	cycle := NewList()
	cycle.Append(dictOf(t, "a", cycle))
	shared := NewList(int64(1))
	for _, c := range []struct {
		v    any
		want string
	}{
		{cycle, "pickle: [0].a: a value that contains itself has no plain Go form"},
		{dictOf(t, "a", NewList(nil, reduce("app", "Color", int64(1)))), "pickle: .a[1]: an instance of app.Color has no plain Go form"},
		{NewList(&PersistentID{"x"}), "pickle: [0]: a persistent id has no plain Go form"},
		{Extension(3), "pickle: extension code 3 has no plain Go form"},
		{&Buffer{}, "pickle: an out-of-band buffer that was not supplied has no plain Go form"},
		{dictOf(t, Tuple{int64(1)}, nil), "pickle: a key of Python's type tuple cannot be one of a Go map"},
		{dictOf(t, mustFrozenSet(t), nil), "pickle: a key of Python's type frozenset cannot be one of a Go map"},
		{dictOf(t, bigInt("18446744073709551616"), nil), "pickle: a key of Python's type int cannot be one of a Go map"},
		{dictOf(t, reduce("datetime", "date", Bytes("\x07\xe4\x01\x02")), nil, reduce("datetime", "date", Bytes("\x07\xe4\x01\x02")), nil), "pickle: two keys of the dict become the Go key 2020-01-02"},
		{dictOf(t, int64(1), reduce("app", "Color", int64(1))), "pickle: [1]: an instance of app.Color has no plain Go form"},
		{&Object{}, "pickle: an instance that a call of no class made has no plain Go form"},
		{reduce("datetime", "datetime", Bytes("x")), "pickle: datetime.datetime: the state is not 10 bytes"},
	} {
		_, err := Plain(c.v)
		require.EqualError(t, err, c.want)
	}

	// What is shared is no cycle, and stays shared.
	got, err := Plain(NewList(shared, shared))
	require.NoError(t, err)
	items := got.([]any)
	items[0].([]any)[0] = "changed"
	require.Equal(t, "changed", items[1].([]any)[0])

	start := time.Now()
	_, err = Plain(sharedGraph(60))
	require.NoError(t, err)
	require.Less(t, time.Since(start), time.Second)

	_, err = Plain(deepList(20000))
	var limit *LimitError
	require.ErrorAs(t, err, &limit)
	require.Equal(t, "depth", limit.Limit)
}

func TestPlainOfNestedErrors(t *testing.T) {
	bad := reduce("app", "Color", int64(1))
	user, err := newInstance(Global{Module: "app", Name: "User"}, dictOf(t, "name", bad), nil, 4)
	require.NoError(t, err)
	setter := &Object{How: ByNewObj, Callable: Global{Module: "app", Name: "User"}, Args: Tuple{}, Ops: []Op{{OpBuild, []any{"state"}}}}
	for want, v := range map[string]any{
		"pickle: {}: an instance of app.Color has no plain Go form":    mustSet(t, bad),
		"pickle: [0]: an instance of app.Color has no plain Go form":   Tuple{bad},
		"pickle: .name: an instance of app.Color has no plain Go form": user,
		"pickle: an instance of app.User has no plain Go form":         setter,
		"pickle: an instance of app.Color has no plain Go form":        dictOf(t, bad, nil, int64(1), nil),
	} {
		_, err := Plain(v)
		require.EqualError(t, err, want)
	}
	for _, v := range []any{(*Complex)(nil), (*ByteArray)(nil), (*Set)(nil), (*FrozenSet)(nil)} {
		got, err := Plain(v)
		require.NoError(t, err)
		require.Nil(t, got)
	}
	got, err := Plain(reduce("ipaddress", "IPv4Interface", "10.0.0.1/8"))
	require.NoError(t, err)
	require.Equal(t, "10.0.0.1/8", got.(IPInterface).String())
	got, err = Plain(reduce("pathlib", "WindowsPath", "c:/a"))
	require.NoError(t, err)
	require.Equal(t, `c:\a`, got)
}
