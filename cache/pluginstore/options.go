package pluginstore

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/url"
	"time"
)

// DefaultStartTimeout bounds the start of a plugin up to its first answer.
const DefaultStartTimeout = 10 * time.Second

const (
	// DefaultHang is longer than what a saturated disk takes for a write.
	DefaultHang = 5 * time.Minute
	// DefaultSilence bounds how long a plugin may be too busy for a health check.
	DefaultSilence = 30 * time.Second
)

// Options say how a plugin is found and run. The zero value works.
type Options struct {
	// Dirs are searched, in order, for a plugin that is given by name. Nil:
	// DefaultDirs.
	Dirs []string
	// Settings are added to those of the URL.
	Settings url.Values
	// Logger gets the plugin's log and what happens to it. Nil: slog.Default.
	Logger *slog.Logger
	// Env names variables of this process's environment that the plugin shall
	// see. Without it, it sees none that could hold a secret.
	Env []string
	// StartTimeout bounds the start up to the first answer. 0:
	// DefaultStartTimeout.
	StartTimeout time.Duration
	// NoTLS speaks to the plugin in clear text on its Unix socket, for plugins
	// in languages where certificates are hard to make. The socket is in a
	// directory that only this user can enter.
	NoTLS bool
	// NoLane makes all calls over gRPC, also where the plugin offers a faster
	// path on the same machine.
	NoLane bool
	// Fallback says what serves while the plugin does not.
	Fallback Fallback
	// Restart says when a plugin that died is started again.
	Restart Restart
	// Hang is how long a call may go without an answer before the plugin's process
	// is ended for it. Until then only the call's own keys suffer. 0:
	// DefaultHang.
	Hang time.Duration
	// Silence is how long a plugin that answers calls may miss health checks.
	// 0: DefaultSilence. One that answers nothing at all is dead after three.
	Silence time.Duration
	// Journal bounds what is remembered for a plugin while it is down.
	Journal JournalLimits
	// OnChange is told of each change of the store's Status.State or
	// Generation, in order, one call at a time and on a goroutine of its own:
	// it may take its time, and may call the store.
	OnChange func(Status)
	// Reattach is the socket of a plugin that a person runs, with the variable
	// shared.EnvDebug set: no program is started, and none is needed for the
	// store URL, which may be empty. Calls wait for such a plugin as long as
	// their context does, nothing serves in its place, and it outlives the
	// store. For development: the connection is in clear text.
	Reattach string
	// Locks are the files that say which plugins are trusted; one that is not
	// there pins nothing. Nil: DefaultLocks.
	Locks []string
	// Insecure are the paths of programs that need no trust: they are run in
	// place, whatever is in them. For development.
	Insecure []string
}

// Fallback is what serves calls while the plugin does not.
type Fallback int

const (
	// FallbackAuto keeps a store's promise and is otherwise as available as
	// can be. An exclusive store is bridged by memory, see FallbackMemory. Of a
	// shared one, which others read and write meanwhile, calls wait for the
	// plugin for two seconds, or until their deadline if that comes first, and
	// then return cache.ErrUnavailable; at once if it failed too often. So do
	// those that were under way when it died: what was certainly not done is done
	// then, and a write that was is found. Of the rest, counters and swaps mostly,
	// the error says that it is not known whether they were done.
	FallbackAuto Fallback = iota
	// FallbackNone returns cache.ErrUnavailable at once.
	FallbackNone
	// FallbackMemory lets memory in this process serve: what is written
	// meanwhile is found, everything else is a miss, and the plugin is told of
	// all writes before it serves again. Atomic operations, Scan, Clear and
	// Flush return cache.ErrUnavailable. If this process ends before the plugin
	// is back, what was written meanwhile is lost.
	//
	// Over a shared store this puts availability before consistency: others do
	// not see what was written meanwhile, and afterwards those keys are
	// emptied, since somebody may have written a newer value.
	FallbackMemory
)

// Restart says when a plugin that died is started again: after MinDelay, then
// twice as long each time up to MaxDelay, each delay a quarter longer or
// shorter at random. After Failures failures Within a time it is not started
// again until Store.Reset. The zero value of each field is its default.
type Restart struct {
	MinDelay time.Duration // 0.2 s
	MaxDelay time.Duration // 30 s
	Failures int           // 5
	Within   time.Duration // 10 min
}

// JournalLimits bound what is remembered of writes while the plugin is down.
//
// Of a durable store, a write that does not fit is not acknowledged: it waits for
// the plugin, shared.CallTimeout at most, and then returns cache.ErrUnavailable.
//
// Of any other store, past Entries or Bytes a write's key is remembered and its
// value is not: the plugin's key will be emptied. Past ten times as many keys, or
// as many bytes of keys, the whole store will be cleared; a store that cannot be
// cleared, or is shared, refuses further writes with cache.ErrUnavailable instead.
type JournalLimits struct {
	Entries int   // 100 000
	Bytes   int64 // of keys and values, 64 MiB
	// Dir is a directory, which is made if need be and must be this user's alone, in
	// which the journal of a durable store is kept as well, so that it outlives this
	// process: whoever opens the store next with the same Dir hands it over first.
	// All who open the store must name the same one, or an old journal could be
	// handed over after newer writes. A write is then not acknowledged before it is
	// in the file, and Close leaves there what the plugin could not be told. "": in
	// memory only. Of stores that are not durable, and where the plugin does not serve
	// alone, nothing is kept. Not on Windows.
	Dir string
	// OnlyHandOver: what an earlier process left in Dir is handed over, and nothing
	// new is kept there.
	OnlyHandOver bool
}

func (o *Options) withDefaults() (*Options, error) {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Dirs == nil {
		dirs, err := DefaultDirs()
		if err != nil {
			return nil, err
		}
		out.Dirs = dirs
	}
	if out.Locks == nil {
		out.Locks = DefaultLocks()
	}
	if out.Logger == nil {
		out.Logger = slog.Default()
	}
	if out.StartTimeout < 0 {
		return nil, fmt.Errorf("pluginstore: Options.StartTimeout is negative: %v", out.StartTimeout)
	}
	if out.StartTimeout == 0 {
		out.StartTimeout = DefaultStartTimeout
	}
	return &out, out.defaults()
}

func (o *Options) defaults() error {
	r, j := &o.Restart, &o.Journal
	switch {
	case o.Fallback < FallbackAuto || o.Fallback > FallbackMemory:
		return fmt.Errorf("pluginstore: Options.Fallback is %d", o.Fallback)
	case r.MinDelay < 0 || r.MaxDelay < 0 || r.Failures < 0 || r.Within < 0:
		return fmt.Errorf("pluginstore: Options.Restart has a negative field: %+v", *r)
	case o.Hang < 0 || o.Silence < 0:
		return fmt.Errorf("pluginstore: Options.Hang is %v and Options.Silence %v", o.Hang, o.Silence)
	case j.Entries < 0 || j.Bytes < 0:
		return fmt.Errorf("pluginstore: Options.Journal has a negative field: %+v", *j)
	}
	o.Hang = cmp.Or(o.Hang, DefaultHang)
	o.Silence = cmp.Or(o.Silence, DefaultSilence)
	r.MinDelay = cmp.Or(r.MinDelay, 200*time.Millisecond)
	r.MaxDelay = max(cmp.Or(r.MaxDelay, 30*time.Second), r.MinDelay)
	r.Failures = cmp.Or(r.Failures, 5)
	r.Within = cmp.Or(r.Within, 10*time.Minute)
	j.Entries = cmp.Or(j.Entries, 100_000)
	j.Bytes = cmp.Or(j.Bytes, 64<<20)
	return nil
}
