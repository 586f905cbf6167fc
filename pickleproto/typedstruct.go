package pickleproto

import (
	"encoding/binary"
	"math"
	"reflect"
	"unicode/utf8"

	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// The typed fast path's structs. See the NOTE in typed.go.

// fastField is what a struct's plan says of a field to the fast path.
type fastField struct {
	name   string
	offset uintptr
	kind   fastKind
	fill   fastFunc // nil where only the machine will do
}

// fastKind names the field types that are read without a call by way of fill.
type fastKind uint8

const (
	fastOther fastKind = iota
	fastString
	fastInt64
	fastFloat64
	fastBool
)

// finishFast completes a struct's plan once all plans that it refers to have their fill.
func (p *typePlan) finishFast() {
	for i, f := range p.fields.fields {
		ff := fastField{name: f.name, fill: p.fieldPlans[i].fast}
		if p.fieldPlans[i].kind == bindAny {
			ff.fill = fillAnyField
		}
		t := p.t
		for _, n := range f.index {
			if f.viaPtr {
				break // which fastFor refuses
			}
			sf := t.Field(n)
			ff.offset += sf.Offset
			t = sf.Type
		}
		if ff.fill != nil {
			switch f.typ.Kind() {
			case reflect.String:
				ff.kind = fastString
			case reflect.Int64:
				ff.kind = fastInt64
			case reflect.Float64:
				ff.kind = fastFloat64
			case reflect.Bool:
				ff.kind = fastBool
			}
		}
		p.fastFields = append(p.fastFields, ff)
	}
}

func (r *reader) structure(v place, p *typePlan) bool {
	if r.peek() != wire.OpEmptyDict {
		return r.tupleStructure(v, p)
	}
	if !r.beginContainer() {
		return false
	}
	f := filler{v: v, p: p, keys: r.keysOf(p)}
	for full := true; full; {
		switch r.nextEntries() {
		case aBatch:
			n := 0
			if len(f.keys) > 0 {
				var ok bool
				if n, ok = f.expectedFields(r); !ok {
					return false
				}
			}
			for ; r.peek() != wire.OpSetItems; n++ {
				if !f.field(r) {
					return false
				}
			}
			r.pos++
			full = n >= batchSize
		case single:
			if !f.field(r) || !r.take(wire.OpSetItem) {
				return false
			}
		default:
			full = false
		}
	}
	r.depth--
	if r.c.binding.requireFields {
		for i, field := range p.fields.fields {
			if f.seen&(1<<i) == 0 && !field.omitEmpty && !field.omitZero {
				return false
			}
		}
	}
	return true
}

// tupleStructure reads a tuple into a struct whose form is one.
func (r *reader) tupleStructure(v place, p *typePlan) bool {
	if form := r.c.classOf(p.t, p.fields).form; form != formTuple && form != formNamedTuple || len(p.fastFields) == 0 {
		return r.part(v, p) // an instance
	}
	most, ok := r.tupleHead()
	if !ok || most < len(p.fastFields) {
		return false
	}
	for i := range p.fastFields {
		if endsItems(r.peek()) || !p.fastFields[i].read(r, v) {
			return false
		}
	}
	return r.tupleTail(len(p.fastFields), most)
}

// read reads the field of the struct at v.
func (f *fastField) read(r *reader, v place) (ok bool) {
	v = within(v, f.offset)
	switch f.kind {
	case fastString:
		if r.shortStr(at[string](v)) {
			return true
		}
		*at[string](v), ok = r.otherStr(r.peek())
	case fastInt64:
		*at[int64](v), ok = r.integer()
	case fastFloat64:
		*at[float64](v), ok = r.float()
	case fastBool:
		ok = fillBool(r, v)
	default:
		ok = f.fill != nil && f.fill(r, v)
	}
	return ok
}

// keysOf returns the memo indices, plus one, of the strs that were the keys of p's fields: most
// records after the first one fetch their keys from the memo.
func (r *reader) keysOf(p *typePlan) []uint32 {
	switch {
	case r.keysPlan == nil: // the first struct, and perhaps the only one
		r.keysPlan = p
		return nil
	case r.keysPlan == p && r.keys != nil:
		return r.keys
	}
	keys := r.allKeys[p]
	if keys == nil {
		if r.allKeys == nil {
			r.allKeys = map[*typePlan][]uint32{}
		}
		keys = make([]uint32, len(p.fastFields))
		r.allKeys[p] = keys
	}
	r.keysPlan, r.keys = p, keys
	return keys
}

// filler fills one struct.
type filler struct {
	v        place
	p        *typePlan
	keys     []uint32
	seen     uint64
	expected int // records come with their keys in the same order, mostly that of the struct
}

// expectedFields reads the fields that come with the keys of the record before, in the same order, up to the first that
// does not. It returns how many there were. Where it is in the message it keeps to itself, as long as it can: to read
// that from memory anew for each of a key, an opcode and an argument is what most of the time would go to.
func (f *filler) expectedFields(r *reader) (n int, ok bool) {
	const number = 9 // bytes of the longest that is read here
	fields := f.p.fastFields[f.expected:]
	keys := f.keys[min(f.expected, len(f.keys)):] // as many, or none
	fields = fields[:len(keys)]
	data, pos := r.data[:r.end], r.pos
	for ; n < len(keys) && len(data)-pos >= 2+number; n++ {
		if data[pos] != wire.OpBinGet || keys[n] != uint32(data[pos+1])+1 {
			break
		}
		bit := uint64(1) << (f.expected + n)
		if f.seen&bit != 0 {
			return n, false
		}
		f.seen |= bit
		pos += 2
		field := &fields[n]
		v := within(f.v, field.offset)
		switch field.kind {
		case fastString:
			r.pos = pos
			if r.shortStr(at[string](v)) {
				pos = r.pos
				continue
			}
		case fastInt64:
			switch x := binary.LittleEndian.Uint64(data[pos : pos+8]); byte(x) {
			case wire.OpBinInt1:
				*at[int64](v) = int64(uint8(x >> 8))
				pos += 2
				continue
			case wire.OpBinInt2:
				*at[int64](v) = int64(uint16(x >> 8))
				pos += 3
				continue
			case wire.OpBinInt:
				*at[int64](v) = int64(int32(x >> 8))
				pos += 5
				continue
			}
		case fastFloat64:
			if data[pos] == wire.OpBinFloat {
				*at[float64](v) = math.Float64frombits(binary.BigEndian.Uint64(data[pos+1 : pos+9]))
				pos += 9
				continue
			}
		case fastBool:
			if op := data[pos]; op == wire.OpNewTrue || op == wire.OpNewFalse {
				*at[bool](v) = op == wire.OpNewTrue
				pos++
				continue
			}
		}
		r.pos = pos
		if !field.read(r, f.v) {
			return n, false
		}
		data, pos = r.data[:r.end], r.pos
	}
	r.pos = pos
	f.expected += n
	return n, true
}

// field reads a key and its value.
func (f *filler) field(r *reader) bool {
	fields := f.p.fastFields
	i := f.expected
	var name []byte
	var ok bool
	from := uint32(noEntry)
	if i < len(f.keys) && r.end-r.pos >= 2 && r.data[r.pos] == wire.OpBinGet && f.keys[i] == uint32(r.data[r.pos+1])+1 {
		r.pos += 2
		goto found
	}
	if op := r.peek(); op == wire.OpBinGet || op == wire.OpLongBinGet {
		if from, ok = r.get(); !ok {
			return false
		}
		if i < len(f.keys) && f.keys[i] == from+1 {
			goto found
		}
		name, _, ok = r.strAt(int(r.memo[from]), len(r.data))
	} else {
		name, ok = r.key()
	}
	if !ok {
		return false
	}
	if i >= len(fields) || fields[i].name != string(name) {
		if i, ok = f.p.fields.exact[string(name)]; !ok {
			if !utf8.Valid(name) {
				return false
			}
			if i, ok = f.p.fields.folded[foldName(string(name))]; !ok {
				return !r.c.binding.disallowUnknown && r.skip()
			}
		}
	}
	if from != noEntry && f.keys != nil {
		f.keys[i] = from + 1
	}
found:
	if f.seen&(1<<i) != 0 {
		return false
	}
	f.seen |= 1 << i
	f.expected = i + 1
	return fields[i].read(r, f.v)
}
