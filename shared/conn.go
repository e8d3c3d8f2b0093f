package shared

import (
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/harpia-go/harpia/cache"
)

// conn tells calls that the plugin answered with an error from those that it
// did not answer at all, which gRPC gives the same codes.
type conn struct{ grpc.ClientConnInterface }

// Invoke makes one call.
func (c conn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	var header, trailer metadata.MD
	err := c.ClientConnInterface.Invoke(ctx, method, args, reply, append(opts, grpc.Header(&header), grpc.Trailer(&trailer))...)
	if err != nil && ctx.Err() == nil {
		if status.Code(err) == codes.Unavailable {
			// A plugin that answers so sends nothing but a trailer. A header shows
			// an answer that broke off, and the call may have been done.
			header = nil
		}
		return unanswered(ctx, err, header, trailer)
	}
	return err
}

// NewStream begins a call with a stream of answers.
func (c conn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := c.ClientConnInterface.NewStream(ctx, desc, method, opts...)
	if err != nil {
		if ctx.Err() == nil {
			err = unanswered(ctx, err, nil, nil)
		}
		return nil, err
	}
	return stream{s, ctx}, nil
}

type stream struct {
	grpc.ClientStream
	caller context.Context // the stream's own ends with the stream
}

// RecvMsg waits for the next answer.
func (s stream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil || err == io.EOF || s.caller.Err() != nil {
		return err
	}
	header, _ := s.Header()
	return unanswered(s.caller, err, header, s.Trailer())
}

// unanswered marks the error of a call for which nothing came back. Whatever a
// plugin answers has at least its content type, in one of the two. A call whose
// time is up is another matter: the plugin knows the deadline too, and may have
// given the call up before the context does.
func unanswered(ctx context.Context, err error, header, trailer metadata.MD) error {
	if code := status.Code(err); code == codes.DeadlineExceeded || code == codes.Canceled {
		if d, ok := ctx.Deadline(); ok && time.Until(d) < timerSkew {
			return status.FromContextError(context.DeadlineExceeded).Err()
		}
	}
	if len(header)+len(trailer) > 0 {
		return err
	}
	return fmt.Errorf("%w: %w: %s", cache.ErrUnavailable, ErrBroken, status.Convert(err).Message())
}
