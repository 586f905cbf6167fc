package pickleproto

import (
	"reflect"
	"unicode/utf8"
)

// UnmarshalTagged reads the pickle of a tuple whose first items are strs that say of which Go types
// the others are, such as the (ident, method, args, kwds) of a remote call, without a value in
// between. It puts the first items into tags, where they lie in data; then choose puts pointers to
// variables that are zero into rest, one for each of the other items, or returns false. A []any of
// such pointers stands for a tuple of just as many items. What follows the pickle is ignored.
//
// It is a shortcut for what is sent often, and reports whether it could be taken. If not (the pickle
// is bad or of another form, an item does not fit, a type or an option asks for more than the fast
// way of Unmarshal can do, choose has said no) the variables may hold anything, and the pickle is to
// be decoded as any other, which says what it is.
func (p *Prepared) UnmarshalTagged(data []byte, tags [][]byte, rest []any, choose func() bool) bool {
	if p.c.binding.err != nil {
		return false
	}
	r := readerOf(data, &p.c)
	if r == nil {
		return false
	}
	defer r.free()
	n := len(tags) + len(rest)
	if !r.proto() {
		return false
	}
	most, ok := r.tupleHead()
	if !ok || most < n {
		return false
	}
	for i := range tags {
		if tags[i], ok = r.key(); !ok || !utf8.Valid(tags[i]) {
			return false
		}
	}
	return choose() && r.each(rest) && r.tupleTail(n, most) && r.stop()
}

// each reads one item after another into what the pointers point to.
func (r *reader) each(pointers []any) bool {
	for _, v := range pointers {
		if endsItems(r.peek()) {
			return false
		}
		if items, ok := v.([]any); ok {
			most, ok := r.tupleHead()
			if !ok || most < len(items) || !r.each(items) || !r.tupleTail(len(items), most) {
				return false
			}
			continue
		}
		if r.far >= 0 {
			r.far = r.depth // most of the message is likely to be one argument
		}
		rv := reflect.ValueOf(v)
		if rv.Kind() != reflect.Pointer || rv.IsNil() {
			return false
		}
		if plan := planOf(rv.Type().Elem()); plan.fast == nil || !plan.fast(r, placeOf(rv)) {
			return false
		}
	}
	return true
}
