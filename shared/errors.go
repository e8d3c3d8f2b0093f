package shared

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/harpia-go/harpia/cache"
)

// wireErrors is how an error crosses the process boundary, in both directions.
// The first row that fits an error gives its code; each code stands once.
var wireErrors = [...]struct {
	err  error
	code codes.Code
}{
	{cache.ErrInvalidKey, codes.InvalidArgument},
	{cache.ErrTooLarge, codes.ResourceExhausted},
	{cache.ErrNotCounter, codes.FailedPrecondition},
	{cache.ErrUnavailable, codes.Unavailable},
	{cache.ErrClosed, codes.Aborted},
	{errors.ErrUnsupported, codes.Unimplemented},
	{context.Canceled, codes.Canceled},
	{context.DeadlineExceeded, codes.DeadlineExceeded},
}

// maxErrorText keeps a message within what fits the trailer of an HTTP/2
// answer.
const maxErrorText = 2 << 10

// toStatus turns a store's error into a gRPC status.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	text := cut(err.Error())
	for _, row := range wireErrors {
		if errors.Is(err, row.err) {
			return status.Error(row.code, text)
		}
	}
	return status.Error(codes.Unknown, text)
}

// cut makes valid UTF-8 of an error's text, and not too much of it.
func cut(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "…"
	}
	return text
}

// settingStatus is toStatus for Configure, where INVALID_ARGUMENT means that
// another setting would help.
func settingStatus(err error) error {
	if errors.Is(err, ErrSetting) {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return toStatus(err)
}

// fromSettingStatus is fromStatus for Configure.
func fromSettingStatus(err error) error {
	if s, ok := status.FromError(err); ok && s.Code() == codes.InvalidArgument {
		return &wireError{text: cut(s.Message()), cause: ErrSetting}
	}
	return fromStatus(err)
}

// fromStatus turns a failed call's error back into one that errors.Is knows.
// What the other side says is cut to what toStatus would have sent.
func fromStatus(err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	text := cut(s.Message())
	for _, row := range wireErrors {
		if s.Code() != row.code {
			continue
		}
		// The sentinel's text is mostly part of what was sent; it is not said
		// twice.
		if !strings.Contains(text, row.err.Error()) {
			text = row.err.Error() + ": " + text
		}
		return &wireError{text: text, cause: row.err}
	}
	return &wireError{text: text, cause: status.Error(s.Code(), text)}
}

// wireError has the text of the other side and the identity of its cause.
type wireError struct {
	text  string
	cause error
}

func (e *wireError) Error() string { return e.text }
func (e *wireError) Unwrap() error { return e.cause }
