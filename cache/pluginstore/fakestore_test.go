package pluginstore

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/harpia-go/harpia/cache"
)

// openFake opens a store whose processes launch makes; the first must start.
func openFake(t *testing.T, o Options, launch func() (*fakePlug, error)) *Store {
	t.Helper()
	o.Dirs, o.Locks, o.Logger = []string{}, []string{}, slog.New(slog.DiscardHandler)
	opts, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(URL{Name: "fake"}, opts)
	s.program.Store(&program{path: "fake", name: "fake"})
	s.supervisor.launch = func(context.Context) (plug, error) {
		s.board.starting()
		p, err := launch()
		if err != nil {
			return nil, err
		}
		return p, nil
	}
	ctx := context.WithoutCancel(t.Context())
	p, err := s.supervisor.launch(ctx)
	if err == nil {
		err = s.openSpool(p)
	}
	if err == nil {
		err = s.serve(ctx, p)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.supervise(ctx, p, nil)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// fakes makes the processes of one store, one after the other.
type fakes struct {
	t    *testing.T
	data *cache.Memory // of all of them; nil: each has its own

	mu   sync.Mutex
	make func(*fakePlug) // changes a process that is about to start
	made []*fakePlug
}

func newData(t testing.TB) *cache.Memory {
	t.Helper()
	m, err := cache.NewMemory(cache.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func (f *fakes) launch() (*fakePlug, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	data := f.data
	if data == nil {
		data = newData(f.t)
	}
	p := newFakePlug(len(f.made)+1, data)
	if f.make != nil {
		f.make(p)
	}
	f.made = append(f.made, p)
	return p, nil
}

func (f *fakes) making(change func(*fakePlug)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.make = change
}

func (f *fakes) last() *fakePlug {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made[len(f.made)-1]
}

func (f *fakes) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.made)
}

func entry(text string) cache.Entry { return cache.Entry{Value: []byte(text)} }

// finds fails unless key holds text, or nothing if text is empty.
func finds(t *testing.T, s cache.Store, key, text string) {
	t.Helper()
	e, ok, err := s.Get(context.Background(), key)
	if err != nil || ok != (text != "") || string(e.Value) != text {
		t.Errorf("%s holds %q, %v, %v; want %q", key, e.Value, ok, err, text)
	}
}

func put(t *testing.T, s cache.Store, key, text string) {
	t.Helper()
	if err := s.Set(context.Background(), key, entry(text)); err != nil {
		t.Errorf("Set %s: %v", key, err)
	}
}

// async makes a call and returns where its error comes.
func async(call func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	return done
}

// errorOf returns the error of a call that has returned.
func errorOf(t *testing.T, call <-chan error) error {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-call:
		return err
	default:
		t.Fatal("the call has not returned")
		return nil
	}
}

// serves fails unless process number id serves.
func serves(t *testing.T, s *Store, id int) {
	t.Helper()
	synctest.Wait()
	if st := s.Status(); st.State != Ready || st.PID != id || st.Fallback {
		t.Errorf("the status is %+v, want process %d to serve", st, id)
	}
}
