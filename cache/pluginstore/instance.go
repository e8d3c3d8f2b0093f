package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// How long the end of a plugin may take: to flush, and until its group is
// killed.
const (
	flushTimeout = 5 * time.Second
	stopTimeout  = 8 * time.Second
	// exitGrace is how long a process that closed its pipes may take to exit
	// by itself, so that its own exit status is seen.
	exitGrace = 300 * time.Millisecond
)

// instance is one run of a plugin. It has been described, and serves calls
// once it is configured.
type instance struct {
	client *shared.Client
	health healthpb.HealthClient
	proc   *process
	plug   *plugin.Client
	dir    *privateDir // of the socket
	log    *slog.Logger
	why    atomic.Pointer[error] // it was killed, if it was
}

// stop flushes and ends the plugin. It returns when nothing of it is left,
// which a plugin that does not answer delays by stopTimeout at most.
func (in *instance) stop() error {
	deadline := time.Now().Add(stopTimeout)
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := in.check(ctx, signOfLife); err != nil {
		in.abort()
		return err
	}
	err := in.hide(cache.Flush(ctx, in.client))
	if err != nil {
		err = fmt.Errorf("pluginstore: the plugin %s could not flush: %w", in.client.Info().Name, err)
	}
	in.proc.endWithin(time.Until(deadline))
	watchdog := time.AfterFunc(time.Until(deadline), func() {
		in.log.Warn("the plugin did not end in time and is killed", "pid", in.proc.ID())
		in.proc.kill()
	})
	defer watchdog.Stop()
	in.cleanUp()
	return err
}

// signOfLife is how long a plugin that is to end may take to say that it
// lives; otherwise it will not flush either.
const signOfLife = 3 * time.Second

var _ plug = (*instance)(nil)

func (in *instance) store() cache.Store    { return in.client }
func (in *instance) patient() cache.Store  { return in.client.Patient() }
func (in *instance) moved() uint64         { return in.client.Moved() }
func (in *instance) info() shared.Info     { return in.client.Info() }
func (in *instance) pid() int              { return in.proc.cmd.Process.Pid }
func (in *instance) died() <-chan struct{} { return in.proc.died }

func (in *instance) kill(why error) {
	in.why.CompareAndSwap(nil, &why)
	in.proc.kill()
}

func (in *instance) wasKilled() bool {
	return in.proc.awaitEnd(exitGrace) && in.proc.wasKilled()
}

// cause says how the plugin died, once it has.
func (in *instance) cause() error {
	in.proc.awaitEnd(exitGrace)
	// Its exit would only tell that it was killed. A connection that broke is
	// another matter: mostly the process has ended by itself.
	if why := in.why.Load(); why != nil && errors.Is(*why, shared.ErrNoAnswer) {
		return fmt.Errorf("%w; it was killed%s", *why, in.proc.said())
	}
	if err := in.gone(); err != nil {
		return err
	}
	return fmt.Errorf("%w: the plugin %s is gone; a child of it still holds its output", cache.ErrUnavailable, in.client.Info().Name)
}

// check asks the plugin for its health; an answer that is not SERVING is not
// health.
func (in *instance) check(ctx context.Context, timeout time.Duration) error {
	if err := in.gone(); err != nil {
		return err
	}
	return in.hide(checkHealth(ctx, timeout, in.health, in.client.Info().Name))
}

// hide returns an error of the plugin without secrets.
func (in *instance) hide(err error) error { return in.proc.secrets.Load().hideError(err) }

// checkHealth asks the plugin called name for its health, for timeout at most.
func checkHealth(ctx context.Context, timeout time.Duration, h healthpb.HealthClient, name string) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := h.Check(limited, &healthpb.HealthCheckRequest{Service: plugin.GRPCServiceName})
	switch {
	case err == nil:
	case status.Code(err) == codes.DeadlineExceeded && ctx.Err() == nil:
		return fmt.Errorf("%w: the plugin %s did not say within %v that it is well: %w", cache.ErrUnavailable, name, timeout, shared.ErrNoAnswer)
	default:
		return fmt.Errorf("%w: the plugin %s gives no sign of health: %s", cache.ErrUnavailable, name, status.Convert(err).Message())
	}
	if s := r.GetStatus(); s != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("%w: the plugin %s says that it is %v", cache.ErrUnavailable, name, s)
	}
	return nil
}

// abort ends the plugin without ado.
func (in *instance) abort() {
	in.proc.kill()
	if in.client != nil && in.proc.awaitDeath(exitGrace) {
		in.bury() // what it reads goes with the directory
	}
	in.cleanUp()
}

func (in *instance) cleanUp() {
	if in.client != nil {
		in.client.Close()
	}
	if in.plug != nil {
		in.plug.Kill()
	}
	if err := in.dir.remove(); err != nil {
		in.log.Warn("the plugin's socket directory is left behind", "dir", in.dir.path, "error", err)
	}
}

func (in *instance) bury() { in.client.Ended() }

// gone says how the plugin's process ended; nil: it runs.
func (in *instance) gone() error {
	select {
	case <-in.proc.exited:
		return fmt.Errorf("%w: the plugin %s is gone: %s%s", cache.ErrUnavailable, in.client.Info().Name, in.proc.exit(), in.proc.said())
	default:
		return nil
	}
}
