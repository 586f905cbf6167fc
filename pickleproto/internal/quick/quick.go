// Package quick asserts how long something takes, for tests: by the processor time of the process,
// so that a busy machine does not matter, and with allowance for the race detector.
package quick

import (
	"testing"
	"time"
)

// Within fails t if f takes more processor time than d, or raceFactor times that under the race
// detector, on each of three tries.
func Within(t testing.TB, d time.Duration, f func()) {
	t.Helper()
	d *= raceFactor
	var took time.Duration
	for range 3 {
		start := processorTime()
		f()
		if took = processorTime() - start; took <= d {
			return
		}
	}
	t.Errorf("took %v of processor time, more than %v", took, d)
}
