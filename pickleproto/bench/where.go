package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Where the time of Unmarshal into any goes: how much of it is the collector's, and what only to get
// as much memory as the values need takes, which is the limit of any decoder that makes such values.

// slab is how many items are allocated at a time to measure what memory costs.
const slab = 512

var sink [][]any

// allocate gets that many bytes and holds them, as a decoder does.
func allocate(bytes uint64) func() error {
	return func() error {
		held := make([][]any, 0, bytes/(slab*16)+1)
		for got := uint64(0); got+slab*16 <= bytes; got += slab * 16 {
			held = append(held, make([]any, slab))
		}
		sink = held
		return nil
	}
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// where is one payload's row.
type where struct {
	ns        float64 // of one call
	collector float64 // its share of the processors' time
	memory    float64 // nanoseconds that only allocating takes
	perByte   float64 // bytes allocated for a byte of message
	nsAByte   float64
}

func (b *bench) where(p payload, rounds int) (where, error) {
	w := where{ns: math.Inf(1), memory: math.Inf(1)}
	data, err := os.ReadFile(b.file(p, 4))
	if err != nil {
		return w, err
	}
	call, err := unmarshalAny(p, data)
	if err != nil {
		return w, err
	}
	before := allocated()
	const calls = 10
	for range calls {
		if err := call(); err != nil {
			return w, err
		}
	}
	bytes := (allocated() - before) / calls
	w.perByte = float64(bytes) / float64(len(data))
	take := func(best *float64, call func() error) error {
		runtime.GC()
		if _, err := repeat(call, 1, warmUp*b.window, 2); err != nil {
			return err
		}
		ns, err := repeat(call, 1, b.window, math.MaxUint32)
		*best = min(*best, ns)
		return err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	gc, user := 0.0, 0.0
	for range rounds {
		gc0, user0 := processors()
		if err := take(&w.ns, call); err != nil {
			return w, err
		}
		gc1, user1 := processors()
		gc, user = gc+gc1-gc0, user+user1-user0
		if err := take(&w.memory, allocate(bytes)); err != nil {
			return w, err
		}
	}
	w.collector = gc / (gc + user)
	w.nsAByte = w.ns / float64(len(data))
	return w, nil
}

// processors returns the seconds that the processors have spent on collecting and on the program.
func processors() (collector, program float64) {
	runtime.GC() // which is when they are counted
	samples := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/user:cpu-seconds"}}
	metrics.Read(samples)
	return samples[0].Value.Float64(), samples[1].Value.Float64()
}

func (b *bench) reportWhere(w io.Writer, rounds int) error {
	fmt.Fprintf(w, "\n### Where the time goes: Unmarshal into any\n\n")
	row(w, "payload", "time", "a byte", "collector's share", "bytes allocated a byte", "only to allocate them", "CPython", "the ratio's limit")
	row(w, "---", "---", "---", "---", "---", "---", "---", "---")
	for _, p := range payloads {
		if p.name == "seed" || p.name == bytesName {
			continue
		}
		x, err := b.where(p, rounds)
		if err != nil {
			return err
		}
		python := b.time(p, "loads", 0)
		row(w, p.title, duration(x.ns), fmt.Sprintf("%.2f ns", x.nsAByte), fmt.Sprintf("%.0f %%", 100*x.collector), ratio(x.perByte), duration(x.memory), duration(python), ratio(python/x.memory))
	}
	return nil
}
