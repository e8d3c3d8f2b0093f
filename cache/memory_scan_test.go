package cache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/harpia-go/harpia/cache"
)

func TestMemoryScanAndClearKeepToThePrefix(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{})
	for _, key := range []string{"a", "a:", "a:1", "a:2", "b:1", "A:1", "\xffa:"} {
		memorySet(t, m, key, cache.Entry{})
	}
	for prefix, want := range map[string]string{
		"a:":   `["a:" "a:1" "a:2"]`,
		"a:1":  `["a:1"]`,
		"none": `[]`,
		"\xff": `["\xffa:"]`,
	} {
		if got := fmt.Sprintf("%q", memoryKeys(t, m, prefix)); got != want {
			t.Errorf("Scan(%q) yields %s, want %s", prefix, got, want)
		}
	}
	if err := m.Clear(context.Background(), "a:"); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%q", memoryKeys(t, m, "")), `["A:1" "a" "b:1" "\xffa:"]`; got != want {
		t.Errorf("Clear(\"a:\") leaves %s, want %s", got, want)
	}
}

// The consumer may do with the store as it likes, and stop when it likes.
func TestMemoryScanHoldsNoLock(t *testing.T) {
	const keys = 1000
	m := newMemory(t, cache.MemoryOptions{})
	for i := range keys {
		memorySet(t, m, strconv.Itoa(i), cache.Entry{})
	}
	seen := 0
	for key, err := range m.Scan(context.Background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		if err := m.Delete(context.Background(), key); err != nil {
			t.Fatal(err)
		}
		memorySet(t, m, "new"+key, cache.Entry{})
		if seen == keys/2 {
			break
		}
	}
	if n := m.Stats().Entries; n != keys {
		t.Errorf("%d entries, want %d", n, keys)
	}
}

func TestMemoryScanStopsWithItsContext(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{})
	for i := range 100 {
		memorySet(t, m, strconv.Itoa(i), cache.Entry{})
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	seen := 0
	for key, err := range m.Scan(ctx, "") {
		switch {
		case seen < 10 && err != nil:
			t.Fatal(err)
		case seen == 10 && !errors.Is(err, context.Canceled):
			t.Fatalf("the element after the context ended is %q, %v", key, err)
		case seen > 10:
			t.Fatal("an error does not end the iteration")
		}
		if seen++; seen == 10 {
			cancel()
		}
	}
	if seen != 11 {
		t.Errorf("%d elements, want 10 keys and an error", seen)
	}
}

// What the consumer deletes is not yielded afterwards.
func TestMemoryScanYieldsNothingDeleted(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{})
	for i := range 100 {
		memorySet(t, m, strconv.Itoa(i), cache.Entry{})
	}
	seen := 0
	for range m.Scan(context.Background(), "") {
		seen++
		if err := m.Clear(context.Background(), ""); err != nil {
			t.Fatal(err)
		}
	}
	if seen != 1 {
		t.Errorf("%d keys are yielded, want only the first", seen)
	}
}

func TestMemoryScansDuringWrites(t *testing.T) {
	const steady = 1000
	m := newMemory(t, cache.MemoryOptions{})
	for i := range steady {
		memorySet(t, m, "steady"+strconv.Itoa(i), cache.Entry{})
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for g := range uint64(2) {
		wg.Go(func() {
			for r := rand.New(rand.NewPCG(g, 1)); running(done); {
				key := strconv.Itoa(r.IntN(steady))
				m.Set(context.Background(), "steady"+key, cache.Entry{})
				m.Set(context.Background(), "comes and goes"+key, cache.Entry{})
				m.Delete(context.Background(), "comes and goes"+strconv.Itoa(r.IntN(steady)))
			}
		})
	}
	for range 20 {
		seen, steadies := map[string]bool{}, 0
		for key, err := range m.Scan(context.Background(), "") {
			if err != nil {
				t.Fatal(err)
			}
			if seen[key] {
				t.Errorf("%q is yielded twice", key)
			}
			seen[key] = true
			if key[0] == 's' {
				steadies++
			}
		}
		if steadies != steady {
			t.Errorf("%d of %d keys that were there all the time are yielded", steadies, steady)
		}
	}
	close(done)
	wg.Wait()
}
