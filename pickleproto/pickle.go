package pickleproto

import "errors"

// Codec turns pickles into Python values and back. Its implementations are Native and
// pickleproto/thirdparty's; they are safe for use by many goroutines.
type Codec interface {
	// Decode decodes data, which must be exactly one pickle.
	Decode(data []byte, opts ...Option) (any, error)
	// Append appends v's pickle to dst. On error it returns dst as it was.
	Append(dst []byte, v any, opts ...Option) ([]byte, error)
}

// Native is this package's own codec.
var Native Codec = native{}

type native struct{}

func (native) Decode(data []byte, opts ...Option) (any, error) {
	c := configOf(opts)
	v, n, err := decode(data, c)
	if err == nil && n != len(data) {
		return nil, errTrailing(n)
	}
	return v, err
}

func (native) Append(dst []byte, v any, opts ...Option) ([]byte, error) {
	return AppendMarshal(dst, v, opts...)
}

func errTrailing(n int) error {
	return &SyntaxError{Offset: int64(n), Msg: "data after the end of the pickle"}
}

// Marshal returns the pickle of v: byte for byte what CPython would have written, at protocol 4
// unless WithProtocol says otherwise. It is safe for use by many goroutines, as long as nobody changes
// v meanwhile. The error is a *TypeError for what Python has no value for or a method of v's type has
// refused, or a *LimitError.
func Marshal(v any, opts ...Option) ([]byte, error) { return AppendMarshal(nil, v, opts...) }

// AppendMarshal appends the pickle of v to dst. On error it returns dst as it was. Bytes of 1 MiB and more are copied by up to
// four goroutines, in Unmarshal too; none of them touches v, dst or data after the return.
func AppendMarshal(dst []byte, v any, opts ...Option) ([]byte, error) {
	c := configOf(opts)
	return marshal(dst, v, c)
}

// Unmarshal decodes data, exactly one pickle, into what v points to, which must be a non-nil pointer.
// On error that is unchanged. data is neither changed nor kept, save by WithLentBuffer. It is safe for
// use by many goroutines.
//
// The error is a *SyntaxError for bytes that are no pickle, or more than one; a *LimitError; or a
// *TypeError for a value that does not fit. A pickle that ends too early wraps io.ErrUnexpectedEOF; no
// byte at all is io.EOF.
func Unmarshal(data []byte, v any, opts ...Option) error {
	c := configOf(opts)
	return unmarshal(data, v, c, true, nil)
}

// UnmarshalFirst is Unmarshal for the pickle at the beginning of data. It returns what follows that.
func UnmarshalFirst(data []byte, v any, opts ...Option) (rest []byte, err error) {
	c := configOf(opts)
	var n int
	if err := unmarshal(data, v, c, false, &n); err != nil {
		return data, err
	}
	return data[n:], nil
}

var errNilTarget = errors.New("pickle: Unmarshal into nil or a non-pointer")
