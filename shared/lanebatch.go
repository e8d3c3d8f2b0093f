package shared

import (
	"context"
	"iter"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// What arrives together at a store that is not Quick is answered together, if
// the store takes batches: their callers all wait, so no order among them was
// promised to any, and a store that syncs its writes does so once.

// startAll has requests answered while others are.
func (s *laneServer) startAll(ctx context.Context, requests []laneRequest) {
	for i := range requests {
		if r := &requests[i]; !r.own {
			// The frame's memory is read into again.
			r.old, r.value = slices.Clone(r.old), slices.Clone(r.value)
		}
	}
	if len(requests) < 2 || s.check(cache.CanBatch) != nil {
		for _, r := range requests {
			s.start(ctx, []laneRequest{r}, nil)
		}
		return
	}
	var gets, sets, deletes []laneRequest
	for _, r := range requests {
		switch r.op {
		case laneGet:
			gets = append(gets, r)
		case laneSet:
			sets = append(sets, r)
		case laneDelete:
			deletes = append(deletes, r)
		default:
			s.start(ctx, []laneRequest{r}, nil)
		}
	}
	mixer, mixes := s.store.(Mixer)
	mixes = mixes && mixer.Mixes()
	for part := range parts(gets) {
		if !mixes || len(sets) == 0 {
			s.start(ctx, part, s.getAll)
			continue
		}
		n := len(part)
		s.start(ctx, slices.Concat(part, sets), func(ctx context.Context, requests []laneRequest) ([]laneAnswer, error) {
			return s.mixAll(ctx, mixer, requests[:n], requests[n:])
		})
		sets = nil
	}
	s.start(ctx, sets, s.setAll)
	s.start(ctx, deletes, s.deleteAll)
}

// partSize is how many reads are worth a goroutine of their own.
const partSize = 8

// parts splits reads, which need nothing of each other, so that every processor
// has some.
func parts(gets []laneRequest) iter.Seq[[]laneRequest] {
	each := (len(gets) + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	return slices.Chunk(gets, max(each, partSize))
}

// start answers requests in a goroutine: with together if it can, or else one
// after the other.
func (s *laneServer) start(ctx context.Context, requests []laneRequest, together func(context.Context, []laneRequest) ([]laneAnswer, error)) {
	if len(requests) == 0 {
		return
	}
	s.calls.take()
	s.ended.Go(func() {
		defer s.calls.give()
		left := uint32(0)
		for i := range requests {
			left = max(left, requests[i].left)
		}
		if left > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(left)*time.Millisecond)
			defer cancel()
		}
		var answers []laneAnswer
		if len(requests) > 1 {
			answers = s.guarded(ctx, requests, together)
		}
		for i := len(answers); i < len(requests); i++ {
			answers = append(answers, s.answer(ctx, &requests[i]))
		}
		// Only the end of the connection keeps an answer from being queued.
		writes, _ := s.out.add(context.Background(), math.MaxInt64, func(q *frameQueue, _ time.Duration) {
			before := q.bytes
			for i := range answers {
				answers[i].id = requests[i].id
				answers[i].add(q)
			}
			s.queued(q.bytes - before)
		})
		if writes {
			s.out.write()
		}
	})
}

// guarded makes one call for all requests. Without answers each is to be made by
// itself: the store was given none.
//
// After an error one of them may be at fault, so reads are made one by one. Writes
// have failed: some may be done and seen, and written over, and to do them again
// could bring an older value back.
func (s *laneServer) guarded(ctx context.Context, requests []laneRequest, call func(context.Context, []laneRequest) ([]laneAnswer, error)) (answers []laneAnswer) {
	most := s.info.Load().Limits.MaxValue
	for i := range requests {
		if cache.CheckEntry(requests[i].key, cache.Entry{Value: requests[i].value}, most) != nil {
			return nil
		}
	}
	if !s.guard.calls.TryRLock() {
		return nil
	}
	defer s.guard.calls.RUnlock()
	answers, err := func() (a []laneAnswer, err error) {
		defer func() { s.guard.recovered(laneNames[requests[0].op]+"Many", recover(), &err) }()
		return call(ctx, requests)
	}()
	if err == nil {
		return answers
	}
	answers = make([]laneAnswer, len(requests))
	for i := range requests {
		if requests[i].op == laneGet {
			answers[i] = s.answer(ctx, &requests[i])
		} else {
			answers[i] = failedAnswer(err)
		}
	}
	return answers
}

func (s *laneServer) getAll(ctx context.Context, requests []laneRequest) ([]laneAnswer, error) {
	found, err := cache.GetMany(ctx, s.store, keysOf(requests))
	if err != nil || len(found) != len(requests) {
		return nil, err
	}
	return s.foundAll(found), nil
}

func (s *laneServer) setAll(ctx context.Context, requests []laneRequest) ([]laneAnswer, error) {
	if err := cache.SetMany(ctx, s.store, itemsOf(requests)); err != nil {
		return nil, toStatus(err)
	}
	return make([]laneAnswer, len(requests)), nil
}

func (s *laneServer) deleteAll(ctx context.Context, requests []laneRequest) ([]laneAnswer, error) {
	if err := cache.DeleteMany(ctx, s.store, keysOf(requests)); err != nil {
		return nil, toStatus(err)
	}
	return make([]laneAnswer, len(requests)), nil
}

func (s *laneServer) mixAll(ctx context.Context, m Mixer, gets, sets []laneRequest) ([]laneAnswer, error) {
	found, read, wrote := m.Mix(ctx, keysOf(gets), itemsOf(sets))
	if read != nil || len(found) != len(gets) {
		found = nil
	}
	answers := s.foundAll(found)
	for i := len(answers); i < len(gets); i++ {
		answers = append(answers, s.answer(ctx, &gets[i]))
	}
	var a laneAnswer
	if wrote != nil {
		a = failedAnswer(toStatus(wrote))
	}
	for range sets {
		answers = append(answers, a)
	}
	return answers, nil
}

func (s *laneServer) foundAll(found []cache.Lookup) []laneAnswer {
	answers := make([]laneAnswer, len(found))
	for i, f := range found {
		answers[i] = s.found(f.Entry, f.Found)
	}
	return answers
}

func itemsOf(requests []laneRequest) []cache.Item {
	items := make([]cache.Item, len(requests))
	for i, r := range requests {
		items[i] = cache.Item{Key: r.key, Entry: cache.Entry{Value: r.value, Expires: cache.ExpiryAt(r.expires)}}
	}
	return items
}

func keysOf(requests []laneRequest) []string {
	keys := make([]string, len(requests))
	for i := range requests {
		keys[i] = requests[i].key
	}
	return keys
}
