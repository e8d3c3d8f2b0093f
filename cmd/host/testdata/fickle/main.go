// Fickle is a store plugin for tests, with a file for each key. It dies when
// the key "die" is set, and does not start while there is a file "refuse" in
// its directory.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// version is the build's.
var version = "1.0.0"

type store struct{ dir string }

func (*store) Describe() shared.Description {
	return shared.Description{Name: "fickle", Version: version, Exclusive: true, Settings: []shared.Setting{
		{Name: "dir", Required: true, Source: shared.FromTarget, Help: "The directory of the data."},
	}}
}

func (s *store) Configure(_ context.Context, set shared.Settings) error {
	s.dir = set.String("dir")
	if _, err := os.Stat(filepath.Join(s.dir, "refuse")); err == nil {
		return errors.New("it does not feel like it")
	}
	return os.MkdirAll(s.dir, 0o700)
}

func (s *store) file(key string) string {
	return filepath.Join(s.dir, hex.EncodeToString([]byte(key)))
}

func (s *store) Get(_ context.Context, key string) (cache.Entry, bool, error) {
	var e cache.Entry
	text, err := os.ReadFile(s.file(key))
	if errors.Is(err, fs.ErrNotExist) {
		return e, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil || e.Expired(time.Now()) {
		return cache.Entry{}, false, err
	}
	return e, true, nil
}

func (s *store) Set(_ context.Context, key string, e cache.Entry) error {
	if key == "die" {
		println("I die of a key")
		os.Exit(7)
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return os.WriteFile(s.file(key), text, 0o600)
}

func (s *store) Delete(_ context.Context, key string) error {
	err := os.Remove(s.file(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func main() { shared.Serve(&store{}) }
