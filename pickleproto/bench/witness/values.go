// Package witness holds this codec against og-rek, a codec that shares nothing with it: what og-rek
// reads of what is written here reads the same, and what og-rek writes is read here. Where og-rek
// is wrong or refuses, the tests say so by name.
package witness

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"sort"
	"strconv"
	"strings"

	ogorek "github.com/kisielk/og-rek"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// most is how long a text may become: values that share much, or contain themselves, have none.
const most = 1 << 20

// text writes a value of either codec with its types, dicts and sets in an order of their own. Two
// values with the same text are the same value; sharing is not told.
func text(v any) string {
	t := new(teller)
	t.tell(v, 0)
	return t.b.String()
}

type teller struct{ b strings.Builder }

func (t *teller) tell(v any, depth int) {
	if depth > 200 || t.b.Len() > most {
		t.b.WriteString("…")
		return
	}
	f := func(format string, args ...any) { fmt.Fprintf(&t.b, format, args...) }
	switch v := v.(type) {
	case nil, ogorek.None:
		f("None")
	case bool:
		f("%t", v)
	case int64:
		f("%d", v)
	case pickleproto.Int:
		f("%d", v)
	case pickleproto.Long:
		f("%d", v)
	case *big.Int:
		f("%d", v)
	case float64:
		if math.IsNaN(v) {
			f("float nan")
		} else {
			f("float %s", strconv.FormatFloat(v, 'x', -1, 64))
		}
	case string:
		f("str %q", v)
	case pickleproto.ByteString:
		f("bytestring %q", string(v))
	case ogorek.ByteString:
		f("bytestring %q", string(v))
	case pickleproto.Bytes:
		f("bytes %q", string(v))
	case ogorek.Bytes:
		f("bytes %q", string(v))
	case *pickleproto.ByteArray:
		f("bytearray of bytes %q", v.Data)
	case []byte:
		f("bytearray of bytes %q", v)
	case pickleproto.Tuple:
		t.sequence("tuple", v, depth)
	case ogorek.Tuple:
		t.sequence("tuple", v, depth)
	case *pickleproto.List:
		t.sequence("list", v.Items(), depth)
	case []any:
		t.sequence("list", v, depth)
	case *pickleproto.Dict:
		t.mapping(func(yield func(k, v any) bool) { v.All()(yield) }, depth)
	case ogorek.Dict:
		t.mapping(func(yield func(k, v any) bool) { v.Iter()(yield) }, depth)
	case *pickleproto.Set:
		t.unordered("set", func(yield func(v any) bool) { v.All()(yield) }, depth)
	case *pickleproto.FrozenSet:
		t.unordered("frozenset", func(yield func(v any) bool) { v.All()(yield) }, depth)
	case pickleproto.Global:
		f("global %q %q", v.Module, v.Name)
	case ogorek.Class:
		f("global %q %q", v.Module, v.Name)
	case ogorek.Call:
		t.call(v.Callable, v.Args, depth)
	case *pickleproto.Object:
		if v.How == pickleproto.ByReduce && len(v.Ops) == 0 {
			t.call(v.Callable, v.Args, depth)
		} else {
			f("object %d", v.How)
			t.sequence("of", []any{v.Callable, v.Args, v.Kwargs}, depth)
			for _, op := range v.Ops {
				t.sequence(fmt.Sprint("op ", op.Kind), op.Items, depth)
			}
		}
	case *pickleproto.Complex:
		f("complex %x %x", v.Real, v.Imag)
	case *pickleproto.PersistentID:
		t.sequence("persistent", []any{v.ID}, depth)
	case ogorek.Ref:
		t.sequence("persistent", []any{v.Pid}, depth)
	case pickleproto.Extension:
		f("extension %d", v)
	default:
		f("%T %v", v, v)
	}
}

// call tells of a REDUCE. Up to protocol 2 builtins without an opcode are written as one: each codec
// makes values of some of these, and leaves the others as calls.
func (t *teller) call(callable, args any, depth int) {
	name, a := "", items(args)
	switch c := callable.(type) {
	case pickleproto.Global:
		name = c.Module + "." + c.Name
	case ogorek.Class:
		name = c.Module + "." + c.Name
	}
	name = strings.Replace(name, "__builtin__.", "builtins.", 1)
	switch {
	case (name == "builtins.set" || name == "builtins.frozenset") && len(a) == 1:
		t.unordered(strings.TrimPrefix(name, "builtins."), slices.Values(items(a[0])), depth)
	case name == "builtins.complex" && len(a) == 2:
		f := pickleproto.Complex{}
		f.Real, _ = a[0].(float64)
		f.Imag, _ = a[1].(float64)
		t.tell(&f, depth)
	case name == "builtins.bytes" && len(a) == 0:
		t.tell(pickleproto.Bytes(""), depth)
	case name == "builtins.bytearray" && len(a) == 0:
		t.tell([]byte{}, depth)
	case name == "builtins.bytearray" && len(a) == 1:
		t.b.WriteString("bytearray of ")
		t.tell(a[0], depth)
	case name == "_codecs.encode" && len(a) == 2:
		t.tell(pickleproto.Bytes(latin1(a[0])), depth)
	case name == "builtins.bytearray" && len(a) == 2:
		t.tell(latin1(a[0]), depth)
	default:
		t.sequence("call", []any{callable, args}, depth)
	}
}

// latin1 encodes a str, which a stream may also have as a byte string.
func latin1(v any) []byte {
	s, ok := v.(string)
	if !ok {
		return fmt.Append(nil, v)
	}
	var b []byte
	for _, c := range s {
		b = append(b, byte(c))
	}
	return b
}

// items are the items of a list or tuple of either codec.
func items(v any) []any {
	switch v := v.(type) {
	case pickleproto.Tuple:
		return v
	case ogorek.Tuple:
		return v
	case *pickleproto.List:
		return v.Items()
	case []any:
		return v
	}
	return nil
}

func (t *teller) sequence(kind string, items []any, depth int) {
	t.b.WriteString(kind + "(")
	for _, x := range items {
		t.tell(x, depth+1)
		t.b.WriteString(", ")
	}
	t.b.WriteString(")")
}

func (t *teller) unordered(kind string, all func(func(any) bool), depth int) {
	var items []string
	for x := range all {
		u := new(teller)
		u.tell(x, depth+1)
		items = append(items, u.b.String())
	}
	sort.Strings(items)
	t.b.WriteString(kind + "{" + strings.Join(items, ", ") + "}")
}

func (t *teller) mapping(all func(func(k, v any) bool), depth int) {
	var items []string
	for k, v := range all {
		u := new(teller)
		u.tell(k, depth+1)
		u.b.WriteString(": ")
		u.tell(v, depth+1)
		items = append(items, u.b.String())
	}
	sort.Strings(items)
	t.b.WriteString("dict{" + strings.Join(items, ", ") + "}")
}
