package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) deleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "delete KEY...",
		Short: "Remove keys; those that hold nothing are no error",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			return c.DeleteMany(cmd.Context(), args)
		},
	}
}

func (a *app) clearCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clear [PREFIX] --yes",
		Short: "Remove all keys that begin with PREFIX, or all",
		Args:  cobra.MaximumNArgs(1),
	}
	yes := cmd.Flags().Bool("yes", false, "really do it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		prefix, what := "", "every key of the store"
		if len(args) == 1 {
			prefix, what = args[0], fmt.Sprintf("every key that begins with %q", args[0])
			if prefix == "" {
				return fmt.Errorf("%w: PREFIX is empty; leave it out to remove every key of the store", errUsage)
			}
		}
		if !*yes {
			return fmt.Errorf("%w: this removes %s; add --yes if that is what you want", errUsage, what)
		}
		c, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		return c.Clear(cmd.Context(), prefix)
	}
	return cmd
}
