package hostile_test

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/hostile"
	"github.com/picklebridge/picklebridge/pickleproto/internal/pythontest"
)

// oracle is a CPython that is asked what it makes of pickles: see testdata/oracle.py.
type oracle struct {
	python string
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  chan string
}

func (o *oracle) start(t *testing.T) {
	o.cmd = exec.Command(o.python, "testdata/oracle.py")
	var err error
	o.in, err = o.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := o.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, o.cmd.Start())
	o.lines = make(chan string, 256)
	lines := o.lines
	go func() {
		defer close(lines)
		r := bufio.NewReaderSize(out, 1<<20)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			lines <- strings.TrimSuffix(line, "\n")
		}
	}()
}

func (o *oracle) stop() {
	_ = o.in.Close()
	_ = o.cmd.Process.Kill()
	_ = o.cmd.Wait()
}

// ask returns the answers to a batch; a pickle of which CPython dies, or that takes it more than
// 20 seconds, has the answer "died" or "hung".
func (o *oracle) ask(t *testing.T, batch [][]byte) []string {
	var answers []string
	for len(answers) < len(batch) {
		if o.cmd == nil {
			o.start(t)
		}
		rest := batch[len(answers):]
		go func(in io.Writer) {
			for _, b := range rest {
				if _, err := in.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
					return
				}
			}
		}(o.in)
		for range rest {
			line, outcome := "", ""
			select {
			case l, ok := <-o.lines:
				if line = l; !ok {
					outcome = "died"
				}
			case <-time.After(20 * time.Second):
				outcome = "hung"
			}
			if outcome != "" {
				o.stop()
				o.cmd = nil
				answers = append(answers, outcome)
				break
			}
			answers = append(answers, line)
		}
	}
	return answers
}

// difference is a kind of difference between this codec and CPython that is meant.
type difference struct {
	name string
	why  string
	is   func(d *outcome) bool
}

// outcome is what both made of one pickle.
type outcome struct {
	pickle []byte
	err    error  // this codec's
	dump   string // this codec's, if err is nil
	repr   string
	plain  bool
	python string // ok, no, died, hung
	exc    string // Python's exception
	text   string // and its text; or its dump
	pyRepr string
}

func (d *outcome) goRefuses(texts ...string) bool {
	if d.err == nil || d.python != "ok" {
		return false
	}
	for _, s := range texts {
		if strings.Contains(d.err.Error(), s) {
			return true
		}
	}
	return false
}

func (d *outcome) pythonRefuses(texts ...string) bool {
	if d.err != nil || d.python != "no" {
		return false
	}
	for _, s := range texts {
		if strings.Contains(d.exc+": "+d.text, s) {
			return true
		}
	}
	return false
}

// differences are all kinds that there are: the reviewed list. The first that fits is counted.
var differences = []difference{
	{"frames", "this codec refuses frames that nest, overlap, cut through an argument or reach beyond STOP, as later CPythons do (3.13.15, 3.14.7)",
		func(d *outcome) bool {
			return d.goRefuses("frame within a frame", "straddles", "frame extends beyond STOP", "before end of frame")
		}},
	{"frames, beyond the input", "CPython reads a frame that it is promised at once, and so sees a truncation where this codec sees what comes before it",
		func(d *outcome) bool { return d.pythonRefuses("pickle exhausted before end of frame") }},
	{"dropped call", "POP of what a call made: Python would have made the call; nothing is dropped silently here",
		func(d *outcome) bool { return d.goRefuses("the result of a call is dropped") }},
	{"limits", "a limit of this codec; CPython has none",
		func(d *outcome) bool { return d.goRefuses("limit exceeded") }},
	{"extension codes", "an unregistered code stays inert here; CPython refuses it",
		func(d *outcome) bool { return d.pythonRefuses("unregistered extension code") }},
	{"out-of-band buffers", "a buffer that was not supplied stays inert here; CPython refuses it",
		func(d *outcome) bool {
			return d.pythonRefuses("but no *buffers* argument was given")
		}},
	{"state of a builtin", "BUILD with a state of None, or one that sets nothing, does nothing to any object in CPython; here only instances have states",
		func(d *outcome) bool { return d.goRefuses("cannot set the state of a") }},
	{"items of a persistent id", "nothing can be added to what a persistent id stands for unless it is resolved; the oracle's stand-in takes everything",
		func(d *outcome) bool { return d.goRefuses("cannot add items to a persistent id") }},
	{"items of another kind of builtin", "APPEND to a bytearray and SETITEM of a list or bytearray by index do what they would in Python; no pickler writes them, and here they are refused",
		func(d *outcome) bool {
			return d.goRefuses("cannot add items to a bytearray", "cannot add items to a list")
		}},
	{"a read-only view", "READONLY_BUFFER of a bytearray makes a memoryview, which no pickle can hold",
		func(d *outcome) bool { return d.goRefuses("not a buffer") }},
	{"class that a call made", "NEWOBJ and NEWOBJ_EX of what a call returned: here it may be a class, the oracle's stand-in is none",
		func(d *outcome) bool {
			return d.pythonRefuses("class argument must be a type", "must be a type, not", "NEWOBJ class argument isn't a type object", "NEWOBJ_EX class argument must be a type")
		}},
	{"keywords that are no str", "NEWOBJ_EX keeps the dict as it is; only a call would refuse it",
		func(d *outcome) bool {
			return d.pythonRefuses("keywords must be strings", "unexpected keyword", "multiple values for")
		}},
	{"names that are no names", "GLOBAL and INST names that are not ASCII or UTF-8 are refused by CPython when it looks for them",
		func(d *outcome) bool {
			return d.pythonRefuses("UnicodeDecodeError") && strings.ContainsAny(string(d.pickle), "ci")
		}},
	{"death", "CPython dies of it, or takes more than 20 seconds",
		func(d *outcome) bool { return d.python == "died" || d.python == "hung" }},
	{"memory", "CPython met the limit that this test sets it",
		func(d *outcome) bool { return d.pythonRefuses("MemoryError") }},
	{"PROTO in the middle", "the oracle goes by the first byte, for what a builtin's call means; this codec goes by the latest PROTO",
		func(d *outcome) bool { return strings.LastIndexByte(string(d.pickle), 0x80) > 0 }},
}

// agrees reports whether both refused, or both made the same value.
func (d *outcome) agrees() bool {
	if d.err != nil {
		return d.python == "no"
	}
	if d.python != "ok" || d.dump != d.text {
		return false
	}
	return d.pyRepr == "-" || !d.plain || hex.EncodeToString([]byte(d.repr)) == d.pyRepr
}

// corpus are small pickles that Python wrote.
func corpus(t *testing.T) [][]byte {
	f, err := os.Open("../../testdata/corpus/objects.jsonl")
	require.NoError(t, err)
	defer f.Close()
	var out [][]byte
	for d := json.NewDecoder(f); ; {
		var row struct{ Data string }
		if err := d.Decode(&row); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		b, err := base64.StdEncoding.DecodeString(row.Data)
		require.NoError(t, err)
		if len(b) <= 400 {
			out = append(out, b)
		}
	}
	for _, c := range hostile.Cases(true) {
		if b := c.Make(); len(b) <= 400 && c.Class != "truncation" {
			out = append(out, b)
		}
	}
	require.Greater(t, len(out), 1000)
	return out
}

// TestDifferential decodes changed and random pickles with this codec and with CPython, which runs
// in a process of its own with limits and stand-ins for all names, and compares whether they are
// accepted, the values, and their repr. Every difference is of a kind in the list above.
//
// PICKLEBRIDGE_DIFFERENTIAL=100000 sets their number, PICKLEBRIDGE_SEED the seed.
func TestDifferential(t *testing.T) {
	python, ok := pythontest.Newest(3, 12)
	if !ok {
		t.Skip("no Python 3.12 or later found for new pickles to be compared with; TestDecode and the corpus have recorded ones")
	}
	count, seed := 4000, uint64(1)
	if s := os.Getenv("PICKLEBRIDGE_DIFFERENTIAL"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		count = n
	}
	if s := os.Getenv("PICKLEBRIDGE_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		seed = n
	}
	o := &oracle{python: python.Path}
	o.start(t)
	defer func() {
		if o.cmd != nil {
			o.stop()
		}
	}()
	m := hostile.NewMutator(seed, corpus(t))
	tally := map[string]int{}
	failures := 0
	for done := 0; done < count; {
		var batch [][]byte
		for len(batch) < 200 && done+len(batch) < count {
			batch = append(batch, m.Next())
		}
		for i, answer := range o.ask(t, batch) {
			d := judge(t, batch[i], answer)
			name := d.kind()
			tally[name]++
			if name == "unexplained" {
				if failures++; failures <= 20 {
					t.Errorf("%q\n  here:    %v %s %s\n  CPython: %s %s %s %s", d.pickle, d.err, d.dump, d.repr, d.python, d.exc, d.text, d.pyRepr)
				}
			}
		}
		done += len(batch)
	}
	var names []string
	for name := range tally {
		names = append(names, name)
	}
	sort.Strings(names)
	var report strings.Builder
	for _, name := range names {
		fmt.Fprintf(&report, "\n%8d  %s", tally[name], name)
	}
	t.Logf("%d pickles, seed %d, CPython %s:%s", count, seed, python, report.String())
	require.Greater(t, tally["both accept"], count/20)
	require.Greater(t, tally["both refuse"], count/20)
}

func (d *outcome) kind() string {
	if d.agrees() {
		if d.err == nil {
			return "both accept"
		}
		return "both refuse"
	}
	for _, kind := range differences {
		if kind.is(d) {
			return kind.name
		}
	}
	return "unexplained"
}

func judge(t *testing.T, b []byte, answer string) *outcome {
	d := &outcome{pickle: b}
	var v any
	// What follows STOP is not looked at by CPython.
	if _, d.err = pickleproto.UnmarshalFirst(b, &v, pickleproto.WithPython2Strings(pickleproto.AsBytes)); d.err == nil {
		d.dump, d.plain = dump(v)
		d.repr = pickleproto.Repr(v)
		if d.dump == "" {
			d.dump = "-"
		}
	}
	f := strings.Fields(answer)
	require.NotEmpty(t, f)
	switch d.python = f[0]; d.python {
	case "ok":
		d.text, d.pyRepr = f[1], f[2]
	case "no":
		d.exc = f[1]
		text, _ := hex.DecodeString(f[2])
		d.text = string(text)
	}
	return d
}
