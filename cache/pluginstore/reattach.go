package pluginstore

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// attached is a plugin that a person runs, under a debugger for instance. It
// is not supervised: it may be stopped for as long as the person likes, and its
// end is the person's doing. died is never closed.
type attached struct {
	client  *shared.Client
	conn    *grpc.ClientConn
	secrets *secrets
}

var _ plug = (*attached)(nil)

func (p *attached) store() cache.Store   { return p.client }
func (p *attached) patient() cache.Store { return p.client }
func (p *attached) moved() uint64        { return p.client.Moved() }
func (p *attached) info() shared.Info    { return p.client.Info() }
func (*attached) pid() int               { return 0 }
func (*attached) died() <-chan struct{}  { return nil }
func (*attached) cause() error           { return nil }
func (*attached) wasKilled() bool        { return false }
func (p *attached) bury()                {}
func (p *attached) kill(error)           { _ = p.conn.Close() }
func (p *attached) abort()               { _ = p.conn.Close() }

func (p *attached) check(ctx context.Context, timeout time.Duration) error {
	return p.secrets.hideError(checkHealth(ctx, timeout, healthpb.NewHealthClient(p.conn), p.info().Name))
}

// stop flushes and lets go of the plugin, which serves on.
func (p *attached) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	err := cache.Flush(ctx, p.client)
	p.abort()
	return p.secrets.hideError(err)
}

// attach opens the store of the plugin that listens at o.Reattach.
func attach(ctx context.Context, storeURL string, o *Options) (*Store, error) {
	var u URL
	var err error
	if storeURL != "" {
		u, err = ParseURL(storeURL)
	}
	switch {
	case err != nil:
		return nil, err
	case u.InProcess:
		return nil, fmt.Errorf("%w: memory is in this process; there is no plugin to attach to", ErrURL)
	}
	socket, err := filepath.Abs(o.Reattach)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Type() != os.ModeSocket {
		return nil, fmt.Errorf("%w: no plugin listens at %s; start it with %s=1 and attach to the socket that it prints", ErrStart, socket, shared.EnvDebug)
	}
	if err := guardedDir(filepath.Dir(socket)); err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("unix:"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(shared.MaxAnswer)))
	if err != nil {
		return nil, err
	}
	p := &attached{client: shared.NewClient(conn).Patient(), conn: conn}
	if err := p.open(ctx, u, o); err != nil {
		p.abort()
		return nil, fmt.Errorf("pluginstore: the plugin at %s: %w", socket, err)
	}
	u.Whole = cmp.Or(u.Whole, p.info().Name)
	s := newStore(u, o)
	s.secrets.Store(p.secrets)
	if err := s.serve(ctx, p); err != nil {
		return nil, err
	}
	s.board.ready(p)
	return s, nil
}

func (p *attached) open(ctx context.Context, u URL, o *Options) error {
	if _, err := p.client.Describe(ctx); err != nil {
		return err
	}
	given, err := settings(u, o, p.info())
	if err != nil {
		return err
	}
	p.secrets = secretsOf(p.info().Settings, given)
	if err := p.client.Configure(ctx, given); err != nil {
		return p.secrets.hideError(err)
	}
	_, err = p.client.Describe(ctx)
	return err
}
