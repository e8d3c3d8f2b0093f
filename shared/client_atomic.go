package shared

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared/storepb"
)

// SetIfAbsent implements cache.Adder.
func (c *Client) SetIfAbsent(ctx context.Context, key string, e cache.Entry) (bool, error) {
	if err := c.check(cache.CanAdd, key, e); err != nil {
		return false, err
	}
	if c.lanes != nil {
		a, err := c.lanes.call(ctx, c, &laneRequest{op: laneAdd, key: key, value: e.Value, expires: cache.ExpiryMillis(e.Expires)})
		return a.flags&flagTrue != 0, err
	}
	r, err := unary(ctx, c, len(e.Value), 0, func(ctx context.Context) (*storepb.SetIfAbsentResponse, error) {
		return c.rpc.SetIfAbsent(ctx, &storepb.SetIfAbsentRequest{Key: []byte(key), Entry: toEntry(e)})
	})
	return r.GetStored(), err
}

// CompareAndSwap implements cache.Swapper.
func (c *Client) CompareAndSwap(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
	if err := c.check(cache.CanSwap, key, e); err != nil {
		return false, err
	}
	// No value is longer than the limit, so a longer old one matches nothing.
	if len(old) > c.info.Limits.MaxValue {
		return false, nil
	}
	if c.lanes != nil {
		a, err := c.lanes.call(ctx, c, &laneRequest{op: laneSwap, key: key, old: old, value: e.Value, expires: cache.ExpiryMillis(e.Expires)})
		return a.flags&flagTrue != 0, err
	}
	r, err := unary(ctx, c, len(old)+len(e.Value), 0, func(ctx context.Context) (*storepb.CompareAndSwapResponse, error) {
		return c.rpc.CompareAndSwap(ctx, &storepb.CompareAndSwapRequest{Key: []byte(key), Old: old, Entry: toEntry(e)})
	})
	return r.GetSwapped(), err
}

// CompareAndDelete implements cache.Swapper.
func (c *Client) CompareAndDelete(ctx context.Context, key string, old []byte) (bool, error) {
	if err := c.check(cache.CanSwap, key, cache.Entry{}); err != nil {
		return false, err
	}
	if len(old) > c.info.Limits.MaxValue {
		return false, nil
	}
	if c.lanes != nil {
		a, err := c.lanes.call(ctx, c, &laneRequest{op: laneSwapDel, key: key, old: old})
		return a.flags&flagTrue != 0, err
	}
	r, err := unary(ctx, c, len(old), 0, func(ctx context.Context) (*storepb.CompareAndDeleteResponse, error) {
		return c.rpc.CompareAndDelete(ctx, &storepb.CompareAndDeleteRequest{Key: []byte(key), Old: old})
	})
	return r.GetDeleted(), err
}

// Increment implements cache.Counter.
func (c *Client) Increment(ctx context.Context, key string, delta int64, expiresIfNew time.Time) (int64, time.Time, error) {
	if err := c.check(cache.CanCount, key, cache.Entry{}); err != nil {
		return 0, time.Time{}, err
	}
	if c.lanes != nil {
		a, err := c.lanes.call(ctx, c, &laneRequest{op: laneCount, key: key, delta: delta, expires: cache.ExpiryMillis(expiresIfNew)})
		if err == nil && len(a.rest) != 8 {
			err = fmt.Errorf("%w: a sum of %d bytes", errFrame, len(a.rest))
		}
		if err != nil {
			return 0, time.Time{}, err
		}
		return int64(binary.LittleEndian.Uint64(a.rest)), cache.ExpiryAt(a.expires), nil
	}
	r, err := unary(ctx, c, 0, 0, func(ctx context.Context) (*storepb.IncrementResponse, error) {
		return c.rpc.Increment(ctx, &storepb.IncrementRequest{Key: []byte(key), Delta: delta, ExpiresUnixMs: cache.ExpiryMillis(expiresIfNew)})
	})
	if err != nil {
		return 0, time.Time{}, err
	}
	return r.GetSum(), cache.ExpiryAt(r.GetExpiresUnixMs()), nil
}

// Touch implements cache.Toucher.
func (c *Client) Touch(ctx context.Context, key string, expires time.Time) (bool, error) {
	if err := c.check(cache.CanTouch, key, cache.Entry{}); err != nil {
		return false, err
	}
	if c.lanes != nil {
		a, err := c.lanes.call(ctx, c, &laneRequest{op: laneTouch, key: key, expires: cache.ExpiryMillis(expires)})
		return a.flags&flagTrue != 0, err
	}
	r, err := unary(ctx, c, 0, 0, func(ctx context.Context) (*storepb.TouchResponse, error) {
		return c.rpc.Touch(ctx, &storepb.TouchRequest{Key: []byte(key), ExpiresUnixMs: cache.ExpiryMillis(expires)})
	})
	return r.GetFound(), err
}
