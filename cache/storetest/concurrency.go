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
			// A value tells its seed and length, so that a mixed one is seen.
			value := func(seed int) []byte {
				v := noise(16+(seed*97)%900, uint64(seed))
				binary.BigEndian.PutUint64(v, uint64(seed))
				return v
			}
			p.each(8, func(i int) {
				for n := range 60 {
					if i < 4 {
						p.set(key, string(value(i*1000+n)))
						continue
					}
					e, found := p.get(key)
					if !found {
						continue
					}
					if len(e.Value) < 8 || !bytes.Equal(e.Value, value(int(binary.BigEndian.Uint64(e.Value)%10_000))) {
						p.fatalf("Get returns %s, which nobody has set", short(e.Value))
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
			var begun, ended, reads atomic.Int64
			var done atomic.Bool
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
			write := func() {
				defer done.Store(true)
				for step := int64(1); step <= 150; step++ {
					begun.Store(step)
					if deletes(step) {
						p.delete(key)
					} else {
						p.set(key, strconv.FormatInt(step, 10))
					}
					ended.Store(step)
					// What the readers' reads that were under way left behind is seen now.
					for enough := reads.Load() + 8; reads.Load() < enough && p.failure() == nil; {
						read()
					}
				}
			}
			p.each(6, func(i int) {
				if i == 0 {
					write()
					return
				}
				for !done.Load() {
					read()
					reads.Add(1)
				}
			})
		},
	}}
}
