package managers

import (
	"math/big"
	"slices"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// sortItems returns the items in Python's order: numbers, str, bytes, and lists and tuples of
// them. Others have no order that is known here: TypeError.
func sortItems(items []any, reverse bool) ([]any, error) {
	sorted := slices.Clone(items)
	var fault error
	steps := 50 * maxMade
	if reverse {
		slices.Reverse(sorted) // equal ones keep their order
	}
	slices.SortStableFunc(sorted, func(x, y any) int {
		if fault != nil {
			return 0
		}
		n, err := compare(x, y, &steps, 0)
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

// compare orders two values. steps bounds the work, which sharing could make endless.
func compare(x, y any, steps *int, depth int) (int, error) {
	if *steps--; *steps < 0 || depth > 1000 {
		return 0, pickleproto.NewException("RecursionError", "maximum recursion depth exceeded in comparison")
	}
	if a, ok := str(x); ok {
		if b, ok := str(y); ok {
			return compareText(a, b), nil
		}
		return 0, noOrder(x, y)
	}
	switch a := x.(type) {
	case pickleproto.Bytes:
		if b, ok := y.(pickleproto.Bytes); ok {
			return compareText(string(a), string(b)), nil
		}
		return 0, noOrder(x, y)
	case pickleproto.Tuple:
		if b, ok := y.(pickleproto.Tuple); ok {
			return compareAll(a, b, steps, depth)
		}
		return 0, noOrder(x, y)
	case *pickleproto.List:
		if b, ok := y.(*pickleproto.List); ok {
			return compareAll(a.Items(), b.Items(), steps, depth)
		}
		return 0, noOrder(x, y)
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

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func compareAll(a, b []any, steps *int, depth int) (int, error) {
	for i := range min(len(a), len(b)) {
		if n, err := compare(a[i], b[i], steps, depth+1); n != 0 || err != nil {
			// Equal values need no order: two Nones, for example.
			if err != nil && pickleproto.Equal(a[i], b[i]) {
				continue
			}
			return n, err
		}
	}
	return len(a) - len(b), nil
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
	return typeError("'<' not supported between instances of '%s' and '%s'", typeName(x), typeName(y))
}
