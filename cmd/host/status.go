package main

import (
	"context"
	"time"

	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/server"
	"github.com/harpia-go/harpia/internal/version"
)

// status is what /readyz shows.
func (a *app) status(ctx context.Context) server.Status {
	err := a.store.Ready(ctx)
	now := a.store.Status()
	s := server.Status{
		Ready: err == nil, Store: a.store.URL(), State: now.State.String(), Since: now.Since.UTC().Truncate(time.Millisecond), Version: version.Number,
		Generation: now.Generation, Restarts: now.Restarts, Fallback: now.Fallback, Quarantine: now.Quarantine,
	}
	switch {
	case now.Fallback:
		s.Journal = &server.Journal{Entries: now.Journal.Entries, Bytes: now.Journal.Bytes, Dropped: now.Journal.Dropped, Clear: now.Journal.Clear}
	case now.PID != 0:
		info := a.store.Info()
		s.Plugin = &server.Plugin{Name: info.Name, Version: info.Version, PID: now.PID}
	}
	switch {
	case err != nil:
		s.Error = message(err)
		if now.State == pluginstore.Ready {
			// Which the supervisor is about to find.
			s.State, s.Since = pluginstore.Degraded.String(), time.Now().UTC().Truncate(time.Millisecond)
		}
	case now.Err != nil:
		s.Error = message(now.Err)
	}
	if now.State == pluginstore.Failed {
		s.Error += "; it failed too often to be started again by itself: " + revival()
	}
	return s
}
