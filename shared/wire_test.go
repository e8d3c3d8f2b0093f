package shared

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/storetest"
	"github.com/harpia-go/harpia/shared/storepb"
)

func TestMain(m *testing.M) {
	if os.Getenv(stranger) != "" {
		runStranger()
		return
	}
	goleak.VerifyTestMain(m)
}

// dial serves s over gRPC and returns a connection to it.
func dial(t *testing.T, s storepb.StoreServer) *grpc.ClientConn {
	t.Helper()
	g := &guard{log: newLogger(t.Output(), 0)}
	rpc := grpc.NewServer(serverOptions(g)...)
	storepb.RegisterStoreServer(rpc, s)
	l := bufconn.Listen(1 << 20)
	done := make(chan struct{})
	go func() { _ = rpc.Serve(l); close(done) }()
	conn, err := grpc.NewClient("passthrough:", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); rpc.Stop(); <-done })
	return conn
}

// open serves store over gRPC and returns a client that is ready.
func open(t *testing.T, store cache.Store) *Client {
	t.Helper()
	c := NewClient(dial(t, newServer(store)))
	if _, err := c.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Configure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// nopStore holds nothing.
type nopStore struct{}

func (nopStore) Get(context.Context, string) (cache.Entry, bool, error) {
	return cache.Entry{}, false, nil
}
func (nopStore) Set(context.Context, string, cache.Entry) error { return nil }
func (nopStore) Delete(context.Context, string) error           { return nil }

func memory(t *testing.T) *cache.Memory {
	t.Helper()
	m, err := cache.NewMemory(cache.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestConformanceOverGRPC(t *testing.T) {
	storetest.RunWant(t, cache.CapabilitiesOf(memory(t)), func(t *testing.T) cache.Store { return open(t, memory(t)) })
}

func TestErrorsSurviveTheWire(t *testing.T) {
	seen := map[codes.Code]bool{}
	for _, row := range wireErrors {
		if seen[row.code] {
			t.Errorf("%v stands twice", row.code)
		}
		seen[row.code] = true
		sent := fmt.Errorf("store: do it: %w", row.err)
		got := fromStatus(toStatus(sent))
		if !errors.Is(got, row.err) || got.Error() != sent.Error() {
			t.Errorf("%v became %v", sent, got)
		}
		for _, other := range wireErrors {
			if other.err != row.err && errors.Is(got, other.err) {
				t.Errorf("%v is also %v", got, other.err)
			}
		}
	}
	if got := fromStatus(toStatus(errors.New("odd"))); got.Error() != "odd" {
		t.Errorf("an error without a name became %v", got)
	}
	if got := fromStatus(status.Error(codes.Unavailable, "connection refused")); !errors.Is(got, cache.ErrUnavailable) || !strings.Contains(got.Error(), "connection refused") {
		t.Errorf("a broken connection became %v", got)
	}
	long := toStatus(errors.New(strings.Repeat("\xff", 1<<20)))
	if n := len(status.Convert(long).Message()); n > 2*maxErrorText {
		t.Errorf("a message of %d bytes is sent", n)
	}
	for _, code := range []codes.Code{codes.Unavailable, codes.DataLoss} {
		if n := len(fromStatus(status.Error(code, strings.Repeat("x", 1<<20))).Error()); n > 2*maxErrorText {
			t.Errorf("%v: a message of %d bytes is believed", code, n)
		}
	}
	if toStatus(nil) != nil || fromStatus(nil) != nil {
		t.Error("no error became one")
	}
}

// A plugin is not believed: what it says is checked, and it cannot make the
// host allocate without bound.
type liar struct {
	storepb.UnimplementedStoreServer
	describe *storepb.DescribeResponse
}

func (l liar) Describe(context.Context, *storepb.DescribeRequest) (*storepb.DescribeResponse, error) {
	return l.describe, nil
}

// liarLimit is the longest value that a liar says it has.
const liarLimit = 1 << 20

func (liar) Get(context.Context, *storepb.GetRequest) (*storepb.GetResponse, error) {
	return &storepb.GetResponse{Entry: &storepb.Entry{Value: make([]byte, liarLimit+messageSlack)}}, nil
}

func (liar) GetMany(_ context.Context, r *storepb.GetManyRequest) (*storepb.GetManyResponse, error) {
	return &storepb.GetManyResponse{Results: make([]*storepb.GetResponse, 2*len(r.GetKeys())-2)}, nil
}

func TestAPluginIsNotBelieved(t *testing.T) {
	many := &storepb.DescribeResponse{Name: "liar"}
	for i := range 2000 {
		many.Settings = append(many.Settings, &storepb.Setting{Name: fmt.Sprint(i)})
	}
	for name, d := range map[string]*storepb.DescribeResponse{
		"too many settings": many,
		"a setting twice":   {Settings: []*storepb.Setting{{Name: "a"}, {Name: "a"}}},
		"no name":           {Settings: []*storepb.Setting{{}}},
		"a long name":       {Name: strings.Repeat("n", 1<<20)},
		"a name of its own": {Name: "\x1b[2J"},
		"a long version":    {Version: strings.Repeat("1", 300)},
	} {
		if _, err := NewClient(dial(t, liar{describe: d})).Describe(t.Context()); err == nil {
			t.Errorf("%s: believed", name)
		}
	}

	c := NewClient(dial(t, liar{describe: &storepb.DescribeResponse{
		MaxValue: liarLimit, Capabilities: []storepb.Capability{storepb.Capability_CAPABILITY_BATCH, 999},
	}}))
	info, err := c.Describe(t.Context())
	if err != nil || info.Capabilities != cache.CanBatch {
		t.Fatalf("Describe = %+v, %v", info, err)
	}
	if _, _, err := c.Get(t.Context(), "k"); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("an answer a little longer than a message may be: %v", err)
	}
	for _, keys := range [][]string{{"one"}, {"one", "two", "three"}} {
		if _, err := c.GetMany(t.Context(), keys); err == nil {
			t.Errorf("%d keys: an answer of another length was believed", len(keys))
		}
	}
}

func TestLimitsHoldOnBothSides(t *testing.T) {
	c := open(t, small{memory(t)})
	big := cache.Entry{Value: make([]byte, 11)}
	if err := c.Set(t.Context(), "k", big); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("Set: %v", err)
	}
	// A host that does not check.
	c.info.Limits.MaxValue = math.MaxInt32
	if err := c.Set(t.Context(), "k", big); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("Set past the host's check: %v", err)
	}
}

type small struct{ *cache.Memory }

func (small) Limits() cache.Limits { return cache.Limits{MaxValue: 10} }

// The largest value, and a batch of many of them, exceed gRPC's default of
// 4 MiB by far.
func TestLargeValues(t *testing.T) {
	m, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: 256 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c := open(t, m)
	largest := cache.Entry{Value: make([]byte, largestTested)}
	largest.Value[len(largest.Value)-1] = 'x'
	items := []cache.Item{{Key: "a", Entry: largest}, {Key: "b", Entry: largest}, {Key: "c", Entry: cache.Entry{Value: []byte("v")}}}
	if err := c.SetMany(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	// A swap carries two of them.
	if ok, err := c.CompareAndSwap(t.Context(), "a", largest.Value, largest); !ok || err != nil {
		t.Errorf("CompareAndSwap of the largest value: %v, %v", ok, err)
	}
	got, err := c.GetMany(t.Context(), []string{"c", "a", "nothing", "b"})
	if err != nil || len(got) != 4 {
		t.Fatalf("GetMany: %d answers, %v", len(got), err)
	}
	for i, want := range []int{1, largestTested, 0, largestTested} {
		if n := len(got[i].Entry.Value); n != want || got[i].Found != (want > 0) {
			t.Errorf("answer %d: %d bytes, found %v; want %d", i, n, got[i].Found, want)
		}
	}
}

func TestNothingBeforeConfigure(t *testing.T) {
	c := NewClient(dial(t, newServer(memory(t))))
	if _, err := c.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Set(t.Context(), "k", cache.Entry{}); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Set before Configure: %v", err)
	}
	if err := c.Configure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Configure(t.Context(), nil); err == nil {
		t.Error("configured twice")
	}
}

// A store that hangs costs a caller without a deadline no more than the
// bound, and says that it was the store.
type hangs struct{ nopStore }

func (hangs) Get(ctx context.Context, _ string) (cache.Entry, bool, error) {
	<-ctx.Done()
	return cache.Entry{}, false, ctx.Err()
}

func (hangs) Delete(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAStoreThatHangs(t *testing.T) {
	c := open(t, hangs{})
	if err := c.Delete(t.Context(), "k"); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Delete without a deadline: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := c.Get(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get with a deadline: %v", err)
	}
}

func TestAPanicFailsOneCall(t *testing.T) {
	c := open(t, panics{memory(t)})
	if _, _, err := c.Get(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("Get: %v", err)
	}
	for _, err := range c.Scan(t.Context(), "") {
		if err == nil || !strings.Contains(err.Error(), "boom") {
			t.Errorf("Scan: %v", err)
		}
	}
	if err := c.Set(t.Context(), "k", cache.Entry{}); err != nil {
		t.Errorf("Set afterwards: %v", err)
	}
}
