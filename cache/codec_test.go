package cache

import (
	"encoding/json"
	"errors"
	"reflect"
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

// The JSON codec takes and gives what encoding/json does, whatever is stored.
func FuzzJSONDecodesAsTheStandardLibraryDoes(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `""`, ` {"id":1} `, `{"id":1}x`, `{"id":1,"ID":2}`, `{"NAME":"A\u00e9\ud800"}`, `{"rate":1e400}`, `{"id":1.5}`,
		`{"tags":["a",null,"\u2028"],"notes":{"a":[1,{"b":2.5}],"a":3},"labels":{"":"x"}}`, `{"since":"2026-01-02T03:04:05Z","data":"aGk="}`,
		`{"next":{"next":null,"raw":[1, 2]}}`, `{"price":1.50,"next":{"price":2}}`, `{"price":"x"}`, "{\"name\":\"\xff\"}", `{"plain":true}`, `{"Plain":1}`, `[1,2`, `12345678901234567890`, `{"id":"1"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		decodesAlike(t, data, new(decoded), new(decoded))
		decodesAlike(t, data, new(any), new(any))
		decodesAlike(t, data, new(map[string]int), new(map[string]int))
	})
}

func decodesAlike(t *testing.T, data []byte, got, want any) {
	t.Helper()
	err, wantErr := JSON{}.Decode(data, got), json.Unmarshal(data, want)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%q into %T: %v, and encoding/json: %v", data, got, err, wantErr)
	}
	if err == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: %+v, and encoding/json: %+v", data, got, want)
	}
}

// What is wrong with a value is told by the errors of encoding/json.
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
