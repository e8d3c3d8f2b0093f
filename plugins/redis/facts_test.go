package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/shared"
)

func TestReleases(t *testing.T) {
	for text, want := range map[string]release{
		"7.0.15": {7, 0}, "6.2.0-rc1": {6, 2}, "255.255.255": {255, 255}, "8.1": {8, 1}, "": {}, "v7": {}, "7": {},
	} {
		if got := parseRelease(text); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
	for r, good := range map[release]bool{
		{}: true, {6, 2}: true, {7, 0}: true, {10, 0}: true,
		{2, 8}: false, {5, 0}: false, {6, 0}: false,
	} {
		err := facts{release: r}.supported()
		if (err == nil) != good {
			t.Errorf("%v: %v", r, err)
		}
		if err != nil && (!errors.Is(err, shared.ErrSetting) || !strings.Contains(err.Error(), "6.2") || !strings.Contains(err.Error(), "PXAT")) {
			t.Errorf("the error does not say what is needed and for what: %v", err)
		}
	}
}
