package pluginstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// killers are keys whose calls kill the process, by the methods that do.
type killers struct {
	mu   sync.Mutex
	keys map[string][]string
}

// set lets the methods kill on the key from now on, or none.
func (k *killers) set(key string, methods ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		k.keys = make(map[string][]string)
	}
	k.keys[key] = methods
}

func (k *killers) of(key string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[key]
}

// poisoned lets the calls of the process that are in k kill it.
func (k *killers) poisoned(p *fakePlug) {
	p.wire.failing(func(method, key string) error {
		if len(k.of(key)) == 0 {
			time.Sleep(30 * time.Millisecond) // and is under way meanwhile
		}
		for _, kills := range k.of(key) {
			if kills == method {
				p.die()
			}
		}
		if isDead(p) {
			return fmt.Errorf("%w: %w", cache.ErrUnavailable, shared.ErrBroken)
		}
		return nil
	})
}

var kinds = map[string]func(*fakePlug){
	"scratch": func(*fakePlug) {},
	"durable": durableStore,
	"shared":  sharedStore,
}

// One request for a key that kills each process costs three of them at most, and
// no other key anything: not one that is asked for at the same time, nor one that is
// written while the plugin is down, nor the plugin's restarts.
func TestOneKeyThatKills(t *testing.T) {
	methods := map[string][]string{
		"read":  {"Get"},
		"write": {"Set"},
		"both":  {"Get", "Set", "Delete", "Increment"},
	}
	calls := map[string]func(context.Context, *Store) error{
		"Get": func(ctx context.Context, s *Store) error { _, _, err := s.Get(ctx, "bad"); return err },
		"GetMany": func(ctx context.Context, s *Store) error {
			_, err := s.GetMany(ctx, []string{"a", "bad", "c"})
			return err
		},
		"Set": func(ctx context.Context, s *Store) error { return s.Set(ctx, "bad", entry("x")) },
		"SetMany": func(ctx context.Context, s *Store) error {
			return s.SetMany(ctx, []cache.Item{{Key: "a", Entry: entry("1")}, {Key: "bad", Entry: entry("x")}, {Key: "c", Entry: entry("1")}})
		},
		"Increment": func(ctx context.Context, s *Store) error {
			_, _, err := s.Increment(ctx, "bad", 1, time.Time{})
			return err
		},
	}
	for kind, make := range kinds {
		for on, kills := range methods {
			for call, do := range calls {
				for _, crowd := range []int{0, 20} {
					t.Run(fmt.Sprintf("%s, kills on %s, %s, among %d", kind, on, call, crowd), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { oneKeyThatKills(t, make, kills, do, crowd) })
					})
				}
			}
		}
	}
}

func oneKeyThatKills(t *testing.T, kind func(*fakePlug), methods []string, call func(context.Context, *Store) error, crowd int) {
	k := &killers{}
	k.set("bad", methods...)
	f := &fakes{t: t, data: newData(t), make: func(p *fakePlug) { kind(p); k.poisoned(p) }}
	s := openFake(t, Options{Restart: Restart{Failures: 4}}, f.launch)
	put(t, s, "before", "v")
	// Others are under way each time that a process dies.
	stop, others := make(chan struct{}), sync.WaitGroup{}
	wrote := make([]string, crowd)
	for i := range crowd {
		others.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprint("other", i)
				if err := s.Set(context.Background(), key, entry(fmt.Sprint(n))); err == nil {
					wrote[i] = fmt.Sprint(n)
				} else {
					wrote[i] = ""
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_ = call(ctx, s)
		cancel()
		time.Sleep(2 * time.Second)
	}
	close(stop)
	others.Wait()
	if n := f.count() - 1; n > 3 {
		t.Errorf("%d processes died of it", n)
	}
	if st := s.Status(); st.State != Ready || st.Fallback {
		t.Errorf("the status is %+v", st)
	}
	finds(t, s, "before", "v")
	for i, text := range wrote {
		if text != "" {
			finds(t, s, fmt.Sprint("other", i), text)
		}
	}
}

// What was acknowledged for a key in quarantine is kept for the plugin, which is
// told of it when it is reset, or when the time is over. Until then nobody reads
// what the key held before.
func TestQuarantineKeepsWhatWasAcknowledged(t *testing.T) {
	const within = 10 * time.Minute
	for kind, missing := range map[string]bool{"scratch": true, "durable": false} {
		for how, heal := range map[string]func(*Store){
			"reset": (*Store).Reset,
			"time":  func(*Store) { time.Sleep(within) },
		} {
			t.Run(kind+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					k := &killers{}
					f := &fakes{t: t, data: newData(t), make: func(p *fakePlug) { kinds[kind](p); k.poisoned(p) }}
					s := openFake(t, Options{Restart: Restart{Within: within}}, f.launch)
					put(t, s, "bad", "old")
					k.set("bad", "Set", "Get", "Delete")
					put(t, s, "bad", "new")
					time.Sleep(10 * time.Second)
					serves(t, s, 3)
					if got := s.Status().Quarantine; len(got) != 1 || got[0] != keyDigest("bad") {
						t.Errorf("in quarantine are %v", got)
					}
					e, ok, err := s.Get(t.Context(), "bad")
					if missing && (ok || err != nil) || !missing && !errors.Is(err, ErrQuarantined) {
						t.Errorf("Get: %q, %v, %v", e.Value, ok, err)
					}
					for name, call := range map[string]func() error{
						"Set":    func() error { return s.Set(t.Context(), "bad", entry("x")) },
						"Delete": func() error { return s.Delete(t.Context(), "bad") },
						"SetMany": func() error {
							return s.SetMany(t.Context(), []cache.Item{{Key: "a", Entry: entry("x")}, {Key: "bad", Entry: entry("x")}})
						},
						"Increment": func() error { _, _, err := s.Increment(t.Context(), "bad", 1, time.Time{}); return err },
					} {
						if err := call(); !errors.Is(err, ErrQuarantined) || !errors.Is(err, cache.ErrUnavailable) {
							t.Errorf("%s: %v", name, err)
						}
					}
					k.set("bad")
					heal(s)
					time.Sleep(healthInterval)
					finds(t, s, "bad", "new")
					put(t, s, "bad", "newer")
					finds(t, s, "bad", "newer")
					serves(t, s, 3)
					if got := s.Status().Quarantine; len(got) != 0 {
						t.Errorf("in quarantine are %v", got)
					}
				})
			})
		}
	}
}

// A key that kills still when it is tried again costs one more process, and what is
// kept for it stays so: through another outage, in which it is written over, and a
// Clear, after which there is nothing.
func TestQuarantineThatIsTriedInVain(t *testing.T) {
	for _, clears := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			k := &killers{}
			k.set("bad", "Set", "Delete", "Get")
			f := &fakes{t: t, data: newData(t), make: k.poisoned}
			s := openFake(t, Options{}, f.launch)
			put(t, s, "bad", "1")
			time.Sleep(5 * time.Second)
			serves(t, s, 3)
			time.Sleep(10*time.Minute + 10*time.Second)
			serves(t, s, 4)
			f.last().die()
			synctest.Wait()
			put(t, s, "bad", "2")
			finds(t, s, "bad", "2")
			time.Sleep(5 * time.Second)
			serves(t, s, 5)
			want := "2"
			if clears {
				want = ""
				if err := s.Clear(t.Context(), "b"); err != nil {
					t.Error(err)
				}
			}
			k.set("bad")
			s.Reset()
			time.Sleep(time.Second)
			finds(t, s, "bad", want)
			serves(t, s, 5)
		})
	}
}

// What is in the journal at a death that has nothing to do with it is told in
// batches: the key that kills is found in them.
func TestKeyThatKillsAmongMany(t *testing.T) {
	for _, n := range []int{10, 3 * replayBatch} {
		synctest.Test(t, func(t *testing.T) {
			k := &killers{}
			k.set("bad", "Set", "Delete")
			f := &fakes{t: t, data: newData(t), make: k.poisoned}
			s := openFake(t, Options{}, f.launch)
			f.last().die()
			synctest.Wait()
			for i := range n {
				put(t, s, fmt.Sprint(i), "v")
				if i == n/2 {
					put(t, s, "bad", "v")
				}
			}
			time.Sleep(5 * time.Minute)
			if n := f.count() - 2; n > 3 {
				t.Errorf("%d processes died of it", n)
			}
			if st := s.Status(); st.State != Ready || len(st.Quarantine) != 1 {
				t.Errorf("the status is %+v", st)
			}
			for i := range n {
				finds(t, s, fmt.Sprint(i), "v")
			}
		})
	}
}

// It takes a key that was alone under way at three deaths to bar it if they were by
// SIGKILL, which is most often somebody else's, and two if the process ended itself.
func TestKilledProcessesProveLess(t *testing.T) {
	for deaths, slain := range map[int]bool{2: false, 3: true} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakes{t: t, data: newData(t)}
			f.making(func(p *fakePlug) {
				p.slain = slain
				p.wire.hold("Get", "k", false)
			})
			s := openFake(t, Options{}, f.launch)
			read := async(func() error { _, _, err := s.Get(t.Context(), "k"); return err })
			put(t, s, "other", "v")
			for n := 1; n <= deaths; n++ {
				synctest.Wait()
				if got := s.Status().Quarantine; len(got) != 0 {
					t.Fatalf("killed: %v; before death %d of %d in quarantine are %v", slain, n, deaths, got)
				}
				put(t, s, "other", "v") // nor is it a suspect
				f.last().die()
				synctest.Wait()
				_ = errorOf(t, read)
				time.Sleep(5 * time.Second)
				serves(t, s, n+1)
				read = async(func() error { _, _, err := s.Get(t.Context(), "k"); return err })
			}
			synctest.Wait()
			if got := s.Status().Quarantine; len(got) != 1 {
				t.Errorf("killed: %v; after %d deaths in quarantine are %v", slain, deaths, got)
			}
		})
	}
}

// A process that somebody kills again and again while it serves puts nothing into
// quarantine.
func TestKillsBarNothing(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &killers{}
				f := &fakes{t: t, data: newData(t), make: func(p *fakePlug) { kind(p); k.poisoned(p) }}
				s := openFake(t, Options{Restart: Restart{Failures: 1000, MaxDelay: 200 * time.Millisecond}}, f.launch)
				ctx, cancel := context.WithCancel(t.Context())
				var callers sync.WaitGroup
				for i := range 16 {
					callers.Go(func() {
						for n := 0; ctx.Err() == nil; n++ {
							key := fmt.Sprint((i + n) % 4)
							if _, _, err := s.Get(ctx, key); errors.Is(err, ErrQuarantined) {
								t.Error(err)
							}
							if err := s.Set(ctx, key, entry("v")); errors.Is(err, ErrQuarantined) {
								t.Error(err)
							}
							time.Sleep(time.Millisecond)
						}
					})
				}
				for i := range 20 {
					for s.Status().State != Ready {
						time.Sleep(10 * time.Millisecond)
					}
					// Each key has been answered once by then.
					time.Sleep(time.Second + time.Duration(i)*7*time.Millisecond)
					f.last().die()
				}
				cancel()
				callers.Wait()
			})
		})
	}
}
