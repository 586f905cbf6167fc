package pickleproto

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Long values are copied by several goroutines: each byte is to arrive, whatever the length is a multiple of, in new
// memory and in old, while other goroutines do the same.
func TestLongCopies(t *testing.T) {
	data := make([]byte, 3<<20)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(data)
	var group sync.WaitGroup
	for _, n := range []int{copyShared - 1, copyShared, copyShared + 1, 9*copyPiece - 1, 9*copyPiece + 1, len(data)} {
		group.Go(func() {
			want := data[:n]
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				for _, room := range []int{0, n / 2, n + 100} {
					prefix := []byte("prefix")
					dst := append(make([]byte, 0, room+len(prefix)), prefix...)
					wire, err := AppendMarshal(dst, Bytes(want))
					require.NoError(t, err)
					require.True(t, bytes.HasPrefix(wire, prefix))
					wire = wire[len(prefix):]
					at := bytes.Index(wire[:100], want[:20])
					require.Positive(t, at)
					require.True(t, bytes.Equal(want, wire[at:at+n]))

					var v any
					require.NoError(t, Unmarshal(wire, &v))
					require.True(t, string(want) == string(v.(Bytes)))
					var b []byte
					require.NoError(t, Unmarshal(wire, &b))
					require.True(t, bytes.Equal(want, b))
					assert.Equal(t, n, cap(b))
					wire[at]++ // nothing refers to the message
					require.True(t, bytes.Equal(want, b))
					require.True(t, string(want) == string(v.(Bytes)))
				}
				wire, err := Marshal(&ByteArray{want}, WithProtocol(5))
				require.NoError(t, err)
				assert.Equal(t, len(wire), cap(wire))
				var v any
				require.NoError(t, Unmarshal(wire, &v))
				require.True(t, bytes.Equal(want, v.(*ByteArray).Data))
			})
		})
	}
	group.Wait()
}

// After copyLong has returned nobody reads the source or writes the copy: the race detector would see it.
func TestLongCopiesEnd(t *testing.T) {
	src, dst := bytes.Repeat([]byte{1}, 2<<20), make([]byte, 2<<20)
	for i := range 50 {
		copyLong(dst, stringOf(src))
		require.Equal(t, src[0], dst[0])
		require.True(t, bytes.Equal(src, dst))
		for j := 0; j < len(src); j += 64 {
			src[j], dst[j] = byte(i), 0
		}
	}
}

func TestCloneLong(t *testing.T) {
	for _, b := range [][]byte{nil, {}, []byte("x"), make([]byte, copyShared)} {
		c := cloneLong(b)
		assert.NotNil(t, c)
		assert.True(t, bytes.Equal(b, c))
		assert.Equal(t, len(b), cap(c))
	}
}
