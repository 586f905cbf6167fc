package pickleproto

import (
	"encoding/hex"
	"math/big"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What CPython 3.13 writes of instances of class Int(int), class Point(NamedTuple), class MyError(Exception)
// and so on, at three protocols.
var subclassRows = []struct {
	name, pickle string
	protocol     int
}{
	{"int", "63636f70795f7265670a5f7265636f6e7374727563746f720a70300a28636170700a496e740a70310a635f5f6275696c74696e5f5f0a6c6f6e670a70320a49370a7470330a5270340a286470350a56756e69740a70360a566d0a70370a73622e", 0},
	{"int", "8002636170700a496e740a71004b078571018171027d71035804000000756e6974710458010000006d710573622e", 2},
	{"int", "80049524000000000000008c03617070948c03496e749493944b07859481947d948c04756e6974948c016d9473622e", 4},
	{"float", "63636f70795f7265670a5f7265636f6e7374727563746f720a70300a28636170700a466c6f61740a70310a635f5f6275696c74696e5f5f0a666c6f61740a70320a46322e350a7470330a5270340a2e", 0},
	{"float", "8002636170700a466c6f61740a71004740040000000000008571018171022e", 2},
	{"float", "8004951e000000000000008c03617070948c05466c6f6174949394474004000000000000859481942e", 4},
	{"float of int", "63636f70795f7265670a5f7265636f6e7374727563746f720a70300a28636170700a496e740a70310a635f5f6275696c74696e5f5f0a6c6f6e670a70320a49330a7470330a5270340a2e", 0},
	{"float of int", "8002636170700a496e740a71004b038571018171022e", 2},
	{"float of int", "80049515000000000000008c03617070948c03496e749493944b03859481942e", 4},
	{"str", "63636f70795f7265670a5f7265636f6e7374727563746f720a70300a28636170700a5374720a70310a635f5f6275696c74696e5f5f0a756e69636f64650a70320a56780a70330a7470340a5270350a2e", 0},
	{"str", "8002636170700a5374720a710058010000007871018571028171032e", 2},
	{"str", "80049517000000000000008c03617070948c035374729493948c017894859481942e", 4},
	{"bytes", "63636f70795f7265670a5f7265636f6e7374727563746f720a70300a28636170700a4279746573530a70310a635f5f6275696c74696e5f5f0a62797465730a70320a635f636f646563730a656e636f64650a70330a2856780a70340a566c6174696e310a70350a7470360a5270370a7470380a5270390a2e", 0},
	{"bytes", "8002636170700a4279746573530a7100635f636f646563730a656e636f64650a7101580100000078710258060000006c6174696e3171038671045271058571068171072e", 2},
	{"bytes", "8004951a000000000000008c03617070948c0642797465735394939443017894859481942e", 4},
	{"complex", "63636f70795f7265670a5f7265636f6e7374727563746f720a70300a28636170700a436f6d706c65780a70310a635f5f6275696c74696e5f5f0a636f6d706c65780a70320a67320a2846312e300a46322e300a7470330a5270340a7470350a5270360a2e", 0},
	{"complex", "8002636170700a436f6d706c65780a7100473ff00000000000004740000000000000008671018171022e", 2},
	{"complex", "80049529000000000000008c03617070948c07436f6d706c6578949394473ff0000000000000474000000000000000869481942e", 4},
	{"tuple", "63636f70795f7265670a5f7265636f6e7374727563746f720a70300a28636170700a5475700a70310a635f5f6275696c74696e5f5f0a7475706c650a70320a2849310a49320a7470330a7470340a5270350a2e", 0},
	{"tuple", "8002636170700a5475700a71004b014b028671018571028171032e", 2},
	{"tuple", "80049519000000000000008c03617070948c035475709493944b014b028694859481942e", 4},
	{"namedtuple", "63636f70795f7265670a5f7265636f6e7374727563746f720a70300a28636170700a506f696e740a70310a635f5f6275696c74696e5f5f0a7475706c650a70320a2849310a49320a7470330a7470340a5270350a2e", 0},
	{"namedtuple", "8002636170700a506f696e740a71004b014b028671018171022e", 2},
	{"namedtuple", "80049519000000000000008c03617070948c05506f696e749493944b014b02869481942e", 4},
	{"one", "63636f70795f7265670a5f7265636f6e7374727563746f720a70300a28636170700a4f6e650a70310a635f5f6275696c74696e5f5f0a7475706c650a70320a282849310a49320a7470330a7470340a7470350a5270360a2e", 0},
	{"one", "8002636170700a4f6e650a71004b014b028671018571028171032e", 2},
	{"one", "80049519000000000000008c03617070948c034f6e659493944b014b028694859481942e", 4},
	{"error", "636170700a4d794572726f720a70300a28566261640a70310a49330a7470320a5270330a286470340a56636f64650a70350a49350a73565f5f6e6f7465735f5f0a70360a286c70370a566e0a70380a6173622e", 0},
	{"error", "8002636170700a4d794572726f720a7100580300000062616471014b038671025271037d7104285804000000636f646571054b0558090000005f5f6e6f7465735f5f71065d710758010000006e71086175622e", 2},
	{"error", "80049540000000000000008c03617070948c074d794572726f729493948c03626164944b03869452947d94288c04636f6465944b058c095f5f6e6f7465735f5f945d948c016e946175622e", 4},
	{"big", "63636f70795f7265670a5f7265636f6e7374727563746f720a70300a28636170700a496e740a70310a635f5f6275696c74696e5f5f0a6c6f6e670a70320a4c313138303539313632303731373431313330333432344c0a7470330a5270340a2e", 0},
	{"big", "8002636170700a496e740a71008a090000000000000000408571018171022e", 2},
	{"big", "8004951e000000000000008c03617070948c03496e749493948a09000000000000000040859481942e", 4},
	{"ordered", "63636f6c6c656374696f6e730a4f726465726564446963740a70300a28745270310a567a0a70320a49310a7356610a70330a49320a732e", 0},
	{"ordered", "800263636f6c6c656374696f6e730a4f726465726564446963740a7100295271012858010000007a71024b0158010000006171034b02752e", 2},
	{"ordered", "80049530000000000000008c0b636f6c6c656374696f6e73948c0b4f72646572656444696374949394295294288c017a944b018c0161944b02752e", 4},
}

// An instance of a subclass of a builtin goes where the builtin goes, a namedtuple where a tuple goes,
// and an exception of the program's own into Go's error.
func TestUnmarshalSubclasses(t *testing.T) {
	want := map[string][]any{
		"int":          {7, int8(7), uint(7), 7.0, *big.NewInt(7)},
		"float":        {2.5, float32(2.5), complex(2.5, 0)},
		"float of int": {3.0},
		"str":          {"x"},
		"bytes":        {[]byte("x"), [1]byte{'x'}},
		"complex":      {complex(1, 2)},
		"tuple":        {[]int{1, 2}, [2]int8{1, 2}, []any{int64(1), int64(2)}},
		"namedtuple":   {[]int{1, 2}, [2]int8{1, 2}, []any{int64(1), int64(2)}, struct{ A, B int }{1, 2}},
		"one":          {struct{ X []int }{[]int{1, 2}}},
		"big":          {*new(big.Int).Lsh(big.NewInt(1), 70)},
		"ordered":      {map[string]int{"z": 1, "a": 2}, mustDict(t, "z", int64(1), "a", int64(2))},
	}
	for _, row := range subclassRows {
		data, err := hex.DecodeString(row.pickle)
		require.NoError(t, err)
		if row.name == "error" {
			var as error
			var exception struct{ E *Exception }
			require.NoError(t, Unmarshal(data, &as))
			require.NoError(t, Unmarshal(data, &exception.E))
			for _, e := range []*Exception{as.(*Exception), exception.E} {
				assert.Equal(t, "app.MyError: ('bad', 3)", e.Error())
				assert.Equal(t, []string{"n"}, e.Notes())
				code, _ := e.State.Get("code")
				assert.Equal(t, int64(5), code)
			}
			assert.Error(t, Unmarshal(data, new(string)))
			continue
		}
		for _, w := range want[row.name] {
			v := reflect.New(reflect.TypeOf(w))
			require.NoError(t, Unmarshal(data, v.Interface()), "%s at protocol %d into %T", row.name, row.protocol, w)
			if row.name == "ordered" {
				assert.Equal(t, Repr(v.Elem().Interface()), Repr(w))
				continue
			}
			assert.Equal(t, w, v.Elem().Interface(), "%s at protocol %d", row.name, row.protocol)
		}
		for _, into := range []any{new(bool), new(map[string]bool), new(chan int), new(error)} {
			assert.Error(t, Unmarshal(data, into), "%s at protocol %d into %T", row.name, row.protocol, into)
		}
	}
}

// An error says which Go type a value of the standard library's is.
func TestUnmarshalHints(t *testing.T) {
	for want, c := range map[string]struct{ python, into any }{
		"Python datetime.datetime into Go time.Time: it is Go's pickleproto.NaiveDateTime": {NaiveDateTime{Year: 2024, Month: 1, Day: 1}, new(time.Time)},
		"Python datetime.datetime into Go pickleproto.NaiveDateTime: it is Go's time.Time": {time.Unix(0, 0).UTC(), new(NaiveDateTime)},
		"Python datetime.date into Go time.Time: it is Go's pickleproto.Date":              {Date{Year: 2024, Month: 1, Day: 1}, new(time.Time)},
		"200000 days, 0:00:00 is beyond time.Duration":                                     {TimeDelta{Days: 200_000}, new(time.Duration)},
	} {
		data, err := Marshal(c.python)
		require.NoError(t, err)
		require.ErrorContains(t, Unmarshal(data, c.into), want)
	}
}

// What CPython 3.11.2 writes of members of Color(Enum), Level(str, Enum) and Flag: their names.
func TestUnmarshalEnumByName(t *testing.T) {
	type color int8
	type level string
	type flags uint
	opts := []Option{
		WithEnum("app.C", map[string]color{"RED": 1, "GREEN": 2}),
		WithEnum("app.L", map[string]level{"LOW": "low"}),
		WithEnum("app.F", map[string]flags{"A": 1, "B": 2, "C": 4}),
	}
	want := map[string]any{"color": color(2), "level": level("low"), "flag": flags(2), "flags": flags(7)}
	for _, row := range [][2]string{
		{"color", "635f5f6275696c74696e5f5f0a676574617474720a70300a28636170700a430a70310a56475245454e0a70320a7470330a5270340a2e"},
		{"color", "8002635f5f6275696c74696e5f5f0a676574617474720a7100636170700a430a71015805000000475245454e71028671035271042e"},
		{"color", "80049530000000000000008c086275696c74696e73948c07676574617474729493948c03617070948c01439493948c05475245454e94869452942e"},
		{"level", "635f5f6275696c74696e5f5f0a676574617474720a70300a28636170700a4c0a70310a564c4f570a70320a7470330a5270340a2e"},
		{"level", "8002635f5f6275696c74696e5f5f0a676574617474720a7100636170700a4c0a710158030000004c4f5771028671035271042e"},
		{"level", "8004952e000000000000008c086275696c74696e73948c07676574617474729493948c03617070948c014c9493948c034c4f5794869452942e"},
		{"flag", "635f5f6275696c74696e5f5f0a676574617474720a70300a28636170700a460a70310a56420a70320a7470330a5270340a2e"},
		{"flag", "8002635f5f6275696c74696e5f5f0a676574617474720a7100636170700a460a710158010000004271028671035271042e"},
		{"flag", "8004952c000000000000008c086275696c74696e73948c07676574617474729493948c03617070948c01469493948c014294869452942e"},
		{"flags", "635f6f70657261746f720a6f725f0a70300a2867300a28635f5f6275696c74696e5f5f0a676574617474720a70310a28636170700a460a70320a56430a70330a7470340a5270350a67310a2867320a56420a70360a7470370a5270380a7470390a527031300a67310a2867320a56410a7031310a747031320a527031330a747031340a527031350a2e"},
		{"flags", "8002635f6f70657261746f720a6f725f0a71006800635f5f6275696c74696e5f5f0a676574617474720a7101636170700a460a7102580100000043710386710452710568016802580100000042710686710752710886710952710a68016802580100000041710b86710c52710d86710e52710f2e"},
		{"flags", "80049562000000000000008c095f6f70657261746f72948c036f725f94939468028c086275696c74696e73948c07676574617474729493948c03617070948c01469493948c01439486945294680568088c0142948694529486945294680568088c01419486945294869452942e"},
	} {
		data, err := hex.DecodeString(row[1])
		require.NoError(t, err)
		v := reflect.New(reflect.TypeOf(want[row[0]]))
		require.NoError(t, Unmarshal(data, v.Interface(), opts...), "%s %q", row[0], data)
		assert.Equal(t, want[row[0]], v.Elem().Interface(), row[0])
		// By value it is as ever.
		again, err := Marshal(v.Elem().Interface(), opts...)
		require.NoError(t, err)
		w := reflect.New(v.Type().Elem())
		require.NoError(t, Unmarshal(again, w.Interface(), opts...))
		assert.Equal(t, v.Elem().Interface(), w.Elem().Interface())

		require.Error(t, Unmarshal(data, v.Interface(), WithEnum("app.C", color(0)), WithEnum("app.L", level("")), WithEnum("app.F", flags(0))))
		require.Error(t, Unmarshal(data, v.Interface(), WithEnum("app.X", map[string]color{"GREEN": 2}), WithEnum("app.C", map[string]level{"GREEN": ""})))
		require.Error(t, Unmarshal(data, v.Interface(), WithEnum("app.C", map[string]color{"RED": 1}), WithEnum("app.F", map[string]flags{"A": 1}), WithEnum("app.L", map[string]level{})))
	}
	_, err := Marshal(color(1), WithEnum("app.C", map[string]struct{ A int }{"A": {}}))
	require.Error(t, err)
}
