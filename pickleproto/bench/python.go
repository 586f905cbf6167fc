package main

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
)

//go:embed rounds.py
var roundsScript string

// python is a child process that runs one round at a time.
type python struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startPython(ctx context.Context, path string) (*python, error) {
	p := &python{cmd: exec.CommandContext(ctx, path, "-c", roundsScript)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// round returns the mean nanoseconds of one call, without and with freeing its result.
func (p *python) round(what, file string, protocol int, seconds float64) (ns, freed float64, err error) {
	if _, err := fmt.Fprintln(p.in, what, file, protocol, seconds); err != nil {
		return 0, 0, err
	}
	line, err := p.out.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscan(line, &ns, &freed)
	}
	if err != nil {
		err = fmt.Errorf("python: %w", err)
	}
	return ns, freed, err
}

func (p *python) close() {
	p.in.Close()
	p.cmd.Wait()
}
