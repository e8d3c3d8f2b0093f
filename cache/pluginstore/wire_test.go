package pluginstore

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// wire is the store of a fakePlug: calls reach data unless the process is gone
// or they are held on the way there or back.
type wire struct {
	*wireState
	limit time.Duration // of a call
}

type wireState struct {
	data *cache.Memory
	gone <-chan struct{}

	mu   sync.Mutex
	held []*held
	fail func(method, key string) error
	// late is how long a call takes until it is done, and its answer after that;
	// nil: no time.
	late func() (before, after time.Duration)
}

// failing makes the calls that fail returns an error for fail.
func (w *wire) failing(fail func(method, key string) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = fail
}

// anyKey stands for every key.
const anyKey = "any"

// held are the calls of a method and a key that arrive and are not answered
// until they are let go.
type held struct {
	method, key string
	// done: they are done before they are held.
	done bool
	// late: their caller learns late even of the process's death.
	late bool
	// unsent: when the process dies it is certain that they were not done.
	unsent  bool
	arrived chan struct{} // one element for each
	let     chan struct{}
}

// hold holds calls of the method with the key, which are done before if done.
func (w *wire) hold(method, key string, done bool) *held {
	return w.add(&held{method: method, key: key, done: done})
}

func (w *wire) add(h *held) *held {
	h.arrived, h.let = make(chan struct{}, 1000), make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = append(w.held, h)
	return h
}

// release lets go what is held, and holds no more.
func (w *wire) release(h *held) {
	w.mu.Lock()
	w.held = slices.DeleteFunc(w.held, func(is *held) bool { return is == h })
	w.mu.Unlock()
	close(h.let)
}

func (w *wire) holds(method, key string) *held {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.held {
		if h.method == method && (h.key == key || h.key == anyKey) {
			return h
		}
	}
	return nil
}

// call does what a shared.Client would: within its own deadline, and with the
// errors that it would have.
func (w *wire) call(ctx context.Context, method, key string, do func() error) error {
	own, cancel := context.WithTimeout(ctx, w.limit)
	defer cancel()
	if w.late != nil {
		return w.lateCall(ctx, own, do)
	}
	h := w.holds(method, key)
	if h != nil && h.done {
		if err := do(); err != nil {
			return err
		}
	}
	if h != nil {
		h.arrived <- struct{}{}
		gone := w.gone
		if h.late {
			gone = nil
		}
		select {
		case <-h.let:
		case <-gone:
		case <-own.Done():
			err := ctx.Err()
			if err == nil {
				err = fmt.Errorf("%w: the plugin fake: %w", cache.ErrUnavailable, shared.ErrNoAnswer)
			}
			late := &lateCall{error: err}
			go func() {
				select {
				case <-h.let:
					if !h.done {
						_ = do()
					}
					late.answer()
				case <-w.gone:
				}
			}()
			return late
		}
	}
	select {
	case <-w.gone:
		err := fmt.Errorf("%w: %w", cache.ErrUnavailable, shared.ErrBroken)
		if h != nil && h.unsent {
			err = unsent{err}
		}
		return err
	default:
	}
	w.mu.Lock()
	fail := w.fail
	w.mu.Unlock()
	if fail != nil {
		if err := fail(method, key); err != nil {
			return err
		}
	}
	if h != nil && h.done {
		return nil
	}
	return do()
}

// lateCall makes a call that is late.
func (w *wire) lateCall(ctx, own context.Context, do func() error) error {
	before, after := w.wireState.late()
	late, answer, answered := &lateCall{}, make(chan error, 1), make(chan struct{})
	late.OnAnswer(func() { close(answered) })
	go func() {
		for _, wait := range []time.Duration{before, after} {
			if wait > 0 {
				select {
				case <-time.After(wait):
				case <-w.gone:
					return
				}
			}
			select {
			case <-w.gone:
				return
			default:
			}
			if do != nil {
				answer <- do()
				do = nil
			}
		}
		late.answer()
	}()
	select {
	case <-answered:
		return <-answer
	case <-w.gone:
		return fmt.Errorf("%w: %w", cache.ErrUnavailable, shared.ErrBroken)
	case <-own.Done():
	}
	if late.error = ctx.Err(); late.error == nil {
		late.error = fmt.Errorf("%w: the plugin fake: %w", cache.ErrUnavailable, shared.ErrNoAnswer)
	}
	return late
}

// lateCall is the error of a call that is done and answered when it is let go.
type lateCall struct {
	error
	mu       sync.Mutex
	answered bool
	then     []func()
}

func (l *lateCall) Unwrap() error { return l.error }

// OnAnswer is what shared.OnAnswer calls.
func (l *lateCall) OnAnswer(then func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.then = append(l.then, then)
	return !l.answered
}

func (l *lateCall) answer() {
	l.mu.Lock()
	then := l.then
	l.answered = true
	l.mu.Unlock()
	for _, f := range then {
		f()
	}
}

// unsent is the error of a call that was not done.
type unsent struct{ error }

func (u unsent) Unwrap() error   { return u.error }
func (u unsent) NeverSent() bool { return true }

// Results have a place of their own: a call may be done after its caller has
// returned.

func (w *wire) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	var found cache.Lookup
	err := w.call(ctx, "Get", key, func() (err error) {
		found.Entry, found.Found, err = w.data.Get(context.Background(), key)
		return err
	})
	if err != nil {
		return cache.Entry{}, false, err
	}
	return found.Entry, found.Found, nil
}

func (w *wire) Set(ctx context.Context, key string, e cache.Entry) error {
	return w.call(ctx, "Set", key, func() error { return w.data.Set(context.Background(), key, e) })
}

func (w *wire) Delete(ctx context.Context, key string) error {
	return w.call(ctx, "Delete", key, func() error { return w.data.Delete(context.Background(), key) })
}

func (w *wire) Increment(ctx context.Context, key string, delta int64, expires time.Time) (int64, time.Time, error) {
	var sum int64
	var until time.Time
	err := w.call(ctx, "Increment", key, func() (err error) {
		sum, until, err = w.data.Increment(context.Background(), key, delta, expires)
		return err
	})
	if err != nil {
		return 0, time.Time{}, err
	}
	return sum, until, nil
}

func (w *wire) CompareAndSwap(ctx context.Context, key string, old []byte, e cache.Entry) (bool, error) {
	var done bool
	err := w.call(ctx, "CompareAndSwap", key, func() (err error) {
		done, err = w.data.CompareAndSwap(context.Background(), key, old, e)
		return err
	})
	return err == nil && done, err
}

func (w *wire) CompareAndDelete(ctx context.Context, key string, old []byte) (bool, error) {
	var done bool
	err := w.call(ctx, "CompareAndDelete", key, func() (err error) {
		done, err = w.data.CompareAndDelete(context.Background(), key, old)
		return err
	})
	return err == nil && done, err
}

func (w *wire) Clear(ctx context.Context, prefix string) error {
	return w.call(ctx, "Clear", prefix, func() error { return w.data.Clear(context.Background(), prefix) })
}

func (w *wire) Scan(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for key, err := range w.data.Scan(ctx, prefix) {
			select {
			case <-w.gone:
				yield("", fmt.Errorf("%w: the connection is broken", cache.ErrUnavailable))
				return
			default:
			}
			if !yield(key, err) {
				return
			}
		}
	}
}
