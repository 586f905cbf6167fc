//go:build !race

package quick

// Race tells whether the race detector watches.
const Race = false

const raceFactor = 1
