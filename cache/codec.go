package cache

import (
	"encoding/json"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// Codec turns values into bytes and back. It is safe for concurrent use.
type Codec interface {
	// Encode returns bytes that the codec does not change afterwards.
	Encode(v any) ([]byte, error)
	// Decode fills v, a pointer, and keeps no reference to data.
	Decode(data []byte, v any) error
}

// JSON is the default codec. Numbers in a Cache[any] come back as float64, as
// encoding/json has it.
type JSON struct{}

// Encode implements Codec.
func (JSON) Encode(v any) ([]byte, error) { return json.Marshal(v) }

// Decode implements Codec. It decodes as encoding/json does, and most structs in
// about half the time.
func (JSON) Decode(data []byte, v any) error {
	if jsonv2.Unmarshal(data, v, asStandard) == nil {
		return nil
	}
	return json.Unmarshal(data, v) // or its errors would be of other types
}

// asStandard are the options under which JSON is what it is to encoding/json,
// whose Number is not known otherwise.
var asStandard = jsonv2.JoinOptions(jsonv1.DefaultOptionsV1(), jsonv2.WithUnmarshalers(
	jsonv2.UnmarshalFunc(func(data []byte, n *json.Number) error { return json.Unmarshal(data, n) }),
))

// CBOR is the codec of RFC 8949: smaller than JSON, with byte strings and
// times as they are. Counters are decimal text in every store, so a cache with
// this codec can Increment them but not Get them.
type CBOR struct{}

// Encode implements Codec.
func (CBOR) Encode(v any) ([]byte, error) { return cbor.Marshal(v) }

// Decode implements Codec.
func (CBOR) Decode(data []byte, v any) error { return cbor.Unmarshal(data, v) }

// Raw stores []byte and string as they are. It copies both ways, so that a
// caller may do as it likes with its own slice.
type Raw struct{}

// Encode implements Codec.
func (Raw) Encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return append([]byte{}, v...), nil
	case string:
		return []byte(v), nil
	}
	return nil, fmt.Errorf("cache: the raw codec takes []byte and string, not %T", v)
}

// Decode implements Codec.
func (Raw) Decode(data []byte, v any) error {
	switch v := v.(type) {
	case *[]byte:
		*v = append([]byte{}, data...)
		return nil
	case *string:
		*v = string(data)
		return nil
	}
	return fmt.Errorf("cache: the raw codec gives []byte and string, not %T", v)
}

// codecFor is the codec of a cache whose options name none.
func codecFor[V any]() Codec {
	switch any((*V)(nil)).(type) {
	case *[]byte, *string:
		return Raw{}
	}
	return JSON{}
}
