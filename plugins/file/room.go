package main

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/harpia-go/harpia/cache"
)

// roomAge is how old a reading of the free space may be. Between readings the
// store counts what it writes; what others write it sees only here.
const roomAge = 100 * time.Millisecond

// room refuses writes while less than the reserve is free. The reserve is what
// pebble needs to write out and compact what was accepted before, and to go on
// serving.
type room struct {
	fs      vfs.FS
	dir     string
	reserve int64
	ballast *ballast
	// unwritten is what was accepted and is not in tables yet, which will take
	// as much room again.
	unwritten func() int64

	start time.Time
	free  atomic.Int64 // at the last reading, less what was unwritten
	spent atomic.Int64 // written since
	read  atomic.Int64 // when that was, after start

	mu       sync.Mutex
	refusing bool
}

func newRoom(fs vfs.FS, dir string, reserve int64, b *ballast, unwritten func() int64) *room {
	return &room{fs: fs, dir: dir, reserve: reserve, ballast: b, unwritten: unwritten, start: time.Now()}
}

// admit returns an error if the disk has no room for n bytes more.
func (r *room) admit(n int64) error {
	if r.reserve == 0 {
		return nil
	}
	spent := r.spent.Add(n)
	fresh := time.Since(r.start)-time.Duration(r.read.Load()) < roomAge
	if fresh && spent < r.reserve/16 && r.free.Load()-spent >= r.reserve {
		return nil
	}
	free, err := r.look()
	if err != nil {
		return err
	}
	left := r.free.Load()
	r.refuse(left < r.reserve, free)
	if left-r.spent.Add(n) < r.reserve {
		return fmt.Errorf("file: the disk has no room for %s more: %s of %s are free under %s, %s of that are for what was accepted before and %s are reserved: make room there, or lower the setting reserve: %w",
			mib(n), mib(free), mib(r.total()), r.dir, mib(free-left), mib(r.reserve), cache.ErrUnavailable)
	}
	return nil
}

// look reads the free space.
func (r *room) look() (int64, error) {
	usage, err := r.fs.GetDiskUsage(r.dir)
	if err != nil {
		return 0, fmt.Errorf("file: the free space under %s is unknown: %w: %w", r.dir, err, cache.ErrUnavailable)
	}
	free := int64(usage.AvailBytes)
	r.free.Store(free - r.unwritten())
	r.spent.Store(0)
	r.read.Store(int64(time.Since(r.start)))
	return free, nil
}

func (r *room) total() int64 {
	usage, err := r.fs.GetDiskUsage(r.dir)
	if err != nil {
		return 0
	}
	return int64(usage.TotalBytes)
}

// refuse logs the turns, not each refusal.
func (r *room) refuse(refusing bool, free int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if refusing == r.refusing {
		return
	}
	r.refusing = refusing
	if refusing {
		slog.Warn("file: the disk is nearly full, writes are refused", "dir", r.dir, "free", mib(free), "reserve", mib(r.reserve))
	} else {
		slog.Info("file: the disk has room, writes are accepted", "dir", r.dir, "free", mib(free))
	}
}

// short reports whether writes were refused, and are still.
func (r *room) short() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refusing
}

// half returns whether less than half of the reserve is free, or less than
// nothing to speak of where there is no reserve. Compactions stop then: the
// rest is for what cannot wait.
func (r *room) half() bool {
	free, err := r.look()
	return err == nil && free < max(r.reserve/2, 1<<20)
}

// refresh makes the ballast again when there is room for it.
func (r *room) refresh() {
	if r.reserve == 0 || r.ballast.held() {
		return
	}
	if free, err := r.look(); err == nil && free >= r.reserve+r.ballast.size {
		r.ballast.make()
	}
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
