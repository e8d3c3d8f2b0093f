//go:build linux

package pluginstore_test

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/shared"
)

// durable is a store whose data outlives its process: each write is in a file
// before it is acknowledged.
type durable struct {
	plain bool

	mu   sync.Mutex
	file *os.File
	data map[string]cache.Entry
}

type record struct {
	Key   []byte
	Entry *cache.Entry // nil: the key is empty
}

func (*durable) Describe() shared.Description {
	return shared.Description{Name: "durable", Exclusive: true, Settings: []shared.Setting{
		{Name: "dir", Type: shared.String, Source: shared.FromTarget, Required: true},
		{Name: "plain", Type: shared.Bool, Default: "false", Help: "Three methods only."},
	}}
}

// other is durable, and others may use its data.
type other struct{ durable }

func (o *other) Describe() shared.Description {
	d := o.durable.Describe()
	d.Exclusive = false
	return d
}

func (d *durable) Capabilities() cache.Capability {
	if d.plain {
		return 0
	}
	return cache.CanAdd | cache.CanCount | cache.CanScan
}

func (d *durable) Configure(_ context.Context, s shared.Settings) (err error) {
	d.plain = s.Bool("plain")
	d.data = make(map[string]cache.Entry)
	if d.file, err = os.OpenFile(filepath.Join(s.String("dir"), "log"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	for in := json.NewDecoder(d.file); ; {
		var r record
		if err := in.Decode(&r); err != nil {
			return nil
		}
		d.apply(r)
	}
}

func (d *durable) apply(r record) {
	if r.Entry == nil {
		delete(d.data, string(r.Key))
	} else {
		d.data[string(r.Key)] = *r.Entry
	}
}

func (d *durable) put(key string, e *cache.Entry) error {
	r := record{[]byte(key), e}
	line, err := json.Marshal(r)
	if err == nil {
		_, err = d.file.Write(append(line, '\n'))
	}
	if err == nil {
		d.apply(r)
	}
	return err
}

func (d *durable) live(key string) (cache.Entry, bool) {
	e, ok := d.data[key]
	return e, ok && !e.Expired(time.Now())
}

func (d *durable) Get(_ context.Context, key string) (cache.Entry, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.live(key)
	return e, ok, nil
}

func (d *durable) Set(_ context.Context, key string, e cache.Entry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.put(key, &e)
}

func (d *durable) Delete(_ context.Context, key string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.put(key, nil)
}

func (d *durable) SetIfAbsent(_ context.Context, key string, e cache.Entry) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.live(key); ok {
		return false, nil
	}
	return true, d.put(key, &e)
}

func (d *durable) Increment(_ context.Context, key string, delta int64, expires time.Time) (int64, time.Time, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.live(key)
	if !ok {
		e = cache.Entry{Value: []byte("0"), Expires: expires}
	}
	text, n, err := cache.Add(e.Value, delta)
	if err != nil {
		return 0, time.Time{}, err
	}
	e.Value = text
	return n, e.Expires, d.put(key, &e)
}

func (d *durable) Scan(_ context.Context, prefix string) iter.Seq2[string, error] {
	d.mu.Lock()
	keys := slices.Collect(maps.Keys(d.data))
	d.mu.Unlock()
	return func(yield func(string, error) bool) {
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) && !yield(key, nil) {
				return
			}
		}
	}
}

// states keeps the changes that a store told of.
type states struct {
	mu   sync.Mutex
	seen []string
}

func (s *states) add(st pluginstore.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, st.State.String())
}

func (s *states) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.seen, " ")
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}
