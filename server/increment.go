package server

import (
	"context"
	"math"
	"math/big"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server/internal/python"
)

// Increment answers with what script2.py computes:
//
//	{'key': 'processed', 'numbers': [x + 1 for x in received_data['numbers']]}
//
// and fails as that line fails, in Python's words: KeyError: 'numbers', TypeError: 'int' object is
// not iterable. Besides the builtin types it knows the standard library's containers, Decimal and
// Fraction; of any other class it knows only that adding 1 to it is not defined.
var Increment Handler = HandlerFunc(func(_ context.Context, req *Request) (any, error) {
	received, err := req.value()
	if err != nil {
		return nil, err
	}
	numbers, err := subscript(received, "numbers")
	if err != nil {
		return nil, err
	}
	ours := req.conn.kept == nil // else the next message may refer to it
	sums, err := incremented(numbers, ours)
	if err != nil {
		return nil, err
	}
	if ours && asAnswer(received, numbers, sums) {
		return received, nil
	}
	if req.conn.srv.native {
		return &processedAnswer{"processed", sums}, nil
	}
	processed := pickleproto.NewDict()
	if err := processed.Set("key", "processed"); err != nil {
		return nil, err
	}
	if err := processed.Set("numbers", sums); err != nil {
		return nil, err
	}
	return processed, nil
})

// asAnswer makes the request itself the answer, if it is a dict of just 'key' and 'numbers', as script1.py's.
// It reports whether it did.
func asAnswer(received, numbers any, sums *pickleproto.List) bool {
	d, ok := received.(*pickleproto.Dict)
	if !ok || d.Len() != 2 {
		return false
	}
	var keys [2]string
	i := 0
	for k := range d.All() {
		keys[i], _ = k.(string)
		i++
	}
	if keys != [2]string{"key", "numbers"} || d.Set("key", "processed") != nil {
		return false
	}
	l, _ := numbers.(*pickleproto.List)
	return l == sums || d.Set("numbers", sums) == nil
}

// processedAnswer is written as the same dict, without a table of keys being made for it.
type processedAnswer struct {
	Key     string            `pickle:"key"`
	Numbers *pickleproto.List `pickle:"numbers"`
}

// incremented is [x + 1 for x in numbers]. If numbers is ours, and a list, it becomes the answer.
func incremented(numbers any, ours bool) (*pickleproto.List, error) {
	l, isList := numbers.(*pickleproto.List)
	if isList {
		if sums := incrementedPacked(l); sums != nil {
			return sums, nil
		}
	}
	items, err := itemsOf(numbers)
	if err != nil {
		return nil, err
	}
	if !isList || !ours {
		l = pickleproto.NewList(make([]any, len(items))...)
	}
	var known map[any]any // sums of what is long, of which a short pickle may mention one any number of times
	for i, x := range items {
		if n, ok := x.(int64); ok && n < math.MaxInt64 {
			l.SetAt(i, n+1)
			continue
		}
		long := isLong(x)
		if long {
			if sum, ok := known[x]; ok {
				l.SetAt(i, sum)
				continue
			}
		}
		sum, err := addOne(x)
		if err != nil {
			return nil, err
		}
		l.SetAt(i, sum)
		if long {
			if known == nil {
				known = map[any]any{}
			}
			known[x] = sum
		}
	}
	return l, nil
}

// isLong reports whether x is a number of many digits.
func isLong(x any) bool {
	const digits = 100
	switch x := x.(type) {
	case *big.Int:
		return x.BitLen() > 3*digits
	case *pickleproto.Object:
		_, args := python.ClassOf(x)
		for _, a := range args {
			switch a := a.(type) {
			case string:
				if len(a) > digits {
					return true
				}
			case pickleproto.ByteString:
				if len(a) > digits {
					return true
				}
			case *big.Int:
				if a.BitLen() > 3*digits {
					return true
				}
			}
		}
	}
	return false
}

// incrementedPacked adds without a box for each number; it returns nil for lists of other kinds.
func incrementedPacked(l *pickleproto.List) *pickleproto.List {
	if floats, ok := l.Floats(); ok {
		sums := make([]float64, len(floats))
		for i, x := range floats {
			sums[i] = x + 1
		}
		return pickleproto.NewFloatList(sums)
	}
	ints, ok := l.Ints()
	if !ok {
		return nil
	}
	sums := make([]int64, len(ints))
	for i, n := range ints {
		if n == math.MaxInt64 {
			return nil
		}
		sums[i] = n + 1
	}
	return pickleproto.NewIntList(sums)
}
