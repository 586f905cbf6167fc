package pickleproto

import "reflect"

// How the typed fast path reads each Go type. See the NOTE in typed.go.

// fastFor returns the fast way to read p's type, nil if there is none.
func fastFor(p *typePlan) fastFunc {
	if p.unmarshaler || p.text && !p.std || p.kind == bindUnsupported && !p.std {
		return nil
	}
	if f := ownWay(p); f != nil {
		return f
	}
	return fillPart(p)
}

// ownWay returns the way to read p's type without the machine, nil if there is none.
func ownWay(p *typePlan) fastFunc {
	if p.unmarshaler || p.text || p.std {
		return nil
	}
	switch p.kind {
	case bindBool:
		return fillBool
	case bindInt, bindUint:
		return fillInteger(p.t.Kind())
	case bindFloat:
		if p.t.Kind() == reflect.Float32 {
			return fillFloat32
		}
		return fillFloat64
	case bindString:
		return fillString
	case bindByteSlice:
		return func(r *reader, v place) bool { return fillBytes(r, v, p) }
	case bindSlice:
		if f := basicSlice(p); f != nil {
			return f
		}
		return func(r *reader, v place) bool { return p.elem.fast != nil && r.slice(v, p) }
	case bindArray:
		run := arrayRun(p)
		return func(r *reader, v place) bool { return p.elem.fast != nil && r.array(v, p, run) }
	case bindMap:
		if f := basicMap(p); f != nil {
			return f
		}
		if k := p.key.kind; k != bindString && k != bindInt && k != bindUint {
			return nil
		}
		return func(r *reader, v place) bool {
			return p.key.fast != nil && p.elem.fast != nil && r.mapping(v, p)
		}
	case bindSetMap:
		if p.t.Elem() != reflect.TypeFor[struct{}]() {
			return nil
		}
		switch p.t.Key() {
		case reflect.TypeFor[int64]():
			return func(r *reader, v place) bool { return setOf(r, at[map[int64]struct{}](v), (*reader).integer) }
		case reflect.TypeFor[string]():
			return func(r *reader, v place) bool { return setOf(r, at[map[string]struct{}](v), (*reader).str) }
		}
	case bindStruct:
		// Promotion through pointers is the binder's.
		if p.fields.err != nil || len(p.fields.fields) > 64 {
			return nil
		}
		for _, f := range p.fields.fields {
			if f.viaPtr {
				return nil
			}
		}
		return func(r *reader, v place) bool { return r.structure(v, p) }
	case bindPointer:
		if p.elem.kind == bindPointer || ownWay(p.elem) == nil {
			return nil // the binder makes the pointer, or it would not know it again
		}
		return func(r *reader, v place) bool { return p.elem.fast != nil && r.pointer(v, p) }
	case bindAny:
		return fillAny
	}
	return nil
}
