// Package server puts a cache behind network protocols that other programs
// speak.
//
// HTTP serves a cache over HTTP/1.1:
//
//	PUT    /v1/cache/{key}?ttl=30s                    store the body
//	GET    /v1/cache/{key}                            the value, or 404 (HEAD too)
//	PATCH  /v1/cache/{key}?ttl=30s                    change the time to live, or 404
//	DELETE /v1/cache/{key}                            204, there or not
//	POST   /v1/cache/{key}/increment?delta=1&ttl=60s  {"value":1,"expires":null}
//	GET    /v1/keys?prefix=                           a JSON line for each key
//	DELETE /v1/keys?prefix=&confirm=                  remove many keys
//	POST   /v1/mget, /v1/mset, /v1/mdelete            many items, a JSON line for each
//	GET    /healthz                                   the process lives
//	GET    /readyz                                    200 or 503, and Status as JSON
//	GET    /openapi.json                              all of this for programs
//
// # Requests
//
// A request is done exactly as it was sent, or refused with an error that says
// why: see takes in fields.go for what a route takes. What net/http does not
// tell, such as two lengths of one body, is seen on the connection (framing.go).
//
// # Conditions
//
// The ETag of a value is a digest of its bytes. A PUT or DELETE that depends on
// tags is an atomic operation of the store: set-if-absent, compare-and-swap or
// compare-and-delete.
//
// # Keys
//
// A key is any 1 to cache.MaxKey bytes, percent-encoded as one segment of the
// path: "/" is %2F, a zero byte %00, and a byte that is not UTF-8 is encoded
// like any other. The path is taken as it was sent: nothing is cleaned, merged
// or redirected, so "." and ".." are keys too. In the path "+" is a plus; in
// the query it is a space, as in HTML forms.
//
// A listing has one line for each key, {"key":"user:1%2Fname"}. The text is
// percent-encoded and in ASCII, so that every key survives: it can be put into
// a path or into ?prefix= as it stands. A listing that does not end with the
// last chunk of the chunked coding is incomplete.
//
// # Times to live
//
// A ttl is a Go duration: 1500ms, 30s, 1h30m. 0 is never, whatever the cache's
// own time to live. What is negative, too long for a time.Duration or shorter
// than the millisecond that is a store's resolution is refused.
//
// # Errors
//
// Errors are problem documents (RFC 9457) whose member "code" tells them apart;
// see rows in problem.go for the table.
package server
