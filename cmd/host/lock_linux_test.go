package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/internal/redistest"
)

const (
	// envLockRounds is how many locks TestOneHolderOfALock contends for over each
	// store.
	envLockRounds = "HARPIA_LOCK_ROUNDS"
	lockClients   = 64
)

// Of 64 clients that put a key with If-None-Match: *, one holds the lock, whatever
// the store. Its tag gives the lock back, and no other does.
func TestOneHolderOfALock(t *testing.T) {
	rounds := 20
	if text := os.Getenv(envLockRounds); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil || rounds < 1 {
			t.Fatalf("%s must be a number of rounds, not %q", envLockRounds, text)
		}
	}
	for name, store := range map[string]func(t *testing.T) string{
		"memory": func(*testing.T) string { return "memory" },
		"file":   func(*testing.T) string { return "file:data" },
		"redis": func(t *testing.T) string {
			return "redis://" + redistest.Start(t, redistest.Options{}).Addr()
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, p := store(t), newPlace(t)
			s := p.serve(func(addr string) *exec.Cmd { return p.host("--store", url, "serve", "--http", addr) })
			contend(t, s, rounds)
			s.end()
		})
	}
}

// lockClient has a connection of its own.
type lockClient struct {
	http http.Client
	name string
}

func contend(t *testing.T, s *serving, rounds int) {
	clients := make([]*lockClient, lockClients)
	for i := range clients {
		clients[i] = &lockClient{http.Client{Transport: new(http.Transport), Timeout: time.Minute}, fmt.Sprint("client ", i)}
		defer clients[i].http.CloseIdleConnections()
	}
	for round := range rounds {
		lock := "http://" + s.addr + "/v1/cache/lock:" + strconv.Itoa(round)
		statuses := make([]int, len(clients))
		tags := make([]string, len(clients))
		var begin, all sync.WaitGroup
		begin.Add(1)
		for i, c := range clients {
			all.Go(func() {
				begin.Wait()
				statuses[i], tags[i], _ = c.request(t, http.MethodPut, lock+"?ttl=1h", c.name, "If-None-Match", "*")
			})
		}
		begin.Done()
		all.Wait()
		holder := -1
		for i, status := range statuses {
			switch {
			case status == http.StatusCreated && holder < 0:
				holder = i
			case status == http.StatusCreated:
				t.Fatalf("round %d: %s and %s hold the lock", round, clients[holder].name, clients[i].name)
			case status != http.StatusPreconditionFailed:
				t.Fatalf("round %d: %s gets %d", round, clients[i].name, status)
			}
		}
		if holder < 0 {
			t.Fatalf("round %d: nobody holds the lock", round)
		}
		c, other := clients[holder], clients[(holder+1)%len(clients)]
		if status, tag, value := c.request(t, http.MethodGet, lock, ""); status != http.StatusOK || value != c.name || tag != tags[holder] {
			t.Fatalf("round %d: the lock is %q with the tag %s, and %s holds it with %s", round, value, tag, c.name, tags[holder])
		}
		if status, _, _ := other.request(t, http.MethodDelete, lock, "", "If-Match", `"another's"`); status != http.StatusPreconditionFailed {
			t.Fatalf("round %d: the lock is given back by another: %d", round, status)
		}
		if status, _, _ := c.request(t, http.MethodDelete, lock, "", "If-Match", tags[holder]); status != http.StatusNoContent {
			t.Fatalf("round %d: the holder cannot give the lock back: %d", round, status)
		}
	}
}

// request returns the status, the tag and the body of the answer.
func (c *lockClient) request(t *testing.T, method, url, body string, header ...string) (int, string, string) {
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, "", ""
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := c.http.Do(req)
	if err != nil {
		t.Error(err)
		return 0, "", ""
	}
	defer r.Body.Close()
	var text bytes.Buffer
	if _, err := io.Copy(&text, r.Body); err != nil {
		t.Error(err)
	}
	return r.StatusCode, r.Header.Get("Etag"), text.String()
}
