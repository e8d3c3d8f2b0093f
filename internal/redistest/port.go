//go:build unix

package redistest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// busOffset is the distance between a cluster node's port and the one at which
// other nodes reach it.
const busOffset = 10_000

// freePort returns a port that nobody listens on, and whose bus is free. It is
// below those that the system gives to clients: while a server is down, its port
// must not become somebody's, nor a client connect to itself.
func freePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := busOffset + rand.IntN(busOffset)
		if free(port) && free(port+busOffset) {
			return port
		}
	}
	t.Fatal("redistest: there is no free port")
	return 0
}

func free(port int) bool {
	l, err := net.Listen("tcp", loopback(port))
	if err == nil {
		_ = l.Close()
	}
	return err == nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
