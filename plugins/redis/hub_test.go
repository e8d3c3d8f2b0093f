package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/redis/rueidis"
)

func TestWatchers(t *testing.T) {
	var h hub
	one, two := newWatcher("p:"), newWatcher("")
	if h.add(one) != 1 || h.add(two) != 2 {
		t.Error("watchers are not counted")
	}
	h.tell([]rueidis.RedisMessage{message(t, '$', "p:a"), message(t, '$', "q"), message(t, '$', "p:")})
	for w, want := range map[*watcher][]string{one: {"a"}, two: {"p:a", "q", "p:"}} {
		<-w.wake
		if keys, all, err := w.take(); !slices.Equal(keys, want) || all || err != nil {
			t.Errorf("%q was told %q, %v, %v", w.prefix, keys, all, err)
		}
	}
	h.tell(nil)
	if keys, all, _ := one.take(); !all || keys != nil {
		t.Errorf("of everything it was told %q, %v", keys, all)
	}
	if h.remove(one) != 1 {
		t.Error("a watcher was not removed")
	}
	h.end()
	<-two.wake
	if _, all, err := two.take(); !all || err != errLost {
		t.Errorf("it ends with %v, after all: %v", err, all)
	}
	if h.add(one) != 1 {
		t.Error("a watcher that has ended counts")
	}
}

// A consumer that is too slow is told that all has changed, in place of each.
func TestSlowConsumer(t *testing.T) {
	w := newWatcher("")
	told := 0
	for told <= mostTold {
		some := make([]rueidis.RedisMessage, 1000)
		for i := range some {
			some[i] = message(t, '$', fmt.Sprint(told))
		}
		w.tell(some)
		told += len(some)
	}
	if keys, all, err := w.take(); len(keys) > 0 || !all || err != nil {
		t.Errorf("it was told %d keys, all: %v, %v", len(keys), all, err)
	}
	w.tell([]rueidis.RedisMessage{message(t, '$', "k")})
	if keys, all, _ := w.take(); !slices.Equal(keys, []string{"k"}) || all {
		t.Errorf("after that it was told %q, all: %v", keys, all)
	}
}
