package shared

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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
	select {
	case r.arrived <- key:
	case <-r.end:
	}
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
func (r *relay) DeleteMany(_ context.Context, keys []string) error {
	return r.SetMany(context.Background(), []cache.Item{{Key: keys[0]}})
}

// relaySender is a relay that says when it sends.
type relaySender struct{ *relay }

func (r relaySender) OnSend(sending func()) { r.sending = sending }

// breaksBatches is a connection that breaks in every batch of writes but the first
// few.
type breaksBatches struct {
	grpc.ClientConnInterface
	whole *int // how many are left that it does not break in
}

func (c breaksBatches) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	err := c.ClientConnInterface.Invoke(ctx, method, args, reply, opts...)
	if (strings.HasSuffix(method, "/SetMany") || strings.HasSuffix(method, "/DeleteMany")) && err == nil {
		if *c.whole--; *c.whole < 0 {
			err = status.Error(codes.Unavailable, "reset")
		}
	}
	return err
}

// openRelay returns a client of a plugin in this process, and what ends it.
func openRelay(t *testing.T, r *relay, store cache.Store, whole int) (c *Client, end func()) {
	t.Helper()
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
	for name, size := range map[string]int{"small": 1, "large": laneSmall + 1, "batch": 0, "deletes": -1} {
		for _, says := range []bool{true, false} {
			r := newRelay(t)
			var store cache.Store = r
			if says {
				store = relaySender{r}
			}
			c, end := openRelay(t, r, store, 0)
			calls := make(map[string]chan error)
			for _, key := range keys {
				done := make(chan error, 1)
				calls[key] = done
				switch size {
				case 0:
					done <- c.SetMany(t.Context(), []cache.Item{{Key: key}})
					continue
				case -1:
					done <- c.DeleteMany(t.Context(), []string{key})
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

// quickRelay is a relay that is Quick as soon as it is configured.
type quickRelay struct {
	*relay
	quick bool
}

func (q *quickRelay) Quick() bool                               { return q.quick }
func (q *quickRelay) Configure(context.Context, Settings) error { q.quick = true; return nil }
func (q *quickRelay) Describe() Description                     { return Description{Name: "quick"} }

// What a quick store was given counts too.
func TestNeverSentByAQuickStore(t *testing.T) {
	r := newRelay(t)
	c, end := openRelay(t, r, &quickRelay{relay: r}, 0)
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- c.Set(t.Context(), "k", cache.Entry{}) }()
	}
	<-r.arrived // the other waits for its turn
	end()
	errs := []error{<-done, <-done}
	c.Ended()
	if a, b := NeverSent(errs[0]), NeverSent(errs[1]); a == b {
		t.Errorf("of two calls the store was given one, and never sent were: %v, %v", a, b)
	}
}

// Of a batch of more than one message the first may have been done.
func TestNeverSentIsOfAWholeBatch(t *testing.T) {
	items, keys := make([]cache.Item, batchItems+1), make([]string, batchItems+1)
	for i := range items {
		items[i].Key, keys[i] = "given", "given"
	}
	for name, batch := range map[string]func(*Client) error{
		"SetMany":    func(c *Client) error { return c.SetMany(t.Context(), items) },
		"DeleteMany": func(c *Client) error { return c.DeleteMany(t.Context(), keys) },
	} {
		r := newRelay(t)
		c, end := openRelay(t, r, relaySender{r}, 1)
		err := batch(c)
		end()
		c.Ended()
		if !errors.Is(err, ErrBroken) || NeverSent(err) {
			t.Errorf("%s: %v; never sent: %v", name, err, NeverSent(err))
		}
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
		"elsewhere": nil,
		"untouched": func(string) error { return nil },
	} {
		r := newRelay(t)
		c, end := openRelay(t, r, relaySender{r}, 0)
		done := make(chan error)
		go func() { done <- c.Set(t.Context(), "given", cache.Entry{}) }()
		<-r.arrived
		end()
		err := <-done
		if spoil == nil {
			elsewhere := filepath.Join(t.TempDir(), "sent")
			if err := os.Rename(c.lane.GetSent(), elsewhere); err != nil {
				t.Fatal(err)
			}
			c.lane.Sent = elsewhere
		} else if err := spoil(c.lane.GetSent()); err != nil {
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

type exclusiveRelay struct{ *relay }

func (exclusiveRelay) Describe() Description { return Description{Name: "x", Exclusive: true} }
