package shared

import (
	"context"

	"google.golang.org/grpc"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared/storepb"
)

const (
	// batchBytes is about how much of keys and values goes into one message,
	// unless a single value is larger.
	batchBytes = 4 << 20
	// batchItems is the most operations that the host puts into one message.
	batchItems = 1 << 10
	// MaxAnswer is the largest message that a host takes as the answer to a call
	// that brings back no value.
	MaxAnswer = batchBytes
	// messageSlack covers keys and framing around the largest value.
	messageSlack = 2*batchBytes + 2*cache.MaxKey
)

// GetMany answers as many of the first keys as make a message of reasonable
// size; it reads ahead in steps, since it cannot know how large the values are.
func (s *server) GetMany(ctx context.Context, r *storepb.GetManyRequest) (*storepb.GetManyResponse, error) {
	if err := s.checkKeys(cache.CanBatch, r.GetKeys()...); err != nil {
		return nil, err
	}
	keys := fromKeys(r.GetKeys())
	out := &storepb.GetManyResponse{}
	largest := 1
	for size, step := 0, 1; len(keys) > 0 && size < batchBytes; step = min(2*step, 128) {
		n := min(step, len(keys), max(1, batchBytes/largest))
		found, err := cache.GetMany(ctx, s.store, keys[:n])
		if err != nil {
			return nil, toStatus(err)
		}
		most := s.info.Load().Limits.MaxValue
		for _, f := range found {
			if f.Found && len(f.Entry.Value) > most {
				return nil, toStatus(answerTooLarge(f.Entry, most))
			}
			largest = max(largest, len(f.Entry.Value))
			if size += len(f.Entry.Value); size > batchBytes && len(out.Results) > 0 {
				return out, nil
			}
			out.Results = append(out.Results, toLookup(f.Entry, f.Found))
		}
		keys = keys[n:]
	}
	return out, nil
}

func (s *server) SetMany(ctx context.Context, r *storepb.SetManyRequest) (*storepb.SetManyResponse, error) {
	if err := s.check(cache.CanBatch); err != nil {
		return nil, err
	}
	items := make([]cache.Item, len(r.GetItems()))
	for i, it := range r.GetItems() {
		if err := s.checkKeys(0, it.GetKey()); err != nil {
			return nil, err
		}
		e, err := s.entry(it.GetEntry())
		if err != nil {
			return nil, err
		}
		items[i] = cache.Item{Key: string(it.GetKey()), Entry: e}
	}
	s.give(r.GetNumber())
	if err := cache.SetMany(ctx, s.store, items); err != nil {
		return nil, toStatus(err)
	}
	return &storepb.SetManyResponse{}, nil
}

// give counts a batch that the store is about to be given.
func (s *server) give(number uint64) {
	if s.lane != nil {
		s.lane.counter.give(forBatches, number)
	}
}

func (s *server) DeleteMany(ctx context.Context, r *storepb.DeleteManyRequest) (*storepb.DeleteManyResponse, error) {
	if err := s.checkKeys(cache.CanBatch, r.GetKeys()...); err != nil {
		return nil, err
	}
	s.give(r.GetNumber())
	if err := cache.DeleteMany(ctx, s.store, fromKeys(r.GetKeys())); err != nil {
		return nil, toStatus(err)
	}
	return &storepb.DeleteManyResponse{}, nil
}

func (s *server) Scan(r *storepb.ScanRequest, stream grpc.ServerStreamingServer[storepb.ScanResponse]) error {
	if err := s.check(cache.CanScan); err != nil {
		return err
	}
	const mostKeys, mostBytes = 1 << 10, 64 << 10
	var keys [][]byte
	size := 0
	send := func() error {
		err := stream.Send(&storepb.ScanResponse{Keys: keys})
		keys, size = nil, 0
		return err
	}
	for key, err := range cache.Scan(stream.Context(), s.store, string(r.GetPrefix())) {
		if err != nil {
			return toStatus(err)
		}
		keys = append(keys, []byte(key))
		if size += len(key); size >= mostBytes || len(keys) >= mostKeys {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if len(keys) > 0 {
		return send()
	}
	return nil
}

func (s *server) Watch(_ *storepb.WatchRequest, stream grpc.ServerStreamingServer[storepb.WatchResponse]) error {
	if err := s.check(cache.CanWatch); err != nil {
		return err
	}
	for change, err := range cache.Watch(stream.Context(), s.store) {
		if err != nil {
			return toStatus(err)
		}
		m := &storepb.WatchResponse{All: change.All}
		if !change.All {
			m.Keys = [][]byte{[]byte(change.Key)}
		}
		if err := stream.Send(m); err != nil {
			return err
		}
	}
	return toStatus(stream.Context().Err())
}
