package pluginstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// ErrQuarantined: calls on the key have killed the plugin's process again and
// again, and no more of them are made until the key is tried another time, after
// Restart.Within, or the store is reset or its plugin replaced. It wraps
// cache.ErrUnavailable.
var ErrQuarantined = fmt.Errorf("%w: calls on the key have killed the plugin, and it is in quarantine", cache.ErrUnavailable)

// quarantine finds the key whose calls kill the plugin's processes, and keeps it
// from them, so that it costs that key and not the store.
//
// All keys with a call under way when a process dies are suspects. From then on the
// calls on suspects are made one at a time, so that the next death tells which of
// them it was; one that is answered clears its key. It takes two deaths at which a
// key was the only suspect, or three at the last of which it was, to bar it. A
// process that ends by SIGKILL may have been killed by somebody else, again and
// again, so that it takes three at which the key was the only one.
type quarantine struct {
	within time.Duration // how long a suspicion, and a bar, last
	log    *slog.Logger
	// silence is how long a plugin that was told of a write is waited for before it
	// serves without that.
	silence time.Duration
	running sync.WaitGroup // who waits for answers, or has keys tried again
	// spool has what is due, too; nil: nothing has.
	spool *spooled
	// count is how many keys are known. While it is 0, which is nearly always, a
	// call pays for one read of it.
	count atomic.Int64
	// turn is held by the one call on a suspect that is under way.
	turn chan struct{}
	// telling is held while the plugin is told of a write that was kept, which
	// must not come after a Clear of the key.
	telling chan struct{}

	mu   sync.RWMutex
	keys map[string]*suspect
	// explained counts the deaths that a barred key explains, and that the breaker
	// was not told of yet.
	explained int
}

// suspect is a key that may kill the plugin's process.
type suspect struct {
	deaths int // with a call on the key under way
	alone  int // those of them at which it was the only suspect
	last   time.Time
	// barred is when it was found to kill; zero: it was not. due is what the
	// plugin is still to be told of a barred key; nil: nothing.
	barred time.Time
	due    *write
	// slow is when the plugin, which serves, was told of the key; it has not
	// answered that yet. Zero: it is not being told. Such a key is barred as well.
	slow time.Time
	// givenUp: it was tried again and hung. It takes a Reset or Replace to try it
	// another time, for each time leaves a call in the plugin.
	givenUp bool
}

const (
	// maxSuspects and maxBarred bound what is remembered: what goes beyond them is
	// served as if it were innocent.
	maxSuspects = 10_000
	maxBarred   = 256
	// turnHeld is how long a call has its turn alone, and turnWait how long one
	// waits for it at most: slow calls must not look like failed ones.
	turnHeld = 50 * time.Millisecond
	turnWait = 500 * time.Millisecond
)

func newQuarantine(within, silence time.Duration, log *slog.Logger) *quarantine {
	return &quarantine{within: within, silence: silence, log: log, turn: make(chan struct{}, 1), telling: make(chan struct{}, 1), keys: make(map[string]*suspect)}
}

// keyDigest names a key in logs, where the key itself may be a secret: the first 16
// hexadecimal digits of its SHA-256.
func keyDigest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}

// knows reports whether the key is a suspect or barred.
func (q *quarantine) knows(key string) bool {
	if q == nil || q.count.Load() == 0 {
		return false
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.keys[key] != nil
}

// bars reports whether the key is barred.
func (q *quarantine) bars(key string) bool {
	if q == nil || q.count.Load() == 0 {
		return false
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	k := q.keys[key]
	return k != nil && !k.barred.IsZero()
}

// barred returns the keys that are.
func (q *quarantine) barred() []string {
	return q.those(func(k *suspect) bool { return !k.barred.IsZero() })
}

// killers returns the keys that are barred because they kill.
func (q *quarantine) killers() []string {
	return q.those(func(k *suspect) bool { return !k.barred.IsZero() && k.slow.IsZero() })
}

func (q *quarantine) those(are func(*suspect) bool) []string {
	if q == nil || q.count.Load() == 0 {
		return nil
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	var keys []string
	for key, k := range q.keys {
		if are(k) {
			keys = append(keys, key)
		}
	}
	return keys
}

// digests returns the digests of the keys that kill, in order.
func (q *quarantine) digests() []string {
	var out []string
	for _, key := range q.killers() {
		out = append(out, keyDigest(key))
	}
	slices.Sort(out)
	return out
}

// fell tells that a process died, or was killed, with calls on the keys under way.
func (q *quarantine) fell(keys []string, killed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	q.forgetOld(now)
	var before, all []string
	for _, key := range slices.Compact(slices.Sorted(slices.Values(keys))) {
		k := q.keys[key]
		switch {
		case k != nil:
			before = append(before, key)
		case len(q.keys) < maxSuspects:
			k = &suspect{}
			q.keys[key] = k
			q.count.Add(1)
		default:
			continue
		}
		all = append(all, key)
		k.deaths++
		k.last = now
	}
	// Those that came new were beside a suspect by chance.
	if len(before) > 0 {
		all = before
	}
	if len(all) == 1 {
		q.blame(all[0], killed, now)
	}
}

// blame takes the key for the cause of a death; q.mu is held.
func (q *quarantine) blame(key string, killed bool, now time.Time) {
	k := q.keys[key]
	if k.alone++; k.alone < 3 && (killed || k.alone < 2 && k.deaths < 3) {
		return
	}
	if k.barred.IsZero() {
		n := 0
		for _, k := range q.keys {
			if !k.barred.IsZero() {
				n++
			}
		}
		if n >= maxBarred {
			return
		}
	}
	k.barred = now
	q.explained += k.deaths
	q.log.Error("calls on a key kill the plugin: the key is in quarantine", "key_digest", keyDigest(key), "deaths", k.deaths, "for", q.within)
	k.deaths, k.alone = 2, 2 // the next time, one death is enough
}

// pardon returns how many deaths are explained that were not when it was called
// last.
func (q *quarantine) pardon() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.explained
	q.explained = 0
	return n
}

// forgetOld forgets suspicions of long ago; q.mu is held.
func (q *quarantine) forgetOld(now time.Time) {
	for key, k := range q.keys {
		if k.barred.IsZero() && now.Sub(k.last) >= q.within {
			q.forget(key)
		}
	}
}

// forget is called with q.mu held.
func (q *quarantine) forget(key string) {
	delete(q.keys, key)
	q.count.Add(-1)
}

// clear tells that a call on the key was answered.
func (q *quarantine) clear(key string) {
	if !q.knows(key) {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if k := q.keys[key]; k != nil && k.barred.IsZero() {
		q.forget(key)
	}
}

// hold keeps a write of a barred key that the plugin is still to be told, in place
// of what was kept before. It reports false if the key is not barred.
func (q *quarantine) hold(key string, w write) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := q.keys[key]
	if k == nil || k.barred.IsZero() {
		return false
	}
	k.due = &w
	return true
}

// dueOf returns the write that is kept of a key, or nil.
func (q *quarantine) dueOf(key string) *write {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if k := q.keys[key]; k != nil {
		return k.due
	}
	return nil
}

// told tells that the plugin has been told of w, which was kept of a barred key:
// the key is in quarantine no more, unless another write is kept by now.
func (q *quarantine) told(key string, w *write) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if k := q.keys[key]; k != nil && k.due == w {
		q.forget(key)
		q.spool.update(q)
	}
}

// expire has all barred keys tried another time, as if nothing had been.
func (q *quarantine) expire() {
	if q.count.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, k := range q.keys {
		if !k.barred.IsZero() && k.slow.IsZero() {
			k.barred = time.Now().Add(-q.within)
			k.deaths, k.alone, k.givenUp = 0, 0, false
		}
	}
}

// expired returns the barred keys that are to be tried another time.
func (q *quarantine) expired() []string {
	if q.count.Load() == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	q.forgetOld(now)
	var keys []string
	for key, k := range q.keys {
		if !k.barred.IsZero() && k.slow.IsZero() && !k.givenUp && now.Sub(k.barred) >= q.within {
			keys = append(keys, key)
		}
	}
	return keys
}

// setAside bars a key of which the plugin, which is about to serve, was told at
// that time. w is what it is to be told, which may be newer by now.
func (q *quarantine) setAside(key string, w write, since time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := q.keys[key]
	if k == nil {
		k = &suspect{}
		q.keys[key] = k
		q.count.Add(1)
	}
	k.barred, k.slow, k.due = since, since, &w
}

// giveUp tells that the key hangs.
func (q *quarantine) giveUp(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if k := q.keys[key]; k != nil {
		k.givenUp = true
	}
}

// answered tells that the plugin has answered a batch that was set aside, with err.
// What is left to be told of a key is told soon.
func (q *quarantine) answered(batch []keyWrite, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range batch {
		k := q.keys[w.key]
		switch {
		case k == nil || k.slow.IsZero():
		case err == nil && k.due.version == w.version:
			q.forget(w.key)
		default:
			k.slow, k.barred = time.Time{}, time.Now().Add(-q.within)
		}
	}
	q.spool.update(q)
}

// allDue returns all writes that are kept; q.mu is held.
func (q *quarantine) allDue() []keyWrite {
	var all []keyWrite
	for key, k := range q.keys {
		if k.due != nil {
			all = append(all, keyWrite{key, *k.due})
		}
	}
	return all
}

// reclaim returns what was set aside and is not answered, for a process that is no
// more.
func (q *quarantine) reclaim() []keyWrite {
	if q.count.Load() == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []keyWrite
	for key, k := range q.keys {
		if k.slow.IsZero() {
			continue
		}
		all = append(all, keyWrite{key, *k.due})
		if k.slow, k.barred, k.due = (time.Time{}), (time.Time{}), nil; k.deaths == 0 {
			q.forget(key)
		}
	}
	return all
}

// slowest returns when the plugin was told of the key that it has not answered for
// longest; zero: there is none.
func (q *quarantine) slowest() time.Time {
	var oldest time.Time
	if q.count.Load() == 0 {
		return oldest
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	for _, k := range q.keys {
		if !k.slow.IsZero() && (oldest.IsZero() || k.slow.Before(oldest)) {
			oldest = k.slow
		}
	}
	return oldest
}

// unbar lets calls on a key of which nothing is kept go to the plugin again. It
// stays a suspect.
func (q *quarantine) unbar(key string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if k := q.keys[key]; k != nil && k.due == nil {
		k.barred = time.Time{}
	}
}

// due returns how many writes are kept for the plugin.
func (q *quarantine) due() int {
	if q.count.Load() == 0 {
		return 0
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	n := 0
	for _, k := range q.keys {
		if k.due != nil {
			n++
		}
	}
	return n
}

// clearing calls clear, while the plugin is told of no write that was kept.
func (q *quarantine) clearing(ctx context.Context, clear func() error) error {
	if q.due() == 0 {
		return clear()
	}
	select {
	case q.telling <- struct{}{}:
		defer func() { <-q.telling }()
		return clear()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cleared tells that the plugin has cleared all keys with the prefix: what was to
// be written to them before is so no more.
func (q *quarantine) cleared(prefix string) {
	if q.count.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for key, k := range q.keys {
		if k.due != nil && strings.HasPrefix(key, prefix) {
			k.due = &write{}
		}
	}
	q.spool.update(q)
}

// turn is what a call on a suspect has until it ends. The zero turn is that of any
// other call.
type turn struct {
	of    *quarantine
	key   string
	timer *time.Timer // stopped: it has been given back
}

// enter has a call on a suspect wait for its turn, and refuses one on a barred key.
// It reports false if r is not the route any more.
func (q *quarantine) enter(ctx context.Context, r *route, key string) (turn, bool, error) {
	if q.count.Load() == 0 || !q.knows(key) {
		return turn{}, true, nil
	}
	if err := q.refuses(key); err != nil {
		return turn{}, true, err
	}
	return q.await(ctx, r, key)
}

// await is enter for a call that may be made.
func (q *quarantine) await(ctx context.Context, r *route, key string) (turn, bool, error) {
	timer := time.NewTimer(turnWait)
	defer timer.Stop()
	select {
	case q.turn <- struct{}{}:
		return turn{q, key, time.AfterFunc(turnHeld, q.giveBack)}, true, nil
	case <-timer.C:
		return turn{of: q, key: key}, true, nil
	case <-r.next:
		return turn{}, false, nil
	case <-ctx.Done():
		return turn{}, false, ctx.Err()
	}
}

func (q *quarantine) giveBack() { <-q.turn }

// refuses returns the error of a call on a barred key.
func (q *quarantine) refuses(key string) error {
	q.mu.RLock()
	defer q.mu.RUnlock()
	k := q.keys[key]
	switch {
	case k == nil || k.barred.IsZero():
		return nil
	case !k.slow.IsZero():
		return (&fence{since: k.slow}).err()
	}
	return quarantined(key)
}

// quarantined is the error of a call on a barred key.
func quarantined(key string) error {
	return fmt.Errorf("%w (its digest is %s)", ErrQuarantined, keyDigest(key))
}

// end ends a turn after a call that returned err.
func (t turn) end(err error) {
	if t.of == nil {
		return
	}
	if !isDown(err) {
		t.of.clear(t.key)
	}
	t.giveUp()
}

// giveUp ends a turn in which no call was made.
func (t turn) giveUp() {
	if t.timer != nil && t.timer.Stop() {
		t.of.giveBack()
	}
}

// isQuarantined reports whether err is of a key in quarantine.
func isQuarantined(err error) bool { return errors.Is(err, ErrQuarantined) }
