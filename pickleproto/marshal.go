package pickleproto

import (
	"encoding"
	"reflect"
	"unsafe"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Marshaler is implemented by types that say themselves what they are in Python: a value of the
// model, or any other Go value that can be marshalled.
type Marshaler interface{ MarshalPickle() (any, error) }

// ProtocolMarshaler is a Marshaler that is something else at one protocol than at another.
type ProtocolMarshaler interface {
	Marshaler
	MarshalPickleProtocol(protocol int) (any, error)
}

func marshal(dst []byte, v any, c *config) ([]byte, error) {
	if c.binding.err != nil {
		return dst, c.binding.err
	}
	out, err := encode(dst, v, c)
	if at, ok := err.(*bindError); ok {
		err = at.finish(nil, c)
	}
	return out, err
}

// goValues is the encoder's knowledge of Go values that are no Python values.
type goValues struct {
	memo  map[goIdentity]uint32 // what was written as it came, where goIndex has no better way
	made  map[any]any           // what was written by way of a Python value: that value
	maker maker
}

// goIdentity is what makes two mentions of a Go value one Python object: type and address, and for
// a slice the length. Types of size zero have no identity, nor have empty slices.
type goIdentity struct {
	plan    *savePlan
	address unsafe.Pointer
	n       int
}

// enumConstant is a Go constant of a registered enum, of which Python has one object each.
type enumConstant struct{ v any }

// savePlan is how values of one Go type are written. It is immutable once made, and cached.
type savePlan struct {
	t      reflect.Type
	number uint32 // of the plan, from 1; one for each type
	save   func(e *encoder, p *savePlan, v reflect.Value) error
	elem   *savePlan
	key    *savePlan
	fields *structFields
	plans  []*savePlan // of the fields
	omits  bool        // a field has omitempty or omitzero
	made   bool        // written by way of a Python value, thus identified by its address
	direct bool        // a struct that is a dict, written as it is
}

var (
	marshalerType     = reflect.TypeFor[Marshaler]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
	errorType         = reflect.TypeFor[error]()
)

// saveGo writes a Go value that is no Python value.
func (e *encoder) saveGo(v any) error {
	if len(e.c.binding.byType) == 0 {
		switch v := v.(type) { // what turns up in []any and map[string]any
		case int:
			e.saveInt(int64(v))
			return nil
		case []any:
			return e.saveSlice(savePlanOf(reflect.TypeFor[[]any]()), reflect.ValueOf(v))
		case map[string]any:
			return e.saveMap(savePlanOf(reflect.TypeFor[map[string]any]()), reflect.ValueOf(v))
		}
	}
	rv := reflect.ValueOf(v)
	if t := typeWord(v); t != e.goType { // most messages of a program are of one type
		e.goType, e.goPlan = t, savePlanOf(rv.Type())
	}
	return e.saveKnown(e.goPlan, rv)
}

// saveReflect is save for a value at hand by reflection.
func (e *encoder) saveReflect(p *savePlan, v reflect.Value) error {
	if len(e.buf) >= e.frameLimit {
		e.nextFrame()
	}
	if e.c.persistentID != nil {
		return e.save(v.Interface())
	}
	return e.saveKnown(p, v)
}

// saveKnown writes v, whose frame boundary and persistent id have been seen to.
func (e *encoder) saveKnown(p *savePlan, v reflect.Value) error {
	if len(e.c.binding.byType) > 0 {
		if tag, ok := e.c.binding.byType[p.t]; ok {
			return e.saveTagged(p, v, tag)
		}
	}
	return p.save(e, p, v)
}

func unsupported(_ *encoder, p *savePlan, _ reflect.Value) error {
	return &TypeError{Go: p.t, Offset: -1}
}

// saveModel writes values of the model's own types.
func saveModel(e *encoder, _ *savePlan, v reflect.Value) error {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
	return e.saveValue(v.Interface())
}
