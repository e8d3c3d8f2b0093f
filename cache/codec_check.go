package cache

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// maxNesting is how deep objects, arrays and maps may stand in each other: what
// encoding/json reads.
const maxNesting = 10_000

// maxHops bounds what refers to itself without nesting.
const maxHops = 3 * maxNesting

var (
	errNotUTF8  = errors.New("the text is not UTF-8")
	errTooDeep  = fmt.Errorf("it nests deeper than %d levels, or refers to itself", maxNesting)
	errRefuses  = errors.New("its methods do not read what they write")
	errLosing   = errors.New("it would come back as another value")
	errHidden   = errors.New("it is hidden by another field of the same name, and would be lost")
	errZeroTime = errors.New("the zero time cannot be told from nil here")
)

// depth is how deep a value stands.
type depth struct {
	nested int // in lists, structs and maps
	hops   int // and behind pointers and interfaces
}

func (d depth) hop() depth { return depth{d.nested, d.hops + 1} }

func (d depth) nest() depth { return depth{d.nested + 1, d.hops + 1} }

// check returns why v would not come back as it is, with the path of the part.
func (s *shape) check(v reflect.Value, d depth) error {
	if !s.live {
		return nil
	}
	if d.nested > maxNesting || d.hops > maxHops {
		return errTooDeep
	}
	switch s.kind {
	case textShape:
		if !utf8.ValidString(v.String()) {
			return errNotUTF8
		}
	case floatShape:
		return s.g.float(v.Float(), v.Type().Bits(), s.place)
	case timeShape:
		return s.g.time(v.Interface().(time.Time), s.place)
	case numberShape:
		return checkNumber(json.Number(v.String()))
	case rawShape:
		return checkRaw(s.g, v.Bytes(), v.IsNil(), s.place)
	case structShape:
		return s.checkStruct(v, d.nest())
	case listShape:
		if v.Kind() == reflect.Slice && v.IsNil() {
			return nil
		}
		if d = d.nest(); d.nested > maxNesting {
			return errTooDeep
		}
		for i := range v.Len() {
			if err := s.elem.check(v.Index(i), d); err != nil {
				return at("["+strconv.Itoa(i)+"]", err)
			}
		}
	case mapShape:
		return s.checkMap(v, d.nest())
	case pointerShape:
		if v.IsNil() {
			return nil
		}
		if s.elem.kind == timeShape && v.Elem().Interface().(time.Time).IsZero() {
			// Where the zero time is written as null, the pointer comes back nil.
			p := s.place
			p.generic = true
			if err := s.g.time(time.Time{}, p); err != nil {
				return err
			}
		}
		return s.elem.check(v.Elem(), d.hop())
	case anyShape:
		if v.IsNil() {
			return nil
		}
		return checkAny(s.g, v.Interface(), d.hop())
	case ownShape:
		return s.checkOwn(v)
	case emptyShape, refusedShape:
		return s.reason()
	}
	return nil
}

func (s *shape) checkStruct(v reflect.Value, d depth) error {
	if d.nested > maxNesting {
		return errTooDeep
	}
	for i := range s.parts {
		p := &s.parts[i]
		if !p.live {
			continue
		}
		f, ok := fieldByIndex(v, p.index)
		if !ok {
			continue
		}
		if err := p.check(f, d); err != nil {
			return at("."+p.where, err)
		}
	}
	for _, p := range s.lost {
		if f, ok := fieldByIndex(v, p.index); ok && !isZero(f) {
			return at("."+p.where, errHidden)
		}
	}
	return nil
}

// isZero is v.IsZero that tells -0 from 0.
func isZero(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		return math.Float64bits(v.Float()) == 0
	case reflect.Struct:
		for i := range v.NumField() {
			if !isZero(v.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Array:
		for i := range v.Len() {
			if !isZero(v.Index(i)) {
				return false
			}
		}
		return true
	}
	return v.IsZero()
}

func (s *shape) checkMap(v reflect.Value, d depth) error {
	if v.IsNil() {
		return nil
	}
	if d.nested > maxNesting {
		return errTooDeep
	}
	if m, ok := v.Interface().(map[string]any); ok {
		return checkObject(s.g, m, d)
	}
	var written map[string]bool
	for it := v.MapRange(); it.Next(); {
		k := it.Key()
		var err error
		switch s.key {
		case keyText:
			if !utf8.ValidString(k.String()) {
				err = errNotUTF8
			}
		case keyOwn, keyUnique:
			if written == nil {
				written = make(map[string]bool, v.Len())
			}
			err = s.checkKey(k, written)
		}
		if err == nil {
			err = s.elem.check(it.Value(), d)
		}
		if err != nil {
			return at(keyStep(k), err)
		}
	}
	return nil
}

// checkAny is check for what stands in an any; most of that needs no reflection.
func checkAny(g grammar, x any, d depth) error {
	switch x := x.(type) {
	case nil, bool, int, int64, uint64:
		return nil
	case string:
		if !utf8.ValidString(x) {
			return errNotUTF8
		}
		return nil
	case float64:
		return g.float(x, 64, place{generic: true})
	case []any:
		if d = d.nest(); d.nested > maxNesting || d.hops > maxHops {
			return errTooDeep
		}
		for i, e := range x {
			if err := checkAny(g, e, d); err != nil {
				return at("["+strconv.Itoa(i)+"]", err)
			}
		}
		return nil
	case map[string]any:
		return checkObject(g, x, d.nest())
	}
	v := reflect.ValueOf(x)
	return shapeOf(g, v.Type(), place{g.inMap(), true}).check(v, d)
}

func checkObject(g grammar, m map[string]any, d depth) error {
	if d.nested > maxNesting || d.hops > maxHops {
		return errTooDeep
	}
	for k, e := range m {
		var err error
		if !utf8.ValidString(k) {
			err = errNotUTF8
		} else {
			err = checkAny(g, e, d)
		}
		if err != nil {
			return at(keyStep(reflect.ValueOf(k)), err)
		}
	}
	return nil
}

// keyStep is a map's key in a path, cut if it is long.
func keyStep(k reflect.Value) string {
	for k.Kind() == reflect.Interface && !k.IsNil() {
		k = k.Elem()
	}
	if k.Kind() != reflect.String {
		return "[" + k.Type().String() + "]"
	}
	const most = 40
	text := k.String()
	if len(text) > most {
		text = text[:most] + "…"
	}
	return "[" + strconv.Quote(text) + "]"
}

// checkKey writes a map of this one key, and reads it.
func (s *shape) checkKey(k reflect.Value, written map[string]bool) error {
	if m, ok := k.Interface().(encoding.TextMarshaler); ok && k.Kind() != reflect.String {
		if text, err := m.MarshalText(); err == nil && !utf8.Valid(text) {
			return errNotUTF8
		}
	}
	for e := k; ; e = e.Elem() {
		if e.Kind() == reflect.String && !utf8.ValidString(e.String()) {
			return errNotUTF8
		}
		if e.Kind() != reflect.Interface || e.IsNil() {
			break
		}
	}
	one := reflect.MakeMap(reflect.MapOf(s.t.Key(), reflect.TypeFor[bool]()))
	one.SetMapIndex(k, reflect.ValueOf(true))
	data, err := s.g.marshal(one.Interface())
	if err != nil {
		return err
	}
	if s.key == keyUnique {
		if written[string(data)] {
			return errors.New("another key is written in the same way")
		}
		written[string(data)] = true
		var back any
		if err := s.g.unmarshal(data, &back); err != nil {
			return fmt.Errorf("the key cannot be read back: %w", err)
		}
		if m, ok := back.(map[any]any); ok {
			for k := range m {
				switch k := k.(type) {
				case string, bool, int64, uint64:
				case float64:
					if k != k {
						return errors.New("a NaN cannot be found as a key")
					}
				default:
					return fmt.Errorf("the key would come back as a %T", k)
				}
			}
		}
		return nil
	}
	back := reflect.New(one.Type())
	if err := s.g.unmarshal(data, back.Interface()); err != nil {
		return fmt.Errorf("the key cannot be read back: %w", err)
	}
	if !back.Elem().MapIndex(k).IsValid() {
		return errors.New("the key would come back as another")
	}
	return nil
}

// checkOwn calls the methods of a type: what they write must be read.
func (s *shape) checkOwn(v reflect.Value) error {
	p := reflect.New(s.t)
	p.Elem().Set(v)
	arg := p.Interface()
	if !s.place.addressable {
		arg = v.Interface()
	}
	if s.write == byText {
		if m, ok := arg.(encoding.TextMarshaler); ok {
			if text, err := m.MarshalText(); err == nil && !utf8.Valid(text) {
				return errNotUTF8
			}
		}
	}
	data, err := s.g.marshal(arg)
	if err != nil {
		return err
	}
	if err := s.g.raw(data, s.place); err != nil {
		return err
	}
	if s.place.generic && !s.compare {
		return nil
	}
	back := reflect.New(s.t)
	if err := s.g.unmarshal(data, back.Interface()); err != nil {
		return fmt.Errorf("%w: %w", errRefuses, err)
	}
	if s.compare && !sameValue(v, back.Elem(), 0) || !s.compare && !s.keeps(v, back, arg, data) {
		return fmt.Errorf("type %v: %w", s.t, errLosing)
	}
	return nil
}

// keeps reports whether the methods of a type keep what they mean to: back is equal
// to v, or is written in the same way. Nothing can be said where v itself is not
// always written in one way, as in the order of a map.
func (s *shape) keeps(v, back reflect.Value, arg any, data []byte) bool {
	if reflect.DeepEqual(v.Interface(), back.Elem().Interface()) {
		return true
	}
	again := back.Interface()
	if !s.place.addressable {
		again = back.Elem().Interface()
	}
	if other, err := s.g.marshal(again); err == nil && bytes.Equal(other, data) {
		return true
	}
	for range 16 {
		if other, err := s.g.marshal(arg); err != nil || !bytes.Equal(other, data) {
			return true
		}
	}
	return false
}

func checkRaw(g grammar, data []byte, isNil bool, p place) error {
	if isNil {
		return nil
	}
	if !json.Valid(data) {
		return errors.New("the raw message is not JSON")
	}
	return g.raw(data, p)
}

// checkTime returns why RFC 3339 cannot hold t: encoding/json would cut the
// seconds of a zone like that of Amsterdam before 1937 and move the time by them.
func checkTime(t time.Time) error {
	_, offset := t.Zone()
	switch {
	case t.Year() < 0 || t.Year() > 9999:
		return fmt.Errorf("the year %d is not within 0 and 9999", t.Year())
	case offset%60 != 0:
		return fmt.Errorf("the zone is %v from UTC, which is not a number of minutes", time.Duration(offset)*time.Second)
	case offset <= -24*60*60 || offset >= 24*60*60:
		return fmt.Errorf("the zone is %v from UTC, which is a day or more", time.Duration(offset)*time.Second)
	}
	return nil
}
