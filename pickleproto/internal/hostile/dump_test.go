package hostile_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"sort"
	"strings"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// dumper writes values as testdata/oracle.py does: one letter for the type, contents in hex; a
// container that was written before is @ and its number. Members of sets are sorted, and what is
// within them has no numbers.
type dumper struct {
	out   strings.Builder
	seen  map[any]int
	nodes int
	plain bool // there is nothing whose Python repr would differ by design
}

const mostNodes = 20000

func dump(v any) (text string, plain bool) {
	d := dumper{seen: map[any]int{}, plain: true}
	d.dump(v, true)
	return d.out.String(), d.plain && d.nodes < mostNodes
}

type tupleID struct {
	first *any
	n     int
}

func (d *dumper) again(id any, numbered bool) bool {
	if !numbered {
		return false
	}
	if n, ok := d.seen[id]; ok {
		fmt.Fprintf(&d.out, "@%d", n)
		return true
	}
	d.seen[id] = len(d.seen)
	return false
}

func (d *dumper) items(open string, items []any, close string, numbered bool) {
	d.out.WriteString(open)
	for _, v := range items {
		d.dump(v, numbered)
	}
	d.out.WriteString(close)
}

func (d *dumper) members(open string, items []any) {
	var texts []string
	for _, v := range items {
		inner := dumper{nodes: d.nodes}
		inner.dump(v, false)
		d.nodes = inner.nodes
		texts = append(texts, inner.out.String())
	}
	sort.Strings(texts)
	d.out.WriteString(open + strings.Join(texts, "") + ">")
	d.plain = false
}

func collect(each func(func(any) bool)) (items []any) {
	each(func(v any) bool {
		items = append(items, v)
		return true
	})
	return items
}

func pairs(v *pickleproto.Dict) (items []any) {
	for k, x := range v.All() {
		items = append(items, k, x)
	}
	return items
}

func (d *dumper) dump(v any, numbered bool) {
	if d.nodes++; d.nodes > mostNodes {
		return
	}
	switch v := v.(type) {
	case nil:
		d.out.WriteString("N")
	case bool:
		d.out.WriteString(map[bool]string{true: "T", false: "F"}[v])
	case int64:
		fmt.Fprintf(&d.out, "i%x;", v)
	case pickleproto.Long:
		fmt.Fprintf(&d.out, "i%x;", int64(v))
	case pickleproto.Int:
		fmt.Fprintf(&d.out, "i%x;", int64(v))
	case *big.Int:
		fmt.Fprintf(&d.out, "i%x;", v)
	case float64:
		if v != v {
			d.out.WriteString("fnan;")
		} else {
			fmt.Fprintf(&d.out, "f%016x;", math.Float64bits(v))
		}
	case *pickleproto.Complex:
		d.out.WriteString("c")
		d.dump(v.Real, true)
		d.dump(v.Imag, true)
	case string:
		d.out.WriteString("u" + hex.EncodeToString([]byte(v)) + ";")
	case pickleproto.Bytes:
		d.out.WriteString("b" + hex.EncodeToString([]byte(v)) + ";")
	case *pickleproto.ByteArray:
		if !d.again(v, numbered) {
			d.out.WriteString("B" + hex.EncodeToString(v.Data) + ";")
		}
	case pickleproto.Tuple:
		if len(v) == 0 || !d.again(tupleID{&v[0], len(v)}, numbered) {
			d.items("(", v, ")", numbered)
		}
	case *pickleproto.List:
		if !d.again(v, numbered) {
			d.items("[", v.Items(), "]", numbered)
		}
	case *pickleproto.Dict:
		if !d.again(v, numbered) {
			d.items("{", pairs(v), "}", numbered)
		}
	case *pickleproto.Set:
		if !d.again(v, numbered) {
			d.members("s<", collect(v.All()))
		}
	case *pickleproto.FrozenSet:
		d.members("z<", collect(v.All()))
	case pickleproto.Global:
		d.plain = false
		d.out.WriteString("g" + hex.EncodeToString([]byte(v.Module)) + "." + hex.EncodeToString([]byte(v.Name)) + ";")
	case *pickleproto.PersistentID:
		d.plain = false
		if !numbered {
			d.out.WriteString("p?")
		} else if !d.again(v, true) {
			d.out.WriteString("p")
			d.dump(v.ID, true)
		}
	case *pickleproto.Object:
		d.plain = false
		if !numbered {
			d.out.WriteString("o?")
		} else if !d.again(v, true) {
			d.object(v)
		}
	default:
		d.plain = false
		fmt.Fprintf(&d.out, "?%T", v)
	}
}

func (d *dumper) object(v *pickleproto.Object) {
	d.out.WriteString("o")
	d.dump(v.Callable, true)
	args, _ := v.Args.(pickleproto.Tuple)
	d.items("(", args, ")", true)
	if kwargs, ok := v.Kwargs.(*pickleproto.Dict); ok && kwargs.Len() > 0 {
		d.items("{", pairs(kwargs), "}", true)
	}
	kinds := map[pickleproto.OpKind]string{pickleproto.OpAppends: "a", pickleproto.OpSetItems: "s", pickleproto.OpAddItems: "d", pickleproto.OpBuild: "b"}
	for _, op := range v.Ops {
		if kind, ok := kinds[op.Kind]; ok { // a state setter is a call, which the oracle does not make
			d.out.WriteString(kind)
			d.items("<", op.Items, ">", true)
		}
	}
}
