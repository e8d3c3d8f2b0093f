package shared

import (
	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared/storepb"
)

func toEntry(e cache.Entry) *storepb.Entry {
	return &storepb.Entry{Value: e.Value, ExpiresUnixMs: cache.ExpiryMillis(e.Expires)}
}

func fromEntry(e *storepb.Entry) cache.Entry {
	return cache.Entry{Value: e.GetValue(), Expires: cache.ExpiryAt(e.GetExpiresUnixMs())}
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
