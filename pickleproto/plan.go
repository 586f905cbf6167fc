package pickleproto

import (
	"encoding"
	"math/big"
	"reflect"
	"slices"
	"sync"
)

// typePlan is what the binding knows of one Go type, found once. The plans are a cache of pure
// functions of the type; nothing can be registered in it.
type typePlan struct {
	t           reflect.Type
	kind        bindKind
	unmarshaler bool // *t has UnmarshalPickle
	text        bool // *t has UnmarshalText
	std         bool // t is of the table of stdlib classes
	key, elem   *typePlan
	fields      *structFields
	fieldPlans  []*typePlan // of fields.fields
	size        int64       // bytes of one value
	fast        fastFunc    // nil where only the machine will do; see typed.go
	parts       bool        // fast leaves every value to the machine
	nested      *typePlan   // of a slice or map of any: the plan where it lies within something
	runsCode    bool        // to bind a value may run code of the program
	interfaces  bool        // and so it may if classes are registered: it is or has an interface with methods
	fastFields  []fastField // of a struct
}

type bindKind uint8

const (
	bindUnsupported bindKind = iota
	bindBool
	bindInt
	bindUint
	bindFloat
	bindComplex
	bindString
	bindByteSlice
	bindSlice
	bindArray
	bindMap
	bindSetMap // map[T]struct{}
	bindStruct
	bindPointer
	bindAny
	bindInterface
	bindModel // a type of the value model: taken as it is
	bindBigInt
)

// modelTypes are the types of the value model that a Go program may ask for by name.
var modelTypes = map[reflect.Type]bool{
	reflect.TypeFor[Bytes](): true, reflect.TypeFor[ByteString](): true, reflect.TypeFor[Tuple](): true,
	reflect.TypeFor[*Complex](): true, reflect.TypeFor[*ByteArray](): true, reflect.TypeFor[*List](): true,
	reflect.TypeFor[*Dict](): true, reflect.TypeFor[*Set](): true, reflect.TypeFor[*FrozenSet](): true,
	reflect.TypeFor[Global](): true, reflect.TypeFor[*Object](): true, reflect.TypeFor[*PersistentID](): true,
	reflect.TypeFor[Extension](): true, reflect.TypeFor[*Buffer](): true,
}

var (
	unmarshalerType     = reflect.TypeFor[Unmarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	bigIntType          = reflect.TypeFor[big.Int]()
)

var planCache sync.Map // reflect.Type -> *typePlan

func planOf(t reflect.Type) *typePlan {
	if p, ok := planCache.Load(t); ok {
		return p.(*typePlan)
	}
	making := map[reflect.Type]*typePlan{}
	p := makePlan(t, making)
	for _, q := range making {
		q.runsCode = q.anyWithin((*typePlan).hasCode, map[*typePlan]bool{})
		q.interfaces = q.anyWithin(func(p *typePlan) bool { return p.kind == bindInterface }, map[*typePlan]bool{})
	}
	for _, q := range making {
		q.fast = fastFor(q)
	}
	for _, q := range making {
		if q.kind == bindStruct {
			q.finishFast()
		}
	}
	for _, q := range making {
		if (q.kind == bindSlice || q.kind == bindMap) && q.elem.kind == bindAny {
			nested, elem := *q, *q.elem
			elem.fast = fillAnyField
			nested.elem = &elem
			q.nested = &nested
		}
	}
	for t, q := range making {
		planCache.LoadOrStore(t, q)
	}
	return p
}

// hasCode reports whether binding to p's type calls methods of the program.
func (p *typePlan) hasCode() bool { return p.unmarshaler || p.text && !p.std }

// anyWithin reports whether is holds for p or for the plan of a type within it.
func (p *typePlan) anyWithin(is func(*typePlan) bool, seen map[*typePlan]bool) bool {
	if p == nil || seen[p] {
		return false
	}
	seen[p] = true
	return is(p) || p.key.anyWithin(is, seen) || p.elem.anyWithin(is, seen) ||
		slices.ContainsFunc(p.fieldPlans, func(q *typePlan) bool { return q.anyWithin(is, seen) })
}

func makePlan(t reflect.Type, making map[reflect.Type]*typePlan) *typePlan {
	if p, ok := planCache.Load(t); ok {
		return p.(*typePlan)
	}
	if p := making[t]; p != nil {
		return p
	}
	p := &typePlan{t: t, size: int64(t.Size())}
	making[t] = p
	if modelTypes[t] {
		p.kind = bindModel
		return p
	}
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface {
		p.unmarshaler = reflect.PointerTo(t).Implements(unmarshalerType)
		p.text = reflect.PointerTo(t).Implements(textUnmarshalerType)
	}
	p.std = stdlibType(t)
	if t == bigIntType {
		p.kind = bindBigInt
		return p
	}
	switch t.Kind() {
	case reflect.Bool:
		p.kind = bindBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.kind = bindInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		p.kind = bindUint
	case reflect.Float32, reflect.Float64:
		p.kind = bindFloat
	case reflect.Complex64, reflect.Complex128:
		p.kind = bindComplex
	case reflect.String:
		p.kind = bindString
	case reflect.Slice:
		p.elem = makePlan(t.Elem(), making)
		p.kind = bindSlice
		if p.elem.isPlain(reflect.Uint8) {
			p.kind = bindByteSlice
		}
	case reflect.Array:
		p.elem = makePlan(t.Elem(), making)
		p.kind = bindArray
	case reflect.Map:
		p.key = makePlan(t.Key(), making)
		p.elem = makePlan(t.Elem(), making)
		p.kind = bindMap
		if t.Elem().Kind() == reflect.Struct && t.Elem().NumField() == 0 {
			p.kind = bindSetMap
		}
	case reflect.Struct:
		if p.std {
			break // its fields are nobody's business
		}
		p.kind = bindStruct
		p.fields = fieldsOf(t)
		p.fieldPlans = make([]*typePlan, len(p.fields.fields))
		for i, f := range p.fields.fields {
			p.fieldPlans[i] = makePlan(f.typ, making)
		}
	case reflect.Pointer:
		p.elem = makePlan(t.Elem(), making)
		p.kind = bindPointer
	case reflect.Interface:
		p.kind = bindInterface
		if t.NumMethod() == 0 {
			p.kind = bindAny
		}
	}
	return p
}

// isPlain reports whether the type is of that kind and has no say of its own in how it is read.
func (p *typePlan) isPlain(k reflect.Kind) bool {
	return p.t.Kind() == k && !p.unmarshaler && !p.text && !p.std && p.kind != bindModel
}
