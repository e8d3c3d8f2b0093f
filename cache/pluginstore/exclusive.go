package pluginstore

import "github.com/harpia-go/harpia/cache"

var _ cache.Exclusiver = (*Store)(nil)

// Exclusive tells whether only this store changes the plugin's data, as the
// plugin has declared; false while no plugin has been reached. It implements
// cache.Exclusiver.
func (s *Store) Exclusive() bool { return s.Info().Exclusive }
