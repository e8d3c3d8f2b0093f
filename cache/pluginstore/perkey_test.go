//go:build linux

package pluginstore_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/proctest"
	"github.com/harpia-go/harpia/shared"
	"github.com/harpia-go/harpia/shared/storepb"
)

// perKey is a store with a file for each key, which several processes may use
// at once. A process that begins while the one before it runs leaves a note.
type perKey struct {
	common bool
	dir    string
}

func (p *perKey) Describe() shared.Description {
	name := "own"
	if p.common {
		name = "common"
	}
	return shared.Description{Name: name, Exclusive: !p.common, Settings: []shared.Setting{
		{Name: "dir", Type: shared.String, Source: shared.FromTarget, Required: true},
	}}
}

func (p *perKey) Configure(_ context.Context, s shared.Settings) error {
	p.dir = s.String("dir")
	last := filepath.Join(p.dir, "pid")
	if text, err := os.ReadFile(last); err == nil {
		if pid, err := strconv.Atoi(string(text)); err == nil && syscall.Kill(pid, 0) == nil {
			note := filepath.Join(p.dir, fmt.Sprint("met-", os.Getpid()))
			if err := os.WriteFile(note, text, 0o600); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(last, []byte(strconv.Itoa(os.Getpid())), 0o600)
}

// brisk leaves out the certificates, which under the race detector take most
// of the time that a start takes.
func (l *lab) brisk() *pluginstore.Options {
	o := l.options()
	o.NoTLS = true
	return o
}

// met returns the processes that began while the one before them ran.
func met(t *testing.T, dir string) []string {
	t.Helper()
	notes, err := filepath.Glob(filepath.Join(dir, "met-*"))
	if err != nil {
		t.Fatal(err)
	}
	return notes
}

func (p *perKey) file(key string) string {
	return filepath.Join(p.dir, "key-"+hex.EncodeToString([]byte(key)))
}

func (p *perKey) Get(_ context.Context, key string) (cache.Entry, bool, error) {
	text, err := os.ReadFile(p.file(key))
	if errors.Is(err, fs.ErrNotExist) {
		return cache.Entry{}, false, nil
	}
	return cache.Entry{Value: text}, err == nil, err
}

func (p *perKey) Set(_ context.Context, key string, e cache.Entry) error {
	f, err := os.CreateTemp(p.dir, "new-")
	if err != nil {
		return err
	}
	_, err = f.Write(e.Value)
	return errors.Join(err, f.Close(), os.Rename(f.Name(), p.file(key)))
}

func (p *perKey) Delete(_ context.Context, key string) error {
	if err := os.Remove(p.file(key)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// unhealthy is a plugin that can be started and configured like any other, and
// whose health is not SERVING, or which dies when it is asked.
type unhealthy struct {
	storepb.UnimplementedStoreServer
	name   string
	common bool
	dies   bool
}

func (u *unhealthy) Describe(context.Context, *storepb.DescribeRequest) (*storepb.DescribeResponse, error) {
	return &storepb.DescribeResponse{
		Name: u.name, Version: "1", Exclusive: !u.common,
		Settings: []*storepb.Setting{{Name: "dir", Source: storepb.SettingSource_SETTING_SOURCE_TARGET}},
	}, nil
}

func (*unhealthy) Configure(context.Context, *storepb.ConfigureRequest) (*storepb.ConfigureResponse, error) {
	return &storepb.ConfigureResponse{}, nil
}

func (u *unhealthy) serve() {
	health := func(ctx context.Context, req any, call *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		switch {
		case call.FullMethod != healthpb.Health_Check_FullMethodName:
			return next(ctx, req)
		case u.dies:
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_NOT_SERVING}, nil
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  shared.Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{shared.ProtocolVersion: shared.Plugins(u)},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.UnaryInterceptor(health))...)
		},
	})
}

// unwilling is a store that does not open.
type unwilling struct{ perKey }

func (*unwilling) Configure(context.Context, shared.Settings) error { return errors.New("not today") }

func digest(program []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(program)) }

// running reports whether a process of the program runs.
func running(t *testing.T, program string) bool {
	t.Helper()
	pids, err := proctest.Find(func(line string) bool { return strings.HasPrefix(line, program) })
	if err != nil {
		t.Fatal(err)
	}
	return len(pids) > 0
}
