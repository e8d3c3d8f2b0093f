package cache

import (
	"bytes"
	"hash/maphash"
	"sync"
)

// nearCalls decides what a Near copies. It knows, for each key, the calls to
// the store that are under way.
//
// A call ends by making a copy of what it knows the key to hold, which may have
// been long ago: the answer of a read and of a write each tell of some moment
// between its beginning and its end. The copy is right if no call and no watch
// can have learned since of anything newer, and if everything that comes to
// change the key from now on drops it. Therefore:
//
//   - A write drops the copy before it goes to the store. Until it has ended no
//     copy of its key is made, so nobody finds the older value when it has
//     returned. What it wrote is copied at its end only if it was alone: no
//     other write ran, no watch told of a change, and no read had an answer,
//     which may have been somebody's newer value. A write that failed copies
//     nothing.
//   - A read makes a copy only if its key's version is what it was at its
//     beginning, and no write is under way. The version changes when a write
//     ends, when the watch tells of a change, and when reads at the same time
//     had different answers.
//   - Two answers that differ say that somebody changed the key between them,
//     and not which is the newer; both have been returned or will be. So
//     neither is copied, nor the answer of any read that has already begun.
//     Answers that agree hinder nothing, or many who read a key at once would
//     never get a copy of it.
//   - What may change any key, Clear and the loss of a watch, holds all: it
//     changes every version, and no copy is made before the release, which
//     changes them again.
//
// All of it, the change of a copy included, happens under the lock of the key's
// stripe, in which no call to the store is made.
type nearCalls struct {
	near    *Near
	seed    maphash.Seed
	stripes [64]nearStripe
}

type nearStripe struct {
	mu    sync.Mutex
	keys  map[string]*nearKey // with calls under way
	holds int                 // reasons for no copy to be made
	_     [40]byte
}

type nearKey struct {
	calls   int    // under way
	writes  int    // of them
	version uint64 // see nearCalls
	// answer is what the calls that ended since the version changed have said
	// that the key holds; copied, that there is a copy of it, or was.
	answer           Lookup
	answered, copied bool
}

// nearCall is a call to the store. It ends with end.
type nearCall struct {
	calls   *nearCalls
	key     string
	write   bool
	version uint64
	answer  Lookup
	known   bool
}

func (c *nearCalls) init(n *Near) {
	c.near, c.seed = n, maphash.MakeSeed()
	for i := range c.stripes {
		c.stripes[i].keys = make(map[string]*nearKey)
	}
}

func (c *nearCalls) stripe(key string) *nearStripe {
	return &c.stripes[maphash.String(c.seed, key)%uint64(len(c.stripes))]
}

// read announces a read of key.
func (c *nearCalls) read(key string) nearCall {
	s := c.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return nearCall{calls: c, key: key, version: s.begin(key).version}
}

// write announces a write of key, and drops the copy.
func (c *nearCalls) write(key string) nearCall {
	s := c.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.begin(key)
	k.writes++
	c.near.drop(key)
	return nearCall{calls: c, key: key, write: true, version: k.version}
}

// is tells what the key holds, as the store has answered.
func (c *nearCall) is(e Entry, ok bool) {
	c.answer, c.known = Lookup{Entry: e, Found: ok}, true
}

func (c *nearCall) end() {
	s := c.calls.stripe(c.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[c.key]
	if c.write {
		c.wrote(s, k)
	} else if c.known {
		c.didRead(s, k)
	}
	if k.calls--; k.calls == 0 {
		delete(s.keys, c.key)
	}
}

// wrote ends a write; s is locked.
func (c *nearCall) wrote(s *nearStripe, k *nearKey) {
	alone := k.version == c.version
	k.writes--
	k.change()
	if alone && c.known && k.writes == 0 && s.holds == 0 {
		c.copy(k)
	}
}

// didRead ends a read that was answered; s is locked.
func (c *nearCall) didRead(s *nearStripe, k *nearKey) {
	if k.writes > 0 || k.answered && !same(k.answer, c.answer) {
		k.change()
		c.calls.near.drop(c.key)
		return
	}
	k.answer, k.answered = c.answer, true
	switch {
	case k.copied:
	case k.version == c.version && s.holds == 0 && c.answer.Found:
		// The answer may be a part of something large that it arrived in.
		c.answer.Entry.Value = bytes.Clone(c.answer.Entry.Value)
		c.copy(k)
	default:
		c.calls.near.drop(c.key) // which may be older than the answer
	}
}

func (c *nearCall) copy(k *nearKey) {
	k.answer, k.answered, k.copied = c.answer, true, true
	c.calls.near.copy(c.key, c.answer.Entry)
}

// changed drops the copy of a key that somebody else has changed.
func (c *nearCalls) changed(key string) {
	s := c.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.keys[key]; k != nil {
		k.change()
	}
	c.near.drop(key)
}

// hold lets no copy be made until release.
func (c *nearCalls) hold() { c.each(func(s *nearStripe) { s.holds++ }) }

func (c *nearCalls) release() { c.each(func(s *nearStripe) { s.holds-- }) }

// each changes every stripe, and the versions of all keys.
func (c *nearCalls) each(change func(*nearStripe)) {
	for i := range c.stripes {
		s := &c.stripes[i]
		s.mu.Lock()
		change(s)
		for _, k := range s.keys {
			k.change()
		}
		s.mu.Unlock()
	}
}

// begin counts a call of key in; s is locked.
func (s *nearStripe) begin(key string) *nearKey {
	k := s.keys[key]
	if k == nil {
		k = &nearKey{}
		s.keys[key] = k
	}
	k.calls++
	return k
}

// change makes void what calls under way have learned or will learn.
func (k *nearKey) change() {
	k.version++
	k.answer, k.answered, k.copied = Lookup{}, false, false
}

func same(a, b Lookup) bool {
	if !a.Found || !b.Found {
		return a.Found == b.Found
	}
	return ExpiryMillis(a.Entry.Expires) == ExpiryMillis(b.Entry.Expires) && bytes.Equal(a.Entry.Value, b.Entry.Value)
}
