package shared

import (
	"time"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared/storepb"
)

// toMillis writes an expiry as the wire has it: 0 is never, so an expiry that
// falls on 0 moves one millisecond further into the past.
func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	if ms := t.UnixMilli(); ms != 0 {
		return ms
	}
	return -1
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func toEntry(e cache.Entry) *storepb.Entry {
	return &storepb.Entry{Value: e.Value, ExpiresUnixMs: toMillis(e.Expires)}
}

func fromEntry(e *storepb.Entry) cache.Entry {
	return cache.Entry{Value: e.GetValue(), Expires: fromMillis(e.GetExpiresUnixMs())}
}

func toLookup(e cache.Entry, found bool) *storepb.GetResponse {
	if !found {
		return &storepb.GetResponse{}
	}
	return &storepb.GetResponse{Entry: toEntry(e)}
}

func fromLookup(r *storepb.GetResponse) cache.Lookup {
	if r.GetEntry() == nil {
		return cache.Lookup{}
	}
	return cache.Lookup{Entry: fromEntry(r.GetEntry()), Found: true}
}

func toKeys(keys []string) [][]byte {
	out := make([][]byte, len(keys))
	for i, k := range keys {
		out[i] = []byte(k)
	}
	return out
}

func fromKeys(keys [][]byte) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = string(k)
	}
	return out
}
