package pluginstore

import (
	"hash/maphash"
	"sync"
)

// inFlight knows the writes that one process of the plugin was sent and has
// not answered. When the process dies, it can not be known whether such a
// write was done. One that was alone on its key is simply done again; of
// several on one key, readers may have seen any order, and only emptying the
// key contradicts none of them.
type inFlight struct {
	seed    maphash.Seed
	stripes [64]stripe
	// oneByOne: the writes of a key wait for each other. Of two in flight together
	// when the process dies nobody knows the order, and a durable store must not
	// lose both.
	oneByOne bool
	// Each is added under a stripe's lock, before that stripe is closed.
	writes sync.WaitGroup
	others sync.WaitGroup // calls that write nothing

	fences fences // of calls that got no answer in time

	// wasKilled is plug.wasKilled of the process.
	wasKilled func() bool

	fell victims
}

// victims are the keys of the calls that were under way when a process died.
type victims struct {
	mu   sync.Mutex
	keys []string
	// over: the process was ended with intent, or its death has been judged.
	over bool
}

// with tells that calls on the keys ended with the process.
func (v *victims) with(keys ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.over {
		v.keys = append(v.keys, keys...)
	}
}

// close returns the keys, once.
func (v *victims) close() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	keys := v.keys
	v.keys, v.over = nil, true
	return keys
}

type stripe struct {
	mu     sync.Mutex
	closed bool
	clears int // calls that write to any key and are in flight, or were given up and are fenced off
	keys   map[string]keyInFlight
	// adrift counts the keys that were only kept for their abandoned writes;
	// past abandonedKeys all keys are taken for such.
	adrift int
	all    bool
	_      [64]byte // stripes do not share cache lines
}

type keyInFlight struct {
	writes     int
	overlapped bool // since the first of them began, there were two at once
	abandoned  bool
	call       *keyEntry     // the first of the batch that writes it, if it is one by one
	over       chan struct{} // not nil: another write waits; closed when one has ended
}

// abandonedKeys bounds those that are remembered of a stripe.
const abandonedKeys = 1024

func newInFlight(wasKilled func() bool, oneByOne bool) *inFlight {
	f := &inFlight{seed: maphash.MakeSeed(), wasKilled: wasKilled, oneByOne: oneByOne}
	for i := range f.stripes {
		f.stripes[i].keys = make(map[string]keyInFlight)
	}
	f.fences.fell, f.fences.clears = f.answered, f.clearsAdrift
	return f
}

func (f *inFlight) stripe(key string) *stripe {
	return &f.stripes[maphash.String(f.seed, key)%uint64(len(f.stripes))]
}

// begin counts a write of key that is to be sent, and reports false if it is not to
// be: the process is to be sent nothing any more, or, if the channel is not nil,
// another write of the key is in flight until that is closed. A batch, which call
// names, does not wait for itself.
func (f *inFlight) begin(key string, call *keyEntry) (bool, <-chan struct{}) {
	s := f.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, nil
	}
	k := s.keys[key]
	own := f.oneByOne && k.writes > 0 && call != nil && k.call == call
	if f.oneByOne && k.writes > 0 && !own {
		if k.over == nil {
			k.over = make(chan struct{})
			s.keys[key] = k
		}
		return false, k.over
	}
	if k.abandoned && k.writes == 0 {
		s.adrift--
	}
	k.overlapped = k.overlapped || k.writes > 0 && !own || s.clears > 0
	k.call = call
	k.writes++
	s.keys[key] = k
	f.writes.Add(1)
	return true, nil
}

// abandon tells of a write of key, which is in flight, that it will end without
// an answer: the plugin may do it at any time. So every later write of the key
// overlaps with it.
func (f *inFlight) abandon(key string) {
	s := f.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[key]
	k.overlapped, k.abandoned = true, true
	s.keys[key] = k
}

// answered says that no abandoned write of key is under way any more.
func (f *inFlight) answered(key string) {
	s := f.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	k, known := s.keys[key]
	if !known || !k.abandoned {
		return
	}
	if k.abandoned = false; k.writes > 0 {
		s.keys[key] = k
		return
	}
	s.adrift--
	delete(s.keys, key)
}

// clearsAdrift counts calls that may write to any key and were given up, but are
// not answered: a write that begins meanwhile overlaps with them.
func (f *inFlight) clearsAdrift(n int) {
	for i := range f.stripes {
		s := &f.stripes[i]
		s.mu.Lock()
		s.clears += n
		s.mu.Unlock()
	}
}

// end ends what begin began. It comes after a write of unknown outcome has been
// journalled.
func (f *inFlight) end(key string) {
	s := f.stripe(key)
	s.mu.Lock()
	k := s.keys[key]
	k.writes--
	if k.over != nil {
		close(k.over)
		k.over = nil
	}
	switch {
	case k.writes > 0:
		s.keys[key] = k
	case k.abandoned && s.adrift < abandonedKeys:
		s.adrift++
		s.keys[key] = k
	default:
		s.all = s.all || k.abandoned
		delete(s.keys, key)
	}
	s.mu.Unlock()
	f.writes.Done()
}

// overlapped reports whether the write of key, which is in flight, was ever
// so together with another. It is final once close has returned.
func (f *inFlight) overlapped(key string) bool {
	s := f.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all || s.keys[key].overlapped
}

// beginAll is begin for a call that may write to any key.
func (f *inFlight) beginAll() bool {
	for i := range f.stripes {
		s := &f.stripes[i]
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			for i := range i {
				f.endAllOf(&f.stripes[i])
			}
			return false
		}
		s.clears++
		for key, k := range s.keys {
			k.overlapped = true
			s.keys[key] = k
		}
		f.writes.Add(1)
		s.mu.Unlock()
	}
	return true
}

// endAll ends what beginAll began.
func (f *inFlight) endAll() {
	for i := range f.stripes {
		f.endAllOf(&f.stripes[i])
	}
}

func (f *inFlight) endAllOf(s *stripe) {
	s.mu.Lock()
	s.clears--
	s.mu.Unlock()
	f.writes.Done()
}

// enter is begin for a call that writes nothing and takes long.
func (f *inFlight) enter() bool {
	s := &f.stripes[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		f.others.Add(1)
	}
	return !s.closed
}

// leave ends what enter began.
func (f *inFlight) leave() { f.others.Done() }

// close lets nothing more begin.
func (f *inFlight) close() {
	for i := range f.stripes {
		s := &f.stripes[i]
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
	}
}

// settled is closed when all writes that began have ended. It is called after
// close.
func (f *inFlight) settled() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		f.writes.Wait()
		close(done)
	}()
	return done
}

// drained is closed when all that began has ended, which whoever consumes a
// Scan may delay for as long as he likes. It is called after close.
func (f *inFlight) drained() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		f.writes.Wait()
		f.others.Wait()
		close(done)
	}()
	return done
}
