package cache

import "sync/atomic"

// Stats counts what a cache did since it was made.
type Stats struct {
	Hits       uint64 // keys found
	Misses     uint64 // keys not found
	Sets       uint64 // entries written, loads and updates included
	Deletes    uint64 // keys deleted
	Loads      uint64 // loads that GetOrLoad ran
	LoadErrors uint64 // of these, those that failed
	Errors     uint64 // calls that the store or the codec failed, also those that GetOrLoad bridged
}

// counters live on cache lines of their own: readers on different processors
// would otherwise pay for each other's hits.
type counters struct {
	hits, misses, sets, deletes, loads, loadErrors, errors counter
}

type counter struct {
	atomic.Uint64
	_ [56]byte
}

func (c *counters) failed(err error) {
	if err != nil {
		c.errors.Add(1)
	}
}

func (c *counters) stats() Stats {
	return Stats{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Sets: c.sets.Load(), Deletes: c.deletes.Load(),
		Loads: c.loads.Load(), LoadErrors: c.loadErrors.Load(), Errors: c.errors.Load(),
	}
}
