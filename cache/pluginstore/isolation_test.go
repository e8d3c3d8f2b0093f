//go:build linux

package pluginstore_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/harpia-go/harpia/cache/pluginstore"
)

// A plugin sees these variables and no others.
func TestEnvironmentIsAllowed(t *testing.T) {
	want := []string{
		// of the host's environment
		"HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ", "USER",
		// asked for in Options.Env
		"WANTED",
		// of Harpia
		"HARPIA_LOG_LEVEL", "HARPIA_STORE_PLUGIN",
		// of go-plugin
		"PLUGIN_CLIENT_CERT", "PLUGIN_MAX_PORT", "PLUGIN_MIN_PORT", "PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_UNIX_SOCKET_DIR",
	}
	l := newLab(t)
	for _, name := range []string{
		"HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "SSL_CERT_DIR", "SSL_CERT_FILE", "TZ", "USER", "WANTED",
		"AWS_SECRET_ACCESS_KEY", "LD_PRELOAD_NOT", "PLUGIN_UNIX_SOCKET_GROUP", "PLUGIN_MULTIPLEX_GRPC", "HARPIA_STORE", "SSH_AUTH_SOCK", "PASSWORD",
	} {
		t.Setenv(name, "hunter2")
	}
	o := l.options()
	o.Env = []string{"WANTED", "NOT_SET"}
	_, err := pluginstore.Open(t.Context(), "env", o)
	if err == nil {
		t.Fatal("it opened")
	}
	var got []string
	for _, m := range regexp.MustCompile(`[\[ ]"([A-Za-z0-9_]+)=`).FindAllStringSubmatch(err.Error(), -1) {
		got = append(got, m[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	t.Logf("a plugin sees: %s", strings.Join(got, " "))
	if !slices.Equal(got, want) {
		t.Errorf("and not: %s", strings.Join(want, " "))
	}
}

// Nobody but the user can enter the directory of the socket or of the copy
// that is run, whatever the umask.
func TestPrivateFiles(t *testing.T) {
	l := newLab(t)
	o := l.trusting(t, "harpia-store-memory", "harpia-store-silent")
	defer syscall.Umask(syscall.Umask(0))
	l.open(t, "plugin:memory", o)
	seen := l.private(t)
	if len(seen["socket"]) != 1 || len(seen["file"]) != 0 {
		t.Errorf("while a plugin runs there are %v", seen)
	}

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := pluginstore.Open(ctx, "silent", o)
		done <- err
	}()
	for seen = l.private(t); len(seen["file"]) == 0; seen = l.private(t) {
		time.Sleep(time.Millisecond)
	}
	if copies := seen["file"]; len(copies) != 1 || filepath.Base(copies[0]) != "harpia-store-silent" {
		t.Errorf("while a plugin starts there are %v", seen)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if left := l.private(t)["file"]; len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// private lists what is in the lab's temporary directory by its kind, and
// checks that others can do nothing with it.
func (l *lab) private(t *testing.T) map[string][]string {
	t.Helper()
	seen := make(map[string][]string)
	err := filepath.WalkDir(l.tmp, func(path string, d fs.DirEntry, err error) error {
		if path == l.tmp || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir() && info.Mode().Perm() != 0o700, d.Type().IsRegular() && info.Mode().Perm() != 0o500:
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		kind := "file"
		if d.IsDir() {
			kind = "directory"
		} else if d.Type()&fs.ModeSocket != 0 {
			kind = "socket"
		}
		seen[kind] = append(seen[kind], path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// Another user cannot list the directories, read the copy of the program or
// connect to the socket. The same attempts succeed on what is open to all.
func TestAnotherUserIsKeptOut(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("HARPIA_REQUIRE_ALL") == "1" {
			t.Fatal("only root can try as another user")
		}
		t.Skip("only root can try as another user")
	}
	l := newLab(t)
	if err := os.Chmod(l.tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	o := l.trusting(t, "harpia-store-memory", "harpia-store-silent")
	l.open(t, "plugin:memory", o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = pluginstore.Open(ctx, "silent", o)
	}()
	defer func() { cancel(); <-done }()
	// Until the copy is where it is run.
	running := func(seen map[string][]string) bool {
		sockets := slices.DeleteFunc(slices.Clone(seen["directory"]), func(dir string) bool { return !strings.HasPrefix(filepath.Base(dir), "plugin-dir") })
		return len(sockets) == 2 && len(seen["file"]) == 1
	}
	seen := l.private(t)
	for ; !running(seen); seen = l.private(t) {
		time.Sleep(time.Millisecond)
	}

	open, err := os.MkdirTemp("/tmp", "open")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(open)
	file, socket := filepath.Join(open, "file"), filepath.Join(open, "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{open: 0o755, file: 0o644, socket: 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}

	attempts := append(append(seen["directory"], seen["file"]...), seen["socket"]...)
	if len(seen["socket"]) == 0 {
		t.Fatalf("there is no socket: %v", seen)
	}
	for _, path := range attempts {
		if got := asNobody(t, path); got != "denied" {
			t.Errorf("another user tried %s: %s", path, got)
		}
	}
	for _, path := range []string{open, file, socket} {
		if got := asNobody(t, path); got != "open" {
			t.Errorf("another user tried %s, which is for all: %s", path, got)
		}
	}
}

// asNobody lets a process of another user try to use the path.
func asNobody(t *testing.T, path string) string {
	t.Helper()
	const nobody = 65534
	// The test binary's own path may be closed to that user.
	cmd := exec.Command("/proc/self/exe", path)
	cmd.Args[0] = "harpia-probe"
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return string(out)
}

// probe says whether the path that it is given can be listed, read or
// connected to.
func probe() {
	answer := "denied"
	for _, try := range []func(path string) error{
		func(path string) error { _, err := os.ReadDir(path); return err },
		func(path string) error { _, err := os.ReadFile(path); return err },
		func(path string) error { _, err := net.Dial("unix", path); return err },
	} {
		err := try(os.Args[1])
		if err == nil {
			answer = "open"
			break
		}
		if !errors.Is(err, fs.ErrPermission) {
			answer = err.Error()
		}
	}
	fmt.Print(answer)
}

// The same user reaches the socket, and still only the host that started the
// plugin can speak to it.
func TestOnlyTheHostIsAnswered(t *testing.T) {
	stranger := certificate(t)
	for name, creds := range map[string]credentials.TransportCredentials{
		"clear text":              insecure.NewCredentials(),
		"TLS":                     credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}),
		"TLS, a certificate":      credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{stranger}}),
		"TLS 1.2, a certificate":  credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{stranger}, MaxVersion: tls.VersionTLS12}),
		"clear text, and no mTLS": insecure.NewCredentials(),
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			o := l.options()
			o.NoTLS = strings.Contains(name, "no mTLS")
			l.open(t, "plugin:memory", o)
			sockets := l.private(t)["socket"]
			if len(sockets) != 1 {
				t.Fatalf("sockets: %v", sockets)
			}
			conn, err := grpc.NewClient("unix:"+sockets[0], grpc.WithTransportCredentials(creds))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			r, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: "plugin"})
			if answered := err == nil; answered != o.NoTLS {
				t.Errorf("answer: %v, %v", r, err)
			}
		})
	}
}

// certificate is one that anybody can make: for localhost, signed by itself.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
