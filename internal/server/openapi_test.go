package server

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// document is what tests look at of the OpenAPI document.
type document struct {
	OpenAPI    string
	Paths      map[string]map[string]json.RawMessage
	Components struct {
		Responses map[string]answer
		Schemas   map[string]json.RawMessage
	}
}

type operation struct {
	OperationID string
	RequestBody json.RawMessage
	Parameters  []struct {
		Ref string `json:"$ref"`
	}
	Responses map[string]answer
}

type answer struct {
	Ref     string `json:"$ref"`
	Content map[string]json.RawMessage
	Headers map[string]json.RawMessage
}

var documented = func() (d document) {
	if err := json.Unmarshal(description, &d); err != nil {
		panic(err)
	}
	return d
}()

func (d document) operation(pattern, method string) (op operation, ok bool) {
	raw, ok := d.Paths[pattern][strings.ToLower(method)]
	if ok && json.Unmarshal(raw, &op) != nil {
		return op, false
	}
	return op, ok
}

// answer is that of the operation with the status, which may be one that any
// request can get.
func (d document) answer(op operation, status int) (answer, bool) {
	a, ok := op.Responses[strconv.Itoa(status)]
	if !ok && slices.Contains([]int{400, 404, 405, 408, 417, 431, 501, 505}, status) {
		a, ok = op.Responses["default"]
	}
	if name := strings.TrimPrefix(a.Ref, "#/components/responses/"); name != "" {
		a, ok = d.Components.Responses[name]
	}
	return a, ok
}

func (d document) codes(t *testing.T) []string {
	t.Helper()
	var schema struct {
		Properties struct{ Code struct{ Enum []string } }
	}
	if err := json.Unmarshal(d.Components.Schemas["Problem"], &schema); err != nil {
		t.Fatal(err)
	}
	return schema.Properties.Code.Enum
}

// checkDocumented holds an answer to be one that the document has. Tests call it
// for every answer that they get.
func checkDocumented(t *testing.T, method, path string, r reply) {
	t.Helper()
	rt, found := route{}, false
	for _, each := range slices.Concat(plainRoutes[:], keyRoutes[:]) {
		pattern := "^" + strings.Replace(regexp.QuoteMeta(each.pattern), `\{key\}`, "[^/]*", 1) + "$"
		if regexp.MustCompile(pattern).MatchString(path) {
			rt, found = each, true
		}
	}
	op, ok := documented.operation(rt.pattern, method)
	if !found || !ok {
		if r.status < 400 {
			t.Errorf("%s %s is answered with %d and is in no document", method, path, r.status)
		}
		return
	}
	a, ok := documented.answer(op, r.status)
	if !ok {
		t.Errorf("%s %s: the document of %s has no status %d", method, path, op.OperationID, r.status)
		return
	}
	given, _, _ := strings.Cut(r.header.Get("Content-Type"), ";")
	if _, ok := a.Content[given]; !ok && (given != "" || len(a.Content) > 0) && method != "HEAD" {
		t.Errorf("%s %s: status %d of %s has Content-Type %q, and in the document %v", method, path, r.status, op.OperationID, given, a.Content)
	}
	if r.status >= 400 {
		return
	}
	for _, name := range []string{"Etag", "Accept-Ranges", "Content-Range", "Expires", "Harpia-Expires", "Content-Length", "Retry-After"} {
		has := slices.ContainsFunc([]string{name, "ETag"}, func(n string) bool {
			_, ok := a.Headers[n]
			return ok && strings.EqualFold(n, name)
		})
		if r.header.Get(name) != "" && !has {
			t.Errorf("%s %s: status %d of %s has the field %s, which is not in the document", method, path, r.status, op.OperationID, name)
		}
	}
}

// Each route and method is in the document, and what is in it is a route.
func TestDocumentHasTheRoutes(t *testing.T) {
	routes := make(map[string]route)
	for _, rt := range slices.Concat(plainRoutes[:], keyRoutes[:]) {
		routes[rt.pattern] = rt
		for _, m := range rt.methods {
			op, ok := documented.operation(rt.pattern, m.name)
			if !ok {
				t.Errorf("%s %s is in no document", m.name, rt.pattern)
				continue
			}
			var takes takes
			for _, p := range op.Parameters {
				switch p.Ref {
				case "#/components/parameters/IfMatch":
					takes |= takesConditions
				case "#/components/parameters/Range":
					takes |= takesRange
				}
			}
			if op.RequestBody != nil {
				takes |= takesBody
			}
			if strings.Contains(string(op.RequestBody), ndjson) {
				takes |= takesLines
			}
			if takes != m.takes {
				t.Errorf("%s %s takes %b, and by the document %b", m.name, rt.pattern, m.takes, takes)
			}
		}
	}
	for pattern, methods := range documented.Paths {
		for name := range methods {
			if name == "parameters" {
				continue
			}
			if _, ok := routes[pattern].methods.find(strings.ToUpper(name)); !ok {
				t.Errorf("%s %s is documented and is no route", name, pattern)
			}
		}
	}
	// And findRoute finds each.
	for pattern := range documented.Paths {
		path := strings.Replace(pattern, "{key}", "some%2Fkey", 1)
		s := listen(t, newHTTP(t, nil, Options{}))
		if r := s.do("TRACE", path, "").problem(405, "method_not_allowed"); !strings.HasPrefix(r.Detail, pattern+" ") {
			t.Errorf("%s: %s", path, r.Detail)
		}
	}
}

// The codes of problems are those of the package's sources, of the document and
// of docs/http.md, each way.
func TestDocumentHasTheCodes(t *testing.T) {
	codes := documented.codes(t)
	text, err := os.ReadFile("../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| status | code | when |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var written []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([\d, ]+) \| ([^|]*) \|`).FindAllStringSubmatch(table, -1) {
		for _, code := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[2], -1) {
			written = append(written, code[1])
		}
	}
	slices.Sort(written)
	written = slices.Compact(written)
	// Of a line, never of a request.
	if want := append(slices.Clone(codes), "invalid_line"); !slices.Equal(written, sorted(want)) {
		t.Errorf("docs/http.md has the codes\n%v\nand the document\n%v", written, sorted(want))
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		source, err := os.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?:newProblem\([\w.]+, |\bhttp\.Status\w+, )"(\w+)"`).FindAllStringSubmatch(string(source), -1) {
			made = append(made, m[1])
		}
	}
	made = slices.Compact(sorted(made))
	if !slices.Equal(made, sorted(written)) {
		t.Errorf("the sources make the codes\n%v\nand docs/http.md has\n%v", made, written)
	}
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

func TestDocumentIsServed(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	r := s.do("GET", "/openapi.json", "").is(200)
	r.has(string(description))
	if r.header.Get("Content-Type") != "application/json" || r.header.Get("Content-Length") != fmt.Sprint(len(description)) {
		t.Errorf("%v", r.header)
	}
	s.do("HEAD", "/openapi.json", "").is(200).has("")
	if documented.OpenAPI != "3.1.0" {
		t.Errorf("the document is of OpenAPI %s", documented.OpenAPI)
	}
}
