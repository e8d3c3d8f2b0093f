package pluginstore

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/harpia-go/harpia/cache"
)

// modelWrite is a write that a journal remembers, by the words of
// JournalLimits.
type modelWrite struct {
	entry  *cache.Entry // nil: the key is to be emptied
	number int          // of the write
	lost   bool         // it had an entry
	told   bool
}

// journalModel says by its words alone what a journal must do: every sum is
// made anew.
type journalModel struct {
	limits   JournalLimits
	canClear bool
	keeps    bool
	writes   map[string]modelWrite
	clear    bool
	forgot   bool
	number   int
}

// due are the writes that are to be told.
func (m *journalModel) due() map[string]modelWrite {
	due := maps.Clone(m.writes)
	maps.DeleteFunc(due, func(_ string, w modelWrite) bool { return w.told })
	return due
}

func (m *journalModel) sums() (values int, keyBytes, bytes int64) {
	for key, w := range m.writes {
		keyBytes += int64(len(key))
		bytes += int64(len(key))
		if w.entry != nil {
			values++
			bytes += int64(len(w.entry.Value))
		}
	}
	return values, keyBytes, bytes
}

func (m *journalModel) note(key string, e *cache.Entry) bool {
	old, known := m.writes[key]
	if m.keeps && e != nil {
		delete(m.writes, key)
		values, _, bytes := m.sums()
		if known {
			m.writes[key] = old
		}
		if values == m.limits.Entries || bytes+int64(len(key)+len(e.Value)) > m.limits.Bytes {
			return false
		}
	}
	_, keyBytes, _ := m.sums()
	if !known && (len(m.writes) == 10*m.limits.Entries || keyBytes+int64(len(key)) > m.limits.Bytes) {
		if m.keeps || !m.canClear {
			return false
		}
		m.writes, m.clear, m.forgot = map[string]modelWrite{}, true, true
	}
	delete(m.writes, key)
	m.number++
	w := modelWrite{number: m.number}
	values, _, bytes := m.sums()
	if e != nil && values < m.limits.Entries && bytes+int64(len(key)+len(e.Value)) <= m.limits.Bytes {
		w.entry = e
	}
	w.lost = e != nil && w.entry == nil
	m.writes[key] = w
	return true
}

func TestJournalModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := JournalLimits{
			Entries: rapid.IntRange(1, 4).Draw(t, "entries"),
			Bytes:   rapid.Int64Range(1, 200).Draw(t, "bytes"),
		}
		canClear := rapid.Bool().Draw(t, "canClear")
		keeps := rapid.Bool().Draw(t, "keeps")
		j := &journal{limits: limits, canClear: canClear, keeps: keeps}
		m := &journalModel{limits: limits, canClear: canClear, keeps: keeps, writes: map[string]modelWrite{}}
		now := time.Unix(1000, 0)
		last := map[string]*cache.Entry{} // acknowledged; nil: emptied
		keys := rapid.SampledFrom([]string{"a", "b", "c", "d", "longer", "much-longer-than-the-others"})
		many := rapid.Map(rapid.IntRange(0, 60), func(n int) string { return fmt.Sprint("k", n) })
		key := rapid.OneOf(keys, many)
		note := func(key string, e *cache.Entry) {
			got, want := j.note(key, e), m.note(key, e)
			if got != want {
				t.Fatalf("note %q: %v, want %v", key, got, want)
			}
			if got {
				last[key] = e
			}
		}
		type taken struct {
			batch   []keyWrite
			numbers map[string]int
		}
		var batches []taken
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				e := &cache.Entry{Value: make([]byte, rapid.IntRange(0, 30).Draw(t, "size"))}
				if rapid.IntRange(0, 3).Draw(t, "expires") == 0 {
					e.Expires = now.Add(time.Duration(rapid.IntRange(-1, 5).Draw(t, "ttl")) * time.Second)
				}
				note(key.Draw(t, "key"), e)
			},
			"delete": func(t *rapid.T) { note(key.Draw(t, "key"), nil) },
			"burst": func(t *rapid.T) {
				for i := range rapid.IntRange(1, 45).Draw(t, "n") {
					note(fmt.Sprint("k", i), nil)
				}
			},
			"wait": func(t *rapid.T) { now = now.Add(time.Second) },
			"take": func(t *rapid.T) {
				n := rapid.IntRange(1, 50).Draw(t, "n")
				b := taken{j.take(n, now, nil), map[string]int{}}
				due := m.due()
				if len(b.batch) != min(n, len(due)) {
					t.Fatalf("take %d of %d: %d", n, len(due), len(b.batch))
				}
				for _, w := range b.batch {
					want, ok := due[w.key]
					if _, twice := b.numbers[w.key]; twice || !ok {
						t.Fatalf("%q comes twice (%v) or is not in the journal", w.key, twice)
					}
					b.numbers[w.key] = want.number
					live := want.entry != nil && !want.entry.Expired(now)
					if w.set != live {
						t.Fatalf("%q comes with a value: %v, want %v", w.key, w.set, live)
					}
					// Never anything but the last write, whatever the model.
					if w.set && (last[w.key] == nil || !sameEntry(w.entry, *last[w.key])) {
						t.Fatalf("%q comes as %v, and the last write was %v", w.key, w.entry, last[w.key])
					}
				}
				batches = append(batches, b)
			},
			"done": func(t *rapid.T) {
				if len(batches) == 0 {
					return
				}
				i := rapid.IntRange(0, len(batches)-1).Draw(t, "batch")
				b := batches[i]
				batches = slices.Delete(batches, i, i+1)
				j.done(b.batch)
				for key, number := range b.numbers {
					if w := m.writes[key]; w.number == number {
						w.told = true
						m.writes[key] = w
					}
				}
			},
			"cleared": func(t *rapid.T) { j.clear, m.clear = false, false },
			"again": func(t *rapid.T) {
				j.again()
				for key, w := range m.writes {
					w.told = false
					m.writes[key] = w
				}
				m.clear = m.forgot
			},
			"": func(t *rapid.T) {
				_, keyBytes, _ := m.sums()
				due := m.due()
				_, _, bytes := (&journalModel{writes: due}).sums()
				lost := 0
				for _, w := range m.writes {
					if w.lost {
						lost++
					}
				}
				if got, want := j.size(), (JournalSize{Entries: len(due), Bytes: bytes, Dropped: lost, Clear: m.clear}); got != want {
					t.Fatalf("the size is %+v, want %+v", got, want)
				}
				if j.keyBytes != keyBytes {
					t.Fatalf("%d bytes of keys, want %d", j.keyBytes, keyBytes)
				}
				if got, want := slices.Sorted(maps.Keys(j.writes)), slices.Sorted(maps.Keys(due)); !slices.Equal(got, want) {
					t.Fatalf("it remembers %q, want %q", got, want)
				}
			},
		})
	})
}

func sameEntry(a, b cache.Entry) bool {
	return string(a.Value) == string(b.Value) && a.Expires.Equal(b.Expires)
}

// A key that is written again while it is replayed is replayed again.
func TestJournalKeepsWhatIsWrittenDuringReplay(t *testing.T) {
	j := &journal{limits: JournalLimits{Entries: 10, Bytes: 1000}}
	for _, key := range []string{"again", "deleted", "same", "once"} {
		j.note(key, &cache.Entry{Value: []byte("1")})
	}
	batch := j.take(10, time.Now(), nil)
	j.note("again", &cache.Entry{Value: []byte("2")})
	j.note("deleted", nil)
	j.note("same", &cache.Entry{Value: []byte("1")})
	j.done(batch)
	got := map[string]string{}
	for _, w := range j.take(10, time.Now(), nil) {
		got[w.key] = fmt.Sprint(w.set, string(w.entry.Value))
	}
	if want := map[string]string{"again": "true2", "deleted": "false", "same": "true1"}; !maps.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
}

// After it was cleared no batch of before can take anything away.
func TestJournalVersionsOutliveAClear(t *testing.T) {
	j := &journal{limits: JournalLimits{Entries: 1, Bytes: 1000}, canClear: true}
	for i := range 10 {
		j.note(fmt.Sprint(i), nil)
	}
	batch := j.take(10, time.Now(), nil)
	j.note("one too many", nil)
	for i := range 9 {
		j.note(fmt.Sprint(i+1), nil)
	}
	before := j.size()
	j.done(batch)
	if after := j.size(); after != before || !after.Clear {
		t.Errorf("the size was %+v and is %+v", before, after)
	}
}

// The largest limits are none.
func TestJournalWithoutLimits(t *testing.T) {
	j := &journal{limits: JournalLimits{Entries: math.MaxInt, Bytes: math.MaxInt64}, canClear: true}
	for i := range 100 {
		if !j.note(fmt.Sprint(i), &cache.Entry{Value: []byte("v")}) {
			t.Fatal("no room")
		}
	}
	if got := j.size(); got.Entries != 100 || got.Clear {
		t.Errorf("of 100 writes it has %+v", got)
	}
}
