package pickleproto

import "math/bits"

// addressSet is a set of addresses, a little blurred: the eight addresses of a word of memory are one to it.
// A bit each, a chunk of them for every 32 KiB of memory, it takes next to no room for values that lie side
// by side, as nearly all do: in a cache where a table of them all would not be.
type addressSet struct {
	chunks []addressChunk // found by open addressing, at most half full
	words  []uint64       // the bits, chunkWords for a chunk, as the chunks were met
	shift  uint8          // 64 - log2(len(chunks))
}

// addressChunk says where the bits of 32 KiB of memory are.
type addressChunk struct {
	number uintptr // the address of the memory divided by its size, and 1 more; 0: none
	move   uintptr // from an address divided by wordMemory to its word
}

const (
	firstChunks = 64
	chunkBits   = 15 // log2 of the memory of a chunk
	wordMemory  = 8 * 64
	chunkWords  = 1 << chunkBits / wordMemory
)

// home returns where the chunk of an address is, or, if it is not there, where to look first. There must be chunks.
func (s *addressSet) home(address uintptr) *addressChunk {
	return &s.chunks[uint64(address>>chunkBits)*scatter>>(s.shift&63)]
}

// has reports whether this is the chunk of the address.
func (c *addressChunk) has(address uintptr) bool { return c.number == address>>chunkBits+1 }

// word returns the index of the word that has the bit of an address of the chunk.
func (c *addressChunk) word(address uintptr) uintptr { return address/wordMemory + c.move }

// word returns the index of the word that has the bit of an address.
func (s *addressSet) word(address uintptr) uintptr {
	c := s.home(address)
	if !c.has(address) {
		c = s.open(address)
	}
	return c.word(address)
}

// bitOf is the bit of an address in its word.
func bitOf(address uintptr) uint64 { return 1 << (address >> 3 & 63) }

// seek returns the chunk of this number, or the empty one that may become it.
func (s *addressSet) seek(number uintptr) *addressChunk {
	home := uint64(number-1) * scatter >> (s.shift & 63)
	for i := uint64(0); ; i++ {
		if c := &s.chunks[home^i]; c.number == number || c.number == 0 {
			return c
		}
	}
}

// open returns the chunk of an address, a new one if there is none.
func (s *addressSet) open(address uintptr) *addressChunk {
	number := address>>chunkBits + 1
	c := s.seek(number)
	if c.number == 0 {
		if 2*s.used() >= len(s.chunks) {
			s.grow()
			c = s.seek(number)
		}
		*c = addressChunk{number, uintptr(len(s.words)) - (number-1)*chunkWords}
		s.addWords()
	}
	return c
}

// used is the number of chunks there are, with the one that is nobody's.
func (s *addressSet) used() int { return len(s.words) / chunkWords }

// addWords adds the words of one more chunk.
func (s *addressSet) addWords() {
	n := len(s.words)
	if cap(s.words) < n+chunkWords {
		s.words = append(uncleared[uint64](max(16*chunkWords, 2*n)), s.words...)
	}
	s.words = s.words[:n+chunkWords]
	clear(s.words[n:])
}

func (s *addressSet) has(address uintptr) bool {
	c := s.seek(address>>chunkBits + 1)
	return c.number != 0 && s.words[c.word(address)]&bitOf(address) != 0
}

// add reports whether the address, or a neighbour that is one with it, was there already.
func (s *addressSet) add(address uintptr) (was bool) {
	w := &s.words[s.word(address)]
	was = *w&bitOf(address) != 0
	*w |= bitOf(address)
	return was
}

// begin makes the first words, which are nobody's.
func (s *addressSet) begin() {
	if len(s.chunks) == 0 {
		s.grow()
	}
	if len(s.words) == 0 {
		s.addWords()
	}
}

// grow doubles, or makes the first chunks.
func (s *addressSet) grow() {
	old := s.chunks
	s.chunks = make([]addressChunk, max(firstChunks, 2*len(old)))
	s.shift = uint8(64 - bits.TrailingZeros(uint(len(s.chunks))))
	for _, c := range old {
		if c.number != 0 {
			*s.seek(c.number) = c
		}
	}
}

// reset empties the set; one that is much too large is dropped.
func (s *addressSet) reset() {
	if used := s.used(); len(s.chunks) > 1024 && used < len(s.chunks)/32 || cap(s.words) > 1<<19 {
		*s = addressSet{}
	} else if used > 0 {
		clear(s.chunks)
		s.words = s.words[:0]
	}
}
