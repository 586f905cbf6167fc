package pickleproto

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAddressSet adds addresses that lie side by side, on both sides of where a chunk ends, or anywhere, and
// again after a reset, when the words of other chunks are used again.
func TestAddressSet(t *testing.T) {
	const heap = 0xc000000000
	r := rand.New(rand.NewPCG(1, 2))
	addresses := map[string]func(i int) uintptr{
		"side by side": func(i int) uintptr { return heap + 16*uintptr(i) },
		"chunk ends":   func(i int) uintptr { return heap + uintptr(1+i/16)<<chunkBits - 64 + 8*uintptr(i%16) },
		"low":          func(i int) uintptr { return 8 + 24*uintptr(i) },
		"anywhere":     func(int) uintptr { return heap + uintptr(r.Int64N(1<<38)) },
		"two heaps":    func(i int) uintptr { return heap + uintptr(i%2)<<34 + 40*uintptr(i/2) },
	}
	var s addressSet
	for round := range 3 {
		for name, address := range addresses {
			t.Run(fmt.Sprint(name, round), func(t *testing.T) {
				s.begin()
				known := map[uintptr]bool{}
				for i := range 5000 {
					a := address(i)
					if has := s.has(a); has != known[a/8] {
						t.Fatalf("has %#x: %v", a, has)
					}
					if was := s.add(a); was != known[a/8] {
						t.Fatalf("add %#x: was there: %v", a, was)
					}
					known[a/8] = true
				}
				for word := range known {
					require.True(t, s.has(word*8))
					require.Equal(t, known[word+1], s.has(word*8+8))
				}
				s.reset()
				require.Zero(t, s.used())
			})
		}
	}
}

// TestAddressSetIsSmall says what a long message takes: a bit for 8 bytes of its values, and a little for the
// chunks; and that a set which has grown large is not kept.
func TestAddressSetIsSmall(t *testing.T) {
	var s addressSet
	s.begin()
	const memory = 64 << 20
	for a := uintptr(0); a < memory; a += 48 {
		require.False(t, s.add(0xc000000000+a))
	}
	require.LessOrEqual(t, 8*len(s.words), memory/64+8*chunkWords)
	require.LessOrEqual(t, len(s.chunks), 4*memory>>chunkBits)
	s.reset()
	require.NotNil(t, s.words, "1 MiB is kept")
	s.begin()
	for a := uintptr(0); a < 8*memory; a += 1 << chunkBits {
		s.add(0xc000000000 + a)
	}
	s.reset()
	require.Nil(t, s.words)
	require.Nil(t, s.chunks)
}
