//go:build linux

package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
)

// counts are what a whole run comes to.
type counts struct {
	cycles     int
	operations atomic.Int64
	stale      atomic.Int64 // keys whose history contradicts the model, in a cycle
	lost       atomic.Int64 // acknowledged writes that are not there, nor overwritten
	orphans    atomic.Int64 // processes of plugins that should be gone
	failed     atomic.Int64 // calls that returned an error and must not
	fallback   samples      // from the plugin's death to a call that was served
	ready      samples      // from the plugin's death to the next that serves
}

func (c *counts) bad() bool {
	return c.stale.Load()+c.lost.Load()+c.orphans.Load()+c.failed.Load() > 0
}

func (c *counts) String() string {
	return fmt.Sprintf("%d cycles, %d operations, %d stale, %d lost, %d orphans, %d failed calls",
		c.cycles, c.operations.Load(), c.stale.Load(), c.lost.Load(), c.orphans.Load(), c.failed.Load())
}

// report is what a person sees of a run.
type report struct {
	counts counts
	talk   bool   // -v
	draw   string // directory for drawings of histories, if any

	mu      sync.Mutex
	out     io.Writer
	printed int
}

// most is how many lines of a kind are printed without -v.
const most = 40

func (r *report) print(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.printed++; r.printed <= most || r.talk {
		_, _ = fmt.Fprintf(r.out, format+"\n", args...)
	}
}

func (r *report) verbose(format string, args ...any) {
	if r.talk {
		r.print(format, args...)
	}
}

// line prints whatever was printed before.
func (r *report) line(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = fmt.Fprintf(r.out, format+"\n", args...)
}

func stamp(at int64) string { return fmt.Sprintf("%9.3fms", float64(at)/1e6) }

// violation prints the history of a key with what else happened meanwhile.
func (r *report) violation(run *run, v verdict) {
	const tail = 60 // operations
	run.mu.Lock()
	events := run.events
	run.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%s, key %s: %s; the last of its %d operations:\n", run.scenario.name, v.key, v.reason, len(v.records))
	records := v.records
	if !r.talk {
		records = records[max(0, len(records)-tail):]
	}
	for _, rec := range records {
		for len(events) > 0 && events[0].at < rec.call {
			fmt.Fprintf(&b, "%s -- %s\n", stamp(events[0].at), events[0].text)
			events = events[1:]
		}
		end := "  no return"
		if rec.ret != noReturn {
			end = stamp(rec.ret)
		}
		fmt.Fprintf(&b, "%s ..%s client %d at %s: %s\n", stamp(rec.call), end, rec.client, clock(rec.in.at), describe(rec.in, rec.out))
	}
	r.print("%s", b.String())
	if r.draw != "" && v.ops != nil {
		_, info := porcupine.CheckOperationsVerbose(cacheModel(), v.ops, 20*time.Second)
		path := filepath.Join(r.draw, strings.ReplaceAll(v.key, "/", "-")+".html")
		if err := porcupine.VisualizePath(cacheModel(), info, path); err != nil {
			r.print("%v", err)
		} else {
			r.print("drawn in %s", path)
		}
	}
}
