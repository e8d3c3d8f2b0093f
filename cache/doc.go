// Package cache is a cache whose storage is chosen at run time.
//
// A Cache keeps values of one type under string keys. It encodes them and
// leaves the bytes to a Store: Memory, in this process, is the default; every
// other store is a separate program that package pluginstore starts, or any
// type with the three methods of Store.
//
//	users, err := cache.New[User](cache.Options{})
//	err = users.Set(ctx, "123", User{Name: "Alice"}, cache.TTL(time.Hour))
//	user, ok, err := users.Get(ctx, "123")
//	err = users.Delete(ctx, "123")
//
// A miss is a result (ok is false), an outage is an error, and a stored nil or
// empty value is found. A read that starts after a write has returned sees
// that write or a later one, or misses; it never sees an older value.
//
// To write a store, read Store, then the optional interfaces (Batcher, Adder,
// Swapper, Counter, Toucher, Scanner, Clearer, Watcher, Flusher), then package
// storetest, which proves it right.
package cache
