package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
)

func (a *app) incrCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "incr KEY [DELTA]",
		Short: "Add to a counter and print the sum",
		Long: `Add DELTA, or 1, to the counter under KEY and print the sum. The counter
starts at 0; --ttl gives one that starts its expiry, one that exists keeps its own.`,
		Args: cobra.RangeArgs(1, 2),
	}
	ttl := ttlFlag(cmd, "time to live of a counter that starts")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		delta := int64(1)
		if len(args) == 2 {
			var err error
			if delta, err = strconv.ParseInt(args[1], 10, 64); err != nil {
				return usage(cmd, fmt.Errorf("DELTA must be a whole number of 64 bits, not %q", args[1]))
			}
		}
		c, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		n, expires, err := c.Increment(cmd.Context(), args[0], delta, ttl()...)
		if err != nil {
			return err
		}
		return a.print(fmt.Sprint(n), struct {
			entry
			Value int64 `json:"value"`
		}{newEntry(args[0], expires), n})
	}
	return cmd
}
