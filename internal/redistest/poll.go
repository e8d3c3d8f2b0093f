//go:build unix

package redistest

import (
	"testing"
	"time"
)

// patience is how long anything that a server does may take.
const patience = 20 * time.Second

// Until waits until done returns nil, and ends the test if that takes too long.
func Until(t testing.TB, what string, done func() error) {
	t.Helper()
	if err := poll(done); err != nil {
		t.Fatalf("redistest: waited %v until %s: %v", patience, what, err)
	}
}

// final is an error that waiting longer would not mend.
type final struct{ error }

func poll(done func() error) error {
	const step = 5 * time.Millisecond
	for end := time.Now().Add(patience); ; time.Sleep(step) {
		err := done()
		if _, ok := err.(final); ok || err == nil || time.Now().After(end) {
			return err
		}
	}
}
