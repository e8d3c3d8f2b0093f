package shared

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/test/bufconn"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared/storepb"
)

// refuses is a store that says that it is unavailable: of "late", after some
// keys.
type refuses struct{ nopStore }

var errRefused = fmt.Errorf("refuses: the disk is away: %w", cache.ErrUnavailable)

func (refuses) Get(context.Context, string) (cache.Entry, bool, error) {
	return cache.Entry{}, false, errRefused
}

func (refuses) Scan(_ context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for i := range 5000 {
			if prefix == "late" && !yield(fmt.Sprint(i), nil) {
				return
			}
		}
		yield("", errRefused)
	}
}

// severs is a store whose connection breaks before it answers.
type severs struct {
	nopStore
	sever func()
}

func (s severs) Get(ctx context.Context, _ string) (cache.Entry, bool, error) {
	s.sever()
	<-ctx.Done()
	return cache.Entry{}, false, ctx.Err()
}

func (s severs) Scan(ctx context.Context, _ string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		s.sever()
		<-ctx.Done()
		yield("", ctx.Err())
	}
}

// An answer that says unavailable is told from none.
func TestAnsweredOrBroken(t *testing.T) {
	scan := func(c *Client, prefix string) error {
		for _, err := range c.Scan(t.Context(), prefix) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	check := func(name string, err error, broken bool) {
		t.Helper()
		if !errors.Is(err, cache.ErrUnavailable) || errors.Is(err, ErrBroken) != broken {
			t.Errorf("%s: %v; broken should be %v", name, err, broken)
		}
	}
	c := open(t, refuses{})
	_, _, err := c.Get(t.Context(), "k")
	check("an answer", err, false)
	check("an answer to a scan", scan(c, ""), false)
	check("an answer after keys", scan(c, "late"), false)

	for _, how := range []string{"get", "scan"} {
		var accepted net.Conn
		l := bufconn.Listen(1 << 20)
		rpc := grpc.NewServer()
		server := newServer(severs{sever: func() { _ = accepted.Close() }})
		storepb.RegisterStoreServer(rpc, server)
		done := make(chan struct{})
		go func() { _ = rpc.Serve(l); close(done) }()
		conn, err := grpc.NewClient("passthrough:", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (_ net.Conn, err error) {
				accepted, err = l.DialContext(ctx)
				return accepted, err
			}))
		if err != nil {
			t.Fatal(err)
		}
		c := NewClient(conn)
		if _, err := c.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Configure(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if how == "get" {
			_, _, err = c.Get(t.Context(), "k")
		} else {
			err = scan(c, "")
		}
		check("a connection that breaks in "+how, err, true)
		_ = l.Close()
		rpc.Stop()
		<-done
		if how == "get" {
			_, _, err = c.Get(t.Context(), "k")
		} else {
			err = scan(c, "")
		}
		check("no connection for "+how, err, true)
		_ = conn.Close()
	}
}

// severOnHeader severs a connection when the header of an answer arrives on it.
type severOnHeader struct{ sever func() }

type methodKey struct{}

func (severOnHeader) TagRPC(ctx context.Context, rpc *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, methodKey{}, rpc.FullMethodName)
}

func (s severOnHeader) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if _, ok := event.(*stats.InHeader); ok && ctx.Value(methodKey{}) == storeService+"Get" {
		s.sever()
	}
}

func (severOnHeader) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (severOnHeader) HandleConn(context.Context, stats.ConnStats)                       {}

// An answer that breaks off after its header is none: a write was maybe done,
// and nobody knows.
func TestAnswerThatBreaksOff(t *testing.T) {
	var accepted net.Conn
	l := bufconn.Listen(1 << 20)
	rpc := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, call *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if call.FullMethod == storeService+"Get" {
			if err := grpc.SendHeader(ctx, nil); err != nil {
				return nil, err
			}
		}
		return next(ctx, req)
	}))
	storepb.RegisterStoreServer(rpc, newServer(waits{}))
	done := make(chan struct{})
	go func() { _ = rpc.Serve(l); close(done) }()
	conn, err := grpc.NewClient("passthrough:", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStatsHandler(severOnHeader{func() { _ = accepted.Close() }}),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (_ net.Conn, err error) {
			accepted, err = l.DialContext(ctx)
			return accepted, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(conn)
	if _, err := c.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Configure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Get(t.Context(), "k"); !errors.Is(err, ErrBroken) {
		t.Errorf("an answer that broke off: %v", err)
	}
	_ = conn.Close()
	rpc.Stop()
	<-done
}

// waits is a store that gives a call up when its time is up, and not before.
type waits struct{ nopStore }

func (waits) Get(ctx context.Context, _ string) (cache.Entry, bool, error) {
	<-ctx.Done()
	return cache.Entry{}, false, ctx.Err()
}

// A call whose time is up says so, whoever notices first. It must not look as
// if the connection had broken, or short deadlines would end healthy plugins.
func TestTimeIsUpOnBothSides(t *testing.T) {
	c := open(t, waits{})
	var callers sync.WaitGroup
	for caller := range 6 {
		callers.Go(func() {
			for i := range 300 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*7+caller)*time.Microsecond)
				_, _, err := c.Get(ctx, "k")
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, cache.ErrUnavailable) {
					t.Errorf("after %d µs: %v", i*7+caller, err)
					return
				}
			}
		})
	}
	callers.Wait()
}
