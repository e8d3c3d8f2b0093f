package server

import (
	"fmt"
	"time"
)

// Timeouts bound how long others may keep the server waiting. The zero value
// of each field is its default.
type Timeouts struct {
	// Header bounds the reading of a request's head; default 10 s.
	Header time.Duration
	// Idle bounds the wait for a connection's next request; default 2 min.
	Idle time.Duration
	// Store bounds one operation of the cache, and of a listing each step from
	// key to key; default 10 s.
	Store time.Duration
	// Lag is how long a client may send or take nothing, and how far it may
	// fall behind MinRate over a whole value; default 30 s.
	Lag time.Duration
	// MinRate is the slowest client that is served to the end, in bytes a
	// second; default 64 KiB. A value of 64 MiB then may take 17 minutes.
	MinRate int
	// Drain bounds the wait for requests in flight when Serve ends; default
	// 10 s.
	Drain time.Duration
}

func (t Timeouts) withDefaults() (Timeouts, error) {
	if t.MinRate < 0 {
		return t, fmt.Errorf("server: Timeouts.MinRate is negative: %d", t.MinRate)
	}
	if t.MinRate == 0 {
		t.MinRate = 64 << 10
	}
	for _, f := range []struct {
		name  string
		value *time.Duration
		unset time.Duration
	}{
		{"Header", &t.Header, 10 * time.Second},
		{"Idle", &t.Idle, 2 * time.Minute},
		{"Store", &t.Store, 10 * time.Second},
		{"Lag", &t.Lag, 30 * time.Second},
		{"Drain", &t.Drain, 10 * time.Second},
	} {
		if *f.value < 0 {
			return t, fmt.Errorf("server: Timeouts.%s is negative: %v", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.unset
		}
	}
	return t, nil
}

// pace is the deadline of one value's transfer. It moves with the bytes: a
// client that stops is cut off after Lag, one that trickles when it is Lag
// behind MinRate, and one that claims a long body gains nothing by it.
type pace struct {
	t     Timeouts
	start time.Time
	moved int
}

func (t Timeouts) pace() pace { return pace{t: t, start: time.Now()} }

// next is the deadline for the n bytes that follow.
func (p *pace) next(n int) time.Time {
	stalled := time.Now().Add(p.t.Lag + p.t.transfer(n))
	behind := p.start.Add(p.t.Lag + p.t.transfer(p.moved+n))
	if behind.Before(stalled) {
		return behind
	}
	return stalled
}

// transfer is how long n bytes take at MinRate.
func (t Timeouts) transfer(n int) time.Duration {
	return time.Duration(float64(n) / float64(t.MinRate) * float64(time.Second))
}
