package pickleproto

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPrepared(t *testing.T) {
	p := Prepare(WithProtocol(2), WithLimits(Limits{Name: 3}))
	got, err := p.AppendMarshal([]byte("x"), Tuple{int64(1)})
	require.NoError(t, err)
	assert.Equal(t, "x\x80\x02K\x01\x85q\x00.", string(got))
	var v any
	rest, err := p.UnmarshalFirst([]byte("\x80\x02N.N."), &v)
	require.NoError(t, err)
	assert.Equal(t, "N.", string(rest))
	var limit *LimitError
	_, err = p.UnmarshalFirst([]byte("cbuiltins\nint\n."), &v)
	require.ErrorAs(t, err, &limit)
	assert.Equal(t, uint64(3), limit.Max)
}
