package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/harpia-go/harpia/cache"
)

// ttlFlag adds --ttl; what it returns is the option to set with, if any.
func ttlFlag(cmd *cobra.Command, help string) func() []cache.SetOption {
	ttl := cmd.Flags().Duration("ttl", 0, help)
	return func() []cache.SetOption {
		if !cmd.Flags().Changed("ttl") {
			return nil
		}
		return []cache.SetOption{cache.TTL(*ttl)}
	}
}

func (a *app) setCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set KEY VALUE|-",
		Short: "Store a value; - reads it from standard input",
		Args:  cobra.ExactArgs(2),
	}
	ttl := ttlFlag(cmd, "time to live, such as 90s or 24h (default: for ever)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		value := []byte(args[1])
		if args[1] == "-" {
			if value, err = a.readValue(cmd.Context()); err != nil {
				return err
			}
		}
		if err := c.Set(cmd.Context(), args[0], value, ttl()...); err != nil {
			return err
		}
		if a.store.Status().Generation == 0 && a.attachTo() == "" && !a.inShell {
			fmt.Fprintln(a.stderr, "host: warning: the memory store lives only as long as this command; --store file:DIR keeps the value")
		}
		return a.print("", newEntry(args[0], time.Time{}))
	}
	return cmd
}

// readValue reads standard input up to what the store takes.
func (a *app) readValue(ctx context.Context) ([]byte, error) {
	if a.inShell {
		return nil, fmt.Errorf("%w: in the shell, standard input is the commands; give the value itself", errUsage)
	}
	most := a.store.Limits().MaxValue
	value, err := io.ReadAll(io.LimitReader(input{ctx, a.stdin}, int64(most)+1))
	if err != nil {
		return nil, fmt.Errorf("%w: read standard input: %w", errUsage, err)
	}
	if len(value) > most {
		return nil, fmt.Errorf("%w: standard input has more than %d bytes", cache.ErrTooLarge, most)
	}
	return value, nil
}
