package shared

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	hclog "github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/reclaim"
)

// EnvLogLevel is the variable in which the host tells a plugin how much to
// log: debug, info, warn or error.
const EnvLogLevel = "HARPIA_LOG_LEVEL"

// Serve runs store as a plugin until the host ends it: all that the main of a
// store plugin needs. What the store implements beyond the three methods is
// found and declared to the host; see package cache for what it may do, and
// Describer and Configurer for its name and settings.
//
// Serve takes over the process. The default slog logger writes to the host's
// log. Termination signals are left to the host, which ends a plugin by
// closing its standard input: a signal to the whole group would otherwise kill
// it before the host has drained. At the end the store is closed if it is an
// io.Closer. If the host is dead by then, Serve kills the process group that
// the host gave the plugin, so that no child of the plugin outlives it: nothing
// after Serve is sure to run.
//
// While 128 MB or more of large values are in flight, Serve sets the collector to
// GOGC=25, unless it is tighter or off; after large values it returns free
// memory to the system. Small values change neither.
//
// Where the variable HARPIA_STORE_DEBUG is set, a plugin that a person starts
// serves too, for hosts that are told to attach to it.
func Serve(store cache.Store) {
	hs := Handshake()
	if os.Getenv(hs.MagicCookieKey) != hs.MagicCookieValue {
		if os.Getenv(EnvDebug) != "" {
			os.Exit(serveAlone(store))
		}
		info := Describe(store)
		fmt.Fprintf(os.Stderr, "%s %s is a store plugin and is started by a host:\n  host --store %s get KEY\n  host plugins describe %[3]s\n",
			info.Name, info.Version, os.Args[0])
		os.Exit(2)
	}
	stderr := os.Stderr
	var level slog.Level
	_ = level.UnmarshalText([]byte(os.Getenv(EnvLogLevel)))
	log := newLogger(stderr, level)
	slog.SetDefault(log)
	// A plugin that ends with log.Fatal says so at a level that its host takes for
	// last words.
	slog.SetLogLoggerLevel(slog.LevelWarn)
	leaveSignalsToHost()

	s, g := newServer(store), &guard{log: log, memory: new(reclaim.Reclaimer)}
	h := &host{pid: os.Getppid(), guard: g}
	if offer, err := offerLane(os.Getenv(plugin.EnvUnixSocketDir), h.pid, s, g); err == nil {
		s.lane = offer
		go offer.serve(context.Background())
	} else if !errors.Is(err, errors.ErrUnsupported) {
		log.Warn("there is no lane: calls go over gRPC", "error", err)
	}
	var rpc *grpc.Server
	serving := make(chan struct{})
	go h.watch(func() {
		<-serving
		rpc.Stop()
	})
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  hs,
		VersionedPlugins: map[int]plugin.PluginSet{ProtocolVersion: Plugins(s)},
		Logger:           hclog.New(&hclog.LoggerOptions{Output: stderr, JSONFormat: true, Level: hclog.Warn}),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			opts = append(opts, serverOptions(g)...)
			rpc = grpc.NewServer(append(opts, grpc.ChainUnaryInterceptor(restoring(stderr)))...)
			close(serving)
			return rpc
		},
	})
	_ = closeStore(store, g)
	g.memory.Close()
	h.cleanUp()
}

// restoring gives os.Stderr back before the first call reaches the store.
// go-plugin has replaced it by a pipe whose text it sends in the background: the
// last words of a store that ends the process would be lost.
func restoring(stderr *os.File) grpc.UnaryServerInterceptor {
	var once sync.Once
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		once.Do(func() { os.Stderr = stderr })
		return next(ctx, req)
	}
}

// closeStore closes the store when no call is in it any more.
func closeStore(store cache.Store, g *guard) error {
	g.drain(orphanGrace / 2)
	err := cache.Close(store)
	if err != nil {
		g.log.Error("the store did not close well", "error", err)
	}
	return err
}

func serverOptions(g *guard) []grpc.ServerOption {
	// A swap carries two values, and the store's limit may still grow when it
	// is configured: server.entry checks it.
	const size = 2*maxWireValue + messageSlack
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(size),
		grpc.MaxSendMsgSize(size),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(g.unary),
		grpc.StreamInterceptor(g.stream),
	}
}

// leaveSignalsToHost swallows what would end the process. SIGPIPE is among
// them: when the host is gone, a log line must not kill the plugin before it
// has closed its store.
func leaveSignalsToHost() {
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
}

// removeSocketDir removes the private directory that the host made for the
// socket; a host that was killed cannot. Only one of the host's naming goes,
// and the directory around it if nothing else is in it.
func removeSocketDir() {
	dir := os.Getenv(plugin.EnvUnixSocketDir)
	if dir == "" || !strings.HasPrefix(filepath.Base(filepath.Dir(dir)), SocketDirPrefix) {
		return
	}
	_ = os.RemoveAll(dir)
	_ = os.Remove(filepath.Dir(dir))
}

// SocketDirPrefix begins the name of the private directory in which a host
// keeps one plugin's socket.
const SocketDirPrefix = "harpia-"
