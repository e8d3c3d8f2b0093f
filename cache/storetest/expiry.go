package storetest

import (
	"math"
	"strconv"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func expiryCases() []Case {
	return []Case{{
		Name:   "expiry/returned",
		Clause: "Expires is absolute; its resolution is the millisecond. Get returns the entry with it.",
		run: func(p *probe) {
			for i, in := range []time.Duration{
				time.Hour, time.Hour + time.Millisecond, time.Hour + 499*time.Millisecond, 30 * 24 * time.Hour, 10 * 365 * 24 * time.Hour,
			} {
				key, expires := p.key(strconv.Itoa(i)), soon(in)
				p.setEntry(key, cache.Entry{Value: []byte("value"), Expires: expires})
				p.wantEntry(key, "value", expires)
				p.wantEntry(key, "value", expires) // a read does not prolong
			}
		},
	}, {
		Name:   "expiry/never-later-than-asked",
		Clause: "The resolution of Expires is the millisecond, and copying an entry never lengthens its life: what is finer is cut off.",
		run: func(p *probe) {
			for _, fine := range []time.Duration{1, 499_999, 500_000, 999_999} {
				key, asked := p.key(strconv.Itoa(int(fine))), soon(time.Hour).Add(fine)
				p.setEntry(key, cache.Entry{Value: []byte("value"), Expires: asked})
				got := p.wantValue(key, "value").Expires
				if got.After(asked) || !got.After(asked.Add(-time.Millisecond)) {
					p.fatalf("Get returns Expires %s, want %s, which was set, or less than 1 ms before it", stamp(got), stamp(asked))
				}
			}
		},
	}, {
		Name:   "expiry/far",
		Clause: "Expires is absolute, however far it is.",
		run: func(p *probe) {
			for _, year := range []int{2039, 2107, 2200, 2500, 9999} {
				key, expires := p.key(strconv.Itoa(year)), time.Date(year, 12, 31, 23, 59, 59, 999e6, time.UTC)
				p.setEntry(key, cache.Entry{Value: []byte("value"), Expires: expires})
				p.wantEntry(key, "value", expires)
			}
		},
	}, {
		Name:   "expiry/found-before",
		Clause: "Get returns the entry under key: until its Expires, also when that is soon.",
		run: func(p *probe) {
			key := p.key("k")
			for life := 400 * time.Millisecond; ; life *= 2 {
				expires := soon(life)
				p.setEntry(key, cache.Entry{Value: []byte("value"), Expires: expires})
				_, found := p.get(key)
				if found {
					return
				}
				if late := time.Now(); late.Before(expires.Add(-life / 2)) {
					p.fatalf("Get is a miss %v before the entry's Expires", expires.Sub(late))
				}
				// Set and Get took so long that the miss tells nothing.
			}
		},
	}, {
		Name:   "expiry/beyond",
		Clause: "An Expires that is too far to be represented is never.",
		run: func(p *probe) {
			for i, expires := range []time.Time{
				time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(math.MaxInt64/1000+1, 0), time.Unix(1<<62, 0),
			} {
				key := p.key(strconv.Itoa(i))
				p.setEntry(key, cache.Entry{Value: []byte("value"), Expires: expires})
				if got := p.wantValue(key, "value").Expires; !got.IsZero() && got.Before(soon(24*time.Hour)) {
					p.fatalf("Get returns Expires %s, want never", stamp(got))
				}
			}
		},
	}, {
		Name:   "expiry/never-after",
		Clause: "An entry is never returned at or past its Expires.",
		run: func(p *probe) {
			key := p.key("k")
			for _, fine := range []time.Duration{0, 100_000, 700_000} {
				expires := soon(25 * time.Millisecond).Add(fine)
				p.setEntry(key, cache.Entry{Value: []byte("value"), Expires: expires})
				p.until(expires.Add(-2 * time.Millisecond))
				for start := time.Now(); start.Before(expires.Add(10 * time.Millisecond)); start = time.Now() {
					if _, found := p.get(key); found && !start.Before(expires) {
						p.fatalf("a Get that started %v after the entry's Expires returned it", start.Sub(expires))
					}
				}
			}
		},
	}, {
		Name:   "expiry/past-removes",
		Clause: "Set of an entry that has already expired removes the key: the value before it must not come back.",
		run: func(p *probe) {
			for i, expires := range []time.Time{
				time.Now().Add(-time.Millisecond),
				time.Now().Add(-time.Hour),
				// The instants around the zero of Unix time are in the past, too:
				// only the zero Time means never.
				time.UnixMilli(1), time.Unix(0, 999_999), time.UnixMilli(0), time.Unix(0, -1), time.UnixMilli(-1),
				time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC),
				time.Unix(math.MinInt64/1000-1, 0), time.Unix(-1<<62, 0), // whose milliseconds overflow
			} {
				key := p.key(strconv.Itoa(i))
				p.set(key, "old")
				p.setEntry(key, cache.Entry{Value: []byte("new"), Expires: expires})
				if e, found := p.get(key); found {
					p.fatalf("after a Set with Expires %s Get is %s, want a miss", stamp(expires), short(e.Value))
				}
			}
		},
	}, {
		Name:   "expiry/dropped-by-set",
		Clause: "Set replaces the entry under key, its Expires included.",
		run: func(p *probe) {
			key := p.key("k")
			expires := soon(40 * time.Millisecond)
			p.setEntry(key, cache.Entry{Value: []byte("old"), Expires: expires})
			p.set(key, "new")
			p.wantEntry(key, "new", time.Time{})
			p.until(expires.Add(10 * time.Millisecond))
			p.wantEntry(key, "new", time.Time{})
		},
	}, {
		Name:   "expiry/given-by-set",
		Clause: "Set replaces the entry under key, its Expires included.",
		run: func(p *probe) {
			key := p.key("k")
			p.set(key, "old")
			later := soon(time.Hour)
			p.setEntry(key, cache.Entry{Value: []byte("new"), Expires: later})
			p.wantEntry(key, "new", later)
			p.lapsed("newer", key)
			p.wantMiss(key)
		},
	}, {
		Name:   "expiry/set-after",
		Clause: "An entry is never returned at or past its Expires; Set replaces it.",
		run: func(p *probe) {
			key, deleted := p.key("k"), p.key("deleted")
			p.lapsed("old", key, deleted)
			p.wantMiss(key)
			p.delete(deleted)
			p.set(key, "new")
			p.wantEntry(key, "new", time.Time{})
			p.wantMiss(deleted)
		},
	}}
}
