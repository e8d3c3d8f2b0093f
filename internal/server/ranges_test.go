package server

import (
	"strconv"
	"strings"
	"testing"
)

func TestRange(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	const value = "0123456789"
	s.do("PUT", "/v1/cache/k?ttl=1h", value).is(204)
	s.do("PUT", "/v1/cache/empty", "").is(204)
	whole := s.do("GET", "/v1/cache/k", "").is(200)
	if whole.header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("Accept-Ranges: %q", whole.header.Get("Accept-Ranges"))
	}
	for _, c := range []struct {
		text, want string // part and Content-Range; "" is the whole, "416" an error
	}{
		{"bytes=0-4", "01234 bytes 0-4/10"},
		{"bytes=5-", "56789 bytes 5-9/10"},
		{"bytes=-3", "789 bytes 7-9/10"},
		{"bytes=9-9", "9 bytes 9-9/10"},
		{"bytes=0-0", "0 bytes 0-0/10"},
		{"bytes=4-100", "456789 bytes 4-9/10"},
		{"bytes=4-99999999999999999999999999", "456789 bytes 4-9/10"},
		{"bytes=4-9223372036854775808", "456789 bytes 4-9/10"},
		{"bytes=92233720368547758080-", "416"},
		{"bytes=-100", value + " bytes 0-9/10"},
		{"bytes=0-", value + " bytes 0-9/10"},
		{"BYTES= 1-2 ,", "12 bytes 1-2/10"},
		{"bytes=10-", "416"},
		{"bytes=99999999999999999999999999-", "416"},
		{"bytes=-0", "416"},
		{"bytes=4-2", "416"},
		{"bytes=", "416"},
		{"bytes=-", "416"},
		{"bytes=a-b", "416"},
		{"bytes=1", "416"},
		{"bytes=1-2-3", "416"},
		{"bytes=+1-2", "416"},
		{"bytes=0x1-", "416"},
		{"bytes=0-1,x", "416"},
		{"bytes", "416"},
		{"", "416"},
		// By RFC 9110 these are answered with the whole.
		{"bytes=0-1,3-4", ""},
		{"bytes=20-,30-", ""},
		{"lines=1-2", ""},
	} {
		t.Run(c.text, func(t *testing.T) {
			conn := s.raw()
			conn.head("GET /v1/cache/k", "Range: "+c.text)
			r := conn.answer("GET")
			switch c.want {
			case "":
				r.is(200).has(value)
				if got := r.header.Get("Content-Range"); got != "" {
					t.Errorf("Content-Range %q", got)
				}
			case "416":
				r.problem(416, "invalid_range")
				if got := r.header.Get("Content-Range"); got != "bytes */10" {
					t.Errorf("Content-Range %q", got)
				}
				return
			default:
				part, contentRange, _ := strings.Cut(c.want, " ")
				r.is(206).has(part)
				if got := r.header.Get("Content-Range"); got != contentRange {
					t.Errorf("Content-Range %q, want %q", got, contentRange)
				}
				if got := r.header.Get("Content-Length"); got != strconv.Itoa(len(part)) {
					t.Errorf("Content-Length %q", got)
				}
			}
			for _, name := range []string{"Etag", "Expires", "Harpia-Expires", "Content-Type", "Accept-Ranges"} {
				if r.header.Get(name) != whole.header.Get(name) {
					t.Errorf("%s: %q, of the whole %q", name, r.header.Get(name), whole.header.Get(name))
				}
			}
		})
	}
	// Range is GET's alone, and needs something to be a part of.
	head := s.do("HEAD", "/v1/cache/k", "", "Range", "bytes=0-1").is(200)
	if head.header.Get("Content-Length") != "10" {
		t.Errorf("HEAD: Content-Length %q", head.header.Get("Content-Length"))
	}
	s.do("GET", "/v1/cache/none", "", "Range", "bytes=0-1").problem(404, "not_found")
	s.do("GET", "/v1/cache/empty", "", "Range", "bytes=0-").problem(416, "invalid_range")
	s.do("GET", "/v1/cache/empty", "", "Range", "bytes=-5").is(200).has("")
}

func TestTwoRangeFields(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/k", "0123456789").is(204)
	conn := s.raw()
	conn.head("GET /v1/cache/k", "Range: bytes=0-1", "Range: bytes=3-4")
	conn.answer("GET").problem(416, "invalid_range")
}

func TestIfRange(t *testing.T) {
	s := listen(t, newHTTP(t, nil, Options{}))
	s.do("PUT", "/v1/cache/k", "0123456789").is(204)
	tag := tagOfText("0123456789")
	for text, status := range map[string]int{
		tag:                             206,
		"W/" + tag:                      200, // a part of what is only like it could not be joined
		`"x"`:                           200,
		"Sun, 06 Nov 1994 08:49:37 GMT": 200,
		"x":                             400,
		"*":                             400,
		tag + ", " + tag:                400,
		"":                              400,
	} {
		conn := s.raw()
		conn.head("GET /v1/cache/k", "Range: bytes=2-3", "If-Range: "+text)
		switch r := conn.answer("GET"); status {
		case 206:
			r.is(206).has("23")
		case 200:
			r.is(200).has("0123456789")
		default:
			r.problem(400, "invalid_condition")
		}
	}
	// A range that cannot be is no matter if the value is another one.
	s.do("GET", "/v1/cache/k", "", "Range", "bytes=50-", "If-Range", `"x"`).is(200).has("0123456789")
	// Without Range it is not looked at (RFC 9110, 13.1.5).
	s.do("GET", "/v1/cache/k", "", "If-Range", `"x"`).is(200)
	s.do("GET", "/v1/cache/k", "", "Range", "bytes=2-3", "If-Match", `"x"`).problem(412, "precondition_failed")
}

// A part is admitted as the value is: the store has returned all of it.
func TestAdmissionOfRanges(t *testing.T) {
	const large = 1 << 20
	h := newHTTP(t, nil, Options{MaxValue: large, Admission: NewAdmission(large, nil)})
	s := listen(t, h)
	s.do("PUT", "/v1/cache/k", strings.Repeat("x", large)).is(204)
	s.do("GET", "/v1/cache/k", "", "Range", "bytes=0-9").is(206).has("xxxxxxxxxx")
	other := share{of: h.admitted}
	other.hold(large)
	s.do("GET", "/v1/cache/k", "", "Range", "bytes=0-9").problem(503, "busy")
	other.release()
	s.do("GET", "/v1/cache/k", "", "Range", "bytes=-1").is(206).has("x")
	if held := h.admitted.held.Load(); held != 0 {
		t.Errorf("%d bytes are still held", held)
	}
}

func FuzzRange(f *testing.F) {
	for _, text := range []string{"bytes=0-4", "bytes=-1", "bytes=5-", "bytes=0-0,1-1", "bytes=9-1", "bytes=18446744073709551616-", "x=1", ""} {
		f.Add(text, 10)
	}
	f.Fuzz(func(t *testing.T, text string, size int) {
		if size < 0 {
			return
		}
		part, ok, err := parseRange(text, size)
		if err != nil || !ok {
			return
		}
		if part.first < 0 || part.first >= part.end || part.end > size {
			t.Fatalf("parseRange(%q, %d) = %v", text, size, part)
		}
		// What is answered is what was asked, or less at the end.
		_, contentRange, _ := strings.Cut(part.contentRange(size), " ")
		spec, _, _ := strings.Cut(contentRange, "/")
		again, ok, err := parseRange("bytes="+spec, size)
		if again != part || !ok || err != nil {
			t.Fatalf("parseRange(%q, %d) = %v, which is answered as %q and read as %v, %v, %v", text, size, part, spec, again, ok, err)
		}
	})
}
