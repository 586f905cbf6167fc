package pickleproto

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// Go values that are written by way of the Python value that stands for them.

// saveMade writes x, the Python value that stands for the Go value of identity id from now on.
func (e *encoder) saveMade(id, x any) error {
	if id != nil {
		if e.gov.made == nil {
			e.gov.made = map[any]any{}
		}
		e.gov.made[id] = x
	}
	e.keep = append(e.keep, x)
	if err := e.enter(); err != nil {
		return err
	}
	defer func() { e.depth-- }()
	return e.saveValue(x)
}

func saveStd(e *encoder, p *savePlan, v reflect.Value) error {
	var id any
	x := v.Interface()
	switch v.Kind() {
	case reflect.Pointer:
		id = e.identity(p, v.UnsafePointer())
		if known, ok := e.gov.made[id]; ok && id != nil {
			return e.saveValue(known)
		}
	case reflect.Struct: // the table has pointers for what has identity in Python
		if stdlibType(reflect.PointerTo(p.t)) {
			pointer := reflect.New(p.t)
			pointer.Elem().Set(v)
			x = pointer.Interface()
		}
	}
	if e.c.binding.truncateNanos {
		switch t := x.(type) {
		case time.Time:
			x = t.Truncate(time.Microsecond)
		case time.Duration:
			x = t.Truncate(time.Microsecond)
		}
	}
	e.gov.maker.protocol = e.proto
	made, ok, err := e.gov.maker.object(x)
	switch {
	case err != nil:
		return marshalError(p.t, err)
	case !ok:
		return &TypeError{Go: p.t, Offset: -1}
	}
	return e.saveMade(id, made)
}

func marshalError(t reflect.Type, err error) error {
	switch err.(type) {
	case *TypeError, *LimitError, *bindError:
		return err
	}
	return &TypeError{Go: t, Offset: -1, Msg: fmt.Sprintf("Go %v: %v", t, err), Err: err}
}

func saveMarshaler(e *encoder, p *savePlan, v reflect.Value) error {
	var id any
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Map {
		if v.IsNil() {
			e.buf = append(e.buf, wire.OpNone)
			return nil
		}
		id = e.identity(p, v.UnsafePointer())
		if known, ok := e.gov.made[id]; ok && id != nil {
			return e.saveValue(known)
		}
	}
	var x any
	var err error
	switch m := v.Interface().(type) {
	case ProtocolMarshaler:
		x, err = m.MarshalPickleProtocol(e.proto)
	case Marshaler:
		x, err = m.MarshalPickle()
	}
	if err != nil {
		return marshalError(p.t, err)
	}
	return e.saveMade(id, x)
}

func saveText(e *encoder, p *savePlan, v reflect.Value) error {
	if (v.Kind() == reflect.Pointer || v.Kind() == reflect.Map) && v.IsNil() {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
	text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return marshalError(p.t, err)
	}
	s := string(text)
	e.keep = append(e.keep, s)
	return e.saveStr(s)
}

// saveError writes an error that is no *Exception as the exception that says most about it.
func saveError(e *encoder, p *savePlan, v reflect.Value) error {
	if (v.Kind() == reflect.Pointer || v.Kind() == reflect.Map || v.Kind() == reflect.Slice) && v.IsNil() {
		e.buf = append(e.buf, wire.OpNone)
		return nil
	}
	err := v.Interface().(error)
	x := NewException("RuntimeError", err.Error())
	var exception *Exception
	if errors.As(err, &exception) {
		x = exception
	}
	return saveStd(e, savePlanOf(reflect.TypeFor[*Exception]()), reflect.ValueOf(x))
}

// saveTagged writes a value of a registered type.
func (e *encoder) saveTagged(p *savePlan, v reflect.Value, tag classTag) error {
	x, err := e.taggedOf(p, v, tag)
	if err != nil {
		return err
	}
	return e.saveMade(nil, x)
}

func saveStructMade(e *encoder, p *savePlan, v reflect.Value) error {
	x, err := e.madeOf(p, v)
	if err != nil {
		return err
	}
	return e.saveMade(nil, x)
}

// madeOf returns the Python value that a struct becomes which is not simply a dict.
func (e *encoder) madeOf(p *savePlan, v reflect.Value) (any, error) {
	if tag, ok := e.c.binding.byType[p.t]; ok {
		return e.taggedOf(p, v, tag)
	}
	return e.taggedOf(p, v, p.fields.class)
}

func (e *encoder) taggedOf(p *savePlan, v reflect.Value, tag classTag) (any, error) {
	if tag.form == formEnum {
		id := enumConstant{v.Interface()}
		if x, ok := e.gov.made[id]; ok {
			return x, nil
		}
		value, err := plainValue(v)
		if err != nil {
			return nil, err
		}
		x := &Object{How: ByReduce, Callable: tag.name, Args: Tuple{value}}
		if e.gov.made == nil {
			e.gov.made = map[any]any{}
		}
		e.gov.made[id] = x
		return x, nil
	}
	if p.fields == nil {
		return nil, &TypeError{Go: p.t, Offset: -1}
	}
	if p.fields.err != nil {
		return nil, p.fields.err
	}
	if tag.form == formTuple || tag.form == formNamedTuple {
		items := make(Tuple, len(p.fields.fields))
		for i := range p.fields.fields {
			if fv, ok := p.fields.fields[i].find(v); ok {
				items[i] = fv.Interface()
			}
		}
		if tag.form == formTuple {
			return items, nil
		}
		return newNamedTuple(tag.name, items, e.proto), nil
	}
	state := NewDict()
	for i := range p.fields.fields {
		f := &p.fields.fields[i]
		fv, ok := f.find(v)
		if !ok || f.omit(fv) {
			continue
		}
		if err := state.Set(f.name, fv.Interface()); err != nil {
			return nil, err
		}
	}
	if tag.form == formSlots {
		return newInstance(tag.name, nil, state, e.proto)
	}
	return newInstance(tag.name, state, nil, e.proto)
}

// plainValue returns the number or text of a value of basic kind, without its type.
func plainValue(v reflect.Value) (any, error) {
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return uint64Value(v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return v.Float(), nil
	case reflect.String:
		return v.String(), nil
	}
	return nil, &TypeError{Go: v.Type(), Offset: -1}
}
