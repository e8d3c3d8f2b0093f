// Package server puts a cache behind network protocols that other programs
// speak.
//
// HTTP serves a cache over HTTP/1.1:
//
//	PUT    /v1/cache/{key}?ttl=30s                    store the body
//	GET    /v1/cache/{key}                            the value, or 404 (HEAD too)
//	DELETE /v1/cache/{key}                            204, there or not
//	POST   /v1/cache/{key}/increment?delta=1&ttl=60s  {"value":1,"expires":null}
//	GET    /v1/keys?prefix=                           a JSON line for each key
//	GET    /healthz                                   the process lives
//	GET    /readyz                                    200 or 503, and Status as JSON
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
