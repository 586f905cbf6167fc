package pickleproto

import "errors"

func encode(dst []byte, v any, c *config) ([]byte, error) {
	return dst, errors.New("pickle: no encoder")
}
