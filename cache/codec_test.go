package cache

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// decoded is a value with what programs put into theirs.
type decoded struct {
	ID     int64             `json:"id"`
	Name   string            `json:"name,omitempty"`
	Rate   float64           `json:"rate"`
	Tags   []string          `json:"tags"`
	Notes  map[string]any    `json:"notes"`
	Labels map[string]string `json:"labels"`
	Since  time.Time         `json:"since"`
	Data   []byte            `json:"data"`
	Next   *decoded          `json:"next"`
	Raw    json.RawMessage   `json:"raw"`
	Price  json.Number       `json:"price,omitempty"`
	Plain  bool
}

// simple is a value of the types that are read in half the time.
type simple struct {
	ID     int64             `json:"id"`
	Name   string            `json:"name,omitempty"`
	Rate   float32           `json:"rate"`
	Tags   []string          `json:"tags"`
	Labels map[string]string `json:"labels"`
	Since  time.Time         `json:"since"`
	Data   []byte            `json:"data"`
	Next   *simple           `json:"next"`
	Plain  bool
	Took   time.Duration
	Counts map[string][]uint8
	Base
	Array [2]int
	Hash  [3]byte
	Flags [1]*bool
	Deep  [][]map[string][]float64
}

// Base is embedded.
type Base struct {
	Owner string `json:"owner,omitempty"`
	Level
}

// Level is embedded in what is embedded.
type Level struct{ Depth uint16 }

// The JSON codec takes and gives what encoding/json does, whatever is stored,
// numbers in an any aside.
func FuzzJSONDecodesAsTheStandardLibraryDoes(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `""`, ` {"id":1} `, `{"id":1}x`, `{"id":1,"ID":2}`, `{"NAME":"A\u00e9\ud800"}`, `{"rate":1e400}`, `{"id":1.5}`,
		`{"tags":["a",null,"\u2028"],"notes":{"a":[1,{"b":2.5}],"a":3},"labels":{"":"x"}}`, `{"since":"2026-01-02T03:04:05Z","data":"aGk="}`,
		`{"next":{"next":null,"raw":[1, 2]}}`, `{"price":1.50,"next":{"price":2}}`, `{"price":"x"}`, "{\"name\":\"\xff\"}", `{"plain":true}`, `{"Plain":1}`, `[1,2`, `12345678901234567890`, `{"id":"1"}`,
		`-0`, `[9007199254740993,18446744073709551615,18446744073709551616,-9223372036854775809,0.1,1.50,1e2,1E-400,123456789012345678901234567890.5]`, `1 2`, `{"Took":1,"Counts":{"a":"AA==","A":null}}`,
		`{"owner":"a","OWNER":"b","Depth":7,"depth":70000,"Array":[1],"Hash":[1,2,3,4],"Flags":[null],"Deep":[[{"a":[1.5,null]}]]}`, `{"Array":[1,2,3],"Array":[5],"Hash":"AAAA","Flags":[true],"Base":{},"Level":{"Depth":1}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		decodesAlike(t, data, new(decoded), new(decoded))
		decodesAlike(t, data, new(simple), new(simple))
		decodesAlike(t, data, new(any), new(any))
		decodesAlike(t, data, new(map[string]any), new(map[string]any))
		decodesAlike(t, data, new(map[string]int), new(map[string]int))
		decodesAlike(t, data, new([]simple), new([]simple))
	})
}

func decodesAlike(t *testing.T, data []byte, got, want any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	wantErr := d.Decode(want)
	if wantErr == nil && !json.Valid(data) {
		wantErr = errors.New("more than one value")
	}
	err := JSON{}.Decode(data, got)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%q into %T: %v, and encoding/json: %v", data, got, err, wantErr)
	}
	if err != nil {
		return
	}
	if w, ok := want.(*decoded); ok {
		for g := got.(*decoded); g != nil && w != nil; g, w = g.Next, w.Next {
			numbersAlike(t, g.Notes, w.Notes)
			g.Notes, w.Notes = nil, nil
		}
	} else if numbersAlike(t, reflect.ValueOf(got).Elem().Interface(), reflect.ValueOf(want).Elem().Interface()) {
		return
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: %+v, and encoding/json: %+v", data, got, want)
	}
}

// numbersAlike compares what stands in an any with what encoding/json makes of it
// under UseNumber. false: they are of other types.
func numbersAlike(t *testing.T, got, want any) bool {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(want) || (g == nil) != (want == nil) {
			t.Fatalf("%#v, and encoding/json: %#v", got, want)
		}
		for k := range want {
			numbersAlike(t, g[k], want[k])
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			t.Fatalf("%#v, and encoding/json: %#v", got, want)
		}
		for i := range want {
			numbersAlike(t, g[i], want[i])
		}
	case json.Number:
		if why := wrongNumber(got, string(want)); why != "" {
			t.Fatalf("%s is %T %v: %s", want, got, got, why)
		}
	case nil, bool, string:
		if got != want {
			t.Fatalf("%#v, and encoding/json: %#v", got, want)
		}
	default:
		return false
	}
	return true
}

// wrongNumber says why got is not what the text of a number has to come back as.
func wrongNumber(got any, text string) string {
	if n, ok := new(big.Int).SetString(text, 10); ok && text != "-0" {
		switch {
		case n.IsInt64():
			if got != n.Int64() {
				return "want an int64"
			}
			return ""
		case n.IsUint64():
			if got != n.Uint64() {
				return "want a uint64"
			}
			return ""
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	exact := err == nil && (f == 0) == (strings.Trim(mantissa, "-0.") == "")
	if exact && f != 0 {
		// Big exponents would take big.Rat for ever; ParseFloat has bounded them.
		a, ok := new(big.Rat).SetString(text)
		b, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
		exact = ok && a.Cmp(b) == 0
	}
	if exact {
		if g, ok := got.(float64); !ok || math.Float64bits(g) != math.Float64bits(f) {
			return "want a float64"
		}
		return ""
	}
	if got != json.Number(text) {
		return "want a json.Number"
	}
	return ""
}

// The errors of reading are those of encoding/json.
func TestJSONErrorsAreTheStandardLibrarys(t *testing.T) {
	var n int
	var syntax *json.SyntaxError
	if err := (JSON{}).Decode([]byte("{"), &n); !errors.As(err, &syntax) {
		t.Errorf("half a value: %T", err)
	}
	var kind *json.UnmarshalTypeError
	if err := (JSON{}).Decode([]byte(`"1"`), &n); !errors.As(err, &kind) {
		t.Errorf("a string for a number: %T", err)
	}
}
