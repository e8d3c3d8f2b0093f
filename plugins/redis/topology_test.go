package main

import (
	"reflect"
	"testing"

	"github.com/redis/rueidis"
)

func TestClusterNodes(t *testing.T) {
	const id = "07c37dfeb235213a872192d90877d0cd55635b91"
	for line, want := range map[string]clusterNode{
		id + " 127.0.0.1:7001@17001 myself,master - 0 1426238317239 4 connected 0-2 7 [93-<-292f8b] [5-<-a] [77->-e7d1e] 10922-16383": {
			myself: true, primary: true, epoch: "4", slots: [][2]int{{0, 2}, {7, 7}, {10922, 16383}}, imports: []int{93, 5}, exports: []int{77}},
		id + " 127.0.0.1:7002@17002,node.example slave e7d1 0 1 12 connected": {epoch: "12"},
		id + " :0@0 master,fail,noaddr - 1 1 3 disconnected 5-6":              {primary: true, epoch: "3", slots: [][2]int{{5, 6}}},
		id + " h:1@2 master - 0 0 1 connected 16384 -1 x 3-y [z-<-a] [1-a]":   {primary: true, epoch: "1"},
	} {
		got, ok := parseNode(line)
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is\n%+v, want\n%+v", line, got, want)
		}
	}
	if _, ok := parseNode("short line\n"); ok {
		t.Error("a short line is a node")
	}
}

// cluster of two nodes, of which a owns the slots up to 99.
func twoNodes(lines ...clusterNode) *topology {
	t := &topology{nodes: make(map[string]rueidis.Client), epoch: make(map[string]string), moves: make(map[int][]string)}
	var claimed [slotCount]bool
	for i, n := range lines {
		t.add([]string{"a", "b"}[i], noClient{}, n, &claimed)
	}
	return t
}

// A slot is the same only if its node is, the node has taken over nothing
// meanwhile, and nothing is being moved that was not before.
func TestSlotStaysTheSame(t *testing.T) {
	node := func(epoch string, from, to int) clusterNode {
		return clusterNode{myself: true, primary: true, epoch: epoch, slots: [][2]int{{from, to}}}
	}
	before := twoNodes(node("1", 0, 99), node("2", 100, 199))
	moved := twoNodes(node("1", 0, 49), node("3", 50, 199))
	back := twoNodes(node("4", 0, 99), node("3", 100, 199))
	exporting := node("1", 0, 99)
	exporting.exports = []int{7}
	importing := node("2", 100, 199)
	importing.imports = []int{7}
	moving := twoNodes(exporting, importing)
	for _, c := range []struct {
		name  string
		later *topology
		slot  int
		same  bool
	}{
		{"nothing", twoNodes(node("1", 0, 99), node("2", 100, 199)), 7, true},
		{"another slot moved", moved, 7, true},
		{"it moved", moved, 50, false},
		{"it came to a node that takes", moved, 150, false},
		{"it moved and came back", back, 50, false},
		{"it is being moved", moving, 7, false},
		{"another one is being moved", moving, 8, true},
	} {
		if got := before.same(c.later, c.slot); got != c.same {
			t.Errorf("%s: the same is %v", c.name, got)
		}
	}
	if !moving.same(moving, 7) {
		t.Error("a slot that is being moved all the time is not the same")
	}
	if !before.equal(twoNodes(node("1", 0, 99), node("2", 100, 199))) || before.equal(moving) || before.equal(back) {
		t.Error("equal does not tell what changed")
	}
	if !before.sameNodes(moved) || before.sameNodes(twoNodes(node("1", 0, 199))) {
		t.Error("sameNodes does not tell what changed")
	}
}
