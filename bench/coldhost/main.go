// Coldhost is a host that opens a store, gets one key, says so and ends.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/harpia-go/harpia/cache/pluginstore"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "coldhost:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 2 {
		return fmt.Errorf("give a lock file and a store URL, not %q", args)
	}
	store, err := pluginstore.Open(ctx, args[1], &pluginstore.Options{Locks: args[:1], Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer store.Close()
	_, ok, err := store.Get(ctx, "k")
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, "found:", ok)
	return nil
}
