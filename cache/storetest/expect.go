package storetest

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// The three methods of Store for cases that do not expect them to fail, and
// what cases demand of the answers.

func (p *probe) set(key, value string) { p.setEntry(key, cache.Entry{Value: []byte(value)}) }

func (p *probe) setEntry(key string, e cache.Entry) {
	if err := p.store.Set(p.ctx, key, e); err != nil {
		p.fatalf("Set(%s): %w", p.name(key), err)
	}
}

func (p *probe) get(key string) (cache.Entry, bool) {
	e, found, err := p.store.Get(p.ctx, key)
	if err != nil {
		p.fatalf("Get(%s): %w", p.name(key), err)
	}
	return e, found
}

func (p *probe) delete(key string) {
	if err := p.store.Delete(p.ctx, key); err != nil {
		p.fatalf("Delete(%s): %w", p.name(key), err)
	}
}

// wantValue demands that key holds value and returns the entry.
func (p *probe) wantValue(key, value string) cache.Entry {
	e, found := p.get(key)
	if !found {
		p.fatalf("Get(%s) is a miss, want %s", p.name(key), short(value))
	}
	if string(e.Value) != value {
		p.fatalf("Get(%s) is %s, want %s", p.name(key), short(e.Value), short(value))
	}
	return e
}

// wantEntry is wantValue, and demands the expiry as well.
func (p *probe) wantEntry(key, value string, expires time.Time) {
	e := p.wantValue(key, value)
	p.wantExpires("Get", key, e.Expires, expires)
}

func (p *probe) wantExpires(method, key string, got, want time.Time) {
	if !got.Equal(want) {
		p.fatalf("%s(%s) has Expires %s, want %s", method, p.name(key), stamp(got), stamp(want))
	}
}

func (p *probe) wantMiss(key string) {
	if e, found := p.get(key); found {
		p.fatalf("Get(%s) is %s with Expires %s, want a miss", p.name(key), short(e.Value), stamp(e.Expires))
	}
}

// wantError demands that err, which method returned, wraps target.
func (p *probe) wantError(method string, err, target error) {
	if err == nil {
		p.fatalf("%s returned no error, want %q", method, target)
	}
	if !errors.Is(err, target) {
		p.fatalf("%s returned an error that does not wrap %q: %w", method, target, err)
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "zero (never)"
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000000Z")
}

// soon is a time in the near future, to the millisecond.
func soon(in time.Duration) time.Time { return cache.Deadline(time.Now(), in) }

// lapsed sets the keys to value with an expiry in the future, and waits until
// it has passed.
func (p *probe) lapsed(value string, keys ...string) {
	for life := 40 * time.Millisecond; ; life *= 2 {
		expires := soon(life)
		for _, key := range keys {
			p.setEntry(key, cache.Entry{Value: []byte(value), Expires: expires})
		}
		if time.Now().Before(expires) {
			p.until(expires)
			return
		}
		// The entries had expired when they were set: that is another clause.
	}
}

// noise returns n bytes that depend on seed and do not repeat.
func noise(n int, seed uint64) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b)
	return b
}

// maxValue is the store's limit.
func (p *probe) maxValue() int { return cache.LimitsOf(p.store.store).MaxValue }
