//go:build linux

package shared

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared/storepb"
)

// offer has a lane offered to the process host, and returns how.
func offer(t *testing.T, host int) *storepb.Lane {
	t.Helper()
	// A directory that others can enter: what is tested is the rest.
	dir, err := os.MkdirTemp("/tmp", "lane")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := newServer(memory(t))
	s.configured.Store(ready)
	o, err := offerLane(dir, host, s, &guard{log: newLogger(t.Output(), 0)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range o.token { // so that it fits an environment
		o.token[i] = 'a' + o.token[i]%26
	}
	if err := os.Chmod(o.listener.Addr().String(), 0o777); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { o.serve(ctx) })
	t.Cleanup(func() { cancel(); serving.Wait() })
	return o.toWire()
}

func ask(t *testing.T, o *storepb.Lane, as *syscall.Credential) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = []string{stranger + "=" + o.GetSocket() + " " + string(o.GetToken())}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// Only the process that started the plugin is answered, whoever knows the
// token.
func TestLaneIsForTheHost(t *testing.T) {
	if got := ask(t, offer(t, os.Getpid()), nil); strings.Contains(got, laneMagic) {
		t.Errorf("another process of this user: %s", got)
	}
	if os.Geteuid() == 0 {
		if got := ask(t, offer(t, os.Getpid()), &syscall.Credential{Uid: 65534, Gid: 65534}); strings.Contains(got, laneMagic) {
			t.Errorf("another user: %s", got)
		}
	} else if os.Getenv("HARPIA_REQUIRE_ALL") == "1" {
		t.Error("only root can try as another user")
	}
	// The same attempt succeeds for who is expected: the check is what refuses.
	mine := offer(t, os.Getpid())
	conn, err := dialLane(mine, forSmall, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

// The token opens each of the two connections once.
func TestLaneTokenIsUsedOnce(t *testing.T) {
	o := offer(t, os.Getpid())
	wrong := &storepb.Lane{Socket: o.GetSocket(), Token: []byte(strings.Repeat("x", laneToken))}
	if _, err := dialLane(wrong, forSmall, os.Getpid()); err == nil {
		t.Error("a wrong token is taken")
	}
	if _, err := dialLane(o, laneConns, os.Getpid()); err == nil {
		t.Error("there is a third connection")
	}
	for which := range laneConns {
		conn, err := dialLane(o, which, os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := dialLane(o, which, os.Getpid()); err == nil {
			t.Error("the token is taken twice")
		}
	}
	if _, err := os.Stat(o.GetSocket()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

// A host says nothing to a socket that is not its plugin's, and calls go over
// gRPC then.
func TestHostAsksWhoListens(t *testing.T) {
	s := newServer(memory(t))
	o := offer(t, os.Getpid())
	c := NewClient(dial(t, describes{s, o}))
	if _, err := c.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Configure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := c.OpenLane(os.Getpid() + 1); err == nil || c.lanes != nil {
		t.Errorf("another process is spoken to: %v", err)
	}
	if err := c.Set(t.Context(), "k", cache.Entry{Value: []byte("v")}); err != nil {
		t.Error(err)
	}
	if err := c.OpenLane(os.Getpid()); err != nil || c.lanes == nil {
		t.Errorf("the plugin is not spoken to: %v", err)
	}
	c.Close()
}

// describes is a server that offers a lane.
type describes struct {
	*server
	offer *storepb.Lane
}

func (d describes) Describe(ctx context.Context, r *storepb.DescribeRequest) (*storepb.DescribeResponse, error) {
	answer, err := d.server.Describe(ctx, r)
	if err == nil {
		answer.Lane = d.offer
	}
	return answer, err
}
