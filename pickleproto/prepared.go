package pickleproto

// Prepared is what options add up to, worked out once for many calls. It is immutable and safe
// for use by many goroutines.
type Prepared struct{ c config }

// Prepare works options out. A Memo or Buffers among them are those of every call.
func Prepare(opts ...Option) *Prepared { return &Prepared{newConfig(opts)} }

// AppendMarshal is AppendMarshal with the prepared options.
func (p *Prepared) AppendMarshal(dst []byte, v any) ([]byte, error) { return marshal(dst, v, &p.c) }

// UnmarshalFirst is UnmarshalFirst with the prepared options.
func (p *Prepared) UnmarshalFirst(data []byte, v any) (rest []byte, err error) {
	var n int
	if err := unmarshal(data, v, &p.c, false, &n); err != nil {
		return data, err
	}
	return data[n:], nil
}
