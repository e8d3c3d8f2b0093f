package server

import (
	"net/http"
	"net/url"
	"strings"
)

// encodeKey returns key as it stands in a path or a query: what RFC 3986 calls
// unreserved stays, and ":" and "@", which keys are fond of; all else is
// percent-encoded. "." and ".." are encoded as well, since many a client takes
// them out of a path.
func encodeKey(key string) string { return string(appendKey(nil, key)) }

func appendKey(to []byte, key string) []byte {
	const hex = "0123456789ABCDEF"
	dots := key == "." || key == ".."
	for i := range len(key) {
		c := key[i]
		if plain(c) && !dots {
			to = append(to, c)
			continue
		}
		to = append(to, '%', hex[c>>4], hex[c&15])
	}
	return to
}

func plain(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("-._~:@", c) >= 0
}

// decodeKey is the inverse of encodeKey, and reads every other encoding of a
// key too.
func decodeKey(segment string) (string, error) {
	key, err := url.PathUnescape(segment)
	if err != nil {
		return "", badPath(err)
	}
	// A store may keep the key for long, and must not keep the request with it.
	return strings.Clone(key), nil
}

// sentPath is the path as the client sent it. r.URL has lost it: it decodes
// %2F, and encodes again what it finds odd.
func sentPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if strings.HasPrefix(path, "/") {
		return path
	}
	// The absolute form, sent to proxies.
	if _, rest, ok := strings.Cut(path, "://"); ok {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return rest[i:]
		}
	}
	return ""
}
