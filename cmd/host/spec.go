package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/shared"
)

// envStore is the variable that chooses the store where --store does not.
const envStore = "HARPIA_STORE"

// spec is the store URL in force.
func (a *app) spec() string {
	if a.storeURL != "" {
		return a.storeURL
	}
	if env := os.Getenv(envStore); env != "" {
		return env
	}
	if a.attachTo() != "" {
		return "" // the plugin says what it is
	}
	if len(a.insecure) == 1 {
		// With a slash it is a path, whatever it is called.
		if path, err := filepath.Abs(a.insecure[0]); err == nil {
			return path
		}
	}
	return "memory"
}

// insecureIsMeant refuses --insecure-plugin beside a variable that chooses
// another store: whoever tries a program must not be told of that store's merits.
func (a *app) insecureIsMeant(o *pluginstore.Options) error {
	env := os.Getenv(envStore)
	if a.storeURL != "" || env == "" || len(a.insecure) == 0 || a.attachTo() != "" {
		return nil
	}
	u, err := pluginstore.ParseURL(env)
	if err != nil {
		return err
	}
	pin, err := pluginstore.Check(env, o)
	if !u.InProcess && (err != nil || pin == (pluginstore.Pin{})) {
		return nil // Open says what is wrong
	}
	return fmt.Errorf("%w: %s chooses the store %s, which is not what --insecure-plugin names; choose one with --store", errUsage, envStore, u)
}

// attachTo is the socket of a plugin that a person runs.
func (a *app) attachTo() string {
	return cmp.Or(a.reattach, os.Getenv(shared.EnvReattach))
}
