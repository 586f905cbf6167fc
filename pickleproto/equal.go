package pickleproto

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Equal reports whether x == y in Python 3, for values of the value model. No code of a class is
// ever run, so what Python would ask a class for is known for the standard library's alone:
//
//	numbers                bool, int, float, complex, Decimal and Fraction by value, exactly; NaN
//	                       equals nothing, itself included
//	str, bytes             bytes equal bytearrays; neither equals a str; a bytearray equals an array with
//	                       the same memory
//	ByteString             equals the str of the same ASCII text, which Python 3 makes of it
//	list, tuple, deque     item by item; a list equals no tuple
//	dict, defaultdict      in any order; two OrderedDicts in the same order; two Counters with
//	                       missing counts as 0
//	set, frozenset         as sets, each other included
//	datetime family        aware ones as instants with Python's exceptions, naive ones by the clock;
//	                       a naive one equals no aware one
//	other stdlib classes   UUID, range, slice, array, pathlib, ipaddress, timezone, SimpleNamespace as
//	                       theirs do
//	Global                 by Python 3's name
//	any other *Object      itself alone, as for a class without __eq__
//	*PersistentID          with an equal ID
//	Go's numbers and the Go types of stdlib classes: as what Marshal makes of them
//
// Inside containers what is identical is equal, as in Python. Two values that contain themselves in
// the same way are equal, where Python would give up with RecursionError. Equal is false too when
// the values are nested deeper than 10,000 levels, or comparing them would take more than twenty
// million steps.
func Equal(x, y any) bool {
	eq, err := equalWithin(x, y, maxEqualSteps)
	return eq && err == nil
}

const maxEqualSteps = 20_000_000

// equalWithin is Equal that tells a difference from a *LimitError.
func equalWithin(x, y any, steps int64) (bool, error) {
	c := comparer{steps: steps, max: steps}
	c.meter = newMeter(c.look)
	eq := c.equal(x, y)
	if c.err != nil {
		return false, c.err
	}
	return eq, nil
}

// comparer compares one pair of values. Once err is set every answer is false.
type comparer struct {
	steps, max int64
	depth      int
	err        error
	meter      *meter

	// seen holds the pairs of containers that were found equal, or are being compared: a shared
	// graph then costs what it holds, not what it unfolds to, and cycles end.
	seen map[pairID]struct{}
}

// pairID is the identity of two containers: pointers or tupleIDs.
type pairID struct{ x, y any }

func (c *comparer) spend(n int) bool {
	if c.steps -= int64(n); c.steps < 0 && c.err == nil {
		c.err = &LimitError{Limit: "work", Value: uint64(c.max) + 1, Max: uint64(c.max), Offset: -1}
	}
	return c.err == nil
}

// look is told of bytes that a comparison goes through.
func (c *comparer) look(n int64) error {
	c.spend(int(n / 64))
	return c.err
}

// item is == between members of containers, where identity comes first.
func (c *comparer) item(x, y any) bool { return identical(x, y) || c.equal(x, y) }

// identical is Python's `is`: the same type at the same address. A tuple is where its elements are.
func identical(x, y any) bool {
	if same(x, y) {
		return true
	}
	t, ok := x.(Tuple)
	if !ok {
		return false
	}
	u, ok := y.(Tuple)
	return ok && sameTuple(t, u)
}

// sameContainer is identity of the builtin containers, which makes them equal whatever is inside.
func sameContainer(x, y any) bool {
	switch x.(type) {
	case *List, *Dict, *Set, *FrozenSet, *ByteArray, Tuple:
		return identical(x, y)
	}
	return false
}

func (c *comparer) equal(x, y any) bool {
	if !c.spend(1) {
		return false
	}
	if c.depth >= DefaultMaxDepth {
		if c.err == nil {
			c.err = &LimitError{Limit: "depth", Value: uint64(c.depth) + 1, Max: DefaultMaxDepth, Offset: -1}
		}
		return false
	}
	c.depth++
	defer func() { c.depth-- }()
	if sameContainer(x, y) {
		return true
	}
	switch x := x.(type) {
	case nil:
		return y == nil
	case string:
		switch y := y.(type) {
		case string:
			return c.spend(len(x)/64) && x == y
		case ByteString:
			s, ok := textOf(y)
			return c.spend(len(x)/64) && ok && x == s
		}
		return false
	case ByteString:
		if y, ok := y.(ByteString); ok {
			return c.spend(len(x)/64) && x == y
		}
		s, ok := y.(string)
		return ok && c.equal(s, x)
	case Bytes:
		s, ok := rawBytes(y)
		return c.spend(len(x)/64) && ok && string(x) == s
	case *ByteArray:
		if o, ok := y.(*Object); ok {
			return c.equal(o, x)
		}
		a, _ := rawBytes(x)
		s, ok := rawBytes(y)
		return c.spend(len(a)/64) && ok && x != nil && a == s
	case Tuple:
		t, ok := y.(Tuple)
		if !ok || len(x) != len(t) {
			return false
		}
		if len(x) == 0 {
			return true
		}
		return c.slices(tupleID{&x[0], len(x)}, tupleID{&t[0], len(t)}, x, t)
	case *List:
		l, ok := y.(*List)
		return ok && x != nil && l != nil && c.lists(x, l)
	case *Dict:
		switch y := y.(type) {
		case *Dict:
			return x != nil && y != nil && c.dicts(x, y, x, y)
		case *Object:
			return c.equal(y, x)
		}
		return false
	case *Set:
		return x != nil && c.sets(x, x.Len(), x.All(), y)
	case *FrozenSet:
		return x != nil && c.sets(x, x.Len(), x.All(), y)
	case Global:
		g, ok := y.(Global)
		return ok && python3Name(x) == python3Name(g)
	case Extension:
		e, ok := y.(Extension)
		return ok && x == e
	case *PersistentID:
		p, ok := y.(*PersistentID)
		return ok && x != nil && p != nil && (x == p || c.item(x.ID, p.ID))
	case *Buffer:
		b, ok := y.(*Buffer)
		return ok && x == b
	}
	if _, isObject := x.(*Object); isObject && !c.spend(16) {
		return false // they are taken apart first
	}
	if a, ok := c.number(x); ok {
		b, ok := c.number(y)
		return ok && c.numbers(a, b)
	}
	if o, ok := x.(*Object); ok {
		return o != nil && c.objects(o, y)
	}
	if o, ok := x.([]byte); ok {
		return c.equal(Bytes(o), y)
	}
	if !isPython(x) {
		if o, ok, err := toObject(x, HighestProtocol); ok && err == nil {
			return c.equal(o, y)
		}
		return false
	}
	return false
}

// isPython reports whether v is of the value model, or nil.
func isPython(v any) bool {
	switch v.(type) {
	case nil, bool, int64, float64, *big.Int, Int, Long, string, Bytes, ByteString, Tuple, *List, *Dict, *Set, *FrozenSet,
		*Complex, *ByteArray, Global, *Object, *PersistentID, Extension, *Buffer:
		return true
	}
	return false
}

func rawBytes(v any) (string, bool) {
	switch v := v.(type) {
	case Bytes:
		return string(v), true
	case []byte:
		return string(v), true
	case *ByteArray:
		if v != nil {
			return string(v.Data), true
		}
	}
	return "", false
}

// pair begins the comparison of two containers. known is true if they were met before.
func (c *comparer) pair(x, y any) (known bool) {
	id := pairID{x, y}
	if _, known = c.seen[id]; known {
		return true
	}
	if c.seen == nil {
		c.seen = map[pairID]struct{}{}
	}
	c.spend(4) // it costs memory
	c.seen[id] = struct{}{}
	return false
}

// branches reports whether a comparison of these items may be worth remembering: few plain values
// are compared again as fast as they are looked up.
func branches(items []any) bool {
	if len(items) > 16 {
		return true
	}
	for _, v := range items {
		switch v.(type) {
		case Tuple, *List, *Dict, *Set, *FrozenSet, *Object, *PersistentID:
			return true
		}
	}
	return false
}

func (c *comparer) slices(idX, idY any, x, y []any) bool {
	if len(x) != len(y) {
		return false
	}
	if branches(x) && c.pair(idX, idY) {
		return true
	}
	for i := range x {
		if !c.item(x[i], y[i]) {
			return false
		}
	}
	return c.err == nil
}

func (c *comparer) lists(x, y *List) bool {
	n := x.Len()
	if n != y.Len() {
		return false
	}
	if p, q := x.packed, y.packed; p != nil && q != nil && p.floats == nil && q.floats == nil && (p.ints == nil) == (q.ints == nil) {
		return c.spend(n/8) && slices.Equal(p.ints, q.ints) && slices.Equal(p.strs, q.strs)
	}
	if x.packed == nil && y.packed == nil {
		return c.slices(x, y, x.items, y.items)
	}
	// Nothing nested on the one side: there is nothing to remember.
	for i := range n {
		if !c.item(x.At(i), y.At(i)) {
			return false
		}
	}
	return c.err == nil
}

func (c *comparer) dicts(idX, idY any, x, y *Dict) bool {
	if x.Len() != y.Len() {
		return false
	}
	if c.pair(idX, idY) {
		return true
	}
	var odd keyFinder
	for k, v := range x.All() {
		i := c.find(y.t, k, &odd)
		if i < 0 || !c.spend(1) || !c.item(v, y.value(i)) {
			return false
		}
	}
	return c.err == nil
}

func (c *comparer) sets(idX any, n int, all func(yield func(any) bool), y any) bool {
	var t *keyTable
	switch y := y.(type) {
	case *Set:
		if y == nil {
			return false
		}
		t = y.t
	case *FrozenSet:
		if y == nil {
			return false
		}
		t = &y.t
	default:
		return false
	}
	if t.len() != n {
		return false
	}
	if c.pair(idX, y) {
		return true
	}
	var odd keyFinder
	for v := range all {
		if !c.spend(1) || c.find(t, v, &odd) < 0 {
			return false
		}
	}
	return c.err == nil
}

// keyFinder finds keys that contain instances, which a keyTable knows by identity alone while
// Python asks their class. It holds places of keys by keyText.
type keyFinder struct {
	instances map[string][]int // of the keys that contain instances
	all       map[string][]int // of all keys
}

// find returns the place of a key that is equal to k, or -1.
func (c *comparer) find(t *keyTable, k any, odd *keyFinder) int {
	i, err := t.find(k, &c.meter.h)
	if err != nil && c.err == nil {
		c.err = keyError(err, &c.meter.h)
	}
	if i >= 0 || c.err != nil || t == nil {
		return i
	}
	groups := &odd.instances
	if hasInstance(k) {
		groups = &odd.all
	}
	if *groups == nil {
		*groups = map[string][]int{}
		for i := range t.places() {
			if key := t.at(i); !same(key, deleted) && (groups == &odd.all || hasInstance(key)) {
				c.spend(4)
				text := c.keyText(key)
				(*groups)[text] = append((*groups)[text], i)
			}
		}
	}
	for _, i := range (*groups)[c.keyText(k)] {
		if c.item(t.at(i), k) {
			return i
		}
	}
	return -1
}

// hasInstance reports whether a key is an *Object, or a tuple or frozenset that may hold one.
func hasInstance(k any) bool {
	switch k := k.(type) {
	case *Object, *FrozenSet:
		return true
	case Tuple:
		for _, v := range k {
			switch v.(type) {
			case *Object, *FrozenSet, Tuple:
				return true
			}
		}
	}
	return false
}

// keyText returns a text that is the same for equal keys, and different for most others.
func (c *comparer) keyText(k any) string {
	switch k := k.(type) {
	case string:
		return k
	case Tuple:
		if len(k) > 0 {
			if _, nested := k[0].(Tuple); !nested {
				return c.keyText(k[0])
			}
		}
	case *Object:
		in, ok := instanceOf(k)
		if !ok {
			return ""
		}
		in.meter = c.meter
		switch class, _ := stdlib(in.class); class.kind {
		case kindDecimal, kindFraction:
			if n, ok := c.number(k); ok {
				return n.nearest()
			}
		case kindDate, kindTimeDelta, kindUUID, kindAddress, kindNetwork, kindInterface, kindPath:
			if v, err := class.from(&in); err == nil {
				return strings.ToLower(fmt.Sprint(v))
			}
		case kindDateTime:
			if n, tz, err := parseDateTime(&in); err == nil && tz == nil {
				return n.String()
			}
		}
	case bool, int64, Int, Long, *big.Int, float64, *Complex:
		if n, ok := c.number(k); ok {
			return n.nearest()
		}
	}
	return ""
}
