//go:build race

package quick

// Race tells whether the race detector watches.
const Race = true

const raceFactor = 15
