//go:build linux

package pluginstore_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/memstore"
	"github.com/harpia-go/harpia/shared"
)

// telltale is a store that quotes what it was given wherever it can.
type telltale struct {
	memstore.Store
	given string
}

func (*telltale) Describe() shared.Description {
	return shared.Description{Name: "telltale", Settings: []shared.Setting{
		{Name: "url", Source: shared.FromURL, Secret: true, Help: "Where."},
		{Name: "password", Secret: true, Help: "Another."},
		{Name: "user", Help: "No secret."},
		{Name: "fail", Type: shared.Bool, Help: "Refuse to open."},
	}}
}

func (p *telltale) Configure(ctx context.Context, s shared.Settings) error {
	p.given = fmt.Sprintf("%s as %s with %s", s.String("url"), s.String("user"), s.String("password"))
	slog.Warn("logged "+p.given, "fields", map[string]any{"list": []any{p.given}})
	fmt.Fprintln(os.Stderr, "written "+p.given)
	fmt.Println("printed " + p.given)
	if s.Bool("fail") {
		return fmt.Errorf("%w: refused %s", shared.ErrSetting, p.given)
	}
	none, err := shared.CheckSettings(p.Store.Describe().Settings, nil)
	if err != nil {
		return err
	}
	return p.Store.Configure(ctx, none)
}

// Get gives its key as the error, or ends the process.
func (p *telltale) Get(_ context.Context, key string) (cache.Entry, bool, error) {
	if key == "die" {
		slog.Error("died", "of", p.given)
		os.Exit(3)
	}
	return cache.Entry{}, false, fmt.Errorf("%w: %s", cache.ErrNotCounter, key)
}

func (p *telltale) Scan(context.Context, string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) { yield("", errors.New("no scan of "+p.given)) }
}

func (p *telltale) Flush(context.Context) error { return errors.New("no flush of " + p.given) }

const (
	inURL   = `hun/ter@2 "ü`
	inURLAs = `hun%2fter@2%20%22%c3%bc`
	apart   = "open sesame?"
)

// tells fails if text has one of the secrets, or none of want.
func tells(t *testing.T, text, want string) {
	t.Helper()
	for _, secret := range []string{
		inURL, inURLAs, url.PathEscape(inURL), url.QueryEscape(inURL), fmt.Sprintf("%q", inURL), "sesame", "hun", "ter@",
	} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is shown in %s", secret, text)
		}
	}
	if !strings.Contains(text, want) {
		t.Errorf("there is no %q in %s", want, text)
	}
}

// Whatever a plugin quotes of its secrets, the host does not repeat.
func TestSecretsAreNotShown(t *testing.T) {
	l := newLab(t)
	o := l.options()
	o.Settings = url.Values{"password": {apart}, "user": {"alice"}}
	const storeURL = "telltale://alice:" + inURLAs + "@h/0"
	if _, err := pluginstore.Open(t.Context(), storeURL+"?fail=true", o); err == nil {
		t.Error("it opened")
	} else {
		tells(t, err.Error(), "refused telltale://alice:…@h/0 as alice with …")
		if !errors.Is(err, shared.ErrSetting) {
			t.Errorf("%v is not known for what it is", err)
		}
	}
	o.Fallback = pluginstore.FallbackNone
	s, err := pluginstore.Open(t.Context(), storeURL, quick(o))
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{inURL, inURLAs, url.PathEscape(inURL), url.QueryEscape(inURL), fmt.Sprintf("%q", inURL), apart} {
		_, _, err := s.Get(t.Context(), "before "+said+" after")
		if !errors.Is(err, cache.ErrNotCounter) {
			t.Errorf("%v is not known for what it is", err)
		}
		tells(t, fmt.Sprint(err), "before ")
		tells(t, fmt.Sprint(err), " after")
	}
	for _, err := range s.Scan(t.Context(), "") {
		tells(t, fmt.Sprint(err), "no scan of telltale://alice:…@h/0")
	}
	tells(t, fmt.Sprint(s.Flush(t.Context())), "no flush of")
	_, _, err = s.Get(t.Context(), "die")
	tells(t, fmt.Sprint(err), "of=telltale://alice:…@h/0 as alice with …")
	until(t, "another process serves", func() bool { return s.Status().Generation > 1 && s.Status().State == pluginstore.Ready })
	tells(t, fmt.Sprint(s.Status().Err), "exit status 3")
	tells(t, fmt.Sprint(s.Close()), "could not flush: no flush of")
	for _, how := range []string{"logged", "written", "printed", "list:[telltale://alice:…@h/0 as alice with …]"} {
		tells(t, l.log.String(), how)
	}
}

// A short secret would be part of other words, and where there is none nothing
// is hidden.
func TestWhatIsNoSecretIsShown(t *testing.T) {
	l := newLab(t)
	o := l.options()
	o.Settings = url.Values{"password": {"abc"}, "user": {"alice"}}
	s, err := pluginstore.Open(t.Context(), "telltale://alice@h", o)
	if err != nil {
		t.Fatal(err)
	}
	const said = "alice knows the abc"
	if _, _, err := s.Get(t.Context(), said); err == nil || !strings.Contains(err.Error(), said) {
		t.Error(err)
	}
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "telltale://alice@h as alice with abc") {
		t.Error(err)
	}
}
