package managers

import (
	"context"
	"sync"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// Set is a set shared between Python clients and Go code: that of SyncManager from Python 3.14 on;
// clients of older ones register the typeid themselves: M.register('set'). Members are those of
// pickleproto, and are not to be changed; Go's own numbers become Python's.
type Set struct {
	mu sync.RWMutex // guards s
	s  *pickleproto.Set
}

// NewSet returns a set of the members. The error is for one that Python cannot hash.
func NewSet(members ...any) (*Set, error) {
	s := &Set{s: new(pickleproto.Set)}
	for _, x := range members {
		if err := s.Add(x); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Add adds x. The error is for one that Python cannot hash.
func (s *Set) Add(x any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s.Add(goNumber(x))
}

// Has reports whether x is a member.
func (s *Set) Has(x any) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.s.Has(goNumber(x))
}

// Remove removes x and reports whether it was a member.
func (s *Set) Remove(x any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s.Remove(goNumber(x))
}

// Len returns the number of members.
func (s *Set) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.s.Len()
}

// Items returns a copy of the members.
func (s *Set) Items() []any {
	s.mu.RLock()
	defer s.mu.RUnlock()
	items := make([]any, 0, s.s.Len())
	for x := range s.s.All() {
		items = append(items, x)
	}
	return items
}

// Copy returns a set of the same members.
func (s *Set) Copy() *pickleproto.Set {
	c, _ := pickleproto.NewSet(s.Items()...) // they have hashes: they were members
	return c
}

// A setOperation makes a new set of two.
type setOperation func(x, y *pickleproto.Set) (*pickleproto.Set, error)

// those is the set of the members of x of which keep says so.
func those(x *pickleproto.Set, keep func(any) bool) (*pickleproto.Set, error) {
	result := new(pickleproto.Set)
	for v := range x.All() {
		if keep(v) {
			if err := result.Add(v); err != nil {
				return nil, err
			}
		}
	}
	return result, nil
}

func intersection(x, y *pickleproto.Set) (*pickleproto.Set, error) { return those(x, y.Has) }

func difference(x, y *pickleproto.Set) (*pickleproto.Set, error) {
	return those(x, func(v any) bool { return !y.Has(v) })
}

func union(x, y *pickleproto.Set) (*pickleproto.Set, error) {
	result, err := those(x, func(any) bool { return true })
	for v := range y.All() {
		if err == nil {
			err = result.Add(v)
		}
	}
	return result, err
}

func symmetricDifference(x, y *pickleproto.Set) (*pickleproto.Set, error) {
	left, err := difference(x, y)
	if err != nil {
		return nil, err
	}
	right, err := difference(y, x)
	if err != nil {
		return nil, err
	}
	return union(left, right)
}

func isSubset(x, y *pickleproto.Set) bool {
	rest, err := difference(x, y)
	return err == nil && rest.Len() == 0
}

// asSet makes a set of an argument. As an operand it must be one; as an argument of a method it is
// anything that can be iterated.
func (a *arguments) asSet(x any, operand bool) (*pickleproto.Set, error) {
	x, err := a.c.contents(x)
	if err != nil {
		return nil, err
	}
	switch v := x.(type) {
	case *pickleproto.Set:
		return v, nil
	case *pickleproto.FrozenSet:
	default:
		if operand {
			return nil, python.TypeError("unsupported operand type(s): 'set' and '%s'", python.TypeName(x))
		}
	}
	items, err := python.Iterate(x)
	if err != nil {
		return nil, err
	}
	return pickleproto.NewSet(items...)
}

type setFunc = builtin[*Set]

// setOperator is an operator that gives a new set; with reflected the set is its right side.
func setOperator(do setOperation, reflected bool) *setFunc {
	return fn("other", func(_ context.Context, s *Set, a *arguments) (any, error) {
		other, err := a.asSet(a.at(0), true)
		if err != nil {
			return nil, err
		}
		if reflected {
			return do(other, s.Copy())
		}
		return do(s.Copy(), other)
	})
}

// setChange is an operator, or a method, that changes the set.
func setChange(do setOperation, operator bool) *setFunc {
	return fn("other", func(_ context.Context, s *Set, a *arguments) (any, error) {
		other, err := a.asSet(a.at(0), operator)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		changed, err := do(s.s, other)
		if err == nil {
			s.s = changed
		}
		return nil, err
	})
}

// setMethod is a method that gives a new set, of a set and no or one other argument.
func setMethod(do setOperation) *setFunc {
	return fn("? other", func(_ context.Context, s *Set, a *arguments) (any, error) {
		if !a.has[0] {
			return s.Copy(), nil
		}
		other, err := a.asSet(a.at(0), false)
		if err != nil {
			return nil, err
		}
		return do(s.Copy(), other)
	})
}

// setRelation compares two sets.
func setRelation(operator bool, holds func(x, y *pickleproto.Set) bool) *setFunc {
	return fn("other", func(_ context.Context, s *Set, a *arguments) (any, error) {
		other, err := a.asSet(a.at(0), operator)
		if err != nil {
			return nil, err
		}
		return holds(s.Copy(), other), nil
	})
}

// setMember is a method of one member, which must have a hash.
func setMember(do func(s *Set, x any) (any, error)) *setFunc {
	return fn("value", func(_ context.Context, s *Set, a *arguments) (any, error) {
		if err := unhashable(a.at(0)); err != nil {
			return nil, err
		}
		return do(s, a.at(0))
	})
}

func superset(x, y *pickleproto.Set) bool { return isSubset(y, x) }

var setMethods = named(builtins[*Set]{
	"__and__":  setOperator(intersection, false),
	"__rand__": setOperator(intersection, true),
	"__or__":   setOperator(union, false),
	"__ror__":  setOperator(union, true),
	"__sub__":  setOperator(difference, false),
	"__rsub__": setOperator(difference, true),
	"__xor__":  setOperator(symmetricDifference, false),
	"__rxor__": setOperator(symmetricDifference, true),
	"__iand__": setChange(intersection, true),
	"__ior__":  setChange(union, true),
	"__isub__": setChange(difference, true),
	"__ixor__": setChange(symmetricDifference, true),
	"__le__":   setRelation(true, isSubset),
	"__ge__":   setRelation(true, superset),
	"__lt__":   setRelation(true, func(x, y *pickleproto.Set) bool { return x.Len() < y.Len() && isSubset(x, y) }),
	"__gt__":   setRelation(true, func(x, y *pickleproto.Set) bool { return x.Len() > y.Len() && isSubset(y, x) }),

	"union":                       setMethod(union),
	"intersection":                setMethod(intersection),
	"difference":                  setMethod(difference),
	"symmetric_difference":        setMethod(symmetricDifference),
	"update":                      setChange(union, false),
	"intersection_update":         setChange(intersection, false),
	"difference_update":           setChange(difference, false),
	"symmetric_difference_update": setChange(symmetricDifference, false),
	"issubset":                    setRelation(false, isSubset),
	"issuperset":                  setRelation(false, superset),
	"isdisjoint": setRelation(false, func(x, y *pickleproto.Set) bool {
		common, err := intersection(x, y)
		return err == nil && common.Len() == 0
	}),

	"__contains__": setMember(func(s *Set, x any) (any, error) { return s.Has(x), nil }),
	"add":          setMember(func(s *Set, x any) (any, error) { return nil, s.Add(x) }),
	"discard":      setMember(func(s *Set, x any) (any, error) { s.Remove(x); return nil, nil }),
	"remove": setMember(func(s *Set, x any) (any, error) {
		if !s.Remove(x) {
			return nil, python.KeyError(x)
		}
		return nil, nil
	}),
	"pop": fn("", func(_ context.Context, s *Set, _ *arguments) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for x := range s.s.All() {
			s.s.Remove(x)
			return x, nil
		}
		return nil, python.KeyError("pop from an empty set")
	}),
	"clear": fn("", func(_ context.Context, s *Set, _ *arguments) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.s = new(pickleproto.Set)
		return nil, nil
	}),
	"copy":    fn("", func(_ context.Context, s *Set, _ *arguments) (any, error) { return s.Copy(), nil }),
	"__len__": fn("", func(_ context.Context, s *Set, _ *arguments) (any, error) { return int64(s.Len()), nil }),
	"__iter__": fn("", func(_ context.Context, s *Set, _ *arguments) (any, error) {
		items := s.Items()
		n := len(items)
		return &iterated{items: items, changed: func() error {
			if s.Len() != n {
				return runtimeError("Set changed size during iteration")
			}
			return nil
		}}, nil
	}),
})

var setNames = setMethods.names()

func (s *Set) exposed() []string                              { return setNames }
func (s *Set) call(ctx context.Context, c *call) (any, error) { return setMethods.call(ctx, s, c) }
func (s *Set) text(context.Context, *call) string             { return pickleproto.Repr(s.Copy()) }
func (s *Set) value(context.Context, *call) (any, error)      { return s.Copy(), nil }
