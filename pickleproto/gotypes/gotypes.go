// Package gotypes writes the Go types, with tags, that fit a given pickle: a beginning for the
// program that is to unmarshal pickles like it.
package gotypes

import (
	"fmt"
	"math/big"
	"reflect"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/numpy"
)

// mapFrom is how many keys with values of one type make a dict a map rather than a struct.
const mapFrom = 16

// mostDepth bounds the nesting that is looked at; what is deeper is `any`.
const mostDepth = 200

// infer finds the type of values, each container once.
type inferrer struct {
	done   map[any]*goType    // by the container's pointer
	making map[string]*goType // structs that are being looked at, by the names of their fields
	depth  int
}

// goType is a Go type as far as the values seen tell.
type goType struct {
	kind     kind
	same     *goType // another one that this one turned out to be
	nullable bool    // None was among the values
	name     string  // of a named type: "time.Time"
	elem     *goType
	key      *goType
	fields   []*field // of a struct or tuple, in the order of their first mention
	seen     int      // how many dicts or instances made a struct
	length   int      // of a slice that was a tuple, always of this length
	option   string   // of a struct's blank field: ",class=app.models.User"
	label    string   // the name that a struct is declared by
	bytesToo bool     // text that is Python 2's str, which []byte takes as well
	open     bool     // it is being written
	tuples   bool     // some keys are tuples, which Go can hash only if they are arrays or structs
}

type field struct {
	name string // in Python
	t    *goType
	seen int
}

type kind uint8

const (
	unknown kind = iota // only None, or nothing: an empty list's elements
	anything
	boolean
	integer
	bigInteger
	floating
	text
	named
	slice
	mapping
	set
	record
)

// real is the type that t turned out to be.
func (t *goType) real() *goType {
	for t.same != nil {
		t = t.same
	}
	return t
}

func (in *inferrer) value(v any) *goType {
	switch v := v.(type) {
	case nil:
		return &goType{nullable: true}
	case bool:
		return &goType{kind: boolean}
	case int64, pickleproto.Int, pickleproto.Long:
		return &goType{kind: integer}
	case *big.Int:
		if v.IsInt64() {
			return &goType{kind: integer}
		}
		return &goType{kind: bigInteger}
	case float64:
		return &goType{kind: floating}
	case string:
		return &goType{kind: text}
	case pickleproto.ByteString:
		if !utf8.ValidString(string(v)) {
			return &goType{kind: named, name: "[]byte"}
		}
		return &goType{kind: text, bytesToo: true}
	case pickleproto.Bytes:
		return &goType{kind: named, name: "[]byte"}
	case *pickleproto.ByteArray:
		return &goType{kind: named, name: "*pickleproto.ByteArray"}
	case *pickleproto.Complex:
		return &goType{kind: named, name: "complex128"}
	case *pickleproto.List:
		return in.once(v, func(t *goType) { in.items(t, v.Items()) })
	case pickleproto.Tuple:
		return in.tuple(v)
	case *pickleproto.Set:
		return in.once(v, func(t *goType) {
			t.kind = set
			for item := range v.All() {
				t.addKey(item, in.value(item))
			}
		})
	case *pickleproto.FrozenSet:
		return in.once(v, func(t *goType) {
			t.kind = set
			for item := range v.All() {
				t.addKey(item, in.value(item))
			}
		})
	case *pickleproto.Dict:
		if t, ok := in.done[v]; ok {
			return t.real()
		}
		return in.dict(v, v, "")
	case *pickleproto.Object:
		if t, ok := in.done[v]; ok {
			return t.real()
		}
		return in.object(v)
	}
	t := reflect.TypeOf(v).String()
	return &goType{kind: named, name: t}
}

// once makes the type of a container, which may contain itself.
func (in *inferrer) once(id any, fill func(t *goType)) *goType {
	if t, ok := in.done[id]; ok {
		return t.real()
	}
	t := &goType{}
	in.done[id] = t
	if in.depth++; in.depth > mostDepth {
		t.kind = anything
	} else {
		fill(t)
	}
	in.depth--
	return t
}

// addKey notes a key of a map or a member of a set.
func (t *goType) addKey(key any, kt *goType) {
	t.key = merge(t.key, kt)
	if _, isTuple := key.(pickleproto.Tuple); isTuple {
		t.tuples = true
	}
}

func (in *inferrer) items(t *goType, items []any) {
	t.kind = slice
	for _, item := range items {
		t.elem = merge(t.elem, in.value(item))
		if t.elem.kind == slice && t.elem == t {
			t.elem = &goType{kind: anything} // a list that contains itself
		}
	}
}

// tuple is a slice when its items are of one type, else a struct that is a tuple.
func (in *inferrer) tuple(v pickleproto.Tuple) *goType {
	if in.depth++; in.depth > mostDepth {
		in.depth--
		return &goType{kind: anything}
	}
	defer func() { in.depth-- }()
	t := &goType{kind: record, option: ",tuple", seen: 1}
	uniform := true
	var elem *goType
	for i, item := range v {
		ft := in.value(item)
		t.fields = append(t.fields, &field{name: fmt.Sprintf("item_%d", i), t: ft, seen: 1})
		if uniform {
			if uniform = elem == nil || elem.kind == ft.kind && ft.kind != record; uniform {
				elem = merge(copyOf(elem), ft)
			}
		}
	}
	if uniform {
		return &goType{kind: slice, elem: elem, length: len(v)}
	}
	return t
}

func copyOf(t *goType) *goType {
	if t == nil {
		return nil
	}
	c := *t
	return &c
}

// dict is a struct when its keys could be the names of fields, else a map. id is what has it.
func (in *inferrer) dict(id any, d *pickleproto.Dict, option string) *goType {
	names := make([]string, 0, d.Len())
	fits := d.Len() > 0 || option != ""
	for k := range d.All() {
		name, ok := keyText(k)
		fits = fits && ok && isName(name)
		names = append(names, name)
	}
	if in.depth++; in.depth > mostDepth {
		in.depth--
		return &goType{kind: anything}
	}
	defer func() { in.depth-- }()
	if !fits || option == "" && d.Len() >= mapFrom && in.uniform(d) {
		return in.once(id, func(t *goType) {
			t.kind = mapping
			for k, v := range d.All() {
				t.addKey(k, in.value(k))
				t.elem = merge(t.elem, in.value(v))
			}
		})
	}
	// A dict with the same keys as one that it lies in is of the same type: a tree.
	sorted := append([]string(nil), names...)
	sort.Strings(sorted)
	signature := option + "\x00" + strings.Join(sorted, "\x00")
	t := in.making[signature]
	if t == nil {
		t = &goType{kind: record, option: option}
		in.making[signature] = t
		defer delete(in.making, signature)
	}
	in.done[id] = t
	t.seen++
	i := 0
	for _, v := range d.All() {
		ft := in.value(v) // first: it may turn out what t is
		t.real().see(names[i], ft)
		i++
	}
	return t.real()
}

// see notes a value of a field.
func (t *goType) see(name string, ft *goType) {
	for _, f := range t.fields {
		if f.name == name {
			f.t = merge(f.t, ft)
			f.seen++
			return
		}
	}
	t.fields = append(t.fields, &field{name: name, t: ft, seen: 1})
}

// uniform reports whether the values of a dict are scalars of one type.
func (in *inferrer) uniform(d *pickleproto.Dict) bool {
	var t *goType
	for _, v := range d.All() {
		switch v.(type) {
		case bool, int64, float64, string:
		default:
			return false
		}
		ft := in.value(v)
		if t != nil && t.kind != ft.kind {
			return false
		}
		t = ft
	}
	return true
}

// object is one of the stdlib classes that have a Go type, an array of numpy, or a record of its
// attributes.
func (in *inferrer) object(o *pickleproto.Object) *goType {
	var array numpy.Array
	if array.UnmarshalPickle(o) == nil {
		return &goType{kind: named, name: arrayType(array)}
	}
	if path := pathType(o); path != "" {
		return &goType{kind: named, name: path}
	}
	class, dict, items, ok := anatomy(o)
	switch {
	case ok && dict != nil && (dict.Len() > 0 || len(items) == 0):
		return in.dict(o, dict, ",class="+class)
	case ok && items != nil:
		t := &goType{kind: record, option: ",namedtuple=" + class, seen: 1}
		in.done[o] = t
		for i, item := range items {
			t.see(fmt.Sprintf("item_%d", i), in.value(item))
		}
		return t
	}
	if v, err := pickleproto.Plain(o); err == nil && v != nil {
		switch reflect.TypeOf(v).Kind() {
		case reflect.Map, reflect.Slice, reflect.String: // a Go type of text does not take it
		default:
			return &goType{kind: named, name: reflect.TypeOf(v).String()}
		}
	}
	if len(o.Ops) == 1 {
		switch op := o.Ops[0]; op.Kind {
		case pickleproto.OpSetItems:
			return in.once(o, func(t *goType) {
				t.kind = mapping
				for i := 0; i+1 < len(op.Items); i += 2 {
					t.addKey(op.Items[i], in.value(op.Items[i]))
					t.elem = merge(t.elem, in.value(op.Items[i+1]))
				}
			})
		case pickleproto.OpAppends:
			return in.once(o, func(t *goType) { in.items(t, op.Items) })
		}
	}
	return &goType{kind: named, name: "*pickleproto.Object"}
}

// anatomy takes a plain object, a dataclass or a namedtuple of a program's own apart.
func anatomy(o *pickleproto.Object) (class string, dict *pickleproto.Dict, items []any, ok bool) {
	args, _ := o.Args.(pickleproto.Tuple)
	g, isGlobal := o.Callable.(pickleproto.Global)
	switch {
	case isGlobal && g.Name == "_reconstructor" && len(args) == 3:
		if g, isGlobal = args[0].(pickleproto.Global); args[2] != nil {
			items, _ = args[2].(pickleproto.Tuple)
		}
	case o.How == pickleproto.ByNewObj:
		items = args
	case o.How != pickleproto.ByInst && o.How != pickleproto.ByObj:
		return "", nil, nil, false
	}
	if !isGlobal {
		return "", nil, nil, false
	}
	class = g.Module + "." + g.Name
	if strings.Contains(g.Name, ".") {
		class = g.Module + ":" + g.Name
	}
	for _, op := range o.Ops {
		if op.Kind != pickleproto.OpBuild || len(op.Items) != 1 {
			return "", nil, nil, false
		}
		state := op.Items[0]
		if pair, isPair := state.(pickleproto.Tuple); isPair && len(pair) == 2 && pair[0] == nil {
			state = pair[1]
		}
		if dict, ok = state.(*pickleproto.Dict); !ok {
			return "", nil, nil, false
		}
	}
	if dict == nil && len(items) == 0 {
		dict = pickleproto.NewDict()
	}
	return class, dict, items, true
}

// pathType is the Go type for a path of pathlib, "" for anything else. (Plain makes it a string.)
func pathType(o *pickleproto.Object) string {
	g, ok := o.Callable.(pickleproto.Global)
	if !ok || g.Module != "pathlib" && g.Module != "pathlib._local" {
		return ""
	}
	return map[string]string{"PosixPath": "pickleproto.Path", "PurePosixPath": "pickleproto.PurePath",
		"WindowsPath": "pickleproto.WindowsPath", "PureWindowsPath": "pickleproto.PureWindowsPath"}[g.Name]
}

// itemTypes are the Go types of numpy's items, by the dtype without its byte order; of text and
// times by the kind.
var itemTypes = map[string]reflect.Type{
	"b1": reflect.TypeFor[bool](), "i1": reflect.TypeFor[int8](), "i2": reflect.TypeFor[int16](), "i4": reflect.TypeFor[int32](),
	"i8": reflect.TypeFor[int64](), "u1": reflect.TypeFor[uint8](), "u2": reflect.TypeFor[uint16](), "u4": reflect.TypeFor[uint32](),
	"u8": reflect.TypeFor[uint64](), "f2": reflect.TypeFor[float32](), "f4": reflect.TypeFor[float32](), "f8": reflect.TypeFor[float64](),
	"c8": reflect.TypeFor[complex64](), "c16": reflect.TypeFor[complex128](),
	"U": reflect.TypeFor[string](), "S": reflect.TypeFor[string](), "M": reflect.TypeFor[time.Time](), "m": reflect.TypeFor[time.Duration](),
}

// arrayType is the Go type that numpy's Into fills, or where there is none (a time that is NaT)
// numpy.Array.
func arrayType(a numpy.Array) string {
	t, ok := itemTypes[string(a.DType[1:])]
	if !ok {
		t, ok = itemTypes[string(a.DType[1:2])]
	}
	if !ok {
		return "numpy.Array"
	}
	for range a.Shape {
		t = reflect.SliceOf(t)
	}
	if a.Into(reflect.New(t).Interface()) != nil {
		return "numpy.Array"
	}
	return numpyMark + t.String()
}

// numpyMark stands before types that need numpy.Binding.
const numpyMark = "numpy:"

func keyText(k any) (string, bool) {
	switch k := k.(type) {
	case string:
		return k, true
	case pickleproto.ByteString:
		return string(k), true
	}
	return "", false
}

// merge is the type that holds the values of both.
func merge(a, b *goType) *goType {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	a, b = a.real(), b.real()
	if a == b {
		return a
	}
	nullable := a.nullable || b.nullable
	switch {
	case b.kind == unknown:
	case a.kind == unknown:
		c := *b
		if b.kind == record {
			b.nullable = nullable
			return b
		}
		a = &c
	case a.kind == b.kind:
		switch a.kind {
		case named:
			if a.name != b.name {
				a = &goType{kind: anything}
			}
		case slice:
			length := a.length
			if b.length != length {
				length = 0
			}
			a = &goType{kind: slice, elem: merge(a.elem, b.elem), length: length}
		case mapping:
			a = &goType{kind: mapping, key: merge(a.key, b.key), elem: merge(a.elem, b.elem), tuples: a.tuples || b.tuples}
		case set:
			a = &goType{kind: set, key: merge(a.key, b.key), tuples: a.tuples || b.tuples}
		case record:
			if a.option != b.option || a.option == ",tuple" && len(a.fields) != len(b.fields) {
				return &goType{kind: anything}
			}
			b.same = a // first, for what contains itself
			a.seen += b.seen
			for _, f := range b.fields {
				seen := f.seen
				a.see(f.name, f.t)
				for _, g := range a.fields {
					if g.name == f.name {
						g.seen += seen - 1
					}
				}
			}
		default:
			c := *a
			c.bytesToo = a.bytesToo && b.bytesToo
			a = &c
		}
	case a.bytesToo && b.name == "[]byte" || a.name == "[]byte" && b.bytesToo:
		a = &goType{kind: named, name: "[]byte"}
	case number(a) && number(b):
		k := max(a.kind, b.kind)
		if k == floating && min(a.kind, b.kind) == bigInteger {
			k = anything
		}
		a = &goType{kind: k}
	case a.kind == mapping && b.kind == record && b.option == "" || a.kind == record && a.option == "" && b.kind == mapping:
		if a.kind == record {
			a, b = b, a
		}
		c := &goType{kind: mapping, key: merge(a.key, &goType{kind: text}), elem: a.elem, tuples: a.tuples}
		for _, f := range b.fields {
			c.elem = merge(c.elem, f.t)
		}
		a = c
	default:
		a = &goType{kind: anything}
	}
	a.nullable = nullable
	return a
}

func number(t *goType) bool {
	return t.kind == integer || t.kind == bigInteger || t.kind == floating
}
