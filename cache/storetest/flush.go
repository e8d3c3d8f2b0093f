package storetest

import (
	"strconv"
	"time"

	"github.com/harpia-go/harpia/cache"
)

func flushCases() []Case {
	return []Case{{
		Name:   "flush/keeps",
		Clause: "Flush makes writes that are acknowledged as durable as the store can.",
		Needs:  cache.CanFlush,
		run: func(p *probe) {
			flush := func() {
				if err := p.store.Flush(p.ctx); err != nil {
					p.fatalf("Flush: %w", err)
				}
			}
			expires := soon(time.Hour)
			deleted := p.key("deleted")
			p.set(deleted, "value")
			flush()
			p.delete(deleted)
			for i := range 20 {
				p.setEntry(p.key(strconv.Itoa(i)), cache.Entry{Value: []byte("value"), Expires: expires})
			}
			flush()
			flush()
			for i := range 20 {
				p.wantEntry(p.key(strconv.Itoa(i)), "value", expires)
			}
			p.wantMiss(deleted)
		},
	}}
}
