package pickleproto

import (
	"reflect"
	"unicode/utf8"
	"unsafe"
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
		tag, ok := r.key()
		if !ok || !ascii(tag, 0, len(tag)) && !utf8.Valid(tag) {
			return false
		}
		tags[i] = tag
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
		plan := r.planBehind(v)
		if plan == nil || plan.fast == nil || !plan.fast(r, dataPointer(v)) {
			return false
		}
	}
	return true
}

// pointerPlan is a plan by the type of a pointer to what it is for.
type pointerPlan struct {
	typ  unsafe.Pointer
	plan *typePlan
}

// planBehind returns the plan of what v points to; nil if v is no pointer, or a nil one. The targets of a
// program, and the arguments of calls, are of few types, so a pooled reader remembers their plans.
func (r *reader) planBehind(v any) *typePlan {
	typ := typeWord(v)
	known := &r.pointerPlans[uintptr(typ)>>5%uintptr(len(r.pointerPlans))]
	if typ == nil || known.typ != typ {
		t := reflect.TypeOf(v)
		if t == nil || t.Kind() != reflect.Pointer {
			return nil
		}
		*known = pointerPlan{typ, planOf(t.Elem())}
	}
	if dataPointer(v) == nil {
		return nil
	}
	return known.plan
}
