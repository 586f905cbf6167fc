package thirdparty

import (
	"fmt"
	"math"
	"math/big"

	"github.com/hydrogen18/stalecucumber"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// preparer turns pickleproto's values into those that stalecucumber knows,
// and refuses those that it would write wrongly, silently leave out, or never
// come to the end of.
type preparer struct {
	limits  *pickleproto.Limits
	opts    []pickleproto.Option
	depth   int64
	deepest int64 // that depth has been
	size    int64 // of what will be written, or of the memory for it if that is more
	open    map[any]bool
	done    map[any]prepared
	native  bool // what the native codec read is being walked through
}

// prepared is a list, dict or tuple that has been walked through. Where it
// occurs again it is counted, as often as it will be written, but not walked
// through again: lists of the same list twice grow exponentially.
type prepared struct {
	value        any
	size, height int64
}

// identity is that of a tuple: its first element's address and its length.
type identity struct {
	first *any
	n     int
}

// leastSize is what a value counts for against Limits.Message even if fewer
// bytes are written: stalecucumber holds a program of boxed opcodes.
const leastSize = 32

func prepare(v any, limits *pickleproto.Limits, opts []pickleproto.Option) (any, error) {
	p := preparer{limits: limits, opts: opts, open: map[any]bool{}, done: map[any]prepared{}}
	return p.value(v)
}

func (p *preparer) count(n int64) error {
	p.size += max(n, leastSize)
	if p.size > p.limits.Message {
		return &pickleproto.LimitError{Limit: "message", Value: uint64(p.size), Max: uint64(p.limits.Message), Offset: -1}
	}
	return nil
}

// reach notes a depth, and refuses one beyond the limit.
func (p *preparer) reach(depth int64) error {
	p.deepest = max(p.deepest, depth)
	if depth > p.limits.Depth {
		return &pickleproto.LimitError{Limit: "depth", Value: uint64(depth), Max: uint64(p.limits.Depth), Offset: -1}
	}
	return nil
}

// container prepares the container that id stands for by make, once.
func (p *preparer) container(id any, make func() (any, error)) (any, error) {
	if d, ok := p.done[id]; ok {
		if err := p.reach(p.depth + d.height); err != nil {
			return nil, err
		}
		return d.value, p.count(d.size)
	}
	if p.open[id] {
		return nil, cannot("stalecucumber", "write a list or dict that contains itself", -1)
	}
	p.open[id] = true
	outer, size := p.deepest, p.size
	p.deepest = p.depth
	p.depth++
	defer func() { p.depth-- }()
	if err := p.reach(p.depth); err != nil {
		return nil, err
	}
	if err := p.count(0); err != nil {
		return nil, err
	}
	v, err := make()
	if err != nil {
		return nil, err
	}
	delete(p.open, id)
	p.done[id] = prepared{value: v, size: p.size - size, height: p.deepest - p.depth + 1}
	p.deepest = max(p.deepest, outer)
	return v, nil
}

func (p *preparer) value(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64, float64:
		return v, p.count(9)
	case int:
		return v, p.count(9)
	case string:
		return v, p.text(v)
	case pickleproto.ByteString:
		if !ascii([]byte(v)) {
			return nil, cannot("stalecucumber", "write a Python 2 str that is not ASCII", -1)
		}
		return string(v), p.text(string(v))
	case pickleproto.Int:
		return int64(v), p.count(9)
	case pickleproto.Long:
		return *big.NewInt(int64(v)), p.count(9)
	case *big.Int:
		if v != nil {
			n, err := p.integer(v)
			return *n, err
		}
	case pickleproto.Tuple:
		if len(v) == 0 {
			return stalecucumber.NewTuple(), p.count(0)
		}
		return p.container(identity{&v[0], len(v)}, func() (any, error) {
			items, err := p.items(v)
			return stalecucumber.NewTuple(items...), err
		})
	case *pickleproto.List:
		if v != nil {
			return p.container(v, func() (any, error) { return p.items(v.Items()) })
		}
	case *pickleproto.Dict:
		if v != nil {
			return p.container(v, func() (any, error) { return p.dict(v) })
		}
	case pickleproto.Bytes, *pickleproto.Complex, *pickleproto.ByteArray, *pickleproto.Set, *pickleproto.FrozenSet,
		pickleproto.Global, *pickleproto.Object, *pickleproto.PersistentID, pickleproto.Extension, *pickleproto.Buffer:
		return nil, cannot("stalecucumber", fmt.Sprintf("write a %T", v), -1)
	}
	return p.foreign(v)
}

// foreign is a Go value that is no Python value, a struct for example. What
// the native codec makes of it is looked at again.
func (p *preparer) foreign(v any) (any, error) {
	if p.native { // a hook of the caller's made it
		return nil, cannot("stalecucumber", fmt.Sprintf("write a %T", v), -1)
	}
	pickled, err := pickleproto.Marshal(v, p.opts...)
	if err != nil {
		return nil, err
	}
	decoded, err := pickleproto.Native.Decode(pickled, p.opts...)
	if err != nil {
		return nil, err
	}
	p.native = true
	defer func() { p.native = false }()
	return p.value(decoded)
}

func (p *preparer) text(s string) error {
	if len(s) > math.MaxInt32 {
		return cannot("stalecucumber", "write a str of 2 GiB", -1)
	}
	if !surrogatePass([]byte(s)) {
		return cannot("stalecucumber", "write a str that is not UTF-8", -1)
	}
	return p.count(5 + int64(len(s)))
}

// integer refuses the length at which stalecucumber writes the count 256 in
// one byte.
func (p *preparer) integer(v *big.Int) (*big.Int, error) {
	const worst = 255 * 8
	if n := v.BitLen(); n > worst-8 && n <= worst+8 {
		return v, cannot("stalecucumber", "write an integer of about 255 bytes", -1)
	}
	return v, p.count(5 + int64(v.BitLen())/8 + 1)
}

func (p *preparer) items(in []any) ([]any, error) {
	out := make([]any, len(in))
	for i, v := range in {
		var err error
		if out[i], err = p.value(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// dict makes a Go map. Keys that Go cannot compare go by pointer, which
// stalecucumber looks through.
func (p *preparer) dict(v *pickleproto.Dict) (map[any]any, error) {
	out := make(map[any]any, v.Len())
	for key, value := range v.All() {
		k, err := p.value(key)
		if err != nil {
			return nil, err
		}
		switch x := k.(type) {
		case float64:
			if math.IsNaN(x) {
				return nil, cannot("stalecucumber", "write a dict with nan as a key", -1)
			}
		case big.Int:
			k = &x
		case stalecucumber.PickleTuple:
			k = &x
		}
		if out[k], err = p.value(value); err != nil {
			return nil, err
		}
	}
	return out, nil
}
