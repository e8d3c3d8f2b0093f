//go:build unix

package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/redistest"
)

// Reads and writes in one pipeline do what they do each for itself, whichever
// way is read.
func TestMix(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	s := inProcess(t, "redis+unix://"+server.Socket(), nil)
	if !s.Mixes() {
		t.Fatal("it does not mix")
	}
	to, err := s.link.Load().get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for i := range 2 * mostKeys {
		keys = append(keys, fmt.Sprint("key-", i))
		server.Do("SET", keys[i], fmt.Sprint(i))
	}
	keys = append(keys, "missing")
	round := 0
	mix := func(way string, keys []string) {
		t.Helper()
		round++
		until := time.Now().Add(time.Hour).Truncate(time.Millisecond)
		items := []cache.Item{
			{Key: "item", Entry: cache.Entry{Value: []byte("earlier")}},
			{Key: "item", Entry: cache.Entry{Value: fmt.Append(nil, round)}},
			{Key: "other", Entry: cache.Entry{Value: []byte("x"), Expires: until}},
		}
		found, read, wrote := s.Mix(t.Context(), keys, items)
		if read != nil || wrote != nil || len(found) != len(keys) {
			t.Fatalf("%s: %d of %d keys, %v, %v", way, len(found), len(keys), read, wrote)
		}
		for i, key := range keys {
			want, there := strings.CutPrefix(key, "key-")
			if got := found[i]; got.Found != there || there && string(got.Entry.Value) != want || !got.Entry.Expires.IsZero() {
				t.Fatalf("%s: %s is %+v", way, key, got)
			}
		}
		if e, _, err := s.Get(t.Context(), "item"); string(e.Value) != fmt.Sprint(round) || err != nil {
			t.Fatalf("%s: the last of two writes is lost: %q, %v", way, e.Value, err)
		}
		if e, _, err := s.Get(t.Context(), "other"); !e.Expires.Equal(until) || err != nil {
			t.Fatalf("%s: it expires at %v, not %v: %v", way, e.Expires, until, err)
		}
	}
	for way, set := range map[string]func(){
		"nothing expires": func() { server.Do("DEL", "other"); to.lasting.expiries.wrong.Store(0) },
		"one by one":      func() { to.lasting.expiries.wrong.Store(1 << 20) },
	} {
		for _, keys := range [][]string{keys, keys[len(keys)-20:], keys[:20], keys[:1]} {
			set()
			mix(way, keys)
		}
	}
	to.release, to.scripts = oldest, scriptsFor(oldest)
	if s.Mixes() {
		t.Error("it mixes where it reads by script")
	}
	mix("by script", keys[:20])
}

// What is wrong with the reads is none of the writes' errors, and the other way
// round.
func TestMixFails(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	s := inProcess(t, "redis+unix://"+server.Socket(), nil)
	server.Do("SET", "key", "value")
	server.Do("RPUSH", "list", "element")
	item := []cache.Item{{Key: "item", Entry: cache.Entry{Value: []byte("1")}}}
	ctx := t.Context()

	_, read, wrote := s.Mix(ctx, []string{"key", "list"}, item)
	if read == nil || !strings.Contains(read.Error(), "a Redis list") || wrote != nil {
		t.Errorf("a list among the keys: %v, %v", read, wrote)
	}
	_, read, wrote = s.Mix(ctx, []string{"key", ""}, item)
	if !errors.Is(read, cache.ErrInvalidKey) || wrote != nil {
		t.Errorf("a wrong key: %v, %v", read, wrote)
	}
	if e, _, err := s.Get(ctx, "item"); string(e.Value) != "1" || err != nil {
		t.Errorf("the item is %q, %v", e.Value, err)
	}
	found, read, wrote := s.Mix(ctx, []string{"key"}, []cache.Item{{Key: ""}})
	if read != nil || len(found) != 1 || string(found[0].Entry.Value) != "value" || !errors.Is(wrote, cache.ErrInvalidKey) {
		t.Errorf("a wrong item: %v, %v, %v", found, read, wrote)
	}
	// It takes no writes and serves reads.
	server.Do("CONFIG", "SET", "maxmemory", "1")
	found, read, wrote = s.Mix(ctx, []string{"key"}, item)
	if read != nil || len(found) != 1 || string(found[0].Entry.Value) != "value" || !errors.Is(wrote, cache.ErrUnavailable) {
		t.Errorf("no memory: %v, %v, %v", found, read, wrote)
	}
	server.Stop()
	found, read, wrote = s.Mix(ctx, []string{"key"}, item)
	if found != nil || !errors.Is(read, cache.ErrUnavailable) || !errors.Is(wrote, cache.ErrUnavailable) {
		t.Errorf("no server: %v, %v, %v", found, read, wrote)
	}
}
