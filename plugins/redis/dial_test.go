package main

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// connected returns both ends of a connection, and how often it was closed.
func connected(t *testing.T) (ours *conn, theirs net.Conn, closed *atomic.Int32) {
	t.Helper()
	a, b := net.Pipe()
	closed = new(atomic.Int32)
	ours = newConn(a, time.Second, nil, func() { closed.Add(1) })
	t.Cleanup(func() {
		_ = ours.Close()
		_ = b.Close()
	})
	return ours, b, closed
}

// takes has the other end take n bytes.
func takes(t *testing.T, theirs net.Conn, n int) {
	t.Helper()
	if _, err := theirs.Read(make([]byte, n)); err != nil {
		t.Error(err)
	}
}

func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs, closed := connected(t)
		time.Sleep(time.Hour) // nobody has asked anything
		go takes(t, theirs, 4)
		if _, err := ours.Write([]byte("PING")); err != nil {
			t.Fatalf("after a silence that nobody has broken: %v", err)
		}
		begin := time.Now()
		_, err := ours.Read(make([]byte, 4))
		took := time.Since(begin)
		synctest.Wait()
		if n := closed.Load(); !errors.Is(err, os.ErrDeadlineExceeded) || took != time.Second || n != 1 {
			t.Errorf("no answer: %v after %v, closed %d times", err, took, n)
		}
	})
}

// A server that answers in time is never hung up on, however long it takes for
// all together.
func TestServerThatAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs, closed := connected(t)
		go func() {
			for range 100 {
				takes(t, theirs, 4)
				time.Sleep(900 * time.Millisecond)
				if _, err := theirs.Write([]byte("PONG")); err != nil {
					t.Error(err)
				}
			}
		}()
		for range 100 {
			if _, err := ours.Write([]byte("PING")); err != nil {
				t.Fatal(err)
			}
			if _, err := ours.Read(make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if closed.Load() != 0 {
			t.Error("it was closed")
		}
	})
}

// A large value that is on its way is no silence.
func TestLargeValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs, _ := connected(t)
		go func() {
			for range 10 {
				time.Sleep(900 * time.Millisecond)
				takes(t, theirs, partOfValue)
			}
			if _, err := theirs.Write([]byte("+OK\r\n")); err != nil {
				t.Error(err)
			}
		}()
		for range 10 {
			if _, err := ours.Write(make([]byte, partOfValue)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := ours.Read(make([]byte, 5)); err != nil {
			t.Error(err)
		}
	})
}

// What is written was announced before.
func TestSendingIsAnnounced(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	announced := make(chan struct{}, 1)
	c := newConn(a, time.Second, func() { announced <- struct{}{} }, func() {})
	defer c.Close()
	go func() { _, _ = c.Write([]byte("PING")) }()
	takes(t, b, 4)
	select {
	case <-announced:
	default:
		t.Error("the other end has what was not announced")
	}
}
