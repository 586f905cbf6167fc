package pickleproto

import (
	"math"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto/internal/quick"
	"github.com/stretchr/testify/require"
)

// TestStdlibRefusesBadStates: what a hostile stream says of a class of the table is an error of
// the conversion, and the object as it stands for Repr and Equal. Nothing panics.
func TestStdlibRefusesBadStates(t *testing.T) {
	delta := func(args ...any) *Object { return reduce("datetime", "timedelta", args...) }
	huge := new(big.Int).Lsh(big.NewInt(1), 1<<17)
	uuid := func(state any) *Object {
		return &Object{How: ByNewObj, Callable: Global{Module: "uuid", Name: "UUID"}, Args: Tuple{}, Ops: []Op{{OpBuild, []any{state}}}}
	}
	reconstruct := func(code any, format any, b any) *Object {
		return reduce("array", "_array_reconstructor", Global{Module: "array", Name: "array"}, code, format, b)
	}
	for _, o := range []*Object{
		reduce("datetime", "datetime"), reduce("datetime", "datetime", nil), reduce("datetime", "datetime", Bytes("")), reduce("datetime", "datetime", Bytes("123456789")), reduce("datetime", "datetime", Bytes("12345678901")),
		reduce("datetime", "datetime", Bytes("\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00")), reduce("datetime", "datetime", Bytes("\x07\xe4\x0d\x01\x00\x00\x00\x00\x00\x00")), reduce("datetime", "datetime", Bytes("\x07\xe4\x02\x1e\x00\x00\x00\x00\x00\x00")), reduce("datetime", "datetime", Bytes("\xff\xff\x01\x01\x00\x00\x00\x00\x00\x00")), reduce("datetime", "datetime", Bytes("\x07\xe4\x01\x01\x18\x00\x00\x00\x00\x00")), reduce("datetime", "datetime", Bytes("\x07\xe4\x01\x01\x00\x00\x00\xff\xff\xff")),
		reduce("datetime", "datetime", Bytes("\x07\xe4\x01\x01\x00\x00\x00\x00\x00\x00"), int64(1)), reduce("datetime", "datetime", Bytes("\x07\xe4\x01\x01\x00\x00\x00\x00\x00\x00"), reduce("app", "tz")), reduce("datetime", "datetime", Bytes("\x07\xe4\x01\x01\x00\x00\x00\x00\x00\x00"), reduce("datetime", "timezone", delta(int64(2)))), reduce("datetime", "datetime", "\u0100"),
		reduce("datetime", "date", Bytes("123")), reduce("datetime", "date", Bytes("\x07\xe4\x00\x01")), reduce("datetime", "date", Bytes("\x07\xe4\x02\x1e")), reduce("datetime", "time", Bytes("12345")), reduce("datetime", "time", Bytes("\x19\x00\x00\x00\x00\x00")), reduce("datetime", "time", Bytes("\x00\x3c\x00\x00\x00\x00")),
		delta("x"), delta(int64(1), int64(2), int64(3), int64(4)), delta(int64(1_000_000_000)), delta(int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64)), delta(int64(math.MinInt64), int64(math.MinInt64), int64(math.MinInt64)), delta(huge), delta(1.5),
		reduce("datetime", "timezone"), reduce("datetime", "timezone", int64(1)), reduce("datetime", "timezone", delta(int64(1))), reduce("datetime", "timezone", delta(int64(-1))), reduce("datetime", "timezone", delta(int64(0)), int64(1)), reduce("datetime", "timezone", reduce("app", "x")),
		reduce("datetime", "timezone", delta(int64(0), int64(0), int64(1))), // Go has no such offset
		reduce("decimal", "Decimal"), reduce("decimal", "Decimal", ""), reduce("decimal", "Decimal", "1.2.3"), reduce("decimal", "Decimal", "1E"), reduce("decimal", "Decimal", "1E99999999999999999999"), reduce("decimal", "Decimal", "--1"), reduce("decimal", "Decimal", "NaNx"), reduce("decimal", "Decimal", int64(1)), reduce("decimal", "Decimal", strings.Repeat("9", maxDecimalDigits+1)),
		reduce("fractions", "Fraction"), reduce("fractions", "Fraction", "1/0"), reduce("fractions", "Fraction", "/"), reduce("fractions", "Fraction", "1/-2"), reduce("fractions", "Fraction", int64(1), int64(0)), reduce("fractions", "Fraction", "x"), reduce("fractions", "Fraction", int64(1), 2.0), reduce("fractions", "Fraction", huge, huge), reduce("fractions", "Fraction", strings.Repeat("9", 100_000)),
		uuid(NewDict()), uuid(nil), uuid(NewList()), uuid(dictOf(t, "int", int64(-1))), uuid(dictOf(t, "int", huge)), uuid(dictOf(t, "int", "x")), reduce("uuid", "UUID", "x"),
		reduce("collections", "OrderedDict", NewList(int64(1))), reduce("collections", "OrderedDict", NewList(Tuple{int64(1)})), reduce("collections", "deque", Tuple{}, int64(-1)), reduce("collections", "deque", Tuple{}, "x"),
		{How: ByReduce, Callable: Global{Module: "collections", Name: "OrderedDict"}, Args: Tuple{}, Ops: []Op{{OpSetItems, []any{NewList(), nil}}}},
		{How: ByReduce, Callable: Global{Module: "collections", Name: "defaultdict"}, Args: Tuple{}, Ops: []Op{{OpSetItems, []any{NewDict(), nil}}}},
		reduce("builtins", "range"), reduce("builtins", "range", int64(1), int64(2), int64(0)), reduce("builtins", "range", int64(1), int64(2), "x"), reduce("builtins", "range", int64(1), int64(2), huge), reduce("builtins", "slice"),
		reduce("array", "array"), reduce("array", "array", "x"), reduce("array", "array", "i", NewList("x")), reduce("array", "array", "b", NewList(int64(128))), reduce("array", "array", "L", NewList(int64(-1))), reduce("array", "array", "d", NewList(int64(1))), reduce("array", "array", "u", NewList("ab")), reduce("array", "array", "u", NewList("")),
		reconstruct("i", int64(8), Bytes("123")), reconstruct("i", int64(22), Bytes("")), reconstruct("i", int64(-1), Bytes("")), reconstruct("i", int64(20), Bytes("")), reconstruct("u", int64(8), Bytes("")), reconstruct("u", int64(20), Bytes("\xff\xff\xff\xff")), reconstruct("u", int64(18), Bytes("1")), reconstruct("ii", int64(8), Bytes("")), reconstruct(int64(1), int64(8), Bytes("")), reconstruct("i", "x", Bytes("")), reconstruct("i", int64(8), "x"), reduce("array", "_array_reconstructor"),
		reduce("pathlib", "PosixPath", int64(1)), reduce("pathlib", "PureWindowsPath", nil),
		reduce("ipaddress", "IPv4Address"), reduce("ipaddress", "IPv4Address", int64(-1)), reduce("ipaddress", "IPv4Address", int64(1<<32)), reduce("ipaddress", "IPv4Address", "::1"), reduce("ipaddress", "IPv6Address", huge), reduce("ipaddress", "IPv6Address", "x"), reduce("ipaddress", "IPv4Network", "10.0.0.1/8"), reduce("ipaddress", "IPv4Network", "10.0.0.0"), reduce("ipaddress", "IPv4Network", "10.0.0.0/33"), reduce("ipaddress", "IPv4Network", "10.0.0.0/+8"), reduce("ipaddress", "IPv6Network", "10.0.0.0/8"), reduce("ipaddress", "IPv4Interface", "1.2.3.4"), reduce("ipaddress", "IPv4Interface", int64(1)),
		zoneInfo("../../etc/passwd", 1), zoneInfo("/etc/localtime", 1), zoneInfo("Local", 1), zoneInfo("Nowhere/Land", 1), zoneInfo("Europe//Berlin", 1), zoneInfo("./Europe/Berlin", 1), zoneInfo(strings.Repeat("a", 1000), 1),
	} {
		v, known, err := fromObject(o)
		require.True(t, err != nil || !known, "%s gave %v", Repr(o), v)
		require.NotEmpty(t, Repr(o))
		require.LessOrEqual(t, len(errText(err)), 300)
		Equal(o, int64(1))
		Equal(o, reduce("decimal", "Decimal", "1"))
		Equal(o, &Object{How: o.How, Callable: o.Callable, Args: o.Args, Ops: o.Ops})
		_, _ = Plain(o)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func zoneInfo(key string, cached int64) *Object {
	return &Object{How: ByReduce, Callable: reduce("builtins", "getattr", Global{Module: "zoneinfo", Name: "ZoneInfo"}, "_unpickle"), Args: Tuple{key, cached}}
}

// TestStdlibForms: forms of older or other picklers that are read although none is written.
func TestStdlibForms(t *testing.T) {
	for _, c := range []struct {
		o    *Object
		want any
	}{
		{reduce("datetime", "datetime", ByteString("\x07\xe4\x01\x02\x03\x04\x05\x00\x00\x06")), NaiveDateTime{2020, 1, 2, 3, 4, 5, 6, 0}},
		{reduce("datetime", "datetime", "\x07\u00e4\x01\x02\x03\x04\x05\x00\x00\x06"), NaiveDateTime{2020, 1, 2, 3, 4, 5, 6, 0}}, // encoding="latin1"
		{reduce("datetime", "datetime", Bytes("\x07\xe4\x01\x02\x03\x04\x05\x00\x00\x06"), nil), NaiveDateTime{2020, 1, 2, 3, 4, 5, 6, 0}},
		{reduce("datetime", "timedelta", int64(0), int64(-1), int64(1_500_000)), TimeDelta{0, 0, 500_000}},
		{reduce("datetime", "timedelta", true), TimeDelta{1, 0, 0}},
		{reduce("ipaddress", "IPv4Address", "1.2.3.4"), netip.MustParseAddr("1.2.3.4")},
		{reduce("array", "_array_reconstructor", arrayClass, "h", int64(5), Bytes("\x01\x02")), &Array{'h', []int16{0x102}}},
		{reduce("array", "_array_reconstructor", arrayClass, "l", int64(8), Bytes("\xff\xff\xff\xff")), &Array{'l', []int32{-1}}}, // Windows
		{reduce("array", "_array_reconstructor", arrayClass, "u", int64(18), Bytes("a\x00\x3d\xd8\x00\xde\x00\xd8")), &Array{'u', "a\U0001f600\xed\xa0\x80"}},
		{reduce("array", "_array_reconstructor", arrayClass, "u", int64(21), Bytes("\x00\x00\x00a")), &Array{'u', "a"}},
		{reduce("array", "_array_reconstructor", arrayClass, "d", int64(17), Bytes("\x3f\xf8\x00\x00\x00\x00\x00\x00")), &Array{'d', []float64{1.5}}},
		{reduce("fractions", "Fraction", "5"), big.NewRat(5, 1)},
		{&Object{How: ByReduce, Callable: Global{Module: "copyreg", Name: "__newobj__"}, Args: Tuple{Global{Module: "uuid", Name: "UUID"}}, Ops: []Op{{OpBuild, []any{dictOf(t, ByteString("int"), Long(5))}}}}, UUID{15: 5}},
	} {
		got, known, err := fromObject(c.o)
		require.NoError(t, err, Repr(c.o))
		require.True(t, known)
		require.Equal(t, c.want, got)
	}
	unpickle := &Object{How: ByReduce, Callable: Global{Module: "zoneinfo", Name: "ZoneInfo._unpickle"}, Args: Tuple{"UTC", true}}
	got, known, err := fromObject(unpickle)
	require.NoError(t, err)
	require.True(t, known)
	require.Equal(t, time.UTC, got)

	// Forms that the Go type could not hold whole stay objects.
	od := reduce("collections", "OrderedDict")
	od.Ops = []Op{{OpBuild, []any{dictOf(t, "attr", int64(1))}}}
	for _, o := range []*Object{od, reduce("app", "Sub"), reduce("array", "_array_reconstructor", Global{Module: "app", Name: "Array"}, "i", int64(8), Bytes("")), reduce("array", "array", "c", NewList())} {
		v, known, err := fromObject(o)
		require.NoError(t, err)
		require.False(t, known)
		require.Nil(t, v)
	}
}

func TestToObjectRefuses(t *testing.T) {
	for _, v := range []any{
		time.Date(2020, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2020, 1, 1, 0, 0, 0, 0, time.FixedZone("x", 100000)), time.Nanosecond, time.Local,
		Date{}, Date{2021, 2, 29}, TimeOfDay{Hour: 24}, TimeOfDay{Fold: 2}, TimeOfDay{Zone: time.Local}, NaiveDateTime{}, TimeDelta{Seconds: 86400}, TimeDelta{Days: 1e9}, TimeDelta{Microseconds: -1},
		netip.Addr{}, netip.Prefix{}, netip.MustParsePrefix("10.0.0.1/8"), IPInterface{}, IPInterface{netip.MustParseAddr("1.2.3.4"), 33},
		&Array{}, &Array{'i', []int64{}}, &Array{'x', []int8{}}, &Array{0, []string{}},
	} {
		_, known, err := toObject(v, 4)
		require.True(t, known, "%T", v)
		require.Error(t, err, "%T %v", v, v)
	}
	_, known, err := toObject(struct{}{}, 4)
	require.False(t, known)
	require.NoError(t, err)
	for _, v := range []any{(*big.Rat)(nil), (*OrderedDict)(nil), (*DefaultDict)(nil), (*Counter)(nil), (*Deque)(nil), (*SimpleNamespace)(nil), (*Array)(nil), (*Exception)(nil)} {
		o, known, err := toObject(v, 4)
		require.NoError(t, err)
		require.True(t, known)
		require.Nil(t, o)
	}
}

func TestDecimal(t *testing.T) {
	for s, want := range map[string]string{
		"1.50": "1.50", "+1": "1", "-0": "-0", "00.10": "0.10", "1e5": "1E+5", "1E-6": "0.000001", "1E-7": "1E-7", "123E+2": "1.23E+4", "0E-10": "0E-10", "inf": "Infinity", "-INFINITY": "-Infinity", "nan": "NaN", "snan007": "sNaN7", ".5": "0.5", "5.": "5",
	} {
		d, err := ParseDecimal(s)
		require.NoError(t, err, s)
		require.Equal(t, want, d.String(), s)
	}
	for _, s := range []string{"", ".", "-", "1e", "e5", "1_0", " 1", "1.2.3", "infinit", "nanx", "0x1"} {
		_, err := ParseDecimal(s)
		require.Error(t, err, s)
	}
	require.Equal(t, "0", Decimal{}.String())
	require.Equal(t, "-12", DecimalOf(big.NewInt(-12)).String())
	r, ok := Decimal{Negative: true, Coefficient: big.NewInt(125), Exponent: -2}.Rat()
	require.True(t, ok)
	require.Equal(t, "-5/4", r.String())
	r, ok = Decimal{Coefficient: big.NewInt(5), Exponent: 3}.Rat()
	require.True(t, ok)
	require.Equal(t, "5000", r.RatString())
	for _, d := range []Decimal{{Form: NaN}, {Form: Infinity}, {Exponent: 1 << 40}, {Exponent: -1 << 40}} {
		_, ok := d.Rat()
		require.False(t, ok)
	}
}

func TestTimeDelta(t *testing.T) {
	for _, d := range []time.Duration{0, time.Microsecond, -time.Microsecond, 36 * time.Hour, -36 * time.Hour, math.MaxInt64 / 1000 * 1000, math.MinInt64 / 1000 * 1000} {
		td, err := TimeDeltaOf(d)
		require.NoError(t, err)
		require.True(t, td.valid(), "%v", td)
		back, ok := td.Duration()
		require.True(t, ok)
		require.Equal(t, d, back)
	}
	_, err := TimeDeltaOf(1)
	require.ErrorIs(t, err, ErrNanoseconds)
	for _, td := range []TimeDelta{{Days: 106752}, {Days: -106753}, {Days: 999999999}, {Days: 106751, Seconds: 86399}} {
		_, ok := td.Duration()
		require.False(t, ok, "%v", td)
	}
	require.Equal(t, "-1 day, 0:00:02.000003", TimeDelta{-1, 2, 3}.String())
	require.Equal(t, "2 days, 10:00:00", TimeDelta{2, 36000, 0}.String())
	require.Equal(t, "0:00:00", TimeDelta{}.String())
}

func TestNaiveDateTimeIn(t *testing.T) {
	berlin := mustZone(t, "Europe/Berlin")
	at := func(n NaiveDateTime) string { return n.In(berlin).UTC().Format("2006-01-02T15:04") }
	twice := NaiveDateTime{Year: 2020, Month: 10, Day: 25, Hour: 2, Minute: 30}
	require.Equal(t, "2020-10-25T00:30", at(twice))
	require.Zero(t, NaiveDateTimeOf(twice.In(berlin)).Fold)
	twice.Fold = 1
	require.Equal(t, "2020-10-25T01:30", at(twice))
	require.Equal(t, twice, NaiveDateTimeOf(twice.In(berlin)))
	never := NaiveDateTime{Year: 2020, Month: 3, Day: 29, Hour: 2, Minute: 30}
	require.Equal(t, "2020-03-29T01:30", at(never)) // at the offset before the gap, as Python
	never.Fold = 1
	require.Equal(t, "2020-03-29T00:30", at(never))
	require.Equal(t, "2020-07-01T10:00", at(NaiveDateTime{Year: 2020, Month: 7, Day: 1, Hour: 12}))
	require.Equal(t, "2020-07-01", DateOf(Date{2020, 7, 1}.In(berlin)).String())
	require.Equal(t, "2020-07-01 12:00:00.000005", NaiveDateTime{Year: 2020, Month: 7, Day: 1, Hour: 12, Microsecond: 5}.String())
	require.Equal(t, "12:00:00", NaiveDateTime{Year: 2020, Month: 7, Day: 1, Hour: 12}.TimeOfDay().String())
}

func TestRangeLen(t *testing.T) {
	for _, c := range []struct {
		r    Range
		want uint64
	}{
		{Range{0, 3, 1}, 3}, {Range{0, 3, 2}, 2}, {Range{3, 0, -1}, 3}, {Range{3, 0, 1}, 0}, {Range{0, 3, 0}, 0},
		{Range{math.MinInt64, math.MaxInt64, 1}, math.MaxUint64}, {Range{math.MaxInt64, math.MinInt64, math.MinInt64}, 2},
	} {
		require.Equal(t, c.want, c.r.Len(), "%v", c.r)
	}
}

// TestTimeZonesAreShared: within one pickle Python holds one object for each zone.
func TestTimeZonesAreShared(t *testing.T) {
	berlin := mustZone(t, "Europe/Berlin")
	m := maker{protocol: 4}
	tz := func(v time.Time) any {
		o, known, err := m.object(v)
		require.NoError(t, err)
		require.True(t, known)
		return o.(*Object).Args.(Tuple)[1]
	}
	now := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	require.Same(t, tz(now), tz(now.Add(time.Hour)))
	require.Same(t, tz(now.In(berlin)), tz(now.Add(time.Hour).In(berlin)))
	require.Same(t, tz(now.In(time.FixedZone("", 60))), tz(now.In(time.FixedZone("", 60))))
	require.NotSame(t, tz(now.In(time.FixedZone("", 60))), tz(now.In(time.FixedZone("a", 60))))
	require.Equal(t, "datetime.timezone(datetime.timedelta(seconds=60), 'a')", Repr(tz(now.In(time.FixedZone("a", 60)))))
}

// sharedArguments returns n calls of one class that share their arguments, as a pickle says in a few
// bytes each.
func sharedArguments(n int, make func() *Object) *List {
	first := make()
	l := NewList()
	for range n {
		o := *first
		l.Append(&o)
	}
	return l
}

// TestSharedArgumentsAreMetered: instances that share long arguments cost what they are allowed to
// together, not each for itself.
func TestSharedArgumentsAreMetered(t *testing.T) {
	var limit *LimitError
	long := strings.Repeat("0", 1<<20)

	arrays := sharedArguments(10_000, func() *Object {
		return reduce("array", "_array_reconstructor", arrayClass, "B", int64(0), Bytes(long))
	})
	_, err := Plain(arrays)
	require.ErrorAs(t, err, &limit)
	require.Equal(t, "memory", limit.Limit)

	b, err := Marshal(arrays)
	require.NoError(t, err)
	require.Less(t, len(b), 2<<20)
	var into []*Array
	require.ErrorAs(t, Unmarshal(b, &into), &limit)
	require.Equal(t, "memory", limit.Limit)

	// Two keys that are equal, but not the same: 2**22 comparisons each time.
	chain := func() any {
		key := Tuple{int64(1)}
		for range 22 {
			key = Tuple{key, key}
		}
		return key
	}
	pairs := []any{chain(), nil, chain(), nil}
	ordered := sharedArguments(10_000, func() *Object {
		o := reduce("collections", "OrderedDict")
		o.Ops = []Op{{OpSetItems, pairs}}
		return o
	})
	decimals := sharedArguments(20_000, func() *Object { return reduce("decimal", "Decimal", long) })
	paths := sharedArguments(20_000, func() *Object { return reduce("pathlib", "PosixPath", strings.Repeat("/.", 1<<19)) })
	fractions := sharedArguments(20_000, func() *Object {
		n := new(big.Int).Lsh(big.NewInt(3), maxRatBits-2)
		return reduce("fractions", "Fraction", n, new(big.Int).Add(n, big.NewInt(1)))
	})
	for _, l := range quick.Some([]*List{ordered, arrays, decimals, paths, fractions}, 2) {
		quick.Within(t, 2*time.Second, func() { Repr(l) })
		quick.Within(t, 2*time.Second, func() {
			Equal(l, sharedArguments(l.Len(), func() *Object { o := *l.At(0).(*Object); return &o }))
		})
		quick.Within(t, 2*time.Second, func() { _, _ = Plain(l) })
	}
	b, err = Marshal(ordered, WithLimits(Limits{Work: -1}))
	require.NoError(t, err)
	quick.Within(t, 2*time.Second, func() {
		var maps []map[any]any
		require.Error(t, Unmarshal(b, &maps))
	})
}
