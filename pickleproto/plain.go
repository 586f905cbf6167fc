package pickleproto

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"
)

// Plain turns Python values into plain Go ones, for code that wants neither this package's types
// nor structs of its own.
//
//	None, bool, int, float, str     nil, bool, int64 or *big.Int, float64, string
//	complex                         complex128
//	bytes, bytearray                []byte; a Python 2 str is a string if it is UTF-8, else []byte
//	list, tuple, set, frozenset,    []any, in the order in which they hold their items
//	deque
//	dict, OrderedDict, defaultdict, map[string]any if all keys are str (or there are none), else
//	Counter                         map[any]any
//	aware datetime                  time.Time
//	naive datetime, date, time      NaiveDateTime, Date, TimeOfDay
//	timedelta                       time.Duration; TimeDelta if that is too short
//	Decimal, Fraction, UUID         Decimal, *big.Rat, UUID
//	array.array                     its slice: []int32, []float64, ...
//	pathlib                         string
//	ipaddress                       netip.Addr, netip.Prefix, IPInterface
//	timezone, ZoneInfo              *time.Location
//	range, slice                    Range, Slice
//	exceptions of Python's own      *Exception
//	SimpleNamespace, plain objects, map[string]any of the attributes
//	dataclasses
//	namedtuple                      []any
//	classes and functions           Global
//	*Buffer with Data               []byte
//
// In a map[any]any the keys are what is said above as far as Go can hash it (bytes stay Bytes);
// a tuple, a frozenset or a big int as a key is an error, as are two keys that become one.
// So are other instances, persistent ids, extension codes, and a value that contains itself; what
// is shared stays shared. Errors are *TypeErrors with the path, or a *LimitError beyond 10,000
// levels, or where instances that share their arguments would be copied into more than 128 MiB. Go
// values that are none of this package's come back as they are.
func Plain(v any) (any, error) {
	p := plainer{memory: maxPlainCopies}
	p.meter = newMeter(p.take)
	return p.value(v)
}

// plainer converts one graph. Each container is converted once, which keeps what is shared shared
// and the work linear.
type plainer struct {
	depth  int
	memory int64 // bytes left that the conversion of instances may copy
	meter  *meter
	done   map[any]any // by pointer or tupleID; converting while it is under way
}

// maxPlainCopies is twice the largest message: what is not shared does not reach it.
const maxPlainCopies = 128 << 20

func (p *plainer) take(n int64) error {
	if p.memory -= n; p.memory < 0 {
		return &LimitError{Limit: "memory", Value: uint64(maxPlainCopies - p.memory), Max: maxPlainCopies, Offset: -1}
	}
	return nil
}

// converting marks a container whose conversion has begun.
type converting struct{}

// container runs f for a container unless that was done.
func (p *plainer) container(id any, f func() (any, error)) (any, error) {
	if v, ok := p.done[id]; ok {
		if _, under := v.(converting); under {
			return nil, plainError("", "a value that contains itself has no plain Go form")
		}
		return v, nil
	}
	if p.depth >= DefaultMaxDepth {
		return nil, &LimitError{Limit: "depth", Value: uint64(p.depth) + 1, Max: DefaultMaxDepth, Offset: -1}
	}
	if p.done == nil {
		p.done = map[any]any{}
	}
	p.done[id] = converting{}
	p.depth++
	v, err := f()
	p.depth--
	if err != nil {
		return nil, err
	}
	p.done[id] = v
	return v, nil
}

func plainError(python, msg string) error {
	return &TypeError{Python: python, Offset: -1, Msg: msg}
}

// below puts a step before the path of an error.
func below(step string, err error) error {
	if t, ok := err.(*TypeError); ok && len(t.Path) < 1024 {
		t.Path = step + t.Path
	}
	return err
}

func (p *plainer) value(v any) (any, error) {
	switch v := v.(type) {
	case Int:
		return int64(v), nil
	case Long:
		return int64(v), nil
	case Bytes:
		return []byte(v), nil
	case ByteString:
		if utf8.ValidString(string(v)) {
			return string(v), nil
		}
		return []byte(v), nil
	case *Complex:
		if v == nil {
			return nil, nil
		}
		return complex(v.Real, v.Imag), nil
	case *ByteArray:
		if v == nil {
			return nil, nil
		}
		return append([]byte{}, v.Data...), nil
	case Tuple:
		if len(v) == 0 {
			return []any{}, nil
		}
		return p.container(tupleID{&v[0], len(v)}, func() (any, error) { return p.slice(v) })
	case *List:
		if v == nil {
			return nil, nil
		}
		return p.container(v, func() (any, error) { return p.list(v) })
	case *Set:
		if v == nil {
			return nil, nil
		}
		return p.container(v, func() (any, error) { return p.set(v.Len(), v.All()) })
	case *FrozenSet:
		if v == nil {
			return nil, nil
		}
		return p.container(v, func() (any, error) { return p.set(v.Len(), v.All()) })
	case *Dict:
		if v == nil {
			return nil, nil
		}
		return p.container(v, func() (any, error) { return p.dict(v) })
	case *Object:
		if v == nil {
			return nil, nil
		}
		return p.container(v, func() (any, error) { return p.object(v) })
	case *PersistentID:
		return nil, plainError("persistent id", "a persistent id has no plain Go form")
	case Extension:
		return nil, plainError("extension", "extension code "+strconv.Itoa(int(v))+" has no plain Go form")
	case *Buffer:
		if v == nil || v.Data == nil {
			return nil, plainError("memoryview", "an out-of-band buffer that was not supplied has no plain Go form")
		}
		return v.Data, nil
	}
	return v, nil
}

func (p *plainer) slice(items []any) (any, error) {
	out := make([]any, len(items))
	for i, v := range items {
		var err error
		if out[i], err = p.value(v); err != nil {
			return nil, below("["+strconv.Itoa(i)+"]", err)
		}
	}
	return out, nil
}

func (p *plainer) list(l *List) (any, error) {
	out := make([]any, l.Len())
	for i, v := range l.All() {
		var err error
		if out[i], err = p.value(v); err != nil {
			return nil, below("["+strconv.Itoa(i)+"]", err)
		}
	}
	return out, nil
}

func (p *plainer) set(n int, all func(func(any) bool)) (any, error) {
	out := make([]any, 0, n)
	for v := range all {
		x, err := p.value(v)
		if err != nil {
			return nil, below("{}", err)
		}
		out = append(out, x)
	}
	return out, nil
}

func (p *plainer) dict(d *Dict) (any, error) {
	strs := true
	for k := range d.All() {
		if _, ok := textOf(k); !ok {
			strs = false
			break
		}
	}
	if strs {
		out := make(map[string]any, d.Len())
		for k, v := range d.All() {
			name, _ := textOf(k)
			x, err := p.value(v)
			if err != nil {
				return nil, below("."+clip(name), err)
			}
			out[name] = x
		}
		return out, nil
	}
	out := make(map[any]any, d.Len())
	for k, v := range d.All() {
		key, err := p.key(k)
		if err != nil {
			return nil, err
		}
		x, err := p.value(v)
		if err != nil {
			return nil, below("["+reprLimited(k, 64)+"]", err)
		}
		if _, twice := out[key]; twice {
			return nil, plainError("dict", fmt.Sprintf("two keys of the dict become the Go key %.64v", key))
		}
		out[key] = x
	}
	return out, nil
}

// key converts a dict key to what a Go map can hold as one.
func (p *plainer) key(k any) (any, error) {
	if b, ok := k.(Bytes); ok {
		return b, nil
	}
	v, err := p.value(k)
	if err != nil {
		return nil, err
	}
	switch v.(type) {
	case nil, bool, int64, float64, complex128, string, Global, time.Time, time.Duration, TimeDelta, NaiveDateTime, Date, TimeOfDay,
		UUID, Range, netip.Addr, netip.Prefix, IPInterface, *time.Location:
		return v, nil
	}
	return nil, plainError(typeName(k), "a key of Python's type "+typeName(k)+" cannot be one of a Go map")
}

func (p *plainer) object(o *Object) (any, error) {
	v, known, err := convert(o, p.meter)
	if err != nil {
		return nil, err
	}
	if !known {
		return p.instance(o)
	}
	switch v := v.(type) {
	case TimeDelta:
		if d, ok := v.Duration(); ok {
			return d, nil
		}
		return v, nil
	case *OrderedDict:
		return p.dict(v.Dict)
	case *DefaultDict:
		return p.dict(v.Dict)
	case *Counter:
		return p.dict(v.Dict)
	case *Deque:
		return p.slice(v.Items)
	case *SimpleNamespace:
		return p.dict(v.Dict)
	case *Array:
		return v.Data, nil
	case Path:
		return string(v), nil
	case PurePath:
		return string(v), nil
	case WindowsPath:
		return string(v), nil
	case PureWindowsPath:
		return string(v), nil
	}
	return v, nil
}

// instance converts an instance of a class that is not in the table: a plain object to its
// attributes, a namedtuple to its items.
func (p *plainer) instance(o *Object) (any, error) {
	in, ok := instanceOf(o)
	if !ok {
		return nil, plainError("object", "an instance that a call of no class made has no plain Go form")
	}
	name := clip(in.class.Module + "." + in.class.Name)
	switch {
	case in.called || in.kwargs != nil || len(in.items) > 0 || len(in.pairs) > 0:
	case len(in.args) > 0 && in.state == nil:
		v, err := p.slice(in.args)
		return v, err
	case len(in.args) == 0:
		attrs, ok := in.attributes()
		if !ok {
			break
		}
		if _, isList := in.state.(*List); isList {
			items := make([]any, len(attrs))
			for i, a := range attrs {
				items[i] = a.value
			}
			return p.slice(items)
		}
		out := make(map[string]any, len(attrs))
		for _, a := range attrs {
			x, err := p.value(a.value)
			if err != nil {
				return nil, below("."+clip(a.name), err)
			}
			out[a.name] = x
		}
		return out, nil
	}
	return nil, plainError(in.class.Name, "an instance of "+name+" has no plain Go form")
}
