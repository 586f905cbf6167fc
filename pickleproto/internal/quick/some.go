package quick

// Some returns one in n of s under the race detector, and all of it otherwise. It is for tests of one
// goroutine over many cases: to the race detector they are all the same, and cost it ten times
// what they cost without. `make check` runs the tests without it.
func Some[T any](s []T, n int) []T {
	if !Race {
		return s
	}
	var some []T
	for i := 0; i < len(s); i += n {
		some = append(some, s[i])
	}
	return some
}
