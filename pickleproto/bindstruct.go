package pickleproto

import (
	"fmt"
	"reflect"
	"strconv"
)

// Dicts, tuples and attributes, from Python values into structs.

func (b *binder) bindStruct(x any, v reflect.Value, p *typePlan) error {
	if p.fields.err != nil {
		return p.fields.err
	}
	var dict *Dict
	var items []any
	var record []attribute
	switch x := x.(type) {
	case *Dict:
		dict = x
	case Tuple:
		if f := b.c.classOf(p.t, p.fields).form; f != formTuple && f != formNamedTuple {
			return b.assign(x, v, p)
		}
		if len(x) != len(p.fieldPlans) {
			return mismatchf(x, p.t, "%d items for %d fields", len(x), len(p.fieldPlans))
		}
		items = x
	case *Object:
		in, ok := instanceOf(x)
		if !ok {
			return b.assign(x, v, p)
		}
		in.meter = b.costs()
		if dict, ok = in.mapping(x); ok {
			break
		}
		dict = nil
		if record, ok = in.record(x.How); !ok {
			return b.assign(x, v, p)
		}
		if len(record) > 0 && record[0].name == "" && len(record) != len(p.fieldPlans) {
			return mismatchf(x, p.t, "%d items for %d fields", len(record), len(p.fieldPlans))
		}
	default:
		return b.assign(x, v, p)
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer func() { b.depth-- }()
	w := structBinder{b: b, v: v, p: p, seen: make([]bool, len(p.fieldPlans))}
	for i, item := range items {
		if err := w.field(i, item); err != nil {
			return under(err, step{kind: stepIndex, index: i})
		}
	}
	for i, a := range record {
		if a.name == "" {
			if err := w.field(i, a.value); err != nil {
				return under(err, step{kind: stepArg, index: i})
			}
		} else if err := w.entry(a.name, a.value, true); err != nil {
			return err
		}
	}
	if dict != nil {
		for k, item := range dict.All() {
			if err := w.entry(k, item, false); err != nil {
				return err
			}
		}
	}
	if b.c.binding.requireFields {
		for i, f := range p.fields.fields {
			if !w.seen[i] && !f.omitEmpty && !f.omitZero {
				return &bindError{err: TypeError{Python: pythonType(x), Go: p.t, Offset: -1,
					Msg: fmt.Sprintf("Python %s into Go %v: no key %q", pythonType(x), p.t, f.name)}}
			}
		}
	}
	return nil
}

// structBinder fills one struct.
type structBinder struct {
	b    *binder
	v    reflect.Value
	p    *typePlan
	seen []bool
}

func (w *structBinder) entry(k, x any, attr bool) error {
	i, ok := -1, false
	if name, isText := textOf(k); isText {
		i, ok = w.p.fields.lookup(name)
	}
	if !ok {
		if w.b.c.binding.disallowUnknown {
			return &bindError{err: TypeError{Python: pythonType(k), Go: w.p.t, Offset: -1,
				Msg: fmt.Sprintf("no field for key %s in Go %v", keyLiteral(k), w.p.t)},
				steps: []step{{kind: stepKey, key: k, attr: attr}}}
		}
		return nil
	}
	if err := w.field(i, x); err != nil {
		return under(err, step{kind: stepValue, key: k, attr: attr})
	}
	return nil
}

func (w *structBinder) field(i int, x any) error {
	fv, err := w.p.fields.fields[i].reach(w.v)
	if err != nil {
		return err
	}
	if w.seen[i] { // two keys that differ in case: the later one replaces, and does not add to, the first
		fv.SetZero()
	}
	w.seen[i] = true
	return w.b.bind(x, fv, w.p.fieldPlans[i])
}

// keyLiteral writes a key for an error: as Python would where that is short and simple.
func keyLiteral(k any) string {
	switch k := k.(type) {
	case string:
		return strconv.Quote(clip(k))
	case ByteString:
		return strconv.Quote(clip(string(k)))
	case Bytes:
		return "b" + strconv.Quote(clip(string(k)))
	case nil:
		return "None"
	case bool:
		if k {
			return "True"
		}
		return "False"
	case int64, Int, Long, float64:
		return fmt.Sprint(k)
	}
	return "<" + pythonType(k) + ">"
}
