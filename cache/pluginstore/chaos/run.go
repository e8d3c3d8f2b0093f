//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/shared"
)

// run is one store, opened, disturbed for some cycles, and closed.
type run struct {
	scenario scenario
	place    *place
	store    *pluginstore.Store
	control  *control
	mark     string
	report   *report
	counts   *counts
	began    time.Time

	workers int
	callers []*worker
	driver  *worker // of what is written and read between the cycles
	lies    atomic.Bool
	hangs   atomic.Bool
	escaped []int // children of plugins that no host can find

	segment segment
	clears  []record          // of the segment
	last    map[string]record // the last acknowledged write of each key with one writer
	unsure  map[string]bool   // of those, which may hold something else

	mu     sync.Mutex
	events []event
}

// event is something that helps to read a history.
type event struct {
	at   int64
	text string
}

const workers = 6

// recovery is how long a store may take to be well again: a plugin that hangs
// while it opens its store is given up after shared.SlowTimeout.
const recovery = shared.SlowTimeout + 15*time.Second

func (r *run) now() int64 { return int64(time.Since(r.began)) }

// event remembers what happened.
func (r *run) event(format string, args ...any) {
	e := event{r.now(), fmt.Sprintf(format, args...)}
	r.mu.Lock()
	r.events = append(r.events, e)
	r.mu.Unlock()
	r.report.verbose("%s %s", stamp(e.at), e.text)
}

// note is an event that the counts will show, and is printed.
func (r *run) note(format string, args ...any) {
	r.event(format, args...)
	r.report.print("%s: "+format, append([]any{r.scenario.name}, args...)...)
}

// openRun opens the scenario's store in a place of its own.
func openRun(ctx context.Context, s scenario, place *place, seed uint64, report *report) (*run, error) {
	r := &run{
		scenario: s, place: place, report: report, counts: &report.counts, began: time.Now(), workers: workers,
		last: make(map[string]record), unsure: make(map[string]bool),
		mark: fmt.Sprintf("%x.%d.%d", seed, os.Getpid(), place.number),
	}
	r.segment.heads = make(map[string]record)
	var err error
	if r.control, err = listen(place.socket); err != nil {
		return nil, err
	}
	if err := os.Setenv(markVariable, r.mark); err != nil {
		return nil, err
	}
	r.store, err = pluginstore.Open(ctx, s.url(place.data), s.options(place, func(st pluginstore.Status) {
		r.event("%v, generation %d, pid %d, journal %+v, error %v", st.State, st.Generation, st.PID, st.Journal, st.Err)
	}))
	if err != nil {
		r.control.close()
		return nil, err
	}
	for id := range workers + 1 {
		w := &worker{r: r, id: id, rng: rand.New(rand.NewPCG(seed, uint64(id))), read: make(map[string][]byte)}
		for i := range ownKeys {
			w.own = append(w.own, ownKey(id, i))
		}
		r.callers = append(r.callers, w)
	}
	r.driver, r.callers = r.callers[workers], r.callers[:workers]
	return r, nil
}

// await waits until the store's status is as wanted.
func (r *run) await(ctx context.Context, what string, ok func(pluginstore.Status) bool) error {
	for deadline := time.Now().Add(recovery); ; time.Sleep(200 * time.Microsecond) {
		status := r.store.Status()
		switch {
		case ok(status):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("the store is not %s after %v: %+v", what, recovery, status)
		}
	}
}

func isReady(s pluginstore.Status) bool {
	return s.State == pluginstore.Ready && !s.Fallback && s.PID != 0
}

// cycle works on the store, disturbs it once, and waits for it to be well
// again. Then nobody works, and what is left is looked at.
func (r *run) cycle(ctx context.Context, f fault, rng *rand.Rand) error {
	r.event("%s", f.name)
	r.mu.Lock()
	r.events = r.events[max(0, len(r.events)-1):]
	r.mu.Unlock()
	if err := r.await(ctx, "ready", isReady); err != nil {
		return err
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	stop := make(chan struct{})
	var working sync.WaitGroup
	for _, w := range r.callers {
		working.Go(func() { w.work(ctx, stop) })
	}
	err := r.disturb(ctx, f, rng)
	close(stop)
	working.Wait()
	if err != nil {
		return err
	}
	return r.settle(ctx)
}

func (r *run) disturb(ctx context.Context, f fault, rng *rand.Rand) error {
	before := r.store.Status()
	d := &disturbance{run: r, rng: rng, pid: before.PID}
	d.pause(40)
	r.lies.Store(f.lies)
	r.hangs.Store(f.hangs)
	r.event("inject %s into %d", f.name, d.pid)
	if err := f.inject(ctx, d); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	if f.fatal {
		if err := r.await(ctx, "ready with another process", func(s pluginstore.Status) bool {
			return isReady(s) && s.Generation > before.Generation
		}); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	} else if err := r.await(ctx, "ready", isReady); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	d.pause(40)
	return nil
}

// settle ends a cycle: it looks at what every key holds, for processes that are
// left, and at the history.
func (r *run) settle(ctx context.Context) error {
	if r.scenario.ordered {
		if answer, err := r.control.order(ctx, r.store.PID(), "calm"); err == nil {
			r.event("%s", answer)
		}
	}
	if err := r.await(ctx, "ready", isReady); err != nil {
		return err
	}
	r.lies.Store(false)
	r.hangs.Store(false)
	if err := r.readAll(ctx); err != nil {
		return err
	}
	r.segment.records, r.clears = nil, nil
	for _, w := range append(r.callers, r.driver) {
		r.segment.records = append(r.segment.records, w.records...)
		r.clears = append(r.clears, w.clears...)
		w.records, w.clears = nil, nil
	}
	for _, v := range r.segment.check(20 * time.Second) {
		r.counts.stale.Add(1)
		r.unsure[v.key] = true
		r.report.violation(r, v)
	}
	if err := r.countLost(ctx); err != nil {
		return err
	}
	r.countOrphans(r.store.Status().PID)
	for _, pid := range r.escaped {
		kill(pid)
	}
	r.segment.pending = r.segment.carried(r.store.Status().Generation)
	return nil
}

// close closes the store; nothing of its plugin may be left.
func (r *run) close() error {
	err := r.store.Close()
	if errors.Is(err, cache.ErrUnavailable) {
		err = nil // its plugin was dead already
	}
	r.countOrphans(0)
	for _, pid := range r.escaped {
		kill(pid)
	}
	r.control.close()
	return err
}

// countOrphans counts the processes that are left beside the one that serves
// and its children. A process that was just killed may need a moment.
func (r *run) countOrphans(live int) {
	var left []int
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		left = slices.DeleteFunc(marked(r.mark), func(pid int) bool {
			return slices.Contains(r.escaped, pid) || live != 0 && groupOf(pid) == live
		})
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			break
		}
	}
	r.counts.orphans.Add(int64(len(left)))
	for _, pid := range left {
		name, _ := os.ReadFile(filepath.Join("/proc", decimal(int64(pid)), "cmdline"))
		r.note("left behind: %d in group %d: %s", pid, groupOf(pid), strings.ReplaceAll(string(name), "\x00", " "))
		kill(pid)
	}
}
