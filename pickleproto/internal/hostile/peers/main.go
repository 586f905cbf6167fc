// Command peers runs the hostile pickles through this codec, CPython's and three Go packages, each
// in a process of its own with limits, and prints what became of them as a table of the docs.
//
//	go run . [-write ../../../SECURITY.md]
package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto/internal/hostile"
	"github.com/picklebridge/picklebridge/pickleproto/internal/pythontest"
)

// What can become of a pickle.
const (
	handled  = "handled"  // a value
	refused  = "refused"  // an error
	panicked = "panicked" // a Go panic, which a caller who expects it can recover
	died     = "died"     // the process ended
	hung     = "hung"     // no answer within the time
)

var outcomes = []string{handled, refused, panicked, died, hung}

const (
	memory  = 4 << 30
	timeout = 10 * time.Second
)

func main() {
	name := flag.String("child", "", "be the process that decodes with this codec")
	write := flag.String("write", "", "a file whose table is to be written anew")
	flag.Parse()
	var err error
	if *name != "" {
		err = child(*name, memory)
	} else {
		err = run(*write)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(write string) error {
	python, ok := pythontest.Newest(3, 12)
	if !ok {
		return fmt.Errorf("no CPython 3.12 or later was found")
	}
	columns := []string{"picklebridge", "CPython " + python.String(), "gopickle", "og-rek", "stalecucumber"}
	cases := hostile.Cases(false)
	results := make([][]string, len(columns)) // by column and case
	for i, column := range columns {
		command := []string{os.Args[0], "-child", column}
		if strings.HasPrefix(column, "CPython") {
			command = []string{python.Path, "../testdata/oracle.py", "outcome", strconv.Itoa(memory)}
		}
		p := &peer{command: command}
		for _, c := range cases {
			o, err := p.ask(c.Make())
			if err != nil {
				return fmt.Errorf("%s: %s: %w", column, c, err)
			}
			if o != handled && o != refused {
				fmt.Fprintf(os.Stderr, "%s: %s: %s\n", column, c, o)
			}
			results[i] = append(results[i], o)
		}
		p.stop()
	}
	text := table(columns, cases, results)
	fmt.Print(text)
	if write == "" {
		return nil
	}
	return replace(write, text)
}

// peer is the process of one decoder, started anew when it has died.
type peer struct {
	command []string
	cmd     *exec.Cmd
	in      io.WriteCloser
	lines   chan string
}

func (p *peer) start() error {
	p.cmd = exec.Command(p.command[0], p.command[1:]...)
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	lines := make(chan string, 1)
	p.lines = lines
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			switch line := s.Text(); line {
			case handled, refused, panicked:
				lines <- line
			}
		}
	}()
	return nil
}

func (p *peer) stop() {
	if p.cmd == nil {
		return
	}
	_ = p.in.Close()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.cmd = nil
}

func (p *peer) ask(b []byte) (string, error) {
	if p.cmd == nil {
		if err := p.start(); err != nil {
			return "", err
		}
	}
	go func(in io.Writer) {
		_, _ = in.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...))
	}(p.in)
	select {
	case line, ok := <-p.lines:
		if ok {
			return line, nil
		}
		p.stop()
		return died, nil
	case <-time.After(timeout):
		p.stop()
		return hung, nil
	}
}

// table is the totals, and a row for each class.
func table(columns []string, cases []hostile.Case, results [][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d pickles, each decoder in a process of its own with %d GiB of address space and %d seconds for each;\n%s %s/%s, %d cores.\n\n",
		len(cases), memory>>30, timeout/time.Second, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	line := func(first string, cell func(i int) string) {
		fmt.Fprintf(&b, "| %s |", first)
		for i := range columns {
			fmt.Fprintf(&b, " %s |", cell(i))
		}
		b.WriteString("\n")
	}
	line("", func(i int) string { return columns[i] })
	b.WriteString("|---|" + strings.Repeat("---|", len(columns)) + "\n")
	count := func(i int, is func(c hostile.Case, o string) bool) string {
		n := 0
		for k, c := range cases {
			if is(c, results[i][k]) {
				n++
			}
		}
		return strconv.Itoa(n)
	}
	for _, o := range outcomes {
		line("**"+o+"**", func(i int) string { return count(i, func(_ hostile.Case, is string) bool { return is == o }) })
	}
	line("handled, although it is malformed", func(i int) string {
		return count(i, func(c hostile.Case, is string) bool {
			return is == handled && c.Want == hostile.Refuse && c.Limit == ""
		})
	})
	line("refused, although CPython accepts it", func(i int) string {
		return count(i, func(c hostile.Case, is string) bool { return is == refused && c.Want == hostile.Accept })
	})
	b.WriteString("\nBy class: h handled, r refused, P panicked, D died, H hung.\n\n")
	line("class", func(i int) string { return columns[i] })
	b.WriteString("|---|" + strings.Repeat("---|", len(columns)) + "\n")
	letters := map[string]string{handled: "h", refused: "r", panicked: "**P**", died: "**D**", hung: "**H**"}
	done := map[string]bool{}
	for _, c := range cases {
		if done[c.Class] {
			continue
		}
		done[c.Class] = true
		line(c.Class, func(i int) string {
			var cell []string
			for _, o := range outcomes {
				n := 0
				for k, other := range cases {
					if other.Class == c.Class && results[i][k] == o {
						n++
					}
				}
				if n > 0 {
					cell = append(cell, letters[o]+" "+strconv.Itoa(n))
				}
			}
			return strings.Join(cell, ", ")
		})
	}
	return b.String()
}

const begin, end = "<!-- peers: begin -->\n", "<!-- peers: end -->"

func replace(file, text string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok1 := strings.Cut(string(b), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no place for the table", file)
	}
	return os.WriteFile(file, []byte(before+begin+text+end+after), 0o644)
}
