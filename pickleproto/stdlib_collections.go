package pickleproto

// OrderedDict is Python's collections.OrderedDict, a dict that compares its order.
type OrderedDict struct{ *Dict }

// DefaultDict is Python's collections.defaultdict. Factory makes missing values: nil for None,
// nearly always a Global such as list.
type DefaultDict struct {
	*Dict
	Factory any
}

// Counter is Python's collections.Counter: a dict of counts, int64 as a rule.
type Counter struct{ *Dict }

// Deque is Python's collections.deque. MaxLen is negative when it is unbounded.
type Deque struct {
	Items  []any
	MaxLen int
}

// NewDeque returns an unbounded deque of the items; it takes the slice over.
func NewDeque(items ...any) *Deque { return &Deque{Items: items, MaxLen: -1} }

// SimpleNamespace is Python's types.SimpleNamespace: attributes by name.
type SimpleNamespace struct{ *Dict }

// perEntry is about what an entry of a Dict takes.
const perEntry = 64

// dict builds the dict that setting the pairs in turn gives, upon a copy of base.
func (in *instance) dict(base *Dict, pairs []any) (*Dict, error) {
	d, h, n := NewDict(), in.hasher(), len(pairs)/2
	if base != nil {
		n += base.Len()
	}
	if err := in.charge(n, perEntry); err != nil {
		return nil, err
	}
	if base != nil {
		for k, v := range base.All() {
			if err := d.set(k, v, h); err != nil {
				return nil, keyError(err, h)
			}
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := d.set(pairs[i], pairs[i+1], h); err != nil {
			return nil, keyError(err, h)
		}
	}
	return d, nil
}

// parseOrderedDict reads OrderedDict() with items set afterwards, and Python 2's
// OrderedDict([[key, value], ...]). It returns nil for one that has attributes.
func parseOrderedDict(in *instance) (*Dict, error) {
	if in.kwargs != nil || in.state != nil || len(in.items) > 0 || len(in.args) > 1 {
		return nil, nil
	}
	pairs := in.pairs
	if len(in.args) == 1 {
		l, ok := in.args[0].(*List)
		if !ok {
			return nil, nil
		}
		pairs = nil
		if err := in.charge(l.Len(), perEntry); err != nil {
			return nil, err
		}
		for _, item := range l.All() {
			var kv []any
			switch item := item.(type) {
			case *List:
				kv = item.Items()
			case Tuple:
				kv = item
			}
			if len(kv) != 2 {
				return nil, badState("an item is no pair")
			}
			pairs = append(pairs, kv...)
		}
		pairs = join(pairs, in.pairs)
	}
	return in.dict(nil, pairs)
}

func orderedDictFrom(in *instance) (any, error) {
	d, err := parseOrderedDict(in)
	if d == nil {
		return nil, err
	}
	return &OrderedDict{d}, nil
}

// parseDefaultDict reads defaultdict(factory) with items set afterwards.
func parseDefaultDict(in *instance) (factory any, d *Dict, err error) {
	if in.kwargs != nil || in.state != nil || len(in.items) > 0 || len(in.args) > 1 {
		return nil, nil, nil
	}
	if len(in.args) == 1 {
		factory = in.args[0]
	}
	d, err = in.dict(nil, in.pairs)
	return factory, d, err
}

func defaultDictFrom(in *instance) (any, error) {
	factory, d, err := parseDefaultDict(in)
	if d == nil {
		return nil, err
	}
	return &DefaultDict{Dict: d, Factory: factory}, nil
}

// parseCounter reads Counter(dict).
func parseCounter(in *instance) (*Dict, error) {
	if in.kwargs != nil || in.state != nil || len(in.items) > 0 || len(in.args) > 1 {
		return nil, nil
	}
	var base *Dict
	if len(in.args) == 1 {
		var ok bool
		if base, ok = in.args[0].(*Dict); !ok {
			return nil, nil
		}
	}
	return in.dict(base, in.pairs)
}

func counterFrom(in *instance) (any, error) {
	d, err := parseCounter(in)
	if d == nil {
		return nil, err
	}
	return &Counter{d}, nil
}

// parseDeque reads deque() and deque((), maxlen) with items appended afterwards, and the
// deque(list, maxlen) of Python 2. More items than maxlen push the first ones out.
func parseDeque(in *instance) (items []any, maxLen int, ok bool, err error) {
	maxLen = -1
	if in.kwargs != nil || in.state != nil || len(in.pairs) > 0 || len(in.args) > 2 {
		return nil, 0, false, nil
	}
	items = in.items
	if len(in.args) > 0 {
		switch first := in.args[0].(type) {
		case Tuple:
			items = join(first, in.items)
		case *List:
			items = join(first.Items(), in.items)
		default:
			return nil, 0, false, nil
		}
	}
	if len(in.args) == 2 && in.args[1] != nil {
		n, isInt := intOf(in.args[1])
		if !isInt || n < 0 || n != int64(int(n)) {
			return nil, 0, false, badState("bad maxlen")
		}
		maxLen = int(n)
		if len(items) > maxLen {
			items = items[len(items)-maxLen:]
		}
	}
	return items, maxLen, true, nil
}

func dequeFrom(in *instance) (any, error) {
	items, maxLen, ok, err := parseDeque(in)
	if !ok {
		return nil, err
	}
	if err := in.charge(len(items), 16); err != nil {
		return nil, err
	}
	return &Deque{Items: append([]any(nil), items...), MaxLen: maxLen}, nil
}

func (m *maker) deque(d *Deque) *Object {
	o := reduce("collections", "deque")
	items := d.Items
	if d.MaxLen >= 0 {
		o.Args = Tuple{Tuple{}, int64(d.MaxLen)}
		items = items[max(0, len(items)-d.MaxLen):]
	}
	if len(items) > 0 {
		o.Ops = []Op{{Kind: OpAppends, Items: items}}
	}
	return o
}

// parseNamespace reads SimpleNamespace() with its attributes as state.
func parseNamespace(in *instance) (*Dict, bool) {
	if in.kwargs != nil || len(in.args) > 0 || len(in.items) > 0 || len(in.pairs) > 0 {
		return nil, false
	}
	if in.state == nil {
		return NewDict(), true
	}
	d, ok := in.state.(*Dict)
	return d, ok
}

func namespaceFrom(in *instance) (any, error) {
	d, ok := parseNamespace(in)
	if !ok {
		return nil, nil
	}
	return &SimpleNamespace{d}, nil
}
