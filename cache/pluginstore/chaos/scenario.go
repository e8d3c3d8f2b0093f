//go:build linux

package main

import (
	"net/url"
	"path/filepath"
	"time"

	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/shared"
)

// scenario is a store to be disturbed, and what may be asked of it.
type scenario struct {
	name  string
	store string // as the flag -store has it
	// url and settings open the store, whose data is in dir.
	url      func(dir string) string
	settings url.Values
	journal  pluginstore.JournalLimits
	// bridged: memory serves while the plugin does not, so that no call fails.
	bridged bool
	// durable: what was acknowledged must be there at the end.
	durable bool
	// ordered: the plugin misbehaves on command.
	ordered bool
}

func scenarios() []scenario {
	chaosFile := func(dir string) string { return "chaos:" + filepath.Join(dir, "log") }
	fileDir := func(dir string) string { return "file:" + filepath.Join(dir, "data") }
	small := pluginstore.JournalLimits{Entries: 12, Bytes: 4 << 10}
	return []scenario{
		{name: "memory", store: "memory", bridged: true,
			url: func(string) string { return "plugin:memory" }},
		{name: "file", store: "file", bridged: true, durable: true,
			url: fileDir},
		{name: "chaos", store: "chaos", bridged: true, durable: true, ordered: true,
			url: chaosFile},
		{name: "file with a small journal", store: "file", bridged: true, journal: small,
			url: fileDir},
		{name: "shared chaos", store: "chaos", durable: true, ordered: true,
			url: chaosFile, settings: url.Values{settingShared: {"true"}}},
		{name: "volatile chaos", store: "chaos", bridged: true, ordered: true,
			url: func(string) string { return "plugin:chaos" }},
	}
}

// everyStore selects all scenarios.
const everyStore = "all"

// selectScenarios returns those of a store.
func selectScenarios(store string) []scenario {
	var chosen []scenario
	for _, s := range scenarios() {
		if store == everyStore || store == s.store {
			chosen = append(chosen, s)
		}
	}
	return chosen
}

// patience is how long a caller waits for an answer.
func (s scenario) patience() time.Duration {
	if s.bridged {
		return 30 * time.Second
	}
	return 3 * time.Second
}

// options are how the store is opened: so that a plugin may die as often as it
// likes and is back soon.
func (s scenario) options(place *place, onChange func(pluginstore.Status)) *pluginstore.Options {
	settings := url.Values{}
	for name, values := range s.settings {
		settings[name] = values
	}
	if s.ordered {
		settings.Set(settingControl, place.socket)
	}
	return &pluginstore.Options{
		Dirs:         []string{place.plugins},
		Settings:     settings,
		Logger:       place.log,
		Env:          []string{markVariable},
		StartTimeout: 3 * time.Second,
		// A call that hangs for ever costs its process, within the cycle.
		Hang: 3 * time.Second,
		// Every other store, and the next time the others.
		NoLane:   (place.number+place.number/len(scenarios()))%2 == 1,
		Restart:  pluginstore.Restart{MinDelay: 10 * time.Millisecond, MaxDelay: 40 * time.Millisecond, Failures: 1 << 30},
		Journal:  s.journal,
		OnChange: onChange,
		Insecure: []string{
			filepath.Join(place.plugins, shared.BinaryPrefix+"memory"),
			filepath.Join(place.plugins, shared.BinaryPrefix+"file"),
			filepath.Join(place.plugins, shared.BinaryPrefix+"chaos"),
		},
	}
}
