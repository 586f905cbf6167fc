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

// mostSteps bounds what Iterate makes: iterators of iterators name far more items than a pickle has
// bytes, and a zip of the same zip twice, over and over, doubles each time.
const mostSteps = 16 * MaxRange

// stepsOfTuple is what an item that is a tuple costs.
const stepsOfTuple = 4

// Iterate returns what iter(v) gives in Python, in a slice that is not to be changed.
func Iterate(v any) ([]any, error) {
	var it Iteration
	return it.Items(v)
}

// Iteration is Iterate for several values, which keep to its bound together.
type Iteration struct{ steps int }

// Items is Iterate.
func (it *Iteration) Items(v any) ([]any, error) {
	if o, ok := v.(*pickleproto.Object); ok {
		return it.object(o)
	}
	return builtinItems(v)
}

func (it *Iteration) take(n int) error {
	if it.steps += n; it.steps > mostSteps {
		return fmt.Errorf("iterators of more than %d items together", mostSteps)
	}
	return nil
}

// within is Iterate for what an iterator goes over.
func (it *Iteration) within(v any) ([]any, error) {
	if err := it.take(1); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case *pickleproto.Object:
		return it.object(v)
	case *pickleproto.List, pickleproto.Tuple: // which are not copied
		return builtinItems(v)
	}
	items, err := builtinItems(v)
	if err == nil {
		err = it.take(len(items))
	}
	return items, err
}

// builtinItems is Iterate for what is no instance.
func builtinItems(v any) ([]any, error) {
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

func (it *Iteration) object(o *pickleproto.Object) ([]any, error) {
	if b := ByteArrayOf(o); b != nil {
		return it.within(b)
	}
	class, args := ClassOf(o)
	switch class {
	case "collections.OrderedDict", "collections.defaultdict", "collections.Counter":
		pairs, err := Pairs(o)
		if err != nil {
			return nil, err
		}
		return it.within(pairs) // counts them
	case "collections.deque":
		var items []any
		if len(args) > 0 { // Python 2 gives the items as an argument
			first, err := it.within(args[0])
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
		return items, it.take(len(items))
	case "array.array", "array._array_reconstructor":
		items, err := arrayItems(o, args)
		if err == nil {
			err = it.take(len(items))
		}
		return items, err
	case "builtins.iter", "__builtin__.iter":
		return it.iteratorItems(o, args)
	case "builtins.range", "__builtin__.xrange":
		return it.rangeItems(args)
	case "builtins.list", "__builtin__.list":
		if len(args) == 1 && len(o.Ops) == 0 { // as multiprocessing writes the views of a dict
			return it.within(args[0])
		}
	case "builtins.reversed", "__builtin__.reversed":
		return it.reversedItems(o, args)
	case "builtins.enumerate", "__builtin__.enumerate":
		return it.enumeratedItems(args)
	case "builtins.zip":
		return it.zippedItems(args)
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
	room := pickleproto.WithLimits(pickleproto.Limits{Memory: 8 * mostSteps})
	var text pickleproto.Array
	if pickleproto.Bind(o, &text, room) == nil {
		if s, ok := text.Data.(string); ok {
			return characters(s), nil
		}
	}
	var ints []int64
	if pickleproto.Bind(o, &ints, room) == nil {
		return pickleproto.NewIntList(ints).Items(), nil
	}
	var floats []float64
	if pickleproto.Bind(o, &floats, room) == nil {
		return pickleproto.NewFloatList(floats).Items(), nil
	}
	return nil, fmt.Errorf("an array.array of this type code is understood by Python only")
}

// iteratorItems are the items that an iterator over a builtin has left: iter(container), and the
// place where it stands as its state. Iterators over dicts and sets are written as ones over a
// list.
func (it *Iteration) iteratorItems(o *pickleproto.Object, args pickleproto.Tuple) ([]any, error) {
	if len(args) != 1 {
		return nil, TypeError("'%s' object is not iterable", TypeName(o))
	}
	items, err := it.within(args[0])
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
func (it *Iteration) reversedItems(o *pickleproto.Object, args pickleproto.Tuple) ([]any, error) {
	if len(args) != 1 {
		return nil, TypeError("reversed expected 1 argument, got %d", len(args))
	}
	all, err := it.within(args[0])
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
	if err := it.take(len(all)); err != nil {
		return nil, err
	}
	items := slices.Clone(all[:max(last+1, 0)])
	slices.Reverse(items)
	return items, nil
}

func (it *Iteration) enumeratedItems(args pickleproto.Tuple) ([]any, error) {
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
	all, err := it.within(args[0])
	if err != nil {
		return nil, err
	}
	if err := it.take(stepsOfTuple * len(all)); err != nil {
		return nil, err
	}
	items := make([]any, len(all))
	for i, x := range all {
		items[i] = pickleproto.Tuple{from + int64(i), x}
	}
	return items, nil
}

func (it *Iteration) zippedItems(args pickleproto.Tuple) ([]any, error) {
	// Many columns may be one that is shared.
	columns, rows := make([][]any, len(args)), 0
	for i, a := range args {
		var err error
		if columns[i], err = it.within(a); err != nil {
			return nil, err
		}
		if i == 0 || len(columns[i]) < rows {
			rows = len(columns[i])
		}
	}
	if err := it.take(stepsOfTuple*rows + rows*len(columns)); err != nil {
		return nil, err
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

func (it *Iteration) rangeItems(args pickleproto.Tuple) ([]any, error) {
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
	if err := it.take(int(length)); err != nil {
		return nil, err
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
	var fault error
	all := func(yield func(k, v any) bool) { fault = eachPair(o, yield) }
	d := pickleproto.NewDict()
	if err := d.Update(all); err != nil {
		return nil, err
	}
	return d, fault
}

// eachPair calls yield with the keys and values as they were set, until it returns false.
func eachPair(o *pickleproto.Object, yield func(k, v any) bool) error {
	_, args := ClassOf(o)
	for _, a := range args {
		switch a := a.(type) {
		case *pickleproto.Dict: // Counter({...})
			for k, v := range a.All() {
				if !yield(k, v) {
					return nil
				}
			}
		case *pickleproto.List: // Python 2: OrderedDict([[k, v], ...])
			for _, pair := range a.All() {
				var kv []any
				switch pair := pair.(type) {
				case *pickleproto.List:
					kv = pair.Items()
				case pickleproto.Tuple:
					kv = pair
				}
				if len(kv) != 2 {
					return TypeError("cannot convert dictionary update sequence element to a sequence")
				}
				if !yield(kv[0], kv[1]) {
					return nil
				}
			}
		}
	}
	for _, op := range o.Ops {
		if op.Kind != pickleproto.OpSetItems {
			continue
		}
		for i := 0; i+1 < len(op.Items); i += 2 {
			if !yield(op.Items[i], op.Items[i+1]) {
				return nil
			}
		}
	}
	return nil
}
