//go:build linux

// Command chaos works on stores whose plugins are killed, stopped and made to
// misbehave at random, and checks what every caller saw: nobody reads a stale
// value, no acknowledged write is lost, no process is left behind, and no call
// fails that memory can serve.
//
// It is run by "make chaos".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

func main() {
	if program, ok := pluginPrograms()[filepath.Base(os.Args[0])]; ok {
		program()
		os.Exit(0)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := chaos(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errViolated):
		os.Exit(1) // the counts have said it
	default:
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// config is what the command line says.
type config struct {
	cycles  int
	seed    uint64
	store   string
	plugins string
	fault   *regexp.Regexp
	first   bool
	talk    bool
	draw    string
	measure int
}

// again is how make runs the same once more.
func (c config) again() string {
	text := fmt.Sprintf("make chaos CYCLES=%d SEED=%d", c.cycles, c.seed)
	if c.store != everyStore {
		text += " STORE=" + c.store
	}
	if only := c.fault.String(); only != "" {
		text += fmt.Sprintf(" FAULT='%s'", strings.ReplaceAll(only, "$", "$$"))
	}
	return text
}

func parse(args []string, out io.Writer) (c config, err error) {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.IntVar(&c.cycles, "cycles", 200, "how often the store is disturbed")
	flags.Uint64Var(&c.seed, "seed", 0, "of all random choices; 0 chooses one")
	flags.StringVar(&c.store, "store", everyStore, "the stores to disturb: all, memory, file or chaos")
	only := flags.String("fault", "", "a regular expression: only the faults that it matches")
	flags.StringVar(&c.plugins, "plugins", "bin", "the directory that holds harpia-store-file")
	flags.BoolVar(&c.first, "first", false, "end at the first violation")
	flags.BoolVar(&c.talk, "v", false, "print all that happens")
	flags.StringVar(&c.draw, "draw", "", "a directory for drawings of the histories that are wrong")
	flags.IntVar(&c.measure, "measure", 0, "instead of all this, measure what callers see of so many deaths of the file plugin")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	switch {
	case flags.NArg() > 0:
		return c, fmt.Errorf("what is %q? Only flags are taken, see -help", flags.Arg(0))
	case c.cycles < 1:
		return c, fmt.Errorf("-cycles %d: at least one is needed", c.cycles)
	case c.measure < 0:
		return c, fmt.Errorf("-measure %d: it is a number of deaths", c.measure)
	case len(selectScenarios(c.store)) == 0:
		return c, fmt.Errorf("-store %s: it is one of all, memory, file and chaos", c.store)
	}
	if c.fault, err = regexp.Compile(*only); err != nil {
		return c, fmt.Errorf("-fault: %w", err)
	}
	for _, s := range selectScenarios(c.store) {
		if c.pick(s, rand.New(rand.NewPCG(0, 0))) == nil {
			return c, fmt.Errorf("-fault %s: none of that name can happen to %s", *only, s.name)
		}
	}
	for c.seed == 0 {
		c.seed = rand.Uint64()
	}
	return c, nil
}

var errViolated = errors.New("a promise was broken")

// chaos runs the whole. The last line that it prints are the counts.
func chaos(ctx context.Context, args []string, out io.Writer) error {
	c, err := parse(args, out)
	if err != nil {
		return err
	}
	report := &report{out: out, talk: c.talk, draw: c.draw}
	root, err := newRoot(c)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(root.dir) }()
	if c.measure > 0 {
		return measureDeaths(ctx, c.measure, root, report)
	}
	report.line("seed %d", c.seed)
	err = disturb(ctx, c, root, report)
	n := &report.counts
	if n.fallback.count() > 0 {
		report.line("%s: %v", toFallback, &n.fallback)
	}
	if n.ready.count() > 0 {
		report.line("%s: %v", toReady, &n.ready)
	}
	if n.bad() || err != nil {
		report.line("to run it again: %s", c.again())
	}
	report.line("%v", n)
	switch {
	case err != nil:
		return err
	case n.bad():
		return errViolated
	}
	return nil
}

// perStore is how many cycles a store stays open.
const perStore = 8

// disturb runs all cycles. Every cycle draws from a source of its own, so that
// what happened in one does not change the next.
func disturb(ctx context.Context, c config, root *root, report *report) error {
	chosen := selectScenarios(c.store)
	order := rand.New(rand.NewPCG(c.seed, 0)).Perm(len(chosen))
	each := max(1, min(perStore, c.cycles/len(chosen)))
	for turn := 0; report.counts.cycles < c.cycles; turn++ {
		s := chosen[order[turn%len(order)]]
		if err := disturbStore(ctx, c, s, min(each, c.cycles-report.counts.cycles), turn, root, report); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if c.first && report.counts.bad() {
			return nil
		}
	}
	return nil
}

// disturbStore opens a store, disturbs it for some cycles and closes it.
func disturbStore(ctx context.Context, c config, s scenario, cycles, turn int, root *root, report *report) (err error) {
	place, err := root.place(turn)
	if err != nil {
		return err
	}
	r, err := openRun(ctx, s, place, c.seed+uint64(turn), report)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	defer func() {
		if closing := r.close(); err == nil && closing != nil && ctx.Err() == nil {
			err = fmt.Errorf("%s: close: %w", s.name, closing)
		}
	}()
	for range cycles {
		rng := rand.New(rand.NewPCG(c.seed, uint64(1+report.counts.cycles)))
		f := *c.pick(s, rng)
		report.verbose("cycle %d: %s: %s", report.counts.cycles, s.name, f.name)
		if err := r.cycle(ctx, f, rng); err != nil {
			return fmt.Errorf("cycle %d, %s: %w", report.counts.cycles, s.name, err)
		}
		report.counts.cycles++
		if ctx.Err() != nil || c.first && report.counts.bad() {
			return nil
		}
	}
	return nil
}

// slowFrom is the number of cycles from which there is time for faults that
// take seconds to be noticed; one in slowShare is of that kind.
const (
	slowFrom  = 50
	slowShare = 16
)

// pick draws a fault that the scenario can have; nil: there is none.
func (c config) pick(s scenario, rng *rand.Rand) *fault {
	slow := rng.IntN(slowShare) == 0
	list := slices.DeleteFunc(faults(), func(f fault) bool {
		return f.ordered && !s.ordered || !c.fault.MatchString(f.name)
	})
	rare := slices.DeleteFunc(slowFaults(), func(f fault) bool {
		return f.ordered && !s.ordered || !c.fault.MatchString(f.name)
	})
	if len(rare) > 0 && (slow && c.cycles >= slowFrom || len(list) == 0) {
		list = rare
	}
	total := 0
	for _, f := range list {
		total += f.weight
	}
	if total == 0 {
		return nil
	}
	n := rng.IntN(total)
	for i := range list {
		if n -= list[i].weight; n < 0 {
			return &list[i]
		}
	}
	return nil
}
