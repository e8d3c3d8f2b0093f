package main

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

const slotCount = 16384

// topology is what the primaries of a cluster say of their own slots, which
// they know before everybody else.
type topology struct {
	nodes map[string]rueidis.Client // by address
	owner [slotCount]string         // address; empty: nobody serves the slot
	epoch map[string]string         // of each node: a number that grows when it takes over a slot
	// moves are the marks of slots whose keys are being moved, by slot: the
	// nodes that take them.
	moves map[int][]string
	// complete: every slot that anybody speaks of has an owner here.
	complete bool
}

// look asks all nodes. One that does not answer is passed over; if it owns
// slots, the topology is not complete.
func look(ctx context.Context, client rueidis.Client) *topology {
	t := &topology{nodes: make(map[string]rueidis.Client), epoch: make(map[string]string), moves: make(map[int][]string)}
	var claimed [slotCount]bool
	for address, node := range client.Nodes() {
		text, err := node.Do(ctx, node.B().ClusterNodes().Build()).ToString()
		if err != nil {
			continue
		}
		for line := range strings.Lines(text) {
			if n, ok := parseNode(line); ok {
				t.add(address, node, n, &claimed)
			}
		}
	}
	t.complete = len(t.nodes) > 0
	for slot, c := range claimed {
		if c && t.owner[slot] == "" {
			t.complete = false
		}
	}
	return t
}

func (t *topology) add(address string, node rueidis.Client, n clusterNode, claimed *[slotCount]bool) {
	for _, r := range n.slots {
		for slot := r[0]; slot <= r[1]; slot++ {
			claimed[slot] = true
			if n.myself {
				t.owner[slot] = address
			}
		}
	}
	if !n.myself || !n.primary {
		return
	}
	t.nodes[address], t.epoch[address] = node, n.epoch
	for _, slot := range n.imports {
		t.moves[slot] = append(t.moves[slot], address)
		slices.Sort(t.moves[slot])
	}
	for _, slot := range n.exports {
		t.moves[slot] = append(t.moves[slot], "")
		slices.Sort(t.moves[slot])
	}
}

// same reports whether nothing about a slot has changed between two looks: nor
// between them, since to take a slot over and back changes the epochs.
func (t *topology) same(later *topology, slot int) bool {
	owner := t.owner[slot]
	return owner == later.owner[slot] && t.epoch[owner] == later.epoch[owner] && slices.Equal(t.moves[slot], later.moves[slot])
}

// equal reports whether two looks saw the same.
func (t *topology) equal(later *topology) bool {
	return t.owner == later.owner && maps.Equal(t.epoch, later.epoch) && maps.EqualFunc(t.moves, later.moves, slices.Equal)
}

// sameNodes reports whether two looks saw the same primaries.
func (t *topology) sameNodes(later *topology) bool {
	same := len(t.nodes) == len(later.nodes)
	for address := range t.nodes {
		same = same && later.nodes[address] != nil
	}
	return same
}

// clusterNode is a line of CLUSTER NODES.
type clusterNode struct {
	myself, primary  bool
	epoch            string
	slots            [][2]int // ranges, both ends included
	imports, exports []int
}

func parseNode(line string) (n clusterNode, ok bool) {
	f := strings.Fields(line)
	if len(f) < 8 {
		return n, false
	}
	for flag := range strings.SplitSeq(f[2], ",") {
		n.myself = n.myself || flag == "myself"
		n.primary = n.primary || flag == "master"
	}
	n.epoch = f[6]
	for _, text := range f[8:] {
		if mark, ok := strings.CutPrefix(text, "["); ok {
			slot, ok := parseSlot(firstOf(mark, "-"))
			switch {
			case ok && strings.Contains(mark, "-<-"):
				n.imports = append(n.imports, slot)
			case ok && strings.Contains(mark, "->-"):
				n.exports = append(n.exports, slot)
			}
			continue
		}
		first, last, isRange := strings.Cut(text, "-")
		from, ok := parseSlot(first)
		to := from
		if isRange && ok {
			to, ok = parseSlot(last)
		}
		if ok {
			n.slots = append(n.slots, [2]int{from, to})
		}
	}
	return n, true
}

func firstOf(text, sep string) string {
	first, _, _ := strings.Cut(text, sep)
	return first
}

func parseSlot(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0 && n < slotCount
}
