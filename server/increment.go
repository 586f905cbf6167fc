package server

import (
	"context"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// Increment answers with what script2.py computes:
//
//	{'key': 'processed', 'numbers': [x + 1 for x in received_data['numbers']]}
//
// and fails as that line fails, in Python's words: KeyError: 'numbers', TypeError: 'int' object is
// not iterable. Besides the builtin types it knows the standard library's containers, Decimal and
// Fraction; of any other class it knows only that adding 1 to it is not defined.
var Increment Handler = HandlerFunc(func(_ context.Context, req *Request) (any, error) {
	var received any
	if err := req.Decode(&received); err != nil {
		return nil, err
	}
	numbers, err := subscript(received, "numbers")
	if err != nil {
		return nil, err
	}
	items, err := iterate(numbers)
	if err != nil {
		return nil, err
	}
	sums := make([]any, len(items))
	for i, x := range items {
		if n, ok := x.(int64); ok && n < 1<<63-1 {
			sums[i] = n + 1
		} else if sums[i], err = addOne(x); err != nil {
			return nil, err
		}
	}
	processed := pickleproto.NewDict()
	if err := processed.Set("key", "processed"); err != nil {
		return nil, err
	}
	if err := processed.Set("numbers", pickleproto.NewList(sums...)); err != nil {
		return nil, err
	}
	return processed, nil
})
