package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/harpia-go/harpia/cache"
)

// memFS is a file system in memory that knows what a power failure costs it,
// on a disk that is large enough.
type memFS struct{ *vfs.MemFS }

func (m memFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := m.MemFS.OpenReadWrite(name, c, opts...)
	return memFile{f, m, name}, err
}

type memFile struct {
	vfs.File
	fs   memFS
	name string
}

// Truncate puts another file in the place of this one.
func (f memFile) Truncate(size int64) error {
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && size > 0 {
		return err
	}
	g, err := f.fs.Create(f.name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = g.Write(b)
	return errors.Join(err, g.Sync(), g.Close(), syncDir(f.fs, f.fs.PathDir(f.name)))
}

func (memFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: 1 << 40, TotalBytes: 1 << 40}, nil
}

// After a power failure there is everything that was acknowledged with
// sync=always, or before a Flush in the other modes; and the store opens,
// whatever of the rest was on the disk.
func TestPowerFailure(t *testing.T) {
	const writers, failures = 4, 5
	for _, mode := range []syncMode{syncAlways, syncInterval, syncNever} {
		t.Run(string(mode), func(t *testing.T) {
			dir := t.TempDir()
			disk := vfs.NewCrashableMem()
			for boot := range failures {
				s := mustConfigure(t, &Store{fs: memFS{disk}, bootID: fmt.Sprint("boot ", boot)}, dir,
					"sync", string(mode), "reserve", "0")
				var durable [writers]atomic.Int64
				var wg sync.WaitGroup
				stop := make(chan struct{})
				for w := range writers {
					wg.Go(func() {
						for n := int64(1); ; n++ {
							select {
							case <-stop:
								return
							default:
							}
							value := fmt.Sprint(n, " ", strings.Repeat(".", rand.IntN(5000)))
							if err := s.Set(t.Context(), fmt.Sprint("key ", boot, w), cache.Entry{Value: []byte(value)}); err != nil {
								t.Error(err)
								return
							}
							if mode != syncAlways {
								if n%10 != 0 {
									continue
								}
								if err := s.Flush(t.Context()); err != nil {
									t.Error(err)
									return
								}
							}
							durable[w].Store(n)
						}
					})
				}
				enough := int64(100 + rand.IntN(400))
				for durable[0].Load() < enough && !t.Failed() {
					time.Sleep(time.Millisecond)
				}
				var before [writers]int64
				for w := range writers {
					before[w] = durable[w].Load()
				}
				disk = disk.CrashClone(vfs.CrashCloneCfg{
					UnsyncedDataPercent: 50 * rand.IntN(3), RNG: rand.New(rand.NewPCG(rand.Uint64(), 0)),
				})
				close(stop)
				wg.Wait()
				mustClose(t, s)

				s = mustConfigure(t, &Store{fs: memFS{disk}, bootID: fmt.Sprint("boot ", boot, " again")}, dir,
					"sync", string(mode), "reserve", "0")
				for w := range writers {
					e, ok, err := s.Get(t.Context(), fmt.Sprint("key ", boot, w))
					var n int64
					if err == nil && ok {
						_, err = fmt.Sscan(string(e.Value), &n)
					}
					if err != nil || n < before[w] {
						t.Errorf("writer %d: write %d is there, and %d was durable: %v", w, n, before[w], err)
					}
				}
				mustClose(t, s)
			}
		})
	}
}

// What was not on stable storage yet may be there in pieces. A log with holes
// in its unsynced end is no damage: what comes before the first is served.
func TestPowerFailureLeavesHoles(t *testing.T) {
	const keys = 100
	dir := t.TempDir()
	disk := vfs.NewCrashableMem()
	s := mustConfigure(t, &Store{fs: memFS{disk}, bootID: "before"}, dir, "sync", "never", "reserve", "0")
	write := func(from, to int) {
		for n := from; n < to; n++ {
			mustSet(t, s, fmt.Sprint("key ", n%keys), fmt.Sprintf("%06d %s", n, strings.Repeat(".", 1000)))
		}
	}
	const durable, all = 200, 700
	write(0, durable)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(durable, all)
	var images []*vfs.MemFS
	for range 10 {
		images = append(images, disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 70, RNG: rand.New(rand.NewPCG(rand.Uint64(), 0))}))
	}
	mustClose(t, s)
	for _, image := range images {
		s := mustConfigure(t, &Store{fs: memFS{image}, bootID: "after"}, dir, "reserve", "0")
		// The newest write that is there, and nothing newer is missing before it.
		newest, found := 0, map[int]int{}
		for k := range keys {
			e, ok, err := s.Get(t.Context(), fmt.Sprint("key ", k))
			n := 0
			if err == nil && ok {
				_, err = fmt.Sscanf(string(e.Value), "%d", &n)
			}
			if err != nil || n < durable-keys {
				t.Fatalf("key %d: write %d is there, %v", k, n, err)
			}
			found[k], newest = n, max(newest, n)
		}
		for k, n := range found {
			if n+keys <= newest {
				t.Errorf("key %d has write %d, though %d of another is there", k, n, newest)
			}
		}
		mustClose(t, s)
	}
}
