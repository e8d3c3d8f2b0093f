package pluginstore

import (
	"time"

	"github.com/harpia-go/harpia/cache"
)

// keysPerEntry is how many keys are remembered for each entry that is.
const keysPerEntry = 10

// journal remembers the last write of each key that was written while the
// plugin was down. It is not safe for concurrent use.
type journal struct {
	limits   JournalLimits
	canClear bool // the store may be cleared when too many keys were written
	keeps    bool // what does not fit is refused: nothing is forgotten

	writes    map[string]write // to be told
	told      map[string]write // in vain, if the process that was told comes to nothing
	entries   int              // of writes, those with a value
	bytes     int64            // of keys and values
	keyBytes  int64
	toldBytes int64
	clear     bool // there were too many
	forgot    bool // there were, at some time
	dropped   int  // of writes and sent, those whose value is lost
	last      uint64
}

// write is the last write of a key: its entry, or nothing, which empties the
// key.
type write struct {
	entry   cache.Entry
	set     bool
	dropped bool   // it had an entry, for which there was no room
	version uint64 // of the journal's writes, which one
}

// keyWrite is a write with its key.
type keyWrite struct {
	key string
	write
}

// fits reports whether the value of e fits in the place of the key's old one.
func (j *journal) fits(key string, e *cache.Entry, old write, known bool) bool {
	entries, bytes := j.entries, j.bytes+int64(len(key)+len(e.Value))
	if known {
		bytes -= int64(len(key) + len(old.entry.Value))
	}
	if old.set {
		entries--
	}
	return entries < j.limits.Entries && bytes <= j.limits.Bytes
}

// refuses reports whether there is no room for a write, and the journal may neither
// forget the value nor clear the store.
func (j *journal) refuses(key string, e *cache.Entry) bool {
	old, known := j.of(key)
	if j.keeps && e != nil && !j.fits(key, e, old, known) {
		return true
	}
	return !known && j.isFull(key) && (j.keeps || !j.canClear)
}

// isFull reports whether there is no room for another key.
func (j *journal) isFull(key string) bool {
	return (len(j.writes)+len(j.told))/keysPerEntry >= j.limits.Entries || j.keyBytes+int64(len(key)) > j.limits.Bytes
}

// note remembers that e was the last to be written under key, or that key was
// emptied if e is nil. It reports false, and changes nothing, if the write is refused.
func (j *journal) note(key string, e *cache.Entry) bool {
	if j.refuses(key, e) {
		return false
	}
	old, known := j.of(key)
	if !known && j.isFull(key) {
		*j = journal{limits: j.limits, canClear: true, clear: true, forgot: true, last: j.last}
	}
	if known {
		j.remove(key, old)
	}
	j.last++
	w := write{version: j.last}
	if e != nil {
		// Without its value the key will be emptied.
		if w.set = j.fits(key, e, write{}, false); w.set {
			w.entry = *e
			j.entries++
		} else {
			w.dropped = true
			j.dropped++
		}
	}
	if j.writes == nil {
		j.writes = make(map[string]write)
	}
	j.writes[key] = w
	j.keyBytes += int64(len(key))
	j.bytes += int64(len(key) + len(w.entry.Value))
	return true
}

// of returns the last write of key, if it is remembered.
func (j *journal) of(key string) (write, bool) {
	w, ok := j.writes[key]
	if !ok {
		w, ok = j.told[key]
	}
	return w, ok
}

func (j *journal) remove(key string, w write) {
	delete(j.writes, key)
	if _, told := j.told[key]; told {
		delete(j.told, key)
		j.toldBytes -= int64(len(key) + len(w.entry.Value))
	}
	j.keyBytes -= int64(len(key))
	j.bytes -= int64(len(key) + len(w.entry.Value))
	if w.set {
		j.entries--
	}
	if w.dropped {
		j.dropped--
	}
}

// take returns at most n writes, which stay in the journal until they are done.
// What has expired meanwhile comes back as a deletion: whatever the plugin has
// under that key is older. Those that skip is true of are not taken.
func (j *journal) take(n int, now time.Time, skip func(key string) bool) []keyWrite {
	batch := make([]keyWrite, 0, min(n, len(j.writes)))
	for key, w := range j.writes {
		if len(batch) == n {
			break
		}
		if skip != nil && skip(key) {
			continue
		}
		if w.set && w.entry.Expired(now) {
			w = write{version: w.version}
		}
		batch = append(batch, keyWrite{key, w})
	}
	return batch
}

// done takes the writes of a batch, if they were not written over since, for
// told. They are kept: only a process that comes to serve has been told.
func (j *journal) done(batch []keyWrite) {
	for _, b := range batch {
		if w, ok := j.writes[b.key]; ok && w.version == b.version {
			delete(j.writes, b.key)
			if j.told == nil {
				j.told = make(map[string]write)
			}
			j.told[b.key] = w
			j.toldBytes += int64(len(b.key) + len(w.entry.Value))
		}
	}
}

// again makes everything due once more: another process is to be told.
func (j *journal) again() {
	if len(j.writes) == 0 {
		j.writes, j.told = j.told, nil
	}
	for key, w := range j.told {
		j.writes[key] = w
	}
	j.told, j.toldBytes, j.clear = nil, 0, j.forgot
}

func (j *journal) size() JournalSize {
	return JournalSize{Entries: len(j.writes), Bytes: j.bytes - j.toldBytes, Dropped: j.dropped, Clear: j.clear}
}
