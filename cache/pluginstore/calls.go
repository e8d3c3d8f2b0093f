package pluginstore

import (
	"context"
	"errors"
	"slices"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// Get implements cache.Store.
func (s *Store) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	for sent := 0; ; {
		r, err := s.current(ctx, true)
		if err != nil {
			return cache.Entry{}, false, err
		}
		if r.bridge != nil {
			return r.bridge.get(ctx, key)
		}
		if ok, err := r.pass(ctx, key); s.isStuck(ctx, r, err) {
			continue
		} else if err != nil {
			return cache.Entry{}, false, err
		} else if !ok {
			continue
		}
		turn, ok, err := s.quarantine.enter(ctx, r, key)
		switch {
		case isQuarantined(err) && s.mayForget():
			return cache.Entry{}, false, nil
		case err != nil:
			return cache.Entry{}, false, err
		case !ok:
			continue
		}
		sent++
		e, ok, err := r.plug.store().Get(ctx, key)
		turn.end(err)
		if err == nil {
			return e, ok, nil
		}
		r.fence(err, key)
		if s.lost(ctx, r, err, key) && s.again(sent) {
			continue
		}
		return cache.Entry{}, false, s.failed(err)
	}
}

// GetMany implements cache.Batcher.
func (s *Store) GetMany(ctx context.Context, keys []string) ([]cache.Lookup, error) {
	if err := s.declared(cache.CanBatch); err != nil {
		return nil, err
	}
	for sent := 0; ; {
		r, err := s.current(ctx, true)
		if err != nil {
			return nil, err
		}
		found := make([]cache.Lookup, len(keys))
		if r.bridge != nil || slices.ContainsFunc(keys, s.quarantine.knows) {
			for i, key := range keys {
				if found[i].Entry, found[i].Found, err = s.Get(ctx, key); err != nil {
					return nil, err
				}
			}
			return found, nil
		}
		if ok, err := r.passKeys(ctx, keys); s.isStuck(ctx, r, err) {
			continue
		} else if err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		sent++
		got, err := cache.GetMany(ctx, r.plug.store(), keys)
		if err == nil {
			return got, nil
		}
		if s.lost(ctx, r, err, keys...) && s.again(sent) {
			continue
		}
		return nil, s.failed(err)
	}
}

// again reports whether a read that was lost is sent another time: once, and where
// memory may serve until it has an answer, however many processes die of it.
func (s *Store) again(sent int) bool { return sent < 2 || s.fallback() == FallbackMemory }

// mayForget reports whether the store is one of which a miss is allowed for want of
// anything better: nobody else uses it, and it does not keep what it acknowledged.
func (s *Store) mayForget() bool { return s.fallback() == FallbackMemory && !s.Info().Durable }

// Set implements cache.Store.
func (s *Store) Set(ctx context.Context, key string, e cache.Entry) error {
	return s.write(ctx, []keyEntry{{key, &e}}, func(to cache.Store) error { return to.Set(ctx, key, e) })
}

// Delete implements cache.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.write(ctx, []keyEntry{{key, nil}}, func(to cache.Store) error { return to.Delete(ctx, key) })
}

// SetMany implements cache.Batcher.
func (s *Store) SetMany(ctx context.Context, items []cache.Item) error {
	if err := s.declared(cache.CanBatch); err != nil {
		return err
	}
	writes := make([]keyEntry, len(items))
	for i := range items {
		writes[i] = keyEntry{items[i].Key, &items[i].Entry}
	}
	return s.write(ctx, writes, func(to cache.Store) error { return cache.SetMany(ctx, to, items) })
}

// DeleteMany implements cache.Batcher.
func (s *Store) DeleteMany(ctx context.Context, keys []string) error {
	if err := s.declared(cache.CanBatch); err != nil {
		return err
	}
	writes := make([]keyEntry, len(keys))
	for i, key := range keys {
		writes[i].key = key
	}
	return s.write(ctx, writes, func(to cache.Store) error { return cache.DeleteMany(ctx, to, keys) })
}

// keyEntry is what is to be written under a key; nil empties it.
type keyEntry struct {
	key   string
	entry *cache.Entry
}

// write sends writes to the plugin with send, or does them in memory.
func (s *Store) write(ctx context.Context, writes []keyEntry, send func(cache.Store) error) error {
	for sent := 0; ; {
		r, err := s.current(ctx, true)
		if err != nil {
			return err
		}
		if r.bridge == nil {
			if ok, err := r.passWrites(ctx, writes); s.isStuck(ctx, r, err) {
				continue
			} else if err != nil {
				return err
			} else if !ok {
				continue // the route is another by now
			}
			turn, ok, err := s.turnOf(ctx, r, writes)
			if errors.Is(err, errOneByOne) {
				return s.resume(ctx, writes)
			} else if err != nil {
				return err
			} else if !ok {
				continue
			}
			if ok, err := r.begin(ctx, writes); err != nil || !ok {
				turn.giveUp()
				if err != nil && !s.isStuck(ctx, r, err) {
					return err
				}
				continue
			}
			sent++
			var c *doubt
			err = send(r.plug.store())
			turn.end(err)
			if err != nil {
				c, err = s.unsure(ctx, r, writes, err)
			}
			r.end(writes)
			if c != nil {
				var again bool
				if again, err = s.outcome(ctx, c, sent); again {
					continue
				}
			}
			return err
		}
		for i, w := range writes {
			if s.Info().Durable && s.quarantine.bars(w.key) {
				return quarantined(w.key) // the plugin would not be told of it
			}
			ok, err := r.bridge.write(ctx, w.key, w.entry)
			if errors.Is(err, ErrJournalFull) && s.Info().Durable {
				// It is not acknowledged before the plugin has it.
				if err := s.awaitPlugin(ctx, err); err != nil {
					return err
				}
				ok, err = false, nil
			}
			if err != nil {
				return err
			}
			if !ok {
				// The plugin has been told of those before it.
				return s.resume(ctx, writes[i:])
			}
		}
		return nil
	}
}

// errOneByOne: one of the keys of a batch is in quarantine or a suspect.
var errOneByOne = errors.New("one by one")

// turnOf has writes wait for their turn if they are of a suspect.
func (s *Store) turnOf(ctx context.Context, r *route, writes []keyEntry) (turn, bool, error) {
	if s.quarantine.count.Load() == 0 {
		return turn{}, true, nil
	}
	if len(writes) == 1 {
		return s.quarantine.enter(ctx, r, writes[0].key)
	}
	if slices.ContainsFunc(writes, func(w keyEntry) bool { return s.quarantine.knows(w.key) }) {
		return turn{}, false, errOneByOne
	}
	return turn{}, true, nil
}

// resume does the writes of a batch, or what is left of them, one by one.
func (s *Store) resume(ctx context.Context, writes []keyEntry) error {
	for _, w := range writes {
		var err error
		if w.entry != nil {
			err = s.Set(ctx, w.key, *w.entry)
		} else {
			err = s.Delete(ctx, w.key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unsure decides what becomes of writes that failed with err: what it returns,
// or what the next process makes of the doubt.
func (s *Store) unsure(ctx context.Context, r *route, writes []keyEntry, err error) (*doubt, error) {
	r.fence(err, keysOf(writes)...)
	if !s.lost(ctx, r, err, keysOf(writes)...) {
		if isUnanswered(err) {
			r.abandon(writes)
		}
		if errors.Is(err, shared.ErrNoAnswer) {
			err = unknownOutcome(err)
		}
		return nil, s.failed(err)
	}
	if c := s.doubt(r, writes, err); c != nil {
		return c, nil
	}
	for i, w := range writes {
		if r.inFlight.oneByOne && writesKey(writes[i+1:], w.key) {
			continue // the last of a batch counts
		}
		if err := s.unknown(r, w.key, w.entry, err); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
