package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/server"
)

func TestChartIsXML(t *testing.T) {
	groups := []group{
		{"a <payload>", []bar{{"any", "x", 3}, {"marshal", "y", 0.5}, {"typed", "z", math.NaN()}}, []bar{{"gopickle", "g", 0.2}, {"ogrek", "o", 900}}},
	}
	svg := string(chart(groups, "a machine & its Python"))
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := d.Token(); err != nil {
			require.True(t, errors.Is(err, io.EOF), "%v in %s", err, svg)
			break
		}
	}
	require.Contains(t, svg, "a &lt;payload&gt;")
	require.NotContains(t, svg, "NaN")
}

func TestTablesStandBetweenTheirMarks(t *testing.T) {
	page, err := withTables([]byte("a\n"+tablesBegin+"old\n"+tablesEnd+"z\n"), []byte("new\n"))
	require.NoError(t, err)
	require.Equal(t, "a\n"+tablesBegin+"\nnew\n\n"+tablesEnd+"z\n", string(page))
	_, err = withTables([]byte("no marks"), nil)
	require.Error(t, err)
}

func TestGeometricMean(t *testing.T) {
	var m mean
	for _, x := range []float64{2, 8, math.NaN()} {
		m.add(x)
	}
	require.InDelta(t, 4, m.geometric(), 1e-9)
	require.Equal(t, "yes", pass(3, 3))
	require.Equal(t, "**no**", pass(2.99, 3))
	require.Equal(t, "–", pass(math.Inf(1), 3)) // nobody to compare with
}

func TestDurationHasThreeDigits(t *testing.T) {
	for ns, want := range map[float64]string{
		0: "0 ns", 999.4: "999 ns", 999.6: "1 µs", 1234: "1.23 µs", 999.4e3: "999 µs", 999.6e3: "1 ms", 12.345e6: "12.3 ms", math.NaN(): "–",
	} {
		require.Equal(t, want, duration(ns))
	}
}

func TestServersHaveFewerRounds(t *testing.T) {
	for rounds, want := range map[int]int{1: 1, 2: 2, 7: 3, 20: 5, 40: 10} {
		require.Equal(t, want, roundsOf(rounds))
	}
}

func TestLoadChecksTheAnswers(t *testing.T) {
	for _, w := range workloads() {
		t.Run(w.title, func(t *testing.T) {
			request, err := pickleproto.Marshal(w.request)
			require.NoError(t, err)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			s := &server.Server{Handler: server.Echo}
			if w.handler == "increment" {
				s.Handler = server.Increment
			}
			go func() { _ = s.Serve(t.Context(), ln) }()
			answer, err := exchange(ln.Addr().String(), request)
			require.NoError(t, err)
			times, err := load(t.Context(), ln.Addr().String(), request, answer, 4, 100*time.Millisecond)
			require.NoError(t, err)
			require.NotEmpty(t, times)
			require.Positive(t, slices.Min(times))

			answer[len(answer)/2] ^= 1
			_, err = load(t.Context(), ln.Addr().String(), request, answer, 2, 50*time.Millisecond)
			require.Error(t, err)
		})
	}
}
