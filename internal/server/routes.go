package server

import (
	"net/http"
	"strings"

	"github.com/harpia-go/harpia/cache"
)

type route struct {
	pattern string
	methods methods
}

type method struct {
	name  string
	takes takes
	serve func(h *HTTP, w *response, r *http.Request, key string) error
}

// methods are in the order of the Allow header.
type methods []method

func (m methods) find(name string) (method, bool) {
	for _, each := range m {
		if each.name == name {
			return each, true
		}
	}
	return method{}, false
}

func (m methods) names() string {
	names := make([]string, len(m))
	for i, each := range m {
		names[i] = each.name
	}
	return strings.Join(names, ", ")
}

// The routes, none of which is ever changed.
var (
	healthRoute = route{"/healthz", methods{{"GET", 0, (*HTTP).healthz}, {"HEAD", 0, (*HTTP).healthz}}}
	readyRoute  = route{"/readyz", methods{{"GET", 0, (*HTTP).readyz}, {"HEAD", 0, (*HTTP).readyz}}}
	keysRoute   = route{"/v1/keys", methods{{"GET", 0, (*HTTP).listKeys}, {"DELETE", 0, (*HTTP).clearKeys}}}
	valueRoute  = route{"/v1/cache/{key}", methods{
		{"GET", takesConditions | takesRange, (*HTTP).getValue},
		{"HEAD", takesConditions, (*HTTP).getValue},
		{"PUT", takesBody | takesConditions, (*HTTP).putValue},
		{"PATCH", 0, (*HTTP).touchValue},
		{"DELETE", takesConditions, (*HTTP).deleteValue},
	}}
	mgetRoute      = route{"/v1/mget", methods{{"POST", takesBody | takesLines, (*HTTP).mget}}}
	msetRoute      = route{"/v1/mset", methods{{"POST", takesBody | takesLines, (*HTTP).mset}}}
	mdeleteRoute   = route{"/v1/mdelete", methods{{"POST", takesBody | takesLines, (*HTTP).mdelete}}}
	describeRoute  = route{"/openapi.json", methods{{"GET", 0, (*HTTP).describe}, {"HEAD", 0, (*HTTP).describe}}}
	incrementRoute = route{"/v1/cache/{key}/increment", methods{{"POST", 0, (*HTTP).increment}}}
)

// plainRoutes have no key in their paths, keyRoutes have one.
var (
	plainRoutes = [...]route{healthRoute, readyRoute, keysRoute, mgetRoute, msetRoute, mdeleteRoute, describeRoute}
	keyRoutes   = [...]route{valueRoute, incrementRoute}
)

// findRoute decides by the path as it was sent. http.ServeMux would clean it
// and redirect: "." and "a//b" could not be keys. On an error the route is
// known as far as the path tells.
func findRoute(r *http.Request) (route, string, error) {
	path := sentPath(r)
	for _, rt := range plainRoutes {
		if path == rt.pattern {
			return rt, "", nil
		}
	}
	segment, ok := strings.CutPrefix(path, "/v1/cache/")
	if !ok {
		return route{}, "", noSuchPath
	}
	rt := valueRoute
	// A key named "increment" has no slash before it.
	if of, ok := strings.CutSuffix(segment, "/increment"); ok {
		segment = of
		rt = incrementRoute
	}
	if strings.Contains(segment, "/") {
		return rt, "", rawSlash
	}
	key, err := decodeKey(segment)
	if err != nil {
		return rt, "", err
	}
	return rt, key, cache.CheckKey(key)
}
