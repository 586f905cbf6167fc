package pickleproto

import (
	"bytes"
	"math/big"
	"slices"
	"strings"
)

// objects compares an instance with anything that is no number.
func (c *comparer) objects(x *Object, y any) bool {
	if isDict, ok := y.(*Dict); ok {
		d, _, ok := c.mapping(x)
		return ok && isDict != nil && c.dicts(x, y, d, isDict)
	}
	if b, ok := y.(*ByteArray); ok {
		return c.arrayMemory(x, b)
	}
	o, ok := y.(*Object)
	if !ok {
		if y == nil || isPython(y) {
			return false
		}
		v, known, err := toObject(y, HighestProtocol)
		return known && err == nil && c.equal(x, v)
	}
	if o == nil {
		return false
	}
	if z, ok := parseZoneInfo(x); ok {
		w, ok := parseZoneInfo(o)
		return x == o || ok && z.cached && w.cached && z.key == w.key
	}
	a, ok1 := instanceOf(x)
	b, ok2 := instanceOf(o)
	if !ok1 || !ok2 {
		return x == o
	}
	a.meter, b.meter = c.meter, c.meter
	if n, ok := singletonType(&a); ok {
		m, ok := singletonType(&b)
		return ok && n == m
	}
	ca, _ := stdlib(a.class)
	cb, _ := stdlib(b.class)
	if ca.kind == kindNone || cb.kind == kindNone {
		return x == o
	}
	c.spend((len(a.items) + len(a.pairs) + len(b.items) + len(b.pairs)) / 8)
	switch {
	case isMapping(ca.kind) && isMapping(cb.kind):
		return c.mappings(x, o)
	case ca.kind != cb.kind:
		return false
	}
	if eq, ok := c.stdlib(ca.kind, x, o, &a, &b); ok {
		return eq
	}
	return x == o // forms that no pickler writes: nothing is known of them
}

// singletonType reads type(None), type(Ellipsis) and type(NotImplemented).
func singletonType(in *instance) (string, bool) {
	if in.class != (Global{Module: "builtins", Name: "type"}) || len(in.args) != 1 || !in.plain() {
		return "", false
	}
	switch a := in.args[0].(type) {
	case nil:
		return "NoneType", true
	case Global:
		switch python3Name(a) {
		case Ellipsis:
			return "ellipsis", true
		case NotImplemented:
			return "NotImplementedType", true
		}
	}
	return "", false
}

func isMapping(k stdlibKind) bool {
	return k == kindOrderedDict || k == kindDefaultDict || k == kindCounter
}

// mapping returns the items of an object of a dict class.
func (c *comparer) mapping(o *Object) (*Dict, stdlibKind, bool) {
	in, ok := instanceOf(o)
	if !ok {
		return nil, 0, false
	}
	in.meter = c.meter
	class, _ := stdlib(in.class)
	if !isMapping(class.kind) || !c.spend(len(in.pairs)/8) {
		return nil, 0, false
	}
	var d *Dict
	var err error
	switch class.kind {
	case kindOrderedDict:
		d, err = parseOrderedDict(&in)
	case kindDefaultDict:
		_, d, err = parseDefaultDict(&in)
	default:
		d, err = parseCounter(&in)
	}
	return d, class.kind, d != nil && err == nil
}

func (c *comparer) mappings(x, y *Object) bool {
	a, ka, ok1 := c.mapping(x)
	b, kb, ok2 := c.mapping(y)
	if !ok1 || !ok2 {
		return x == y
	}
	if ka == kindCounter && kb == kindCounter {
		return c.counters(x, y, a, b)
	}
	if !c.dicts(x, y, a, b) {
		return false
	}
	if ka != kindOrderedDict || kb != kindOrderedDict {
		return true
	}
	x1, y1 := keysOf(a), keysOf(b)
	for i := range x1 {
		if !c.item(x1[i], y1[i]) {
			return false
		}
	}
	return true
}

func keysOf(d *Dict) []any {
	keys := make([]any, 0, d.Len())
	for k := range d.All() {
		keys = append(keys, k)
	}
	return keys
}

// counters compares with missing elements as 0, as Counter does since 3.10.
func (c *comparer) counters(x, y *Object, a, b *Dict) bool {
	if c.pair(x, y) {
		return true
	}
	for _, p := range [][2]*Dict{{a, b}, {b, a}} {
		var odd keyFinder
		for k, v := range p[0].All() {
			w := any(int64(0))
			if i := c.find(p[1].t, k, &odd); i >= 0 {
				w = p[1].value(i)
			}
			if !c.equal(v, w) {
				return false
			}
		}
	}
	return true
}

// stdlib compares two instances of classes of one kind; the second result is false if one is in a
// form that its class does not write.
func (c *comparer) stdlib(kind stdlibKind, x, y *Object, a, b *instance) (eq, ok bool) {
	switch kind {
	case kindDateTime:
		return c.dateTimes(a, b)
	case kindTime:
		return c.times(a, b)
	case kindDate:
		return sameParsed(parseDate, a, b)
	case kindTimeDelta:
		return sameParsed(parseTimeDelta, a, b)
	case kindTimezone:
		z, err1 := parseTimezone(a)
		w, err2 := parseTimezone(b)
		return z.offset == w.offset, err1 == nil && err2 == nil
	case kindUUID:
		return sameParsed(parseUUID, a, b)
	case kindDeque:
		s, _, ok1, err1 := parseDeque(a)
		t, _, ok2, err2 := parseDeque(b)
		if !ok1 || !ok2 || err1 != nil || err2 != nil {
			return false, false
		}
		return c.slices(x, y, s, t), true
	case kindNamespace:
		d, ok1 := parseNamespace(a)
		e, ok2 := parseNamespace(b)
		return ok1 && ok2 && c.dicts(x, y, d, e), ok1 && ok2
	case kindRange:
		return equalRanges(a, b)
	case kindSlice:
		if len(a.args) != 3 || len(b.args) != 3 || !a.plain() || !b.plain() {
			return false, false
		}
		return c.slices(x, y, a.args, b.args), true
	case kindArray:
		return c.arrays(a, b)
	case kindPath:
		return equalPaths(a, b)
	case kindAddress:
		return sameParsed(parseAddress, a, b)
	case kindNetwork:
		return sameParsed(parseNetwork, a, b)
	case kindInterface:
		return sameParsed(parseInterface, a, b)
	}
	return false, false
}

func sameParsed[T comparable](parse func(*instance) (T, error), a, b *instance) (eq, ok bool) {
	s, err1 := parse(a)
	t, err2 := parse(b)
	return s == t, err1 == nil && err2 == nil
}

// sameZone reports whether two tzinfos are one object in Python.
func sameZone(x, y any) bool {
	if identical(x, y) {
		return true
	}
	z, err1 := parseZone(x)
	w, err2 := parseZone(y)
	if err1 != nil || err2 != nil {
		return false
	}
	return z.utc() && w.utc() || z.key != "" && z.key == w.key && z.cached && w.cached
}

func (c *comparer) dateTimes(a, b *instance) (eq, ok bool) {
	s, tz1, err1 := parseDateTime(a)
	t, tz2, err2 := parseDateTime(b)
	if err1 != nil || err2 != nil {
		return false, false
	}
	if tz1 == nil || tz2 == nil {
		s.Fold, t.Fold = 0, 0
		return tz1 == nil && tz2 == nil && s == t, true
	}
	if sameZone(tz1, tz2) {
		s.Fold, t.Fold = 0, 0
		return s == t, true
	}
	z, err1 := parseZone(tz1)
	w, err2 := parseZone(tz2)
	if err1 != nil || err2 != nil || (z.key != "" || w.key != "") && !c.spend(1000) { // a file to read, maybe
		return false, true
	}
	u, err1 := z.micros(s)
	v, err2 := w.micros(t)
	if err1 != nil || err2 != nil || u.Cmp(v) != 0 {
		return false, true
	}
	// Between zones a time that fold would move equals nothing (PEP 495).
	return !z.foldMatters(s, u) && !w.foldMatters(t, v), true
}

func (z zone) foldMatters(n NaiveDateTime, at *big.Int) bool {
	if z.key == "" {
		return false
	}
	n.Fold = 1 - n.Fold
	other, err := z.micros(n)
	return err != nil || other.Cmp(at) != 0
}

func (c *comparer) times(a, b *instance) (eq, ok bool) {
	s, tz1, err1 := parseTimeOfDay(a)
	t, tz2, err2 := parseTimeOfDay(b)
	if err1 != nil || err2 != nil {
		return false, false
	}
	s.Fold, t.Fold = 0, 0
	switch {
	case tz1 == nil && tz2 == nil || tz1 != nil && tz2 != nil && sameZone(tz1, tz2):
		return s == t, true
	case !c.spend(1000): // a file to read, maybe
		return false, true
	}
	// A ZoneInfo knows no offset without a date: the time then counts as naive.
	o1, naive1, err1 := fixedOffset(tz1)
	o2, naive2, err2 := fixedOffset(tz2)
	if err1 != nil || err2 != nil || naive1 != naive2 {
		return false, true
	}
	micros := func(t TimeOfDay, offset *big.Int) *big.Int {
		us := int64(t.Hour*3600+t.Minute*60+t.Second)*1e6 + int64(t.Microsecond)
		return new(big.Int).Sub(big.NewInt(us), offset)
	}
	return micros(s, o1).Cmp(micros(t, o2)) == 0, true
}

func fixedOffset(tz any) (offset *big.Int, naive bool, err error) {
	if tz == nil {
		return new(big.Int), true, nil
	}
	z, err := parseZone(tz)
	if err != nil {
		return nil, false, err
	}
	if z.key == "" {
		return z.offset.micros(), false, nil
	}
	loc, err := z.location()
	if err != nil {
		return nil, false, err
	}
	n := NaiveDateTime{Year: 2000, Month: 1, Day: 1}.In(loc)
	if start, end := n.ZoneBounds(); start.IsZero() && end.IsZero() {
		_, s := n.Zone()
		return big.NewInt(int64(s) * 1e6), false, nil
	}
	return new(big.Int), true, nil
}

// equalRanges compares ranges as the sequences they stand for.
func equalRanges(a, b *instance) (eq, ok bool) {
	if len(a.args) != 3 || len(b.args) != 3 || !a.plain() || !b.plain() {
		return false, false
	}
	var p [2][3]*big.Int
	var n [2]*big.Int
	for i, in := range []*instance{a, b} {
		for j, arg := range in.args {
			var ok bool
			if p[i][j], ok = bigOf(arg); !ok {
				return false, false
			}
		}
		if p[i][2].Sign() == 0 {
			return false, false
		}
		n[i] = rangeLen(p[i][0], p[i][1], p[i][2])
	}
	if n[0].Cmp(n[1]) != 0 {
		return false, true
	}
	if n[0].Sign() == 0 {
		return true, true
	}
	if p[0][0].Cmp(p[1][0]) != 0 {
		return false, true
	}
	return n[0].Cmp(big.NewInt(1)) == 0 || p[0][2].Cmp(p[1][2]) == 0, true
}

func rangeLen(start, stop, step *big.Int) *big.Int {
	span := new(big.Int).Sub(stop, start)
	if span.Sign()*step.Sign() <= 0 {
		return new(big.Int)
	}
	span.Abs(span)
	s := new(big.Int).Abs(step)
	span.Add(span, s)
	return span.Sub(span, big.NewInt(1)).Quo(span, s)
}

// arrayMemory compares an array's items as they lie in memory with a bytearray, which equals whatever
// lends the same bytes.
func (c *comparer) arrayMemory(o *Object, b *ByteArray) bool {
	in, ok := instanceOf(o)
	if !ok || b == nil {
		return false
	}
	if class, _ := stdlib(in.class); class.kind != kindArray {
		return false
	}
	in.meter = c.meter
	v, err := arrayFrom(&in)
	a, ok := v.(*Array)
	if err != nil || !ok {
		return false
	}
	_, _, memory, _, ok := arrayParts(a.Data, false)
	return ok && c.spend(len(memory)/64) && bytes.Equal(memory, b.Data)
}

func (c *comparer) arrays(a, b *instance) (eq, ok bool) {
	v, err1 := arrayFrom(a)
	w, err2 := arrayFrom(b)
	s, ok1 := v.(*Array)
	t, ok2 := w.(*Array)
	if err1 != nil || err2 != nil || !ok1 || !ok2 {
		return false, false
	}
	if eq, ok := sameItems(s.Data, t.Data); ok {
		return eq, true
	}
	_, _, _, x, _ := arrayParts(s.Data, true)
	_, _, _, y, _ := arrayParts(t.Data, true)
	if len(x) != len(y) {
		return false, true
	}
	for i := range x {
		if !c.equal(x[i], y[i]) {
			return false, true
		}
	}
	return true, true
}

// sameItems compares the items of two arrays of one Go type; ok is false for two types.
func sameItems(x, y any) (eq, ok bool) {
	switch x := x.(type) {
	case []int8:
		return equalSlices(x, y)
	case []uint8:
		return equalSlices(x, y)
	case []int16:
		return equalSlices(x, y)
	case []uint16:
		return equalSlices(x, y)
	case []int32:
		return equalSlices(x, y)
	case []uint32:
		return equalSlices(x, y)
	case []int64:
		return equalSlices(x, y)
	case []uint64:
		return equalSlices(x, y)
	case []float32:
		return equalSlices(x, y)
	case []float64:
		return equalSlices(x, y)
	}
	return false, false
}

func equalSlices[T comparable](x []T, y any) (eq, ok bool) {
	s, ok := y.([]T)
	return ok && slices.Equal(x, s), ok
}

// equalPaths compares paths of one flavour, pure or not; those of Windows without regard to case.
func equalPaths(a, b *instance) (eq, ok bool) {
	s, err1 := pathSegments(a)
	t, err2 := pathSegments(b)
	if err1 != nil || err2 != nil {
		return false, false
	}
	windows := strings.HasSuffix(a.class.Name, "WindowsPath")
	if windows != strings.HasSuffix(b.class.Name, "WindowsPath") {
		return false, true
	}
	if windows {
		// As str.lower has it, which folds less than strings.EqualFold.
		x, y := strings.ToLower(joinWindows(s)), strings.ToLower(joinWindows(t))
		return x == y, true
	}
	return joinPosix(s) == joinPosix(t), true
}
