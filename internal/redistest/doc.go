//go:build unix

// Package redistest starts real Redis servers for tests: one alone, a primary
// and its replicas under sentinels, a cluster. They listen on free ports of the
// loopback interface, keep their files in the test's temporary directory, and
// write no data to disk unless they are told to. They end with the test, and on
// Linux also when the test's process is killed.
//
//	server := redistest.Start(t, redistest.Options{Password: "secret"})
//	store := open(t, "redis://:secret@"+server.Addr())
//	server.Kill()
//	server.Restart()
//
// The program is redis-server from PATH, or the one that the variable
// HARPIA_REDIS_SERVER names, such as valkey-server. Where there is none the test
// is skipped, or fails if HARPIA_REQUIRE_ALL is 1.
//
// A test speaks to a server with Do, which needs no password and no TLS, so that
// what the test itself does goes another way than what it tests. A Proxy stands
// before a server and changes what it says, for servers that no machine has.
//
// The functions that have a testing.TB end the test at what goes wrong; like
// it, they belong to the test's own goroutine. A Conn may be used in any, by one
// at a time.
package redistest
