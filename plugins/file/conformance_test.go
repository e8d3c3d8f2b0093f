package main

import (
	"testing"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/storetest"
)

func TestConformance(t *testing.T) {
	const want = cache.CanBatch | cache.CanAdd | cache.CanSwap | cache.CanCount |
		cache.CanTouch | cache.CanScan | cache.CanClear | cache.CanFlush
	for name, settings := range map[string][]string{
		"default": nil,
		"bounded": {"max_bytes", "1GiB", "sync", "never"},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.RunWant(t, want, func(t *testing.T) cache.Store {
				return open(t, t.TempDir(), settings...)
			})
		})
	}
}
