package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
)

// The chart: how many times faster than CPython's C pickle each payload is, on a logarithmic scale,
// bars for this codec and marks for what the other Go codecs read. Its colours follow the viewer's
// choice of light or dark.

// bar is one of a payload's bars, or one of its marks.
type bar struct {
	class   string
	title   string
	speedup float64 // CPython's time divided by this one's; NaN is none
}

// group is a payload with its bars.
type group struct {
	title       string
	bars, marks []bar
}

const (
	chartLeft, chartWidth, chartTop = 230, 560, 64
	barHeight, barStep, groupGap    = 9, 11, 16
	leastSpeedup, mostSpeedup       = 0.05, 50
)

const chartStyle = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .small { font-size: 11px; fill: #59636e }
  .head { font-size: 15px; font-weight: 600 }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .level { stroke: #1f2328; stroke-width: 1.5 }
  .any { fill: #0969da } .marshal { fill: #1a7f37 } .typed { fill: #9a6700 }
  .gopickle, .ogrek, .stalecucumber { fill: none; stroke: #59636e; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .small { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .level { stroke: #f0f6fc }
    .any { fill: #4493f8 } .marshal { fill: #3fb950 } .typed { fill: #d29922 }
    .gopickle, .ogrek, .stalecucumber { stroke: #9198a1 }
  }
`

func (b *bench) groups() []group {
	var all []group
	for _, p := range payloads {
		loads, dumps := b.time(p, "loads", 0), b.time(p, "dumps", 0)
		if p.name == bytesName || math.IsNaN(loads) {
			continue
		}
		all = append(all, group{
			title: p.title,
			bars: []bar{
				{"any", "Unmarshal into any", loads / b.time(p, "any", 400)},
				{"marshal", "Marshal", dumps / b.time(p, "marshal", 400)},
				{"typed", "Unmarshal into Go types", loads / b.time(p, "typed", 400)},
			},
			marks: []bar{
				{"gopickle", "gopickle reads", loads / b.time(p, "gopickle load", 400)},
				{"ogrek", "og-rek reads", loads / b.time(p, "og-rek load", 400)},
				{"stalecucumber", "stalecucumber reads", loads / b.time(p, "stalecucumber load", 400)},
			},
		})
	}
	return all
}

// x returns where a speedup lies.
func x(speedup float64) float64 {
	speedup = min(max(speedup, leastSpeedup), mostSpeedup)
	return chartLeft + chartWidth*math.Log(speedup/leastSpeedup)/math.Log(mostSpeedup/leastSpeedup)
}

// chart draws the groups as an SVG document.
func chart(groups []group, subtitle string) []byte {
	var b bytes.Buffer
	step := 3*barStep + groupGap
	bottom := chartTop + len(groups)*step
	height := bottom + 78
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img">`+"\n", chartLeft+chartWidth+60, height)
	fmt.Fprintf(&b, "<title>Speed beside CPython's C pickle</title>\n<style>%s</style>\n", chartStyle)
	label := func(class, anchor string, x, y float64, text string) {
		fmt.Fprintf(&b, `<text class="%s" text-anchor="%s" x="%.1f" y="%.1f">`, class, anchor, x, y)
		_ = xml.EscapeText(&b, []byte(text))
		b.WriteString("</text>\n")
	}
	label("head", "start", 8, 22, "Times faster than CPython's C pickle, on the same bytes")
	label("small", "start", 8, 42, subtitle)
	for _, tick := range []float64{0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50} {
		class := "grid"
		if tick == 1 {
			class = "level"
		}
		fmt.Fprintf(&b, `<line class="%s" x1="%.1f" x2="%[2]f" y1="%d" y2="%d"/>`+"\n", class, x(tick), chartTop-8, bottom)
		label("small", "middle", x(tick), float64(bottom+16), fmt.Sprintf("%g×", tick))
	}
	for i, g := range groups {
		top := float64(chartTop + i*step)
		label("", "end", chartLeft-10, top+1.5*barStep+3, g.title)
		for j, r := range g.bars {
			if math.IsNaN(r.speedup) {
				continue
			}
			from, to := min(x(1), x(r.speedup)), max(x(1), x(r.speedup))
			y := top + float64(j*barStep)
			fmt.Fprintf(&b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%d"><title>%s: %s×</title></rect>`+"\n",
				r.class, from, y, max(to-from, 1), barHeight, r.title, ratio(r.speedup))
			label("small", "start", to+4, y+barHeight, ratio(r.speedup))
		}
		for _, r := range g.marks {
			if !math.IsNaN(r.speedup) {
				mark(&b, r.class, x(r.speedup), top+1.5*barStep-1)
			}
		}
	}
	legend := 8.0
	y := float64(bottom + 44)
	for _, r := range []bar{{class: "any", title: "Unmarshal into any"}, {class: "marshal", title: "Marshal"}, {class: "typed", title: "Unmarshal into Go types"}} {
		fmt.Fprintf(&b, `<rect class="%s" x="%.1f" y="%.1f" width="14" height="%d"/>`+"\n", r.class, legend, y-barHeight, barHeight)
		label("", "start", legend+20, y, r.title)
		legend += 40 + 6.6*float64(len(r.title))
	}
	legend, y = 8, y+22
	for _, r := range []bar{{class: "gopickle", title: "gopickle reads"}, {class: "ogrek", title: "og-rek reads"}, {class: "stalecucumber", title: "stalecucumber reads (protocol 2)"}} {
		mark(&b, r.class, legend+7, y-4)
		label("", "start", legend+20, y, r.title)
		legend += 40 + 6.6*float64(len(r.title))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// mark draws the sign of one of the other codecs around a point.
func mark(b *bytes.Buffer, class string, x, y float64) {
	switch class {
	case "gopickle":
		fmt.Fprintf(b, `<circle class="%s" cx="%.1f" cy="%.1f" r="4"/>`, class, x, y)
	case "ogrek":
		fmt.Fprintf(b, `<rect class="%s" x="%.1f" y="%.1f" width="7" height="7"/>`, class, x-3.5, y-3.5)
	default:
		fmt.Fprintf(b, `<path class="%s" d="M%.1f %.1f l4.5 8 h-9 z"/>`, class, x, y-4.5)
	}
	b.WriteByte('\n')
}
