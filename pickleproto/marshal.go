package pickleproto

import "reflect"

func marshal(dst []byte, v any, c *config) ([]byte, error) { return encode(dst, v, c) }

// saveGo writes a Go value that is no Python value.
func (e *encoder) saveGo(v any) error {
	return &TypeError{Go: reflect.TypeOf(v), Offset: -1}
}
