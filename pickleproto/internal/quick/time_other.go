//go:build !unix

package quick

import "time"

var begin = time.Now()

// processorTime is wall time where the system does not say better.
func processorTime() time.Duration { return time.Since(begin) }
