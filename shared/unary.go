package shared

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/harpia-go/harpia/cache"
)

// timeoutKey is the metadata that gives the plugin a call's limit, in
// milliseconds. gRPC's own deadline would end the call on the host's side, and the
// host could not learn when the plugin has answered.
const timeoutKey = "harpia-timeout-ms"

// unary makes a call over gRPC that carries so many bytes, and may bring back as
// many as brings. It returns at the call's limit or at the end of ctx; the answer is awaited all the
// same, since the call is pending until then.
func unary[A any](ctx context.Context, c *Client, carries, brings int, rpc func(context.Context) (A, error)) (A, error) {
	var none A
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if carries > laneSmall {
		c.bytes.Add(int64(carries))
		defer c.bytes.Add(-int64(carries))
	}
	limit := c.limit(brings)
	left := limit
	if d, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(d))
	}
	to := metadata.AppendToOutgoingContext(context.WithoutCancel(ctx), timeoutKey, strconv.FormatInt(max(1, left.Milliseconds()), 10))
	var answer A
	var err error
	call, done := &pending{}, make(chan struct{})
	go func() {
		answer, err = rpc(to)
		c.answers.Add(1)
		close(done)
		call.end()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		if err != nil {
			return none, c.failed(ctx, err)
		}
		return answer, nil
	case <-ctx.Done():
		return none, &pendingCall{ctx.Err(), call}
	case <-timer.C:
		return none, &pendingCall{c.noAnswer(), call}
	}
}

// limited gives ctx, of a call that has arrived, the limit that its host sent.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, text := range md.Get(timeoutKey) {
		if ms, err := strconv.ParseUint(text, 10, 32); err == nil {
			return context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
		}
	}
	return ctx, func() {}
}

func (c *Client) noAnswer() error {
	return fmt.Errorf("%w: the plugin %s: %w", cache.ErrUnavailable, c.info.Name, ErrNoAnswer)
}
