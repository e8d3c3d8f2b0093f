//go:build race

package shared

// largestTested is shorter under the race detector, which makes copying slow
// enough to pass a call's deadline.
const largestTested = 16 << 20
