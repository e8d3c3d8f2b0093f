//go:build linux

package main

import (
	"crypto/rand"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/harpia-go/harpia/shared/storepb"
)

// The ways to spoil an answer. All can be seen to be wrong; a plugin that
// answers with another value than was written cannot be found out.
const (
	garbageCount   = "count"   // too many answers of a batch
	garbageNone    = "none"    // no answer of a batch
	garbageExpired = "expired" // an entry that has expired
	garbageCode    = "code"    // a status that is none
	garbageError   = "error"   // an error where there is none
	garbageHuge    = "huge"    // more than the store's own limit
)

// spoil returns what is sent in place of an answer.
func spoil(how string, resp any, err error) (any, error) {
	if err != nil {
		return resp, err
	}
	invented := &storepb.GetResponse{Entry: &storepb.Entry{Value: []byte("invented by the plugin")}}
	switch r := resp.(type) {
	case *storepb.GetManyResponse:
		switch how {
		case garbageCount:
			r.Results = append(r.Results, invented)
		case garbageNone:
			r.Results = nil
		case garbageExpired:
			invented.Entry.ExpiresUnixMs = time.Now().Add(-time.Second).UnixMilli()
			for i := range r.Results {
				r.Results[i] = invented
			}
		}
	case *storepb.GetResponse:
		switch how {
		case garbageExpired:
			invented.Entry.ExpiresUnixMs = time.Now().Add(-time.Second).UnixMilli()
			resp = invented
		case garbageHuge:
			invented.Entry.Value = make([]byte, 80<<20)
			resp = invented
		}
	}
	switch how {
	case garbageCode:
		return nil, status.Error(codes.Code(4711), "spoilt")
	case garbageError:
		return nil, status.Error(codes.Internal, "spoilt")
	}
	return resp, nil
}

// breakConnections shuts every connection of this process but the one that
// orders come by, or sends noise on it. Listening sockets stay.
func breakConnections(except net.Conn, noise bool) string {
	keep := -1
	if raw, err := except.(*net.UnixConn).SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { keep = int(fd) })
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err.Error()
	}
	for _, f := range open {
		fd, err := strconv.Atoi(f.Name())
		if err != nil || fd == keep {
			continue
		}
		if listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listens != 0 {
			continue // no socket, or not a connection
		}
		if noise {
			var text [4 << 10]byte
			_, _ = rand.Read(text[:])
			_, _ = syscall.Write(fd, text[:])
		} else {
			_ = unix.Shutdown(fd, unix.SHUT_RDWR)
		}
	}
	return "done"
}
