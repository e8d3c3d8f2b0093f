//go:build linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/redistest"
)

// TestRedisScripts tells stories of the host and real Redis servers: SERVER is
// open to all, at PORT and SOCKET too, LOCKED has the password hunter2, that of
// TLS has a certificate by the authority CA, CLUSTER is one node of three, SILENT
// accepts and never answers, and nobody listens at DOWN.
func TestRedisScripts(t *testing.T) {
	if _, err := exec.LookPath("redis-cli"); err != nil {
		if os.Getenv("HARPIA_REQUIRE_ALL") == "1" {
			t.Fatal(err)
		}
		t.Skip("there is no redis-cli to look at the server with; install it with: apt-get install -y redis-tools")
	}
	certificates := redistest.NewCertificates(t)
	server := redistest.Start(t, redistest.Options{})
	locked := redistest.Start(t, redistest.Options{Password: "hunter2"})
	empty := redistest.Start(t, redistest.Options{})
	cluster := redistest.StartCluster(t, 3, redistest.Options{})
	secure := redistest.Start(t, redistest.Options{TLS: certificates})
	silent := redistest.Start(t, redistest.Options{})
	silent.Pause()
	down := redistest.Start(t, redistest.Options{})
	down.Kill()
	p := scripts(t, "testdata/redis")
	setup := p.Setup
	p.Setup = func(e *testscript.Env) error {
		for name, value := range map[string]string{
			"SERVER": server.Addr(), "PORT": server.Port(), "SOCKET": server.Socket(),
			"LOCKED": locked.Addr(), "LOCKED_PORT": locked.Port(),
			"TLS": secure.Addr(), "CA": certificates.CA,
			"EMPTY": empty.Addr(), "CLUSTER": cluster.Addrs()[0],
			"SILENT": silent.Addr(), "DOWN": down.Addr(),
		} {
			e.Setenv(name, value)
		}
		return setup(e)
	}
	testscript.Run(t, p)
}

// What docs/redis.md lets the plugin's user do is enough, on a server and on a
// cluster.
func TestDocumentedPermissions(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^user (harpia on .*)$`).FindSubmatch(text)
	if line == nil {
		t.Fatal("docs/redis.md has no user")
	}
	user := strings.Replace(string(line[1]), ">PASSWORD", ">hunter2", 1)
	o := redistest.Options{Users: []string{user, "default off"}}
	for name, addr := range map[string]string{
		"server": redistest.Start(t, o).Addr(), "cluster": redistest.StartCluster(t, 3, o).Addrs()[0],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test := exec.Command(filepath.Join(built, "host"), "plugins", "test", "redis://harpia:hunter2@"+addr+"?prefix=cache:")
			if out, err := test.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// An untyped cache and programs in other languages keep JSON under the bare key
// for one another.
func TestUntypedCacheAndOthersShareRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	store, err := pluginstore.Open(t.Context(), "redis://"+server.Addr(), &pluginstore.Options{
		Dirs: []string{built}, Locks: []string{filepath.Join(built, pluginstore.LockFile)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	values, err := cache.New[any](cache.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer values.Close()

	server.Do("SET", "user:1", `{"name": "Alice", "tags": ["a", null], "visits": 3}`)
	want := map[string]any{"name": "Alice", "tags": []any{"a", nil}, "visits": int64(3)}
	if got, ok, err := values.Get(t.Context(), "user:1"); err != nil || !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("what another program wrote is %#v, %v, %v; want %#v", got, ok, err, want)
	}
	if err := values.Set(t.Context(), "user:2", map[string]any{"name": "Bob"}); err != nil {
		t.Fatal(err)
	}
	if got := server.Do("GET", "user:2"); got != `{"name":"Bob"}` {
		t.Errorf("another program reads %q", got)
	}
	server.Do("SET", "user:3", "no JSON")
	if got, _, err := values.Get(t.Context(), "user:3"); !errors.Is(err, cache.ErrDecode) {
		t.Errorf("what is no JSON is %#v, %v", got, err)
	}
}
