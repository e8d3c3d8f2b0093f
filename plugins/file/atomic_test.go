package main

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// Everything that changes one key at a time, from many sides: each step takes
// effect once, and none is lost.
func TestAtomicity(t *testing.T) {
	for name, settings := range map[string][]string{
		"unbounded": {"sync", "never"},
		"bounded":   {"sync", "never", "max_bytes", "64MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir(), settings...)
			const workers, rounds = 8, 200
			var wg sync.WaitGroup
			var mu sync.Mutex
			wins := map[string]int{}
			win := func(what string, i int) {
				mu.Lock()
				defer mu.Unlock()
				wins[fmt.Sprint(what, " ", i)]++
			}
			stop := make(chan struct{})
			// Meanwhile the sweeper sweeps entries that expire at once.
			var sweeps sync.WaitGroup
			sweeps.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						if err := s.sweep(t.Context()); err != nil {
							t.Error(err)
							return
						}
					}
				}
			})
			for w := range workers {
				wg.Go(func() {
					for i := range rounds {
						if _, _, err := s.Increment(t.Context(), "count", 1, time.Time{}); err != nil {
							t.Error(err)
						}
						// One adds, one deletes what was added.
						key := fmt.Sprint("add ", i)
						if ok, err := s.SetIfAbsent(t.Context(), key, cache.Entry{Value: []byte("v")}); err != nil {
							t.Error(err)
						} else if ok {
							win("add", i)
						}
						key = fmt.Sprint("once ", i)
						if w == 0 {
							mustSet(t, s, key, "v", time.Now().Add(time.Hour))
						}
						if ok, err := s.CompareAndDelete(t.Context(), key, []byte("v")); err != nil {
							t.Error(err)
						} else if ok {
							win("delete", i)
						}
						// A sum by compare and swap.
						for {
							e, found, err := s.Get(t.Context(), "sum")
							if err != nil {
								t.Error(err)
								return
							}
							if !found {
								if _, err := s.SetIfAbsent(t.Context(), "sum", cache.Entry{Value: []byte("0")}); err != nil {
									t.Error(err)
									return
								}
								continue
							}
							n, _ := strconv.Atoi(string(e.Value))
							ok, err := s.CompareAndSwap(t.Context(), "sum", e.Value, cache.Entry{Value: []byte(strconv.Itoa(n + 1))})
							if err != nil {
								t.Error(err)
								return
							}
							if ok {
								break
							}
						}
						// An entry that expires under it comes back whole or not.
						mustSet(t, s, "brief", "v", time.Now().Add(time.Millisecond))
						if _, err := s.Touch(t.Context(), "brief", time.Now().Add(2*time.Millisecond)); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			close(stop)
			sweeps.Wait()
			wantValue(t, s, "count", strconv.Itoa(workers*rounds))
			wantValue(t, s, "sum", strconv.Itoa(workers*rounds))
			for i := range rounds {
				if n := wins[fmt.Sprint("add ", i)]; n != 1 {
					t.Errorf("%d callers have added %d", n, i)
				}
				if n := wins[fmt.Sprint("delete ", i)]; n > 1 {
					t.Errorf("%d callers have deleted %d", n, i)
				}
			}
			if s.bound != nil {
				recount(t, s)
			}
		})
	}
}

// Batches that meet lock their keys in one order, whatever theirs is, and are
// seen by none of them in halves.
func TestBatchesDoNotDeadlock(t *testing.T) {
	s := open(t, t.TempDir(), "sync", "never")
	const n = 50
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for round := range 100 {
				items := make([]cache.Item, n)
				keys := make([]string, n)
				for i := range items {
					at := i
					if w%2 == 1 {
						at = n - 1 - i
					}
					keys[i] = fmt.Sprint("k", at)
					items[i] = cache.Item{Key: keys[i], Entry: cache.Entry{Value: fmt.Append(nil, w, "-", round)}}
				}
				if err := s.SetMany(t.Context(), items); err != nil {
					t.Error(err)
				}
				if round%10 == 0 {
					if err := s.DeleteMany(t.Context(), keys); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	first, _, err := s.Get(t.Context(), "k0")
	noError(t, err)
	for i := range n {
		wantValue(t, s, fmt.Sprint("k", i), string(first.Value))
	}
}

// An Increment that has read what Clear removes does not bring it back.
func TestClearAgainstWriters(t *testing.T) {
	const keys, old = 2 * fewKeys, 1_000_000
	s := open(t, t.TempDir(), "sync", "never")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, err := s.Increment(t.Context(), fmt.Sprint("n", i%keys), 1, time.Time{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var items []cache.Item
	for i := range keys {
		items = append(items, cache.Item{Key: fmt.Sprint("n", i), Entry: cache.Entry{Value: []byte(strconv.Itoa(old))}})
	}
	for range 50 {
		noError(t, s.SetMany(t.Context(), items))
		noError(t, s.Clear(t.Context(), "n"))
		for _, it := range items {
			e, _, err := s.Get(t.Context(), it.Key)
			noError(t, err)
			if n, _ := strconv.Atoi(string(e.Value)); n >= old {
				t.Fatalf("%s is %d after Clear", it.Key, n)
			}
		}
	}
	close(stop)
	wg.Wait()
}
