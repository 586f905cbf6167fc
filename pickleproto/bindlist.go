package pickleproto

import (
	"math"
	"reflect"
)

// Whatever has items, from Python values into slices and arrays.

// itemsOf returns the items of what Python iterates over item by item.
func itemsOf(x any) (items []any, ok bool) {
	switch x := x.(type) {
	case *List:
		return x.Items(), true
	case Tuple:
		return x, true
	case *Set:
		items = make([]any, 0, x.Len())
		for item := range x.All() {
			items = append(items, item)
		}
		return items, true
	case *FrozenSet:
		items = make([]any, 0, x.Len())
		for item := range x.All() {
			items = append(items, item)
		}
		return items, true
	case *Object:
		if in, isInstance := instanceOf(x); isInstance {
			return in.sequence(x)
		}
	}
	return nil, false
}

func (b *binder) bindSlice(x any, v reflect.Value, p *typePlan) error {
	if x == nil {
		v.SetZero()
		return nil
	}
	known, key, shared := b.known(x, p.t)
	if shared {
		v.Set(known)
		return nil
	}
	if l, ok := x.(*List); ok && l.packed != nil {
		if made, ok, err := b.copyPacked(l.packed, p); ok || err != nil {
			if err == nil {
				b.share(key, made)
				v.Set(made)
			}
			return err
		}
	}
	items, ok := itemsOf(x)
	if !ok {
		return b.assign(x, v, p)
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer func() { b.depth-- }()
	if err := b.take(int64(len(items)) * p.elem.size); err != nil {
		return err
	}
	made := reflect.MakeSlice(p.t, len(items), len(items))
	b.share(key, made) // before the items, which may refer to it
	for i, item := range items {
		if err := b.bind(item, made.Index(i), p.elem); err != nil {
			return under(err, step{kind: stepIndex, index: i})
		}
	}
	v.Set(made)
	return nil
}

// copyPacked makes the slice of a packed list without a box for each item, where the items are
// those of the slice as they are.
func (b *binder) copyPacked(l *packed, p *typePlan) (made reflect.Value, ok bool, err error) {
	switch {
	case l.ints != nil && (p.t == reflect.TypeFor[[]int64]() || p.t == reflect.TypeFor[[]int]() && math.MaxInt == math.MaxInt64):
	case l.floats != nil && p.t == reflect.TypeFor[[]float64]():
	default:
		return made, false, nil
	}
	if err := b.take(int64(l.len()) * p.elem.size); err != nil {
		return made, false, err
	}
	made = reflect.MakeSlice(p.t, l.len(), l.len())
	switch s := made.Interface().(type) {
	case []int64:
		copy(s, l.ints)
	case []int:
		for i, n := range l.ints {
			s[i] = int(n)
		}
	case []float64:
		copy(s, l.floats)
	}
	return made, true, nil
}

// bindArray follows encoding/json: what the array has no room for is left out, what is missing
// becomes zero. An array of bytes takes bytes of just its length.
func (b *binder) bindArray(x any, v reflect.Value, p *typePlan) error {
	if p.elem.isPlain(reflect.Uint8) {
		if id, ok, _ := stdlibInto(x, reflect.TypeFor[UUID](), nil); ok && v.Len() == len(UUID{}) {
			reflect.Copy(v, reflect.ValueOf(id.(UUID)))
			return nil
		}
		if s, data, ok := binaryOf(x); ok {
			if len(s)+len(data) != v.Len() {
				return mismatchf(x, p.t, "there are %d bytes", len(s)+len(data))
			}
			reflect.Copy(v, reflect.ValueOf(append([]byte(s), data...)).Convert(reflect.SliceOf(p.elem.t)))
			return nil
		}
	}
	items, ok := itemsOf(x)
	if !ok {
		return b.assign(x, v, p)
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer func() { b.depth-- }()
	v.SetZero()
	for i, item := range items[:min(len(items), v.Len())] {
		if err := b.bind(item, v.Index(i), p.elem); err != nil {
			return under(err, step{kind: stepIndex, index: i})
		}
	}
	return nil
}
