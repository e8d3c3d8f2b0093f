package pluginstore_test

import (
	"context"
	"fmt"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

// The URL may come from a setting of the program: "memory" needs no plugin,
// "file:./data" would keep the values on disk.
func ExampleOpen() {
	ctx := context.Background()
	store, err := pluginstore.Open(ctx, "memory?max_bytes=1MiB", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	greetings, err := cache.New[string](cache.Options{Store: store})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = greetings.Set(ctx, "en", "hello")
	fmt.Println(greetings.Get(ctx, "en"))
	// Output: hello true <nil>
}
