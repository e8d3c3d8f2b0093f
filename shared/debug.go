package shared

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared/storepb"
)

const (
	// EnvDebug is the variable with which a person starts a plugin without a
	// host, under a debugger for instance.
	EnvDebug = "HARPIA_STORE_DEBUG"
	// EnvReattach is the variable that names the socket of such a plugin to a
	// host.
	EnvReattach = "HARPIA_REATTACH"
)

// serveAlone serves store without a host, on a socket that only this user can
// reach, and says how hosts attach. It ends on SIGINT or SIGTERM, not with any
// host, and returns the status to exit with.
func serveAlone(store cache.Store) int {
	var level slog.Level
	_ = level.UnmarshalText([]byte(os.Getenv(EnvLogLevel)))
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serveUntil(ctx, stop, store, &guard{log: log}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serveUntil(ctx context.Context, stop func(), store cache.Store, g *guard) error {
	l, err := listenAlone()
	if err != nil {
		return err
	}
	socket := l.Addr().String()
	defer func() { _ = os.RemoveAll(filepath.Dir(socket)) }()

	s := newServer(store)
	s.many = true
	rpc := grpc.NewServer(serverOptions(g)...)
	storepb.RegisterStoreServer(rpc, s)
	h := health.NewServer()
	h.SetServingStatus(plugin.GRPCServiceName, healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(rpc, h)
	served := make(chan error, 1)
	go func() { served <- rpc.Serve(l) }()

	info := s.info.Load()
	fmt.Printf("%s %s serves without a host, until Ctrl-C. To attach one:\n\n%s=%s\n\n  host --reattach %[4]s get KEY\n\n",
		info.Name, info.Version, EnvReattach, socket)
	select {
	case <-ctx.Done():
	case err = <-served:
		err = fmt.Errorf("shared: serve without a host: %w", err)
	}
	// A second signal ends a store that does not close.
	stop()
	rpc.Stop()
	return errors.Join(err, closeStore(store, g))
}

// listenAlone listens in a directory that only this user can enter.
func listenAlone() (net.Listener, error) {
	fail := func(err error) (net.Listener, error) {
		return nil, fmt.Errorf("shared: serve without a host: %w", err)
	}
	if runtime.GOOS == "windows" {
		return fail(errors.New("on Windows nothing would keep other users from the socket; debug the store in a test of its own"))
	}
	const room, longest = len("/harpia-1234567890/plugin.sock"), 103
	parent := os.TempDir()
	if len(parent)+room > longest {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, SocketDirPrefix)
	if err != nil {
		return fail(fmt.Errorf("no directory for the socket: %w; set TMPDIR to one that you can write to", err))
	}
	l, err := net.Listen("unix", filepath.Join(dir, "plugin.sock"))
	if err != nil {
		_ = os.RemoveAll(dir)
		return fail(err)
	}
	return l, nil
}

// configureAgain answers a host that attaches to a store which an earlier one
// has configured. The store stays as it is; to go on as if it had been
// configured otherwise would be a lie.
func (s *server) configureAgain(given Settings) (*storepb.ConfigureResponse, error) {
	if !maps.EqualFunc(given.values, s.settings.values, slices.Equal) {
		return nil, settingStatus(fmt.Errorf("%w: the host that attached first gave other settings; give the same, or start the plugin again", ErrSetting))
	}
	return &storepb.ConfigureResponse{}, nil
}
