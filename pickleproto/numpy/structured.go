package numpy

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// Field is one field of the items of a structured array.
type Field struct {
	Name   string
	DType  DType   // of the field, or of the items of one that is an array itself
	Offset int     // in bytes, within the item
	Shape  []int   // of a field that is an array itself, in C order; else nil
	Fields []Field // of a field that is structured itself
}

// A dtype may hold others, and a pickle may say the same one again and again.
const (
	mostFieldDepth = 16
	mostFields     = 4096
)

// itemOf is what a pickled dtype says of an item.
type itemOf struct {
	dtype  DType
	shape  []int
	fields []Field
}

// dtypeReader reads dtypes, and counts their fields.
type dtypeReader struct{ fields int }

// structured reads the fields from the state of a dtype whose items have size bytes.
func (r *dtypeReader) structured(state pickleproto.Tuple, size, depth int) ([]Field, error) {
	bad := fmt.Errorf("numpy: a structured dtype of an unknown form")
	names, ok1 := state[3].(pickleproto.Tuple)
	byName, ok2 := state[4].(*pickleproto.Dict)
	if !ok1 || !ok2 || len(names) == 0 {
		return nil, bad
	}
	var fields []Field
	for _, n := range names {
		if r.fields++; r.fields > mostFields {
			return nil, fmt.Errorf("numpy: more than %d fields", mostFields)
		}
		v, ok := byName.Get(n)
		entry, isTuple := v.(pickleproto.Tuple)
		name, isText := text(n)
		if !ok || !isTuple || !isText || len(entry) != 2 && len(entry) != 3 { // the third is a title
			return nil, bad
		}
		item, err := r.dtype(entry[0], depth+1)
		if err != nil {
			return nil, err
		}
		offset, isInt := entry[1].(int64)
		if !isInt || offset < 0 || offset > int64(size) {
			return nil, bad
		}
		f := Field{name, item.dtype, int(offset), item.shape, item.fields}
		if n, err := f.size(); err != nil || n > size-f.Offset {
			return nil, bad
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// size returns the bytes that the field takes.
func (f *Field) size() (int, error) {
	l, err := layoutOf(f.DType, f.Fields)
	if err != nil {
		return 0, err
	}
	most, n := 1<<28/max(1, l.size), 1
	if l.size == 0 {
		most = emptyRows
	}
	for _, d := range f.Shape {
		if d < 0 || n > 0 && d > most/n {
			return 0, fmt.Errorf("numpy: a field of shape %v", f.Shape)
		}
		n *= d
	}
	return n * l.size, nil
}

// layoutOf is layout for items that may have fields.
func layoutOf(d DType, fields []Field) (layout, error) {
	if len(fields) == 0 {
		return d.layout()
	}
	l := layout{kind: 'V'}
	size, err := strconv.Atoi(strings.TrimPrefix(string(d), "|V"))
	if err != nil || size < 0 || size > 1<<28 || !strings.HasPrefix(string(d), "|V") {
		return l, fmt.Errorf("numpy: no item type %q for items with fields", clip(string(d)))
	}
	l.size = size
	for i := range fields {
		f := &fields[i]
		if n, err := f.size(); err != nil {
			return l, err
		} else if f.Offset < 0 || f.Offset > size || n > size-f.Offset {
			return l, fmt.Errorf("numpy: field %q lies outside of its item", clip(f.Name))
		}
	}
	return l, nil
}

// structuredObject is the dtype of items with fields as numpy pickles it.
func structuredObject(d DType, fields []Field) (any, error) {
	l, err := layoutOf(d, fields)
	if err != nil {
		return nil, err
	}
	names := make(pickleproto.Tuple, len(fields))
	byName := pickleproto.NewDict()
	flags := int64(16)
	for i, f := range fields {
		dtype, err := dtypeObject(f.DType, f.Fields)
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(f.DType), "U") {
			flags |= 8
		}
		if f.Shape != nil {
			size, err := f.size()
			if err != nil {
				return nil, err
			}
			shape := make(pickleproto.Tuple, len(f.Shape))
			for k, n := range f.Shape {
				shape[k] = int64(n)
			}
			dtype = newDType(fmt.Sprintf("V%d", size), pickleproto.Tuple{int64(3), "|", pickleproto.Tuple{dtype, shape}, nil, nil, int64(size), int64(1), int64(0)})
		}
		names[i] = f.Name
		if _, twice := byName.Get(f.Name); twice || f.Name == "" {
			return nil, fmt.Errorf("numpy: two fields named %q, or one without a name", clip(f.Name))
		}
		if err := byName.Set(f.Name, pickleproto.Tuple{dtype, int64(f.Offset)}); err != nil {
			return nil, err
		}
	}
	return newDType(string(d[1:]), pickleproto.Tuple{int64(3), "|", nil, names, byName, int64(l.size), int64(1), flags}), nil
}

func dtypeObject(d DType, fields []Field) (any, error) {
	if len(fields) > 0 {
		return structuredObject(d, fields)
	}
	return d.object()
}

// structSetter returns what stores an item with fields in a struct: fields find each other by name, as
// in pickleproto.Unmarshal; one without a counterpart is left out.
func structSetter(fields []Field, t reflect.Type) (func(v reflect.Value, item []byte) error, error) {
	type target struct {
		index   []int
		from    int
		size    int
		shape   []int
		strides []int
		l       layout
		set     func(v reflect.Value, item []byte) error
		name    string
	}
	var targets []target
	for i := range fields {
		f := &fields[i]
		sf, ok := structField(t, f.Name)
		if !ok {
			continue
		}
		l, err := layoutOf(f.DType, f.Fields)
		if err != nil {
			return nil, err
		}
		set, err := setterFor(l, itemType(sf.Type, len(f.Shape)), f.Fields)
		if err != nil {
			return nil, fmt.Errorf("field %s, items %s into Go %v: %w", clip(f.Name), f.DType, sf.Type, err)
		}
		size, err := f.size()
		if err != nil {
			return nil, err
		}
		strides := (&Array{Shape: f.Shape}).strides(l.size)
		targets = append(targets, target{sf.Index, f.Offset, size, f.Shape, strides, l, set, f.Name})
	}
	return func(v reflect.Value, item []byte) error {
		for i := range targets {
			g := &targets[i]
			a := Array{Shape: g.shape, Data: item[g.from : g.from+g.size]}
			if err := (&filler{a: &a, l: g.l, strides: g.strides, set: g.set}).fill(v.FieldByIndex(g.index), 0, 0); err != nil {
				return fmt.Errorf("field %s: %w", clip(g.name), err)
			}
		}
		return nil
	}, nil
}

// structField finds the field of a struct for a name: the exact one, else one that differs in case only.
func structField(t reflect.Type, name string) (found reflect.StructField, ok bool) {
	for _, sf := range visibleFields(t) {
		switch own := fieldName(sf); {
		case own == name:
			return sf, true
		case !ok && strings.EqualFold(own, name):
			found, ok = sf, true
		}
	}
	return found, ok
}

// visibleFields are the fields that take part: exported, not left out, not behind a pointer, and an
// embedded struct's in its place.
func visibleFields(t reflect.Type) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(t), func(sf reflect.StructField) bool {
		if !sf.IsExported() || sf.Tag.Get("pickle") == "-" || sf.Anonymous && sf.Type.Kind() == reflect.Struct && sf.Tag.Get("pickle") == "" {
			return true
		}
		at := t
		for _, i := range sf.Index[:len(sf.Index)-1] {
			if at = at.Field(i).Type; at.Kind() == reflect.Pointer {
				return true
			}
		}
		return false
	})
}

func fieldName(sf reflect.StructField) string {
	if name, _, _ := strings.Cut(sf.Tag.Get("pickle"), ","); name != "" {
		return name
	}
	return sf.Name
}

// structItems makes items of structs: each field is an array of its own first, of which the items
// take a piece each. No room is left between fields.
func (a *Array) structItems(v reflect.Value, t reflect.Type) (func(v reflect.Value) error, error) {
	rows := reflect.MakeSlice(reflect.SliceOf(t), 0, 0)
	var collect func(v reflect.Value, axis int)
	collect = func(v reflect.Value, axis int) {
		if axis == len(a.Shape) {
			rows = reflect.Append(rows, v)
			return
		}
		for i := range v.Len() {
			collect(v.Index(i), axis+1)
		}
	}
	collect(v, 0)
	n := rows.Len()
	var columns []Array
	size := 0
	for _, sf := range visibleFields(t) {
		column := reflect.MakeSlice(reflect.SliceOf(sf.Type), n, n)
		for i := range n {
			column.Index(i).Set(rows.Index(i).FieldByIndex(sf.Index))
		}
		c, err := From(column.Interface())
		if err != nil {
			return nil, fmt.Errorf("%w in field %s", err, sf.Name)
		}
		f := Field{Name: fieldName(sf), DType: c.DType, Offset: size, Fields: c.Fields}
		if len(c.Shape) > 1 {
			f.Shape = c.Shape[1:]
		}
		width, err := f.size()
		if err != nil {
			return nil, err
		}
		a.Fields, columns = append(a.Fields, f), append(columns, c)
		size += width
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("numpy: no array of Go %v, which has no fields", t)
	}
	a.DType = DType(fmt.Sprintf("|V%d", size))
	row := 0
	return func(reflect.Value) error {
		for i := range columns {
			width := len(columns[i].Data) / n
			a.Data = append(a.Data, columns[i].Data[row*width:(row+1)*width]...)
		}
		row++
		return nil
	}, nil
}
