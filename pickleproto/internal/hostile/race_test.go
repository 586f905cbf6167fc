//go:build race

package hostile_test

// raceDetector is set where all is several times slower.
const raceDetector = true
