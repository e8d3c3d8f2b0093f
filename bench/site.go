package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"

	"github.com/harpia-go/harpia/cache/pluginstore"
)

// site is where subjects are set up: a temporary directory, the programs in
// it, and what has to be ended afterwards.
type site struct {
	ctx    context.Context
	dir    string
	quick  bool
	built  bool
	ending []func() error
}

func newSite(ctx context.Context, o options) (*site, error) {
	dir, err := os.MkdirTemp(o.dir, "harpia-bench-")
	if err != nil {
		return nil, err
	}
	s := &site{ctx: ctx, dir: dir, quick: o.quick}
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

// The programs that are measured. What is not the bench's own is built in the
// project's module, with its dependencies.
const (
	memoryPlugin = "github.com/harpia-go/harpia/plugins/memory"
	filePlugin   = "github.com/harpia-go/harpia/plugins/file"
	redisPlugin  = "github.com/harpia-go/harpia/plugins/redis"
	bareHost     = "github.com/hashicorp/go-plugin/examples/grpc"
	barePlugin   = "github.com/hashicorp/go-plugin/examples/grpc/plugin-go-grpc"
	coldHost     = "github.com/harpia-go/harpia/bench/coldhost"
)

// program is the path of a package's program. The first call builds all, and
// pins the plugins: what runs is verified, as it is for users.
func (s *site) program(pkg string) (string, error) {
	bin := filepath.Join(s.dir, "bin")
	if !s.built {
		for module, pkgs := range map[string][]string{"..": {memoryPlugin, filePlugin, redisPlugin, bareHost, barePlugin}, ".": {coldHost}} {
			// A name that ends in a slash is a directory for all of them.
			args := append([]string{"build", "-C", module, "-trimpath", "-o", bin + "/"}, pkgs...)
			if out, err := exec.CommandContext(s.ctx, "go", args...).CombinedOutput(); err != nil {
				return "", fmt.Errorf("build the programs (run bench in its own directory): %w\n%s", err, out)
			}
		}
		for _, plugin := range []string{memoryPlugin, filePlugin, redisPlugin} {
			if err := s.trust(filepath.Join(bin, path.Base(plugin))); err != nil {
				return "", err
			}
		}
		s.built = true
	}
	return filepath.Join(bin, path.Base(pkg)), nil
}

func (s *site) lock() string { return filepath.Join(s.dir, "plugins.lock") }

func (s *site) trust(program string) error {
	_, err := pluginstore.Trust(s.ctx, program, &pluginstore.Options{Logger: slog.New(slog.DiscardHandler)}, s.lock())
	return err
}
