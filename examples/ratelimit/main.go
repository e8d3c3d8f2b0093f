// Ratelimit lets each client make so many requests in a window of time. The
// counts are in a store: programs that share it share the limit.
//
//	go run ./examples/ratelimit --store memory
//	go build -o bin ./examples/ratelimit && bin/ratelimit --store redis://127.0.0.1:6379
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

// limiter allows most requests in a window, which begins with a client's first.
type limiter struct {
	counts *cache.Cache[int64]
	most   int64
}

func newLimiter(store cache.Store, most int64, window time.Duration) (*limiter, error) {
	counts, err := cache.New[int64](cache.Options{Store: store, Prefix: "ratelimit:", TTL: window})
	return &limiter{counts, most}, err
}

// allow counts a request, and tells whether the client may make it and when its
// window ends.
//
// Increment is one step of the store. With a Get and a Set in its place, two
// requests at once would count as one. And it gives the counter its expiry when
// it makes it, never later: if every request gave it one, a client that keeps
// asking would stay locked out, and if a second call did, a program that died
// between the two would leave a counter that never ends.
func (l *limiter) allow(ctx context.Context, client string) (bool, time.Time, error) {
	n, ends, err := l.counts.Increment(ctx, client, 1)
	return err == nil && n <= l.most, ends, err
}

func main() {
	storeURL := flag.String("store", "memory", "store `URL`")
	flag.Parse()
	if err := run(context.Background(), *storeURL); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, storeURL string) error {
	store, err := pluginstore.Open(ctx, storeURL, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	limit, err := newLimiter(store, 10, time.Minute)
	if err != nil {
		return err
	}

	const requests = 50 // at once
	var allowed atomic.Int64
	var all errgroup.Group
	for range requests {
		all.Go(func() error {
			ok, _, err := limit.allow(ctx, "alice")
			if ok {
				allowed.Add(1)
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	_, ends, err := limit.allow(ctx, "alice")
	fmt.Printf("%d of %d requests were allowed; the next will be in %v\n", allowed.Load(), requests, time.Until(ends).Round(time.Second))
	return err
}
