package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Raw is the limit: two Go processes that hand each other framed bytes over a
// Unix socket and do nothing with them. A frame is a length of four bytes and
// so many more. The first byte of a request says how long an answer it wants:
// the long one, as to a Get, or an empty one, as to a Set.

const (
	rawServerRole = "raw-server"
	rawGet        = 0
	rawSet        = 1
	rawKey        = 8 // about as long as the keys of the others
)

// serveRaw answers on the socket until stdin ends. Its first request on a
// connection tells the length of long answers.
func serveRaw(socket string, stdin io.Reader) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerRaw(conn)
		}
	}()
	_, _ = io.Copy(io.Discard, stdin)
	return l.Close()
}

// answerRaw reads what is there, answers all of it, and writes once.
func answerRaw(conn net.Conn) {
	defer conn.Close()
	var head [8]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return
	}
	long := make([]byte, 4+binary.LittleEndian.Uint64(head[:]))
	binary.LittleEndian.PutUint32(long, uint32(len(long)-4))
	in, out := bufio.NewReaderSize(conn, 64<<10), bufio.NewWriterSize(conn, 64<<10)
	for {
		kind, err := readRaw(in)
		if err != nil {
			return
		}
		answer := long
		if kind == rawSet {
			answer = []byte{0, 0, 0, 0}
		}
		if _, err := out.Write(answer); err != nil {
			return
		}
		if in.Buffered() < 4 {
			if err := out.Flush(); err != nil {
				return
			}
		}
	}
}

// readRaw reads a frame and returns its first byte.
func readRaw(in *bufio.Reader) (kind byte, err error) {
	head, err := in.Peek(4)
	if err != nil {
		return 0, err
	}
	n := int(binary.LittleEndian.Uint32(head))
	if n > 0 {
		if head, err = in.Peek(5); err != nil {
			return 0, err
		}
		kind = head[4]
	}
	_, err = in.Discard(4 + n)
	return kind, err
}

// rawPeer is the other process.
type rawPeer struct {
	socket   string
	get, set []byte // requests
	answer   int    // length of a Get's
}

func (s *site) openRaw(value int) (*rawPeer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := s.newDir("raw")
	if err != nil {
		return nil, err
	}
	p := &rawPeer{socket: filepath.Join(dir, "s"), answer: value,
		get: rawRequest(rawGet, rawKey), set: rawRequest(rawSet, rawKey+value)}
	cmd := exec.Command(self, rawServerRole, p.socket)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.atEnd(func() error { return errors.Join(stdin.Close(), cmd.Wait()) })
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	for {
		conn, err := net.Dial("unix", p.socket)
		if err == nil {
			return p, conn.Close()
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func rawRequest(kind byte, n int) []byte {
	frame := make([]byte, 5+n)
	binary.LittleEndian.PutUint32(frame, uint32(n+1))
	frame[4] = kind
	return frame
}

func (p *rawPeer) dial() (net.Conn, error) {
	conn, err := net.Dial("unix", p.socket)
	if err != nil {
		return nil, err
	}
	var head [8]byte
	binary.LittleEndian.PutUint64(head[:], uint64(p.answer))
	_, err = conn.Write(head[:])
	return conn, err
}
