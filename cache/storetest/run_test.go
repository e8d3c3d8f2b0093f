package storetest

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/cache"
)

const everything = cache.CanBatch | cache.CanAdd | cache.CanSwap | cache.CanCount | cache.CanTouch |
	cache.CanScan | cache.CanClear | cache.CanWatch | cache.CanFlush

func TestReference(t *testing.T) {
	RunWant(t, everything, func(*testing.T) cache.Store { return newReference() })
}

func TestSmallest(t *testing.T) {
	RunWant(t, 0, func(*testing.T) cache.Store { return newSmallest() })
}

func TestMemory(t *testing.T) {
	RunWant(t, everything&^cache.CanWatch&^cache.CanFlush, func(t *testing.T) cache.Store {
		m, err := cache.NewMemory(cache.MemoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	})
}

// That Run fails a test can only be seen from outside of it: the test binary
// runs itself with this variable set.
const failing = "STORETEST_FAILING"

func TestRunFails(t *testing.T) {
	if os.Getenv(failing) != "" {
		RunWant(t, everything&^cache.CanTouch, func(*testing.T) cache.Store {
			b := newBroken()
			b.del = func(context.Context, string) error { return nil }
			b.declare = func() cache.Capability { return everything &^ cache.CanBatch }
			unsupporting(b, cache.CanBatch, os.ErrInvalid)
			return b
		})
		return
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRunFails$/^(capabilities|delete|get)$", "-test.v")
	cmd.Env = append(os.Environ(), failing+"=yes")
	output, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("a test of a broken store passes")
	}
	for _, want := range []string{
		"--- PASS: TestRunFails/get/round-trip",
		"--- FAIL: TestRunFails/delete/removes",
		"The contract: Delete removes key.",
		"--- FAIL: TestRunFails/capabilities/no-batch",
		"--- FAIL: TestRunFails/capabilities/wanted",
		"the store does not have: batch",
		"the store has what is not wanted of it: touch",
	} {
		if !strings.Contains(string(output), want) {
			t.Errorf("the output does not have %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", output)
	}
}
