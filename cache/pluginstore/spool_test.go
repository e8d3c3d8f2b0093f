//go:build unix

package pluginstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/spool"
)

// journalled is a durable store whose plugin is not started again by itself.
func journalled(dir string) Options {
	return Options{
		Journal: JournalLimits{Dir: dir, Entries: 100, Bytes: 1 << 20},
		Restart: Restart{MinDelay: time.Hour, MaxDelay: time.Hour},
	}
}

// asKilled returns a directory that has what a host would leave that is killed now.
func asKilled(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no journal: %v, %v", files, err)
	}
	to := t.TempDir()
	if err := os.Chmod(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(file)), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// copied is a copy of what the processes of a store have stored.
func copied(t *testing.T, data *cache.Memory) *cache.Memory {
	t.Helper()
	to := newData(t)
	for key, err := range data.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		e, _, _ := data.Get(t.Context(), key)
		if err := to.Set(t.Context(), key, e); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func isEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("in the journal's directory are %v, %v", left, err)
	}
}

// What a durable store acknowledged from memory is found by the next host, whenever
// this one is killed, and nothing older.
func TestJournalOutlivesItsHost(t *testing.T) {
	for _, fallback := range []Fallback{FallbackAuto, FallbackNone} {
		synctest.Test(t, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "journal")
			f := &fakes{t: t, data: newData(t), make: durableStore}
			s := openFake(t, journalled(dir), f.launch)
			for i := range 10 {
				put(t, s, fmt.Sprint(i), "old")
			}
			held := f.last().wire.hold("Set", "under way", false)
			underWay := async(func() error { return s.Set(t.Context(), "under way", entry("v")) })
			<-held.arrived
			f.last().die()
			if err := errorOf(t, underWay); err != nil {
				t.Errorf("the write that was under way: %v", err)
			}
			put(t, s, "0", "new")
			put(t, s, "1", "newer")
			put(t, s, "1", "newest")
			if err := s.Delete(t.Context(), "2"); err != nil {
				t.Error(err)
			}
			put(t, s, "added", "v")

			// The next host, and meanwhile this one goes on.
			next := &fakes{t: t, data: copied(t, f.data), make: durableStore}
			o := journalled(asKilled(t, dir))
			o.Fallback = fallback
			after := openFake(t, o, next.launch)
			for store, o := range map[*Store]string{s: "", after: o.Journal.Dir} {
				if o == "" {
					s.Reset()
					synctest.Wait()
				}
				for key, want := range map[string]string{"0": "new", "1": "newest", "2": "", "3": "old", "added": "v", "under way": "v"} {
					finds(t, store, key, want)
				}
			}
			// Once the plugin has been told, the journal is not there any more.
			if text, err := os.ReadFile(after.spool.file.Path()); len(text) > 0 || err != nil {
				t.Errorf("the journal has %q, %v", text, err)
			}
			put(t, after, "0", "later")
			if err := after.Close(); err != nil {
				t.Error(err)
			}
			isEmpty(t, o.Journal.Dir)
			_ = s.Close()
			isEmpty(t, dir)
		})
	}
}

// What the plugin cannot be told at Close is kept for the next host, which tells it.
func TestCloseKeepsWhatThePluginWasNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "journal")
		f := &fakes{t: t, data: newData(t), make: durableStore}
		down := false
		s := openFake(t, journalled(dir), func() (*fakePlug, error) {
			if down {
				return nil, errors.New("the disk is on holiday")
			}
			return f.launch()
		})
		put(t, s, "k", "old")
		down = true
		f.last().die()
		synctest.Wait()
		put(t, s, "k", "new")
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		s = openFake(t, journalled(dir), f.launch)
		finds(t, s, "k", "new")
		finds(t, f.data, "k", "new")
		_ = s.Close()
		isEmpty(t, dir)
	})
}

// A key in quarantine stays in the journal, and nothing else does.
func TestJournalOfAKeyInQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "journal")
		k := &killers{}
		k.set("bad", "Set", "Get", "Delete")
		f := &fakes{t: t, data: newData(t), make: func(p *fakePlug) { durableStore(p); k.poisoned(p) }}
		o := journalled(dir)
		o.Restart = Restart{}
		s := openFake(t, o, f.launch)
		put(t, s, "bad", "v")
		put(t, s, "good", "v")
		time.Sleep(10 * time.Second)
		put(t, s, "good", "w")
		killed := asKilled(t, dir)
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		for _, dir := range []string{dir, killed} {
			file, writes, err := spool.Open(dir, filepath.Base(s.spool.file.Path()))
			if err != nil || len(writes) != 1 || writes[0].Key != "bad" {
				t.Fatalf("the journal has %v, %v", writes, err)
			}
			_ = file.Close()
		}
		k.set("bad")
		s = openFake(t, o, f.launch)
		finds(t, s, "bad", "v")
		finds(t, s, "good", "w")
		_ = s.Close()
		isEmpty(t, dir)
	})
}

// A write that cannot be put into the journal is not acknowledged, and not there.
func TestJournalOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{t: t, data: newData(t), make: durableStore}
		s := openFake(t, journalled(filepath.Join(t.TempDir(), "journal")), f.launch)
		f.last().die()
		synctest.Wait()
		put(t, s, "k", "v")
		if err := s.spool.file.Close(); err != nil { // nothing can be written from here on
			t.Fatal(err)
		}
		if err := s.Set(t.Context(), "k", entry("w")); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("Set: %v", err)
		}
		finds(t, s, "k", "v")
	})
}

// Only one process has a store's journal, however the store is named.
func TestJournalBelongsToOneProcess(t *testing.T) {
	dir, target := filepath.Join(t.TempDir(), "journal"), t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	f := &fakes{t: t, data: newData(t), make: durableStore}
	s := openFake(t, journalled(dir), f.launch)
	other := openFake(t, Options{Journal: JournalLimits{Dir: dir}}, (&fakes{t: t, data: newData(t)}).launch) // not durable
	other.o.Journal = s.o.Journal
	if err := other.openSpool(f.last()); !errors.Is(err, cache.ErrUnavailable) || !errors.Is(err, spool.ErrLocked) {
		t.Errorf("another one: %v", err)
	}
	if err := os.Mkdir(filepath.Join(target, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, text := range []string{target, target + "/", target + "/./x/..", link} {
		name, err := (&Store{url: URL{Name: "fake", Whole: text}, o: s.o}).spoolName(f.last().known)
		if err != nil {
			t.Fatal(err)
		}
		names[name] = true
	}
	if len(names) != 1 {
		t.Errorf("one directory has the journals %v", names)
	}
}

// Nothing new is kept where that is not wanted, and what is there is handed over.
func TestJournalThatIsOnlyHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "journal")
		f := &fakes{t: t, data: newData(t), make: durableStore}
		s := openFake(t, journalled(dir), f.launch)
		f.last().die()
		synctest.Wait()
		put(t, s, "k", "v")
		o := journalled(asKilled(t, dir))
		o.Journal.OnlyHandOver = true
		next := &fakes{t: t, data: newData(t), make: durableStore}
		after := openFake(t, o, next.launch)
		finds(t, next.data, "k", "v")
		next.last().die()
		synctest.Wait()
		put(t, after, "k", "w")
		if text, err := os.ReadFile(after.spool.file.Path()); len(text) > 0 || err != nil {
			t.Errorf("the journal has %q, %v", text, err)
		}
	})
}
