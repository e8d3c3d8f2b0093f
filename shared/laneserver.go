package shared

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/harpia-go/harpia/cache"
)

// Quick is a store that says whether its calls take so little time, and wait
// for nothing, that one after the other is faster than all at once. A store
// that is not Quick has many calls at a time.
type Quick interface {
	Quick() bool
}

// Mixer is a cache.Batcher that can read and write in one go, such as one that
// a server is asked for: what arrives together then takes one turn with it, and
// not two.
type Mixer interface {
	cache.Batcher
	// Mixes reports whether it can at present.
	Mixes() bool
	// Mix answers as GetMany does for the keys and as SetMany does for the items,
	// each with an error of its own. It promises no order between the two.
	Mix(ctx context.Context, keys []string, items []cache.Item) (found []cache.Lookup, read, wrote error)
}

// laneServer is the plugin's end of one connection of the lane.
type laneServer struct {
	*server
	guard *guard
	conn  net.Conn
	// longest is the longest value that this connection carries.
	longest int
	quick   bool

	which   int // of the connections
	counter *counter
	taken   uint64 // requests

	out   outbox
	calls *places
	ended sync.WaitGroup

	unwritten atomic.Int64 // bytes of large values in out
}

// queued counts so many more bytes of large values, or fewer, that wait to be
// written: the host may take them long after their calls have returned.
func (s *laneServer) queued(bytes int) {
	if bytes != 0 {
		s.unwritten.Add(int64(bytes))
		s.guard.memory.Add(int64(bytes))
	}
}

// serve answers until the connection ends, and waits for the calls under way.
func (s *laneServer) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer func() { s.guard.memory.Add(-s.unwritten.Load()) }()
	defer s.ended.Wait()
	defer cancel()
	defer func() { _ = s.conn.Close() }()
	s.out = outbox{conn: s.conn, broken: func(error) { _ = s.conn.Close() }, wrote: func(bytes int) { s.queued(-bytes) }}
	s.calls = newPlaces()
	from := eagerly(s.conn)
	in := frames{longest: requestHead + cache.MaxKey + 4 + 2*s.longest}
	var answers frameQueue
	var requests []laneRequest
	for {
		n, err := from.Read(in.room())
		if n == 0 && err != nil {
			return err
		}
		in.read(n)
		requests = requests[:0]
		for {
			frame, own, err := in.next()
			if err != nil {
				return err
			}
			if frame == nil {
				break
			}
			r, err := parseRequest(frame)
			if err != nil {
				return err
			}
			r.own = own
			s.taken++
			if !s.quick {
				requests = append(requests, r)
				continue
			}
			s.counter.give(s.which, s.taken)
			a := s.answer(ctx, &r)
			a.add(&answers)
		}
		if len(requests) > 0 {
			s.counter.give(s.which, s.taken)
		}
		s.startAll(ctx, requests)
		clear(requests) // the next frame may be long in coming
		if answers.size() == 0 {
			continue
		}
		if _, err := answers.writeTo(s.conn); err != nil {
			return err
		}
		answers = frameQueue{small: answers.small[:0]}
	}
}

// answer does what a request asks for.
func (s *laneServer) answer(ctx context.Context, r *laneRequest) laneAnswer {
	a, err := s.call(ctx, r)
	if err != nil {
		a = failedAnswer(err)
	}
	a.id = r.id
	return a
}

// failedAnswer is the answer of a call whose error is a status.
func failedAnswer(err error) laneAnswer {
	st := status.Convert(err)
	return laneAnswer{status: st.Code(), rest: []byte(st.Message())}
}

// call makes the call to the store. Its error is a status.
func (s *laneServer) call(ctx context.Context, r *laneRequest) (a laneAnswer, err error) {
	if err := s.check(laneNeeds[r.op]); err != nil {
		return a, err
	}
	if err := cache.CheckKey(r.key); err != nil {
		return a, toStatus(err)
	}
	most := s.info.Load().Limits.MaxValue
	if carries := int64(len(r.value) + len(r.old)); carries > laneSmall {
		s.guard.memory.Add(carries)
		defer s.guard.memory.Add(-carries)
	}
	if n := max(len(r.value), len(r.old)); n > most {
		return a, toStatus(fmt.Errorf("%w: %d bytes, at most %d are allowed", cache.ErrTooLarge, n, most))
	}
	if !s.guard.calls.TryRLock() {
		return a, toStatus(cache.ErrClosed)
	}
	defer s.guard.calls.RUnlock()
	defer func() { s.guard.recovered(laneNames[r.op], recover(), &err) }()
	var done bool
	key, expires := r.key, cache.ExpiryAt(r.expires)
	switch r.op {
	case laneGet:
		var e cache.Entry
		e, done, err = s.store.Get(ctx, key)
		if n := int64(len(e.Value)); n > laneSmall {
			s.guard.memory.Add(n)
			defer s.guard.memory.Add(-n)
		}
		if err == nil {
			return s.found(e, done), nil
		}
	case laneSet:
		err = s.store.Set(ctx, key, cache.Entry{Value: s.own(r), Expires: expires})
	case laneDelete:
		err = s.store.Delete(ctx, key)
	case laneAdd:
		done, err = cache.SetIfAbsent(ctx, s.store, key, cache.Entry{Value: s.own(r), Expires: expires})
	case laneSwap:
		done, err = cache.CompareAndSwap(ctx, s.store, key, r.old, cache.Entry{Value: s.own(r), Expires: expires})
	case laneSwapDel:
		done, err = cache.CompareAndDelete(ctx, s.store, key, r.old)
	case laneCount:
		var sum int64
		var until time.Time
		sum, until, err = cache.Increment(ctx, s.store, key, r.delta, expires)
		a.rest, a.expires = binary.LittleEndian.AppendUint64(nil, uint64(sum)), cache.ExpiryMillis(until)
	case laneTouch:
		done, err = cache.Touch(ctx, s.store, key, expires)
	}
	if err != nil {
		return laneAnswer{}, toStatus(err)
	}
	a.status = codes.OK
	if done {
		a.flags |= flagTrue
	}
	return a, nil
}

// found is the answer of a Get.
func (s *laneServer) found(e cache.Entry, found bool) laneAnswer {
	switch most := s.info.Load().Limits.MaxValue; {
	case !found:
		return laneAnswer{}
	case len(e.Value) > most:
		return failedAnswer(toStatus(answerTooLarge(e, most)))
	case len(e.Value) > s.longest && s.longest < most:
		return laneAnswer{flags: flagTooLarge, expires: int64(len(e.Value))}
	}
	return laneAnswer{flags: flagTrue, rest: e.Value, expires: cache.ExpiryMillis(e.Expires)}
}

// own copies a value out of the frame's memory, since the store keeps it.
func (s *laneServer) own(r *laneRequest) []byte {
	if !s.quick || r.own {
		return r.value // or startAll has done so
	}
	return append(make([]byte, 0, len(r.value)), r.value...)
}
