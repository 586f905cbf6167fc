//go:build !race

package quick

const raceFactor = 1
