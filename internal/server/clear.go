package server

import (
	"net/http"
	"strconv"
)

// The words that confirm the removal of many keys. A prefix that came out empty
// by mistake must not be taken for all keys, so these have a word of their own.
const (
	confirmPrefix = "prefix"
	confirmAll    = "all-keys"
)

// clearKeys removes the keys that begin with a prefix, or all.
func (h *HTTP) clearKeys(w *response, r *http.Request, _ string) error {
	query, err := parameters(r, "prefix", "confirm")
	if err != nil {
		return err
	}
	prefix := query["prefix"]
	need, what := confirmPrefix, "every key that begins with "+strconv.QuoteToASCII(prefix)
	if prefix == "" {
		need, what = confirmAll, "every key of the store"
	}
	if got, ok := query["confirm"]; !ok || got != need {
		return unconfirmed(what, need)
	}
	ctx, cancel := h.operation(r)
	defer cancel()
	if err := h.cache.Clear(ctx, prefix); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func unconfirmed(what, need string) *problem {
	return newProblem(http.StatusBadRequest, "unconfirmed",
		"this would remove "+what+"; nothing was removed; add confirm="+need+" if that is meant")
}
