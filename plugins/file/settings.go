package main

import (
	"fmt"
	"time"

	"github.com/harpia-go/harpia/internal/version"
	"github.com/harpia-go/harpia/shared"
)

// syncMode says when the log is forced to stable storage. Whatever the mode,
// an acknowledged write is with the kernel, and outlives this process.
type syncMode string

const (
	syncAlways   syncMode = "always"
	syncInterval syncMode = "interval"
	syncNever    syncMode = "never"
)

// entryOverhead is what max_bytes counts for an entry beside its key and value.
const entryOverhead = 64

// Describe names the store and documents its settings.
func (s *Store) Describe() shared.Description {
	return shared.Description{
		Name:      "file",
		Version:   version.Number,
		Exclusive: true,
		Durable:   true,
		Settings: []shared.Setting{
			{Name: "dir", Required: true, Source: shared.FromTarget,
				Help: "The directory that holds the data; it is made if it is missing, and one process uses it at a time."},
			{Name: "sync", Default: string(syncInterval), Choices: []string{string(syncAlways), string(syncInterval), string(syncNever)},
				Help: "When a write reaches stable storage: before it is acknowledged, within sync_interval, or when the system likes; every acknowledged write survives the death of this process."},
			{Name: "sync_interval", Type: shared.Duration, Default: "100ms",
				Help: "With sync=interval, how much of the newest writes a power failure may cost."},
			{Name: "max_bytes", Type: shared.Size, Default: "0",
				Help: fmt.Sprintf("Most bytes of live entries, counting key, value and %d bytes for each: past it expired entries go, then those written longest ago; 0 is no bound, and a bound makes opening count the entries, about a second for each million.", entryOverhead)},
			{Name: "reserve", Type: shared.Size, Default: "64MiB",
				Help: "Free disk space below which writes are refused and only reads and deletes go on; a quarter as much again is kept in a file to be given up in an emergency; 0 is no reserve."},
		},
	}
}

// config is the settings as values.
type config struct {
	dir      string
	mode     syncMode
	interval time.Duration
	maxBytes int64
	reserve  int64
}

func readConfig(set shared.Settings) (config, error) {
	c := config{
		dir:      set.String("dir"),
		mode:     syncMode(set.String("sync")),
		interval: set.Duration("sync_interval"),
		maxBytes: set.Size("max_bytes"),
		reserve:  set.Size("reserve"),
	}
	switch {
	case c.dir == "":
		return c, fmt.Errorf("%w: dir is empty: name a directory, as in file:./data", shared.ErrSetting)
	case c.mode == syncInterval && c.interval < time.Millisecond:
		return c, fmt.Errorf("%w: sync_interval must be at least 1ms, not %s: for every write at once set sync=always", shared.ErrSetting, c.interval)
	}
	return c, nil
}
