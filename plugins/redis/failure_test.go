package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared"
)

// What a server answers has the right sentinel, and says what to do.
func TestWhatServersAnswer(t *testing.T) {
	for text, want := range map[string]string{
		"LOADING Redis is loading the dataset in memory":                                        "is loading its data",
		"READONLY You can't write against a read only replica.":                                 "is a replica and takes no writes",
		"READONLY You can't write against a read only replica. script: 12, on @user_script:3.":  "is a replica and takes no writes",
		"ERR Error running script (call to f_12): @user_script:3: -READONLY You can't":          "is a replica and takes no writes",
		"ERR Error running script (call to f_12): @user_script: 3: OOM command not allowed":     "memory is full",
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.":      "has lost its primary",
		"CLUSTERDOWN Hash slot not served":                                                      "does not serve all slots",
		"TRYAGAIN Multiple keys request during rehashing of slot":                               "try again",
		"OOM command not allowed when used memory > 'maxmemory'.":                               "memory is full",
		"MISCONF Redis is configured to save RDB snapshots":                                     "cannot save them",
		"NOAUTH Authentication required.":                                                       "set password_file",
		"WRONGPASS invalid username-password pair or user is disabled.":                         "refuses the user or the password",
		"NOPERM this user has no permissions to run the 'scan' command":                         "access control list",
		"NOPERM No permissions to access a key":                                                 "access control list",
		"ERR max number of clients reached":                                                     "raise its maxclients",
		"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE": "SCRIPT KILL",
	} {
		err := unavailable(t.Context(), time.Second, answered(t, text))
		if !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nbecomes %v", text, err)
		}
	}
	err := unavailable(t.Context(), time.Second, answered(t, "ERR something else"))
	if errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "something else") {
		t.Errorf("an error that means nothing becomes %v", err)
	}
}

// A server repeats what it does not understand, secrets included.
func TestNoSecretIsRepeated(t *testing.T) {
	for _, text := range []string{
		"ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 'hunter2' ",
		"ERR unknown command `AUTH`, with args beginning with: `hunter2`, ",
	} {
		for _, err := range []error{
			unavailable(t.Context(), time.Second, answered(t, text)),
			unavailable(t.Context(), time.Second, fmt.Errorf("while connecting: %s", text)),
		} {
			if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "unknown command") {
				t.Errorf("the error is %v", err)
			}
		}
	}
}

func TestNoAnswer(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	for want, cause := range map[string]error{
		"nobody listens on 127.0.0.1:1":   &net.OpError{Op: "dial", Addr: addr, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		"did not answer within 1s":        os.ErrDeadlineExceeded,
		"did not answer within 1s: see":   context.DeadlineExceeded,
		"the connection to the server br": io.EOF,
		"the connection to the server b":  &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)},
		"the connection to the server":    rueidis.ErrClosing,
		"begin the URL with rediss://":    errors.New("received unknown message type: 21"),
	} {
		err := unavailable(t.Context(), time.Second, cause)
		if !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v becomes %v", cause, err)
		}
	}
	// The caller's own end is told as it is.
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := unavailable(ended, time.Second, io.EOF); err != context.Canceled {
		t.Errorf("the error is %v", err)
	}
}

// Only what other settings mend stops a plugin from starting.
func TestMisconfigured(t *testing.T) {
	for text, setting := range map[string]bool{
		"WRONGPASS invalid username-password pair or user is disabled.":                         true,
		"NOAUTH HELLO must be called with the client already authenticated":                     true,
		"NOPERM this user has no permissions to run the 'select' command":                       true,
		"ERR DB index is out of range":                                                          true,
		"ERR SELECT is not allowed in cluster mode":                                             true,
		"ERR AUTH <password> called without any password configured for the default user.":      true,
		"LOADING Redis is loading the dataset in memory":                                        false,
		"ERR max number of clients reached":                                                     false,
		"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE": false,
	} {
		err := misconfigured(time.Second, answered(t, text))
		if errors.Is(err, shared.ErrSetting) != setting || (err == nil) == setting {
			t.Errorf("%s\nbecomes %v", text, err)
		}
	}
	if err := misconfigured(time.Second, io.EOF); err != nil {
		t.Errorf("a connection that broke becomes %v", err)
	}
	if err := misconfigured(time.Second, wrongSetting("tls_ca: gone")); !errors.Is(err, shared.ErrSetting) {
		t.Errorf("a wrong setting becomes %v", err)
	}
}
