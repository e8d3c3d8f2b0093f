package shared

import (
	"errors"
	"sync"
)

// pending is a call whose caller has returned and that the plugin has not
// answered. A plugin answers every request, however late, so a pending call ends
// with its answer or with the process.
type pending struct {
	mu       sync.Mutex
	answered bool
	then     []func()
}

// end notifies those who registered that the answer has come.
func (p *pending) end() {
	p.mu.Lock()
	then := p.then
	p.answered, p.then = true, nil
	p.mu.Unlock()
	for _, f := range then {
		f()
	}
}

// pendingCall is the error of a pending call.
type pendingCall struct {
	error
	call *pending
}

func (p *pendingCall) Unwrap() error { return p.error }

// stillPending gives err to a call that failed with old, if that call is
// pending.
func stillPending(old, err error) error {
	if p, ok := errors.AsType[*pendingCall](old); ok {
		return &pendingCall{err, p.call}
	}
	return err
}

// OnAnswer has then called, once, when the plugin answers the call that failed
// with err: until then the call may still be done. It reports false, and never
// calls then, if the plugin has answered already or was never sent the call. If
// the connection ends first, then is never called.
//
// then may run under a lock of the connection: it must not block or make calls.
func OnAnswer(err error, then func()) bool {
	var c interface{ OnAnswer(func()) bool }
	return errors.As(err, &c) && c.OnAnswer(then)
}

// OnAnswer is what the function of that name does.
func (p *pendingCall) OnAnswer(then func()) bool {
	p.call.mu.Lock()
	defer p.call.mu.Unlock()
	if p.call.answered {
		return false
	}
	p.call.then = append(p.call.then, then)
	return true
}
