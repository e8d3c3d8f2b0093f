// Broken is the memory plugin with one method broken on purpose: Delete only
// says that it did. The conformance suite must see it.
package main

import (
	"context"

	"github.com/harpia-go/harpia/internal/memstore"
	"github.com/harpia-go/harpia/shared"
)

type store struct{ memstore.Store }

func (*store) Delete(context.Context, string) error { return nil }

func main() { shared.Serve(&store{}) }
