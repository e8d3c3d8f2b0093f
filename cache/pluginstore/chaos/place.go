//go:build linux

package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/harpia-go/harpia/shared"
)

// root is where everything of one run lies.
type root struct {
	dir     string
	plugins string
	log     *slog.Logger
}

// place is where one store lies.
type place struct {
	number  int
	plugins string // directory of the programs
	data    string
	socket  string // at which the plugin takes orders
	log     *slog.Logger
}

// newRoot makes the directory of the plugins: this program under other names,
// and the file plugin.
func newRoot(c config) (*root, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	file, err := filepath.Abs(filepath.Join(c.plugins, shared.BinaryPrefix+"file"))
	if err != nil {
		return nil, err
	}
	needed := c.measure > 0 || slices.ContainsFunc(selectScenarios(c.store), func(s scenario) bool { return s.store == "file" })
	if _, err := os.Stat(file); err != nil && needed {
		return nil, fmt.Errorf("%w; build it with make build, or name another directory with -plugins", err)
	}
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		return nil, err
	}
	r := &root{dir: dir, plugins: filepath.Join(dir, "plugins"), log: slog.New(slog.DiscardHandler)}
	if c.talk {
		r.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	if err := os.Mkdir(r.plugins, 0o700); err != nil {
		return nil, err
	}
	programs := map[string]string{shared.BinaryPrefix + "file": file}
	for name := range pluginPrograms() {
		programs[name] = self
	}
	for name, target := range programs {
		if err := os.Symlink(target, filepath.Join(r.plugins, name)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *root) place(number int) (*place, error) {
	p := &place{number: number, plugins: r.plugins, data: filepath.Join(r.dir, fmt.Sprint(number)), log: r.log}
	p.socket = filepath.Join(p.data, "orders")
	return p, os.Mkdir(p.data, 0o700)
}
