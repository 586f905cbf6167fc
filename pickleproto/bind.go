package pickleproto

import "reflect"

// Bind puts x, a value that Unmarshal has decoded into any, into what v points to, as Unmarshal
// would have done at once; for those who know the Go type only when they have seen a part of the
// pickle. Where x comes from is not known, so the default limits of memory and work are those of
// an empty message, 1 MiB and 10,000,000 steps, if Limits says nothing else. On error v is
// unchanged.
func Bind(x, v any, opts ...Option) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return errNilTarget
	}
	c := configOf(opts)
	if c.binding.err != nil {
		return c.binding.err
	}
	return bindInto(rv.Elem(), x, planOf(rv.Type().Elem()), nil, c)
}
