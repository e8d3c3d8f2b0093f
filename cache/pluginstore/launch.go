package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	hclog "github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

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

// instance is a plugin that runs and has been described and configured.
type instance struct {
	client *shared.Client
	health healthpb.HealthClient
	proc   *process
	plug   *plugin.Client
	dir    string // private directory of the socket
	log    *slog.Logger
}

// launch starts the program at path and opens its store. Whatever goes wrong,
// nothing is left running and nothing on disk.
// settings turns what the plugin declares into what it is given.
func launch(ctx context.Context, u URL, path string, settings func(shared.Info) ([]shared.SettingValue, error), o *Options) (*instance, error) {
	in, err := begin(ctx, path, o)
	if err != nil {
		return nil, err
	}
	if name := in.client.Info().Name; u.Name != "" && name != u.Name {
		in.log.Warn("the plugin calls itself otherwise", "name", name, "path", path)
	}
	given, err := settings(in.client.Info())
	if err != nil {
		in.abort()
		return nil, err
	}
	if err := in.client.Configure(ctx, given); err != nil {
		err = in.refused(ctx, u, path, err)
		in.abort()
		return nil, err
	}
	// Limits and capabilities may depend on the settings.
	if _, err := in.client.Describe(ctx); err != nil {
		in.abort()
		return nil, fmt.Errorf("pluginstore: describe %s: %w", path, err)
	}
	in.log.Debug("plugin is ready", "pid", in.proc.ID(), "version", in.client.Info().Version)
	return in, nil
}

// describe starts the program at path only to ask it what it is.
func describe(ctx context.Context, path string, o *Options) (shared.Info, error) {
	in, err := begin(ctx, path, o)
	if err != nil {
		return shared.Info{}, err
	}
	info := in.client.Info()
	in.abort()
	return info, nil
}

// begin starts the program at path and gets as far as Describe.
func begin(ctx context.Context, path string, o *Options) (*instance, error) {
	dir, err := socketDir()
	if err != nil {
		return nil, err
	}
	log := o.Logger.With("plugin", filepath.Base(path))
	in := &instance{dir: dir, log: log, proc: newProcess(path, environment(o), log)}
	if err := in.start(ctx, path, o); err != nil {
		in.abort()
		return nil, err
	}
	return in, nil
}

// start drives the handshake. A config, its command and its runner serve
// one start only.
func (in *instance) start(ctx context.Context, path string, o *Options) error {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, o.StartTimeout)
	defer cancel()
	in.plug = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  shared.Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{shared.ProtocolVersion: shared.Plugins(nil)},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         !o.NoTLS,
		SkipHostEnv:      true,
		// Our own deadline comes first and can be told from others.
		StartTimeout:     o.StartTimeout + time.Second,
		Logger:           hclogTo(in.log),
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: in.dir},
		// go-plugin would take answers of 2 GiB. Calls that may bring back a
		// value have a bound of their own.
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(shared.MaxAnswer))},
		SyncStdout:      &lines{each: func(line string) { in.log.Info(line) }},
		SyncStderr:      &lines{each: in.proc.stderr.line},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, _ string) (runner.Runner, error) {
			in.proc.addEnv(spec.Env)
			return in.proc, nil
		},
	})
	err := in.connect(ctx)
	if err == nil {
		return nil
	}
	if cause := caller.Err(); cause != nil {
		return fmt.Errorf("pluginstore: the start of %s was given up: %w", path, cause)
	}
	return explain(path, in.proc, o.StartTimeout, err)
}

// connect runs go-plugin's handshake, which knows no context and holds a lock
// meanwhile: ending the process is what ends it.
func (in *instance) connect(ctx context.Context) error {
	type result struct {
		client plugin.ClientProtocol
		err    error
	}
	done := make(chan result, 1)
	go func() {
		c, err := in.plug.Client()
		done <- result{c, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		in.abort()
		<-done
		return ctx.Err()
	}
	if r.err != nil {
		return r.err
	}
	raw, err := r.client.Dispense(shared.PluginName)
	if err != nil {
		return err
	}
	in.client = raw.(*shared.Client)
	in.health = healthpb.NewHealthClient(r.client.(*plugin.GRPCClient).Conn)
	if _, err = in.client.Describe(ctx); err != nil {
		// If it died, its exit says more than the broken connection.
		in.proc.awaitEnd(exitGrace)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return err
}

// refused says why the plugin did not open its store.
func (in *instance) refused(ctx context.Context, u URL, path string, err error) error {
	switch {
	case errors.Is(err, shared.ErrSetting):
		return fmt.Errorf("%s: %w (see: host plugins describe %s)", in.client.Info().Name, err, u.Name+u.Path)
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case in.proc.awaitEnd(exitGrace):
		return explain(path, in.proc, 0, err)
	}
	if name := in.client.Info().Name + ": "; !strings.HasPrefix(err.Error(), name) {
		return fmt.Errorf("%s%w", name, err)
	}
	return err
}

// stop flushes and ends the plugin. It returns when nothing of it is left,
// which a plugin that does not answer delays by stopTimeout at most.
func (in *instance) stop() error {
	deadline := time.Now().Add(stopTimeout)
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	// One that does not even say that it lives will not flush either.
	if err := in.check(ctx, signOfLife); err != nil {
		in.abort()
		return err
	}
	err := cache.Flush(ctx, in.client)
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

// How long an answer to a health check may take: while the plugin is in use,
// and before it is given up for good.
const (
	healthTimeout = time.Second
	signOfLife    = 3 * time.Second
)

// check asks the plugin for its health; an answer that is not SERVING is not
// health.
func (in *instance) check(ctx context.Context, timeout time.Duration) error {
	if err := in.gone(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := in.health.Check(ctx, &healthpb.HealthCheckRequest{Service: plugin.GRPCServiceName})
	if err != nil {
		return fmt.Errorf("%w: the plugin %s gives no sign of health: %w", cache.ErrUnavailable, in.client.Info().Name, err)
	}
	if s := r.GetStatus(); s != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("%w: the plugin %s says that it is %v", cache.ErrUnavailable, in.client.Info().Name, s)
	}
	return nil
}

// abort ends the plugin without ado.
func (in *instance) abort() {
	in.proc.kill()
	in.cleanUp()
}

func (in *instance) cleanUp() {
	if in.plug != nil {
		in.plug.Kill()
	}
	if err := os.RemoveAll(in.dir); err != nil {
		in.log.Warn("the plugin's socket directory is left behind", "dir", in.dir, "error", err)
	}
}

// gone says how the plugin's process ended; nil: it runs.
func (in *instance) gone() error {
	select {
	case <-in.proc.exited:
		return fmt.Errorf("%w: the plugin %s is gone: %s%s", cache.ErrUnavailable, in.client.Info().Name, in.proc.exit(), in.proc.said())
	default:
		return nil
	}
}
