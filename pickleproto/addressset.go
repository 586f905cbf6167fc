package pickleproto

import "math/bits"

// addressSet is a set of addresses, a little blurred: the eight addresses of a word of memory are one to it.
// A bit each, in blocks that are found by open addressing, it takes next to no room for values
// that lie side by side, as nearly all do: in a cache where a table of them all would not be.
type addressSet struct {
	blocks []addressBlock // at most half full
	used   int
	most   int   // blocks there may be before it grows
	shift  uint8 // 64 - log2(len(blocks))
}

// addressBlock is the part of an addressSet in 512 bytes of memory.
type addressBlock struct {
	number uint64 // see blockOf; 0: none
	words  uint64 // a bit for each
}

func blockOf(address uintptr) (number, word uint64) {
	return uint64(address)>>9 + 1, 1 << (address >> 3 & 63)
}

// home returns the block of this number, a new one if there is none, or, where that takes more than a
// glance, a block of another number.
func (s *addressSet) home(number uint64) *addressBlock {
	i := number * scatter >> (s.shift & 63)
	b := &s.blocks[i]
	if b.number == number {
		return b
	}
	return s.near(b, i, number)
}

func (s *addressSet) near(b *addressBlock, i, number uint64) *addressBlock {
	if b.number != 0 {
		b = &s.blocks[i^1]
	}
	if b.number == 0 && s.used < s.most {
		b.number = number
		s.used++
	}
	return b
}

// seek returns the block of this number, or the empty one that may become it. There must be blocks.
func (s *addressSet) seek(number uint64) *addressBlock {
	home := number * scatter >> (s.shift & 63)
	for i := uint64(0); ; i++ {
		if b := &s.blocks[home^i]; b.number == number || b.number == 0 {
			return b
		}
	}
}

func (s *addressSet) has(address uintptr) bool {
	number, word := blockOf(address)
	return s.seek(number).words&word != 0
}

// open returns the block of this number, a new one if there is none.
func (s *addressSet) open(number uint64) *addressBlock {
	b := s.seek(number)
	if b.number == 0 {
		if s.used >= s.most {
			s.grow()
			b = s.seek(number)
		}
		b.number = number
		s.used++
	}
	return b
}

// add reports whether the address, or a neighbour that is one with it, was there already.
func (s *addressSet) add(address uintptr) (was bool) {
	number, word := blockOf(address)
	b := s.open(number)
	was = b.words&word != 0
	b.words |= word
	return was
}

// grow doubles, or makes the first blocks.
func (s *addressSet) grow() {
	old := s.blocks
	s.blocks = make([]addressBlock, max(256, 2*len(old)))
	s.most = len(s.blocks) / 2
	s.shift = uint8(64 - bits.TrailingZeros(uint(len(s.blocks))))
	for _, b := range old {
		if b.number != 0 {
			*s.seek(b.number) = b
		}
	}
}

// reset empties the set; one that is much too large is dropped.
func (s *addressSet) reset() {
	if len(s.blocks) > 1024 && s.used < len(s.blocks)/32 || len(s.blocks) > 1<<19 {
		*s = addressSet{}
	} else if s.used > 0 {
		clear(s.blocks)
		s.used = 0
	}
}
