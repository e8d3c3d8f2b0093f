package shared

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"time"

	"google.golang.org/grpc"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared/storepb"
)

// GetMany implements cache.Batcher. The plugin may answer the first of the
// keys only; the rest is asked again.
func (c *Client) GetMany(ctx context.Context, keys []string) ([]cache.Lookup, error) {
	if err := c.checkKeys(cache.CanBatch, keys); err != nil {
		return nil, err
	}
	found := make([]cache.Lookup, 0, len(keys))
	for len(found) < len(keys) {
		ask := keys[len(found):]
		ask = ask[:chunk(len(ask), func(i int) int { return len(ask[i]) })]
		got, err := c.getSome(ctx, ask)
		if err != nil {
			return nil, err
		}
		found = append(found, got...)
	}
	return found, nil
}

func (c *Client) getSome(ctx context.Context, keys []string) ([]cache.Lookup, error) {
	r, err := unary(ctx, c, 0, c.info.Limits.MaxValue+batchBytes, func(ctx context.Context) (*storepb.GetManyResponse, error) {
		return c.rpc.GetMany(ctx, &storepb.GetManyRequest{Keys: toKeys(keys)}, c.recv)
	})
	if err != nil {
		return nil, err
	}
	n := len(r.GetResults())
	if n == 0 || n > len(keys) {
		return nil, fmt.Errorf("shared: the plugin %s answered %d of %d keys", c.info.Name, n, len(keys))
	}
	found := make([]cache.Lookup, n)
	for i, result := range r.GetResults() {
		found[i] = fromLookup(result)
	}
	return found, nil
}

// SetMany implements cache.Batcher.
func (c *Client) SetMany(ctx context.Context, items []cache.Item) error {
	if err := c.declared(cache.CanBatch); err != nil {
		return err
	}
	for _, it := range items {
		if err := cache.CheckEntry(it.Key, it.Entry, c.info.Limits.MaxValue); err != nil {
			return err
		}
	}
	for first := true; len(items) > 0; first = false {
		n := chunk(len(items), func(i int) int { return len(items[i].Key) + len(items[i].Entry.Value) })
		r := &storepb.SetManyRequest{Number: c.counts.batches.Add(1)}
		size := 0
		for _, it := range items[:n] {
			size += len(it.Entry.Value)
			r.Items = append(r.Items, &storepb.SetRequest{Key: []byte(it.Key), Entry: toEntry(it.Entry)})
		}
		_, err := unary(ctx, c, size, 0, func(ctx context.Context) (*storepb.SetManyResponse, error) { return c.rpc.SetMany(ctx, r) })
		if err != nil {
			return c.failedBatch(err, r.GetNumber(), first)
		}
		items = items[n:]
	}
	return nil
}

// failedBatch returns the error of the message with the number. If it was the first
// it may tell whether anything of the batch was done.
func (c *Client) failedBatch(err error, number uint64, first bool) error {
	if first && errors.Is(err, ErrBroken) {
		return &unansweredCall{err, &c.counts.all[forBatches], number}
	}
	return err
}

// DeleteMany implements cache.Batcher.
func (c *Client) DeleteMany(ctx context.Context, keys []string) error {
	if err := c.checkKeys(cache.CanBatch, keys); err != nil {
		return err
	}
	for first := true; len(keys) > 0; first = false {
		n := chunk(len(keys), func(i int) int { return len(keys[i]) })
		r := &storepb.DeleteManyRequest{Keys: toKeys(keys[:n]), Number: c.counts.batches.Add(1)}
		_, err := unary(ctx, c, 0, 0, func(ctx context.Context) (*storepb.DeleteManyResponse, error) { return c.rpc.DeleteMany(ctx, r) })
		if err != nil {
			return c.failedBatch(err, r.GetNumber(), first)
		}
		keys = keys[n:]
	}
	return nil
}

// chunk says how many of the next n operations go into one message: at least
// one, at most batchItems, and no more than batchBytes together.
func chunk(n int, size func(i int) int) int {
	total := 0
	for i := range min(n, batchItems) {
		if total += size(i); total > batchBytes && i > 0 {
			return i
		}
	}
	return min(n, batchItems)
}

func (c *Client) checkKeys(need cache.Capability, keys []string) error {
	if err := c.declared(need); err != nil {
		return err
	}
	for _, key := range keys {
		if err := cache.CheckKey(key); err != nil {
			return err
		}
	}
	return nil
}

// Scan implements cache.Scanner.
func (c *Client) Scan(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := c.declared(cache.CanScan); err != nil {
			yield("", err)
			return
		}
		open := func(ctx context.Context) (grpc.ServerStreamingClient[storepb.ScanResponse], error) {
			return c.rpc.Scan(ctx, &storepb.ScanRequest{Prefix: []byte(prefix)})
		}
		for r, err := range receive(c, ctx, SlowTimeout, open) {
			if err != nil {
				yield("", err)
				return
			}
			for _, key := range r.GetKeys() {
				if !yield(string(key), nil) {
					return
				}
			}
		}
	}
}

// Watch implements cache.Watcher.
func (c *Client) Watch(ctx context.Context) iter.Seq2[cache.Change, error] {
	return func(yield func(cache.Change, error) bool) {
		if err := c.declared(cache.CanWatch); err != nil {
			yield(cache.Change{}, err)
			return
		}
		open := func(ctx context.Context) (grpc.ServerStreamingClient[storepb.WatchResponse], error) {
			return c.rpc.Watch(ctx, &storepb.WatchRequest{})
		}
		for r, err := range receive(c, ctx, forever, open) {
			if err != nil {
				yield(cache.Change{}, err)
				return
			}
			if r.GetAll() && !yield(cache.Change{All: true}, nil) {
				return
			}
			for _, key := range r.GetKeys() {
				if !yield(cache.Change{Key: string(key)}, nil) {
					return
				}
			}
		}
		yield(cache.Change{}, fmt.Errorf("%w: the plugin %s ended the watch", cache.ErrUnavailable, c.info.Name))
	}
}

// Clear implements cache.Clearer.
func (c *Client) Clear(ctx context.Context, prefix string) error {
	if err := c.declared(cache.CanClear); err != nil {
		return err
	}
	bounded, cancel := c.within(ctx, SlowTimeout)
	defer cancel()
	_, err := c.rpc.Clear(bounded, &storepb.ClearRequest{Prefix: []byte(prefix)})
	return c.failed(ctx, err)
}

// Flush implements cache.Flusher.
func (c *Client) Flush(ctx context.Context) error {
	if err := c.declared(cache.CanFlush); err != nil {
		return err
	}
	bounded, cancel := c.within(ctx, SlowTimeout)
	defer cancel()
	_, err := c.rpc.Flush(bounded, &storepb.FlushRequest{})
	return c.failed(ctx, err)
}

// forever is an idle time that does not end.
const forever = time.Duration(math.MaxInt64)

// receive yields the messages of a stream and ends it with the iteration. A
// plugin that lets idle pass without a message, while one is awaited, is given
// up.
func receive[M any](c *Client, ctx context.Context, idle time.Duration, open func(context.Context) (grpc.ServerStreamingClient[M], error)) iter.Seq2[*M, error] {
	return func(yield func(*M, error) bool) {
		if c.patient {
			idle = forever
		}
		bounded, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		late := c.noAnswer()
		watchdog := time.AfterFunc(idle, func() { cancel(late) })
		defer watchdog.Stop()
		stream, err := open(bounded)
		for err == nil {
			watchdog.Reset(idle)
			var m *M
			if m, err = stream.Recv(); err != nil {
				break
			}
			watchdog.Stop()
			if !yield(m, nil) {
				return
			}
		}
		switch {
		case err == io.EOF && ctx.Err() == nil:
		case context.Cause(bounded) == late:
			yield(nil, late)
		default:
			yield(nil, c.failed(ctx, err))
		}
	}
}
