package server

import (
	_ "embed"
	"net/http"
	"strconv"
)

// description is the OpenAPI document of this server. A test holds it to be true.
//
//go:embed openapi.json
var description []byte

func (h *HTTP) describe(w *response, _ *http.Request, _ string) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(description)))
	_, err := w.Write(description)
	return err
}
