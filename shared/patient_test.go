package shared

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared/storepb"
)

// stopped is a connection to a plugin that a debugger stops for ten minutes in
// every call.
type stopped struct{}

func (stopped) wait(ctx context.Context) error {
	select {
	case <-time.After(10 * time.Minute):
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func (s stopped) Invoke(ctx context.Context, _ string, _, reply any, _ ...grpc.CallOption) error {
	if r, ok := reply.(*storepb.GetManyResponse); ok {
		r.Results = []*storepb.GetResponse{{}}
	}
	return s.wait(ctx)
}

func (s stopped) NewStream(ctx context.Context, _ *grpc.StreamDesc, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return stoppedStream{ctx}, nil
}

type stoppedStream struct{ ctx context.Context }

func (stoppedStream) Header() (metadata.MD, error) { return nil, nil }
func (stoppedStream) Trailer() metadata.MD         { return nil }
func (stoppedStream) CloseSend() error             { return nil }
func (s stoppedStream) Context() context.Context   { return s.ctx }
func (stoppedStream) SendMsg(any) error            { return nil }
func (s stoppedStream) RecvMsg(any) error {
	if err := (stopped{}).wait(s.ctx); err != nil {
		return err
	}
	return io.EOF
}

func TestAPatientClientWaits(t *testing.T) {
	keys, value := []string{"k"}, cache.Entry{Value: []byte("v")}
	calls := map[string]func(context.Context, *Client) error{
		"Describe":    func(ctx context.Context, c *Client) error { _, err := c.Describe(ctx); return err },
		"Configure":   func(ctx context.Context, c *Client) error { return c.Configure(ctx, nil) },
		"Get":         func(ctx context.Context, c *Client) error { _, _, err := c.Get(ctx, "k"); return err },
		"Set":         func(ctx context.Context, c *Client) error { return c.Set(ctx, "k", value) },
		"Delete":      func(ctx context.Context, c *Client) error { return c.Delete(ctx, "k") },
		"SetIfAbsent": func(ctx context.Context, c *Client) error { _, err := c.SetIfAbsent(ctx, "k", value); return err },
		"CompareAndSwap": func(ctx context.Context, c *Client) error {
			_, err := c.CompareAndSwap(ctx, "k", nil, value)
			return err
		},
		"CompareAndDelete": func(ctx context.Context, c *Client) error { _, err := c.CompareAndDelete(ctx, "k", nil); return err },
		"Increment": func(ctx context.Context, c *Client) error {
			_, _, err := c.Increment(ctx, "k", 1, time.Time{})
			return err
		},
		"Touch":      func(ctx context.Context, c *Client) error { _, err := c.Touch(ctx, "k", time.Time{}); return err },
		"GetMany":    func(ctx context.Context, c *Client) error { _, err := c.GetMany(ctx, keys); return err },
		"SetMany":    func(ctx context.Context, c *Client) error { return c.SetMany(ctx, []cache.Item{{Key: "k"}}) },
		"DeleteMany": func(ctx context.Context, c *Client) error { return c.DeleteMany(ctx, keys) },
		"Clear":      func(ctx context.Context, c *Client) error { return c.Clear(ctx, "") },
		"Flush":      func(ctx context.Context, c *Client) error { return c.Flush(ctx) },
		"Scan": func(ctx context.Context, c *Client) error {
			for _, err := range c.Scan(ctx, "") {
				return err
			}
			return nil
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := NewClient(stopped{})
				c.unguarded = true
				// Describe and Configure pass on the plugin's words; the others say
				// that the plugin does not answer.
				if err := call(t.Context(), c); !errors.Is(err, cache.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a client that is not patient: %v", err)
				}
				if err := call(t.Context(), c.Patient()); err != nil {
					t.Errorf("a patient client: %v", err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := call(ctx, c.Patient()); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a patient client with a deadline of the caller's: %v", err)
				}
				time.Sleep(10 * time.Minute) // until the plugin has answered all
			})
		})
	}
}
