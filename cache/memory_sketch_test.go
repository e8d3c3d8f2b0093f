package cache

import (
	"math/rand/v2"
	"testing"
)

func TestMemorySketch(t *testing.T) {
	var k memorySketch
	k.add(1)
	if k.count(1) != 0 {
		t.Error("it counts before there is room to")
	}
	const entries = 1000
	k.fit(entries)
	r := rand.New(rand.NewPCG(1, 2))
	seldom, often := make([]uint32, entries/2), make([]uint32, entries/2)
	for i := range seldom {
		seldom[i], often[i] = r.Uint32(), r.Uint32()
		k.add(seldom[i])
		for range memorySketchMost + 2 {
			k.add(often[i])
		}
	}
	wrong := 0
	for i := range seldom {
		if n := k.count(often[i]); n != memorySketchMost {
			t.Errorf("what came %d times counts %d", memorySketchMost+2, n)
		}
		if k.count(seldom[i]) != 1 {
			wrong++
		}
	}
	if wrong > entries/20 {
		t.Errorf("%d of %d keys that came once count more", wrong, len(seldom))
	}
	k.fit(2 * entries) // not enough to begin anew
	if k.count(often[0]) != memorySketchMost {
		t.Error("it has forgotten")
	}
	for range 2 * memorySketchHalve * entries {
		k.add(seldom[0])
	}
	for _, hash := range often[:10] {
		if n := k.count(hash); n > 1 {
			t.Errorf("what came long ago counts %d", n)
		}
	}
	k.fit(2*entries + 1)
	if k.count(seldom[0]) != 0 {
		t.Error("what was counted for far fewer is kept")
	}
}

// What others insert and remove meanwhile may make the newest of a shard old
// before it is in.
func TestMemorySieveSettlesTheNewest(t *testing.T) {
	var v memorySieve
	e := &memoryEntry{key: "k", order: 1}
	v.insert(e, memoryAge{inserted: 100})
	if v.arrived.oldest != nil || v.settled.oldest != e {
		t.Error("it has not settled")
	}
	if got := v.victim(1, memoryAge{inserted: 100}, nil); got != e {
		t.Errorf("the victim is %v", got)
	}
	v.remove(e)
	if v.settled.oldest != nil || v.settled.newest != nil || v.hand != nil {
		t.Error("it is still there")
	}
}
