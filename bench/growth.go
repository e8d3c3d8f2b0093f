package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
)

// growthPoint is what a store costs at a number of keys.
type growthPoint struct {
	subject string
	keys    int
	get     float64 // µs an operation takes at the rate of all callers together
	set     float64 // the same
	bytes   float64 // memory that the store takes, in bytes
}

// growthCallers wait for stores in another process, as many as a busy host has.
const growthCallers = 64

// growing is a store that is to be filled. bytes tells the memory that it
// takes now.
type growing struct {
	name    string
	callers int
	batch   int
	store   keyValue
	bytes   func() (float64, error)
}

// runGrowth measures stores that hold 1000, 100 000 and a million keys, with
// values of 128 bytes, prints a table in Markdown and draws it.
func runGrowth(s *site, o options, stdout, stderr io.Writer) error {
	sizes := []int{1_000, 100_000, 1_000_000}
	if s.quick {
		sizes = sizes[:2]
	}
	var points []growthPoint
	for _, n := range sizes {
		fmt.Fprintf(stderr, "growth: %d keys\n", n)
		begun := len(s.ending)
		at, err := growthAt(s, n, o)
		if endErr := s.closeTo(begun); err == nil {
			err = endErr
		}
		if err != nil {
			return err
		}
		points = append(points, at...)
	}
	if err := os.WriteFile(o.growth, []byte(drawGrowth(points)), 0o644); err != nil {
		return err
	}
	return writeGrowth(stdout, points)
}

func growthAt(s *site, n int, o options) ([]growthPoint, error) {
	keys, value := names("key:", n), make([]byte, 128)
	trace := zipf(keys, 1<<17)
	ctx := context.Background()
	stores, err := openGrowing(s, keys, value)
	if err != nil {
		return nil, err
	}
	for _, g := range stores[1:] {
		if err := g.store.fill(ctx, keys, value); err != nil {
			return nil, fmt.Errorf("%s: %w", g.name, err)
		}
	}
	reads, writes := make([][]sample, len(stores)), make([][]sample, len(stores))
	for range o.rounds {
		for i, g := range stores {
			for _, half := range []struct {
				into *[]sample
				one  func(key string) error
			}{
				{&reads[i], func(key string) error { _, err := g.store.get(ctx, key); return err }},
				{&writes[i], func(key string) error { return g.store.set(ctx, key, value) }},
			} {
				l := load{batch: g.batch, op: func(caller, i int) error {
					for b := range g.batch {
						if err := half.one(trace[place(trace, caller, i*g.batch+b)]); err != nil {
							return err
						}
					}
					return nil
				}}
				got, err := l.run(s.ctx, g.callers, o.time)
				if err != nil {
					return nil, fmt.Errorf("%s, %d keys: %w", g.name, n, err)
				}
				*half.into = append(*half.into, got)
			}
		}
	}
	var points []growthPoint
	perOp := func(s sample) float64 { return 1e6 / s.opsPerS }
	for i, g := range stores {
		bytes, err := g.bytes()
		if err != nil {
			return nil, err
		}
		points = append(points, growthPoint{g.name, n, median(reads[i], perOp), median(writes[i], perOp), bytes})
	}
	return points, nil
}

// openGrowing opens the stores. The first, Memory, is filled already: what it
// takes of this process's memory is seen only before others come.
func openGrowing(s *site, keys []string, value []byte) ([]growing, error) {
	before := heap()
	memory, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: 1 << 30})
	if err != nil {
		return nil, err
	}
	s.atEnd(memory.Close)
	for _, key := range keys {
		if err := memory.Set(s.ctx, strings.Clone(key), cache.Entry{Value: slices.Clone(value)}); err != nil {
			return nil, err
		}
	}
	grown := heap() - before
	plugin, err := s.openPlugin(memoryPlugin, "?max_bytes=1GiB")
	if err != nil {
		return nil, err
	}
	dir, err := s.newDir("file")
	if err != nil {
		return nil, err
	}
	file, err := s.openPlugin(filePlugin, "?dir="+dir)
	if err != nil {
		return nil, err
	}
	socket, err := s.redisServer()
	if err != nil {
		return nil, err
	}
	redis, err := s.openRueidis(socket, false)
	if err != nil {
		return nil, err
	}
	processors := runtime.GOMAXPROCS(0)
	return []growing{
		{"Memory", processors, memoryBatch, harpiaStore{memory}, func() (float64, error) { return grown, nil }},
		{"memory plugin", growthCallers, 1, harpiaStore{plugin}, resident(plugin)},
		{"file plugin", growthCallers, 1, harpiaStore{file}, resident(file)},
		{"rueidis+redis", growthCallers, 1, redis, func() (float64, error) {
			info, err := redis.client.Do(s.ctx, redis.client.B().Info().Section("memory").Build()).ToString()
			if err != nil {
				return 0, err
			}
			_, rest, _ := strings.Cut(info, "used_memory_rss:")
			text, _, _ := strings.Cut(rest, "\r\n")
			return strconv.ParseFloat(text, 64)
		}},
	}, nil
}

// resident is the memory of a plugin's process.
func resident(store *pluginstore.Store) func() (float64, error) {
	return func() (float64, error) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", store.PID()))
		if err != nil {
			return 0, err
		}
		var size, pages float64
		if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
			return 0, err
		}
		return pages * float64(os.Getpagesize()), nil
	}
}

func writeGrowth(w io.Writer, points []growthPoint) error {
	lines := [][]string{
		{"store", "keys", "Get, µs", "Set, µs", "memory, MiB", "bytes a key"},
		{"---", "---:", "---:", "---:", "---:", "---:"},
	}
	for _, p := range points {
		lines = append(lines, []string{p.subject, strconv.Itoa(p.keys), number(p.get), number(p.set),
			number(p.bytes / (1 << 20)), number(p.bytes / float64(p.keys))})
	}
	return writeMarkdown(w, lines)
}
