//go:build !linux

package hostile_test

import "time"

// threadTime is 0: the processor time of a thread is not known here.
func threadTime() time.Duration { return 0 }
