package storetest

import (
	"time"

	"github.com/harpia-go/harpia/cache"
)

// touch demands the answer want.
func (p *probe) touch(key string, expires time.Time, want bool) {
	found, err := p.store.Touch(p.ctx, key, expires)
	if err != nil {
		p.fatalf("Touch(%s, %s): %w", p.name(key), stamp(expires), err)
	}
	if found != want {
		p.fatalf("Touch(%s, %s) reports %v, want %v", p.name(key), stamp(expires), found, want)
	}
}

func touchCases() []Case {
	never := time.Time{}
	return []Case{{
		Name:   "touch/changes-expiry",
		Clause: "Touch changes an entry's expiry and leaves its value.",
		Needs:  cache.CanTouch,
		run: func(p *probe) {
			for _, value := range []string{"value", ""} {
				key := p.key("k" + value)
				p.setEntry(key, cache.Entry{Value: []byte(value), Expires: soon(2 * time.Hour)})
				for _, expires := range []time.Time{soon(3 * time.Hour), soon(time.Hour), never, soon(time.Hour), soon(time.Hour)} {
					p.touch(key, expires, true)
					p.wantEntry(key, value, expires)
				}
			}
		},
	}, {
		Name:   "touch/extends",
		Clause: "Touch changes an entry's expiry: the earlier one is void.",
		Needs:  cache.CanTouch,
		run: func(p *probe) {
			key, later := p.key("k"), soon(time.Hour)
			for life := 60 * time.Millisecond; ; life *= 2 {
				expires := soon(life)
				p.setEntry(key, cache.Entry{Value: []byte("value"), Expires: expires})
				found, err := p.store.Touch(p.ctx, key, later)
				if err != nil {
					p.fatalf("Touch(%s): %w", p.name(key), err)
				}
				if !found {
					if late := time.Now(); late.Before(expires.Add(-life / 2)) {
						p.fatalf("Touch(%s) reports false %v before the entry's Expires", p.name(key), expires.Sub(late))
					}
					continue // Set and Touch took so long that it tells nothing
				}
				p.until(expires.Add(10 * time.Millisecond))
				p.wantEntry(key, "value", later)
				return
			}
		},
	}, {
		Name:   "touch/shortens",
		Clause: "An entry is never returned at or past its Expires, also when Touch has brought it forward.",
		Needs:  cache.CanTouch,
		run: func(p *probe) {
			long, forever := p.key("long"), p.key("forever")
			p.setEntry(long, cache.Entry{Value: []byte("value"), Expires: soon(time.Hour)})
			p.set(forever, "value")
			expires := soon(40 * time.Millisecond)
			p.touch(long, expires, true)
			p.touch(forever, expires, true)
			p.until(expires)
			p.wantMiss(long)
			p.wantMiss(forever)
		},
	}, {
		Name:   "touch/past-removes",
		Clause: "Touch: an expires in the past removes the entry.",
		Needs:  cache.CanTouch,
		run: func(p *probe) {
			for _, expires := range []time.Time{
				time.Now().Add(-time.Millisecond), time.Now().Add(-time.Hour), time.UnixMilli(0), time.UnixMilli(-1),
			} {
				key := p.key(stamp(expires))
				p.set(key, "value")
				p.touch(key, expires, true)
				p.wantMiss(key)
				p.touch(key, never, false)
				p.wantMiss(key)
			}
		},
	}, {
		Name:   "touch/missing",
		Clause: "Touch reports whether key held an entry. One past its Expires is none.",
		Needs:  cache.CanTouch,
		run: func(p *probe) {
			key, expired := p.key("k"), p.key("expired")
			p.touch(key, soon(time.Hour), false)
			p.touch(key, never, false)
			p.wantMiss(key)
			p.lapsed("value", expired)
			p.touch(expired, soon(time.Hour), false)
			p.wantMiss(expired)
		},
	}}
}
