package storetest

import (
	"context"
	"strings"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// Some clauses hold for every method: which keys are refused, what a context
// does, what an undeclared method answers. Their cases are made from this
// list, one for each capability.

// group is Store or one of the optional interfaces.
type group struct {
	name  string
	can   cache.Capability
	keyed bool // the methods take keys that must be valid
	calls []call
}

// call calls one method and returns its error.
type call struct {
	method string
	do     func(ctx context.Context, s *recorder, key string, value []byte) error
}

func (g group) methods() string {
	var names []string
	for _, c := range g.calls {
		names = append(names, c.method)
	}
	return strings.Join(names, ", ")
}

func groups() []group {
	return []group{
		{name: "store", keyed: true, calls: []call{
			{"Get", func(ctx context.Context, s *recorder, key string, _ []byte) error {
				_, _, err := s.Get(ctx, key)
				return err
			}},
			{"Set", func(ctx context.Context, s *recorder, key string, value []byte) error {
				return s.Set(ctx, key, cache.Entry{Value: value})
			}},
			{"Delete", func(ctx context.Context, s *recorder, key string, _ []byte) error {
				return s.Delete(ctx, key)
			}},
		}},
		{name: "batch", can: cache.CanBatch, keyed: true, calls: []call{
			{"GetMany", func(ctx context.Context, s *recorder, key string, _ []byte) error {
				_, err := s.GetMany(ctx, []string{key})
				return err
			}},
			{"SetMany", func(ctx context.Context, s *recorder, key string, value []byte) error {
				return s.SetMany(ctx, []cache.Item{{Key: key, Entry: cache.Entry{Value: value}}})
			}},
			{"DeleteMany", func(ctx context.Context, s *recorder, key string, _ []byte) error {
				return s.DeleteMany(ctx, []string{key})
			}},
		}},
		{name: "add", can: cache.CanAdd, keyed: true, calls: []call{
			{"SetIfAbsent", func(ctx context.Context, s *recorder, key string, value []byte) error {
				_, err := s.SetIfAbsent(ctx, key, cache.Entry{Value: value})
				return err
			}},
		}},
		{name: "swap", can: cache.CanSwap, keyed: true, calls: []call{
			{"CompareAndSwap", func(ctx context.Context, s *recorder, key string, value []byte) error {
				_, err := s.CompareAndSwap(ctx, key, value, cache.Entry{Value: value})
				return err
			}},
			{"CompareAndDelete", func(ctx context.Context, s *recorder, key string, value []byte) error {
				_, err := s.CompareAndDelete(ctx, key, value)
				return err
			}},
		}},
		{name: "count", can: cache.CanCount, keyed: true, calls: []call{
			{"Increment", func(ctx context.Context, s *recorder, key string, _ []byte) error {
				_, _, err := s.Increment(ctx, key, 1, time.Time{})
				return err
			}},
		}},
		{name: "touch", can: cache.CanTouch, keyed: true, calls: []call{
			{"Touch", func(ctx context.Context, s *recorder, key string, _ []byte) error {
				_, err := s.Touch(ctx, key, time.Time{})
				return err
			}},
		}},
		// A prefix is not a key. This one is never empty, whatever the case.
		{name: "scan", can: cache.CanScan, calls: []call{
			{"Scan", func(ctx context.Context, s *recorder, prefix string, _ []byte) error {
				for _, err := range s.Scan(ctx, prefix) {
					if err != nil {
						return err
					}
				}
				return nil
			}},
		}},
		{name: "clear", can: cache.CanClear, calls: []call{
			{"Clear", func(ctx context.Context, s *recorder, prefix string, _ []byte) error {
				return s.Clear(ctx, prefix)
			}},
		}},
		// A watch that works goes on until its context ends, and need not end
		// with an error then.
		{name: "watch", can: cache.CanWatch, calls: []call{
			{"Watch", func(ctx context.Context, s *recorder, _ string, _ []byte) error {
				for _, err := range s.Watch(ctx) {
					if err != nil {
						return err
					}
					if ctx.Err() == nil {
						return nil
					}
				}
				return ctx.Err()
			}},
		}},
		{name: "flush", can: cache.CanFlush, calls: []call{
			{"Flush", func(ctx context.Context, s *recorder, _ string, _ []byte) error {
				return s.Flush(ctx)
			}},
		}},
	}
}
