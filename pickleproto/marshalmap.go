package pickleproto

import (
	"cmp"
	"encoding"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Maps are written with their keys sorted, so that equal maps give equal pickles: numbers by value,
// then strs, then bytes, then tuples. *Dict keeps an order of its own.

func saveMap(e *encoder, p *savePlan, v reflect.Value) error { return e.saveMap(p, v) }

func (e *encoder) saveMap(p *savePlan, v reflect.Value) error {
	if v.IsNil() {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
	index, found := e.goIndex(goIdentity{plan: p, address: v.UnsafePointer()})
	if found {
		e.memoGet(index)
		return nil
	}
	e.beginDict(index)
	if v.Len() == 0 {
		return nil
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer func() { e.depth-- }()
	if p.key.t.Kind() == reflect.String && !modelTypes[p.key.t] {
		if e.c.persistentID == nil && len(e.c.binding.byType) == 0 {
			switch m := v.Interface().(type) {
			case map[string]any:
				return saveSorted(e, m, (*encoder).saveValue)
			case map[string]string:
				return saveSorted(e, m, (*encoder).saveStr)
			case map[string]int:
				return saveSorted(e, m, func(e *encoder, n int) error { e.saveInt(int64(n)); return nil })
			case map[string]int64:
				return saveSorted(e, m, func(e *encoder, n int64) error { e.saveInt(n); return nil })
			case map[string]float64:
				return saveSorted(e, m, func(e *encoder, f float64) error { e.saveFloat(f); return nil })
			}
		}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		return e.entries(len(keys), func(i int) error {
			if err := e.saveKeyStr(keys[i].String()); err != nil {
				return under(err, step{kind: stepKey, key: keys[i].String()})
			}
			if err := e.saveReflect(p.elem, v.MapIndex(keys[i])); err != nil {
				return under(err, step{kind: stepValue, key: keys[i].String()})
			}
			return nil
		})
	}
	keys, values, err := e.modelKeys(v)
	if err != nil {
		return err
	}
	return e.entries(len(keys), func(i int) error {
		if len(e.buf) >= e.frameLimit {
			e.nextFrame()
		}
		if err := e.saveKey(keys[i]); err != nil {
			return under(err, step{kind: stepKey, key: keys[i]})
		}
		if err := e.saveReflect(p.elem, values[i]); err != nil {
			return under(err, step{kind: stepValue, key: keys[i]})
		}
		return nil
	})
}

// saveSorted writes a map with str keys whose values need no reflection.
func saveSorted[T any](e *encoder, m map[string]T, save func(e *encoder, v T) error) error {
	type entry struct {
		prefix uint64 // the key's first eight bytes, which mostly decide
		key    string
		value  T
	}
	entries := make([]entry, 0, len(m))
	for k, v := range m {
		entries = append(entries, entry{prefixOf(k), k, v})
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if a.prefix != b.prefix {
			if a.prefix < b.prefix {
				return -1
			}
			return 1
		}
		return strings.Compare(a.key, b.key)
	})
	return e.entries(len(entries), func(i int) error {
		en := &entries[i]
		if err := e.saveKeyStr(en.key); err != nil {
			return under(err, step{kind: stepKey, key: en.key})
		}
		if len(e.buf) >= e.frameLimit {
			e.nextFrame()
		}
		if err := save(e, en.value); err != nil {
			return under(err, step{kind: stepValue, key: en.key})
		}
		return nil
	})
}

func prefixOf(s string) uint64 {
	if len(s) >= 8 {
		return binary.BigEndian.Uint64([]byte(s[:8]))
	}
	var b [8]byte
	copy(b[:], s)
	return binary.BigEndian.Uint64(b[:])
}

// saveSetMap writes map[T]struct{}, which is a set.
func saveSetMap(e *encoder, p *savePlan, v reflect.Value) error {
	if v.IsNil() {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
	id := e.identity(p, v.UnsafePointer())
	if known, ok := e.gov.made[id]; ok {
		return e.saveValue(known)
	}
	keys, _, err := e.modelKeys(v)
	if err != nil {
		return err
	}
	set, err := NewSet(keys...)
	if err != nil {
		return marshalError(p.t, err)
	}
	return e.saveMade(id, set)
}

// modelKeys returns the keys of a map as Python values, sorted, and the values that belong to them.
func (e *encoder) modelKeys(m reflect.Value) (keys []any, values []reflect.Value, err error) {
	type entry struct {
		key   any
		value reflect.Value
	}
	entries := make([]entry, 0, m.Len())
	for it := m.MapRange(); it.Next(); {
		k, err := e.modelKey(it.Key())
		if err != nil {
			return nil, nil, err
		}
		entries = append(entries, entry{k, it.Value()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return compareKeys(a.key, b.key) })
	keys, values = make([]any, len(entries)), make([]reflect.Value, len(entries))
	for i, en := range entries {
		// Go has a key each for 1, 1.0 and true; Python has one for all.
		if i > 0 && compareKeys(keys[i-1], en.key) == 0 && !isNaN(en.key) {
			return nil, nil, &TypeError{Go: m.Type(), Offset: -1,
				Msg: fmt.Sprintf("Go %v: two keys are one in Python: %s", m.Type(), keyLiteral(en.key))}
		}
		keys[i], values[i] = en.key, en.value
	}
	e.keep = append(e.keep, keys)
	return keys, values, nil
}

// modelKey returns a map's key as the hashable Python value that it is.
func (e *encoder) modelKey(v reflect.Value) (any, error) {
	t := v.Type()
	if modelTypes[t] {
		return v.Interface(), nil
	}
	if n, ok := v.Interface().(*big.Int); ok && n != nil {
		return normalInt(n), nil
	}
	if tag, ok := e.c.binding.byType[t]; ok {
		return e.taggedOf(savePlanOf(t), v, tag)
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), nil
	case reflect.Interface:
		if v.IsNil() {
			return nil, nil
		}
		return e.modelKey(v.Elem())
	}
	if stdlibType(t) {
		e.gov.maker.protocol = e.proto
		if x, ok, err := e.gov.maker.object(v.Interface()); ok || err != nil {
			return x, err
		}
	}
	if m, ok := v.Interface().(Marshaler); ok {
		x, err := m.MarshalPickle()
		if err != nil {
			return nil, marshalError(t, err)
		}
		return e.modelKey(reflect.ValueOf(&x).Elem())
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			return nil, marshalError(t, err)
		}
		return string(text), nil
	}
	switch v.Kind() {
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			b := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(b), v)
			return Bytes(b), nil
		}
		items := make(Tuple, v.Len())
		for i := range items {
			var err error
			if items[i], err = e.modelKey(v.Index(i)); err != nil {
				return nil, err
			}
		}
		return items, nil
	case reflect.Struct:
		p := savePlanOf(t)
		if f := p.fields.class.form; f == formTuple || f == formNamedTuple {
			items := make(Tuple, len(p.fields.fields))
			for i := range p.fields.fields {
				fv, ok := p.fields.fields[i].find(v)
				if !ok {
					continue
				}
				var err error
				if items[i], err = e.modelKey(fv); err != nil {
					return nil, err
				}
			}
			if f == formTuple {
				return items, nil
			}
			return newNamedTuple(p.fields.class.name, items, e.proto), nil
		}
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64:
		return plainValue(v)
	}
	return nil, &TypeError{Go: t, Offset: -1, Msg: fmt.Sprintf("Go %v is no key that Python could hash", t)}
}

func isNaN(v any) bool {
	f, ok := v.(float64)
	return ok && math.IsNaN(f)
}

func floatOr0(v any) float64 {
	f, _ := v.(float64)
	return f
}

// compareKeys orders keys; equal numbers of different types compare as equal.
func compareKeys(a, b any) int {
	rank := func(v any) int {
		switch v.(type) {
		case nil:
			return 0
		case bool, int64, *big.Int, float64, Int, Long:
			return 1
		case string:
			return 2
		case Bytes, ByteString:
			return 3
		case Tuple:
			return 4
		}
		return 5
	}
	if d := cmp.Compare(rank(a), rank(b)); d != 0 {
		return d
	}
	switch a := a.(type) {
	case nil:
		return 0
	case bool, int64, *big.Int, float64, Int, Long:
		if isNaN(a) || isNaN(b) { // first
			return cmp.Compare(floatOr0(a), floatOr0(b))
		}
		return compareNumbers(a, b)
	case string:
		return strings.Compare(a, b.(string))
	case Tuple:
		return slices.CompareFunc(a, b.(Tuple), compareKeys)
	}
	return strings.Compare(Repr(a), Repr(b))
}
