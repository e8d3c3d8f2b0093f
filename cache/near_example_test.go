package cache_test

import (
	"context"
	"fmt"

	"github.com/harpia-go/harpia/cache"
)

// A cache that reads from memory what it has read before from its store.
func ExampleNewNear() {
	ctx := context.Background()
	store, err := cache.NewMemory(cache.MemoryOptions{}) // or a plugin's: pluginstore.Open
	if err != nil {
		panic(err)
	}
	defer store.Close()
	near, err := cache.NewNear(store, cache.NearOptions{MaxEntries: 10_000})
	if err != nil {
		panic(err)
	}
	defer near.Close()
	users, _ := cache.New[User](cache.Options{Store: near, Prefix: "user:"})

	_ = users.Set(ctx, "1", User{Name: "Alice"})
	user, found, err := users.Get(ctx, "1")
	fmt.Println(user.Name, found, err)
	// Output: Alice true <nil>
}
