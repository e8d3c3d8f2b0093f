package cache

import (
	"fmt"
	"time"
)

// DefaultLoadTimeout bounds a load of GetOrLoad unless Options say otherwise.
const DefaultLoadTimeout = 30 * time.Second

// Options configure a Cache. The zero value works.
type Options struct {
	// Store holds the bytes. It may serve several caches, with different
	// prefixes; closing the cache leaves it open. Nil: a Memory of the cache's
	// own with its default bounds, closed with the cache.
	Store Store
	// TTL is the time to live of entries that are set without an option of
	// their own. 0: they do not expire.
	TTL time.Duration
	// Prefix is put before every key in the store. Keys, Clear and the others
	// neither show nor touch what has another prefix. Of two caches on one
	// store, the prefix of one must not begin that of the other.
	Prefix string
	// Codec turns values into bytes. Nil: Raw for []byte and string, else JSON.
	Codec Codec
	// LoadTimeout bounds one load of GetOrLoad. 0: DefaultLoadTimeout.
	LoadTimeout time.Duration
}

func (o Options) validate() error {
	switch {
	case o.TTL < 0:
		return fmt.Errorf("%w: Options.TTL is %v", ErrInvalidTTL, o.TTL)
	case len(o.Prefix) >= MaxKey:
		return fmt.Errorf("%w: Options.Prefix has %d bytes and leaves none of %d for keys", ErrInvalidKey, len(o.Prefix), MaxKey)
	case o.LoadTimeout < 0:
		return fmt.Errorf("cache: Options.LoadTimeout is negative: %v", o.LoadTimeout)
	}
	return nil
}

// SetOption changes how one entry is stored.
type SetOption struct {
	ttl     time.Duration
	keepTTL bool // the option is not about the time to live
	replace bool
}

// TTL makes the entry expire after d instead of the cache's own time to live.
// 0: never. Expiry has a resolution of a millisecond and is never later than
// asked, so less than one may be over at once. Negative: the call returns
// ErrInvalidTTL.
func TTL(d time.Duration) SetOption { return SetOption{ttl: d} }

// ReplaceUndecodable makes Update call its function as if there were no value where
// there is one that cannot be decoded, and replace that. Without it Update returns
// the *DecodeError. Other calls do not ask what they replace.
func ReplaceUndecodable() SetOption { return SetOption{keepTTL: true, replace: true} }

// deadline is the expiry of an entry that is set now.
func deadline(ttl time.Duration, opts []SetOption) (time.Time, error) {
	if t := ttlOf(opts); t != nil {
		ttl = *t
	}
	switch {
	case ttl == 0:
		return time.Time{}, nil
	case ttl < 0:
		return time.Time{}, fmt.Errorf("%w: %v", ErrInvalidTTL, ttl)
	}
	return Deadline(time.Now(), ttl), nil
}

// ttlOf is what the last option about it says of the time to live, or nil.
func ttlOf(opts []SetOption) *time.Duration {
	var ttl *time.Duration
	for i := range opts {
		if !opts[i].keepTTL {
			ttl = &opts[i].ttl
		}
	}
	return ttl
}
