package pickleproto

import (
	"fmt"
	"reflect"
)

// binder carries Python values into Go variables: one call of Unmarshal. Each shared Python
// object becomes one Go value per Go type, so that sharing and cycles survive; a count of steps
// and of bytes bounds what a small pickle of much sharing may grow into.
type binder struct {
	c        *config
	depth    int64
	work     int64 // steps left
	memory   int64 // bytes left
	acquired int64 // of the budget
	received int
	shared   map[sharedKey]reflect.Value
	strings  map[stringID]string
	meter    *meter // see costs
}

// costs is the meter of the stdlib classes among the values.
func (b *binder) costs() *meter {
	if b.meter == nil {
		b.meter = newMeter(b.take)
	}
	return b.meter
}

type sharedKey struct {
	id any // a pointer of the value model, or a tupleRef
	t  reflect.Type
}

type tupleRef struct {
	first *any
	n     int
}

type stringID struct {
	address uintptr
	n       int
}

// identityOf returns what tells x from other values of the same content, nil where nothing does.
func identityOf(x any) any {
	switch x := x.(type) {
	case *List, *Dict, *Set, *FrozenSet, *Object, *ByteArray, *Complex, *PersistentID, *Buffer:
		return x
	case Tuple:
		if len(x) > 0 {
			return tupleRef{&x[0], len(x)}
		}
	}
	return nil
}

func (b *binder) known(x any, t reflect.Type) (reflect.Value, sharedKey, bool) {
	key := sharedKey{identityOf(x), t}
	if key.id == nil {
		return reflect.Value{}, key, false
	}
	v, ok := b.shared[key]
	return v, key, ok
}

func (b *binder) share(key sharedKey, v reflect.Value) {
	if key.id == nil {
		return
	}
	if b.shared == nil {
		b.shared = map[sharedKey]reflect.Value{}
	}
	b.shared[key] = v
}

func (b *binder) take(n int64) error {
	if n > b.memory {
		max := b.c.limits.memoryFor(b.received)
		return &LimitError{Limit: "memory", Value: uint64(max - b.memory + n), Max: uint64(max), Offset: -1}
	}
	b.memory -= n
	if b.c.budget != nil {
		if !b.c.budget.Acquire(n) {
			return &LimitError{Limit: "memory budget", Value: uint64(b.c.budget.Used() + n), Max: uint64(b.c.budget.Max()), Offset: -1}
		}
		b.acquired += n
	}
	return nil
}

func (b *binder) release() {
	if b.acquired > 0 {
		b.c.budget.Release(b.acquired)
	}
}

// mostBindDepth bounds the depth when nothing else does: a Go stack may grow to a gigabyte.
const mostBindDepth = 100_000

func (b *binder) enter() error {
	b.depth++
	if most := min(b.c.limits.Depth, mostBindDepth); b.depth > most {
		return &LimitError{Limit: "depth", Value: uint64(b.depth), Max: uint64(most), Offset: -1}
	}
	return nil
}

func mismatch(x any, t reflect.Type) error {
	return &bindError{err: TypeError{Python: pythonType(x), Go: t, Offset: -1}}
}

func mismatchf(x any, t reflect.Type, format string, args ...any) error {
	return &bindError{err: TypeError{Python: pythonType(x), Go: t, Offset: -1,
		Msg: fmt.Sprintf("Python %s into Go %v: ", pythonType(x), t) + fmt.Sprintf(format, args...)}}
}

func mismatchErr(x any, t reflect.Type, err error) error {
	return &bindError{err: TypeError{Python: pythonType(x), Go: t, Offset: -1, Err: err,
		Msg: fmt.Sprintf("Python %s into Go %v: %v", pythonType(x), t, err)}}
}
