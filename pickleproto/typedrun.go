package pickleproto

import (
	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// numberSlice reads a list that is a run of numbers of the slice's own kind as the machine does.
// Everything else is slow's.
func numberSlice[T int64 | float64](slow fastFunc, scratch func(*reader) *[]T) fastFunc {
	return func(r *reader, v place) bool {
		if r.peek() != wire.OpEmptyList || r.pos+2 >= r.end {
			return slow(r, v)
		}
		mark := r.pos + 1
		if r.data[mark] == wire.OpMemoize {
			mark++
		}
		if mark >= r.end || r.data[mark] != wire.OpMark {
			return slow(r, v)
		}
		c := cursor{whole: r.data, data: r.data[:r.end], p: mark + 1, outermost: r.depth == r.far}
		if c.outermost {
			r.far = -1
		}
		if r.framed {
			c.frameEnd = r.end
		}
		memory := r.memory
		items, own, ended := readRun(&c, scratch(r), r.charge)
		if !ended || len(items) == 0 {
			r.memory = memory
			return slow(r, v)
		}
		if !r.beginContainer() || r.pos != mark || !r.charge(8*len(items)) {
			return false
		}
		r.depth--
		r.pos, r.end, r.framed = c.p, len(c.data), c.frameEnd != 0
		*at[[]T](v) = ownRun(items, own)
		return true
	}
}
