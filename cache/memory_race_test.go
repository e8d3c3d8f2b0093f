package cache_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func TestMemoryIncrementsExactly(t *testing.T) {
	const goroutines, each = 64, 500
	m := newMemory(t, cache.MemoryOptions{})
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				if _, _, err := m.Increment(context.Background(), "n", 1, time.Time{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wantMemoryValue(t, m, "n", strconv.Itoa(goroutines*each))
}

func TestMemorySwapsExactly(t *testing.T) {
	const goroutines, each = 8, 200
	m := newMemory(t, cache.MemoryOptions{})
	ctx := context.Background()
	memorySet(t, m, "n", cache.Entry{Value: []byte("0")})
	add := func() (bool, error) {
		e, _, err := m.Get(ctx, "n")
		if err != nil {
			return false, err
		}
		sum, _, err := cache.Add(e.Value, 1)
		if err != nil {
			return false, err
		}
		return m.CompareAndSwap(ctx, "n", e.Value, cache.Entry{Value: sum})
	}
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for done := 0; done < each; {
				ok, err := add()
				if err != nil {
					t.Error(err)
					return
				}
				if ok {
					done++
				}
			}
		})
	}
	wg.Wait()
	wantMemoryValue(t, m, "n", strconv.Itoa(goroutines*each))
}

func TestMemoryOneAdds(t *testing.T) {
	m := newMemory(t, cache.MemoryOptions{})
	for i := range 500 {
		var added atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				ok, err := m.SetIfAbsent(context.Background(), strconv.Itoa(i), cache.Entry{})
				if err != nil {
					t.Error(err)
				}
				if ok {
					added.Add(1)
				}
			})
		}
		wg.Wait()
		if n := added.Load(); n != 1 {
			t.Fatalf("%d goroutines added key %d", n, i)
		}
	}
}

// A read that starts after a write has ended sees it, or a later one, while
// the index around it grows, shrinks and fills with what was removed.
func TestMemoryReadsNothingStale(t *testing.T) {
	const versions = 100_000
	m := newMemory(t, cache.MemoryOptions{})
	ctx := context.Background()
	var written atomic.Int64
	memorySet(t, m, "k", cache.Entry{Value: []byte("0")})
	var others sync.WaitGroup
	done := make(chan struct{})
	others.Go(func() {
		for running(done) {
			least := written.Load()
			e, ok, err := m.Get(ctx, "k")
			if v, _ := strconv.ParseInt(string(e.Value), 10, 64); err != nil || !ok || v < least {
				t.Errorf("Get = %d, %v, %v after %d was written", v, ok, err, least)
				return
			}
		}
	})
	others.Go(func() {
		for running(done) {
			for i := range 500 {
				if err := m.Set(ctx, "other"+strconv.Itoa(i), cache.Entry{}); err != nil {
					t.Error(err)
				}
			}
			for i := range 400 {
				if err := m.Delete(ctx, "other"+strconv.Itoa(i)); err != nil {
					t.Error(err)
				}
			}
			if err := m.Clear(ctx, "other"); err != nil {
				t.Error(err)
			}
		}
	})
	for v := range int64(versions) {
		memorySet(t, m, "k", cache.Entry{Value: strconv.AppendInt(nil, v, 10)})
		written.Store(v)
	}
	close(done)
	others.Wait()
}

// A key that is set anew is found from then on, also by one who looked at its
// place in the index while it was being filled.
func TestMemoryReadsWhatCame(t *testing.T) {
	const keys = 100_000
	m := newMemory(t, cache.MemoryOptions{})
	var written atomic.Int64
	done := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for running(done) {
			last := written.Load()
			_, next, err := m.Get(context.Background(), strconv.FormatInt(last+1, 10)) // it may be or not
			if err != nil {
				t.Error(err)
			}
			for i := last; i > max(0, last-10); i-- {
				if !memoryHas(t, m, strconv.FormatInt(i, 10)) {
					t.Errorf("key %d is not found after it was set", i)
					return
				}
			}
			if next && !memoryHas(t, m, strconv.FormatInt(last+1, 10)) {
				t.Errorf("key %d is not found after it was found", last+1)
				return
			}
		}
	})
	for i := range int64(keys) {
		memorySet(t, m, strconv.FormatInt(i, 10), cache.Entry{})
		written.Store(i)
	}
	close(done)
	reader.Wait()
}

func running(done <-chan struct{}) bool {
	select {
	case <-done:
		return false
	default:
		return true
	}
}

func TestMemoryHoldsItsBoundsAfterAStorm(t *testing.T) {
	for _, o := range []cache.MemoryOptions{
		{MaxEntries: 1},
		{MaxEntries: 1000},
		{MaxBytes: 16 << 20},
		{MaxBytes: 1 << 20, MaxEntries: 100},
	} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			m := newMemory(t, o)
			var wg sync.WaitGroup
			for g := range uint64(8) {
				wg.Go(func() { memoryStorm(t, m, rand.New(rand.NewPCG(g, 0)), 2000) })
			}
			wg.Wait()
			st := m.Stats()
			if o.MaxEntries > 0 && st.Entries > o.MaxEntries || o.MaxBytes > 0 && st.Bytes > o.MaxBytes && st.Entries > 1 {
				t.Errorf("%+v", st)
			}
			// What is deleted is counted off to the byte.
			if err := m.DeleteMany(context.Background(), memoryKeys(t, m, "")); err != nil {
				t.Fatal(err)
			}
			if err := m.Clear(context.Background(), ""); err != nil { // what has expired
				t.Fatal(err)
			}
			if st := m.Stats(); st.Entries != 0 || st.Bytes != 0 {
				t.Errorf("empty, it still counts %+v", st)
			}
		})
	}
}

// memoryStorm does n operations of all kinds.
func memoryStorm(t *testing.T, m *cache.Memory, r *rand.Rand, n int) {
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	for range n {
		key := strconv.Itoa(r.IntN(3000))
		e := cache.Entry{Value: make([]byte, r.IntN(20_000))}
		if r.IntN(2) == 0 {
			e.Expires = time.Now().Add(time.Duration(r.IntN(50)) * time.Millisecond)
		}
		var err error
		switch r.IntN(12) {
		case 0:
			err = m.Delete(ctx, key)
		case 1:
			_, err = m.SetIfAbsent(ctx, key, e)
		case 2:
			_, err = m.CompareAndSwap(ctx, key, e.Value, e)
		case 3:
			_, err = m.CompareAndDelete(ctx, key, e.Value)
		case 4:
			_, _, err = m.Increment(ctx, "n"+key, 1, e.Expires)
		case 5:
			_, err = m.Touch(ctx, key, e.Expires)
		case 6:
			if r.IntN(100) == 0 {
				err = m.Clear(ctx, key[:1])
			}
		case 7, 8:
			_, _, err = m.Get(ctx, key)
		default:
			err = m.Set(ctx, key, e)
		}
		check(err)
	}
}

func TestMemoryCloseDuringWrites(t *testing.T) {
	for range 500 {
		m := newMemory(t, cache.MemoryOptions{})
		var writers, writing sync.WaitGroup
		for range 4 {
			writing.Add(1)
			writers.Go(func() {
				for i := 0; ; i++ {
					if err := m.Set(context.Background(), strconv.Itoa(i), cache.Entry{Expires: time.Now().Add(time.Hour)}); err != nil {
						return
					}
					if i == 0 {
						writing.Done()
					}
				}
			})
		}
		writing.Wait()
		m.Close()
		writers.Wait()
		if st := m.Stats(); st.Entries != 0 || st.Bytes != 0 {
			t.Fatalf("after Close: %+v", st)
		}
	}
}
