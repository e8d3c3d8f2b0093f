//go:build unix

package redistest

import (
	"os"
	"os/exec"
	"testing"
)

// program returns the path of the server, or ends the test.
func program(t testing.TB) string {
	t.Helper()
	name := os.Getenv("HARPIA_REDIS_SERVER")
	if name == "" {
		name = "redis-server"
	}
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("HARPIA_REQUIRE_ALL") == "1" {
		t.Fatal(err)
	}
	t.Skipf("there is no %s, and this test needs one; install it with: apt-get install -y redis-server (or: brew install redis)", name)
	return ""
}
