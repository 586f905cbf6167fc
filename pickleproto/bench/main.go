// Command bench measures this codec beside CPython's C pickle and the other Go codecs, all in one
// run on the same bytes, and prints the tables of README.md. Run it in its own directory.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto/internal/pythontest"
)

type settings struct {
	rounds   int
	window   time.Duration
	only     string
	payloads string // the script that writes them
	write    bool
	parts    string
	conns    int
	most     int
	move     string // internal: be the server that moves bytes
}

func main() {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 7, "rounds, of which the best counts")
	flag.DurationVar(&s.window, "window", 100*time.Millisecond, "how long one measurement of a round takes")
	flag.StringVar(&s.only, "only", "", "payloads to measure, with commas between; empty is all")
	flag.StringVar(&s.payloads, "payloads", "../testdata/payloads.py", "the script that writes the payloads")
	flag.BoolVar(&s.write, "write", false, "also put the tables into README.md and draw chart.svg")
	flag.StringVar(&s.parts, "parts", "codec,memory,server", "what to measure, with commas between")
	flag.IntVar(&s.conns, "connections", 16, "connections to a server")
	flag.IntVar(&s.most, "largest", 256, "how many million bytes the largest of the growing messages has")
	flag.StringVar(&s.move, "move", "", "what this command calls itself with to have a server that only moves bytes")
	flag.Parse()
	if s.move != "" {
		if err := move(s.move, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	python, ok := pythontest.Newest(3, 8)
	if !ok {
		return fmt.Errorf("no CPython 3.8 or later found under PYENV_ROOT or on PATH")
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, protocol := range []string{"2", "4"} {
		to := filepath.Join(dir, protocol)
		if err := os.Mkdir(to, 0o700); err != nil {
			return err
		}
		make := exec.CommandContext(ctx, python.Path, s.payloads, to, protocol)
		make.Stderr = stderr
		if err := make.Run(); err != nil {
			return err
		}
	}
	child, err := startPython(ctx, python.Path)
	if err != nil {
		return err
	}
	defer child.close()

	b := &bench{dir: dir, python: child, window: s.window, results: map[key]*result{}}
	parts := strings.Split(s.parts, ",")
	var tables bytes.Buffer
	out := io.MultiWriter(stdout, &tables)
	machine := fmt.Sprintf("%s, %d cores, %s/%s; CPython %s; %s; best of %d rounds",
		processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, python, runtime.Version(), s.rounds)
	fmt.Fprintf(out, "%s.\n", machine)
	if slices.Contains(parts, "codec") {
		if err := b.codec(ctx, s, stderr); err != nil {
			return err
		}
		b.report(out)
		if err := b.reportWhere(out, min(s.rounds, 3)); err != nil {
			return err
		}
	}
	if slices.Contains(parts, "memory") {
		if err := b.reportCosts(out, s.rounds, s.most, stderr); err != nil {
			return err
		}
	}
	if slices.Contains(parts, "server") {
		binary := filepath.Join(dir, "pickle-server")
		build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./server/cmd/pickle-server")
		build.Dir, build.Stderr = filepath.Join("..", ".."), stderr
		if err := build.Run(); err != nil {
			return err
		}
		all, err := serve(ctx, python.Path, binary, s.rounds, 8*s.window, s.conns, stderr)
		if err != nil {
			return err
		}
		reportServed(out, all, s.conns, s.rounds)
	}
	if !s.write {
		return nil
	}
	if slices.Contains(parts, "codec") {
		if err := os.WriteFile("chart.svg", chart(b.groups(), machine), 0o644); err != nil {
			return err
		}
	}
	return writeTables("README.md", tables.Bytes())
}

// codec lets all contenders take turns, round by round.
func (b *bench) codec(ctx context.Context, s settings, progress io.Writer) error {
	for round := range s.rounds {
		fmt.Fprintf(progress, "round %d of %d\n", round+1, s.rounds)
		for _, p := range payloads {
			if s.only != "" && !slices.Contains(strings.Split(s.only, ","), p.name) {
				continue
			}
			if err := b.round(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// processor names the machine's processor as far as the system tells.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
