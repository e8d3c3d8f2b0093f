package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/harpia-go/harpia/cache/pluginstore"
)

func (a *app) pluginsTrustCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust NAME|PATH...",
		Short: "Pin plugins by their digest, so that they may run",
		Long: `Pin plugins by the SHA-256 of their program in a lock file, so that they may
run. Each is started once to ask for its version: trust only what you would run.
The pin holds for this name and platform, and for these very bytes; after an
upgrade, trust it again. While a plugin is being written, --insecure-plugin PATH
runs it without a pin.`,
		Args: cobra.MinimumNArgs(1),
	}
	lock := cmd.Flags().String("lock", "", "lock `FILE` to write (default: yours, in your configuration directory)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o, err := a.options(slog.LevelWarn)
		if err != nil {
			return err
		}
		for _, plugin := range args {
			pin, err := pluginstore.Trust(cmd.Context(), plugin, o, *lock)
			if err != nil {
				return err
			}
			text := fmt.Sprintf("%s %s %s sha256:%s", pin.Name, pin.Version, pin.Platform, pin.SHA256)
			if err := a.print(text, pin); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// trust is what plugins list says of a plugin, and why it would not run.
func trust(f pluginstore.Found, o *pluginstore.Options) (string, error) {
	pin, err := pluginstore.Check("plugin:"+f.Name, o)
	switch {
	case errors.Is(err, pluginstore.ErrChanged):
		return "changed", err
	case err != nil:
		return "not trusted", err
	case pin == (pluginstore.Pin{}):
		return "insecure", nil
	}
	return "trusted", nil
}
