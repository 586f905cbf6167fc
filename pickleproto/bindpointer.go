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

// enumValue returns the value of an enum's member, which Python writes as cls(value), when t is
// registered as that enum.
func (b *binder) enumValue(x any, t reflect.Type) (any, bool) {
	tag, ok := b.c.binding.byType[t]
	if !ok || tag.form != formEnum {
		return nil, false
	}
	o, ok := x.(*Object)
	if !ok || o.How != ByReduce {
		return nil, false
	}
	g, _ := o.Callable.(Global)
	args, _ := o.Args.(Tuple)
	if plainGlobal(g) != tag.name || len(args) != 1 {
		return nil, false
	}
	return args[0], true
}
