package pickleproto

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEqual(t *testing.T) {
	nan := math.NaN()
	decimal := func(s string) *Object { return reduce("decimal", "Decimal", s) }
	fraction := func(n, d int64) *Object { return reduce("fractions", "Fraction", n, d) }
	od := func(pairs ...any) *Object {
		o := reduce("collections", "OrderedDict")
		o.Ops = []Op{{OpSetItems, pairs}}
		return o
	}
	user := reduce("app", "User")
	nanObject := decimal("NaN")
	var boxedNaN any = nan
	same := NewList(boxedNaN)
	for _, c := range []struct {
		x, y any
		want bool
	}{
		{nil, nil, true}, {nil, false, false}, {nil, int64(0), false},
		{int64(1), true, true}, {int64(1), 1.0, true}, {true, 1.0, true}, {int64(1), &Complex{1, 0}, true}, {int64(1), &Complex{1, 1}, false},
		{int64(1), Long(1), true}, {Int(1 << 40), float64(1 << 40), true}, {int64(1), "1", false},
		{int64(1<<53 + 1), float64(1 << 53), false}, {int64(math.MaxInt64), float64(1 << 63), false}, {bigInt("9223372036854775808"), float64(1 << 63), true},
		{bigInt("18446744073709551616"), bigInt("18446744073709551616"), true}, {bigInt("5"), int64(5), true}, {bigInt("18446744073709551616"), math.Inf(1), false},
		{0.0, math.Copysign(0, -1), true}, {nan, nan, false}, {NewList(nan), NewList(nan), false}, {NewList(boxedNaN), NewList(boxedNaN), true}, {same, same, true},
		{"a", "a", true}, {"a", ByteString("a"), true}, {"\u00e9", ByteString("\xc3\xa9"), false}, {"a", Bytes("a"), false}, {ByteString("a"), Bytes("a"), false}, {ByteString("\xff"), ByteString("\xff"), true},
		{Bytes("a"), &ByteArray{[]byte("a")}, true}, {&ByteArray{[]byte("a")}, Bytes("b"), false}, {&ByteArray{nil}, &ByteArray{[]byte{}}, true},
		// As CPython: a bytearray equals what lends the same bytes, bytes do not.
		{arrayOf("b", Bytes("\x01")), &ByteArray{[]byte("\x01")}, true}, {&ByteArray{nil}, arrayOf("d", Bytes("")), true},
		{&ByteArray{[]byte("\x02")}, arrayOf("b", Bytes("\x01")), false}, {Bytes("\x01"), arrayOf("b", Bytes("\x01")), false}, {&ByteArray{nil}, decimal("1"), false},
		{Tuple{int64(1)}, Tuple{1.0}, true}, {Tuple{}, Tuple(nil), true}, {Tuple{int64(1)}, NewList(int64(1)), false}, {NewList(int64(1), "a"), NewList(true, "a"), true}, {NewList(), NewList(nil), false},
		{mustSet(t, int64(1), int64(2)), mustFrozenSet(t, 2.0, 1.0), true}, {mustSet(t, int64(1)), mustSet(t, int64(2)), false}, {mustSet(t), NewList(), false}, {mustSet(t), mustFrozenSet(t), true},
		{mustSet(t, decimal("1")), mustSet(t, int64(1)), true}, {mustSet(t, int64(1)), mustSet(t, decimal("1")), true},
		{dictOf(t, "a", int64(1), "b", int64(2)), dictOf(t, "b", 2.0, "a", true), true}, {dictOf(t, "a", int64(1)), dictOf(t, "a", int64(2)), false}, {dictOf(t, "a", int64(1)), dictOf(t, "b", int64(1)), false},
		{dictOf(t, Tuple{decimal("1")}, nil), dictOf(t, Tuple{int64(1)}, nil), true},
		{Global{Module: "__builtin__", Name: "int"}, Global{Module: "builtins", Name: "int"}, true}, {Global{Module: "a", Name: "b"}, Global{Module: "a", Name: "c"}, false},
		{Extension(1), Extension(1), true}, {Extension(1), int64(1), false}, {&PersistentID{"a"}, &PersistentID{"a"}, true}, {&PersistentID{"a"}, &PersistentID{"b"}, false},
		{user, user, true}, {user, reduce("app", "User"), false}, {NewList(user), NewList(user), true}, {user, int64(1), false}, {&Object{}, &Object{}, false},
		{decimal("1.50"), decimal("1.5"), true}, {decimal("1.5"), 1.5, true}, {decimal("0.1"), 0.1, false}, {decimal("0.1000000000000000055511151231257827021181583404541015625"), 0.1, true},
		{decimal("1E+30"), bigInt("1000000000000000000000000000000"), true}, {decimal("1E+999999999999"), int64(1), false}, {decimal("-0"), int64(0), true}, {decimal("0E+5"), decimal("-0"), true},
		{decimal("Infinity"), math.Inf(1), true}, {decimal("-Infinity"), math.Inf(1), false}, {decimal("NaN"), nan, false}, {nanObject, nanObject, false}, {NewList(nanObject), NewList(nanObject), true}, {decimal("junk"), decimal("junk"), false},
		{fraction(1, 2), 0.5, true}, {fraction(2, 4), decimal("0.5"), true}, {fraction(1, 3), decimal("0.3333333333333333333333333333"), false}, {fraction(6, 3), int64(2), true}, {fraction(1, 2), &Complex{0.5, 0}, true}, {fraction(-1, 2), fraction(1, -2), true}, {fraction(1, 3), nan, false},
		{decimal("1E-999999999999"), fraction(1, 3), false}, {decimal("0"), fraction(0, 5), true},
		{reduce("fractions", "Fraction", int64(1), int64(0)), int64(1), false},
		{od("a", int64(1), "b", int64(2)), od("b", int64(2), "a", int64(1)), false}, {od("a", int64(1), "b", int64(2)), dictOf(t, "b", int64(2), "a", int64(1)), true}, {dictOf(t, "a", int64(1)), od("a", int64(1)), true}, {od("a", int64(1)), od("a", 1.0), true},
		{reduce("builtins", "range", int64(0), int64(3), int64(2)), reduce("builtins", "range", int64(0), int64(4), int64(2)), true}, {reduce("builtins", "range", int64(0), int64(0), int64(1)), reduce("builtins", "range", int64(5), int64(2), int64(3)), true}, {reduce("builtins", "range", int64(0), int64(3), int64(1)), reduce("builtins", "range", int64(0), int64(4), int64(1)), false},
		{reduce("builtins", "type", nil), reduce("builtins", "type", nil), true}, {reduce("builtins", "type", nil), reduce("builtins", "type", Ellipsis), false},
		{(*List)(nil), NewList(), false}, {(*Dict)(nil), NewDict(), false}, {(*Object)(nil), user, false}, {user, (*Object)(nil), false}, {(*Set)(nil), mustSet(t), false}, {mustSet(t), (*Set)(nil), false}, {(*ByteArray)(nil), Bytes(""), false}, {(*big.Int)(nil), int64(0), false},
		// Go values, as Marshal would write them.
		{5, int64(5), true}, {int64(5), uint8(5), true}, {Bytes("a"), []byte("a"), true}, {[]byte("a"), Bytes("a"), true}, {TimeDelta{1, 0, 0}, reduce("datetime", "timedelta", int64(1), int64(0), int64(0)), true}, {reduce("datetime", "timedelta", int64(1), int64(0), int64(0)), 24 * time.Hour, true},
		{struct{}{}, struct{}{}, false}, {[]int{1}, []int{1}, false}, {map[string]any{}, map[string]any{}, false},
	} {
		require.Equal(t, c.want, Equal(c.x, c.y), "%s == %s", Repr(c.x), Repr(c.y))
		require.Equal(t, c.want, Equal(c.y, c.x), "%s == %s", Repr(c.y), Repr(c.x))
	}
}

func TestEqualOfDateTimes(t *testing.T) {
	berlin, newYork := mustZone(t, "Europe/Berlin"), mustZone(t, "America/New_York")
	obj := func(v any) any {
		o, known, err := toObject(v, 5)
		require.NoError(t, err)
		require.True(t, known)
		return o
	}
	noon := time.Date(2020, 7, 1, 12, 0, 0, 0, time.UTC)
	require.True(t, Equal(obj(noon), obj(noon.In(berlin))))
	require.True(t, Equal(obj(noon.In(newYork)), obj(noon.In(berlin))))
	require.False(t, Equal(obj(noon), obj(noon.Add(time.Second))))
	require.False(t, Equal(obj(noon), obj(NaiveDateTimeOf(noon))))
	require.False(t, Equal(obj(DateOf(noon)), obj(NaiveDateTimeOf(noon))))
	require.False(t, Equal(obj(noon), obj(DateOf(noon))))

	// A reading that comes twice: one zone goes by the clock, two zones never agree (PEP 495).
	first := time.Date(2020, 10, 25, 0, 30, 0, 0, time.UTC)
	require.True(t, Equal(obj(first.In(berlin)), obj(first.Add(time.Hour).In(berlin))))
	require.False(t, Equal(obj(first.In(berlin)), obj(first)))
	require.True(t, Equal(obj(first.In(newYork)), obj(first)))

	require.True(t, Equal(obj(TimeOfDay{Hour: 12, Zone: time.UTC}), obj(TimeOfDay{Hour: 14, Zone: time.FixedZone("", 7200)})))
	require.False(t, Equal(obj(TimeOfDay{Hour: 12, Zone: time.UTC}), obj(TimeOfDay{Hour: 12})))
	require.True(t, Equal(obj(TimeOfDay{Hour: 12, Fold: 1}), obj(TimeOfDay{Hour: 12})))
	require.True(t, Equal(obj(time.FixedZone("a", 60)), obj(time.FixedZone("b", 60))))
	require.True(t, Equal(obj(berlin), obj(berlin)))
	require.False(t, Equal(obj(berlin), obj(newYork)))
}

func TestEqualIsBounded(t *testing.T) {
	// What is shared is compared once: 60 levels of two separate graphs are 60 steps.
	require.True(t, Equal(sharedGraph(60), sharedGraph(60)))
	require.False(t, Equal(sharedGraph(60), sharedGraph(59)))

	cycle := func(last any) any {
		l := NewList(int64(1))
		l.Append(l, last)
		return l
	}
	require.True(t, Equal(cycle("a"), cycle("a")))
	require.False(t, Equal(cycle("a"), cycle("b")))

	eq, err := equalWithin(deepList(20000), deepList(20000), maxEqualSteps)
	require.False(t, eq)
	var limit *LimitError
	require.ErrorAs(t, err, &limit)
	require.Equal(t, "depth", limit.Limit)
	require.False(t, Equal(deepList(20000), deepList(20000)))
	require.True(t, Equal(deepList(9000), deepList(9000)))

	eq, err = equalWithin(NewList(sharedGraph(8), sharedGraph(9)), NewList(sharedGraph(8), sharedGraph(9)), 50)
	require.False(t, eq)
	require.ErrorAs(t, err, &limit)
	require.Equal(t, "work", limit.Limit)

	// Keys of two separate graphs: nested tuples, each twice in the next.
	bomb := func() any {
		key := Tuple{int64(1)}
		for range 60 {
			key = Tuple{key, key}
		}
		d := NewDict()
		if err := d.Set(key, nil); err != nil {
			return nil // refused already: just as well
		}
		return d
	}
	start := time.Now()
	if x, y := bomb(), bomb(); x != nil {
		Equal(x, y)
	}
	require.Less(t, time.Since(start), 10*time.Second)

	// Many unequal instances as keys.
	odd := func(n int64) any {
		d := NewDict()
		for i := range n {
			require.NoError(t, d.Set(reduce("decimal", "Decimal", bigInt("9").String()+big.NewInt(i).String()), i))
		}
		return d
	}
	start = time.Now()
	Equal(odd(20000), odd(20000))
	require.Less(t, time.Since(start), 20*time.Second)
}

// TestEqualOfPackedLists: long lists of one kind are held without boxes once decoded.
func TestEqualOfPackedLists(t *testing.T) {
	list := func(n int, item func(i int) any) *List {
		items := make([]any, n)
		for i := range items {
			items[i] = item(i)
		}
		b, err := Marshal(NewList(items...))
		require.NoError(t, err)
		v, err := Native.Decode(b)
		require.NoError(t, err)
		return v.(*List)
	}
	ints := func(n int) *List { return list(n, func(i int) any { return int64(i) }) }
	floats := list(100, func(i int) any { return float64(i) })
	strs := list(100, func(i int) any { return string(rune('a' + i%26)) })
	require.True(t, Equal(ints(100), ints(100)))
	require.False(t, Equal(ints(100), ints(101)))
	require.False(t, Equal(ints(100), list(100, func(i int) any { return int64(i + i/99) })))
	require.True(t, Equal(ints(100), floats))
	require.True(t, Equal(floats, NewList(ints(100).Items()...)))
	require.True(t, Equal(strs, list(100, func(i int) any { return string(rune('a' + i%26)) })))
	require.False(t, Equal(strs, ints(100)))
	nans := list(100, func(int) any { return math.NaN() })
	require.True(t, Equal(nans, nans))
	require.False(t, Equal(nans, list(100, func(int) any { return math.NaN() })))
}

func TestEqualOfTimesWithZoneInfo(t *testing.T) {
	berlin, utc := mustZone(t, "Europe/Berlin"), zoneInfo("UTC", 1)
	at := func(tz ...any) *Object {
		return reduce("datetime", "time", append([]any{Bytes("\x0c\x00\x00\x00\x00\x00")}, tz...)...)
	}
	m := maker{protocol: 4}
	tz, err := m.location(berlin)
	require.NoError(t, err)
	require.True(t, Equal(at(tz), at(zoneInfo("Europe/Berlin", 1))))
	require.True(t, Equal(at(zoneInfo("Europe/Berlin", 0)), at()), "a ZoneInfo knows no offset without a date")
	require.True(t, Equal(at(utc), at(utcZone)))
	require.False(t, Equal(at(utc), at()))
	require.False(t, Equal(at(zoneInfo("No/Where", 1)), at()))
	require.False(t, Equal(at(reduce("app", "tz")), at()))
	same := reduce("app", "tz")
	require.True(t, Equal(at(same), at(same)))
	noCache := func() *Object { return zoneInfo("Europe/Berlin", 0) }
	require.False(t, Equal(noCache(), noCache()))
	state := Bytes("\x07\xe4\x01\x01\x00\x00\x00\x00\x00\x00")
	require.True(t, Equal(reduce("datetime", "datetime", state, noCache()), reduce("datetime", "datetime", state, noCache())), "the same instant")
	require.False(t, Equal(reduce("datetime", "datetime", state, same), reduce("datetime", "datetime", state, reduce("app", "tz"))))
	require.False(t, Equal(reduce("datetime", "datetime", state, zoneInfo("No/Where", 0)), reduce("datetime", "datetime", state, utcZone)))
}

func arrayOf(code string, data Bytes) *Object { return reduce("array", "array", code, data) }
