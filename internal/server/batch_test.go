package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/harpia-go/harpia/cache"
)

// answered is a line of the answer to a batch.
type answered struct {
	Line    int
	Key     string
	Found   *bool
	Stored  bool
	Deleted bool
	Value   *string
	Value64 []byte `json:"value_base64"`
	Etag    string
	Expires *string
	Error   *struct {
		Status       int
		Code, Detail string
	}
}

// outcome is "ok" or the status and code of an item's error.
func (a answered) outcome() string {
	switch {
	case a.Error != nil:
		return strconv.Itoa(a.Error.Status) + " " + a.Error.Code
	case a.Stored, a.Deleted, a.Found != nil:
		return "ok"
	}
	return "nothing"
}

func (s *running) batch(path, body string) []answered {
	s.t.Helper()
	r := s.do("POST", path, body, "Content-Type", ndjson).is(200)
	if got := r.header.Get("Content-Type"); got != ndjson {
		s.t.Errorf("Content-Type %q", got)
	}
	return answers(s.t, r.body)
}

func answers(t *testing.T, body string) []answered {
	t.Helper()
	var all []answered
	for line := range strings.Lines(body) {
		var a answered
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil {
			t.Fatalf("line %.200q: %v", line, err)
		}
		if all = append(all, a); a.Line != len(all) {
			t.Fatalf("line %d says that it is %d", len(all), a.Line)
		}
		if a.Error != nil && a.Error.Detail == "" {
			t.Errorf("line %d has an error without a detail", a.Line)
		}
	}
	return all
}

func TestBatches(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	binary := []byte("\x00\xff\xfe binary")
	got := s.batch("/v1/mset", strings.Join([]string{
		`{"key":"text","value":"Zoë \u0000\n\"x\"","ttl":"1h"}`,
		`{"value_base64":"` + base64.StdEncoding.EncodeToString(binary) + `","key":"%ff%00/a"}`,
		`{"key":"empty","value":""}`,
		` { "key" : "slashes" , "value_base64" : "\/\/8=" } ` + "\r",
		`{"key":"never","value":"x","ttl":"0"}`,
		`{"key":"twice","value":"first"}`,
		`{"key":"ttls","value":"first","ttl":"1h"}`,
		`{"key":"ttls","value":"second","ttl":"0"}`,
		`{"key":"twice","value":"second"}`, // the last line has no end
	}, "\n"))
	if len(got) != 9 {
		t.Fatalf("%d lines answer 9", len(got))
	}
	for _, a := range got {
		if a.outcome() != "ok" {
			t.Errorf("line %d: %+v", a.Line, a.Error)
		}
	}
	s.do("GET", "/v1/cache/text", "").is(200).has("Zoë \x00\n\"x\"")
	s.do("GET", "/v1/cache/%FF%00%2Fa", "").is(200).has(string(binary))
	s.do("GET", "/v1/cache/slashes", "").is(200).has("\xff\xff")
	s.do("GET", "/v1/cache/twice", "").is(200).has("second")
	ttls := s.do("GET", "/v1/cache/ttls", "").is(200)
	ttls.has("second")
	if e := ttls.header.Get("Expires"); e != "" {
		t.Errorf("the second of two times to live is never; the value expires %s", e)
	}

	got = s.batch("/v1/mget", `{"key":"text"}`+"\n"+`{"key":"%FF%00%2fa"}`+"\n"+`{"key":"none"}`+"\n"+`{"key":"empty"}`+"\n"+`{"key":"never"}`+"\n")
	if len(got) != 5 {
		t.Fatalf("%d lines answer 5", len(got))
	}
	if a := got[0]; a.Key != "text" || !*a.Found || *a.Value != "Zoë \x00\n\"x\"" || a.Etag != tagOfText(*a.Value) || a.Expires == nil {
		t.Errorf("text: %+v", a)
	}
	if expires := s.do("GET", "/v1/cache/text", "").header.Get("Harpia-Expires"); expires != *got[0].Expires {
		t.Errorf("expires %s and %s", expires, *got[0].Expires)
	}
	if a := got[1]; a.Key != "%FF%00%2Fa" || a.Value != nil || !bytes.Equal(a.Value64, binary) || a.Expires != nil {
		t.Errorf("binary: %+v", a)
	}
	if a := got[2]; a.Key != "none" || *a.Found || a.Value != nil {
		t.Errorf("none: %+v", a)
	}
	if a := got[3]; !*a.Found || *a.Value != "" || a.Etag != tagOfText("") {
		t.Errorf("empty: %+v", a)
	}
	if a := got[4]; a.Expires != nil {
		t.Errorf("never: %+v", a)
	}

	// What lists keys can be fed to what reads or removes them.
	listing := s.do("GET", "/v1/keys", "").is(200).body
	if got := s.batch("/v1/mget", listing); len(got) != 7 || !*got[0].Found {
		t.Errorf("of a listing: %+v", got)
	}
	if got := s.batch("/v1/mdelete", listing+`{"key":"none"}`); len(got) != 8 || got[7].outcome() != "ok" {
		t.Errorf("of a listing: %+v", got)
	}
	s.do("GET", "/v1/keys", "").is(200).has("")
	for _, path := range []string{"/v1/mget", "/v1/mset", "/v1/mdelete"} {
		s.do("POST", path, "").is(200).has("")
	}
}

// A bad line is one bad item.
func TestBadLines(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{MaxValue: 100 << 10}))
	long := strings.Repeat("x", 100<<10)
	for _, c := range []struct{ line, set, get string }{
		{``, "400 invalid_line", "400 invalid_line"},
		{`null`, "400 invalid_line", "400 invalid_line"},
		{`[{"key":"a"}]`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"a"`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"a","value":"v"}}`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"a","value":"v"}{"key":"b","value":"v"}`, "400 invalid_line", "400 invalid_line"},
		{`{}`, "400 invalid_key", "400 invalid_key"},
		{`{"value":"v"}`, "400 invalid_key", "400 invalid_line"},
		{`{"key":"","value":"v"}`, "400 invalid_key", "400 invalid_line"},
		{`{"key":""}`, "400 invalid_key", "400 invalid_key"},
		{`{"key":7,"value":"v"}`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"%zz","value":"v"}`, "400 invalid_key", "400 invalid_key"},
		{`{"key":"%f"}`, "400 invalid_key", "400 invalid_key"},
		{`{"key":"` + strings.Repeat("a", cache.MaxKey+1) + `","value":"v"}`, "400 invalid_key", "400 invalid_line"},
		{`{"key":"a","key":"b","value":"v"}`, "400 invalid_line", "400 invalid_line"},
		{`{"Key":"a","value":"v"}`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"a"}`, "400 invalid_line", "ok"},
		{`{"key":"a","value":null}`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"a","value":1}`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"a","value":"v","value_base64":"dg=="}`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"a","value_base64":"dg"}`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"a","value_base64":"dh=="}`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"a","value_base64":"d-_="}`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"a","value_base64":"dg\n=="}`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"a","value":"v","ttl":30}`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"a","value":"v","ttl":"30"}`, "400 invalid_ttl", "400 invalid_line"},
		{`{"key":"a","value":"v","ttl":"-1s"}`, "400 invalid_ttl", "400 invalid_line"},
		{`{"key":"a","value":"v","ttl":"1s","ttl":"2s"}`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"a","value":"v","expires":"2030-01-01T00:00:00Z"}`, "400 invalid_line", "400 invalid_line"},
		{"{\"key\":\"a\",\"value\":\"\xff\"}", "400 invalid_line", "400 invalid_line"},
		{`{"key":"a","value":"\ud800"}`, "400 invalid_line", "400 invalid_line"},
		{`{"key":"a","value":"` + long + `x"}`, "413 too_large", "400 invalid_line"},
		{`{"key":"a","value":"` + long + long + long + long + `"}`, "413 too_large", ""},
		{`{"key":"a","value":"v","ttl":"` + long[:50000] + `"}`, "400 invalid_ttl", "400 invalid_line"},
		{`{"key":"a","` + long[:50000] + `":"v"}`, "400 invalid_line", "400 invalid_line"},
	} {
		t.Run(c.line[:min(len(c.line), 60)], func(t *testing.T) {
			before, after := `{"key":"before","value":"1"}`+"\n", "\n"+`{"key":"after","value":"2"}`+"\n"
			got := s.batch("/v1/mset", before+c.line+after)
			if len(got) != 3 || got[0].outcome() != "ok" || got[1].outcome() != c.set || got[2].outcome() != "ok" {
				t.Fatalf("mset: %+v, want %s in the middle", got, c.set)
			}
			if e := got[1].Error; len(e.Detail) > 500 {
				t.Errorf("the detail has %d bytes", len(e.Detail))
			}
			if keys := listed(t, s, ""); len(keys) != 2 {
				t.Errorf("stored are %v", keys)
			}
			s.do("DELETE", "/v1/keys?confirm=all-keys", "").is(204)
			if c.get == "" {
				return
			}
			got = s.batch("/v1/mget", `{"key":"before"}`+"\n"+c.line+"\n"+`{"key":"after"}`)
			if len(got) != 3 || got[0].outcome() != "ok" || got[1].outcome() != c.get || got[2].outcome() != "ok" {
				t.Fatalf("mget: %+v, want %s in the middle", got, c.get)
			}
			if got := s.batch("/v1/mdelete", `{"key":"before"}`+"\n"+c.line+"\n"); got[1].outcome() != c.get {
				t.Errorf("mdelete: %+v, want %s", got[1], c.get)
			}
		})
	}
	// Text is cut nowhere within a rune, whatever pieces it is encoded in.
	for offset := range 4 {
		text := strings.Repeat("x", offset) + strings.Repeat("😀é", 16<<10)
		s.do("PUT", "/v1/cache/runes", text).is(204)
		if got := s.batch("/v1/mget", `{"key":"runes"}`); got[0].Value == nil || *got[0].Value != text {
			t.Errorf("a text of %d bytes came back as another", len(text))
		}
	}
	// The longest value fits, either way.
	all := bytes.Repeat([]byte{0xff}, 100<<10)
	got := s.batch("/v1/mset", `{"key":"a","value":"`+long+`"}`+"\n"+`{"key":"b","value_base64":"`+base64.StdEncoding.EncodeToString(all)+`"}`)
	if len(got) != 2 || got[0].outcome() != "ok" || got[1].outcome() != "ok" {
		t.Errorf("%+v", got)
	}
	if got := s.batch("/v1/mget", `{"key":"a"}`+"\n"+`{"key":"b"}`); *got[0].Value != long || !bytes.Equal(got[1].Value64, all) {
		t.Error("the longest values came back as others")
	}
}

// A request as a whole is refused before anything is done.
func TestRefusedBatches(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	line := `{"key":"a","value":"v"}`
	for _, path := range []string{"/v1/mget", "/v1/mset", "/v1/mdelete"} {
		for _, contentType := range []string{"application/x-www-form-urlencoded", "text/plain", "application/json", "multipart/form-data; boundary=x"} {
			r := s.do("POST", path, line, "Content-Type", contentType)
			r.problem(415, "unsupported_type")
			if r.header.Get("Accept") != ndjson {
				t.Errorf("Accept: %q", r.header.Get("Accept"))
			}
		}
		s.do("POST", path, line, "Content-Type", ndjson, "Content-Encoding", "gzip").problem(415, "unsupported_type")
		s.do("POST", path+"?ttl=1s", line, "Content-Type", ndjson).problem(400, "invalid_query")
		s.do("POST", path, line, "Content-Type", ndjson, "If-Match", "*").problem(501, "unsupported_condition")
		s.do("POST", path, line, "Content-Type", ndjson, "Content-Range", "bytes 0-1/2").problem(400, "unexpected_range")
		s.do("POST", path, line, "Content-Type", ndjson, "Origin", "http://evil.example").problem(403, "cross_origin")
		s.do("GET", path, "").problem(405, "method_not_allowed")
	}
	s.do("GET", "/v1/keys", "").is(200).has("")
	conn := s.raw()
	conn.send("POST /v1/mget HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
	conn.answer("POST").problem(505, "http_version")
}

func TestBatchIsBounded(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	var set, get strings.Builder
	for i := range maxItems + 1 {
		fmt.Fprintf(&set, `{"key":"%d","value":"%d"}`+"\n", i, i)
		fmt.Fprintf(&get, `{"key":"%d"}`+"\n", i)
	}
	got := s.batch("/v1/mset", set.String())
	if len(got) != maxItems+1 || got[maxItems-1].outcome() != "ok" || got[maxItems].outcome() != "413 too_many_items" {
		t.Errorf("%d lines, the last %+v", len(got), got[len(got)-1])
	}
	if n := len(listed(t, s, "")); n != maxItems {
		t.Errorf("%d keys are stored", n)
	}
	s.do("POST", "/v1/mget", get.String(), "Content-Type", ndjson).problem(413, "too_many_items")
	got = s.batch("/v1/mget", strings.TrimSuffix(get.String(), `{"key":"`+strconv.Itoa(maxItems)+`"}`+"\n"))
	if len(got) != maxItems {
		t.Fatalf("%d lines", len(got))
	}
	for i, a := range got {
		if a.Value == nil || *a.Value != strconv.Itoa(i) {
			t.Fatalf("line %d: %+v", i+1, a)
		}
	}
	s.do("POST", "/v1/mget", strings.Repeat(" ", maxKeysBody+1), "Content-Type", ndjson).problem(413, "too_large")
}

// Of a body that ends too early the whole lines are taken, and the answer tells
// where it ended.
func TestBatchThatIsCutOff(t *testing.T) {
	type halfCloser interface{ CloseWrite() error }
	s := listen(t, newHTTP(t, nil, Options{}))
	for lines, want := range map[string][]string{
		`{"key":"a","value":"1"}` + "\n" + `{"key":"b","value":"2"}`: {"ok", "400 broken_body"},
		`{"key":"a","value":"1"}` + "\n":                             {"ok", "400 broken_body"},
	} {
		conn := s.raw()
		conn.head("POST /v1/mset", "Content-Length: 1000")
		conn.send(lines)
		if err := conn.Conn.(halfCloser).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		r := conn.answer("POST").is(200)
		for i, a := range answers(t, r.body) {
			if a.outcome() != want[i] {
				t.Errorf("line %d: %+v, want %s", i+1, a, want[i])
			}
		}
		if !r.close {
			t.Error("the connection is kept")
		}
		if keys := listed(t, s, ""); len(keys) != 1 || !keys["a"] {
			t.Errorf("stored are %v", keys)
		}
	}
	for _, path := range []string{"/v1/mset", "/v1/mget", "/v1/mdelete"} {
		conn := s.raw()
		conn.head("POST "+path, "Content-Length: 1000")
		conn.send(`{"key":"a`)
		if err := conn.Conn.(halfCloser).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		conn.answer("POST").problem(400, "broken_body")
	}
	s.do("GET", "/v1/cache/a", "").is(200)
}

func TestSlowBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHTTP(t, nil, Options{Timeouts: quick})
		s := inBubble(t, h)
		conn := s.raw()
		conn.head("POST /v1/mset", "Content-Length: 1000")
		conn.send(`{"key":"a","value":"1"}`+"\n", `{"key":"b",`)
		elapses(t, quick.Lag, func() {
			got := answers(t, conn.answer("POST").is(200).body)
			if len(got) != 2 || got[0].outcome() != "ok" || got[1].outcome() != "408 slow_body" {
				t.Errorf("%+v", got)
			}
		})
		// The time that the store takes is not the client's.
		slow := batcher{fakeStore: newFake(t), set: func(context.Context) error {
			time.Sleep(quick.Store - 1)
			return nil
		}}
		s = inBubble(t, newHTTP(t, slow, Options{Timeouts: quick}))
		conn = s.raw()
		var lines []string
		for i := range 10 {
			lines = append(lines, fmt.Sprintf(`{"key":"%d","value":""}`+"\n", i))
		}
		conn.head("POST /v1/mset", "Content-Length: "+strconv.Itoa(len(strings.Join(lines, ""))))
		go func() {
			for _, line := range lines {
				_, _ = io.WriteString(conn.Conn, line) // returns when the server has read it
			}
		}()
		got := answers(t, conn.answer("POST").is(200).body)
		for _, a := range got {
			if a.outcome() != "ok" {
				t.Fatalf("line %d: %+v", a.Line, a.Error)
			}
		}
		if len(got) != len(lines) {
			t.Errorf("%d lines answer %d", len(got), len(lines))
		}
	})
}

// The buffer of a long line goes with the line.
func TestLongLineIsNotKept(t *testing.T) {
	h := newHTTP(t, nil, Options{})
	s := share{of: h.admitted}
	body := strings.Repeat("x", 1<<20) + "\nshort\n"
	b := h.newBatchReader(newResponse(nowhere{make(http.Header)}, quick), &http.Request{Body: io.NopCloser(strings.NewReader(body))}, &s, 1<<20)
	if line, err := b.next(); err != nil || len(line) != 1<<20 || s.held < 1<<20-uncounted {
		t.Fatalf("%d bytes, %v; %d are held", len(line), err, s.held)
	}
	b.done(0)
	if s.held != 0 {
		t.Errorf("%d bytes are held after the line", s.held)
	}
	if line, err := b.next(); err != nil || string(line) != "short" {
		t.Errorf("%q, %v", line, err)
	}
}

// batcher counts the batches that reach a store.
type batcher struct {
	*fakeStore
	calls *atomic.Int32
	set   func(ctx context.Context) error
}

func (b batcher) SetMany(ctx context.Context, items []cache.Item) error {
	if b.calls != nil {
		b.calls.Add(1)
	}
	if err := b.set(ctx); err != nil {
		return err
	}
	return b.fakeStore.Memory.SetMany(ctx, items)
}

// Items go to the store many at once, and a failure of it is that of each item
// that was with it, and one line in the log.
func TestBatchesReachTheStoreInGroups(t *testing.T) {
	fail := false
	store := batcher{newFake(t), new(atomic.Int32), func(context.Context) error {
		if fail {
			return fmt.Errorf("store: shelf 7: %w", cache.ErrUnavailable)
		}
		return nil
	}}
	log, logger := newLog()
	h := newHTTP(t, store, Options{Logger: logger})
	s := listen(t, h)
	var body strings.Builder
	for i := range 3 * groupItems {
		fmt.Fprintf(&body, `{"key":"%d","value":"v"}`+"\n", i)
	}
	// Not over a connection, which delivers a body in parts of any length.
	r := httptest.NewRequest("POST", "/v1/mset", strings.NewReader(body.String()))
	h.ServeHTTP(httptest.NewRecorder(), r)
	if n := store.calls.Load(); n != 3 {
		t.Errorf("%d items are %d calls of the store", 3*groupItems, n)
	}
	fail = true
	got := s.batch("/v1/mset", `{"key":"a","value":"v"}`+"\n"+`{"key":"b"}`+"\n"+`{"key":"c","value":"v"}`)
	if len(got) != 3 || got[0].outcome() != "503 unavailable" || got[1].outcome() != "400 invalid_line" || got[2].outcome() != "503 unavailable" {
		t.Errorf("%+v", got)
	}
	store.get = func(context.Context, string) (cache.Entry, bool, error) {
		return cache.Entry{}, false, errors.New("disk on fire at shelf 7")
	}
	if got := s.batch("/v1/mget", `{"key":"a"}`); got[0].outcome() != "500 internal" || strings.Contains(got[0].Error.Detail, "shelf") {
		t.Errorf("%+v", got)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 2 || strings.Count(log.String(), "shelf 7") != 2 {
		t.Errorf("%d errors are logged for two batches:\n%s", n, log)
	}
}

// The values of a batch are admitted as those of single requests are, and what
// is busy is one item.
func TestAdmissionOfBatches(t *testing.T) {
	const large = 1 << 20
	h := newHTTP(t, nil, Options{MaxValue: large, Admission: NewAdmission(4*large, nil)})
	s := listen(t, h)
	value := strings.Repeat("x", large)
	line := func(key string) string { return `{"key":"` + key + `","value":"` + value + `"}` + "\n" }
	if got := s.batch("/v1/mset", line("a")+line("b")+line("c")); len(got) != 3 || got[2].outcome() != "ok" {
		t.Fatalf("%+v", got)
	}
	other := share{of: h.admitted}
	other.hold(4 * large)
	got := s.batch("/v1/mset", line("d")+`{"key":"small","value":"v"}`+"\n"+line("e"))
	if len(got) != 3 || got[0].outcome() != "503 busy" || got[1].outcome() != "ok" || got[2].outcome() != "503 busy" {
		t.Errorf("%+v", got)
	}
	got = s.batch("/v1/mget", `{"key":"a"}`+"\n"+`{"key":"small"}`+"\n"+`{"key":"b"}`)
	if len(got) != 3 || got[0].outcome() != "503 busy" || got[1].outcome() != "ok" || got[2].outcome() != "503 busy" {
		t.Errorf("%+v", got)
	}
	other.release()
	got = s.batch("/v1/mget", strings.Repeat(`{"key":"a"}`+"\n"+`{"key":"b"}`+"\n"+`{"key":"c"}`+"\n", 5))
	for _, a := range got {
		if a.Value == nil || *a.Value != value {
			t.Errorf("line %d: %s", a.Line, a.outcome())
		}
	}
	if held := h.admitted.held.Load(); held != 0 {
		t.Errorf("%d bytes are still held", held)
	}
}

// A client that goes while its answer streams leaves nothing behind.
func TestReaderOfABatchGoes(t *testing.T) {
	const large = 1 << 20
	h := newHTTP(t, nil, Options{MaxValue: large})
	s := listen(t, h)
	s.do("PUT", "/v1/cache/k", strings.Repeat("x", large)).is(204)
	conn := s.raw()
	body := strings.Repeat(`{"key":"k"}`+"\n", 100)
	conn.head("POST /v1/mget", "Content-Length: "+strconv.Itoa(len(body)))
	conn.send(body)
	if _, err := io.ReadFull(conn.in, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if held := h.admitted.held.Load(); held != 0 {
		t.Errorf("%d bytes are still held", held)
	}
}

// A text is six times as long in JSON at worst: it is not in memory like that.
func TestAnswerIsEncodedInPieces(t *testing.T) {
	value := bytes.Repeat([]byte{0}, 8<<20)
	w := newResponse(nowhere{make(http.Header)}, quick)
	l := lines{w: w}
	if err := l.value(value); err != nil {
		t.Fatal(err)
	}
	if cap(l.buf) > 1<<20 {
		t.Errorf("the buffer of a value of 8 MiB came to have %d bytes", cap(l.buf))
	}
}

// FuzzItem reads a line, and writes what it holds as an answer has it.
func FuzzItem(f *testing.F) {
	for _, line := range []string{
		`{"key":"a"}`, `{"key":"%00","value":"x\u0000\ud83d\ude00"}`, `{"key":"a","value_base64":"\/w=="}`, `{"key":"a","value":"","ttl":"1h"}`, `{"key":"a","value":"v"}x`, `{`, ``,
		`{"key":"a","value":"` + strings.Repeat(`\u0000`, 200) + `"}`,
	} {
		f.Add([]byte(line), true)
	}
	f.Fuzz(func(t *testing.T, line []byte, withValue bool) {
		asked := 0
		it, err := parseItem(line, withValue, func(n int) bool { asked = max(asked, n); return true })
		if err != nil {
			if problemOf(err).Status != 400 {
				t.Fatalf("%q: %v", line, err)
			}
			return
		}
		if n := len(it.value); cap(it.value) > asked+64 || cap(it.value) > n+n/8+64 {
			t.Fatalf("%q: leave was asked for %d bytes, and a value of %d has %d", line, asked, n, cap(it.value))
		}
		if !json.Valid(line) {
			t.Fatalf("%q is no JSON and is taken", line)
		}
		out := lines{}
		out.add(`{"key":"`)
		out.buf = appendKey(out.buf, it.key)
		out.add(`"`)
		if withValue {
			out.add(",")
			if err := out.value(it.value); err != nil {
				t.Fatal(err)
			}
		}
		out.add("}")
		again, err := parseItem(out.buf, withValue, func(int) bool { return true })
		if err != nil || again.key != it.key || !bytes.Equal(again.value, it.value) || bytes.IndexByte(out.buf, '\n') >= 0 {
			t.Fatalf("%q is written as %q and read as %+v, %v", line, out.buf, again, err)
		}
	})
}

// FuzzBatchReader compares the lines with those of bytes.Split, however they
// arrive.
func FuzzBatchReader(f *testing.F) {
	f.Add([]byte("a\nbc\n\nd"), 3)
	f.Add([]byte(""), 1)
	f.Add([]byte("\n"), 0)
	f.Add([]byte("ab"), 1)
	f.Fuzz(func(t *testing.T, body []byte, limit int) {
		limit = max(0, limit&0xff)
		h := newHTTP(t, nil, Options{MaxValue: 1 << 10})
		for _, from := range []io.Reader{bytes.NewReader(body), iotest.OneByteReader(bytes.NewReader(body)), iotest.DataErrReader(bytes.NewReader(body))} {
			s := share{of: h.admitted}
			r := &http.Request{Body: io.NopCloser(from)}
			b := h.newBatchReader(newResponse(nowhere{make(http.Header)}, quick), r, &s, limit)
			want := bytes.Split(body, []byte{'\n'})
			if len(want[len(want)-1]) == 0 {
				want = want[:len(want)-1]
			}
			for _, line := range want {
				got, err := b.next()
				if len(line) > limit {
					if err == nil || !passedOver(err) {
						t.Fatalf("a line of %d bytes, and %d are allowed: %v", len(line), limit, err)
					}
				} else if err != nil || !bytes.Equal(got, line) {
					t.Fatalf("%q: %q, %v; want %q", body, got, err, line)
				}
				b.done(0)
			}
			if _, err := b.next(); err != io.EOF {
				t.Fatalf("%q: %v after the last line", body, err)
			}
		}
	})
}
