package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

const everything = cache.CanBatch | cache.CanAdd | cache.CanSwap | cache.CanCount | cache.CanTouch | cache.CanScan | cache.CanClear | cache.CanFlush

// fakePlug is a process of a plugin without the process: it dies when it is
// told to.
type fakePlug struct {
	id    int
	wire  *wire
	known shared.Info
	// health is how a check is answered; nil: well.
	health atomic.Pointer[func(context.Context) error]
	ended  atomic.Bool // by abort or stop
	slain  bool        // SIGKILL is what it dies of
	// grace is how long it takes to find out why it died.
	grace time.Duration
	// answers is what moved returns.
	answers atomic.Uint64

	gone chan struct{}
	once sync.Once
}

var _ plug = (*fakePlug)(nil)

var errKilled = errors.New("the fake was killed")

// newFakePlug is an exclusive store on data, which outlives it.
func newFakePlug(id int, data *cache.Memory) *fakePlug {
	p := &fakePlug{id: id, gone: make(chan struct{})}
	p.known = shared.Info{
		Description:  shared.Description{Name: "fake", Version: "1", Exclusive: true},
		Capabilities: everything,
		Limits:       cache.Limits{MaxValue: 1 << 20},
	}
	p.wire = &wire{&wireState{data: data, gone: p.gone}, shared.CallTimeout}
	return p
}

func (p *fakePlug) answer(health func(context.Context) error) { p.health.Store(&health) }

func (p *fakePlug) die() { p.once.Do(func() { close(p.gone) }) }

func (p *fakePlug) store() cache.Store    { return p.wire }
func (p *fakePlug) patient() cache.Store  { return &wire{p.wire.wireState, 24 * time.Hour} }
func (p *fakePlug) moved() uint64         { return p.answers.Load() }
func (p *fakePlug) info() shared.Info     { return p.known }
func (p *fakePlug) pid() int              { return p.id }
func (p *fakePlug) died() <-chan struct{} { return p.gone }
func (p *fakePlug) bury()                 {}
func (p *fakePlug) wasKilled() bool       { return p.slain }
func (p *fakePlug) kill(error)            { p.die() }
func (p *fakePlug) abort()                { p.ended.Store(true); p.die() }
func (p *fakePlug) stop() error           { p.abort(); return nil }

func (p *fakePlug) cause() error {
	time.Sleep(p.grace)
	return fmt.Errorf("%w: %w", cache.ErrUnavailable, errKilled)
}

func (p *fakePlug) check(ctx context.Context, timeout time.Duration) error {
	if isDead(p) {
		return p.cause()
	}
	health := p.health.Load()
	if health == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return (*health)(ctx)
}

// silent is the health of a process that does not answer.
func silent(ctx context.Context) error {
	<-ctx.Done()
	return fmt.Errorf("%w: %w: %w", cache.ErrUnavailable, shared.ErrNoAnswer, ctx.Err())
}

// notServing is the health of a process that answers, and not well.
func notServing(context.Context) error {
	return fmt.Errorf("%w: the plugin fake says that it is NOT_SERVING", cache.ErrUnavailable)
}
