package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// What values and messages cost apart from time, and whether the time a byte stays the same when
// messages grow.

const (
	goalHeapPerByte     = 12  // bytes of live heap for a byte of message, at worst
	goalHeapPerTextByte = 3   // the same for text
	goalEchoAllocations = 12  // of the seed's dict
	goalGrowth          = 0.3 // of the time a byte, from 1 MB to 256 MB
)

// held is the live heap that a decoded value holds, a byte of message.
type held struct {
	title   string
	perByte float64
	goal    float64
}

// text is a payload of lines as people write them.
func text() any {
	lines := make([]string, 20000)
	for i := range lines {
		lines[i] = fmt.Sprintf("%05d It is a truth universally acknowledged, that a message is mostly text.", i)
	}
	return lines
}

func (b *bench) heldByValues() ([]held, error) {
	message, err := pickleproto.Marshal(text())
	if err != nil {
		return nil, err
	}
	perByte, err := heldBy(message)
	if err != nil {
		return nil, err
	}
	all := []held{{"20,000 lines of text", perByte, goalHeapPerTextByte}}
	for _, p := range payloads {
		if p.name == "seed" {
			continue // what one small value costs, not what a byte does
		}
		if message, err = os.ReadFile(b.file(p, 4)); err != nil {
			return nil, err
		}
		if perByte, err = heldBy(message); err != nil {
			return nil, err
		}
		all = append(all, held{p.title, perByte, goalHeapPerByte})
	}
	return all, nil
}

func heldBy(message []byte) (float64, error) {
	before := liveHeap()
	var v any
	err := pickleproto.Unmarshal(message, &v)
	after := liveHeap()
	runtime.KeepAlive(v)
	runtime.KeepAlive(message)
	return float64(after-before) / float64(len(message)), err
}

func liveHeap() int64 {
	for range 3 { // pools let go of what they keep only at the second
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// echoAllocations counts what one echo of the seed's dict allocates.
func (b *bench) echoAllocations() (float64, error) {
	message, err := os.ReadFile(b.file(payloads[0], 4))
	if err != nil {
		return 0, err
	}
	var out []byte
	n := testing.AllocsPerRun(1000, func() {
		var v any
		if v, err = pickleproto.Native.Decode(message); err == nil {
			out, err = pickleproto.Native.Append(out[:0], v)
		}
	})
	return n, err
}

// size is one step of the way from small to large messages.
type size struct {
	bytes          int
	decode, encode float64 // nanoseconds a byte
	loads, dumps   float64 // CPython's
}

// sizes measures records in messages of 1 to most million bytes, each once a round: the machine's speed changes
// more in the minutes that all of this takes than the time of a byte does.
func (b *bench) sizes(rounds, most int, progress io.Writer) ([]size, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var all []size
	file := func(i int) string { return filepath.Join(b.dir, fmt.Sprintf("growing%d.pickle", i)) }
	for millions := 1; millions <= most; millions *= 4 {
		message, err := recordsOf(millions * 1e6)
		if err != nil {
			return nil, err
		}
		name := file(len(all))
		defer os.Remove(name)
		if err := os.WriteFile(name, message, 0o600); err != nil {
			return nil, err
		}
		s := size{bytes: len(message), decode: math.Inf(1), encode: math.Inf(1)}
		for what, ns := range map[string]*float64{"loads": &s.loads, "dumps": &s.dumps} {
			one, _, err := b.python.round(what, name, 4, 0.5)
			if err != nil {
				return nil, err
			}
			*ns = one / float64(len(message))
		}
		all = append(all, s)
		fmt.Fprintf(progress, "sizes: %d MB by CPython\n", millions)
	}
	for i := range rounds {
		for n := range all {
			if err := all[n].measure(file(n), most*1e6); err != nil {
				return nil, err
			}
		}
		fmt.Fprintf(progress, "sizes: round %d of %d\n", i+1, rounds)
	}
	return all, nil
}

// measure measures once, with as many messages as make so many bytes.
func (s *size) measure(file string, bytes int) error {
	message, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	unlimited := pickleproto.WithLimits(pickleproto.Limits{Message: -1, Memory: -1, Work: -1})
	var v any
	decode, err := perByte(message, bytes, func() { v = nil }, func() error { return pickleproto.Unmarshal(message, &v, unlimited) })
	if err != nil {
		return err
	}
	encode, err := perByte(message, bytes, func() {}, func() error {
		_, err := pickleproto.Marshal(v)
		return err
	})
	s.decode, s.encode = min(s.decode, decode), min(s.encode, encode)
	return err
}

// perByte calls as often as makes so many bytes, or one call, with the collector at its usual pace: what is
// asked is whether the same bytes cost the same in many small messages and in one large one. The same bytes also take
// about the same time, so that a quiet moment of the machine is as likely to be there for each size. As everywhere in
// this bench the time runs once the contender is warm: after one call, whose result forget lets go of. Else the large
// message alone would have memory that the process never touched, as the first of the small ones has.
func perByte(message []byte, bytes int, forget func(), call func() error) (float64, error) {
	if err := call(); err != nil {
		return 0, err
	}
	forget()
	n := max(1, bytes/len(message))
	runtime.GC()
	begin := time.Now()
	for range n {
		if err := call(); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(begin)) / float64(n) / float64(len(message)), nil
}

func recordsOf(bytes int) ([]byte, error) {
	rows := make([]record, bytes/111)
	for i := range rows {
		rows[i] = record{
			ID: int64(i), Name: fmt.Sprint("user", i), Email: fmt.Sprintf("u%d@example.com", i), Age: int64(i % 90), Score: float64(i) * 0.37,
			Active: i%2 == 0, Tags: []string{"a", "b", fmt.Sprint("c", i%50)}, Pos: [2]float64{float64(i) / 2, float64(i) / 4},
		}
	}
	return pickleproto.Marshal(rows)
}

func (b *bench) reportCosts(w io.Writer, rounds, most int, progress io.Writer) error {
	all, err := b.heldByValues()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n### Memory\n\n")
	row(w, "payload", "bytes of live heap for a byte of message", "goal")
	row(w, "---", "---", "---")
	for _, h := range all {
		row(w, h.title, ratio(h.perByte), fmt.Sprintf("%s (≤ %g)", pass(h.goal/h.perByte, 1), h.goal))
	}
	n, err := b.echoAllocations()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nThe echo of the seed's dict makes %.0f allocations: %s (≤ %d).\n", n, pass(goalEchoAllocations/max(n, 1), 1), goalEchoAllocations)
	steps, err := b.sizes(rounds, most, progress)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n### Growing messages: records, nanoseconds a byte\n\n")
	head := []string{""}
	decode, encode := []string{"Unmarshal into any"}, []string{"Marshal"}
	loads, dumps := []string{"CPython's loads"}, []string{"CPython's dumps"}
	for _, s := range steps {
		head = append(head, fmt.Sprintf("%.0f MB", float64(s.bytes)/1e6))
		decode = append(decode, ratio(s.decode))
		encode = append(encode, ratio(s.encode))
		loads = append(loads, ratio(s.loads))
		dumps = append(dumps, ratio(s.dumps))
	}
	last := steps[len(steps)-1]
	grown := func(from, to float64) string {
		return fmt.Sprintf("%+.0f %%", (to/from-1)*100)
	}
	goal := func(from, to float64) string {
		return fmt.Sprintf("%s: %s (< %+.0f %%)", grown(from, to), pass(goalGrowth, to/from-1), goalGrowth*100)
	}
	row(w, append(head, "growth")...)
	row(w, strings.Split(strings.Repeat("---,", len(head))+"---", ",")...)
	row(w, append(decode, goal(steps[0].decode, last.decode))...)
	row(w, append(encode, goal(steps[0].encode, last.encode))...)
	row(w, append(loads, grown(steps[0].loads, last.loads))...)
	row(w, append(dumps, grown(steps[0].dumps, last.dumps))...)
	return nil
}
