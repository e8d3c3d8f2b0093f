// Library keeps values of a Go type in the store that an URL names: "memory",
// or any plugin.
//
//	go run ./examples/library
//	go run ./examples/library 'file:./data'
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

type user struct{ Name string }

func main() {
	storeURL := "memory"
	if len(os.Args) > 1 {
		storeURL = os.Args[1]
	}
	if err := run(context.Background(), storeURL); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, storeURL string) error {
	store, err := pluginstore.Open(ctx, storeURL, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	users, err := cache.New[user](cache.Options{Store: store, Prefix: "user:", TTL: time.Hour})
	if err != nil {
		return err
	}
	defer users.Close()

	// One load, however many ask at once.
	alice, err := users.GetOrLoad(ctx, "1", func(context.Context) (user, error) {
		return user{Name: "Alice"}, nil
	})
	if err != nil {
		return err
	}
	fmt.Println("loaded", alice.Name)

	// Three requests a minute.
	for range 4 {
		n, reset, err := users.Increment(ctx, "1:requests", 1, cache.TTL(time.Minute))
		if err != nil {
			return err
		}
		fmt.Println("request", n, "allowed:", n <= 3, "window ends:", !reset.IsZero())
	}
	return users.Clear(ctx, "")
}
