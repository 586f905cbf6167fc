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
	limits *pickleproto.Limits
	opts   []pickleproto.Option
	depth  int64
	size   int64        // of what will be written, or of the memory for it if that is more
	open   map[any]bool // the lists and dicts that are being walked through
}

// leastSize is what a value counts for against Limits.Message even if fewer
// bytes are written: stalecucumber holds a small program of boxed opcodes.
const leastSize = 8

func prepare(v any, limits *pickleproto.Limits, opts []pickleproto.Option) (any, error) {
	p := preparer{limits: limits, opts: opts, open: map[any]bool{}}
	return p.value(v)
}

func (p *preparer) count(n int) error {
	p.size += int64(max(n, leastSize))
	if p.size > p.limits.Message {
		return &pickleproto.LimitError{Limit: "message", Value: uint64(p.size), Max: uint64(p.limits.Message), Offset: -1}
	}
	return nil
}

func (p *preparer) enter(v any) error {
	p.depth++
	if p.depth > p.limits.Depth {
		return &pickleproto.LimitError{Limit: "depth", Value: uint64(p.depth), Max: uint64(p.limits.Depth), Offset: -1}
	}
	if v == nil {
		return nil
	}
	if p.open[v] {
		return cannot("stalecucumber", "write a list or dict that contains itself", -1)
	}
	p.open[v] = true
	return nil
}

func (p *preparer) leave(v any) {
	p.depth--
	delete(p.open, v)
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
		return p.tuple(v)
	case *pickleproto.List:
		if v != nil {
			return p.list(v)
		}
	case *pickleproto.Dict:
		if v != nil {
			return p.dict(v)
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
	pickled, err := pickleproto.Marshal(v, p.opts...)
	if err != nil {
		return nil, err
	}
	decoded, err := pickleproto.Native.Decode(pickled, p.opts...)
	if err != nil {
		return nil, err
	}
	if err := p.enter(nil); err != nil {
		return nil, err
	}
	defer p.leave(nil)
	return p.value(decoded)
}

func (p *preparer) text(s string) error {
	if len(s) > math.MaxInt32 {
		return cannot("stalecucumber", "write a str of 2 GiB", -1)
	}
	if !surrogatePass([]byte(s)) {
		return cannot("stalecucumber", "write a str that is not UTF-8", -1)
	}
	return p.count(5 + len(s))
}

// integer refuses the length at which stalecucumber writes the count 256 in
// one byte.
func (p *preparer) integer(v *big.Int) (*big.Int, error) {
	const worst = 255 * 8
	if n := v.BitLen(); n > worst-8 && n <= worst+8 {
		return v, cannot("stalecucumber", "write an integer of about 255 bytes", -1)
	}
	return v, p.count(5 + v.BitLen()/8 + 1)
}

func (p *preparer) tuple(v pickleproto.Tuple) (any, error) {
	if err := p.enter(nil); err != nil {
		return nil, err
	}
	defer p.leave(nil)
	items, err := p.items(v)
	return stalecucumber.NewTuple(items...), err
}

func (p *preparer) list(v *pickleproto.List) (any, error) {
	if err := p.enter(v); err != nil {
		return nil, err
	}
	defer p.leave(v)
	return p.items(v.Items())
}

func (p *preparer) items(in []any) ([]any, error) {
	if err := p.count(0); err != nil {
		return nil, err
	}
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
func (p *preparer) dict(v *pickleproto.Dict) (any, error) {
	if err := p.enter(v); err != nil {
		return nil, err
	}
	defer p.leave(v)
	if err := p.count(0); err != nil {
		return nil, err
	}
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
