package main

import (
	"context"
	"fmt"
	"time"
)

// group is one comparison. Its subjects do the same work.
type group struct {
	name    string
	variant string // of the work, where the group has several
	callers []int
	unit    string // of sample.value; empty: there is none
	open    func(s *site) ([]subject, error)
}

func (g group) title() string {
	if g.variant == "" {
		return g.name
	}
	return g.name + " " + g.variant
}

// subject is one of those compared. run has so many callers work for about d
// and says what came of it; a subject that measures something else than speed
// may disregard both.
type subject struct {
	name string
	run  func(ctx context.Context, callers int, d time.Duration) (sample, error)
}

// measure runs a group: all its subjects are open at once, and in each round
// each has its turn, another one first each time.
func (s *site) measure(g group, o options) (rows []row, err error) {
	begun := len(s.ending)
	defer func() {
		if endErr := s.closeTo(begun); err == nil {
			err = endErr
		}
	}()
	subjects, err := g.open(s)
	if err != nil {
		return nil, err
	}
	samples := make([][]sample, len(g.callers)*len(subjects))
	for round := range o.rounds {
		for c, callers := range g.callers {
			for i := range subjects {
				n := (i + round) % len(subjects)
				if err := s.ctx.Err(); err != nil {
					return nil, err
				}
				got, err := subjects[n].run(s.ctx, callers, o.time)
				if err != nil {
					return nil, fmt.Errorf("%s, %d callers: %w", subjects[n].name, callers, err)
				}
				cell := c*len(subjects) + n
				samples[cell] = append(samples[cell], got)
			}
		}
	}
	for c, callers := range g.callers {
		for n, sub := range subjects {
			rows = append(rows, newRow(g, sub.name, callers, samples[c*len(subjects)+n]))
		}
	}
	return rows, nil
}
