package cache

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// CBOR is the codec of RFC 8949: smaller than JSON, with byte strings as they are,
// times to the nanosecond with their distance from UTC, and floats apart from
// integers. An integer in an any comes back as an int64 if it is one, else a uint64,
// else a big.Int; a map whose keys are all text as a map[string]any.
//
// Counters are decimal text in every store, so a cache with this codec can
// Increment them but not Get them.
type CBOR struct{}

// Encode implements Codec.
func (c CBOR) Encode(v any) ([]byte, error) { return c.encodeAt(pointerTo(v)) }

func (CBOR) encodeAt(p any) ([]byte, error) {
	v := reflect.ValueOf(p).Elem()
	s := cborShape(v.Type())
	if err := s.check(v, depth{}); err != nil {
		return nil, err
	}
	data, err := cborWriting.Marshal(p)
	// What methods write, and tags, nest too, if there is enough of it for that.
	if err == nil && s.deep && len(data) > maxNesting {
		err = cborReading.Wellformed(data)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// Decode implements Codec.
func (CBOR) Decode(data []byte, v any) error {
	if cborReading.Unmarshal(data, v) == nil {
		return nil
	}
	// There may be an integer in an any that is no int64, or a map with keys that
	// are no text.
	p := reflect.ValueOf(v)
	if p.Kind() == reflect.Pointer && !p.IsNil() {
		p.Elem().SetZero()
	}
	if err := cborReadingAll.Unmarshal(data, v); err != nil {
		return err
	}
	cborShape(p.Type().Elem()).settle(p.Elem(), settleCBOR)
	return nil
}

func (CBOR) checkType(t reflect.Type) error { return cborShape(t).refusal() }

func cborShape(t reflect.Type) *shape {
	return shapeOf(cborGrammar{}, t, place{addressable: true})
}

var (
	cborShapes     shapeMemo
	cborWriting    = must(cbor.EncOptions{Time: cbor.TimeRFC3339Nano, TimeTag: cbor.EncTagRequired}.EncMode())
	cborReading    = must(readCBOR(cbor.IntDecConvertSignedOrFail, reflect.TypeFor[map[string]any]()).DecMode())
	cborReadingAll = must(readCBOR(cbor.IntDecConvertNone, nil).DecMode())
)

// readCBOR are the options of reading: what is written is read however long it is.
func readCBOR(integers cbor.IntDecMode, maps reflect.Type) cbor.DecOptions {
	return cbor.DecOptions{
		IntDec: integers, DefaultMapType: maps,
		MaxNestedLevels: maxNesting, MaxArrayElements: math.MaxInt32, MaxMapPairs: math.MaxInt32,
	}
}

// must is for options that are constants.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// settleCBOR gives integers and maps in x the types that the CBOR codec documents.
func settleCBOR(x any) any {
	switch x := x.(type) {
	case uint64:
		if x <= math.MaxInt64 {
			return int64(x)
		}
	case []any:
		for i := range x {
			x[i] = settleCBOR(x[i])
		}
	case map[any]any:
		byText := make(map[string]any, len(x))
		settled := make(map[any]any, len(x))
		for k, e := range x {
			e = settleCBOR(e)
			settled[settleCBOR(k)] = e
			if text, ok := k.(string); ok {
				byText[text] = e
			}
		}
		if len(byText) == len(x) {
			return byText
		}
		return settled
	}
	return x
}

// cborGrammar is that of fxamacker/cbor.
type cborGrammar struct{}

func (cborGrammar) memo() *shapeMemo { return &cborShapes }

func (cborGrammar) tag(f reflect.StructField) fieldTag { return cborTag(f) }

// inMap: the library copies what has no address to call methods on its pointer.
func (cborGrammar) inMap() bool { return true }

func (cborGrammar) marshal(v any) ([]byte, error) { return cborWriting.Marshal(v) }

func (cborGrammar) unmarshal(data []byte, v any) error { return cborReadingAll.Unmarshal(data, v) }

func (cborGrammar) leaf(t reflect.Type, p place) (shapeKind, error, bool) {
	switch t {
	case reflect.TypeFor[time.Time]():
		return timeShape, nil, true
	case reflect.TypeFor[big.Int]():
		return plainShape, nil, true
	case reflect.TypeFor[cbor.Tag]():
		return refusedShape, fmt.Errorf("what a %v holds cannot be read back as it was", t), true
	}
	switch t.Kind() {
	case reflect.Slice:
		if write, read := cborWays(t); t.Elem().Kind() == reflect.Uint8 && write == byKind && read == byKind {
			return plainShape, nil, true
		}
	case reflect.Uintptr:
		return refusedShape, fmt.Errorf("type %v cannot be stored", t), true
	case reflect.Float32, reflect.Float64:
		if write, read := cborWays(t); write == byKind && read == byKind {
			return plainShape, nil, true
		}
	}
	return 0, nil, false
}

func (cborGrammar) ways(t reflect.Type, p place) (write, read way) {
	if t.Kind() == reflect.Interface {
		return byKind, byKind
	}
	return cborWays(t)
}

var (
	typeCBORMarshaler     = reflect.TypeFor[cbor.Marshaler]()
	typeCBORUnmarshaler   = reflect.TypeFor[cbor.Unmarshaler]()
	typeBinaryMarshaler   = reflect.TypeFor[encoding.BinaryMarshaler]()
	typeBinaryUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

func cborWays(t reflect.Type) (write, read way) {
	p := reflect.PointerTo(t)
	switch {
	case p.Implements(typeCBORMarshaler):
		write = byMethod
	case p.Implements(typeBinaryMarshaler):
		write = byBinary
	}
	switch {
	case p.Implements(typeCBORUnmarshaler):
		read = byMethod
	case p.Implements(typeBinaryUnmarshaler):
		read = byBinary
	}
	if write == byKind && read == byBinary && t.Kind() != reflect.Slice {
		read = byKind // UnmarshalBinary is for byte strings
	}
	return write, read
}

func (cborGrammar) key(t reflect.Type, p place) (keyCheck, error) {
	k := t.Key()
	write, read := cborWays(k)
	if write == byKind && read == byKind {
		switch k.Kind() {
		case reflect.String:
			return keyText, nil
		case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
			reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			return keyPlain, nil
		}
	}
	switch {
	case p.generic, k.Kind() == reflect.Interface && k.NumMethod() == 0:
		return keyUnique, nil
	case k.Kind() == reflect.Pointer, k.Kind() == reflect.Interface, k.Kind() == reflect.Chan:
		return 0, fmt.Errorf("the keys of %v do not come back as they are", t)
	}
	return keyOwn, nil
}

func (cborGrammar) float(float64, int, place) error { return nil }

func (cborGrammar) time(t time.Time, p place) error {
	if t.IsZero() {
		// It is written as null.
		if _, offset := t.Zone(); offset != 0 {
			return errors.New("the zero time has a zone, which would be lost")
		}
		if p.generic {
			return errZeroTime
		}
		return nil
	}
	return checkTime(t)
}

func (cborGrammar) raw(data []byte, p place) error {
	if p.generic {
		var x any
		return cborReadingAll.Unmarshal(data, &x)
	}
	return cborReading.Wellformed(data)
}

func (cborGrammar) simple(*shape) bool { return false }
