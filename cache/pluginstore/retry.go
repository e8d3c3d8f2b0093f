package pluginstore

import "context"

// tryAgain has the plugin of r, which serves, told what it is still to be told of
// the barred keys whose time is over, or else lets calls on them through again. It
// does not wait for that.
func (s *Store) tryAgain(r *route) {
	keys := s.quarantine.expired()
	if len(keys) == 0 || !s.retries.CompareAndSwap(false, true) {
		return
	}
	s.quarantine.running.Go(func() {
		defer s.retries.Store(false)
		for _, key := range keys {
			if !s.tryKey(r, key) {
				return
			}
		}
	})
}

// tryKey reports false if the plugin serves no more.
func (s *Store) tryKey(r *route, key string) bool {
	w := s.quarantine.dueOf(key)
	if w == nil {
		s.quarantine.unbar(key)
		return true
	}
	ctx, cancel := context.WithTimeout(s.life, s.o.Hang)
	defer cancel()
	turn, ok, err := s.quarantine.await(ctx, r, key)
	if err != nil || !ok {
		return false
	}
	s.quarantine.telling <- struct{}{}
	defer func() { <-s.quarantine.telling }()
	err = send(ctx, r.plug.patient(), []keyWrite{{key, *w}}, r.plug.info().Exclusive)
	turn.giveUp()
	if err != nil {
		if !s.lost(ctx, r, err, key) && ctx.Err() != nil {
			s.quarantine.giveUp(key)
		}
		return false
	}
	s.quarantine.told(key, w)
	return true
}
