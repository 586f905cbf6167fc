package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/picklebridge/picklebridge/pickleproto"
	"github.com/picklebridge/picklebridge/pickleproto/internal/wire"
)

// The server figures: requests a second and the slowest hundredth, at 16 connections that stay
// open, each with one request under way, the load made on the same machine. Beside pickle-server
// stand a Go server that only moves the same bytes, which is what the network costs, and Python's
// threaded socketserver doing the same work. All three run all the time and take turns.

const (
	goalOfMover    = 0.85 // of the mover's requests a second, with the seed's dict
	goalP99        = 1.5  // times the mover's
	goalOfThreaded = 3    // times threaded Python's requests a second, with 10,000 numbers
)

//go:embed threaded.py
var threadedScript string

// workload is what clients ask of a server.
type workload struct {
	title   string
	handler string
	request any
	mover   bool // compared with the mover, else with Python
}

func workloads() []workload {
	small, large := new(pickleproto.Dict), new(pickleproto.Dict)
	numbers := make([]any, 10000)
	for i := range numbers {
		numbers[i] = int64(i)
	}
	for _, err := range []error{
		small.Set("key", "value"), small.Set("numbers", pickleproto.NewList(int64(1), int64(2), int64(3))),
		large.Set("key", "value"), large.Set("numbers", pickleproto.NewList(numbers...)),
	} {
		if err != nil {
			panic(err)
		}
	}
	return []workload{
		{"the seed's dict, echo", "echo", small, true},
		{"the seed's dict, increment", "increment", small, true},
		{"10,000 numbers, echo", "echo", pickleproto.NewList(numbers...), false},
		{"10,000 numbers, increment", "increment", large, false},
	}
}

// turns is how many turns the two Go servers get a round, whose figures are those of all its turns together. Their
// turns differ by half from one another, with how the machine's processors happen to share the work, so the best of
// them, or of a few together, would be a matter of luck: a round is long, and there is one for each roundsServed rounds
// of the codec. Python's turns differ less, and its threads take seconds to let go of one another.
const (
	turns        = 16
	roundsServed = 4
	leastServed  = 3 // if the codec has as many
)

// roundsOf is how many rounds the servers have where the codec has so many.
func roundsOf(rounds int) int { return min(rounds, max(leastServed, rounds/roundsServed)) }

// The contestants.
const (
	moves = iota
	ours
	threaded
)

var contestants = [...]string{moves: "moves bytes", ours: "pickle-server", threaded: "threaded Python"}

// served is one workload's best figures by contestant.
type served struct {
	workload
	perSecond, p99 [len(contestants)]float64
}

func serve(ctx context.Context, python, binary string, rounds int, window time.Duration, connections int, progress io.Writer) ([]*served, error) {
	var all []*served
	for _, w := range workloads() {
		request, err := pickleproto.Marshal(w.request)
		if err != nil {
			return nil, err
		}
		s := &served{workload: w}
		all = append(all, s)
		if err := s.measure(ctx, python, binary, request, rounds, window, connections); err != nil {
			return nil, fmt.Errorf("%s: %w", w.title, err)
		}
		fmt.Fprintf(progress, "served: %s\n", w.title)
	}
	return all, nil
}

func (s *served) measure(ctx context.Context, python, binary string, request []byte, rounds int, window time.Duration, connections int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var addrs [len(contestants)]string
	addr, err := startServer(ctx, regexp.MustCompile(`^(\d+)$`), python, "-c", threadedScript, s.handler)
	if err != nil {
		return err
	}
	addrs[threaded] = "127.0.0.1:" + addr
	// What Python answers is what every one of them has to answer.
	answer, err := exchange(addrs[threaded], request)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp("", "answer")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err := file.Write(answer); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if addrs[moves], err = startServer(ctx, regexp.MustCompile(`^(\S+)$`), self, "-move", fmt.Sprint(len(request), ",", file.Name())); err != nil {
		return err
	}
	if addrs[ours], err = startServer(ctx, regexp.MustCompile(`msg=listening addr=(\S+)`), binary, "-addr", "127.0.0.1:0", "-handler", s.handler); err != nil {
		return err
	}
	for i := range s.p99 {
		s.p99[i] = 1e18
	}
	for range roundsOf(rounds) {
		var times [len(contestants)][]time.Duration
		var served [len(contestants)]time.Duration // how long
		for turn := range turns {
			// In no fixed order: who always comes after the slowest of them might find the machine rested.
			for _, i := range rand.Perm(len(addrs)) {
				if i == threaded && turn > 0 {
					continue
				}
				took, err := load(ctx, addrs[i], request, answer, connections, window)
				if err != nil {
					return fmt.Errorf("%s: %w", contestants[i], err)
				}
				times[i] = append(times[i], took...)
				served[i] += window
			}
		}
		for i, took := range times {
			if len(took) == 0 {
				continue // the machine was busy with something else
			}
			slices.Sort(took)
			s.perSecond[i] = max(s.perSecond[i], float64(len(took))/served[i].Seconds())
			s.p99[i] = min(s.p99[i], float64(took[len(took)*99/100]))
		}
	}
	return nil
}

// startServer starts a process that serves until ctx ends, and returns the address in the line by
// which it says that it is ready.
func startServer(ctx context.Context, ready *regexp.Regexp, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	if _, err := cmd.StdinPipe(); err != nil { // its end tells the child to go
		return "", err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		return "", err
	}
	out := bufio.NewReader(r)
	for {
		line, err := out.ReadString('\n')
		if m := ready.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			go func() {
				_, _ = io.Copy(os.Stderr, out)
				_ = cmd.Wait()
			}()
			return m[1], nil
		}
		if err != nil {
			return "", fmt.Errorf("%s did not come up: %q", name, line)
		}
		fmt.Fprint(os.Stderr, line)
	}
}

// exchange sends one request and returns the answer.
func exchange(addr string, request []byte) ([]byte, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	if _, err := nc.Write(request); err != nil {
		return nil, err
	}
	var s wire.Scanner
	var answer []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := nc.Read(buf)
		if err != nil {
			return nil, err
		}
		answer = append(answer, buf[:n]...)
		if _, done, err := s.Scan(buf[:n]); done || err != nil {
			return answer, err
		}
	}
}

// load keeps each of the connections busy for the time of d, after a tenth of it for warming up.
// Every answer is compared with the one that is right. It returns how long each request took.
func load(ctx context.Context, addr string, request, answer []byte, connections int, d time.Duration) ([]time.Duration, error) {
	var wg sync.WaitGroup
	times := make([][]time.Duration, connections)
	errs := make([]error, connections)
	counting := time.Now().Add(d / 10)
	end := counting.Add(d)
	for i := range connections {
		wg.Go(func() { times[i], errs[i] = loadOne(ctx, addr, request, answer, counting, end) })
	}
	wg.Wait()
	return slices.Concat(times...), errors.Join(errs...)
}

func loadOne(ctx context.Context, addr string, request, answer []byte, counting, end time.Time) (times []time.Duration, err error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	_ = nc.SetDeadline(end.Add(time.Minute)) // many threads of one Python keep each other waiting
	times = make([]time.Duration, 0, 1<<16)
	buf := make([]byte, len(answer))
	for ctx.Err() == nil {
		begin := time.Now()
		if _, err := nc.Write(request); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(nc, buf); err != nil {
			return nil, err
		}
		now := time.Now()
		if !bytes.Equal(buf, answer) {
			return nil, fmt.Errorf("answered %.80q, Python answers %.80q", buf, answer)
		}
		switch {
		case now.After(end):
			return times, nil
		case begin.After(counting):
			times = append(times, now.Sub(begin))
		}
	}
	return nil, ctx.Err()
}

// move is the server that only moves bytes: it reads as many as the request has, and writes the
// answer, in one write. It runs until its standard input ends.
func move(what string, stdout io.Writer) error {
	length, name, _ := strings.Cut(what, ",")
	size, err := strconv.Atoi(length)
	if err != nil {
		return err
	}
	answer, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, ln.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		ln.Close()
	}()
	for {
		nc, err := ln.Accept()
		if err != nil {
			return nil
		}
		go func() {
			defer nc.Close()
			buf := make([]byte, size)
			for {
				if _, err := io.ReadFull(nc, buf); err != nil {
					return
				}
				if _, err := nc.Write(answer); err != nil {
					return
				}
			}
		}()
	}
}

func reportServed(w io.Writer, all []*served, connections, rounds int) {
	fmt.Fprintf(w, "\n### pickle-server, raw, %d connections, best of %d rounds\n\n", connections, roundsOf(rounds))
	row(w, "", "moves bytes, requests/s", "pickle-server", "of the mover", "threaded Python", "times Python", "p99 of the mover", "p99", "times", "p99 of Python", "goal")
	row(w, strings.Split(strings.Repeat("---,", 10)+"---", ",")...)
	for _, s := range all {
		ofMover := s.perSecond[ours] / s.perSecond[moves]
		ofPython := s.perSecond[ours] / s.perSecond[threaded]
		slower := s.p99[ours] / s.p99[moves]
		var goal string
		if s.mover {
			goal = fmt.Sprintf("%s (≥ %g of the mover), %s (p99 ≤ %g)", pass(ofMover, goalOfMover), goalOfMover, pass(goalP99/slower, 1), goalP99)
		} else {
			goal = fmt.Sprintf("%s (≥ %d times Python)", pass(ofPython, goalOfThreaded), goalOfThreaded)
		}
		row(w, s.title, thousands(int64(s.perSecond[moves])), thousands(int64(s.perSecond[ours])), ratio(ofMover),
			thousands(int64(s.perSecond[threaded])), ratio(ofPython),
			duration(s.p99[moves]), duration(s.p99[ours]), ratio(slower), duration(s.p99[threaded]), goal)
	}
}
