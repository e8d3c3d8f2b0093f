//go:build !race

package pluginstore_test

const raceDetector = false
