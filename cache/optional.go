package cache

import (
	"context"
	"iter"
	"time"
)

// What a store may do beyond Store. Each interface has a package function in
// fallback.go that uses it or falls back, so callers never assert types
// themselves. A method that answers errors.ErrUnsupported counts as not
// implemented: that is how a client whose method set is wider than the store
// behind it says so. Wherever an entry is stored, one that has already expired
// counts as stored and leaves the key empty.

// Item is a key with the entry to set under it.
type Item struct {
	Key   string
	Entry Entry
}

// Lookup is the answer to one Get of a batch.
type Lookup struct {
	Entry Entry
	Found bool
}

// Batcher does many operations in one call. A batch is not a transaction:
// each operation of it is whole, and after an error any of them may have been
// applied.
type Batcher interface {
	// GetMany returns one Lookup for each key, in the order of keys.
	GetMany(ctx context.Context, keys []string) ([]Lookup, error)
	// SetMany sets the items in their order: of two with one key the last wins.
	SetMany(ctx context.Context, items []Item) error
	DeleteMany(ctx context.Context, keys []string) error
}

// Adder sets a key only if it holds nothing.
type Adder interface {
	// SetIfAbsent reports whether it stored e. Atomic.
	SetIfAbsent(ctx context.Context, key string, e Entry) (bool, error)
}

// Swapper changes a key only if it holds the value that is expected.
type Swapper interface {
	// CompareAndSwap stores e if key holds exactly the bytes old, and reports
	// whether it did. A key that holds nothing never matches, not even an empty
	// old. Atomic.
	CompareAndSwap(ctx context.Context, key string, old []byte, e Entry) (bool, error)
	// CompareAndDelete removes key if it holds exactly the bytes old, and
	// reports whether it did. Atomic.
	CompareAndDelete(ctx context.Context, key string, old []byte) (bool, error)
}

// Counter counts. See Add for what a counter is.
type Counter interface {
	// Increment adds delta to the counter under key, which starts at 0 with
	// expiresIfNew when the key holds nothing; a counter that exists keeps its
	// expiry. It returns the sum and the counter's expiry. Atomic.
	Increment(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (n int64, expires time.Time, err error)
}

// Toucher changes an entry's expiry and leaves its value.
type Toucher interface {
	// Touch reports whether key held an entry. An expires in the past removes
	// the entry. Atomic.
	Touch(ctx context.Context, key string, expires time.Time) (bool, error)
}

// Scanner lists keys.
type Scanner interface {
	// Scan yields the keys that begin with prefix, in any order. A key that
	// is there from the first to the last step is yielded, and no key twice;
	// one that comes or goes meanwhile may be yielded or not. The consumer
	// may use the store while it iterates. An error ends the iteration.
	Scan(ctx context.Context, prefix string) iter.Seq2[string, error]
}

// Clearer removes many keys at once.
type Clearer interface {
	// Clear removes every key that begins with prefix, and no other. A key
	// that is set while Clear runs may be removed or stay.
	Clear(ctx context.Context, prefix string) error
}

// Change tells that somebody else changed a key.
type Change struct {
	// Key is the one that was set, removed or touched.
	Key string
	// All tells that any key may have changed; Key is then empty.
	All bool
}

// Watcher tells of changes made by others: other hosts, other programs.
type Watcher interface {
	// Watch yields every change that others make after Watch has yielded its
	// first element, which is always Change{All: true}. An error ends the
	// iteration and means that changes may have been missed.
	Watch(ctx context.Context) iter.Seq2[Change, error]
}

// Flusher makes writes that are acknowledged as durable as the store can.
type Flusher interface {
	Flush(ctx context.Context) error
}

// Limits are a store's own bounds.
type Limits struct {
	// MaxValue is the longest value in bytes.
	MaxValue int
}

// Limiter tells a store's limits. They do not change while it is open.
type Limiter interface {
	Limits() Limits
}
