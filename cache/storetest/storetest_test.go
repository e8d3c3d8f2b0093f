package storetest

import (
	"testing"

	"github.com/harpia-go/harpia/cache"
)

const everything = cache.CanBatch | cache.CanAdd | cache.CanSwap | cache.CanCount | cache.CanTouch |
	cache.CanScan | cache.CanClear | cache.CanWatch | cache.CanFlush

func TestReference(t *testing.T) {
	RunWant(t, everything, func(*testing.T) cache.Store { return newReference() })
}

func TestSmallest(t *testing.T) {
	RunWant(t, 0, func(*testing.T) cache.Store { return newSmallest() })
}
