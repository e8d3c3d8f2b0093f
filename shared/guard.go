package shared

import (
	"context"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/reclaim"
	"github.com/harpia-go/harpia/shared/storepb"
)

// guard stands between the wire and the store. A store that panics fails the
// call that made it panic, with the stack in the log, and goes on serving the
// others. And no call is in the store when it is closed.
type guard struct {
	log *slog.Logger
	// asked says that the host has asked the plugin to end.
	asked atomic.Bool
	// calls is held for reading by every call, and for writing for good once
	// the store is to be closed.
	calls sync.RWMutex
	// memory counts the large values; nil: nobody does.
	memory *reclaim.Reclaimer
}

// storeService begins the full method names of the calls that are guarded;
// go-plugin's own services pass.
const storeService = "/harpia.store.v1.Store/"

// shutdown is go-plugin's call by which a host ends a plugin.
const shutdown = "/plugin.GRPCController/Shutdown"

func (g *guard) unary(ctx context.Context, req any, call *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	if call.FullMethod == shutdown {
		g.asked.Store(true)
	}
	if !strings.HasPrefix(call.FullMethod, storeService) {
		return next(ctx, req)
	}
	if !g.calls.TryRLock() {
		return nil, toStatus(cache.ErrClosed)
	}
	defer g.calls.RUnlock()
	defer func() { g.recovered(call.FullMethod, recover(), &err) }()
	ctx, cancel := limited(ctx)
	defer cancel()
	defer func() { g.passed(req); g.passed(resp) }()
	return next(ctx, req)
}

// passed counts the value that a message has, if it is large.
func (g *guard) passed(message any) {
	if m, ok := message.(interface{ GetEntry() *storepb.Entry }); ok {
		if n := int64(len(m.GetEntry().GetValue())); n > laneSmall {
			g.memory.Passed(n)
		}
	}
}

func (g *guard) stream(srv any, stream grpc.ServerStream, call *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	if !strings.HasPrefix(call.FullMethod, storeService) {
		return next(srv, stream)
	}
	if !g.calls.TryRLock() {
		return toStatus(cache.ErrClosed)
	}
	defer g.calls.RUnlock()
	defer func() { g.recovered(call.FullMethod, recover(), &err) }()
	return next(srv, stream)
}

// drain waits until no call is in the store, at most for wait; from then on
// none gets in.
func (g *guard) drain(wait time.Duration) {
	drained := make(chan struct{})
	go func() {
		g.calls.Lock()
		close(drained)
	}()
	select {
	case <-drained:
	case <-time.After(wait):
		g.log.Warn("the store is closed while calls are still in it")
	}
}

func (g *guard) recovered(method string, r any, err *error) {
	if r == nil {
		return
	}
	method = strings.TrimPrefix(method, storeService)
	g.log.Error("the store panicked", "method", method, "panic", r, "stack", string(debug.Stack()))
	*err = status.Errorf(codes.Internal, "the store panicked in %s: %v; the plugin's log has the stack", method, r)
}
