package hostile_test

import (
	"syscall"
	"time"
)

// threadTime is the processor time of this thread: other processes do not count.
func threadTime() time.Duration {
	const rusageThread = 1
	var usage syscall.Rusage
	if syscall.Getrusage(rusageThread, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
