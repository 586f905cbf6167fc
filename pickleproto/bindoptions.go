package pickleproto

import (
	"fmt"
	"reflect"
)

// bindingConfig is the part of config that concerns Go types.
type bindingConfig struct {
	disallowUnknown bool
	requireFields   bool
	truncateNanos   bool
	byName          map[Global]reflect.Type
	byType          map[reflect.Type]classTag
	converters      []func(o *Object, t reflect.Type) (any, bool, error)
	err             error // of a registration; reported by the call that has the option
}

// WithDisallowUnknownFields makes a key of a Python dict, or an attribute of an instance, that
// meets no field of the Go struct a *TypeError. Without it such a key is ignored.
func WithDisallowUnknownFields() Option {
	return func(c *config) { c.binding.disallowUnknown = true }
}

// WithRequireFields makes a struct's field that the Python value does not mention a *TypeError,
// unless the field's tag says omitempty or omitzero. Without it such a field keeps its value.
func WithRequireFields() Option { return func(c *config) { c.binding.requireFields = true } }

// WithTruncatedNanoseconds makes Marshal cut times and durations down to whole microseconds,
// which is all that Python's datetime holds. Without it a finer one is an error.
func WithTruncatedNanoseconds() Option { return func(c *config) { c.binding.truncateNanos = true } }

// WithClass registers the type of v, a struct or a pointer to one, as the Python class name
// ("app.models.User"; "app.models:Outer.Inner" for a nested one): Marshal writes such structs as
// its instances, with the fields in __dict__, which is what plain objects and dataclasses have;
// and a Go interface that meets an instance receives the type.
func WithClass(name string, v any) Option { return withClass(name, v, formInstance) }

// WithSlotsClass is WithClass for a class whose attributes are in __slots__.
func WithSlotsClass(name string, v any) Option { return withClass(name, v, formSlots) }

// WithNamedTuple is WithClass for a namedtuple: the fields are its items, in their order.
func WithNamedTuple(name string, v any) Option { return withClass(name, v, formNamedTuple) }

// WithEnum registers the type of v, which is no struct, as the Python enum name: a Go constant
// of that type is the member with that value, both ways. Whether there is such a member is
// Python's to say; a Go type can have UnmarshalPickle to look.
//
// CPython 3.11.0 to 3.11.3 pickle a member by its name and not by its value. For them v may be a map
// from the names of the members to the constants, map[string]Color{"RED": Red, "GREEN": Green}: it is
// the type of the constants that is registered then, and what comes by name is looked up; so are the
// members of a Flag, joined.
func WithEnum(name string, v any) Option { return withClass(name, v, formEnum) }

func withClass(name string, v any, f form) Option {
	g, err := parseClass(name)
	t := reflect.TypeOf(v)
	var members map[string]any
	if f == formEnum && t != nil && t.Kind() == reflect.Map && t.Key().Kind() == reflect.String {
		members = make(map[string]any)
		for it := reflect.ValueOf(v).MapRange(); it.Next(); {
			value, valueErr := plainValue(it.Value())
			if valueErr != nil && err == nil {
				err = valueErr
			}
			members[it.Key().String()] = value
		}
		t = t.Elem()
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if err == nil && (t == nil || (t.Kind() == reflect.Struct) == (f == formEnum) || f == formEnum && !t.Comparable()) {
		err = fmt.Errorf("pickle: Go %v cannot be registered as %s", reflect.TypeOf(v), name)
	}
	return func(c *config) {
		b := &c.binding
		if err != nil {
			if b.err == nil {
				b.err = err
			}
			return
		}
		// The options are immutable and the config belongs to one call, so the maps are its own.
		if b.byName == nil {
			b.byName, b.byType = map[Global]reflect.Type{}, map[reflect.Type]classTag{}
		}
		b.byName[g], b.byType[t] = t, classTag{form: f, name: g, members: members}
	}
}

// WithConverter lets f turn instances into Go values: it is asked for each *Object that Unmarshal
// is to put into a Go type other than `any` and those of this package, and returns a value that can
// be assigned to t, or false if it has none. f must not keep or change o.
func WithConverter(f func(o *Object, t reflect.Type) (v any, ok bool, err error)) Option {
	return func(c *config) { c.binding.converters = append(c.binding.converters, f) }
}

// classOf says how the struct type t is written: as registered, else as its blank field says.
func (c *config) classOf(t reflect.Type, s *structFields) classTag {
	if tag, ok := c.binding.byType[t]; ok {
		return tag
	}
	return s.class
}
