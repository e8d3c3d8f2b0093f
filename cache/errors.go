package cache

import "errors"

// The errors of this package and of every Store. They arrive wrapped with
// their circumstances, also from across a process boundary: test with
// errors.Is. An operation that a store cannot do gives errors.ErrUnsupported.
var (
	// ErrUnavailable: the store cannot be reached or cannot serve now. Whether a
	// write that returned it took effect is unknown.
	ErrUnavailable = errors.New("cache: store unavailable")
	// ErrClosed: the cache or its store was closed.
	ErrClosed = errors.New("cache: closed")
	// ErrTooLarge: the value is longer than the store's limit.
	ErrTooLarge = errors.New("cache: value too large")
	// ErrInvalidKey: the key is empty or longer than MaxKey.
	ErrInvalidKey = errors.New("cache: invalid key")
	// ErrNotCounter: the value to increment is not the decimal text of an
	// int64, or the sum would not fit one. The value stays as it was.
	ErrNotCounter = errors.New("cache: not a counter")
	// ErrInvalidTTL: a negative time to live.
	ErrInvalidTTL = errors.New("cache: invalid time to live")
	// ErrEncode: the value, or any of its type, would not come back as it is. Nothing
	// was stored.
	ErrEncode = errors.New("cache: value cannot be encoded")
	// ErrDecode: the bytes in the store are not what the cache's codec wrote. Get and
	// GetMany return it as a *DecodeError.
	ErrDecode = errors.New("cache: value cannot be decoded")

	// ErrLoadTimeout: a load of GetOrLoad has not returned within
	// Options.LoadTimeout. Such an error also wraps context.DeadlineExceeded.
	ErrLoadTimeout = errors.New("cache: the load did not end within its limit")

	// ErrLoadsItself: a load of GetOrLoad asked for the key that it loads.
	ErrLoadsItself = errors.New("cache: the load asks for its own key")
)
