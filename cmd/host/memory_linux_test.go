package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	largeBody    = 60_000_000
	largeClients = 20
	// What the host may take while 8 such bodies, its bound, are in flight, and
	// what it may keep afterwards, in MB.
	mostInBurst    = 700
	mostAfterwards = 150
	afterwards     = 10 * time.Second
)

// resident returns a figure of /proc/PID/status in MB.
func (s *serving) resident(figure string) int {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), figure+":")
	kb, err := strconv.Atoi(strings.Fields(rest + " ?")[0])
	if err != nil {
		s.t.Fatalf("%s: %v", figure, err)
	}
	return kb / 1000
}

// inProportion runs all at once and judges the host's memory.
func (s *serving) inProportion(what string, one func(client int)) {
	s.t.Helper()
	// The high-water mark begins anew.
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.cmd.Process.Pid), []byte("5"), 0); err != nil {
		s.t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range largeClients {
		all.Go(func() { one(i) })
	}
	all.Wait()
	most := s.resident("VmHWM")
	if most >= mostInBurst {
		s.t.Errorf("%s: the host took %d MB, want less than %d", what, most, mostInBurst)
	}
	began := time.Now()
	for s.resident("VmRSS") >= mostAfterwards && time.Since(began) < afterwards {
		time.Sleep(20 * time.Millisecond)
	}
	kept := s.resident("VmRSS")
	if kept >= mostAfterwards {
		s.t.Errorf("%s: %v later the host keeps %d MB, want less than %d", what, afterwards, kept, mostAfterwards)
	}
	s.t.Logf("%s: at most %d MB, %d MB after %v", what, most, kept, time.Since(began).Round(100*time.Millisecond))
}

// largeValue is a value that no other client has.
func largeValue(shared []byte, client int) io.Reader {
	return io.MultiReader(strings.NewReader(fmt.Sprintf("%02d", client)), bytes.NewReader(shared[2:]))
}

// same reports whether two readers give the same bytes.
func same(a, b io.Reader) bool {
	var x, y [64 << 10]byte
	for {
		n, err := io.ReadFull(a, x[:])
		m, _ := io.ReadFull(b, y[:])
		if n != m || !bytes.Equal(x[:n], y[:m]) {
			return false
		}
		if err != nil {
			return true
		}
	}
}

// The memory of large values is in proportion to what the host admits, and is
// not the host's any more when they have passed.
func TestLargeBodiesLeaveNoMemoryBehind(t *testing.T) {
	p := newPlace(t)
	s := p.serve(nil)
	shared := make([]byte, largeBody)
	rand.NewChaCha8([32]byte{}).Read(shared)
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	url := func(client int) string { return fmt.Sprintf("http://%s/v1/cache/large%d", s.addr, client) }

	var kept [largeClients]bool // acknowledged
	s.inProportion("uploads", func(i int) {
		r, err := http.NewRequest(http.MethodPut, url(i), largeValue(shared, i))
		if err != nil {
			t.Error(err)
			return
		}
		r.ContentLength = largeBody
		answer, err := c.Do(r)
		if err != nil {
			return // a body that is refused is not read to its end
		}
		defer answer.Body.Close()
		kept[i] = answer.StatusCode == http.StatusNoContent
		if !kept[i] && answer.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("PUT: %s", answer.Status)
		}
	})
	var keys []int
	for i, ok := range kept {
		if ok {
			keys = append(keys, i)
		}
	}
	if len(keys) < 4 {
		t.Fatalf("%d of %d uploads were admitted: nothing was tested", len(keys), largeClients)
	}

	// get reports whether there was an answer, which must be the value.
	get := func(client int) bool {
		answer, err := c.Get(url(client))
		if err != nil {
			t.Errorf("GET: %v", err)
			return false
		}
		defer answer.Body.Close()
		switch {
		case answer.StatusCode == http.StatusServiceUnavailable:
			return false
		case answer.StatusCode != http.StatusOK || !same(answer.Body, largeValue(shared, client)):
			t.Errorf("GET: %s, or not the value that was put", answer.Status)
		}
		return true
	}
	var answered atomic.Int64
	s.inProportion("reads", func(i int) {
		if get(keys[i%len(keys)]) {
			answered.Add(1)
		}
	})
	if answered.Load() == 0 {
		t.Error("no read was answered: nothing was tested")
	}
	for _, i := range keys {
		p.until("an acknowledged value is there", func() bool { return get(i) })
	}
	t.Logf("%d uploads and %d reads of %d were admitted", len(keys), answered.Load(), largeClients)
	s.end()
}
