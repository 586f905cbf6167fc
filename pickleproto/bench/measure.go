package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"time"

	"github.com/hydrogen18/stalecucumber"
	ogorek "github.com/kisielk/og-rek"
	"github.com/nlpodyssey/gopickle/pickle"

	"github.com/picklebridge/picklebridge/pickleproto"
)

// contender is one way to do one thing. prepare gets the message and returns what is timed.
type contender struct {
	id       string
	gogc     int
	protocol int
	prepare  func(p payload, data []byte) (func() error, error)
}

// The contenders, in the order in which they take turns within a round. Python's two come first.
var contenders = []contender{
	{"any", 400, 4, unmarshalAny},
	{"any", 100, 4, unmarshalAny},
	{"typed", 400, 4, unmarshalTyped},
	{"typed", 100, 4, unmarshalTyped},
	{"marshal", 400, 4, marshal},
	{"marshal", 100, 4, marshal},
	{"append", 400, 4, appendMarshal},
	{"append", 100, 4, appendMarshal},
	{"lent", 400, 4, unmarshalLent},
	{"lent", 100, 4, unmarshalLent},
	{"gopickle load", 400, 4, gopickleLoad},
	{"og-rek load", 400, 4, ogrekLoad},
	{"og-rek dump", 400, 4, ogrekDump},
	{"stalecucumber load", 400, 2, stalecucumberLoad},
	{"stalecucumber dump", 400, 2, stalecucumberDump},
}

// bytesOnly are the contenders that run for the 16 MiB of bytes alone.
var bytesOnly = map[string]bool{"append": true, "lent": true}

func unmarshalAny(_ payload, data []byte) (func() error, error) {
	return func() error {
		var v any
		return pickleproto.Unmarshal(data, &v)
	}, nil
}

func unmarshalLent(_ payload, data []byte) (func() error, error) {
	lent := pickleproto.WithLentBuffer()
	return func() error {
		var v any
		return pickleproto.Unmarshal(data, &v, lent)
	}, nil
}

func unmarshalTyped(p payload, data []byte) (func() error, error) {
	return func() error { return pickleproto.Unmarshal(data, p.typed()) }, nil
}

func marshal(_ payload, data []byte) (func() error, error) {
	var v any
	if err := pickleproto.Unmarshal(data, &v); err != nil {
		return nil, err
	}
	again, err := pickleproto.Marshal(v)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) {
		return nil, fmt.Errorf("Marshal gives other bytes than Python")
	}
	return func() error {
		_, err := pickleproto.Marshal(v)
		return err
	}, nil
}

func appendMarshal(_ payload, data []byte) (func() error, error) {
	var v any
	if err := pickleproto.Unmarshal(data, &v); err != nil {
		return nil, err
	}
	buffer := make([]byte, 0, len(data)+1024)
	return func() error {
		var err error
		buffer, err = pickleproto.AppendMarshal(buffer[:0], v)
		return err
	}, nil
}

func gopickleLoad(_ payload, data []byte) (func() error, error) {
	text := string(data)
	return func() error {
		_, err := pickle.Loads(text)
		return err
	}, nil
}

func ogrekLoad(_ payload, data []byte) (func() error, error) {
	return func() error {
		_, err := ogorek.NewDecoder(bytes.NewReader(data)).Decode()
		return err
	}, nil
}

func ogrekDump(_ payload, data []byte) (func() error, error) {
	v, err := ogorek.NewDecoder(bytes.NewReader(data)).Decode()
	if err != nil {
		return nil, err
	}
	return func() error {
		var b bytes.Buffer
		return ogorek.NewEncoderWithConfig(&b, &ogorek.EncoderConfig{Protocol: 4}).Encode(v)
	}, nil
}

func stalecucumberLoad(_ payload, data []byte) (func() error, error) {
	return func() error {
		_, err := stalecucumber.Unpickle(bytes.NewReader(data))
		return err
	}, nil
}

func stalecucumberDump(p payload, data []byte) (func() error, error) {
	v, err := stalecucumber.Unpickle(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return func() error {
		var b bytes.Buffer
		_, err := stalecucumber.NewPickler(&b).Pickle(v)
		return err
	}, nil
}

// key names a row's cell: what was done to which payload.
type key struct {
	payload, id string
	gogc        int // 0 for Python
}

// result is the best round's mean time of one call, or why there is none.
type result struct {
	ns   float64
	slow bool // one call took so long that it is not repeated
	err  error
}

type bench struct {
	dir     string
	python  *python
	window  time.Duration
	results map[key]*result
}

// freedToo marks Python's times with the freeing of the result.
const freedToo = " and free"

// round lets each contender have one turn with a payload. No message and no value of another
// payload or contender is in memory meanwhile: the size of the live heap sets the collector's pace.
func (b *bench) round(ctx context.Context, p payload) error {
	for _, what := range []string{"loads", "dumps"} {
		ns, freed, err := b.python.round(what, b.file(p, 4), 4, b.window.Seconds())
		if err != nil {
			return err
		}
		b.add(key{p.name, what, 0}, ns, nil)
		b.add(key{p.name, what + freedToo, 0}, freed, nil)
	}
	for _, c := range contenders {
		if err := ctx.Err(); err != nil {
			return err
		}
		k := key{p.name, c.id, c.gogc}
		if bytesOnly[c.id] && p.name != bytesName {
			continue
		}
		if r := b.results[k]; r != nil && (r.slow || r.err != nil) {
			continue
		}
		ns, err := b.turn(c, p)
		b.add(k, ns, err)
	}
	return nil
}

// slowCall is how long one call may take and still be measured more than once.
const slowCall = 2 * time.Second

// turn measures one contender for the time of a window.
func (b *bench) turn(c contender, p payload) (ns float64, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r) // the peers do
		}
	}()
	data, err := os.ReadFile(b.file(p, c.protocol))
	if err != nil {
		return 0, err
	}
	call, err := c.prepare(p, data)
	if err != nil {
		return 0, err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(c.gogc))
	runtime.GC()
	begin := time.Now()
	if err := call(); err != nil {
		return 0, err
	}
	first := time.Since(begin)
	if first > slowCall {
		return float64(first), nil
	}
	batch := max(1, int(time.Millisecond/max(first, 1)))
	// Until the collector has gone round, each call gets memory that the system has yet to map. A
	// program is past that when it has run for a moment.
	if _, err := repeat(call, batch, warmUp*b.window, 2); err != nil {
		return 0, err
	}
	return repeat(call, batch, b.window, math.MaxUint32)
}

// warmUp is for how many windows a contender runs at most before it is measured.
const warmUp = 8

// repeat calls, batch by batch, until the time is over or the collector has run so many times. It
// returns the mean nanoseconds of a call.
func repeat(call func() error, batch int, d time.Duration, collections uint32) (ns float64, err error) {
	last := collected() + collections
	begin := time.Now()
	for n := 0; ; {
		for range batch {
			if err := call(); err != nil {
				return 0, err
			}
		}
		n += batch
		if spent := time.Since(begin); spent > d || collections < math.MaxUint32 && collected() >= last {
			return float64(spent) / float64(n), nil
		}
	}
}

// collected returns how many times the collector has run.
func collected() uint32 {
	sample := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(sample)
	return uint32(sample[0].Value.Uint64())
}

func (b *bench) add(k key, ns float64, err error) {
	r := b.results[k]
	if r == nil {
		r = &result{ns: ns}
		b.results[k] = r
	}
	r.ns = min(r.ns, ns)
	r.slow = ns > float64(slowCall)
	r.err = err
}

func (b *bench) file(p payload, protocol int) string {
	return filepath.Join(b.dir, strconv.Itoa(protocol), p.name+".pickle")
}
