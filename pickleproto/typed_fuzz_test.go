package pickleproto

import (
	"encoding/hex"

	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// fuzzTargets are the Go types that FuzzUnmarshalTyped unmarshals into.
var fuzzTargets = []reflect.Type{
	reflect.TypeFor[[]int64](), reflect.TypeFor[[]uint8](), reflect.TypeFor[[]int8](), reflect.TypeFor[[]float32](),
	reflect.TypeFor[[]float64](), reflect.TypeFor[[]string](), reflect.TypeFor[map[string]int64](),
	reflect.TypeFor[map[string]string](), reflect.TypeFor[map[int]any](), reflect.TypeFor[map[string][]int](),
	reflect.TypeFor[user](), reflect.TypeFor[[]user](), reflect.TypeFor[[]*user](), reflect.TypeFor[map[string]*user](),
	reflect.TypeFor[[][]int](), reflect.TypeFor[[2]float64](), reflect.TypeFor[[][2]any](), reflect.TypeFor[link](),
	reflect.TypeFor[[]pairTuple](), reflect.TypeFor[pairInts](), reflect.TypeFor[personTuple](), reflect.TypeFor[selfSlice](), reflect.TypeFor[map[int64]struct{}](), reflect.TypeFor[[]map[string]struct{}](),
	reflect.TypeFor[[]partRow](), reflect.TypeFor[partPoint](), reflect.TypeFor[[]*partPoint](), reflect.TypeFor[map[string]time.Time](),
	reflect.TypeFor[[]payloadTuple](), reflect.TypeFor[[][]float64](), reflect.TypeFor[[][]string](),
	reflect.TypeFor[struct {
		A map[string]int
		B struct {
			C []string
			D map[string]float64
		}
		F [3][]person
		G *string
	}](),
}

// The fast path, where it does not give up, gives just what the machine and the binder give; and
// nothing panics.
func FuzzUnmarshalTyped(f *testing.F) {
	text, err := os.ReadFile("testdata/binding.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		data, err := hex.DecodeString(fields[2])
		if err != nil {
			f.Fatal(err)
		}
		if len(data) < 700 && (fields[1] == "2" || fields[1] == "4") {
			f.Add(data)
		}
	}
	for _, v := range []any{
		NewList(Tuple{int64(1), 2.5, "three", nil}, Tuple{int64(4), 5.5, "six", "seven"}),
		NewList(payloadFrozenSet(7), payloadFrozenSet(300)),
	} {
		data, err := Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for i, p := range append(partPickles(f, 2), partPickles(f, 4)...) {
		if i%4 == 0 && len(p.data) < 300 {
			f.Add(p.data)
		}
	}
	f.Add([]byte("\x80\x04](\x8f(K\x01K\x02\x90(K\x01G\x3f\xf0\x00\x00\x00\x00\x00\x00\x91\x8f(\x8c\x01a\x8c\x01a\x90e."))
	f.Fuzz(func(t *testing.T, data []byte) {
		var opts []Option
		if len(data)%2 == 0 {
			opts = []Option{WithDisallowUnknownFields(), WithRequireFields()}
		}
		var x any
		used, decoded := 0, false
		c := newConfig(opts)
		for _, typ := range fuzzTargets {
			fast := reflect.New(typ).Elem()
			n, ok := unmarshalFast(data, fast.Addr().Interface(), &c, false)
			if !ok {
				if !fast.IsZero() {
					t.Errorf("%v: the target is not what it was", typ)
				}
				continue
			}
			if !decoded {
				var err error
				if x, used, err = decode(data, &c); err != nil {
					t.Fatalf("%v: fast %v, machine: %v", typ, fast, err)
				}
				decoded = true
			}
			slow := reflect.New(typ).Elem()
			if err := bindInto(slow, x, planOf(typ), data, &c); err != nil {
				t.Fatalf("%v: fast %v, binder: %v", typ, fast, err)
			}
			if n != used {
				t.Fatalf("%v: fast ends at %d, machine at %d", typ, n, used)
			}
			if d := sameShape(fast.Addr().Interface(), slow.Addr().Interface()); d != "" {
				t.Fatalf("%v: fast %v, binder %v: %s", typ, fast, slow, d)
			}
		}
		var v user
		_ = Unmarshal(data, &v)
		var m map[string]any
		_ = Unmarshal(data, &m)
	})
}
