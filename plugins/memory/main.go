// Harpia-store-memory keeps a cache in the memory of a process of its own: it
// outlives nothing, but what it costs and how it crashes is not the host's.
package main

import (
	"github.com/harpia-go/harpia/internal/memstore"
	"github.com/harpia-go/harpia/shared"
)

func main() { shared.Serve(&memstore.Store{}) }
