package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	hclog "github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/harpia-go/harpia/shared"
)

// begin starts a copy of the program and gets as far as Describe.
func begin(ctx context.Context, prog *program, o *Options) (*instance, error) {
	dir, err := socketDir()
	if err != nil {
		return nil, err
	}
	exe, err := prog.place(dir.path)
	if err != nil {
		_ = dir.remove()
		return nil, err
	}
	log := o.Logger.With("plugin", filepath.Base(prog.path))
	in := &instance{dir: dir, log: log, proc: newProcess(exe, prog.path, environment(o), log)}
	in.proc.dir = dir.path
	if err := in.start(ctx, prog.path, o); err != nil {
		in.abort()
		return nil, err
	}
	prog.placed(exe)
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
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: in.dir.path},
		// go-plugin would take answers of 2 GiB. Calls that may bring back a
		// value have a bound of their own.
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(shared.MaxAnswer))},
		SyncStdout:      &lines{each: in.proc.printed},
		SyncStderr:      &lines{each: in.proc.logged},
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

// configure opens the plugin's store with what the URL and the options give.
// What the plugin says from then on is shown without the secrets among that.
func (in *instance) configure(ctx context.Context, u URL, o *Options) (err error) {
	defer func() { err = in.hide(err) }()
	if name := in.client.Info().Name; u.Name != "" && name != u.Name {
		in.log.Warn("the plugin calls itself otherwise", "name", name, "path", in.proc.cmd.Args[0])
	}
	given, err := settings(u, o, in.client.Info())
	if err != nil {
		return err
	}
	in.proc.secrets.Store(secretsOf(in.client.Info().Settings, given))
	if err := in.client.Configure(ctx, given); err != nil {
		return in.refused(ctx, u, err)
	}
	// Limits and capabilities may depend on the settings.
	if _, err := in.client.Describe(ctx); err != nil {
		return fmt.Errorf("pluginstore: describe %s: %w", in.client.Info().Name, err)
	}
	if !o.NoLane {
		if err := in.client.OpenLane(in.pid()); err != nil {
			in.log.Warn("calls go over gRPC", "error", err)
		}
	}
	in.log.Debug("plugin is ready", "pid", in.proc.ID(), "version", in.client.Info().Version)
	return nil
}

// refused says why the plugin did not open its store.
func (in *instance) refused(ctx context.Context, u URL, err error) error {
	switch {
	case errors.Is(err, shared.ErrSetting):
		return fmt.Errorf("%s: %w (see: host plugins describe %s)", in.client.Info().Name, err, u.Name+u.Path)
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case in.proc.awaitEnd(exitGrace):
		return explain(in.proc.cmd.Args[0], in.proc, 0, err)
	}
	if name := in.client.Info().Name + ": "; !strings.HasPrefix(err.Error(), name) {
		return fmt.Errorf("%s%w", name, err)
	}
	return err
}
