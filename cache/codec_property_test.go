package cache

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
	"pgregory.net/rapid"
)

// subject is a codec as a Cache uses it.
type subject struct {
	name   string
	oracle oracle
	check  func(t reflect.Type) error
	encode func(p any) ([]byte, error)
	decode func(data []byte, p any) error
}

func subjectOf(name string, c exact, o oracle) subject {
	return subject{name, o, c.checkType, c.encodeAt, c.Decode}
}

var subjects = []subject{
	subjectOf("JSON", JSON{}, oracle{}),
	subjectOf("CBOR", CBOR{}, oracle{cbor: true}),
	subjectOf("Compressed", Compressed{Min: 1}, oracle{}),
	subjectOf("CompressedCBOR", &Compressed{Codec: &CBOR{}, Min: 1}, oracle{cbor: true}),
}

// formerly are the codecs as they were, with what was wrong with them.
var formerly = []subject{
	{"JSON", oracle{}, func(reflect.Type) error { return nil },
		func(p any) ([]byte, error) { return json.Marshal(reflect.ValueOf(p).Elem().Interface()) },
		func(data []byte, p any) error {
			if jsonv2.Unmarshal(data, p, jsonv1.DefaultOptionsV1()) == nil {
				return nil
			}
			return json.Unmarshal(data, p)
		}},
	{"CBOR", oracle{cbor: true}, func(reflect.Type) error { return nil },
		func(p any) ([]byte, error) { return cbor.Marshal(reflect.ValueOf(p).Elem().Interface()) },
		func(data []byte, p any) error { return cbor.Unmarshal(data, p) }},
}

// types is how many types the tests make: reflection keeps each for ever.
const types = 20_000

var typesMade = map[uint64]reflect.Type{}

func typeOf(number uint64) reflect.Type {
	t := typesMade[number]
	if t == nil {
		if number < uint64(len(catalogue)) {
			t = catalogue[number]
		} else {
			t = newMaker(1, number).typ(int(number % 4))
		}
		typesMade[number] = t
	}
	return t
}

// broken returns how a value of the type and the value's number breaks the rule: it
// is refused, or it comes back. "": it does not.
func (s subject) broken(typ, value uint64) (why string, t reflect.Type, taken bool) {
	t = typeOf(typ % types)
	p := reflect.New(t)
	newMaker(typ, value).fill(p.Elem(), 3)
	defer func() {
		if r := recover(); r != nil {
			why = fmt.Sprintf("panic: %v", r)
		}
	}()
	if s.check(t) != nil {
		return "", t, false
	}
	data, err := s.encode(p.Interface())
	if err != nil {
		return "", t, false
	}
	back := reflect.New(t)
	if err := s.decode(data, back.Interface()); err != nil {
		return fmt.Sprintf("unreadable: %q: %v", data, err), t, true
	}
	if why := s.oracle.wrong(p.Elem(), back.Elem(), ""); why != "" {
		return why, t, true
	}
	if s.name == "JSON" {
		if want, err := json.Marshal(p.Interface()); err != nil || !bytes.Equal(want, data) {
			return fmt.Sprintf("bytes: %q, and encoding/json: %q, %v", data, want, err), t, true
		}
	}
	return "", t, true
}

// cases sets how many cases rapid tries: as many as the flag -rapid.checks says, or
// n, times HARPIA_CODEC_TIMES if that is set.
func cases(t *testing.T, n int) {
	f := flag.Lookup("rapid.checks")
	before := f.Value.String()
	if before != f.DefValue {
		return
	}
	if times, err := strconv.Atoi(os.Getenv("HARPIA_CODEC_TIMES")); err == nil {
		n *= times
	}
	if err := flag.Set("rapid.checks", strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", before) })
}

// Whatever the type and the value, Encode returns an error or Decode returns it.
func TestCodecsTakeExactlyOrRefuse(t *testing.T) {
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			n := 5000
			if strings.HasPrefix(s.name, "Compressed") {
				n = 500 // what it adds is slow and knows nothing of types
			}
			cases(t, n)
			taken, total := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				// rapid prefers small numbers, which would be few of the types.
				m := newMaker(2, rapid.Uint64().Draw(t, "seed"))
				why, made, ok := s.broken(m.Uint64N(types), m.Uint64())
				if why != "" {
					t.Fatalf("%v: %s", made, why)
				}
				total++
				if ok {
					taken++
				}
			})
			t.Logf("%d of %d values were taken", taken, total)
			if taken*5 < total {
				t.Errorf("only %d of %d values were taken: the test sees too little", taken, total)
			}
		})
	}
}

// The property finds what was wrong with the codecs as they were, by itself.
func TestThePropertyFindsWhatWasWrong(t *testing.T) {
	found := map[string]string{}
	for _, s := range formerly {
		for n := range uint64(40_000) {
			why, made, _ := s.broken(n%types, n)
			if why == "" {
				continue
			}
			kind, _, _ := strings.Cut(why, ":")
			what := s.name + " " + kind
			for _, option := range []string{",inline", ",unknown", ",format", ",nocase"} {
				if s.name == "JSON" && strings.Contains(why, option) && kind != "text" {
					what = "JSON options"
				}
			}
			switch made {
			case reflect.TypeFor[onPointer](), reflect.TypeFor[onPointerText](), reflect.TypeFor[big.Int]():
				if s.name == "JSON" {
					what = "JSON methods on pointers"
				}
			}
			if _, ok := found[what]; !ok {
				found[what] = fmt.Sprintf("%v: %s", made, why)
			}
		}
	}
	for _, what := range []string{"JSON options", "JSON methods", "JSON methods on pointers", "JSON any", "JSON unreadable", "JSON number", "JSON text", "JSON keys", "JSON time", "CBOR number", "CBOR keys", "CBOR unreadable", "CBOR time"} {
		if found[what] == "" {
			t.Errorf("not found: %s", what)
		}
		t.Logf("%s: %.200s", what, found[what])
	}
}

func FuzzCodecsTakeExactlyOrRefuse(f *testing.F) {
	for i := range uint64(200) {
		f.Add(i*17, i)
	}
	f.Fuzz(func(t *testing.T, typ, value uint64) {
		for _, s := range subjects {
			if why, made, _ := s.broken(typ, value); why != "" {
				t.Fatalf("%s: %v: %s", s.name, made, why)
			}
		}
	})
}

// What was read into an any, from whatever bytes, is refused or comes back.
func FuzzWhatWasReadIsTakenExactlyOrRefused(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5,-0,1e400,"x",null,true,{"":18446744073709551615}]}`, "\xa3\x01aaab\x02\x1b\xff\xff\xff\xff\xff\xff\xff\xff ", "\xc0t2026-01-02T03:04:05Z",
		"\xc2I@\x00\x00\x00\x00\x00\x00\x00\x00", "\xc1\xfb\x41\xd0\x00\x00\x00\x20\x00\x00", "\xd8\x20aa", "\x9f\x01\xff", "\xbf\xf9\x7e\x00\x01\xff", "\xf7", "\xe0", "\x42\x01\x02", "\xa1\x41\x00\x01", "\xa1\xf6\x01", "\xa1\x81\x01\x01", "\xa1\xc1\x01\x01", "0e0002170000000",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range subjects[:2] {
			for _, p := range []any{new(any), new(map[string]any), new(map[any]any), new([]any), new(recursive), new(anys)} {
				v := reflect.ValueOf(p).Elem()
				if s.check(v.Type()) != nil || s.decode(data, p) != nil {
					continue
				}
				again, err := s.encode(p)
				if err != nil {
					continue
				}
				back := reflect.New(v.Type())
				if err := s.decode(again, back.Interface()); err != nil {
					t.Fatalf("%s: %q is %#v, written %q, unreadable: %v", s.name, data, v, again, err)
				}
				if why := s.oracle.wrong(v, back.Elem(), ""); why != "" {
					t.Fatalf("%s: %q: %s", s.name, data, why)
				}
			}
		}
	})
}
