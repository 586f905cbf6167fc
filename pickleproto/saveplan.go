package pickleproto

import (
	"reflect"
	"sync"
	"sync/atomic"
)

var saveCache sync.Map // reflect.Type -> *savePlan; a cache of pure functions of the type

var savePlans atomic.Uint32 // made so far

func savePlanOf(t reflect.Type) *savePlan {
	if p, ok := saveCache.Load(t); ok {
		return p.(*savePlan)
	}
	making := map[reflect.Type]*savePlan{}
	makeSavePlan(t, making)
	for t, p := range making {
		saveCache.LoadOrStore(t, p)
	}
	// The one plan that the cache has is the type's identity: see goIdentity.
	p, _ := saveCache.Load(t)
	return p.(*savePlan)
}

func makeSavePlan(t reflect.Type, making map[reflect.Type]*savePlan) *savePlan {
	if p, ok := saveCache.Load(t); ok {
		return p.(*savePlan)
	}
	if p := making[t]; p != nil {
		return p
	}
	p := &savePlan{t: t, save: unsupported, number: savePlans.Add(1)}
	making[t] = p
	if t.Kind() == reflect.Pointer {
		p.elem = makeSavePlan(t.Elem(), making)
	}
	if t.Kind() == reflect.Struct && !stdlibType(t) && t != bigIntType && !modelTypes[t] {
		p.fields = fieldsOf(t)
	}
	switch {
	case modelTypes[t] || t == reflect.PointerTo(bigIntType):
		p.save = saveModel
		return p
	case t == bigIntType:
		p.save = saveBigInt
		return p
	case stdlibType(t):
		p.save = saveStd
		return p
	case t.Kind() == reflect.Interface:
		p.save = saveInterface
		return p
	case t.Implements(marshalerType):
		p.save = saveMarshaler
		return p
	case t.Kind() == reflect.Pointer && (t.Elem().Implements(marshalerType) || t.Elem().Implements(textMarshalerType)):
		// What the elements' own method says; the pointer is nothing beside it.
	case t.Implements(textMarshalerType):
		p.save = saveText
		return p
	case t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(marshalerType):
		p.save = saveByPointer(saveMarshaler)
		return p
	case t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(textMarshalerType):
		p.save = saveByPointer(saveText)
		return p
	case t.Implements(errorType) && (p.fields == nil || p.fields.class.form == formDict) &&
		(p.elem == nil || p.elem.fields == nil || p.elem.fields.class.form == formDict):
		p.save = saveError
		return p
	}
	switch t.Kind() {
	case reflect.Bool:
		p.save = saveBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.save = saveInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		p.save = saveUint
	case reflect.Float32, reflect.Float64:
		p.save = saveFloat
	case reflect.Complex64, reflect.Complex128:
		p.save = saveComplex
	case reflect.String:
		p.save = saveString
	case reflect.Slice:
		p.elem = makeSavePlan(t.Elem(), making)
		p.save = saveSlice
		if isByte(t.Elem()) {
			p.save = saveByteSlice
		}
	case reflect.Array:
		p.elem = makeSavePlan(t.Elem(), making)
		p.save = saveArray
		if isByte(t.Elem()) {
			p.save = saveByteArray
		}
	case reflect.Map:
		p.key, p.elem = makeSavePlan(t.Key(), making), makeSavePlan(t.Elem(), making)
		p.save = saveMap
		if t.Elem().Kind() == reflect.Struct && t.Elem().NumField() == 0 {
			p.save = saveSetMap
		}
	case reflect.Struct:
		p.plans = make([]*savePlan, len(p.fields.fields))
		for i, f := range p.fields.fields {
			p.plans[i] = makeSavePlan(f.typ, making)
			p.omits = p.omits || f.omitEmpty || f.omitZero || f.viaPtr
		}
		if p.fields.class.form == formDict {
			p.save, p.direct = saveStructValue, true
		} else {
			p.save, p.made = saveStructMade, true
		}
	case reflect.Pointer:
		p.save = savePointer
	}
	return p
}

// saveByPointer writes values whose method wants a pointer; it gets one to a copy.
func saveByPointer(save func(e *encoder, p *savePlan, v reflect.Value) error) func(e *encoder, p *savePlan, v reflect.Value) error {
	return func(e *encoder, p *savePlan, v reflect.Value) error {
		pointer := reflect.New(p.t)
		pointer.Elem().Set(v)
		e.keep = append(e.keep, pointer.Interface())
		return save(e, savePlanOf(pointer.Type()), pointer)
	}
}

// isByte reports whether t is a byte that has no say of its own in how it is written.
func isByte(t reflect.Type) bool {
	return t.Kind() == reflect.Uint8 && !t.Implements(marshalerType) && !t.Implements(textMarshalerType)
}
