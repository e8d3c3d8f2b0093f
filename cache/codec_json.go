package cache

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// JSON is the default codec. It writes and reads what encoding/json documents, in
// the same bytes, and refuses what would not come back: text that is not UTF-8, NaN
// and infinities, values of types that cannot be read. A number in an any comes back
// as an int64 if it is one, else a uint64, else a float64 if that has its value, else a
// json.Number. docs/codecs.md has the whole list.
//
// A value whose type has MarshalJSON or MarshalText is encoded twice and decoded once
// when it is stored.
type JSON struct{}

// Encode implements Codec.
func (c JSON) Encode(v any) ([]byte, error) { return c.encodeAt(pointerTo(v)) }

func (JSON) encodeAt(p any) ([]byte, error) {
	s := jsonShape(reflect.TypeOf(p).Elem())
	if err := s.check(reflect.ValueOf(p).Elem(), depth{}); err != nil {
		return nil, err
	}
	if s.agrees {
		return jsonv2.Marshal(p, jsonv1.DefaultOptionsV1())
	}
	data, err := json.Marshal(p)
	// What methods write nests too, if it is long enough for that.
	if err == nil && s.deep && len(data) > 2*maxNesting && !json.Valid(data) {
		return nil, errTooDeep
	}
	return data, err
}

// Decode implements Codec. Its errors are those of encoding/json.
func (JSON) Decode(data []byte, v any) error {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer || reflect.ValueOf(v).IsNil() {
		return json.Unmarshal(data, v)
	}
	s := jsonShape(t.Elem())
	switch {
	case s.agrees:
		if jsonv2.Unmarshal(data, v, jsonv1.DefaultOptionsV1()) == nil {
			return nil
		}
	case s.holds:
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if err := d.Decode(v); err != nil {
			break
		}
		if _, err := d.Token(); err == io.EOF {
			s.settle(reflect.ValueOf(v).Elem(), settleJSON)
			return nil
		}
	}
	return json.Unmarshal(data, v) // whose errors are known to programs
}

func (JSON) checkType(t reflect.Type) error { return jsonShape(t).refusal() }

func jsonShape(t reflect.Type) *shape {
	return shapeOf(jsonGrammar{}, t, place{addressable: true})
}

var jsonShapes shapeMemo

// jsonGrammar is what encoding/json documents.
type jsonGrammar struct{}

func (jsonGrammar) memo() *shapeMemo { return &jsonShapes }

func (jsonGrammar) tag(f reflect.StructField) fieldTag { return jsonTag(f) }

// inMap: encoding/json calls no method on a pointer for what a map or an interface
// holds.
func (jsonGrammar) inMap() bool { return false }

func (jsonGrammar) marshal(v any) ([]byte, error) { return json.Marshal(v) }

func (jsonGrammar) unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

func (jsonGrammar) leaf(t reflect.Type, p place) (shapeKind, error, bool) {
	switch t {
	case reflect.TypeFor[time.Time]():
		return timeShape, nil, true
	case reflect.TypeFor[json.Number]():
		return numberShape, nil, true
	case reflect.TypeFor[json.RawMessage]():
		return rawShape, nil, true
	}
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
		write, read := jsonWays(t, true)
		writeByte, readByte := jsonWays(t.Elem(), true)
		if write == byKind && read == byKind && writeByte == byKind && readByte == byKind {
			return plainShape, nil, true
		}
	}
	return 0, nil, false
}

func (jsonGrammar) ways(t reflect.Type, p place) (write, read way) {
	if t.Kind() == reflect.Interface {
		return byKind, byKind
	}
	return jsonWays(t, p.addressable)
}

var (
	typeMarshaler       = reflect.TypeFor[json.Marshaler]()
	typeUnmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	typeTextMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	typeTextUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func jsonWays(t reflect.Type, addressable bool) (write, read way) {
	has := func(method reflect.Type, addressable bool) bool {
		return t.Implements(method) || addressable && reflect.PointerTo(t).Implements(method)
	}
	switch {
	case has(typeMarshaler, addressable):
		write = byMethod
	case has(typeTextMarshaler, addressable):
		write = byText
	}
	switch {
	case has(typeUnmarshaler, true):
		read = byMethod
	case has(typeTextUnmarshaler, true):
		read = byText
	}
	return write, read
}

// key: encoding/json writes a key of kind string as it is, with MarshalText any
// other that has it, and reads with UnmarshalText all that have that.
func (jsonGrammar) key(t reflect.Type, p place) (keyCheck, error) {
	k := t.Key()
	reads := reflect.PointerTo(k).Implements(typeTextUnmarshaler)
	writes := k.Implements(typeTextMarshaler)
	switch k.Kind() {
	case reflect.String:
		if reads && !p.generic {
			return keyOwn, nil
		}
		return keyText, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if !reads && !writes {
			return keyPlain, nil
		}
	default:
		if !writes || !reads && !p.generic {
			return 0, fmt.Errorf("the keys of %v cannot be written and read as text", t)
		}
	}
	if p.generic {
		return keyUnique, nil
	}
	return keyOwn, nil
}

// float refuses, in an any, a whole number beyond 2^53 whose shortest text is that
// of another integer: as which it would come back.
func (jsonGrammar) float(f float64, bits int, p place) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Errorf("%v is no number of JSON", f)
	}
	if p.generic && f == math.Trunc(f) && (f >= 1<<24 || f <= -1<<24) && !sameNumber(jsonNumber(floatText(f, bits)), f) {
		return fmt.Errorf("%s would come back as another integer from an any", floatText(f, bits))
	}
	return nil
}

func (jsonGrammar) time(t time.Time, p place) error { return checkTime(t) }

func (jsonGrammar) raw(data []byte, p place) error {
	if !utf8.Valid(data) {
		return errNotUTF8
	}
	if p.generic && !jsontext.Value(data).IsValid() {
		return errors.New("it has a name twice, or half a surrogate pair")
	}
	return nil
}

// simple: kinds without methods and fields whose tags have nothing that only one
// of the two libraries knows.
func (jsonGrammar) simple(s *shape) bool {
	if s.place.generic || s.t.Kind() != reflect.Pointer && s.kind != timeShape && newer(s.t) {
		return false
	}
	switch s.kind {
	case plainShape, textShape, floatShape, timeShape, pointerShape, listShape:
		return true
	case mapShape:
		return s.t.Key().Kind() == reflect.String && s.key == keyText
	case structShape:
		for _, p := range s.parts {
			if !simpleTag(p.sf.Tag.Get("json")) {
				return false
			}
		}
		return len(s.lost) == 0 && !embedsOdd(s.t)
	}
	return false
}

// embedsOdd reports whether t embeds more than exported structs without a tag.
func embedsOdd(t reflect.Type) bool {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && (!f.IsExported() || f.Type.Kind() != reflect.Struct || f.Tag != "" || f.Type == reflect.TypeFor[time.Time]() || embedsOdd(f.Type)) {
			return true
		}
	}
	return false
}

func simpleTag(tag string) bool {
	name, options, _ := strings.Cut(tag, ",")
	for _, r := range name {
		if r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return options == "" || options == "omitempty"
}

// newer reports whether t has a method that go-json-experiment/json calls and
// encoding/json does not, or one that decides whether a field is written.
func newer(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[jsonv2.MarshalerTo]()) || p.Implements(reflect.TypeFor[jsonv2.UnmarshalerFrom]()) ||
		p.Implements(reflect.TypeFor[encoding.TextAppender]()) || p.Implements(reflect.TypeFor[interface{ IsZero() bool }]())
}
