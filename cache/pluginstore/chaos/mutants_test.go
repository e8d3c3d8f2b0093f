//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	gobuild "go/build"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// workload is what a driver is told to do: cycles enough to find a mutant, and
// few enough for the true driver to do them all.
type workload struct {
	store, fault string
	cycles       int
}

var (
	everything = workload{everyStore, "", 20}
	killFile   = workload{"file", "^kill", 24}
	forkChild  = workload{"chaos", "^fork", 8}
	sever      = workload{"chaos", "^sever", 16}
	muteKill   = workload{"chaos", "^mute", 48}
)

// change is a replacement of text that pluginstore has exactly once.
type change struct{ old, new string }

// mutants are supervisors with one obligation left out, and which of the counts
// has to show it.
var mutants = []struct {
	name     string
	count    string
	workload workload
	changes  []change
}{
	{
		name: "the replay skips deletes", count: "stale", workload: killFile,
		changes: []change{{"return cache.DeleteMany(ctx, store, deletes)", "return nil"}},
	},
	{
		name: "the replay ends before writes go to the plugin", count: "stale|lost", workload: killFile,
		changes: []change{
			{"if gate == nil && !ended && !sealed {", "if !ended && !sealed {"},
			{"if b.gate == nil || b.journal.clear || len(b.journal.writes) > 0 && (patient || !b.isAllAside()) {", "if b.gate == nil || b.journal.clear {"},
			{"b.quarantine.setAside(key, w, b.aside[key])", "_, _ = key, w"},
		},
	},
	{
		name: "the plugin serves before the replay", count: "stale|lost", workload: killFile,
		changes: []change{{"if err := old.bridge.replay(", "switchTo()\n\tswitchTo = func() {}\n\tif err := old.bridge.replay("}},
	},
	{
		name: "a write in flight at the crash is forgotten", count: "stale|lost", workload: killFile,
		changes: []change{{"err = now.bridge.unknown(key, e, r.inFlight.overlapped(key))", "err = nil"}},
	},
	{
		name: "of writes in flight together the last to fail is told", count: "stale", workload: muteKill,
		changes: []change{{"if overlapped || b.journal.clear {", "if b.journal.clear {"}},
	},
	{
		name: "what expired in the journal is forgotten", count: "stale", workload: killFile,
		changes: []change{{"w = write{version: w.version}", "j.remove(key, w)\n\t\t\tcontinue"}},
	},
	{
		name: "the replay empties all keys", count: "lost", workload: killFile,
		changes: []change{{"if w.set && exclusive {", "if w.set && !exclusive {"}},
	},
	{
		name: "the children of a plugin stay", count: "orphans", workload: forkChild,
		changes: []change{{"unix.Kill(-pid, unix.SIGKILL)", "unix.Kill(pid, unix.SIGKILL)"}},
	},
	{
		name: "a process whose connection broke is well if it says so", count: "failed calls", workload: sever,
		changes: []change{{"case errors.Is(err, shared.ErrBroken):", "case false:"}},
	},
	{
		name: "only the first call that fails goes to memory", count: "failed calls", workload: killFile,
		changes: []change{{"case s.route.Load() != r:\n\t\treturn true", "case s.route.Load() != r:\n\t\treturn false"}},
	},
}

// The harness finds a supervisor that breaks a promise, and with the same
// workloads nothing wrong with the true one; nor does a short run of everything.
func TestMutantsAreFoundAndNothingElse(t *testing.T) {
	plugins := t.TempDir()
	goBuild(t, filepath.Join(plugins, "harpia-store-file"), "../../../plugins/file")
	driver := build(t, ".")
	for _, w := range []workload{everything, killFile, forkChild, sever, muteKill} {
		t.Run("none in "+w.store+" "+w.fault, func(t *testing.T) {
			t.Parallel()
			out, err := drive(t, driver, plugins, w)
			want := regexp.MustCompile(fmt.Sprintf(`\n%d cycles, \d+ operations, 0 stale, 0 lost, 0 orphans, 0 failed calls\n$`, w.cycles))
			if err != nil || !want.MatchString(out) {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			driver := build(t, "-overlay", mutate(t, m.changes), ".")
			out, err := drive(t, driver, plugins, m.workload, "-first")
			if n := countOf(t, out, m.count); err == nil || n == 0 {
				t.Errorf("not found, %v:\n%s", err, out)
			}
		})
	}
}

// mutate returns an overlay in which pluginstore has the changes.
func mutate(t *testing.T, changes []change) string {
	t.Helper()
	sources := sourcesOf(t, "..")
	dir := t.TempDir()
	replace := make(map[string]string)
	for i, c := range changes {
		var in []string
		for path, text := range sources {
			if n := strings.Count(text, c.old); n > 0 {
				in = append(in, slices.Repeat([]string{path}, n)...)
			}
		}
		if len(in) != 1 {
			t.Fatalf("pluginstore has this not once, but in %q: %s", in, c.old)
		}
		sources[in[0]] = strings.Replace(sources[in[0]], c.old, c.new, 1)
		replace[in[0]] = filepath.Join(dir, fmt.Sprintf("%d.go", i))
	}
	for path, mutant := range replace {
		if err := os.WriteFile(mutant, []byte(sources[path]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sourcesOf returns the text of each file that is compiled of the package in
// dir, by its absolute path.
func sourcesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	pkg, err := gobuild.ImportDir(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	sources := make(map[string]string)
	for _, name := range pkg.GoFiles {
		path, err := filepath.Abs(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sources[path] = string(text)
	}
	return sources
}

// build returns a driver that was just built.
func build(t *testing.T, args ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "driver")
	goBuild(t, program, args...)
	return program
}

// goBuild leaves out what only a debugger needs, which saves a second.
func goBuild(t *testing.T, program string, args ...string) {
	t.Helper()
	build := exec.Command("go", append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", program}, args...)...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

// drive runs a driver and returns what it printed.
func drive(t *testing.T, driver, plugins string, w workload, more ...string) (string, error) {
	t.Helper()
	args := append([]string{"-plugins", plugins, "-store", w.store, "-fault", w.fault, "-cycles", strconv.Itoa(w.cycles)}, more...)
	out, err := exec.CommandContext(t.Context(), driver, args...).CombinedOutput()
	return string(out), err
}

// countOf adds up those of the counts in the last line whose names match.
func countOf(t *testing.T, out, names string) int {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	counts := regexp.MustCompile(`(\d+) (`+names+`)(,|$)`).FindAllStringSubmatch(lines[len(lines)-1], -1)
	if counts == nil {
		t.Fatalf("no counts:\n%s", out)
	}
	sum := 0
	for _, c := range counts {
		n, err := strconv.Atoi(c[1])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
