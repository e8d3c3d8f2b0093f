package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
)

const childRole = "REDISTEST_CHILD"

// No server outlives a test that was killed.
func TestServersEndWithAKilledTest(t *testing.T) {
	if os.Getenv(childRole) != "" {
		fmt.Println(Start(t, Options{}).Socket())
		select {}
	}
	program(t)
	child := exec.Command(os.Args[0], "-test.run=^TestServersEndWithAKilledTest$")
	child.Env = append(os.Environ(), childRole+"=1", "TMPDIR="+t.TempDir())
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line := bufio.NewScanner(out)
	if !line.Scan() {
		t.Fatalf("the child says nothing: %v, %v", line.Err(), child.Wait())
	}
	connects := func() bool {
		conn, err := net.Dial("unix", line.Text())
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}
	if !connects() {
		t.Errorf("there is no server at %q", line.Text())
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	Until(t, "the server has ended", func() error {
		if connects() {
			return errors.New("it serves")
		}
		return nil
	})
}
