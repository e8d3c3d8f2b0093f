package storetest

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"sync/atomic"
)

// Concurrent use of the three methods.
func concurrencyCases() []Case {
	return []Case{{
		Name:   "concurrency/own-keys",
		Clause: "All methods are safe for concurrent use. A completed write is seen by every read that starts after it.",
		run: func(p *probe) {
			p.each(16, func(i int) {
				key := p.key(strconv.Itoa(i))
				for n := range 30 {
					value := strconv.Itoa(i) + "-" + strconv.Itoa(n)
					p.set(key, value)
					p.wantValue(key, value)
					if n%3 == 0 {
						p.delete(key)
						p.wantMiss(key)
					}
				}
			})
		},
	}, {
		Name:   "concurrency/one-key",
		Clause: "All methods are safe for concurrent use: of concurrent writes of a key each read sees one, whole.",
		run: func(p *probe) {
			key := p.key("k")
			// A value begins with its seed, on which all of it depends, so that
			// one that is mixed is seen.
			const seeds = 10_000
			value := func(seed int) []byte {
				v := noise(16+(seed*97)%900, uint64(seed))
				binary.BigEndian.PutUint64(v, uint64(seed))
				return v
			}
			var others race
			read := func() {
				e, found := p.get(key)
				if found && (len(e.Value) < 8 || !bytes.Equal(e.Value, value(int(binary.BigEndian.Uint64(e.Value)%seeds)))) {
					p.fatalf("Get returns %s, which nobody has set", short(e.Value))
				}
			}
			var writes atomic.Int64
			write := func() { p.set(key, string(value(int(writes.Add(1)%seeds)))) }
			p.each(1+len(others.rounds), func(i int) {
				if i > 0 {
					others.run(i-1, []func(){read, write}[i%2])
					return
				}
				defer others.done.Store(true)
				for step := range 60 {
					others.stagger(step)
					write()
					if step%4 == 0 {
						others.settle(p)
					}
				}
			})
			if _, found := p.get(key); !found {
				p.fatalf("Get is a miss after concurrent Sets")
			}
		},
	}, {
		Name:   "concurrency/no-stale-read",
		Clause: "A completed write is seen by every read that starts after it: no read returns what came before.",
		run: func(p *probe) {
			key := p.key("k")
			deletes := func(step int64) bool { return step%3 == 0 } // step 0 is the empty start
			var begun, ended atomic.Int64
			var readers race
			read := func() {
				oldest := ended.Load()
				e, found := p.get(key)
				newest := begun.Load()
				if found {
					step, err := strconv.ParseInt(string(e.Value), 10, 64)
					if err != nil || step < oldest || step > newest {
						p.fatalf("Get returns the value of write %s, though write %d was complete when it started and write %d the newest to have begun when it ended", short(e.Value), oldest, newest)
					}
					return
				}
				for step := oldest; step <= newest; step++ {
					if deletes(step) {
						return
					}
				}
				p.fatalf("Get is a miss, though the Set of write %d was complete when it started and no Delete had begun when it ended", oldest)
			}
			p.each(1+len(readers.rounds), func(i int) {
				if i > 0 {
					readers.run(i-1, read)
					return
				}
				defer readers.done.Store(true)
				for step := int64(1); step <= 90; step++ {
					readers.stagger(int(step))
					begun.Store(step)
					if deletes(step) {
						p.delete(key)
					} else {
						p.set(key, strconv.FormatInt(step, 10))
					}
					ended.Store(step)
					// Every other write finds reads under way that began at the one
					// before. What they leave behind shows when they are over.
					if step%2 == 0 {
						readers.settle(p)
						read()
					}
				}
			})
		},
	}}
}
