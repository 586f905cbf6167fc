package gotypes

import (
	"fmt"
	"go/format"
	"sort"
	"strings"
	"unicode"
)

// Declare returns a Go source file of package main that declares types for values like v, a value
// decoded into `any`; the outermost one is called name. A field that some dicts lack has omitempty,
// one that was None is a pointer.
func Declare(v any, name string) ([]byte, error) {
	in := inferrer{done: map[any]*goType{}, making: map[string]*goType{}}
	t := in.value(v).real()
	p := printer{used: map[string]bool{}, imports: map[string]bool{}}
	if t.kind == record {
		t.label = p.label(name)
		p.queue = append(p.queue, t)
	} else {
		p.used[name] = true
		text, equals := p.typeOf(t, name+"Item"), ""
		if t.kind == named || strings.HasPrefix(text, "*") { // a new type would lack its methods
			equals = "= "
		}
		fmt.Fprintf(&p.body, "type %s %s%s\n\n", name, equals, text)
	}
	for len(p.queue) > 0 {
		next := p.queue[0]
		p.queue = p.queue[1:]
		p.record(next)
	}
	var out strings.Builder
	out.WriteString("package main\n\n")
	if len(p.imports) > 0 {
		paths := make([]string, 0, len(p.imports))
		for path := range p.imports {
			paths = append(paths, path)
		}
		sort.Strings(paths)
		out.WriteString("import (\n")
		for _, path := range paths {
			fmt.Fprintf(&out, "%q\n", path)
		}
		out.WriteString(")\n\n")
	}
	if p.numpy {
		out.WriteString("// Unmarshal with numpy.Binding() of pickleproto/numpy.\n\n")
	}
	out.WriteString(p.body.String())
	return format.Source([]byte(out.String()))
}

type printer struct {
	body    strings.Builder
	queue   []*goType // records that are yet to be declared
	used    map[string]bool
	imports map[string]bool
	numpy   bool
}

// label makes a name unique.
func (p *printer) label(name string) string {
	unique := name
	for i := 2; p.used[unique]; i++ {
		unique = fmt.Sprint(name, i)
	}
	p.used[unique] = true
	return unique
}

func (p *printer) record(t *goType) {
	fmt.Fprintf(&p.body, "type %s struct {\n", t.label)
	if t.option != "" {
		fmt.Fprintf(&p.body, "_ struct{} `pickle:%q`\n", t.option)
	}
	used := map[string]bool{}
	for _, f := range t.fields {
		name := goName(f.name)
		for i := 2; used[name]; i++ {
			name = fmt.Sprint(goName(f.name), i)
		}
		used[name] = true
		positional := t.option == ",tuple" || strings.HasPrefix(t.option, ",namedtuple")
		fmt.Fprintf(&p.body, "%s %s", name, p.typeOf(f.t, singular(name)))
		if !positional {
			tag := f.name
			if f.seen < t.seen {
				tag += ",omitempty"
			}
			fmt.Fprintf(&p.body, " `pickle:%q`", tag)
		}
		p.body.WriteByte('\n')
	}
	p.body.WriteString("}\n\n")
}

// typeOf writes a type; name is for a struct that has none yet.
func (p *printer) typeOf(t *goType, name string) string {
	if t == nil {
		return "any"
	}
	t = t.real()
	out := ""
	switch t.kind {
	case boolean:
		out = "bool"
	case integer:
		out = "int64"
	case floating:
		out = "float64"
	case text:
		out = "string"
	case bigInteger:
		p.imports["math/big"] = true
		return "*big.Int"
	case named:
		return p.named(t)
	case slice, mapping:
		// What contains itself has no name to refer to itself by.
		if t.open {
			return "any"
		}
		t.open = true
		defer func() { t.open = false }()
		if t.kind == slice {
			return "[]" + p.typeOf(t.elem, name)
		}
		key := p.keyOf(t.key, name+"Key")
		if key == "any" && t.tuples {
			p.imports[pickleprotoPath] = true
			return "*pickleproto.Dict"
		}
		return "map[" + key + "]" + p.typeOf(t.elem, name)
	case set:
		key := p.keyOf(t.key, name)
		if key == "any" && t.tuples {
			return "any"
		}
		return "map[" + key + "]struct{}"
	case record:
		if t.label == "" {
			t.label = p.label(name)
			p.queue = append(p.queue, t)
			out = t.label
			break
		}
		return "*" + t.label // perhaps within itself
	default:
		return "any"
	}
	if t.nullable {
		return "*" + out
	}
	return out
}

// keyOf writes a map's key type, which Go must be able to hash.
func (p *printer) keyOf(t *goType, name string) string {
	if t == nil {
		return "any"
	}
	switch t = t.real(); t.kind {
	case boolean, integer, floating, text:
		if !t.nullable {
			return p.typeOf(t, name)
		}
	case named:
		if t.name == "[]byte" {
			p.imports[pickleprotoPath] = true
			return "pickleproto.Bytes"
		}
		if !strings.ContainsAny(t.name, "*[") {
			return p.named(t)
		}
	case slice:
		if t.length > 0 && !t.nullable {
			return fmt.Sprintf("[%d]%s", t.length, p.keyOf(t.elem, name))
		}
	case record:
		if t.option == ",tuple" && !t.nullable {
			return p.typeOf(t, name)
		}
	}
	return "any"
}

const pickleprotoPath = "github.com/picklebridge/picklebridge/pickleproto"

func (p *printer) named(t *goType) string {
	name := t.name
	if rest, ok := strings.CutPrefix(name, numpyMark); ok {
		p.numpy = true
		name = rest
	}
	for prefix, path := range map[string]string{"time.": "time", "big.": "math/big", "netip.": "net/netip", "pickleproto.": pickleprotoPath, "numpy.": pickleprotoPath + "/numpy"} {
		if strings.Contains(name, prefix) {
			p.imports[path] = true
		}
	}
	if t.nullable && !strings.HasPrefix(name, "*") && !strings.HasPrefix(name, "[]") {
		return "*" + name
	}
	return name
}

// goName makes an exported Go name: "last_seen" is LastSeen, "user_id" UserID.
func goName(s string) string {
	var sb strings.Builder
	for part := range strings.SplitSeq(s, "_") {
		if part == "" {
			continue
		}
		switch upper := strings.ToUpper(part); upper {
		case "ID", "URL", "IP", "HTTP", "UUID", "JSON", "HTML", "API":
			sb.WriteString(upper)
			continue
		}
		r := []rune(part)
		r[0] = unicode.ToUpper(r[0])
		sb.WriteString(string(r))
	}
	name := sb.String()
	if name == "" || !unicode.IsUpper([]rune(name)[0]) {
		return "X" + name
	}
	return name
}

// singular is the name of one of several.
func singular(name string) string {
	if len(name) > 3 && strings.HasSuffix(name, "s") && !strings.HasSuffix(name, "ss") {
		return name[:len(name)-1]
	}
	return name
}

// isName reports whether a key could be a field's name and stand in a tag.
func isName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return strings.Trim(s, "_") != ""
}
