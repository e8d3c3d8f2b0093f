package pluginstore

import "time"

// State is what a store's plugin is doing.
type State int

const (
	// Starting: the first process of the plugin is being started.
	Starting State = iota
	// Ready: the plugin serves.
	Ready
	// Degraded: the plugin is down and will be started again, or is just being
	// told what it missed. The fallback serves.
	Degraded
	// Failed: the plugin failed so often that it is not started again until
	// Store.Reset. The fallback serves.
	Failed
)

func (s State) String() string {
	return [...]string{"starting", "ready", "degraded", "failed"}[s]
}

// Status is what can be seen of a store from outside.
type Status struct {
	State State
	// Since is when it came to be so.
	Since time.Time
	// Generation counts the processes that were to serve; 0 for a store in this
	// process.
	Generation uint64
	// Restarts counts those of them that were started because the one before
	// had failed.
	Restarts int
	// PID is the process that serves; 0 if none does or it is this one.
	PID int
	// Fallback is true while memory serves in place of the plugin.
	Fallback bool
	// Journal is what the plugin is still to be told.
	Journal JournalSize
	// Quarantine are the keys that calls are kept from because they kill the
	// plugin, see ErrQuarantined: of each the first 16 hexadecimal digits of its
	// SHA-256, in order.
	Quarantine []string
	// Err is the last failure, with the last that the plugin wrote to standard
	// error. It stays when the plugin is ready again. Nil: none so far.
	Err error
}

// JournalSize is how much is remembered for a plugin that is down.
type JournalSize struct {
	Entries int   // keys that were written
	Bytes   int64 // of those keys and their values
	Dropped int   // keys whose values did not fit, and that will be emptied; 0 of a durable store
	Clear   bool  // there were too many: the store will be cleared first
}
