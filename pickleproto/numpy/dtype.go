package numpy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// DType is the type of an array's items as numpy writes it: "<f8", ">i2", "|b1", "|S3", "<U5",
// "<M8[ns]", "<M8[25s]". The first character is the byte order ('|' where there is none), the
// second the kind (b bool, i int, u unsigned, f float, c complex, S bytes, U str, M datetime64,
// m timedelta64, V items with Fields), the number the size in bytes, of U in characters.
type DType string

// The types of the items that Go has a type for, in the byte order that numpy prefers.
const (
	Bool       DType = "|b1"
	Int8       DType = "|i1"
	Int16      DType = "<i2"
	Int32      DType = "<i4"
	Int64      DType = "<i8"
	Uint8      DType = "|u1"
	Uint16     DType = "<u2"
	Uint32     DType = "<u4"
	Uint64     DType = "<u8"
	Float16    DType = "<f2"
	Float32    DType = "<f4"
	Float64    DType = "<f8"
	Complex64  DType = "<c8"
	Complex128 DType = "<c16"
	DateTime   DType = "<M8[ns]"
	TimeDelta  DType = "<m8[ns]"
)

// layout is a DType taken apart.
type layout struct {
	big   bool
	kind  byte
	size  int    // bytes of an item
	unit  string // of M and m; "generic" without
	count int64  // of the unit
}

var units = []string{"generic", "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"}

func (d DType) layout() (l layout, err error) {
	bad := fmt.Errorf("numpy: no item type %q", clip(string(d)))
	s := string(d)
	if len(s) < 3 {
		return l, bad
	}
	switch s[0] {
	case '<', '|', '=':
	case '>':
		l.big = true
	default:
		return l, bad
	}
	l.kind = s[1]
	number, unit, hasUnit := strings.Cut(s[2:], "[")
	l.size, err = strconv.Atoi(number)
	if err != nil || l.size < 0 || l.size > 1<<28 {
		return l, bad
	}
	allowed := ""
	switch l.kind {
	case 'b':
		allowed = "1"
	case 'i', 'u':
		allowed = "1 2 4 8"
	case 'f':
		allowed = "2 4 8"
	case 'c':
		allowed = "8 16"
	case 'M', 'm':
		allowed = "8"
		l.unit, l.count = "generic", 1
		if hasUnit {
			if l.unit, l.count, err = parseUnit(strings.TrimSuffix(unit, "]")); err != nil {
				return l, bad
			}
		}
	case 'S':
	case 'U':
		l.size *= 4
	default:
		return l, fmt.Errorf("numpy: items of type %q have no Go counterpart", clip(string(d)))
	}
	if allowed != "" && !strings.Contains(" "+allowed+" ", " "+number+" ") || hasUnit && l.unit == "" {
		return l, bad
	}
	return l, nil
}

func parseUnit(s string) (unit string, count int64, err error) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	count = 1
	if i > 0 {
		if count, err = strconv.ParseInt(s[:i], 10, 32); err != nil {
			return "", 0, err
		}
	}
	for _, u := range units {
		if u == s[i:] && count > 0 {
			return u, count, nil
		}
	}
	return "", 0, fmt.Errorf("numpy: no unit %q", clip(s))
}

// object is the dtype as numpy pickles it.
func (d DType) object() (any, error) {
	l, err := d.layout()
	if err != nil {
		return nil, err
	}
	order := "<"
	if l.big {
		order = ">"
	}
	version, itemSize, alignment, flags := int64(3), int64(-1), int64(-1), int64(0)
	code := string(d[1:])
	var metadata any
	switch l.kind {
	case 'S':
		order, itemSize, alignment = "|", int64(l.size), 1
	case 'U':
		itemSize, alignment, flags = int64(l.size), 4, 8
	case 'M', 'm':
		version, code = 4, code[:2]
		metadata = pickleproto.Tuple{nil, pickleproto.Tuple{pickleproto.Bytes(l.unit), l.count, int64(1), int64(1)}}
	default:
		if l.size == 1 {
			order = "|"
		}
	}
	state := pickleproto.Tuple{version, order, nil, nil, nil, itemSize, alignment, flags}
	if metadata != nil {
		state = append(state, metadata)
	}
	return newDType(code, state), nil
}

func newDType(code string, state pickleproto.Tuple) *pickleproto.Object {
	return &pickleproto.Object{
		Callable: pickleproto.Global{Module: "numpy", Name: "dtype"},
		Args:     pickleproto.Tuple{code, false, true},
		Ops:      []pickleproto.Op{{Kind: pickleproto.OpBuild, Items: []any{state}}},
	}
}

// dtype reads a pickled dtype.
func (r *dtypeReader) dtype(v any, depth int) (item itemOf, err error) {
	if depth > mostFieldDepth {
		return item, fmt.Errorf("numpy: dtypes within dtypes beyond %d", mostFieldDepth)
	}
	o, ok := v.(*pickleproto.Object)
	if !ok || !isGlobal(o.Callable, "numpy", "dtype") {
		return item, fmt.Errorf("numpy: the dtype is a %T", v)
	}
	args, _ := o.Args.(pickleproto.Tuple)
	if len(args) == 0 || len(o.Ops) != 1 || o.Ops[0].Kind != pickleproto.OpBuild || len(o.Ops[0].Items) != 1 {
		return item, fmt.Errorf("numpy: a dtype of an unknown form")
	}
	code, ok1 := text(args[0])
	isRecord := isGlobal(args[0], "numpy", "record") // the items of a recarray
	state, ok2 := o.Ops[0].Items[0].(pickleproto.Tuple)
	if !ok2 || len(state) < 8 || !isRecord && (!ok1 || len(code) < 2) {
		return item, fmt.Errorf("numpy: a dtype of an unknown form")
	}
	if base, isTuple := state[2].(pickleproto.Tuple); isTuple && len(base) == 2 { // (dtype, shape)
		if item, err = r.dtype(base[0], depth+1); err != nil || item.shape != nil {
			return item, fmt.Errorf("numpy: a dtype of an unknown form")
		}
		item.shape, err = shapeOf(base[1])
		return item, err
	}
	if state[3] != nil || state[4] != nil {
		size, ok := state[5].(int64)
		if !ok || size < 0 || size > 1<<28 {
			return item, fmt.Errorf("numpy: a dtype of an unknown form")
		}
		item.dtype = DType(fmt.Sprintf("|V%d", size))
		item.fields, err = r.structured(state, int(size), depth)
		return item, err
	}
	if isRecord || state[2] != nil {
		return item, fmt.Errorf("numpy: a dtype of an unknown form")
	}
	order, ok := text(state[1])
	if !ok || len(order) != 1 {
		return item, fmt.Errorf("numpy: a dtype of an unknown form")
	}
	d := DType(order + code)
	if code[0] == 'M' || code[0] == 'm' {
		if len(state) < 9 {
			return item, fmt.Errorf("numpy: a datetime64 without a unit")
		}
		metadata, ok := state[8].(pickleproto.Tuple)
		if !ok || len(metadata) != 2 {
			return item, fmt.Errorf("numpy: a datetime64 without a unit")
		}
		unit, ok := metadata[1].(pickleproto.Tuple)
		if !ok || len(unit) != 4 {
			return item, fmt.Errorf("numpy: a datetime64 without a unit")
		}
		name, ok1 := text(unit[0])
		count, ok2 := unit[1].(int64)
		per, ok3 := unit[2].(int64)
		if !ok1 || !ok2 || !ok3 || per != 1 {
			return item, fmt.Errorf("numpy: a datetime64 of an unknown unit")
		}
		if count != 1 {
			name = strconv.FormatInt(count, 10) + name
		}
		d += DType("[" + name + "]")
	}
	if _, err := d.layout(); err != nil {
		return item, err
	}
	item.dtype = d
	return item, nil
}

// text returns a str, or bytes, in which Python 2 and metadata have text.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case pickleproto.Bytes:
		return string(v), true
	case pickleproto.ByteString:
		return string(v), true
	}
	return "", false
}

func isGlobal(v any, module, name string) bool {
	g, ok := v.(pickleproto.Global)
	return ok && g.Module == module && g.Name == name
}

func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "?")
	}
	return s
}
