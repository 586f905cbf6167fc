package pickleproto

import (
	"reflect"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// The typed fast path's dicts and sets, into maps. See the NOTE in typed.go.

// nextEntries says how the entries of a dict go on.
func (r *reader) nextEntries() coming {
	switch r.peek() {
	case wire.OpMark:
		r.pos++
		return aBatch
	case wire.OpAppend, wire.OpAppends, wire.OpSetItem, wire.OpSetItems, wire.OpStop, wire.OpEmptyDict, wire.OpEmptyList:
		return nothing
	}
	if r.applies(wire.OpSetItem) {
		return single
	}
	return nothing
}

// countEntries counts the entries of a dict, from within its first batch on, whose keys and values
// are scalars. It returns 0 when there is anything else.
func (r *reader) countEntries() int {
	scalars := 0
	for pos := r.pos; pos < len(r.data); {
		switch r.data[pos] {
		case wire.OpShortBinUnicode:
			if pos+1 >= len(r.data) {
				return 0
			}
			pos += 2 + int(r.data[pos+1])
			scalars++
		case wire.OpMemoize, wire.OpMark:
			pos++
		case wire.OpNone, wire.OpNewTrue, wire.OpNewFalse:
			pos++
			scalars++
		case wire.OpBinInt1, wire.OpBinGet:
			pos += 2
			scalars++
		case wire.OpBinInt2:
			pos += 3
			scalars++
		case wire.OpBinInt, wire.OpLongBinGet:
			pos += 5
			scalars++
		case wire.OpBinPut:
			pos += 2
		case wire.OpLongBinPut:
			pos += 5
		case wire.OpBinFloat, wire.OpFrame:
			if r.data[pos] == wire.OpBinFloat {
				scalars++
			}
			pos += 9
		case wire.OpSetItems:
			pos++
			if pos < len(r.data) && r.data[pos] != wire.OpMark && r.data[pos] != wire.OpFrame {
				return scalars / 2
			}
		default:
			return 0
		}
	}
	return 0
}

// entriesAhead is how many entries of a long dict are read before they are put into the map.
const entriesAhead = 64

// intEntries puts entries of memoised short strs of ASCII and ints into m, up to the first that is anything else or
// the end of the batch. It returns how many there were; not ok if they are too many.
func intEntries(r *reader, m map[string]int64, size int) (n int, ok bool) {
	var keys [entriesAhead]string
	var values [entriesAhead]int64
	for {
		some := intEntryRun(r, keys[:], values[:])
		if !r.charge(some * size) {
			return n, false
		}
		for i, k := range keys[:some] {
			m[k] = values[i]
		}
		if n += some; some < entriesAhead {
			return n, true
		}
	}
}

// intEntryRun reads such entries into keys and values, which are as long. It returns how many there were.
func intEntryRun(r *reader, keys []string, values []int64) (n int) {
	values = values[:len(keys)]
	for n < len(keys) {
		if n += r.commonEntries(keys[n:], values[n:]); n == len(keys) {
			break
		}
		begin, memo := r.pos, len(r.memo)
		if !r.shortStr(&keys[n]) {
			break
		}
		v, size := intAt(r.data[r.pos:r.end])
		if size == 0 { // mapOf reads the key again
			r.pos, r.memo = begin, r.memo[:memo]
			break
		}
		values[n] = v
		r.pos += size
		n++
	}
	return n
}

// commonEntries is intEntryRun as commonStrs is stringRun.
func (r *reader) commonEntries(keys []string, values []int64) (n int) {
	const number = 8 // bytes from its opcode on that are looked at
	text := r.blockAhead()
	most := min(len(keys), len(text)/commonLeast)
	memo := r.memoAhead(most)
	keys, values = keys[:len(memo)], values[:len(memo)]
	p := 0
	for n < len(memo) && len(text)-p > commonHead+commonMost+1+number {
		size := int(text[p+1])
		begin := p + commonHead
		end := begin + size
		if text[p] != wire.OpShortBinUnicode || uint(size-commonLeast) > commonMost-commonLeast || text[end] != wire.OpMemoize ||
			(wordAt(text, begin)|wordAt(text, end-8))&highBits != 0 {
			break
		}
		x := wordAt(text, end+1)
		next := end + 1
		switch byte(x) {
		case wire.OpBinInt:
			values[n] = int64(int32(x >> 8))
			next += 5
		case wire.OpBinInt2:
			values[n] = int64(uint16(x >> 8))
			next += 3
		case wire.OpBinInt1:
			values[n] = int64(uint8(x >> 8))
			next += 2
		default:
			r.took(p, n)
			return n
		}
		keys[n] = text[begin:end]
		memo[n] = uint32(r.pos + p)
		p = next
		n++
	}
	r.took(p, n)
	return n
}

// mapOf reads a dict into a map with str keys and values of a basic type, of the given size of an
// entry. run, if there is one, is tried first on the batches of a long dict.
func mapOf[T any](r *reader, dst *map[string]T, size int, value func(r *reader) (T, bool), run func(r *reader, m map[string]T, size int) (int, bool)) bool {
	if r.none() {
		*dst = nil
		return true
	}
	if r.peek() != wire.OpEmptyDict || len(*dst) > 0 || !r.beginContainer() {
		return false
	}
	var m map[string]T
	long := false
	for full := true; full; {
		switch r.nextEntries() {
		case aBatch:
			if m == nil {
				n := 0
				if r.depth == 1 {
					n = r.countEntries()
				}
				if !r.charge(n * size) {
					return false
				}
				m = make(map[string]T, n)
				long = run != nil && n > entriesAhead
			}
			n := 0
			if long && r.peek() == wire.OpShortBinUnicode {
				var ok bool
				if n, ok = run(r, m, size); !ok {
					return false
				}
			}
			for ; r.peek() != wire.OpSetItems; n++ {
				k, ok := r.str()
				if !ok || !r.charge(size) {
					return false
				}
				v, ok := value(r)
				if !ok {
					return false
				}
				m[k] = v
			}
			r.pos++
			full = n >= batchSize
		case single:
			if m == nil {
				m = map[string]T{}
			}
			k, ok := r.str()
			if !ok || !r.charge(size) {
				return false
			}
			v, ok := value(r)
			if !ok || !r.take(wire.OpSetItem) {
				return false
			}
			m[k] = v
		default:
			full = false
		}
	}
	if m == nil {
		m = map[string]T{}
	}
	r.depth--
	*dst = m
	return true
}

func basicMap(p *typePlan) fastFunc {
	if p.key.kind != bindString || p.key.unmarshaler || p.key.text || p.key.std ||
		p.elem.unmarshaler || p.elem.text || p.elem.std {
		return nil
	}
	switch p.t.Elem().Kind() {
	case reflect.Int64:
		return fastMap(p, (*reader).integer, intEntries)
	case reflect.Int:
		return fastMap(p, func(r *reader) (int, bool) {
			n, ok := r.integer()
			return int(n), ok && int64(int(n)) == n
		}, nil)
	case reflect.Float64:
		return fastMap(p, (*reader).float, nil)
	case reflect.String:
		return fastMap(p, (*reader).str, nil)
	case reflect.Bool:
		return fastMap(p, func(r *reader) (b, ok bool) {
			ok = fillBool(r, place(&b))
			return b, ok
		}, nil)
	}
	return nil
}

func fastMap[T any](p *typePlan, value func(r *reader) (T, bool), run func(r *reader, m map[string]T, size int) (int, bool)) fastFunc {
	if p.t.Key() != reflect.TypeFor[string]() || p.t.Elem() != reflect.TypeFor[T]() {
		return nil // a map's layout is not promised to be that of its types' underlying types
	}
	size := int(p.key.size+p.elem.size) + 8
	return func(r *reader, v place) bool {
		if op := r.peek(); op != wire.OpEmptyDict && op != wire.OpNone {
			return r.part(v, p) // an OrderedDict, a defaultdict ...
		}
		return mapOf(r, at[map[string]T](v), size, value, run)
	}
}

// entries reads what comes into the dict that has begun; entry reads a key and its value.
func (r *reader) entries(entry func() bool) bool {
	for full := true; full; {
		switch r.nextEntries() {
		case aBatch:
			n := 0
			for ; r.peek() != wire.OpSetItems; n++ {
				if !entry() {
					return false
				}
			}
			r.pos++
			full = n >= batchSize
		case single:
			if !entry() || !r.take(wire.OpSetItem) {
				return false
			}
		default:
			full = false
		}
	}
	return true
}

func (r *reader) mapping(v place, p *typePlan) bool {
	target := valueAt(p.t, v)
	if r.none() {
		target.SetZero()
		return true
	}
	if r.peek() != wire.OpEmptyDict {
		return r.part(v, p)
	}
	if p.nested != nil && r.depth > 0 {
		p = p.nested
	}
	if !isNil(v) && target.Len() > 0 || p.elem.parts && r.depth == 0 || !r.beginContainer() {
		return false
	}
	made := reflect.MakeMap(p.t)
	k := reflect.New(p.t.Key())
	e := reflect.New(p.t.Elem())
	size := 2 * (int(p.key.size+p.elem.size) + 8)
	entry := func() bool {
		k.Elem().SetZero()
		e.Elem().SetZero()
		if !r.charge(size) || !p.key.fast(r, placeOf(k)) || !p.elem.fast(r, placeOf(e)) {
			return false
		}
		made.SetMapIndex(k.Elem(), e.Elem())
		return true
	}
	if !r.entries(entry) {
		return false
	}
	r.depth--
	target.Set(made)
	return true
}

// setOf reads a set or frozenset into a map.
func setOf[T comparable](r *reader, dst *map[T]struct{}, value func(r *reader) (T, bool)) bool {
	if r.none() {
		*dst = nil
		return true
	}
	if len(*dst) > 0 {
		return false
	}
	m := map[T]struct{}{}
	batch := func(end byte) (n int, ok bool) {
		for ; r.peek() != end; n++ {
			v, ok := value(r)
			if !ok || !r.charge(32) {
				return 0, false
			}
			m[v] = struct{}{}
		}
		r.pos++
		return n, true
	}
	switch r.peek() {
	case wire.OpMark: // a frozenset
		r.pos++
		if !r.enter() {
			return false
		}
		if _, ok := batch(wire.OpFrozenSet); !ok {
			return false
		}
		if !r.put(r.pos - 1) {
			return false
		}
	case wire.OpEmptySet:
		if !r.beginContainer() {
			return false
		}
		for full := true; full && r.peek() == wire.OpMark; {
			r.pos++
			n, ok := batch(wire.OpAddItems)
			if !ok {
				return false
			}
			full = n >= batchSize
		}
	default:
		return false
	}
	r.depth--
	*dst = m
	return true
}
