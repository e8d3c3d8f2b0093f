package cache

import (
	"fmt"
	"reflect"
)

// Codec turns values into bytes and back. It is safe for concurrent use.
//
// A codec takes a value as it was meant, so that Decode gives an equal one, or
// Encode refuses it with an error that says why. The codecs of this package do;
// docs/codecs.md lists what "equal" leaves out.
type Codec interface {
	// Encode returns bytes that the codec does not change afterwards.
	Encode(v any) ([]byte, error)
	// Decode fills v, a pointer, and keeps no reference to data.
	Decode(data []byte, v any) error
}

// exact is what the codecs of this package can do beyond Codec.
type exact interface {
	Codec
	// checkType returns why values of type t cannot be stored, or nil.
	checkType(t reflect.Type) error
	// encodeAt encodes the value that p points to. Unlike Encode it knows the
	// type that Decode will fill, also where that type is an interface.
	encodeAt(p any) ([]byte, error)
}

// exactOf returns c if it is a codec of this package, else nil. It does not ask
// for the interface: a type that embeds one of these codecs has its methods too,
// and they would go past what that type does.
func exactOf(c Codec) exact {
	switch c := c.(type) {
	case JSON:
		return c
	case *JSON:
		return c
	case CBOR:
		return c
	case *CBOR:
		return c
	case Raw:
		return c
	case *Raw:
		return c
	case Compressed:
		return c
	case *Compressed:
		return c
	}
	return nil
}

// encodeAt encodes what p points to with any codec.
func encodeAt(c Codec, p any) ([]byte, error) {
	if e := exactOf(c); e != nil {
		return e.encodeAt(p)
	}
	return c.Encode(reflect.ValueOf(p).Elem().Interface())
}

// pointerTo returns a pointer to a copy of v, whose type is a pointer to v's.
func pointerTo(v any) any {
	if v == nil {
		return new(any)
	}
	p := reflect.New(reflect.TypeOf(v))
	p.Elem().Set(reflect.ValueOf(v))
	return p.Interface()
}

// Raw stores []byte and string as they are, and no other types. It copies both
// ways, so that a caller may do as it likes with its own slice. A nil slice comes
// back empty.
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

func (Raw) checkType(t reflect.Type) error {
	if t == reflect.TypeFor[[]byte]() || t == reflect.TypeFor[string]() {
		return nil
	}
	return fmt.Errorf("the raw codec takes []byte and string only")
}

func (r Raw) encodeAt(p any) ([]byte, error) {
	switch p := p.(type) {
	case *[]byte:
		return r.Encode(*p)
	case *string:
		return r.Encode(*p)
	}
	return r.Encode(reflect.ValueOf(p).Elem().Interface())
}

// codecFor is the codec of a cache whose options name none.
func codecFor[V any]() Codec {
	switch any((*V)(nil)).(type) {
	case *[]byte, *string:
		return Raw{}
	}
	return JSON{}
}
