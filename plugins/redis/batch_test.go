//go:build unix

package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/redistest"
)

// A batch tells the same whichever way it is read: value and expiry of each
// key, what is not there, and what is of another type.
func TestWaysToRead(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	s := inProcess(t, "redis+unix://"+server.Socket(), url.Values{"db": {"3"}, "prefix": {"p:"}})
	to, err := s.link.Load().get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	do := func(words ...string) {
		t.Helper()
		// The harness speaks to the database 0 only.
		script := "redis.call('SELECT', 3) return redis.call(unpack(ARGV))"
		server.Do(append([]string{"EVAL", script, "0"}, words...)...)
	}
	keys := []string{"missing", "key-7", "key-7"}
	for i := range 2 * mostKeys {
		keys = append(keys, fmt.Sprintf("key-%d", i))
		do("SET", "p:"+keys[len(keys)-1], fmt.Sprint(i))
	}
	ways := map[string]func(){
		"nothing expires":  func() { to.lasting.expiries.wrong.Store(0); to.lasting.misses.wrong.Store(0) },
		"some are missing": func() { to.lasting.expiries.wrong.Store(0); to.lasting.misses.wrong.Store(1 << 20) },
		"one by one":       func() { to.lasting.expiries.wrong.Store(1 << 20) },
		"by script":        func() { to.release = oldest; to.scripts = scriptsFor(oldest) },
	}
	look := func(way string, keys []string, expires time.Time) {
		t.Helper()
		found, err := s.GetMany(t.Context(), keys)
		if err != nil || len(found) != len(keys) {
			t.Fatalf("%s: %d answers, %v", way, len(found), err)
		}
		for i, key := range keys {
			value, there := strings.CutPrefix(key, "key-")
			want := cache.Lookup{Found: there}
			if there {
				want.Entry.Value = []byte(value)
			}
			if value == "7" {
				want.Entry.Expires = expires
			}
			if got := found[i]; got.Found != want.Found || string(got.Entry.Value) != string(want.Entry.Value) || !got.Entry.Expires.Equal(want.Entry.Expires) {
				t.Fatalf("%s: %s is %+v, want %+v", way, key, got, want)
			}
		}
	}
	check := func(way string, expires time.Time) {
		t.Helper()
		// Whether keys were missing makes a difference to the next batch.
		for _, keys := range [][]string{keys, keys[:20], keys[:20], keys[1:20], keys[1:20]} {
			ways[way]()
			look(way, keys, expires)
		}
	}
	for _, way := range []string{"nothing expires", "some are missing", "one by one", "by script"} {
		check(way, time.Time{})
		at := time.Now().Add(time.Hour).Truncate(time.Millisecond)
		if found, err := s.Touch(t.Context(), "key-7", at); !found || err != nil {
			t.Fatalf("%s: Touch: %v, %v", way, found, err)
		}
		check(way, at)
		if found, err := s.Touch(t.Context(), "key-7", time.Time{}); !found || err != nil {
			t.Fatalf("%s: Touch: %v, %v", way, found, err)
		}
		check(way, time.Time{})

		do("RPUSH", "p:list", "element")
		for _, keys := range [][]string{append(keys[1:20:20], "list"), append(keys[:20:20], "list"), {"list"}} {
			ways[way]()
			if found, err := s.GetMany(t.Context(), keys); err == nil || !strings.Contains(err.Error(), "a Redis list, not a string") || errors.Is(err, cache.ErrUnavailable) {
				t.Errorf("%s: a list among %d keys is %v, %v", way, len(keys), found, err)
			}
		}
		do("DEL", "p:list")
	}
}
