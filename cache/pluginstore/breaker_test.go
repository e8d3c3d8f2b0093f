package pluginstore

import (
	"testing"
	"time"
)

func defaultRestart(t *testing.T) Restart {
	t.Helper()
	var o Options
	if err := o.defaults(); err != nil {
		t.Fatal(err)
	}
	return o.Restart
}

// within fails unless a delay is a quarter more or less than step, and at most
// most.
func within(t *testing.T, what string, delay, step, most time.Duration) {
	t.Helper()
	if delay < step*3/4 || delay > min(step*5/4, most) {
		t.Errorf("%s: the delay is %v, want %v and a quarter more or less, at most %v", what, delay, step, most)
	}
}

func TestBreakerDelays(t *testing.T) {
	r := defaultRestart(t)
	r.Failures = 1000
	lowest, highest := 1.0, 1.0
	for range 200 {
		b := breaker{Restart: r}
		now := time.Now()
		step := 200 * time.Millisecond
		for i := range 12 {
			delay, again := b.failed(now, 0)
			if !again {
				t.Fatalf("failure %d of 1000 opens the breaker", i+1)
			}
			within(t, "failure in a row", delay, step, 30*time.Second)
			if i == 0 {
				lowest = min(lowest, float64(delay)/float64(step))
				highest = max(highest, float64(delay)/float64(step))
			}
			step = min(step*2, 30*time.Second)
		}
		delay, _ := b.failed(now, 30*time.Second-1)
		within(t, "not ready for long", delay, 30*time.Second, 30*time.Second)
		delay, _ = b.failed(now, 30*time.Second)
		within(t, "ready for MaxDelay", delay, 200*time.Millisecond, 30*time.Second)
		delay, _ = b.failed(now, 0)
		within(t, "and once more", delay, 400*time.Millisecond, 30*time.Second)
	}
	if lowest > 0.85 || highest < 1.15 {
		t.Errorf("of 200 first delays the shortest is %.2f of the step and the longest %.2f: hosts start in step", lowest, highest)
	}
}

func TestBreakerOpens(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name  string
		times []time.Duration
		again bool
	}{
		{"five at once", []time.Duration{0, 0, 0, 0, 0}, false},
		{"four", []time.Duration{0, 0, 0, 0}, true},
		{"five in just under ten minutes", []time.Duration{0, 1, 2, 3, 10*time.Minute - 1}, false},
		{"the first is ten minutes old", []time.Duration{0, 1, 2, 3, 10 * time.Minute}, true},
		{"one every two and a half minutes", []time.Duration{0, 150e9, 300e9, 450e9, 600e9, 750e9, 900e9, 1050e9}, true},
		{"five after an old one", []time.Duration{0, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour}, false},
	} {
		b := breaker{Restart: defaultRestart(t)}
		var again bool
		for _, after := range c.times {
			_, again = b.failed(now.Add(after), 0)
		}
		if again != c.again {
			t.Errorf("%s: start again: %v, want %v", c.name, again, c.again)
		}
		b.reset()
		delay, again := b.failed(now, 0)
		if !again {
			t.Errorf("%s: after a reset the first failure opens it", c.name)
		}
		within(t, c.name+", after a reset", delay, 200*time.Millisecond, 30*time.Second)
	}
}

// Bounds that are meant as none must not be taken for none at all.
func TestBreakerHugeDelays(t *testing.T) {
	const forever = time.Duration(1<<63 - 1)
	b := breaker{Restart: Restart{MinDelay: time.Hour, MaxDelay: forever / 2, Failures: 1 << 30, Within: forever}}
	for i := range 100 {
		if delay, again := b.failed(time.Now(), 0); delay < time.Hour*3/4 || !again {
			t.Fatalf("failure %d: %v, %v", i+1, delay, again)
		}
	}
}
