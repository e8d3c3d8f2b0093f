//go:build unix

package main

import (
	"errors"
	"testing"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/internal/redistest"
)

func TestOtherType(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	p := start(t, "redis://"+s.Addr(), nil)
	s.Do("RPUSH", "list", "element")
	_, err := p.get("list")
	if err == nil || errors.Is(err, cache.ErrUnavailable) || !contains(err, "list") || !contains(err, "not a string") {
		t.Errorf("Get of a list: %v", err)
	}
	if got := s.Do("LLEN", "list"); got != int64(1) {
		t.Errorf("the list has %v elements", got)
	}
	if err := p.set("list", "v"); err != nil {
		t.Errorf("Set over a list: %v", err)
	}
	p.want("list", "v")
	s.Do("RPUSH", "other", "element")
	if err := p.seen(p.Delete(t.Context(), "other")); err != nil {
		t.Errorf("Delete of a list: %v", err)
	}
	p.want("other", "-")
}
