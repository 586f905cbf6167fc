// Package python knows what Python's own operations make of the values of a pickle. The words of
// the errors are those of CPython 3.13.
package python

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// MaxRange is the number of items of a range that Iterate makes: a pickle of 40 bytes can name
// one that no memory holds.
const MaxRange = 1_000_000

// Iterate returns what iter(v) gives in Python, in a slice that is not to be changed.
func Iterate(v any) ([]any, error) {
	switch v := v.(type) {
	case *pickleproto.List:
		return v.Items(), nil
	case pickleproto.Tuple:
		return v, nil
	case *pickleproto.Dict:
		items := make([]any, 0, v.Len())
		for k := range v.All() {
			items = append(items, k)
		}
		return items, nil
	case *pickleproto.Set:
		items := make([]any, 0, v.Len())
		for x := range v.All() {
			items = append(items, x)
		}
		return items, nil
	case *pickleproto.FrozenSet:
		items := make([]any, 0, v.Len())
		for x := range v.All() {
			items = append(items, x)
		}
		return items, nil
	case string:
		return characters(v), nil
	case pickleproto.ByteString:
		items := make([]any, len(v))
		for i := range items {
			items[i] = v[i : i+1]
		}
		return items, nil
	case pickleproto.Bytes:
		return bytesItems([]byte(v)), nil
	case *pickleproto.ByteArray:
		return bytesItems(v.Data), nil
	case *pickleproto.Object:
		return iterateObject(v)
	}
	return nil, TypeError("'%s' object is not iterable", TypeName(v))
}

// characters are those of a str; a lone surrogate, which takes three bytes, is one.
func characters(s string) []any {
	items := make([]any, 0, len(s))
	for len(s) > 0 {
		_, n := utf8.DecodeRuneInString(s)
		if n == 1 && s[0] >= utf8.RuneSelf {
			n = min(3, len(s))
		}
		items = append(items, s[:n])
		s = s[n:]
	}
	return items
}

func bytesItems(b []byte) []any {
	items := make([]any, len(b))
	for i, x := range b {
		items[i] = int64(x)
	}
	return items
}

func iterateObject(o *pickleproto.Object) ([]any, error) {
	if b := ByteArrayOf(o); b != nil {
		return Iterate(b)
	}
	class, args := ClassOf(o)
	switch class {
	case "collections.OrderedDict", "collections.defaultdict", "collections.Counter":
		pairs, err := Pairs(o)
		if err != nil {
			return nil, err
		}
		return Iterate(pairs)
	case "collections.deque":
		var items []any
		if len(args) > 0 { // Python 2 gives the items as an argument
			first, err := Iterate(args[0])
			if err != nil {
				return nil, err
			}
			items = append(items, first...)
		}
		for _, op := range o.Ops {
			if op.Kind == pickleproto.OpAppends {
				items = append(items, op.Items...)
			}
		}
		return items, nil
	case "array.array", "array._array_reconstructor":
		return arrayItems(o, args)
	case "builtins.iter", "__builtin__.iter":
		return iteratorItems(o, args)
	case "builtins.range", "__builtin__.xrange":
		return rangeItems(args)
	case "builtins.list", "__builtin__.list":
		if len(args) == 1 && len(o.Ops) == 0 { // as multiprocessing writes the views of a dict
			return Iterate(args[0])
		}
	case "builtins.reversed", "__builtin__.reversed":
		return reversedItems(o, args)
	case "builtins.enumerate", "__builtin__.enumerate":
		return enumeratedItems(args)
	case "builtins.zip":
		return zippedItems(args)
	}
	return nil, TypeError("'%s' object is not iterable", TypeName(o))
}

// arrayItems are the items of an array: written as a list by protocol 2 and below, else as the
// machine's bytes.
func arrayItems(o *pickleproto.Object, args pickleproto.Tuple) ([]any, error) {
	if len(args) == 2 {
		if l, ok := args[1].(*pickleproto.List); ok {
			return l.Items(), nil
		}
	}
	var text pickleproto.Array
	if pickleproto.Bind(o, &text) == nil {
		if s, ok := text.Data.(string); ok {
			return characters(s), nil
		}
	}
	var ints []int64
	if pickleproto.Bind(o, &ints) == nil {
		return pickleproto.NewIntList(ints).Items(), nil
	}
	var floats []float64
	if pickleproto.Bind(o, &floats) == nil {
		return pickleproto.NewFloatList(floats).Items(), nil
	}
	return nil, fmt.Errorf("an array.array of this type code is understood by Python only")
}

// iteratorItems are the items that an iterator over a builtin has left: iter(container), and the
// place where it stands as its state. Iterators over dicts and sets are written as ones over a
// list.
func iteratorItems(o *pickleproto.Object, args pickleproto.Tuple) ([]any, error) {
	if len(args) != 1 {
		return nil, TypeError("'%s' object is not iterable", TypeName(o))
	}
	items, err := Iterate(args[0])
	if err != nil {
		return nil, err
	}
	for _, op := range o.Ops {
		if op.Kind != pickleproto.OpBuild {
			continue
		}
		if at, ok := smallInt(op.Items[0]); ok {
			items = items[min(max(at, 0), int64(len(items))):]
		}
	}
	return items, nil
}

// reversedItems are those that reversed(sequence) has left; its state is where it stands.
func reversedItems(o *pickleproto.Object, args pickleproto.Tuple) ([]any, error) {
	if len(args) != 1 {
		return nil, TypeError("reversed expected 1 argument, got %d", len(args))
	}
	all, err := Iterate(args[0])
	if err != nil {
		return nil, err
	}
	last := int64(len(all)) - 1
	for _, op := range o.Ops {
		if op.Kind == pickleproto.OpBuild {
			if at, ok := smallInt(op.Items[0]); ok {
				last = min(at, last)
			}
		}
	}
	items := slices.Clone(all[:max(last+1, 0)])
	slices.Reverse(items)
	return items, nil
}

func enumeratedItems(args pickleproto.Tuple) ([]any, error) {
	if len(args) == 0 || len(args) > 2 {
		return nil, TypeError("enumerate() takes from 1 to 2 arguments")
	}
	from := int64(0)
	if len(args) == 2 {
		var ok bool
		if from, ok = smallInt(args[1]); !ok {
			return nil, TypeError("'%s' object cannot be interpreted as an integer", TypeName(args[1]))
		}
	}
	all, err := Iterate(args[0])
	if err != nil {
		return nil, err
	}
	items := make([]any, len(all))
	for i, x := range all {
		items[i] = pickleproto.Tuple{from + int64(i), x}
	}
	return items, nil
}

func zippedItems(args pickleproto.Tuple) ([]any, error) {
	// Many columns may be one that is shared.
	columns, rows, looked := make([][]any, len(args)), 0, 0
	for i, a := range args {
		var err error
		if columns[i], err = Iterate(a); err != nil {
			return nil, err
		}
		if looked += len(columns[i]); looked > 4*MaxRange {
			return nil, fmt.Errorf("a zip of iterators of more than %d items together", 4*MaxRange)
		}
		if i == 0 || len(columns[i]) < rows {
			rows = len(columns[i])
		}
	}
	items := make([]any, rows)
	for k := range items {
		row := make(pickleproto.Tuple, len(columns))
		for i := range columns {
			row[i] = columns[i][k]
		}
		items[k] = row
	}
	return items, nil
}

// ByteArrayOf is a bytearray as Python up to 3.7 writes it, bytearray(text, 'latin-1'); nil for
// anything else.
func ByteArrayOf(o *pickleproto.Object) *pickleproto.ByteArray {
	class, args := ClassOf(o)
	if class != "builtins.bytearray" && class != "__builtin__.bytearray" || len(args) != 2 {
		return nil
	}
	text, ok := args[0].(string)
	if !ok {
		return nil
	}
	data := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil
		}
		data = append(data, byte(r))
	}
	return &pickleproto.ByteArray{Data: data}
}

// smallInt is an int of at most 64 bits. Python 3.6 writes each int as a long at protocol 0.
func smallInt(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case pickleproto.Long:
		return int64(v), true
	case pickleproto.Int:
		return int64(v), true
	}
	return 0, false
}

func rangeItems(args pickleproto.Tuple) ([]any, error) {
	bounds := [3]int64{0, 0, 1}
	for i, a := range args {
		n, ok := smallInt(a)
		if !ok || i > 2 {
			return nil, fmt.Errorf("a range of more than 64 bits")
		}
		bounds[i] = n
	}
	if len(args) == 1 {
		bounds[0], bounds[1] = 0, bounds[0]
	}
	start, stop, step := bounds[0], bounds[1], bounds[2]
	if step == 0 {
		return nil, pickleproto.NewException("ValueError", "range() arg 3 must not be zero")
	}
	length := uint64(0) // as Python's len()
	switch {
	case step > 0 && start < stop:
		length = (uint64(stop)-uint64(start)-1)/uint64(step) + 1
	case step < 0 && start > stop:
		length = (uint64(start)-uint64(stop)-1)/-uint64(step) + 1
	}
	if length > MaxRange {
		return nil, fmt.Errorf("a range of %d items, more than %d", length, MaxRange)
	}
	items := make([]any, length)
	for i := range items {
		items[i] = start + int64(i)*step
	}
	return items, nil
}

// Mapping returns v as a dict if it is one, or an instance of one of its subclasses in collections;
// nil if not.
func Mapping(v any) (*pickleproto.Dict, error) {
	switch v := v.(type) {
	case *pickleproto.Dict:
		return v, nil
	case *pickleproto.Object:
		switch class, _ := ClassOf(v); class {
		case "collections.OrderedDict", "collections.defaultdict", "collections.Counter":
			return Pairs(v)
		}
	}
	return nil, nil
}

// Pairs makes a dict of what a subclass of dict was filled with.
func Pairs(o *pickleproto.Object) (*pickleproto.Dict, error) {
	d := pickleproto.NewDict()
	_, args := ClassOf(o)
	for _, a := range args {
		switch a := a.(type) {
		case *pickleproto.Dict: // Counter({...})
			for k, v := range a.All() {
				if err := d.Set(k, v); err != nil {
					return nil, err
				}
			}
		case *pickleproto.List: // Python 2: OrderedDict([[k, v], ...])
			for _, pair := range a.Items() {
				kv, err := Iterate(pair)
				if err != nil || len(kv) != 2 {
					return nil, TypeError("cannot convert dictionary update sequence element to a sequence")
				}
				if err := d.Set(kv[0], kv[1]); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, op := range o.Ops {
		if op.Kind != pickleproto.OpSetItems {
			continue
		}
		for i := 0; i+1 < len(op.Items); i += 2 {
			if err := d.Set(op.Items[i], op.Items[i+1]); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}
