package pickleproto

type bindingConfig struct{}

func marshal(dst []byte, v any, c *config) ([]byte, error) { return encode(dst, v, c) }
