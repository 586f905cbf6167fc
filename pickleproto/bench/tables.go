package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
)

// The goals: CPython's time divided by ours, at GOGC=400 and, for each payload, at GOGC=100; and a
// peer's time divided by ours.
const (
	goalAny, goalAnyMean     = 1.5, 3
	goalTyped, goalTypedMean = 2, 5
	goalDefaultGC            = 1
	goalPeer, goalPeerSeed   = 5, 3
	goalBytesRead            = 1 / 2.5
	goalBytesAppend          = 3
)

// table is one of the three that compare a row per payload.
type table struct {
	title      string
	python, id string
	peers      []string
	goal, mean float64
	among      []string // the payloads whose mean has the goal; nil is all
}

var tables = []table{
	{"Unmarshal into any", "loads", "any", []string{"gopickle load", "og-rek load", "stalecucumber load"}, goalAny, goalAnyMean, nil},
	{"Marshal of those values", "dumps", "marshal", []string{"og-rek dump", "stalecucumber dump"}, goalAny, goalAnyMean, nil},
	{"Unmarshal into Go types", "loads", "typed", nil, goalTyped, goalTypedMean, []string{"ints", "floats", "strings", "dict", "records"}},
}

// time returns how long something took, or NaN when it was not measured.
func (b *bench) time(p payload, id string, gogc int) float64 {
	if r := b.results[key{p.name, id, gogc}]; r != nil && r.err == nil {
		return r.ns
	}
	return math.NaN()
}

func (b *bench) report(w io.Writer) {
	for _, t := range tables {
		b.table(w, t)
	}
	b.bytes(w)
	b.reasons(w)
}

func (b *bench) table(w io.Writer, t table) {
	fmt.Fprintf(w, "\n### %s\n\n", t.title)
	head := []string{"payload", "bytes", "CPython", "ours", "ratio", fmt.Sprintf("≥ %g", t.goal), "GOGC=100", "ratio", fmt.Sprintf("≥ %d", goalDefaultGC), "freed too"}
	for _, peer := range t.peers {
		head = append(head, strings.Fields(peer)[0])
	}
	if t.peers != nil {
		head = append(head, fmt.Sprintf("≥ %d", goalPeer))
	}
	row(w, head...)
	row(w, strings.Split(strings.Repeat("---,", len(head)-1)+"---", ",")...)
	all, among := means{peers: make([]mean, len(t.peers))}, means{peers: make([]mean, len(t.peers))}
	for _, p := range payloads {
		python := b.time(p, t.python, 0)
		if p.name == bytesName || math.IsNaN(python) {
			continue
		}
		size := int64(0)
		if info, err := os.Stat(b.file(p, 4)); err == nil {
			size = info.Size()
		}
		ours, ours100, freed := b.time(p, t.id, 400), b.time(p, t.id, 100), b.time(p, t.python+freedToo, 0)
		all.add(python/ours, python/ours100, freed/ours)
		if slices.Contains(t.among, p.name) {
			among.add(python/ours, python/ours100, freed/ours)
		}
		title := p.title
		if t.id == "typed" {
			title += ": `" + p.goType + "`"
		}
		cells := []string{title, thousands(size), duration(python), duration(ours), ratio(python / ours), pass(python/ours, t.goal),
			duration(ours100), ratio(python / ours100), pass(python/ours100, goalDefaultGC),
			ratio(freed / ours)}
		least := math.Inf(1)
		for i, peer := range t.peers {
			r := b.time(p, peer, 400) / ours
			cells = append(cells, ratio(r))
			if !math.IsNaN(r) {
				least = min(least, r)
				all.peers[i].add(r)
			}
		}
		if t.peers != nil {
			goal := float64(goalPeer)
			if p.name == "seed" {
				goal = goalPeerSeed
			}
			cells = append(cells, pass(least, goal))
		}
		row(w, cells...)
	}
	goal := pass(all.at400.geometric(), t.mean) + fmt.Sprintf(" (≥ %g)", t.mean)
	if t.among != nil {
		among.row(w, "**geometric mean of "+strings.Join(t.among, ", ")+"**", pass(among.at400.geometric(), t.mean)+fmt.Sprintf(" (≥ %g)", t.mean))
		goal = ""
	}
	all.row(w, "**geometric mean**", goal)
}

// means are those of a table's columns.
type means struct {
	at400, at100, freed mean
	peers               []mean
}

func (m *means) add(at400, at100, freed float64) {
	m.at400.add(at400)
	m.at100.add(at100)
	m.freed.add(freed)
}

func (m *means) row(w io.Writer, title, goal string) {
	cells := []string{title, "", "", "", "**" + ratio(m.at400.geometric()) + "**", goal, "", "**" + ratio(m.at100.geometric()) + "**", "", "**" + ratio(m.freed.geometric()) + "**"}
	for _, p := range m.peers {
		cells = append(cells, ratio(p.geometric()))
	}
	if len(m.peers) > 0 {
		cells = append(cells, "")
	}
	row(w, cells...)
}

// bytes prints the table of the 16 MiB of bytes.
func (b *bench) bytes(w io.Writer) {
	p := payloads[len(payloads)-1]
	loads, dumps := b.time(p, "loads", 0), b.time(p, "dumps", 0)
	if math.IsNaN(loads) {
		return
	}
	fmt.Fprintf(w, "\n### %s\n\n", p.title)
	row(w, "", "CPython", "ours", "ratio", "goal", "GOGC=100", "ratio")
	row(w, "---", "---", "---", "---", "---", "---", "---")
	line := func(title string, python float64, id string, goal float64) {
		ours, ours100 := b.time(p, id, 400), b.time(p, id, 100)
		verdict := ""
		if goal > 0 {
			verdict = pass(python/ours, goal) + fmt.Sprintf(" (≥ %g)", goal)
		}
		row(w, title, duration(python), duration(ours), ratio(python/ours), verdict, duration(ours100), ratio(python/ours100))
	}
	line("Unmarshal into any, a copy", loads, "any", goalBytesRead)
	line("Unmarshal into any, lent buffer", loads, "lent", 0)
	line("Unmarshal into []byte", loads, "typed", 0)
	line("Marshal", dumps, "marshal", 0)
	line("AppendMarshal, buffer reused", dumps, "append", goalBytesAppend)
	fmt.Fprintln(w)
	row(w, "", "its time", "ours", "ratio", "goal")
	row(w, "---", "---", "---", "---", "---")
	for _, c := range []struct{ peer, id string }{
		{"gopickle load", "lent"}, {"og-rek load", "lent"}, {"stalecucumber load", "lent"},
		{"og-rek dump", "append"}, {"stalecucumber dump", "append"},
	} {
		theirs, ours := b.time(p, c.peer, 400), b.time(p, c.id, 400)
		if !math.IsNaN(theirs) {
			row(w, c.peer, duration(theirs), duration(ours), ratio(theirs/ours), pass(theirs/ours, goalPeer)+fmt.Sprintf(" (≥ %d)", goalPeer))
		}
	}
}

// reasons says why cells are empty.
func (b *bench) reasons(w io.Writer) {
	first := true
	for _, p := range payloads {
		for _, c := range contenders {
			r := b.results[key{p.name, c.id, c.gogc}]
			if r == nil || r.err == nil || c.gogc == 100 {
				continue
			}
			if first {
				fmt.Fprintf(w, "\nNot measured:\n\n")
				first = false
			}
			fmt.Fprintf(w, "- %s, %s: %.120v\n", c.id, p.title, r.err)
		}
	}
}

// mean is a geometric mean.
type mean struct {
	logs float64
	n    int
}

func (m *mean) add(x float64) {
	if !math.IsNaN(x) {
		m.logs += math.Log(x)
		m.n++
	}
}

func (m *mean) geometric() float64 { return math.Exp(m.logs / float64(m.n)) }

func row(w io.Writer, cells ...string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }

func pass(x, goal float64) string {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return "–"
	case x >= goal:
		return "yes"
	}
	return "**no**"
}

func ratio(x float64) string {
	switch {
	case math.IsNaN(x):
		return "–"
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

func duration(ns float64) string {
	switch {
	case math.IsNaN(ns):
		return "–"
	case ns < 999.5:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 999.5e3: // with three digits it is no millisecond yet
		return fmt.Sprintf("%.3g µs", ns/1e3)
	}
	return fmt.Sprintf("%.3g ms", ns/1e6)
}

func thousands(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return thousands(n/1000) + fmt.Sprintf(",%03d", n%1000)
}
