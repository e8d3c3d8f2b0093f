package shared

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/harpia-go/harpia/cache"
)

// lanes are the two connections of a plugin's lane: large values have one of
// their own, so that small ones do not wait for them.
type lanes struct {
	small, large *lane
}

// laneSmall is the longest value that goes over the connection for small ones.
const laneSmall = 256 << 10

// call makes a call over the lane.
func (l *lanes) call(ctx context.Context, c *Client, r *laneRequest) (laneAnswer, error) {
	to, carries := l.small, len(r.value)+len(r.old)
	if carries > laneSmall {
		to = l.large
	}
	a, err := c.do(ctx, to, r, carries)
	if err == nil && a.flags&flagTooLarge != 0 {
		size := c.info.Limits.MaxValue
		if a.expires > 0 {
			size = int(min(a.expires, int64(size))) // what the plugin says
		}
		a, err = c.do(ctx, l.large, r, size)
	}
	switch {
	case err == nil && a.status == codes.OK:
		return a, nil
	case err == nil:
		err = c.failed(ctx, status.Error(a.status, string(a.rest)))
	case errors.Is(err, errLate):
		err = stillPending(err, c.noAnswer())
	case errors.Is(err, ErrBroken):
		err = fmt.Errorf("%w: the plugin %s: %w", cache.ErrUnavailable, c.info.Name, err)
	}
	return laneAnswer{}, err
}

// do sends a request that carries, or brings back, so many bytes.
func (c *Client) do(ctx context.Context, to *lane, r *laneRequest, bytes int) (laneAnswer, error) {
	if bytes <= laneSmall {
		return to.do(ctx, r, c.limit(0))
	}
	c.bytes.Add(int64(bytes))
	defer c.bytes.Add(-int64(bytes))
	return to.do(ctx, r, c.limit(0))
}

func (l *lanes) close() {
	l.small.close()
	l.large.close()
}
