package pluginstore

import (
	"context"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// inProcess is a store in this process in the place of a plugin's.
type inProcess struct {
	cache.Store
	described shared.Info
}

var _ plug = (*inProcess)(nil)

func (p *inProcess) store() cache.Store                       { return p.Store }
func (p *inProcess) patient() cache.Store                     { return p.Store }
func (*inProcess) moved() uint64                              { return 0 }
func (p *inProcess) info() shared.Info                        { return p.described }
func (*inProcess) pid() int                                   { return 0 }
func (*inProcess) died() <-chan struct{}                      { return nil }
func (*inProcess) cause() error                               { return nil }
func (*inProcess) wasKilled() bool                            { return false }
func (*inProcess) check(context.Context, time.Duration) error { return nil }
func (*inProcess) bury()                                      {}
func (*inProcess) kill(error)                                 {}
func (p *inProcess) abort()                                   { _ = p.stop() }
func (p *inProcess) stop() error                              { return cache.Close(p.Store) }
