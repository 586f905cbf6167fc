package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// size is a flag in bytes: 65536, 64KiB, 64MiB, 1GiB.
type size struct{ n int64 }

var units = []struct {
	suffix string
	shift  uint
}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"B", 0}}

func (s *size) Set(text string) error {
	number, shift := text, uint(0)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			number, shift = rest, u.shift
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)>>shift {
		return fmt.Errorf("not a size as 65536, 64KiB, 16MiB or 1GiB")
	}
	s.n = n << shift
	return nil
}

func (s *size) String() string {
	for _, u := range []int{2, 1, 0} {
		if u := units[u]; s.n > 0 && s.n%(1<<u.shift) == 0 {
			return strconv.FormatInt(s.n>>u.shift, 10) + u.suffix
		}
	}
	return strconv.FormatInt(s.n, 10)
}

// timeout is a duration flag that "none" switches off; 0 leaves the library's default.
type timeout struct{ d time.Duration }

func (t *timeout) Set(text string) error {
	if text == "none" {
		t.d = -1
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return fmt.Errorf("not a duration as 500ms, 30s or 5m, nor none")
	}
	t.d = d
	return nil
}

func (t *timeout) String() string {
	switch {
	case t.d < 0:
		return "none"
	case t.d == 0:
		return ""
	}
	return t.d.String()
}
