// Package pluginstore is a cache.Store on a plugin: a program of its own that
// is found, started, described, configured, used and ended here.
//
//	store, err := pluginstore.Open(ctx, "file:./data", nil)
//	defer store.Close()
//	users, err := cache.New[User](cache.Options{Store: store, Prefix: "user:"})
package pluginstore

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/harpia-go/harpia/internal/memstore"
	"github.com/harpia-go/harpia/shared"
)

// Open opens the store that a URL names (see URL), with o or the defaults.
// The store must be closed, which ends its plugin. If the context ends before
// Open returns, the start is given up.
//
// Errors say what to do, and nothing is left running. They wrap ErrURL,
// ErrNotFound, ErrUntrusted, ErrStart, shared.ErrSetting, what the plugin's own store gave, or
// the error of ctx.
func Open(ctx context.Context, storeURL string, o *Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if o.Reattach != "" {
		return attach(ctx, storeURL, o)
	}
	u, err := ParseURL(storeURL)
	if err != nil {
		return nil, err
	}
	if u.InProcess {
		return openMemory(ctx, u, o)
	}
	prog, err := openProgram(u, o)
	if err != nil {
		return nil, err
	}
	s := newStore(u, o)
	s.program.Store(prog)
	p, err := s.launch(ctx)
	switch {
	case err == nil:
		if err = s.openSpool(p); err == nil {
			err = s.serve(ctx, p)
		}
		if err != nil {
			p.abort()
			p = nil
		}
		if err != nil && (ctx.Err() != nil || s.fallback() != FallbackMemory || s.route.Load() == nil) {
			_ = s.spool.close()
			_ = prog.Close()
			return nil, err
		}
	case o.Fallback == FallbackMemory && mayRecover(ctx, err):
		s.route.Store(&route{bridge: s.newBridge(), err: err, next: make(chan struct{})})
	}
	if s.route.Load() == nil {
		_ = prog.Close()
		return nil, err
	}
	s.supervise(context.WithoutCancel(ctx), p, err)
	return s, nil
}

// Describe starts the plugin that the URL names, asks it what it is and ends
// it. Its store is not opened. Errors are those of Open.
func Describe(ctx context.Context, storeURL string, o *Options) (shared.Info, error) {
	u, err := ParseURL(storeURL)
	if err != nil {
		return shared.Info{}, err
	}
	if o, err = o.withDefaults(); err != nil {
		return shared.Info{}, err
	}
	if u.InProcess {
		return shared.Describe(&memstore.Store{}), nil
	}
	prog, err := openProgram(u, o)
	if err != nil {
		return shared.Info{}, err
	}
	defer prog.Close()
	in, err := begin(ctx, prog, o)
	if err != nil {
		return shared.Info{}, err
	}
	defer in.abort()
	return in.client.Info(), nil
}

// openMemory opens the store in this process.
func openMemory(ctx context.Context, u URL, o *Options) (*Store, error) {
	m := &memstore.Store{}
	info := shared.Describe(m)
	given, err := settings(u, o, info)
	if err != nil {
		return nil, err
	}
	checked, err := shared.CheckSettings(info.Settings, given)
	if err == nil {
		err = m.Configure(ctx, checked)
	}
	if err != nil {
		return nil, fmt.Errorf("pluginstore: memory: %w (see: host plugins describe memory)", err)
	}
	s := newStore(u, o)
	s.board.status = Status{State: Ready, Since: time.Now()}
	return s, s.serve(ctx, &inProcess{Store: m, described: shared.Describe(m)})
}

// settings gathers what the URL and the options give the plugin: the target
// and the whole URL go to the settings that the plugin has declared for them.
func settings(u URL, o *Options, info shared.Info) ([]shared.SettingValue, error) {
	var given []shared.SettingValue
	taken := u.Target == ""
	for _, s := range info.Settings {
		switch {
		case s.Source == shared.FromTarget && u.Target != "":
			given = append(given, shared.SettingValue{Name: s.Name, Value: u.Target})
			taken = true
		case s.Source == shared.FromURL && u.Target != "":
			given = append(given, shared.SettingValue{Name: s.Name, Value: u.Whole})
			taken = true
		}
	}
	if !taken {
		return nil, fmt.Errorf("%w: %s takes nothing after the colon; settings follow a \"?\"", ErrURL, info.Name)
	}
	for _, values := range []url.Values{u.Settings, o.Settings} {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			for _, value := range values[name] {
				given = append(given, shared.SettingValue{Name: name, Value: value})
			}
		}
	}
	return given, nil
}
