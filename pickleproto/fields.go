package pickleproto

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// structFields is what the binding knows of one struct type: its fields by encoding/json's
// rules (embedded structs promoted, the shallowest and then the tagged one wins, ties annihilate
// each other, unexported ones skipped), and how it is written. It is immutable.
type structFields struct {
	fields []structField
	exact  map[string]int // by name
	folded map[string]int // by foldName(name); the first of equal ones
	class  classTag
	err    error // a tag that says something impossible
}

type structField struct {
	name      string
	index     []int
	typ       reflect.Type
	tagged    bool
	omitEmpty bool
	omitZero  bool
	viaPtr    bool // an embedded pointer lies on the way
}

// form says what a struct is in Python.
type form uint8

const (
	formDict       form = iota // a dict of its fields
	formInstance               // cls.__new__(cls) with the fields in __dict__: plain objects, dataclasses
	formSlots                  // the same with the fields in __slots__
	formNamedTuple             // cls.__new__(cls, *fields)
	formTuple                  // a plain tuple of the fields
	formEnum                   // cls(value), of a type that is no struct
)

// classTag is the option of a blank field: `_ struct{} `pickle:",class=app.models.User"“.
type classTag struct {
	form    form
	name    Global
	members map[string]any // of an enum: the values by the members' names, if WithEnum was given them
}

var structCache sync.Map // reflect.Type -> *structFields; a cache of pure functions of the type

func fieldsOf(t reflect.Type) *structFields {
	if p, ok := structCache.Load(t); ok {
		return p.(*structFields)
	}
	p, _ := structCache.LoadOrStore(t, collectFields(t))
	return p.(*structFields)
}

// lookup finds the field for a Python name: the exact one, else one that differs in case only.
func (s *structFields) lookup(name string) (int, bool) {
	if i, ok := s.exact[name]; ok {
		return i, true
	}
	i, ok := s.folded[foldName(name)]
	return i, ok
}

// foldName maps names that differ in case only to one name, as encoding/json does.
func foldName(name string) string {
	ascii := true
	for i := 0; i < len(name); i++ {
		if c := name[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			ascii = false
			break
		}
	}
	if ascii {
		return name
	}
	return strings.Map(func(r rune) rune {
		// The least of the runes that fold to each other, but in lower case where that is
		// ASCII, so that most names are themselves.
		least := r
		for q := unicode.SimpleFold(r); q != r; q = unicode.SimpleFold(q) {
			least = min(least, q)
		}
		if 'A' <= least && least <= 'Z' {
			least += 'a' - 'A'
		}
		return least
	}, name)
}

// parseClass splits "app.models.User" at its last dot. "app.models:Outer.Inner" names a nested
// class: the module ends at the colon.
func parseClass(s string) (Global, error) {
	sep := strings.IndexByte(s, ':')
	if sep < 0 {
		sep = strings.LastIndexByte(s, '.')
	}
	if sep <= 0 || sep == len(s)-1 || strings.ContainsAny(s, "\n\r \t") {
		return Global{}, fmt.Errorf("pickle: %q is not the name of a class (module.Name)", s)
	}
	return Global{Module: s[:sep], Name: s[sep+1:]}, nil
}

func (c *classTag) parse(option string) error {
	kind, name, _ := strings.Cut(option, "=")
	switch kind {
	case "":
		return nil
	case "tuple":
		c.form = formTuple
		return nil
	case "class":
		c.form = formInstance
	case "slots":
		c.form = formSlots
	case "namedtuple":
		c.form = formNamedTuple
	default:
		return fmt.Errorf("pickle: unknown option %q of a blank field", option)
	}
	var err error
	c.name, err = parseClass(name)
	return err
}

func collectFields(t reflect.Type) *structFields {
	s := &structFields{exact: map[string]int{}, folded: map[string]int{}}

	type embedded struct {
		typ    reflect.Type
		index  []int
		viaPtr bool
	}
	// Level by level, as encoding/json: a type that occurs twice on a level annihilates its own
	// fields, which recording each of them twice does.
	var found []structField
	next := []embedded{{typ: t}}
	visited := map[reflect.Type]bool{}
	var count, nextCount map[reflect.Type]int
	for len(next) > 0 {
		var level []embedded
		level, next = next, nil
		count, nextCount = nextCount, map[reflect.Type]int{}
		for _, e := range level {
			if visited[e.typ] {
				continue
			}
			visited[e.typ] = true
			for i := range e.typ.NumField() {
				sf := e.typ.Field(i)
				tag := sf.Tag.Get("pickle")
				if sf.Name == "_" {
					if len(e.index) == 0 && tag != "" {
						_, options, _ := strings.Cut(tag, ",")
						for option := range strings.SplitSeq(options, ",") {
							if err := s.class.parse(option); err != nil && s.err == nil {
								s.err = fmt.Errorf("%w in %v", err, t)
							}
						}
					}
					continue
				}
				ft := sf.Type
				if ft.Name() == "" && ft.Kind() == reflect.Pointer {
					ft = ft.Elem()
				}
				if sf.Anonymous {
					if !sf.IsExported() && ft.Kind() != reflect.Struct {
						continue
					}
				} else if !sf.IsExported() {
					continue
				}
				if tag == "-" {
					continue
				}
				name, options, _ := strings.Cut(tag, ",")
				index := append(slices.Clip(slices.Clone(e.index)), i)
				if name == "" && sf.Anonymous && ft.Kind() == reflect.Struct {
					nextCount[ft]++
					if nextCount[ft] == 1 {
						next = append(next, embedded{ft, index, e.viaPtr || sf.Type.Kind() == reflect.Pointer})
					}
					continue
				}
				f := structField{name: name, index: index, typ: sf.Type, tagged: name != "", viaPtr: e.viaPtr}
				if name == "" {
					f.name = sf.Name
				}
				for option := range strings.SplitSeq(options, ",") {
					switch option {
					case "":
					case "omitempty":
						f.omitEmpty = true
					case "omitzero":
						f.omitZero = true
					default:
						if s.err == nil {
							s.err = fmt.Errorf("pickle: unknown option %q of %v.%s", option, t, sf.Name)
						}
					}
				}
				found = append(found, f)
				if count[e.typ] > 1 {
					found = append(found, f)
				}
			}
		}
	}

	slices.SortStableFunc(found, func(a, b structField) int {
		if d := strings.Compare(a.name, b.name); d != 0 {
			return d
		}
		if d := len(a.index) - len(b.index); d != 0 {
			return d
		}
		switch {
		case a.tagged == b.tagged:
			return 0
		case a.tagged:
			return -1
		}
		return 1
	})
	for i := 0; i < len(found); {
		end := i + 1
		for end < len(found) && found[end].name == found[i].name {
			end++
		}
		if end == i+1 || len(found[i].index) != len(found[i+1].index) || found[i].tagged != found[i+1].tagged {
			s.fields = append(s.fields, found[i])
		}
		i = end
	}
	slices.SortFunc(s.fields, func(a, b structField) int { return slices.Compare(a.index, b.index) })
	for i, f := range s.fields {
		s.exact[f.name] = i
		if _, taken := s.folded[foldName(f.name)]; !taken {
			s.folded[foldName(f.name)] = i
		}
	}
	return s
}

// find returns the field within v, or ok false when a nil embedded pointer lies on the way.
func (f *structField) find(v reflect.Value) (_ reflect.Value, ok bool) {
	for i, n := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}, false
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v, true
}

// reach is find that makes the structs on the way. A pointer to an unexported struct cannot be
// set by reflection.
func (f *structField) reach(v reflect.Value) (reflect.Value, error) {
	for i, n := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				if !v.CanSet() {
					return reflect.Value{}, &TypeError{Go: v.Type(), Offset: -1,
						Msg: fmt.Sprintf("cannot set the embedded pointer to unexported %v", v.Type().Elem())}
				}
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v, nil
}

// omit reports whether the field's options leave v out.
func (f *structField) omit(v reflect.Value) bool {
	if f.omitZero {
		if z, ok := v.Interface().(interface{ IsZero() bool }); ok {
			if (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && v.IsNil() || z.IsZero() {
				return true
			}
		} else if v.IsZero() {
			return true
		}
	}
	if !f.omitEmpty {
		return false
	}
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64, reflect.Interface, reflect.Pointer:
		return v.IsZero()
	}
	return false
}
