package main

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/redis/rueidis"

	"github.com/harpia-go/harpia/cache"
)

// Scan implements cache.Scanner. It lists the keys that hold strings: those of
// other types are not this store's.
func (s *Store) Scan(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		known := newSeen()
		for keys, err := range s.pages(ctx, prefix) {
			if err != nil {
				yield("", err)
				return
			}
			for _, key := range keys {
				if known.first(key) && !yield(key, nil) {
					return
				}
			}
		}
	}
}

// Clear implements cache.Clearer.
func (s *Store) Clear(ctx context.Context, prefix string) error {
	for keys, err := range s.pages(ctx, prefix) {
		if err == nil {
			err = s.DeleteMany(ctx, keys)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pages yields the keys that begin with prefix, some at a time, and some more
// than once. An error is the last.
func (s *Store) pages(ctx context.Context, prefix string) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		w := &walk{store: s, prefix: s.prefix + prefix}
		w.yield = func(full []string) bool {
			keys := make([]string, 0, len(full))
			for _, key := range full {
				if strings.HasPrefix(key, w.prefix) && len(key) > len(s.prefix) {
					keys = append(keys, key[len(s.prefix):])
				}
			}
			return len(keys) == 0 || yield(keys, nil)
		}
		if err := w.run(ctx); err != nil {
			yield(nil, err)
		}
	}
}

// walk passes over the keys of all servers. The positions that SCAN answers
// mean something to one process of one server only, so a walk keeps to the
// connections that it began with, and ends when one of them breaks.
type walk struct {
	store  *Store
	prefix string // with the store's
	yield  func([]string) bool

	session *session
	losses  int64 // of connections, at the beginning
}

func (w *walk) run(ctx context.Context) error {
	err := w.store.do(ctx, "", 0, func(_ context.Context, to *session) error {
		w.session, w.losses = to, to.losses.Load()
		return nil
	})
	if err != nil {
		return err
	}
	if w.session.mode == cluster {
		return w.cluster(ctx)
	}
	for _, server := range w.session.client.Nodes() {
		if more, err := w.server(ctx, server); err != nil || !more {
			return err
		}
	}
	return nil
}

// step makes one call within the walk.
func (w *walk) step(ctx context.Context, call func(ctx context.Context) error) error {
	return w.store.do(ctx, "", 0, func(ctx context.Context, now *session) error {
		err := call(ctx)
		if now != w.session || w.session.losses.Load() != w.losses {
			return fmt.Errorf("%w: redis: the connection was lost while keys were listed: begin again", cache.ErrUnavailable)
		}
		return err
	})
}

// server passes over the keys of one server. It reports whether the consumer
// wants more.
func (w *walk) server(ctx context.Context, server rueidis.Client) (more bool, err error) {
	pattern := escape(w.prefix) + "*"
	for cursor := uint64(0); ; {
		var page rueidis.ScanEntry
		err := w.step(ctx, func(ctx context.Context) (err error) {
			command := server.B().Scan().Cursor(cursor).Match(pattern).Count(mostKeys).Type("string").Build()
			page, err = server.Do(ctx, command).AsScanEntry()
			return err
		})
		if err != nil {
			return false, err
		}
		if !w.yield(page.Elements) {
			return false, nil
		}
		if cursor = page.Cursor; cursor == 0 {
			return true, nil
		}
	}
}
