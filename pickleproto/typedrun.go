package pickleproto

import (
	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// numberSlice reads a list that is a run of numbers of the slice's own kind as the machine does: into
// scratch, and from there into a slice of the size that it turned out to have. Everything else is
// slow's.
func numberSlice[T any](slow fastFunc, scratch func(*reader) *[]T, run func(*cursor, []T) ([]T, bool), size int) fastFunc {
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
		c := cursor{whole: r.data, data: r.data[:r.end], p: mark + 1}
		if r.framed {
			c.frameEnd = r.end
		}
		s := scratch(r)
		items, ended := run(&c, room(*s, len(r.data)-c.p, size))
		*s = items
		if !ended || len(items) < packedMin {
			return slow(r, v)
		}
		if !r.beginContainer() || r.pos != mark || !r.charge(8*len(items)) {
			return false
		}
		r.depth--
		r.pos, r.end, r.framed = c.p, len(c.data), c.frameEnd != 0
		*at[[]T](v) = append([]T(nil), items...)
		return true
	}
}
