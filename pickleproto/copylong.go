package pickleproto

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Copying what is long. One processor waits for memory most of that time, and where the copy is new memory for
// its pages too, which the kernel hands out one by one; so another one that has nothing to do takes part.

const (
	// copyShared is the length from which on a copy is shared: less takes no longer than it takes to wake another thread.
	copyShared = 1 << 20
	// copyPiece is how much is copied at a time. Go copies less than 1 MiB by way of the caches; more, past them, which
	// is slower where they are large, and no faster elsewhere.
	copyPiece = 128 << 10
	// copiers is how many take part at most: more do not get more out of the memory.
	copiers = 4
)

// copyLong copies src, which is long, to dst, which is as long. When it returns nobody writes to dst or reads src any more.
func copyLong(dst []byte, src string) {
	var next atomic.Int64 // the first byte that nobody has begun to copy
	var pieces sync.WaitGroup
	pieces.Add((len(src) + copyPiece - 1) / copyPiece)
	work := func() {
		for {
			i := int(next.Add(copyPiece)) - copyPiece
			if i >= len(src) {
				return
			}
			copy(dst[i:], src[i:min(i+copyPiece, len(src))])
			pieces.Done()
		}
	}
	for range min(runtime.GOMAXPROCS(0), copiers) - 1 {
		go work() // one that comes too late finds nothing left to do
	}
	work()
	pieces.Wait()
}

// cloneLong returns a copy of b, which is not nil and has no capacity beyond it.
func cloneLong(b []byte) []byte {
	if len(b) < copyShared {
		return slices.Clip(append([]byte{}, b...))
	}
	return appendLong(uncleared[byte](len(b)), stringOf(b))
}

// appendLong is append(dst, s...). If it needs new memory it leaves a little room for what follows.
func appendLong(dst []byte, s string) []byte {
	if len(s) < copyShared {
		return append(dst, s...)
	}
	end := len(dst) + len(s)
	if end > cap(dst) {
		dst = append(uncleared[byte](end+copyRoom), dst...)
	}
	copyLong(dst[len(dst):end], s)
	return dst[:end]
}

// copyRoom is the room that appendLong leaves.
const copyRoom = 4 << 10
