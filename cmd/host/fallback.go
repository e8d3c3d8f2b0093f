package main

import (
	"fmt"

	"github.com/harpia-go/harpia/cache/pluginstore"
)

// fallback is the flag --fallback.
type fallback struct {
	value pluginstore.Fallback
	given bool
}

var fallbacks = [...]string{
	pluginstore.FallbackAuto:   "auto",
	pluginstore.FallbackNone:   "none",
	pluginstore.FallbackMemory: "memory",
}

// Set implements pflag.Value.
func (f *fallback) Set(word string) error {
	for value, name := range fallbacks {
		if word == name {
			f.value, f.given = pluginstore.Fallback(value), true
			return nil
		}
	}
	return fmt.Errorf("it is auto, none or memory")
}

// String implements pflag.Value.
func (f *fallback) String() string {
	if !f.given {
		return "" // it depends on the command
	}
	return fallbacks[f.value]
}

// Type implements pflag.Value.
func (*fallback) Type() string { return "auto|none|memory" }

// orElse sets what holds where the flag is not given.
func (f *fallback) orElse(value pluginstore.Fallback) {
	if !f.given {
		f.value = value
	}
}
