package storetest

import (
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// increment demands the sum want and returns the expiry.
func (p *probe) increment(key string, delta int64, expiresIfNew time.Time, want int64) time.Time {
	n, expires, err := p.store.Increment(p.ctx, key, delta, expiresIfNew)
	if err != nil {
		p.fatalf("Increment(%s, %d): %w", p.name(key), delta, err)
	}
	if n != want {
		p.fatalf("Increment(%s, %d) is %d, want %d", p.name(key), delta, n, want)
	}
	return expires
}

func countCases() []Case {
	never := time.Time{}
	return []Case{{
		Name:   "count/new",
		Clause: "Increment adds delta to the counter under key, which starts at 0 with expiresIfNew when the key holds nothing.",
		Needs:  cache.CanCount,
		run: func(p *probe) {
			for _, delta := range []int64{1, 5, -3, 0, math.MaxInt64, math.MinInt64} {
				for name, expires := range map[string]time.Time{"never": never, "hour": soon(time.Hour)} {
					key := p.key(strconv.FormatInt(delta, 10) + name)
					got := p.increment(key, delta, expires, delta)
					p.wantExpires("Increment", key, got, expires)
					p.wantEntry(key, strconv.FormatInt(delta, 10), expires)
				}
			}
		},
	}, {
		Name:   "count/adds",
		Clause: "Increment adds delta to the counter under key and returns the sum. A counter is the decimal text of an int64.",
		Needs:  cache.CanCount,
		run: func(p *probe) {
			key, set := p.key("k"), p.key("set")
			var sum int64
			for _, delta := range []int64{1, 1, 10, -2, -20, 0, 1 << 40, -1 << 41, 7} {
				sum += delta
				p.increment(key, delta, never, sum)
				p.wantValue(key, strconv.FormatInt(sum, 10))
			}
			p.set(set, "41")
			p.increment(set, 1, never, 42)
			p.wantValue(set, "42")
		},
	}, {
		Name:   "count/keeps-expiry",
		Clause: "Increment: a counter that exists keeps its expiry.",
		Needs:  cache.CanCount,
		run: func(p *probe) {
			for name, expires := range map[string]time.Time{"never": never, "hour": soon(time.Hour)} {
				key := p.key(name)
				p.setEntry(key, cache.Entry{Value: []byte("1"), Expires: expires})
				for i, other := range []time.Time{never, soon(time.Minute), soon(3 * time.Hour), time.Now().Add(-time.Hour)} {
					n := int64(i + 2)
					got := p.increment(key, 1, other, n)
					p.wantExpires("Increment", key, got, expires)
					p.wantEntry(key, strconv.FormatInt(n, 10), expires)
				}
			}
		},
	}, {
		Name:   "count/expires",
		Clause: "An entry is never returned at or past its Expires: a counter that expired starts again at 0 with expiresIfNew.",
		Needs:  cache.CanCount,
		run: func(p *probe) {
			key, set := p.key("k"), p.key("set")
			later := soon(time.Hour)
			p.lapsed("7", set)
			expires := p.increment(key, 7, soon(40*time.Millisecond), 7)
			p.until(expires)
			p.wantMiss(key)
			for _, key := range []string{key, set} {
				got := p.increment(key, 1, later, 1)
				p.wantExpires("Increment", key, got, later)
				p.wantEntry(key, "1", later)
			}
		},
	}, {
		Name:   "count/with-past-expiry",
		Clause: "An entry is never returned at or past its Expires.",
		Needs:  cache.CanCount,
		run: func(p *probe) {
			for _, expires := range []time.Time{time.Now().Add(-time.Hour), time.UnixMilli(0)} {
				key := p.key(stamp(expires))
				p.increment(key, 1, expires, 1)
				p.wantMiss(key)
			}
		},
	}, {
		Name:   "count/not-a-counter",
		Clause: "ErrNotCounter: the value to increment is not the decimal text of an int64. The value stays as it was.",
		Needs:  cache.CanCount,
		run: func(p *probe) {
			expires := soon(time.Hour)
			for _, value := range []string{
				"", "abc", " 1", "1 ", "+1", "01", "-0", "-", "1.0", "1e3", "0x1", "1_000", "1\n", "1\x00", "\x01",
				"9223372036854775808", "-9223372036854775809", "١",
			} {
				key := p.key(strconv.Quote(value))
				p.setEntry(key, cache.Entry{Value: []byte(value), Expires: expires})
				n, _, err := p.store.Increment(p.ctx, key, 1, never)
				if !errors.Is(err, cache.ErrNotCounter) {
					p.fatalf("Increment of the value %q is %d with the error %v, want ErrNotCounter", value, n, err)
				}
				p.wantEntry(key, value, expires)
			}
		},
	}, {
		Name:   "count/overflow",
		Clause: "ErrNotCounter: the sum would not fit an int64. The value stays as it was.",
		Needs:  cache.CanCount,
		run: func(p *probe) {
			expires := soon(time.Hour)
			for _, c := range []struct{ value, delta int64 }{
				{math.MaxInt64, 1}, {1, math.MaxInt64}, {math.MaxInt64, math.MaxInt64},
				{math.MinInt64, -1}, {-1, math.MinInt64}, {math.MinInt64, math.MinInt64},
			} {
				text := strconv.FormatInt(c.value, 10)
				key := p.key(text)
				p.setEntry(key, cache.Entry{Value: []byte(text), Expires: expires})
				n, _, err := p.store.Increment(p.ctx, key, c.delta, never)
				if !errors.Is(err, cache.ErrNotCounter) {
					p.fatalf("Increment of %s by %d is %d with the error %v, want ErrNotCounter", text, c.delta, n, err)
				}
				p.wantEntry(key, text, expires)
				p.increment(key, -(c.value / 2), never, c.value-c.value/2)
			}
		},
	}}
}
