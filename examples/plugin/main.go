// Plugin is a store plugin with the three methods that every store has, and
// nothing else. Its entries are in a map and go with the process.
//
//	go build -o my-store ./examples/plugin
//	bin/host plugins test --insecure-plugin ./my-store
package main

import (
	"context"
	"sync"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

type store struct{ entries sync.Map }

func (s *store) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	v, ok := s.entries.Load(key)
	if !ok || v.(cache.Entry).Expired(time.Now()) {
		return cache.Entry{}, false, ctx.Err()
	}
	return v.(cache.Entry), true, ctx.Err()
}
func (s *store) Set(ctx context.Context, key string, e cache.Entry) error {
	s.entries.Store(key, e)
	return ctx.Err()
}
func (s *store) Delete(ctx context.Context, key string) error {
	s.entries.Delete(key)
	return ctx.Err()
}
func main() { shared.Serve(&store{}) }
