package pickleproto

// checkDepth refuses a graph that is nested deeper than limit, counted as an encoder meets it:
// depth first, each shared container where it is met first. It does not recurse. Decoding cannot
// see this by the stack alone: a pickle may nest through the memo and never hold two items.
//
// With sharing unset no container occurs twice, so none need be remembered.
func checkDepth(v any, limit int64, sharing bool) error {
	var seen map[identity]struct{}
	if sharing {
		seen = make(map[identity]struct{})
	}
	type level struct {
		items []any
		more  [][]any // further runs of items at this level
	}
	stack := make([]level, 0, 64)
	stack = append(stack, level{items: []any{v}})
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if len(top.items) == 0 {
			if n := len(top.more); n > 0 {
				top.items, top.more = top.more[n-1], top.more[:n-1]
				continue
			}
			stack = stack[:len(stack)-1]
			continue
		}
		v := top.items[0]
		top.items = top.items[1:]
		var l level
		id := identity{length: -1}
		switch w := typeWord(v); w {
		case typInt64, typString, typFloat64, typBool, typBytes, typGlobal, nil:
			continue
		case typTuple:
			t := v.(Tuple)
			l.items = t
			id = identity{tupleAddress(t), len(t)}
		default:
			id.address = uintptr(dataPointer(v))
			switch c := v.(type) {
			case *List:
				l.items = c.items // a packed list holds no containers
			case *Dict:
				if c.t != nil {
					l.items, l.more = c.values, keysIfNested(c.t.keys)
				}
			case *Set:
				if c.t != nil {
					l.items = c.t.keys
				}
			case *FrozenSet:
				l.items = c.t.keys
			case *Object:
				l.items = []any{c.Callable, c.Args, c.Kwargs}
				for i := len(c.Ops) - 1; i >= 0; i-- {
					l.more = append(l.more, c.Ops[i].Items)
				}
			case *PersistentID:
				l.items = []any{c.ID}
			default:
				continue
			}
		}
		if len(l.items) == 0 && len(l.more) == 0 {
			continue
		}
		if sharing {
			if _, ok := seen[id]; ok {
				continue
			}
			seen[id] = struct{}{}
		}
		if int64(len(stack)) > limit {
			return &LimitError{Limit: "depth", Value: uint64(len(stack)), Max: uint64(limit), Offset: -1}
		}
		stack = append(stack, l)
	}
	return nil
}

// keysIfNested returns the keys as a run to be walked if one of them may contain others.
func keysIfNested(keys []any) [][]any {
	for _, k := range keys {
		if w := typeWord(k); w != typString && w != typInt64 {
			return [][]any{keys}
		}
	}
	return nil
}
