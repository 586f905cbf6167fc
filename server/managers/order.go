package managers

import (
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// sortItems returns the items in Python's order: numbers, Decimal and Fraction among them, str,
// bytes, dates and times, and lists and tuples of them. Others have no order that is known here:
// TypeError.
func sortItems(items []any, reverse bool) ([]any, error) {
	sorted := slices.Clone(items)
	o := order{steps: 50 * maxMade}
	var fault error
	if reverse {
		slices.Reverse(sorted) // equal ones keep their order
	}
	slices.SortStableFunc(sorted, func(x, y any) int {
		if fault != nil {
			return 0
		}
		n, err := o.compare(x, y, 0)
		if err != nil {
			fault = err
		}
		return n
	})
	if reverse {
		slices.Reverse(sorted)
	}
	return sorted, fault
}

// order is the comparing of one sort.
type order struct {
	steps int // that are left: sharing could make the work endless
	keys  map[*pickleproto.Object]any
}

// compare orders two values.
func (o *order) compare(x, y any, depth int) (int, error) {
	if o.steps--; o.steps < 0 || depth > 1000 {
		return 0, pickleproto.NewException("RecursionError", "maximum recursion depth exceeded in comparison")
	}
	if a, ok := str(x); ok {
		if b, ok := str(y); ok {
			return strings.Compare(a, b), nil
		}
		return 0, noOrder(x, y)
	}
	switch a := o.key(x).(type) {
	case pickleproto.Bytes:
		if b, ok := y.(pickleproto.Bytes); ok {
			return strings.Compare(string(a), string(b)), nil
		}
		return 0, noOrder(x, y)
	case pickleproto.Tuple:
		if b, ok := y.(pickleproto.Tuple); ok {
			return o.compareAll(a, b, depth)
		}
		return 0, noOrder(x, y)
	case *pickleproto.List:
		if b, ok := y.(*pickleproto.List); ok {
			return o.compareAll(a.Items(), b.Items(), depth)
		}
		return 0, noOrder(x, y)
	case moment:
		if b, ok := o.key(y).(moment); ok && a.kind == b.kind {
			return slices.Compare(a.parts[:], b.parts[:]), nil
		}
		return 0, noOrder(x, y)
	}
	return o.compareNumbers(x, y)
}

func (o *order) compareNumbers(x, y any) (int, error) {
	a, isFraction := o.key(x).(*big.Rat)
	b, isFraction2 := o.key(y).(*big.Rat)
	if isFraction || isFraction2 {
		if a == nil {
			a = rational(x)
		}
		if b == nil {
			b = rational(y)
		}
		if a == nil || b == nil {
			return 0, noOrder(x, y)
		}
		return a.Cmp(b), nil
	}
	f, ok := float(x)
	g, ok2 := float(y)
	if !ok || !ok2 {
		return 0, noOrder(x, y)
	}
	if f == nil || g == nil {
		return 0, nil // a NaN is neither less nor greater
	}
	return f.Cmp(g), nil
}

func (o *order) compareAll(a, b []any, depth int) (int, error) {
	for i := range min(len(a), len(b)) {
		if n, err := o.compare(a[i], b[i], depth+1); n != 0 || err != nil {
			// Equal values need no order: two Nones, for example.
			if err != nil && pickleproto.Equal(a[i], b[i]) {
				continue
			}
			return n, err
		}
	}
	return len(a) - len(b), nil
}

// maxExponent bounds the digits that a Decimal of few bytes is made of to be compared.
const maxExponent = 400

// moment is an instance of a class of datetime. Those of a kind are ordered by their parts.
type moment struct {
	kind  string
	parts [7]int
}

// key is what orders x: for instances of some classes a moment or a *big.Rat, else x itself.
func (o *order) key(x any) any {
	object, ok := x.(*pickleproto.Object)
	if !ok {
		return x
	}
	k, known := o.keys[object]
	if !known {
		k = keyOf(object)
		if o.keys == nil {
			o.keys = map[*pickleproto.Object]any{}
		}
		o.keys[object] = k
	}
	return k
}

func keyOf(o *pickleproto.Object) any {
	switch class, _ := python.ClassOf(o); class {
	case "datetime.date":
		var d pickleproto.Date
		if pickleproto.Bind(o, &d) == nil {
			return moment{class, [7]int{d.Year, int(d.Month), d.Day}}
		}
	case "datetime.datetime":
		var n pickleproto.NaiveDateTime
		if pickleproto.Bind(o, &n) == nil {
			return moment{class, [7]int{n.Year, int(n.Month), n.Day, n.Hour, n.Minute, n.Second, n.Microsecond}}
		}
		var t time.Time
		if pickleproto.Bind(o, &t) == nil {
			return moment{class + " with a zone", [7]int{int(t.Unix()), t.Nanosecond()}}
		}
	case "datetime.timedelta":
		var d pickleproto.TimeDelta
		if pickleproto.Bind(o, &d) == nil {
			return moment{class, [7]int{d.Days, d.Seconds, d.Microseconds}}
		}
	case "datetime.time":
		var t pickleproto.TimeOfDay
		if pickleproto.Bind(o, &t) == nil && t.Zone == nil {
			return moment{class, [7]int{t.Hour, t.Minute, t.Second, t.Microsecond}}
		}
	case "decimal.Decimal":
		var d pickleproto.Decimal
		if pickleproto.Bind(o, &d) == nil && d.Exponent <= maxExponent && d.Exponent >= -maxExponent {
			if r, ok := d.Rat(); ok {
				return r
			}
		}
	case "fractions.Fraction":
		var r big.Rat
		if pickleproto.Bind(o, &r) == nil {
			return &r
		}
	}
	return o
}

// rational is a number exactly; nil if x is none, or none that is finite.
func rational(x any) *big.Rat {
	f, ok := float(x)
	if !ok || f == nil || f.IsInf() {
		return nil
	}
	r, _ := f.Rat(nil)
	return r
}

// float is a number exactly; nil is NaN.
func float(x any) (*big.Float, bool) {
	switch x := x.(type) {
	case float64:
		if x != x {
			return nil, true
		}
		return big.NewFloat(x), true
	case *big.Int:
		return new(big.Float).SetInt(x), true
	}
	n, ok := index(x)
	return new(big.Float).SetInt64(int64(n)), ok
}

func noOrder(x, y any) error {
	return python.TypeError("'<' not supported between instances of '%s' and '%s'", python.TypeName(x), python.TypeName(y))
}
