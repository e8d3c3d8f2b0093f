package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// site is where subjects are set up: a temporary directory, the programs built
// into it, and what has to be ended afterwards.
type site struct {
	ctx    context.Context
	dir    string
	quick  bool
	built  map[string]string // package to program
	ending []func() error
}

func newSite(ctx context.Context, o options) (*site, error) {
	dir, err := os.MkdirTemp(o.dir, "harpia-bench-")
	if err != nil {
		return nil, err
	}
	s := &site{ctx: ctx, dir: dir, quick: o.quick, built: map[string]string{}}
	s.atEnd(func() error { return os.RemoveAll(dir) })
	return s, nil
}

// atEnd has end called when what is being measured is done, the last first.
func (s *site) atEnd(end func() error) { s.ending = append(s.ending, end) }

func (s *site) close() error { return s.closeTo(0) }

// closeTo ends what was begun since ending had n elements.
func (s *site) closeTo(n int) error {
	var errs []error
	for _, end := range slices.Backward(s.ending[n:]) {
		errs = append(errs, end())
	}
	s.ending = s.ending[:n]
	return errors.Join(errs...)
}

// newDir makes a directory that lives as long as the group.
func (s *site) newDir(name string) (string, error) {
	dir, err := os.MkdirTemp(s.dir, name+"-")
	if err == nil {
		s.atEnd(func() error { return os.RemoveAll(dir) })
	}
	return dir, err
}

// program builds a package, once, and returns the program's path. What is not
// the bench's own is built in the project's module, with its dependencies.
func (s *site) program(pkg string) (string, error) {
	if path, ok := s.built[pkg]; ok {
		return path, nil
	}
	path := filepath.Join(s.dir, "bin", filepath.Base(pkg))
	module := ".."
	if strings.HasPrefix(pkg, ".") {
		module = "."
	}
	cmd := exec.CommandContext(s.ctx, "go", "build", "-C", module, "-trimpath", "-o", path, pkg)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s (run bench in its own directory): %w\n%s", pkg, err, out)
	}
	s.built[pkg] = path
	return path, nil
}
