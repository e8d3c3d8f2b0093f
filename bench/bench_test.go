package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test's program be raw's other process.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == rawServerRole {
		if err := serveRaw(os.Args[2], os.Stdin); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A run prints one JSON array, with a row for each subject and number of
// callers, in which something was measured, and leaves nothing behind.
func TestRun(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("HARPIA_REQUIRE_ALL") == "1" {
			t.Fatal(err)
		}
		t.Skip("there is no redis-server")
	}
	dir := t.TempDir()
	var stdout, stderr strings.Builder
	err := run(t.Context(), []string{"-json", "-dir", dir, "-group", "^plugin-|^near", "-rounds", "1", "-time", "5ms"}, &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var rows []row
	if err := json.Unmarshal([]byte(stdout.String()), &rows); err != nil {
		t.Fatalf("%v\n%s", err, &stdout)
	}
	const mixed, large, redis, near = 4 * 5, 2 * 2 * 5, 3*2 + 2, 3
	if want := mixed + large + redis + near; len(rows) != want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	seen := map[row]bool{}
	for _, r := range rows {
		key := row{Group: r.Group, Variant: r.Variant, Subject: r.Subject, Callers: r.Callers}
		if seen[key] {
			t.Errorf("%+v is there twice", key)
		}
		seen[key] = true
		if r.OpsPerS <= 0 || r.P50 <= 0 || r.P99 < r.P50 {
			t.Errorf("%+v", r)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}
