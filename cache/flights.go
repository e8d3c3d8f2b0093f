package cache

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"time"
)

// flights keeps loads and writes of one cache apart. For each key with either
// it knows how many writes are under way and which load new callers join.
//
// A load's result may be stored only if no write of its key ran at any moment
// of the load: a write, when it begins and again when it ends, detaches the
// load that it finds, so that the result is not stored and later callers start
// a load of their own. And a write waits for a result that is just being
// stored, so that it comes after it in the store too.
type flights struct {
	shards  [32]flightShard
	seed    maphash.Seed
	timeout time.Duration // of one load

	ctx    context.Context // ends when the cache closes
	cancel context.CancelFunc
	mu     sync.Mutex // guards closed against a load that begins
	closed bool
	wg     sync.WaitGroup // loads that run
}

type flightShard struct {
	mu     sync.Mutex
	keys   map[string]*keyFlights
	sweeps int // writes of all keys under way
	_      [40]byte
}

// keyFlights exists while there is something to know of the key.
type keyFlights struct {
	writes int
	load   *load // new callers join it; nil: none, or detached
	fill   *load // its result is being stored
}

// load is one run of a caller's load function, shared by all who ask for the
// key meanwhile.
type load struct {
	stale  bool          // a write ran meanwhile; guarded by the shard's mu
	filled chan struct{} // closed when the result is stored or never will be
	once   sync.Once     // of answer
	done   chan struct{} // closed when data and err are set
	data   []byte
	err    error
}

// answer sets what those who wait get, unless they have been answered.
func (l *load) answer(data []byte, err error) {
	l.once.Do(func() {
		l.data, l.err = data, err
		close(l.done)
	})
}

func newFlights(timeout time.Duration) *flights {
	f := &flights{seed: maphash.MakeSeed(), timeout: timeout}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	for i := range f.shards {
		f.shards[i].keys = make(map[string]*keyFlights)
	}
	return f
}

func (f *flights) shard(key string) *flightShard {
	return &f.shards[maphash.String(f.seed, key)%uint64(len(f.shards))]
}

// state returns what is known of key; mu is held.
func (s *flightShard) state(key string) *keyFlights {
	k := s.keys[key]
	if k == nil {
		k = &keyFlights{}
		s.keys[key] = k
	}
	return k
}

// forget drops the key when there is nothing left to know; mu is held.
func (s *flightShard) forget(key string, k *keyFlights) {
	if k.writes == 0 && k.load == nil && k.fill == nil {
		delete(s.keys, key)
	}
}

func (k *keyFlights) detach() {
	if k.load != nil {
		k.load.stale = true
		k.load = nil
	}
}

// write is a write under way. Its done must be called when the store has
// answered.
type write struct {
	flights *flights
	keys    []string
	one     [1]string
	all     bool
}

// write announces a write of the keys. It waits while the result of a load is
// being stored under one of them.
func (f *flights) write(ctx context.Context, keys ...string) (*write, error) {
	w := &write{flights: f}
	w.keys = w.one[:0]
	for _, key := range keys {
		fill := f.shard(key).begin(key)
		w.keys = append(w.keys, key)
		if err := fill.wait(ctx); err != nil {
			w.done()
			return nil, err
		}
	}
	return w, nil
}

// begin counts a write in, after which no load of the key stores its result
// any more, and returns the load that is just doing so.
func (s *flightShard) begin(key string) *load {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.state(key)
	k.writes++
	k.detach()
	return k.fill
}

// writeAll announces a write that may touch every key.
func (f *flights) writeAll(ctx context.Context) (*write, error) {
	w := &write{flights: f, all: true}
	var fills []*load
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		s.sweeps++
		for _, k := range s.keys {
			k.detach()
			if k.fill != nil {
				fills = append(fills, k.fill)
			}
		}
		s.mu.Unlock()
	}
	for _, fill := range fills {
		if err := fill.wait(ctx); err != nil {
			w.done()
			return nil, err
		}
	}
	return w, nil
}

// done ends the write.
func (w *write) done() {
	for _, key := range w.keys {
		s := w.flights.shard(key)
		s.mu.Lock()
		k := s.keys[key]
		k.writes--
		k.detach()
		s.forget(key, k)
		s.mu.Unlock()
	}
	if !w.all {
		return
	}
	for i := range w.flights.shards {
		s := &w.flights.shards[i]
		s.mu.Lock()
		s.sweeps--
		for key, k := range s.keys {
			k.detach()
			s.forget(key, k)
		}
		s.mu.Unlock()
	}
}

func (l *load) wait(ctx context.Context) error {
	if l == nil {
		return nil
	}
	select {
	case <-l.filled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join returns the load of key to wait for. When it is a new one, first is
// true and the caller must run it.
func (f *flights) join(key string) (l *load, first bool, err error) {
	s := f.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.state(key)
	if k.load != nil {
		return k.load, false, nil
	}
	if err := f.enter(); err != nil {
		s.forget(key, k)
		return nil, false, err
	}
	k.load = &load{
		stale:  k.writes > 0 || s.sweeps > 0,
		filled: make(chan struct{}),
		done:   make(chan struct{}),
	}
	return k.load, true, nil
}

// store runs fill, which stores the load's result, unless a write ran
// meanwhile. Then the load is over: nobody joins it any more.
func (f *flights) store(key string, l *load, fill func()) {
	s := f.shard(key)
	s.mu.Lock()
	k := s.keys[key] // not nil unless l is stale
	// A write that gave up waiting for a fill may leave it running: two at a
	// time would be one too many to wait for.
	if l.stale || fill == nil || k.fill != nil {
		s.end(key, l)
		s.mu.Unlock()
		return
	}
	k.fill = l
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		k.fill = nil
		s.end(key, l)
		s.mu.Unlock()
	}()
	fill()
}

// end closes the load's filled and takes it off the table; mu is held.
func (s *flightShard) end(key string, l *load) {
	close(l.filled)
	k := s.keys[key]
	if k == nil {
		return
	}
	if k.load == l {
		k.load = nil
	}
	s.forget(key, k)
}

// loading is in the context of a load, with that of the load around it.
type loading struct {
	flights *flights
	key     string
	load    *load
	outer   *loading
}

type loadingKey struct{}

// loads reports whether ctx is that of a load of the key, which still runs.
func (f *flights) loads(ctx context.Context, key string) bool {
	in, _ := ctx.Value(loadingKey{}).(*loading)
	for ; in != nil; in = in.outer {
		if in.flights == f && in.key == key && !in.load.over() {
			return true
		}
	}
	return false
}

func (l *load) over() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// run returns the context of a load: it outlives the caller that began it, has a
// deadline of its own, and ends with the cache. At the deadline the load is over,
// and late is called. end reports whether it was not, and what is left of the time:
// then the load is its caller's to answer.
func (f *flights) run(caller context.Context, key string, l *load, late func()) (ctx context.Context, end func() (bool, time.Duration)) {
	outer, _ := caller.Value(loadingKey{}).(*loading)
	within := context.WithValue(context.WithoutCancel(caller), loadingKey{}, &loading{f, key, l, outer})
	limited, cancel := context.WithTimeout(within, f.timeout)
	live := context.AfterFunc(limited, func() { late(); f.expire(key, l) })
	ctx, stop := context.WithCancel(limited)
	closed := context.AfterFunc(f.ctx, stop)
	until, _ := limited.Deadline()
	return ctx, func() (bool, time.Duration) {
		closed()
		alive := live()
		stop()
		cancel()
		return alive, time.Until(until)
	}
}

// expire ends a load at its limit: its result will not be stored, and nobody joins
// it or waits for it any more.
func (f *flights) expire(key string, l *load) {
	s := f.shard(key)
	s.mu.Lock()
	l.stale = true
	s.end(key, l)
	s.mu.Unlock()
	l.answer(nil, fmt.Errorf("%w of %v: %w", ErrLoadTimeout, f.timeout, context.DeadlineExceeded))
	f.wg.Done()
}

func (f *flights) enter() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	f.wg.Add(1)
	return nil
}

func (f *flights) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.wg.Wait()
}
