package cache_test

import (
	"context"
	"fmt"
	"time"

	"github.com/harpia-go/harpia/cache"
)

type User struct{ Name string }

func Example() {
	ctx := context.Background()
	users, err := cache.New[User](cache.Options{})
	if err != nil {
		panic(err)
	}
	defer users.Close()

	_ = users.Set(ctx, "1", User{Name: "Alice"}, cache.TTL(time.Hour))
	user, found, err := users.Get(ctx, "1")
	fmt.Println(user.Name, found, err)

	_ = users.Delete(ctx, "1")
	_, found, err = users.Get(ctx, "1")
	fmt.Println(found, err)
	// Output:
	// Alice true <nil>
	// false <nil>
}

// Several caches share a store when each has a prefix of its own.
func ExampleOptions() {
	ctx := context.Background()
	store, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: 1 << 20})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	users, _ := cache.New[User](cache.Options{Store: store, Prefix: "user:"})
	pages, _ := cache.New[string](cache.Options{Store: store, Prefix: "page:", TTL: time.Minute})

	_ = users.Set(ctx, "1", User{Name: "Alice"})
	_ = pages.Set(ctx, "1", "<html>")
	_ = pages.Clear(ctx, "")
	for key := range users.Keys(ctx, "") {
		fmt.Println(key)
	}
	// Output: 1
}

func ExampleCache_GetOrLoad() {
	ctx := context.Background()
	users, _ := cache.New[User](cache.Options{TTL: time.Hour})
	defer users.Close()
	for range 2 {
		user, err := users.GetOrLoad(ctx, "1", func(context.Context) (User, error) {
			fmt.Println("loading")
			return User{Name: "Alice"}, nil
		})
		fmt.Println(user.Name, err)
	}
	// Output:
	// loading
	// Alice <nil>
	// Alice <nil>
}

// A rate limit of two in a minute. The window's end does not move.
func ExampleCache_Increment() {
	ctx := context.Background()
	requests, _ := cache.New[int64](cache.Options{})
	defer requests.Close()
	for range 3 {
		n, reset, err := requests.Increment(ctx, "203.0.113.7", 1, cache.TTL(time.Minute))
		fmt.Println(n <= 2, time.Until(reset) <= time.Minute, err)
	}
	// Output:
	// true true <nil>
	// true true <nil>
	// false true <nil>
}

// Nobody's change is lost, however many update at once.
func ExampleCache_Update() {
	ctx := context.Background()
	carts, _ := cache.New[[]string](cache.Options{})
	defer carts.Close()
	for _, item := range []string{"apple", "pear"} {
		_ = carts.Update(ctx, "alice", func(cart []string, found bool) ([]string, error) {
			return append(cart, item), nil
		})
	}
	cart, _, _ := carts.Get(ctx, "alice")
	fmt.Println(cart)
	// Output: [apple pear]
}

func ExampleCache_SetIfAbsent() {
	ctx := context.Background()
	locks, _ := cache.New[string](cache.Options{TTL: time.Minute})
	defer locks.Close()
	for _, owner := range []string{"first", "second"} {
		got, err := locks.SetIfAbsent(ctx, "job", owner)
		fmt.Println(owner, got, err)
	}
	// Output:
	// first true <nil>
	// second false <nil>
}
