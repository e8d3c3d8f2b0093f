package main

import (
	"context"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// configure opens s in dir with settings given as name, value, ….
func configure(s *Store, dir string, settings ...string) error {
	given := []shared.SettingValue{{Name: "dir", Value: dir}}
	for i := 0; i < len(settings); i += 2 {
		given = append(given, shared.SettingValue{Name: settings[i], Value: settings[i+1]})
	}
	set, err := shared.CheckSettings(s.Describe().Settings, given)
	if err != nil {
		return err
	}
	return s.Configure(context.Background(), set)
}

func TestSmoke(t *testing.T) {
	dir := t.TempDir()
	s := &Store{}
	t0 := time.Now()
	if err := configure(s, dir); err != nil {
		t.Fatal(err)
	}
	t.Log("create", time.Since(t0))
	t0 = time.Now()
	if err := s.Set(t.Context(), "k", cache.Entry{Value: []byte("v"), Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	t.Log("set", time.Since(t0))
	for range 3 {
		t0 = time.Now()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		t.Log("close", time.Since(t0))
		s = &Store{}
		t0 = time.Now()
		if err := configure(s, dir); err != nil {
			t.Fatal(err)
		}
		t.Log("open", time.Since(t0))
		t.Log(s.Get(t.Context(), "k"))
	}
	s.Close()
}
