package main

import (
	"errors"
	"strings"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/shared"
)

// What the program's exit code tells.
const (
	exitDone = iota
	exitNotFound
	exitUsage
	exitStore
)

var (
	// errUsage: the command line is wrong.
	errUsage = errors.New("wrong usage")
	// errNotFound: the key holds nothing.
	errNotFound = errors.New("not found")
)

// exits is the one table from errors to exit codes; what is not in it is a
// failure of the store.
var exits = [...]struct {
	err  error
	code int
}{
	{errNotFound, exitNotFound},
	{errUsage, exitUsage},
	{pluginstore.ErrURL, exitUsage},
	{shared.ErrSetting, exitUsage},
	{cache.ErrInvalidKey, exitUsage},
	{cache.ErrInvalidTTL, exitUsage},
	{cache.ErrTooLarge, exitUsage},
}

func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	for _, e := range exits {
		if errors.Is(err, e.err) {
			return e.code
		}
	}
	return exitStore
}

// message is what the user reads of an error: without the names of packages,
// which mean something to programmers only.
func message(err error) string {
	text := err.Error()
	for _, name := range []string{"cache: ", "pluginstore: ", "shared: "} {
		text = strings.ReplaceAll(text, name, "")
	}
	if errors.Is(err, errors.ErrUnsupported) {
		text += "; another store may do it: see host plugins describe"
	}
	return text
}
