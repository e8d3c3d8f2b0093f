package main

import (
	"context"
	"log/slog"

	"github.com/harpia-go/harpia/cache/pluginstore"
)

// replacePlugin upgrades the plugin whenever it is asked to, until ctx ends.
func (a *app) replacePlugin(ctx context.Context, h *hangups, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.replace:
			a.replaceOnce(ctx, log)
			// A shell may tell of its terminal's end a moment before it.
			h.terminalGone()
		}
	}
}

func (a *app) replaceOnce(ctx context.Context, log *slog.Logger) {
	if a.store.Status().Generation == 0 {
		log.Info("there is nothing to replace: this host has started no plugin")
		return
	}
	err := a.store.Replace(ctx, "")
	s := a.store.Status()
	switch {
	case err == nil:
		log.Info("the plugin was replaced", "generation", s.Generation, "pid", s.PID, "version", a.store.Info().Version)
	case ctx.Err() != nil:
		// The server is ending.
	default:
		log.Error("the plugin was not replaced", "generation", s.Generation, "pid", s.PID, "error", message(err))
		if s.State == pluginstore.Failed {
			a.store.Reset() // the old program may do after all
		}
	}
}
