package main

import "time"

// clock is the time as the store knows it; tests have their own.
type clock interface {
	Now() time.Time
	// Tick sends at each interval until stop is called.
	Tick(d time.Duration) (c <-chan time.Time, stop func())
}

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) Tick(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(d)
	return t.C, t.Stop
}
