package pickleproto

import "reflect"

// Pointers and interfaces to receive Python values.

func (b *binder) bindPointer(x any, v reflect.Value, p *typePlan) error {
	if x == nil {
		v.SetZero()
		return nil
	}
	known, key, shared := b.known(x, p.t)
	if shared {
		v.Set(known)
		return nil
	}
	if reflect.TypeOf(x).AssignableTo(p.t) && !p.elem.unmarshaler && p.elem.kind != bindBigInt {
		v.Set(reflect.ValueOf(x))
		return nil
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer func() { b.depth-- }()
	if err := b.take(p.elem.size); err != nil {
		return err
	}
	made := reflect.New(p.elem.t)
	if !v.IsNil() {
		made.Elem().Set(v.Elem())
	}
	if made.Type() != p.t {
		made = made.Convert(p.t)
	}
	b.share(key, made)
	if err := b.bind(x, made.Elem(), p.elem); err != nil {
		return err
	}
	v.Set(made)
	return nil
}

// bindInterface chooses the Go type for an interface with methods: the one registered for the
// instance's class, or what a hook made.
func (b *binder) bindInterface(x any, v reflect.Value, p *typePlan) error {
	if x == nil {
		v.SetZero()
		return nil
	}
	if o, ok := x.(*Object); ok {
		if g, ok := classOfObject(o); ok {
			if t, ok := b.c.binding.byName[plainGlobal(g)]; ok {
				if !t.Implements(p.t) {
					t = reflect.PointerTo(t)
				}
				if t.Implements(p.t) {
					made := reflect.New(t).Elem()
					if err := b.bind(x, made, planOf(t)); err != nil {
						return err
					}
					v.Set(made)
					return nil
				}
			}
		}
	}
	if o, ok := x.(*Object); ok { // an *Exception is an error
		made, known, err := convert(o, b.costs())
		if err != nil {
			return mismatchErr(x, p.t, err)
		}
		if !known && p.t == errorType {
			if e, isCall := calledException(o, b.costs()); isCall {
				made, known = e, true
			}
		}
		if known && made != nil && reflect.TypeOf(made).AssignableTo(p.t) {
			v.Set(reflect.ValueOf(made))
			return nil
		}
	}
	return b.assign(x, v, p)
}

func plainGlobal(g Global) Global { return Global{Module: g.Module, Name: g.Name} }

// enumValue returns the value of an enum's member, when t is registered as that enum.
func (b *binder) enumValue(x any, t reflect.Type) (any, bool) {
	tag, ok := b.c.binding.byType[t]
	if !ok || tag.form != formEnum {
		return nil, false
	}
	return tag.member(x, 0)
}

// flagsMost bounds how many members of a Flag are joined.
const flagsMost = 128

// member returns the value of a member, which Python writes as cls(value), or up to 3.11.3 as
// getattr(cls, name) and, of several members of a Flag, or_(one, more).
func (tag *classTag) member(x any, depth int) (any, bool) {
	o, ok := x.(*Object)
	if !ok || o.How != ByReduce || len(o.Ops) > 0 || depth > flagsMost {
		return nil, false
	}
	g, _ := o.Callable.(Global)
	args, _ := o.Args.(Tuple)
	if plainGlobal(g) == tag.name && len(args) == 1 {
		return args[0], true
	}
	if len(args) != 2 || tag.members == nil {
		return nil, false
	}
	switch python3Name(g) {
	case Global{Module: "builtins", Name: "getattr"}:
		class, _ := args[0].(Global)
		name, isText := textOf(args[1])
		if plainGlobal(class) != tag.name || !isText {
			return nil, false
		}
		value, ok := tag.members[name]
		return value, ok
	case Global{Module: "_operator", Name: "or_"}:
		// The last member is the second argument, all others are in the first.
		last, ok1 := tag.member(args[1], flagsMost)
		rest, ok2 := tag.member(args[0], depth+1)
		a, ok3 := last.(int64)
		b, ok4 := rest.(int64)
		return a | b, ok1 && ok2 && ok3 && ok4
	}
	return nil, false
}
