package server

import (
	"github.com/picklebridge/picklebridge/pickleproto"
)

// kept is what a connection keeps between messages for a peer with one Pickler, or one Unpickler.
// All its methods do nothing on nil.
type kept struct {
	srv     *Server
	in, out *pickleproto.Memo

	total   int64 // bytes of all messages
	charged int64 // taken from the Budget for them

	// The request at hand: with a memo it can be decoded only once.
	value any
	err   error
}

// keptPerByte is what a byte of a message may cost while it is kept.
const keptPerByte = 12

func newKept(s *Server) *kept {
	k := &kept{srv: s}
	if s.KeepMemo {
		k.in = new(pickleproto.Memo)
	}
	if s.KeepAnswerMemo {
		k.out = new(pickleproto.Memo)
	}
	return k
}

// decode decodes a request as it arrives: the next one may refer to it.
func (k *kept) decode(data []byte) {
	if k == nil || k.in == nil {
		return
	}
	k.value, k.err = nil, k.charge(int64(len(data)))
	if k.err == nil {
		k.value, k.err = pickleproto.Native.Decode(data, append(k.srv.dopts[:len(k.srv.dopts):len(k.srv.dopts)], pickleproto.WithMemo(k.in))...)
	}
}

func (k *kept) charge(n int64) error {
	most := k.srv.Limits.Message
	if most == 0 {
		most = pickleproto.DefaultMaxMessage
	}
	if k.total += n; most > 0 && k.total > most {
		return &pickleproto.LimitError{Limit: "kept messages", Value: uint64(k.total), Max: uint64(most), Offset: -1}
	}
	if err := charge(k.srv.Budget, n*keptPerByte); err != nil {
		return err
	}
	k.charged += n * keptPerByte
	return nil
}

func (k *kept) release() {
	if k != nil {
		k.srv.Budget.Release(k.charged)
		k.charged = 0
	}
}

// bind gives out the request that decode decoded.
func (k *kept) bind(v any, opts []pickleproto.Option) error {
	if k.err != nil {
		return k.err
	}
	if p, ok := v.(*any); ok {
		*p = k.value
		return nil
	}
	again, err := pickleproto.Marshal(k.value)
	if err != nil {
		return err
	}
	return pickleproto.Unmarshal(again, v, opts...)
}

func (k *kept) encodeOpts(opts []pickleproto.Option) []pickleproto.Option {
	if k == nil || k.out == nil {
		return opts
	}
	return append(opts[:len(opts):len(opts)], pickleproto.WithMemo(k.out))
}

// append appends an answer's pickle.
func (c *conn) append(buf []byte, v any, protocol int) ([]byte, error) {
	s := c.srv
	switch {
	case c.kept == nil && s.native:
		return s.encode[protocol].AppendMarshal(buf, v)
	case c.kept == nil:
		return s.codec.Append(buf, v, s.opts[protocol]...)
	}
	return pickleproto.Native.Append(buf, v, c.kept.encodeOpts(s.opts[protocol])...)
}
