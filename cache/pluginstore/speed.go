package pluginstore

import "time"

// speed is how fast a plugin is told, and how long others may wait for it.
type speed struct {
	batch int           // how many writes were told last, and
	took  time.Duration // how long that took; 0: not known yet
	share time.Duration // how long those behind the gate may take
	size  int           // how many writes are told next
}

// told takes note of a batch. A slow plugin is told of fewer writes at a time, unless
// that makes it no faster.
func (s *speed) told(n int, took time.Duration, answered bool) {
	switch {
	case took < longBatch:
		s.size = min(2*s.size, replayBatch)
	case answered && n < s.batch && took > s.took*3/4:
		s.size = replayBatch
	default:
		s.size = max(s.size/2, slowBatch)
	}
	s.batch, s.took = n, took
}

// of is how long n writes should take. A batch may take its time, however small it
// is: a force of a disk does.
func (s speed) of(n int) time.Duration {
	if n > 0 && n <= s.batch {
		return s.took
	}
	return time.Duration(n) * s.each()
}

func (s speed) each() time.Duration { return s.took / time.Duration(max(s.batch, 1)) }

// limit is how long the gate is closed at most.
func (s speed) limit() time.Duration { return min(gateLimits*s.share, longestWait) }
