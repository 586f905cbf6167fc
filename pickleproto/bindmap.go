package pickleproto

import "reflect"

// Dicts, sets and attributes, from Python values into maps.

func (b *binder) bindMap(x any, v reflect.Value, p *typePlan) error {
	if x == nil {
		v.SetZero()
		return nil
	}
	known, key, shared := b.known(x, p.t)
	if shared {
		v.Set(known)
		return nil
	}
	var dict *Dict
	var record []attribute
	var items []any
	switch x := x.(type) {
	case *Dict:
		dict = x
	case *Set, *FrozenSet:
		if p.kind != bindSetMap {
			return b.assign(x, v, p)
		}
		items, _ = itemsOf(x)
	case *Object:
		in, ok := instanceOf(x)
		if !ok {
			return b.assign(x, v, p)
		}
		in.meter = b.costs()
		if dict, ok = in.mapping(x); ok {
			break
		}
		if record, ok = in.record(x.How); !ok || len(record) == 0 || record[0].name == "" {
			return b.assign(x, v, p)
		}
		dict = nil
	default:
		return b.assign(x, v, p)
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer func() { b.depth-- }()
	n := len(items) + len(record)
	if dict != nil {
		n += dict.Len()
	}
	const perEntry = 8 // of the table itself, about
	if err := b.take(int64(n) * (p.key.size + p.elem.size + perEntry)); err != nil {
		return err
	}
	made := reflect.MakeMapWithSize(p.t, n+v.Len())
	for it := v.MapRange(); it.Next(); {
		made.SetMapIndex(it.Key(), it.Value())
	}
	b.share(key, made)
	kv := reflect.New(p.t.Key()).Elem()
	ev := reflect.New(p.t.Elem()).Elem()
	for _, item := range items {
		kv.SetZero()
		if err := b.bindKey(item, kv, p.key); err != nil {
			return under(err, step{kind: stepKey, key: item})
		}
		made.SetMapIndex(kv, ev)
	}
	entry := func(k, e any, attr bool) error {
		kv.SetZero()
		if err := b.bindKey(k, kv, p.key); err != nil {
			return under(err, step{kind: stepKey, key: k, attr: attr})
		}
		ev.SetZero()
		if err := b.bind(e, ev, p.elem); err != nil {
			return under(err, step{kind: stepValue, key: k, attr: attr})
		}
		made.SetMapIndex(kv, ev)
		return nil
	}
	for _, a := range record {
		if err := entry(a.name, a.value, true); err != nil {
			return err
		}
	}
	if dict != nil {
		for k, e := range dict.All() {
			if err := entry(k, e, false); err != nil {
				return err
			}
		}
	}
	v.Set(made)
	return nil
}

// bindKey binds a dict's key; Go cannot hash all that Python can (a tuple in an `any`).
func (b *binder) bindKey(x any, v reflect.Value, p *typePlan) error {
	if err := b.bind(x, v, p); err != nil {
		return err
	}
	if !v.Comparable() {
		return mismatchf(x, p.t, "Go cannot hash it as a key; *Dict can")
	}
	return nil
}
