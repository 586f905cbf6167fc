package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// maxJSON bounds the text: a pickle of 300 bytes can hold one list 2**60 times.
const maxJSON = 64 << 20

// maxJSONDepth bounds the nesting, within which a value that contains itself is found out.
const maxJSONDepth = 10_000

// appendJSON appends v as Python's json.dumps would, without spaces: a dict in its order, its keys
// as texts. Bytes are base64, sets arrays; what else JSON has no form for is an error.
func appendJSON(b []byte, v any, depth int) ([]byte, error) {
	switch {
	case depth > maxJSONDepth:
		return nil, errors.New("the answer contains itself, or is nested too deep for JSON")
	case len(b) > maxJSON:
		return nil, errors.New("the answer is too large for JSON")
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case pickleproto.Long:
		return strconv.AppendInt(b, int64(v), 10), nil
	case pickleproto.Int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case *big.Int:
		return v.Append(b, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%v has no form in JSON", v)
		}
		return append(b, pickleproto.Repr(v)...), nil
	case string:
		return appendText(b, v)
	case pickleproto.ByteString:
		return appendText(b, string(v))
	case pickleproto.Bytes:
		return appendPlain(b, []byte(v))
	case *pickleproto.ByteArray:
		return appendPlain(b, v.Data)
	case *pickleproto.List:
		return appendItems(b, v.Items(), depth)
	case pickleproto.Tuple:
		return appendItems(b, v, depth)
	case *pickleproto.Set:
		items := make([]any, 0, v.Len())
		for x := range v.All() {
			items = append(items, x)
		}
		return appendItems(b, items, depth)
	case *pickleproto.FrozenSet:
		items := make([]any, 0, v.Len())
		for x := range v.All() {
			items = append(items, x)
		}
		return appendItems(b, items, depth)
	case *pickleproto.Dict:
		return appendDict(b, v, depth)
	}
	plain, err := pickleproto.Plain(v)
	if err != nil {
		return nil, err
	}
	if _, same := plain.(*pickleproto.Object); same {
		return nil, fmt.Errorf("%s has no form in JSON", pickleproto.Repr(v))
	}
	return appendPlain(b, plain)
}

func appendItems(b []byte, items []any, depth int) ([]byte, error) {
	b = append(b, '[')
	for i, x := range items {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(b, x, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendDict(b []byte, d *pickleproto.Dict, depth int) ([]byte, error) {
	b = append(b, '{')
	first := true
	for k, x := range d.All() {
		if !first {
			b = append(b, ',')
		}
		first = false
		key, err := keyText(k)
		if err != nil {
			return nil, err
		}
		if b, err = appendText(b, key); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = appendJSON(b, x, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// keyText is what json.dumps makes of a key.
func keyText(k any) (string, error) {
	switch k := k.(type) {
	case string:
		return k, nil
	case pickleproto.ByteString:
		return string(k), nil
	case nil, bool, int64, *big.Int, float64, pickleproto.Long, pickleproto.Int:
		b, err := appendJSON(nil, k, 0)
		return string(b), err
	}
	return "", fmt.Errorf("a key %s has no form in JSON", pickleproto.Repr(k))
}

func appendText(b []byte, s string) ([]byte, error) { return appendPlain(b, s) }

func appendPlain(b []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	return append(b, text...), err
}
