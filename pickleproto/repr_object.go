package pickleproto

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
)

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// object prints an instance: as Python does if it is one of the standard library's in a form that
// its class writes, else as what the stream said of it.
func (p *printer) object(o *Object) {
	if z, ok := parseZoneInfo(o); ok {
		p.write("zoneinfo.ZoneInfo(key=")
		p.str(z.key)
		p.write(")")
		return
	}
	in, ok := instanceOf(o)
	if !ok {
		p.unknown(o, nil)
		return
	}
	in.meter = p.meter
	class, known := stdlib(in.class)
	mark := "..."
	switch class.kind {
	case kindDeque:
		mark = "[...]"
	case kindNamespace:
		mark = "namespace(...)"
	case kindDefaultDict:
		mark = "defaultdict(None, {...})"
	}
	if p.met[o] && class.kind == kindDefaultDict && len(in.args) == 1 {
		p.write("defaultdict(")
		p.value(in.args[0])
		p.write(", {...})")
		return
	}
	if !p.enter(o, mark) {
		return
	}
	defer p.leave(o)
	if p.repeated > 0 {
		p.spend((len(in.items) + len(in.pairs)) / 8) // gone through even if little is printed
	}
	switch {
	case known && p.stdlib(class.kind, &in):
	case isException(in.class) && in.kwargs == nil && len(in.items) == 0 && len(in.pairs) == 0 && in.called:
		p.exception(&in)
	case p.odd(&in):
	default:
		p.unknown(o, &in)
	}
}

// unknown prints <module.Name object: arguments, state, items>.
func (p *printer) unknown(o *Object, in *instance) {
	var parts []any
	if in == nil {
		if !p.enter(o, "...") {
			return
		}
		defer p.leave(o)
		p.write("<")
		p.value(o.Callable)
		parts = append(parts, o.Args)
		for _, op := range o.Ops {
			parts = append(parts, op.Items...)
		}
	} else {
		p.write("<" + in.class.Module + "." + in.class.Name)
		if len(in.args) > 0 {
			parts = append(parts, in.args)
		}
		if in.kwargs != nil {
			parts = append(parts, in.kwargs)
		}
		if in.state != nil {
			parts = append(parts, in.state)
		}
		parts = append(parts, in.items...)
		for i := 0; i+1 < len(in.pairs); i += 2 {
			parts = append(parts, Tuple(in.pairs[i:i+2]))
		}
	}
	if len(parts) == 0 {
		p.write(" object>")
		return
	}
	p.write(" object")
	p.sequence(": ", parts, ">")
}

// odd prints two forms that are no class of the table: the type of a singleton, and a partial.
func (p *printer) odd(in *instance) bool {
	switch {
	case in.class == (Global{Module: "builtins", Name: "type"}) && len(in.args) == 1 && in.plain():
		name := ""
		switch a := in.args[0].(type) {
		case nil:
			name = "NoneType"
		case Global:
			switch a = python3Name(a); a {
			case Ellipsis:
				name = "ellipsis"
			case NotImplemented:
				name = "NotImplementedType"
			}
		}
		if name != "" {
			p.write("<class '" + name + "'>")
		}
		return name != ""
	case in.class == (Global{Module: "functools", Name: "partial"}):
		s, ok := in.state.(Tuple)
		if !ok || len(s) != 4 {
			return false
		}
		args, ok1 := s[1].(Tuple)
		kwargs, ok2 := s[2].(*Dict)
		if !ok1 || !ok2 {
			return false
		}
		p.write("functools.partial(")
		p.value(s[0])
		for _, a := range args {
			p.write(", ")
			p.value(a)
		}
		for k, v := range kwargs.All() {
			name, _ := textOf(k)
			p.write(", " + name + "=")
			p.value(v)
		}
		p.write(")")
		return true
	}
	return false
}

func (p *printer) exception(in *instance) {
	class, args := osErrorClass(in.class, in.args), in.args
	if len(args) > 2 && len(args) <= 5 && isOSError(class) {
		args = args[:2] // the rest are filenames
	}
	p.write(class.Name)
	if len(args) == 1 {
		p.sequence("(", args, ")")
		return
	}
	p.tuple(args)
}

// stdlib prints an instance of a class of the table; false, and nothing, if its form is none that
// the class writes.
func (p *printer) stdlib(kind stdlibKind, in *instance) bool {
	switch kind {
	case kindDateTime:
		n, tz, err := parseDateTime(in)
		if err != nil {
			return false
		}
		s := fmt.Sprintf("datetime.datetime(%d, %d, %d, %d, %d", n.Year, int(n.Month), n.Day, n.Hour, n.Minute)
		p.write(s + secondsRepr(n.Second, n.Microsecond))
		if n.Fold != 0 {
			p.write(", fold=1")
		}
		p.tzinfo(tz)
		p.write(")")
	case kindTime:
		t, tz, err := parseTimeOfDay(in)
		if err != nil {
			return false
		}
		p.write(fmt.Sprintf("datetime.time(%d, %d", t.Hour, t.Minute) + secondsRepr(t.Second, t.Microsecond))
		p.tzinfo(tz)
		if t.Fold != 0 {
			p.write(", fold=1")
		}
		p.write(")")
	case kindDate:
		d, err := parseDate(in)
		if err != nil {
			return false
		}
		p.write(fmt.Sprintf("datetime.date(%d, %d, %d)", d.Year, int(d.Month), d.Day))
	case kindTimeDelta:
		d, err := parseTimeDelta(in)
		if err != nil {
			return false
		}
		p.write(timeDeltaRepr(d))
	case kindTimezone:
		z, err := parseTimezone(in)
		if err != nil {
			return false
		}
		switch {
		case z.utc():
			p.write("datetime.timezone.utc")
		case z.named:
			p.write("datetime.timezone(" + timeDeltaRepr(z.offset) + ", ")
			p.str(z.name)
			p.write(")")
		default:
			p.write("datetime.timezone(" + timeDeltaRepr(z.offset) + ")")
		}
	case kindDecimal:
		t, ok := parseDecimal(in)
		if !ok {
			return false
		}
		p.write("Decimal('" + t.String() + "')")
	case kindFraction:
		v, err := fractionFrom(in)
		if err != nil {
			return false
		}
		r := v.(*big.Rat)
		p.write("Fraction(")
		p.bigInt(r.Num())
		p.write(", ")
		p.bigInt(r.Denom())
		p.write(")")
	case kindUUID:
		u, err := parseUUID(in)
		if err != nil {
			return false
		}
		p.write("UUID('" + u.String() + "')")
	case kindOrderedDict:
		d, err := parseOrderedDict(in)
		if d == nil || err != nil {
			return false
		}
		p.dictIn("OrderedDict(", d, ")")
	case kindDefaultDict:
		factory, d, err := parseDefaultDict(in)
		if d == nil || err != nil {
			return false
		}
		p.write("defaultdict(")
		p.value(factory)
		p.write(", ")
		p.dict(d)
		p.write(")")
	case kindCounter:
		d, err := parseCounter(in)
		if d == nil || err != nil {
			return false
		}
		p.dictIn("Counter(", mostCommon(d), ")")
	case kindDeque:
		items, maxLen, ok, err := parseDeque(in)
		if !ok || err != nil {
			return false
		}
		p.sequence("deque([", items, "]")
		if maxLen >= 0 {
			p.write(fmt.Sprintf(", maxlen=%d", maxLen))
		}
		p.write(")")
	case kindNamespace:
		d, ok := parseNamespace(in)
		if !ok {
			return false
		}
		p.write("namespace(")
		first := true
		for k, v := range d.All() {
			if !first {
				p.write(", ")
			}
			first = false
			if name, ok := textOf(k); ok {
				p.write(name)
			} else {
				p.value(k)
			}
			p.write("=")
			p.value(v)
		}
		p.write(")")
	case kindRange:
		if len(in.args) != 3 || !in.plain() {
			return false
		}
		for _, a := range in.args {
			if _, ok := bigOf(a); !ok {
				return false
			}
		}
		args := in.args
		if step, _ := intOf(args[2]); step == 1 {
			args = args[:2]
		}
		p.write("range")
		p.tuple(args)
	case kindSlice:
		if len(in.args) != 3 || !in.plain() {
			return false
		}
		p.sequence("slice(", in.args, ")")
	case kindArray:
		v, err := arrayFrom(in)
		a, ok := v.(*Array)
		if !ok || err != nil {
			return false
		}
		p.array(a)
	case kindPath:
		parts, err := pathSegments(in)
		if err != nil {
			return false
		}
		s := ""
		if strings.HasSuffix(in.class.Name, "WindowsPath") {
			s = strings.ReplaceAll(joinWindows(parts), `\`, "/")
		} else {
			s = joinPosix(parts)
		}
		p.write(in.class.Name + "(")
		p.str(s)
		p.write(")")
	case kindAddress:
		a, err := parseAddress(in)
		if err != nil {
			return false
		}
		p.write(in.class.Name + "('" + a.String() + "')")
	case kindNetwork:
		n, err := parseNetwork(in)
		if err != nil {
			return false
		}
		p.write(in.class.Name + "('" + n.String() + "')")
	case kindInterface:
		i, err := parseInterface(in)
		if err != nil {
			return false
		}
		p.write(in.class.Name + "('" + i.String() + "')")
	default:
		return false
	}
	return true
}

func (p *printer) dictIn(open string, d *Dict, close string) {
	p.write(open)
	if d.Len() > 0 {
		p.dict(d)
	}
	p.write(close)
}

func (p *printer) tzinfo(tz any) {
	if tz != nil {
		p.write(", tzinfo=")
		p.value(tz)
	}
}

func secondsRepr(second, micro int) string {
	switch {
	case micro != 0:
		return fmt.Sprintf(", %d, %d", second, micro)
	case second != 0:
		return fmt.Sprintf(", %d", second)
	}
	return ""
}

func timeDeltaRepr(d TimeDelta) string {
	var parts []string
	for _, f := range []struct {
		name string
		n    int
	}{{"days", d.Days}, {"seconds", d.Seconds}, {"microseconds", d.Microseconds}} {
		if f.n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", f.name, f.n))
		}
	}
	if parts == nil {
		parts = []string{"0"}
	}
	return "datetime.timedelta(" + strings.Join(parts, ", ") + ")"
}

// mostCommon orders a Counter as its repr does: highest counts first, equal ones as they came. If
// the counts do not compare the order stays.
func mostCommon(d *Dict) *Dict {
	type item struct{ k, v any }
	items := make([]item, 0, d.Len())
	for k, v := range d.All() {
		switch n := v.(type) {
		case int64, bool, *big.Int, Int, Long:
		case float64:
			if math.IsNaN(n) {
				return d
			}
		default:
			return d
		}
		items = append(items, item{k, v})
	}
	slices.SortStableFunc(items, func(a, b item) int { return compareNumbers(b.v, a.v) })
	out := NewDict()
	for _, it := range items {
		if out.Set(it.k, it.v) != nil {
			return d
		}
	}
	return out
}

func (p *printer) array(a *Array) {
	p.write("array('" + string(rune(a.Typecode)) + "'")
	if s, ok := a.Data.(string); ok {
		if s != "" {
			p.write(", ")
			p.str(s)
		}
		p.write(")")
		return
	}
	_, _, _, items, _ := arrayParts(a.Data, true)
	if len(items) > 0 {
		p.sequence(", [", items, "]")
	}
	p.write(")")
}
