package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"time"
)

// watched runs a program that ends when standard input does, however this
// process ends: redis-server itself would stay.
const watched = `"$@" >&2 & server=$!; read -r _; kill $server; wait $server`

// redisServer starts a redis-server of the bench's own, on a Unix socket and
// no port, and returns the socket. Its data is in a temporary directory.
func (s *site) redisServer(settings ...string) (socket string, err error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return "", errors.New("there is no redis-server to compare with; install it with: apt-get install -y redis-server (or: brew install redis)")
	}
	dir, err := s.newDir("redis")
	if err != nil {
		return "", err
	}
	socket = filepath.Join(dir, "s")
	args := []string{"-c", watched, "sh", program, "--port", "0", "--unixsocket", socket, "--dir", dir, "--daemonize", "no", "--save", ""}
	cmd := exec.Command("sh", append(args, settings...)...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	s.atEnd(func() error { _ = stdin.Close(); <-exited; return nil })
	if err := answersRedis(s.ctx, socket); err != nil {
		_ = stdin.Close()
		<-exited
		return "", fmt.Errorf("redis-server did not start: %w\n%s", err, &log)
	}
	return socket, nil
}

// answersRedis waits until the server answers a PING.
func answersRedis(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		err := pingRedis(socket)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func pingRedis(socket string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 16)
	n, err := conn.Read(answer)
	if err == nil && !bytes.HasPrefix(answer[:n], []byte("+PONG")) {
		err = fmt.Errorf("it answers PING with %q", answer[:n])
	}
	return err
}
