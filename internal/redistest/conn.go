//go:build unix

package redistest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"time"
)

// Conn is a connection to a server, of an administrator: it needs no password,
// and goes neither over TCP nor through TLS. It speaks RESP2.
type Conn struct {
	conn net.Conn
	r    reader
}

// Connect returns a connection, which the caller closes.
func (s *Server) Connect() (*Conn, error) {
	conn, err := net.Dial("unix", s.Socket())
	if err != nil {
		return nil, err
	}
	c := &Conn{conn: conn, r: reader{r: bufio.NewReader(conn)}}
	if _, err := c.Do("AUTH", admin, s.options.admin); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

// Do sends a command and returns its answer: a string, an int64, nil, or a
// []any of these, and of Error where it is one of many. An answer that is an
// error is an Error.
func (c *Conn) Do(words ...string) (any, error) {
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	if _, err := c.conn.Write(encode(words)); err != nil {
		return nil, err
	}
	c.r.raw.Reset()
	value, _, err := c.r.read()
	if err != nil {
		return nil, fmt.Errorf("redistest: %s: %w", words[0], err)
	}
	if refused, ok := value.(Error); ok {
		return nil, refused
	}
	return value, nil
}

// Close closes the connection.
func (c *Conn) Close() { _ = c.conn.Close() }

// Try does one command, on a connection of its own.
func (s *Server) Try(words ...string) (any, error) {
	c, err := s.Connect()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Do(words...)
}

// Do is Try, and ends the test at an error.
func (s *Server) Do(words ...string) any {
	s.t.Helper()
	value, err := s.Try(words...)
	if err != nil {
		s.t.Fatalf("redistest: %s: %v", words[0], err)
	}
	return value
}

// Info returns a field of INFO, or "".
func (s *Server) Info(field string) (string, error) {
	text, err := s.Try("INFO", "everything")
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut("\n"+text.(string), "\n"+field+":")
	value, _, _ := strings.Cut(rest, "\r")
	return value, nil
}
