package pickleproto

import "reflect"

// unmarshal decodes the pickle at the beginning of data into what v points to. With whole set
// the pickle must be all of data; otherwise its length goes to *n.
func unmarshal(data []byte, v any, c *config, whole bool, n *int) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return errNilTarget
	}
	x, used, err := decode(data, c)
	if err != nil {
		return err
	}
	if whole && used != len(data) {
		return errTrailing(used)
	}
	if n != nil {
		*n = used
	}
	if p, ok := v.(*any); ok {
		*p = x
		return nil
	}
	return &TypeError{Go: rv.Type(), Offset: -1}
}
