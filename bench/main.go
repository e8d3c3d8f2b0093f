// Bench measures this project and its rivals in one run: the subjects of a
// group take turns, round after round, and each figure is the median of the
// rounds. What counts is the ratio of two figures of one run; the figures
// alone are those of one machine on one day.
//
//	go run .                        a table of all groups, ten minutes or so
//	go run . -quick -json           all groups in under 50 s, as one JSON array
//	go run . -group '^plugin'       only the groups whose name matches
//	go run . -check targets.json    compare the ratios with the targets
//	go run . -growth growth.svg     cost and memory by the number of keys, too
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// errUsage is a wrong command line, which flag has explained already.
var errUsage = errors.New("bench: wrong usage")

type options struct {
	quick  bool
	json   bool
	group  *regexp.Regexp
	rounds int
	time   time.Duration
	dir    string
	check  string
	growth string
	cpu    string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var group string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.BoolVar(&o.quick, "quick", false, "shorter rounds and fewer keys: every group in under 50 s")
	f.BoolVar(&o.json, "json", false, "print one JSON array of rows, and nothing else, on standard output")
	f.StringVar(&group, "group", "", "run only the groups whose name matches this regular expression")
	f.IntVar(&o.rounds, "rounds", 0, "rounds whose median is the figure (default 5 with -quick and -check, else 7)")
	f.DurationVar(&o.time, "time", 0, "how long each subject runs in each round (default 30ms with -quick, else 400ms)")
	f.StringVar(&o.dir, "dir", os.TempDir(), "where the temporary directory with sockets, programs and data is made; durable groups measure its disk")
	f.StringVar(&o.check, "check", "", "measure what this file of targets needs, and fail if one is missed")
	f.StringVar(&o.growth, "growth", "", "then measure cost by the number of keys (as the group growth), print a table, and draw it into this SVG file")
	f.StringVar(&o.cpu, "cpuprofile", "", "write a profile of this process, the callers', to this file")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, errUsage
	}
	var err error
	if o.group, err = regexp.Compile(group); err != nil {
		return o, fmt.Errorf("-group: %w", err)
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q is no option; see -help", f.Arg(0))
	}
	if o.growth != "" && (o.json || o.check != "") || o.json && o.check != "" {
		return o, errors.New("-json, -check and -growth print different things: give one of them")
	}
	if o.rounds < 0 || o.time < 0 {
		return o, errors.New("-rounds and -time must not be negative")
	}
	if o.rounds == 0 {
		o.rounds = 7
		if o.quick || o.check != "" {
			o.rounds = 5
		}
	}
	if o.time == 0 {
		o.time = 400 * time.Millisecond
		if o.quick {
			o.time = 30 * time.Millisecond
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	if len(args) == 2 && args[0] == rawServerRole {
		return serveRaw(args[1], os.Stdin)
	}
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.cpu != "" {
		end, profileErr := profile(o.cpu)
		if profileErr != nil {
			return profileErr
		}
		defer func() { err = errors.Join(err, end()) }()
	}
	s, err := newSite(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var targets []target
	if o.check != "" {
		if targets, err = readTargets(o.check); err != nil {
			return err
		}
		targets = slices.DeleteFunc(targets, func(t target) bool { return !o.group.MatchString(t.Group) })
	}
	var rows []row
	for _, g := range groups() {
		if !o.group.MatchString(g.name) || o.check != "" && !needed(targets, g) {
			continue
		}
		start := time.Now()
		measured, err := s.measure(g, o)
		if err != nil {
			return fmt.Errorf("%s: %w", g.title(), err)
		}
		fmt.Fprintf(stderr, "%s: %.1f s\n", g.title(), time.Since(start).Seconds())
		rows = append(rows, measured...)
	}
	switch {
	case o.json:
		return writeJSON(stdout, rows)
	case o.check != "":
		return errors.Join(writeTable(stdout, rows), check(stdout, targets, rows))
	case o.growth != "" && o.group.MatchString("growth"):
		return errors.Join(writeTable(stdout, rows), runGrowth(s, o, stdout, stderr))
	}
	return writeTable(stdout, rows)
}

func profile(path string) (end func() error, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error { pprof.StopCPUProfile(); return f.Close() }, nil
}

// groups are all that is measured, in the order of the table.
func groups() []group {
	var all []group
	for _, list := range [][]group{
		pluginGroups(), redisGroups(), memoryGroups(), memoryRatioGroups(), memoryKeepGroups(), nearGroups(),
		durableGroups(), facadeGroups(), startGroups(),
	} {
		all = append(all, list...)
	}
	return all
}
