package shared

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// stranger is what the test binary becomes: another process, which shows the
// token at the socket and prints what it is answered.
const stranger = "LANE_STRANGER"

func runStranger() {
	socket, token, _ := strings.Cut(os.Getenv(stranger), " ")
	conn, err := net.Dial("unix", socket)
	if err != nil {
		fmt.Print(err)
		return
	}
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(conn, laneMagic+"\x00"+token)
	answer, err := io.ReadAll(io.LimitReader(conn, 4))
	fmt.Printf("answer %q, %v", answer, err)
}
