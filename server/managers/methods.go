package managers

import (
	"context"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"sync"
	"unicode"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// RegisterOption says how the methods of a value appear in Python.
type RegisterOption func(*registerConfig)

type registerConfig struct {
	names   map[string]string   // of methods, Go to Python
	only    map[string]bool     // nil is all
	params  map[string][]string // names of a Go method's parameters
	returns map[string]string   // Python name of a method to the typeid of its result
}

// WithName gives the Go method another name than its own in snake_case, to which an underscore is
// added where it would be one of Python's keywords: Print is print_. Python's special names
// may be among them: WithName("Len", "__len__") makes len(proxy) work.
func WithName(method, python string) RegisterOption {
	return func(c *registerConfig) { put(&c.names, method, python) }
}

// WithMethods exposes these Go methods and no others.
func WithMethods(methods ...string) RegisterOption {
	return func(c *registerConfig) {
		if c.only == nil {
			c.only = map[string]bool{}
		}
		for _, name := range methods {
			c.only[name] = true
		}
	}
}

// WithParams names the parameters of a Go method, without its context, so that Python can give
// them by name. Go itself does not keep their names.
func WithParams(method string, names ...string) RegisterOption {
	return func(c *registerConfig) { put(&c.params, method, names) }
}

// Returns makes the result of the method, by its name in Python, a proxy: an object of the typeid,
// which must be registered here, perhaps with nil, and in Python. It is method_to_typeid of
// Python's register.
func Returns(python, typeid string) RegisterOption {
	return func(c *registerConfig) { put(&c.returns, python, typeid) }
}

func put[V any](m *map[string]V, k string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[k] = v
}

// method is a Go function that Python calls.
type method struct {
	name     string // in Python
	fn       reflect.Value
	unbound  reflect.Value // fn as a function of receiver and arguments, which is called sooner; invalid if fn has no receiver
	receiver reflect.Value
	context  bool // takes one, first
	in       []reflect.Type
	params   []param // those of a struct of named ones included
	named    int     // how many of params can be given by name; from 0 or from the struct on
	into     int     // index in in of the struct that takes named arguments; -1 if there is none
	strict   bool    // that struct is for named arguments alone
	variadic bool
	required int
	results  int // without the error
	fails    bool
	direct   *sync.Pool // of *direct; nil if no call takes the direct way
}

// param is a parameter as Python sees it.
type param struct {
	name     string // empty if it has none
	typ      reflect.Type
	field    []int // in the struct of named ones; nil for a parameter of its own
	optional bool
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

func isFunc(v any) bool { return v != nil && reflect.TypeOf(v).Kind() == reflect.Func }

// methodOf looks at the function fn. names are those of its parameters, if given.
func methodOf(name string, fn reflect.Value, names []string) (*method, error) {
	t := fn.Type()
	m := &method{name: name, fn: fn, into: -1, variadic: t.IsVariadic()}
	for i := range t.NumIn() {
		if i == 0 && t.In(0) == contextType {
			m.context = true
			continue
		}
		m.in = append(m.in, t.In(i))
	}
	for i := range t.NumOut() {
		if i == t.NumOut()-1 && t.Out(i) == errorType {
			m.fails = true
			break
		}
		m.results++
	}
	if names != nil && len(names) != len(m.in) {
		return nil, fmt.Errorf("managers: %s has %d parameters, not the %d that are named", name, len(m.in), len(names))
	}
	for i, in := range m.in {
		last := i == len(m.in)-1
		if last && m.variadic {
			break
		}
		if fields, strict := namedFields(in); last && fields != nil {
			m.into, m.strict = i, strict
			m.params = append(m.params, fields...)
			m.named += len(fields)
			break
		}
		p := param{typ: in}
		if names != nil {
			p.name = names[i]
			m.named++
		}
		m.params = append(m.params, p)
	}
	for i, p := range m.params {
		if !p.optional {
			m.required = i + 1
		}
	}
	m.direct = directPool(m)
	return m, nil
}

// Args is embedded in a struct type that takes the arguments of a call by name, and is never
// itself the value of an argument.
type Args struct{}

var argsType = reflect.TypeFor[Args]()

// namedFields returns the parameters that a struct type stands for, nil if it stands for none.
// strict tells that the struct as a whole is never an argument.
func namedFields(t reflect.Type) (fields []param, strict bool) {
	if t.Kind() != reflect.Struct || isValueType(t) {
		return nil, false
	}
	strict = t.Name() == ""
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type == argsType && f.Anonymous {
			strict = true
			continue
		}
		if !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("pickle"), ",")
		if name == "-" && options == "" {
			continue
		}
		if name == "" {
			name = snakeCase(f.Name)
		}
		fields = append(fields, param{
			name: name, typ: f.Type, field: []int{i},
			optional: strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero"),
		})
	}
	return fields, strict
}

// target is what a proxy calls.
type target interface {
	exposed() []string                               // the names of its methods
	call(ctx context.Context, c *call) (any, error)  // errNoMethod if there is none of that name
	text(ctx context.Context, c *call) string        // what str(proxy) shows
	value(ctx context.Context, c *call) (any, error) // a copy of the value: proxy._getvalue()
}

// targetOf makes the target for v.
func targetOf(v any, cfg *registerConfig, typeid string) (target, error) {
	if t, ok := v.(target); ok {
		return t, nil
	}
	return reflected(v, cfg, typeid)
}

// reflectedValue is a Go value whose exported methods are called.
type reflectedValue struct {
	v       any
	typeid  string
	names   []string
	methods map[string]*method
}

func reflected(v any, cfg *registerConfig, typeid string) (*reflectedValue, error) {
	rv := reflect.ValueOf(v)
	r := &reflectedValue{v: v, typeid: typeid, methods: map[string]*method{}}
	t := rv.Type()
	for name := range cfg.names {
		if _, ok := t.MethodByName(name); !ok {
			return nil, fmt.Errorf("managers: %v has no exported method %s", t, name)
		}
	}
	for name := range cfg.only {
		if _, ok := t.MethodByName(name); !ok {
			return nil, fmt.Errorf("managers: %v has no exported method %s", t, name)
		}
	}
	for i := range t.NumMethod() {
		goName := t.Method(i).Name
		if cfg.only != nil && !cfg.only[goName] {
			continue
		}
		name, renamed := cfg.names[goName]
		switch {
		case renamed && (!isIdentifier(name) || isKeyword(name)):
			return nil, fmt.Errorf("managers: %q cannot be the name of a method in Python", name)
		case renamed:
		case isProtocolMethod(goName):
			continue
		default:
			if name = snakeCase(goName); isKeyword(name) {
				name += "_"
			}
		}
		m, err := methodOf(name, rv.Method(i), cfg.params[goName])
		if err != nil {
			return nil, err
		}
		m.unbound, m.receiver = t.Method(i).Func, rv
		if r.methods[name] != nil {
			return nil, fmt.Errorf("managers: two methods of %v are %s in Python", t, name)
		}
		r.methods[name] = m
		r.names = append(r.names, name)
	}
	sort.Strings(r.names)
	return r, nil
}

// isIdentifier tells what Python's client, which builds its methods as source text, takes as a
// name: ASCII, as Python 2 wants it.
func isIdentifier(name string) bool {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// isKeyword tells the keywords of Python 2 and 3, which no method can have as its name.
func isKeyword(name string) bool {
	switch name {
	case "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else",
		"except", "exec", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
		"not", "or", "pass", "print", "raise", "return", "try", "while", "with", "yield", "None", "True", "False":
		return true
	}
	return false
}

// isProtocolMethod tells methods that serve the conversion of a value, and not its callers.
func isProtocolMethod(name string) bool {
	switch name {
	case "MarshalPickle", "UnmarshalPickle", "MarshalText", "UnmarshalText", "MarshalJSON", "UnmarshalJSON",
		"MarshalBinary", "UnmarshalBinary", "String", "GoString", "Format":
		return true
	}
	return false
}

func (r *reflectedValue) exposed() []string { return r.names }

func (r *reflectedValue) call(ctx context.Context, c *call) (any, error) {
	m := r.methods[c.method]
	if m == nil {
		return nil, errNoMethod
	}
	return m.invoke(ctx, c)
}

// snakeCase turns a Go name into Python's: GetHTTPCode into get_http_code.
func snakeCase(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 {
			afterLower := !unicode.IsUpper(runes[i-1]) && runes[i-1] != '_'
			beforeLower := i+1 < len(runes) && unicode.IsLower(runes[i+1]) && unicode.IsUpper(runes[i-1])
			if afterLower || beforeLower {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// text is what fmt.Stringer says; the fields of a value that others may be changing are not read.
func (r *reflectedValue) text(context.Context, *call) string {
	if s, ok := r.v.(fmt.Stringer); ok {
		return s.String()
	}
	return "<" + r.typeid + " object>"
}

// value is what the value itself says: to read its fields while other goroutines change them
// could end the process.
func (r *reflectedValue) value(context.Context, *call) (any, error) {
	if m, ok := r.v.(pickleproto.Marshaler); ok {
		return m.MarshalPickle()
	}
	return nil, python.TypeError("cannot copy %s object", pickleproto.Repr(r.typeid))
}
