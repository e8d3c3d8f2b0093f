// Package storetest checks a cache.Store against its contract: a table of
// cases, each with the clause that it checks, so that a failure says what the
// store owes and not only what it did.
//
// The author of a store in Go needs one test:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) cache.Store {
//			s, err := Open(t.TempDir())
//			if err != nil {
//				t.Fatal(err)
//			}
//			t.Cleanup(func() { s.Close() })
//			return s
//		})
//	}
//
// Each case is a subtest: go test -run 'TestStore/expiry'. RunWant demands
// besides that the store has exactly the capabilities that it should have;
// without it, a store that loses a method by accident is only asked for less.
//
// A store of any language is checked as the plugin that it is, by the same
// table, with the host's command "plugins test URL", where URL is a store URL or
// the path of the plugin. Check runs the table where there is no testing.T.
//
// The suite may be run against a store in use. Every key that it writes begins
// with a random prefix and is deleted at the end of its case, also of a case
// that failed, panicked or hung. It needs room for some 20 MiB, an entry of at
// least 1 KiB, and that nothing is evicted for want of room meanwhile. The
// clocks of the store and of the suite must agree to the millisecond, as they
// do on one machine.
//
// Nothing is skipped. A capability that is declared is tested, and
// errors.ErrUnsupported is then a failure; for one that is not, a case checks
// that its methods answer errors.ErrUnsupported. A client that answers so for a
// store elsewhere, such as the host's of a plugin, has besides a method
//
//	Unguarded() cache.Store
//
// whose result passes those calls on: it is the store elsewhere that must
// refuse them.
package storetest
