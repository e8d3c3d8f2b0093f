package main

import "testing"

func TestNothingExpires(t *testing.T) {
	for info, want := range map[string]bool{
		"# Keyspace\r\ndb0:keys=7,expires=0,avg_ttl=0\r\n":  true,
		"# Keyspace\r\ndb0:keys=7,expires=1,avg_ttl=5\r\n":  false,
		"# Keyspace\r\ndb0:keys=7,expires=10,avg_ttl=0\r\n": false,
		"# Keyspace\r\n": true,
		"# Keyspace\r\ndb1:keys=7,expires=3,avg_ttl=0\r\ndb10:keys=1,expires=1,avg_ttl=0\r\n":      true,
		"# Keyspace\r\ndb0:keys=7,expires=0,avg_ttl=0,subexpiry=0\r\ndb1:keys=1,expires=1,avg_t\n": true,
		"# Keyspace\r\ndb0:keys=7\r\n": false,
		"":                             false,
		"# Server\r\n":                 false,
	} {
		if got := nothingExpires(info, 0); got != want {
			t.Errorf("%q: %v", info, got)
		}
	}
}

// After a wrong guess it is not tried again at once, but some time.
func TestGuess(t *testing.T) {
	var l guess
	for range 3 {
		for range 10 {
			if !l.likely() {
				t.Fatal("what was right becomes unlikely")
			}
		}
		l.unlikely()
		n := 0
		for !l.likely() {
			if n++; n > 2*guessAgain {
				t.Fatal("it is never tried again")
			}
		}
		if n < guessAgain/2 {
			t.Errorf("it is tried again after %d", n)
		}
	}
}
