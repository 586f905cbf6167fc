package pickleproto

import (
	"encoding"
	"errors"
	"math/big"
	"reflect"
	"unicode/utf8"
)

// Unmarshaler is implemented by types that take their Python value themselves. v is a value of
// the model (nil, bool, int64, *big.Int, float64, string, Bytes, Tuple, *List, *Dict, *Object
// ...), which the method may keep but must not change: other places may share it.
type Unmarshaler interface{ UnmarshalPickle(v any) error }

// unmarshal decodes the pickle at the beginning of data into what v points to. With whole set
// the pickle must be all of data; otherwise its length goes to *n.
func unmarshal(data []byte, v any, c *config, whole bool, n *int) error {
	if target, isAny := v.(*any); isAny && target != nil && c.binding.err == nil {
		x, used, err := decode(data, c)
		if err == nil && whole && used != len(data) {
			err = errTrailing(used)
		}
		if err != nil {
			return err
		}
		*target = x
		if n != nil {
			*n = used
		}
		return nil
	}
	used, ok := unmarshalFast(data, v, c, whole)
	if !ok {
		rv := reflect.ValueOf(v)
		if rv.Kind() != reflect.Pointer || rv.IsNil() {
			return errNilTarget
		}
		if c.binding.err != nil {
			return c.binding.err
		}
		var x any
		var err error
		if x, used, err = decode(data, c); err != nil {
			return err
		}
		if whole && used != len(data) {
			return errTrailing(used)
		}
		if err := bindInto(rv.Elem(), x, planOf(rv.Type().Elem()), data[:used], c); err != nil {
			return err
		}
	}
	if n != nil {
		*n = used
	}
	return nil
}

// bindInto binds x to target, which is unchanged if that fails. data are the pickle's bytes, in
// which the place of an error is looked up; nil if there are none.
func bindInto(target reflect.Value, x any, p *typePlan, data []byte, c *config) error {
	received := len(data)
	b := binder{c: c, work: c.limits.workFor(received), memory: c.limits.memoryFor(received), received: received}
	defer b.release()
	fresh := reflect.New(p.t).Elem()
	fresh.Set(target)
	if err := b.bind(x, fresh, p); err != nil {
		var at *bindError
		if errors.As(err, &at) {
			return at.finish(data, c)
		}
		return err
	}
	target.Set(fresh)
	return nil
}

// bind puts x into v, whose type is p's. What v holds already stays as far as x does not mention
// it: struct fields, entries of maps, what pointers point to; all of it copied first.
func (b *binder) bind(x any, v reflect.Value, p *typePlan) error {
	b.work--
	if b.work < 0 {
		max := uint64(b.c.limits.workFor(b.received))
		return &LimitError{Limit: "work", Value: max + 1, Max: max, Offset: -1}
	}
	if p.unmarshaler {
		if err := v.Addr().Interface().(Unmarshaler).UnmarshalPickle(x); err != nil {
			return mismatchErr(x, p.t, err)
		}
		return nil
	}
	if len(b.c.binding.converters) > 0 && p.kind != bindAny && p.kind != bindModel {
		if ok, err := b.convert(x, v, p); ok || err != nil {
			return err
		}
	}
	if p.std {
		made, ok, err := stdlibInto(x, p.t, b.costs())
		if err != nil {
			return mismatchErr(x, p.t, err)
		}
		if ok {
			if made == nil {
				v.SetZero()
			} else {
				v.Set(reflect.ValueOf(made))
			}
			return nil
		}
		if made != nil {
			return mismatchf(x, p.t, "it is Go's %T", made)
		}
	}
	if p.text {
		if s, ok := textOf(x); ok {
			if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
				return mismatchErr(x, p.t, err)
			}
			return nil
		}
	}
	if len(b.c.binding.byType) > 0 {
		if value, ok := b.enumValue(x, p.t); ok {
			x = value
		}
	}
	if o, ok := x.(*Object); ok {
		x = baseFor(o, p)
	}
	switch p.kind {
	case bindBool:
		if x, ok := x.(bool); ok {
			v.SetBool(x)
			return nil
		}
	case bindInt, bindUint:
		if ok, err := bindInteger(x, v, p); ok || err != nil {
			return err
		}
	case bindFloat:
		if ok, err := bindFloating(x, v, p); ok || err != nil {
			return err
		}
	case bindComplex:
		if c, ok := x.(*Complex); ok {
			if p.t.Kind() == reflect.Complex64 && v.OverflowComplex(complex(c.Real, c.Imag)) {
				return mismatchf(x, p.t, "it overflows")
			}
			v.SetComplex(complex(c.Real, c.Imag))
			return nil
		}
		var f float64
		fv := reflect.ValueOf(&f).Elem()
		if ok, err := bindFloating(x, fv, planOf(fv.Type())); ok || err != nil {
			v.SetComplex(complex(f, 0))
			return err
		}
	case bindString:
		switch x := x.(type) {
		case string:
			s, err := b.keepString(x)
			v.SetString(s)
			return err
		case ByteString:
			if !utf8.ValidString(string(x)) {
				return mismatchf(x, p.t, "it is not UTF-8; WithPython2Strings says what it is")
			}
			s, err := b.keepString(string(x))
			v.SetString(s)
			return err
		}
	case bindBigInt:
		if n, ok := integerOf(x); ok {
			v.Addr().Interface().(*big.Int).Set(n)
			return nil
		}
	case bindByteSlice:
		if ok, err := b.bindBytes(x, v, p); ok || err != nil {
			return err
		}
		return b.bindSlice(x, v, p)
	case bindSlice:
		return b.bindSlice(x, v, p)
	case bindArray:
		return b.bindArray(x, v, p)
	case bindMap, bindSetMap:
		return b.bindMap(x, v, p)
	case bindStruct:
		return b.bindStruct(x, v, p)
	case bindPointer:
		return b.bindPointer(x, v, p)
	case bindAny:
		if x == nil {
			v.SetZero()
		} else {
			v.Set(reflect.ValueOf(x))
		}
		return nil
	case bindInterface:
		return b.bindInterface(x, v, p)
	case bindModel:
		if s, ok := x.(ByteString); ok && p.t == reflect.TypeFor[Bytes]() {
			x = Bytes(s)
		}
		if x == nil && p.t.Kind() == reflect.Pointer {
			v.SetZero()
			return nil
		}
		if o, ok := x.(*Object); ok && p.t == reflect.TypeFor[*Dict]() {
			if in, ok := instanceOf(o); ok {
				in.meter = b.costs()
				known, key, shared := b.known(x, p.t)
				if shared {
					v.Set(known)
					return nil
				}
				if d, ok := in.mapping(o); ok {
					v.Set(reflect.ValueOf(d))
					b.share(key, keepValue(v))
					return nil
				}
			}
		}
		if o, ok := x.(*Object); ok && p.t == reflect.TypeFor[*ByteArray]() {
			if s, _, ok := binaryOf(o); ok {
				known, key, shared := b.known(x, p.t)
				if !shared {
					known = reflect.ValueOf(&ByteArray{Data: []byte(s)})
					b.share(key, known)
				}
				v.Set(known)
				return b.take(int64(len(s)))
			}
		}
	}
	return b.assign(x, v, p)
}

// convert asks the converters for an instance's Go value.
func (b *binder) convert(x any, v reflect.Value, p *typePlan) (ok bool, err error) {
	o, isObject := x.(*Object)
	if !isObject || p.kind == bindPointer {
		return false, nil
	}
	for _, f := range b.c.binding.converters {
		made, ok, err := f(o, p.t)
		if err != nil {
			return false, mismatchErr(x, p.t, err)
		}
		if !ok {
			continue
		}
		if made == nil || !reflect.TypeOf(made).AssignableTo(p.t) {
			return false, mismatchf(x, p.t, "the converter made a %T", made)
		}
		v.Set(reflect.ValueOf(made))
		return true, nil
	}
	return false, nil
}

// assign takes x as it is, which a hook (WithPersistentLoad, WithExtension) may have made to be
// just the type that is wanted.
func (b *binder) assign(x any, v reflect.Value, p *typePlan) error {
	if x != nil && reflect.TypeOf(x).AssignableTo(p.t) {
		v.Set(reflect.ValueOf(x))
		return nil
	}
	if p.kind == bindUnsupported && !p.std {
		return mismatchf(x, p.t, "such a type holds no Python value")
	}
	return mismatch(x, p.t)
}
