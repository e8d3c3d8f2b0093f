package cache

// memorySketch counts how often a key came into a shard of late, also those
// that have left it since. It is an estimate: a key has two counters of two bits
// and shares them with others, so the lesser of the two counts. Reads are not
// counted, which have their mark, and nothing is before the first eviction.
//
// It costs two bytes for each entry that there is room for.
type memorySketch struct {
	words   []uint64 // of 32 counters each
	entries int      // that it was made for
	added   int      // since the counters were last halved
}

const (
	memorySketchCounters = 8 // for each entry
	memorySketchHalve    = 8 // times as many as the entries are counted before the counters are halved
	memorySketchMost     = 3
)

// fit makes room for so many entries. What was counted for far fewer is lost.
func (k *memorySketch) fit(entries int) {
	if entries > 2*k.entries {
		*k = memorySketch{words: make([]uint64, 1+entries*memorySketchCounters/32), entries: entries}
	}
}

// at returns where the counters of hash are: a word's number and how far to
// shift it.
func (k *memorySketch) at(hash uint32) (word, shift [2]uint32) {
	for i, factor := range [2]uint32{0x9e3779b1, 0x85ebca77} {
		h := hash * factor
		h ^= h >> 15
		h *= factor
		word[i] = uint32(uint64(h) * uint64(len(k.words)) >> 32)
		shift[i] = h & 31 * 2
	}
	return word, shift
}

func (k *memorySketch) count(hash uint32) uint64 {
	if k.words == nil {
		return 0
	}
	word, shift := k.at(hash)
	return min(k.words[word[0]]>>shift[0]&memorySketchMost, k.words[word[1]]>>shift[1]&memorySketchMost)
}

func (k *memorySketch) add(hash uint32) {
	if k.words == nil {
		return
	}
	word, shift := k.at(hash)
	n := k.count(hash)
	for i := range word {
		// The other keys of a counter that is higher already have had it rise.
		if w := &k.words[word[i]]; n < memorySketchMost && *w>>shift[i]&memorySketchMost == n {
			*w += 1 << shift[i]
		}
	}
	if k.added++; k.added < memorySketchHalve*k.entries {
		return
	}
	k.added /= 2
	for i := range k.words {
		k.words[i] = k.words[i] >> 1 & 0x5555_5555_5555_5555
	}
}
