package shared

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/harpia-go/harpia/cache"
)

// relay is a store that answers no Set. It says that it sends only those of keys
// that begin with "sent".
type relay struct {
	cache.Store
	sending func()
	arrived chan string
	end     chan struct{}
}

func newRelay(t *testing.T) *relay {
	return &relay{Store: memory(t), arrived: make(chan string), end: make(chan struct{})}
}

func (r *relay) Set(_ context.Context, key string, _ cache.Entry) error {
	if r.sending != nil && strings.HasPrefix(key, "sent") {
		r.sending()
	}
	r.arrived <- key
	<-r.end
	return nil
}

func (r *relay) SetMany(_ context.Context, items []cache.Item) error {
	if r.sending != nil && strings.HasPrefix(items[0].Key, "sent") {
		r.sending()
	}
	return nil
}

func (r *relay) GetMany(context.Context, []string) ([]cache.Lookup, error) { return nil, nil }
func (r *relay) DeleteMany(context.Context, []string) error                { return nil }

// relaySender is a relay that says when it sends.
type relaySender struct{ *relay }

func (r relaySender) OnSend(sending func()) { r.sending = sending }

// breaksBatches is a connection that breaks in every SetMany but the first few.
type breaksBatches struct {
	grpc.ClientConnInterface
	whole *int // how many are left that it does not break in
}

func (c breaksBatches) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	err := c.ClientConnInterface.Invoke(ctx, method, args, reply, opts...)
	if strings.HasSuffix(method, "/SetMany") && err == nil {
		if *c.whole--; *c.whole < 0 {
			err = status.Error(codes.Unavailable, "reset")
		}
	}
	return err
}

// openRelay returns a client of a plugin in this process, and what ends it.
func openRelay(t *testing.T, r *relay, says bool, whole int) (c *Client, end func()) {
	t.Helper()
	var store cache.Store = r
	if says {
		store = relaySender{r}
	}
	s := newServer(store)
	o, err := offerLane(t.TempDir(), os.Getpid(), s, &guard{log: newLogger(t.Output(), 0)})
	if err != nil {
		t.Fatal(err)
	}
	s.lane = o
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { o.serve(ctx) })
	t.Cleanup(func() {
		cancel()
		close(r.end)
		serving.Wait()
	})
	c = NewClient(breaksBatches{dial(t, s), &whole})
	if _, err := c.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Configure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := c.OpenLane(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, cancel
}

func TestNeverSent(t *testing.T) {
	keys := []string{"given before", "sent", "given"}
	for name, size := range map[string]int{"small": 1, "large": laneSmall + 1, "batch": 0} {
		for _, says := range []bool{true, false} {
			r := newRelay(t)
			c, end := openRelay(t, r, says, 0)
			calls := make(map[string]chan error)
			for _, key := range keys {
				done := make(chan error, 1)
				calls[key] = done
				if size == 0 {
					done <- c.SetMany(t.Context(), []cache.Item{{Key: key}})
					continue
				}
				go func() { done <- c.Set(t.Context(), key, cache.Entry{Value: make([]byte, size)}) }()
				<-r.arrived
			}
			end()
			errs := make(map[string]error)
			for key, done := range calls {
				if errs[key] = <-done; !errors.Is(errs[key], ErrBroken) || NeverSent(errs[key]) {
					t.Errorf("%s: %s: %v, and that it was never sent is not known yet", name, key, errs[key])
				}
			}
			c.Ended()
			for key, err := range errs {
				// What the store was given by the time it sends may be sent.
				if want := says && key == "given"; NeverSent(err) != want {
					t.Errorf("%s: %s was never sent: %v, want %v; the store says when: %v", name, key, !want, want, says)
				}
			}
			if late := c.Set(t.Context(), "late", cache.Entry{}); !NeverSent(late) {
				t.Errorf("%s: after the end: %v", name, late)
			}
		}
	}
	if NeverSent(nil) || NeverSent(cache.ErrUnavailable) {
		t.Error("any error is one of a call that was never sent")
	}
}

// Of a batch of more than one message the first may have been done.
func TestNeverSentIsOfAWholeBatch(t *testing.T) {
	c, end := openRelay(t, newRelay(t), true, 1)
	items := make([]cache.Item, batchItems+1)
	for i := range items {
		items[i].Key = "given"
	}
	err := c.SetMany(t.Context(), items)
	end()
	c.Ended()
	if !errors.Is(err, ErrBroken) || NeverSent(err) {
		t.Errorf("%v; never sent: %v", err, NeverSent(err))
	}
}

// Whatever a plugin leaves in the place of its counts, nothing is taken for never
// sent, and the host does not wait.
func TestCountsThatAreNone(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"removed":   os.Remove,
		"cut":       func(path string) error { return os.Truncate(path, countsSize-1) },
		"longer":    func(path string) error { return os.Truncate(path, countsSize+1) },
		"a pipe":    func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
		"a link":    func(path string) error { return errors.Join(os.Rename(path, path+"2"), os.Symlink(path+"2", path)) },
		"a folder":  func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"untouched": func(string) error { return nil },
	} {
		r := newRelay(t)
		c, end := openRelay(t, r, true, 0)
		done := make(chan error)
		go func() { done <- c.Set(t.Context(), "given", cache.Entry{}) }()
		<-r.arrived
		end()
		err := <-done
		if err := spoil(c.lane.GetSent()); err != nil {
			t.Fatal(err)
		}
		c.Ended()
		if want := name == "untouched"; NeverSent(err) != want {
			t.Errorf("%s: it was never sent: %v, want %v", name, !want, want)
		}
	}
}

// Only a store that others share is counted: another is told what it missed.
func TestWhoIsCounted(t *testing.T) {
	for _, c := range []struct {
		name  string
		store cache.Store
		want  bool
	}{
		{"shared", newRelay(t), true},
		{"shared and quick", quickRelay{newRelay(t)}, false},
		{"exclusive", exclusiveRelay{newRelay(t)}, false},
	} {
		o, err := offerLane(t.TempDir(), os.Getpid(), newServer(c.store), &guard{log: newLogger(t.Output(), 0)})
		if err != nil {
			t.Fatal(err)
		}
		_ = o.listener.Close()
		if got := o.toWire().GetSent() != ""; got != c.want {
			t.Errorf("%s: counted: %v, want %v", c.name, got, c.want)
		}
	}
}

type quickRelay struct{ *relay }

func (quickRelay) Quick() bool { return true }

type exclusiveRelay struct{ *relay }

func (exclusiveRelay) Describe() Description { return Description{Name: "x", Exclusive: true} }
