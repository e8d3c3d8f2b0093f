package cache

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net/url"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
)

// oracle says whether what was read is what was written, by its own lights: it
// shares nothing with the codecs. What it lets pass is the list in docs/codecs.md.
type oracle struct{ cbor bool }

// wrong says how got differs from want, "" if it does not. Its first word is the
// kind of what differs.
func (o oracle) wrong(want, got reflect.Value, path string) string {
	t := want.Type()
	bad := func(kind string) string { return fmt.Sprintf("%s: %s: wrote %#v, read %#v", kind, path, want, got) }
	switch t {
	case reflect.TypeFor[time.Time]():
		a, b := want.Interface().(time.Time), got.Interface().(time.Time)
		_, x := a.Zone()
		_, y := b.Zone()
		if !a.Equal(b) || x != y {
			return bad("time")
		}
		return ""
	case reflect.TypeFor[big.Int](), reflect.TypeFor[big.Rat](), reflect.TypeFor[big.Float]():
		if fmt.Sprint(pointer(want)) != fmt.Sprint(pointer(got)) {
			return bad("methods")
		}
		return ""
	case reflect.TypeFor[json.Number]():
		if !o.cbor && want.Len() == 0 && got.String() == "0" {
			return ""
		}
	case reflect.TypeFor[json.RawMessage]():
		if !o.cbor {
			if compact, err := json.Marshal(want.Interface()); err != nil || !bytes.Equal(compact, got.Bytes()) {
				return bad("raw")
			}
			return ""
		}
	case reflect.TypeFor[url.URL]():
		if o.cbor {
			return "" // its methods say what it is
		}
	}
	switch want.Kind() {
	case reflect.Float32, reflect.Float64:
		if a, b := want.Float(), got.Float(); math.Float64bits(a) != math.Float64bits(b) && !(o.cbor && a != a && b != b) {
			return bad("number")
		}
		return ""
	case reflect.Slice, reflect.Array:
		if want.Len() != got.Len() || want.Kind() == reflect.Slice && want.IsNil() != got.IsNil() {
			return bad("list")
		}
		for i := range want.Len() {
			if why := o.wrong(want.Index(i), got.Index(i), path+fmt.Sprintf("[%d]", i)); why != "" {
				return why
			}
		}
		return ""
	case reflect.Map:
		return o.wrongMap(want, got, path)
	case reflect.Pointer:
		switch {
		case want.IsNil() && got.IsNil(), got.IsNil() && o.writesNull(want.Elem()):
			return ""
		case want.IsNil() || got.IsNil():
			return bad("pointer")
		}
		return o.wrong(want.Elem(), got.Elem(), path+"*")
	case reflect.Interface:
		if want.IsNil() {
			if !got.IsNil() {
				return bad("any")
			}
			return ""
		}
		if o.cbor {
			return o.wrongCBOR(want.Elem(), got.Interface(), path)
		}
		return wrongJSON(want.Elem(), got.Interface(), path)
	case reflect.Struct:
		return o.wrongStruct(want, got, path)
	}
	if want.Interface() != got.Interface() {
		if want.Kind() == reflect.String {
			return bad("text")
		}
		return bad("value")
	}
	return ""
}

func pointer(v reflect.Value) any {
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p.Interface()
}

func (o oracle) wrongMap(want, got reflect.Value, path string) string {
	bad := func(kind string) string { return fmt.Sprintf("%s: %s: wrote %#v, read %#v", kind, path, want, got) }
	if want.IsNil() != got.IsNil() || want.Len() != got.Len() {
		return bad("keys")
	}
	for it := want.MapRange(); it.Next(); {
		k := it.Key()
		e := got.MapIndex(k)
		if !e.IsValid() && k.Kind() == reflect.Interface {
			for other := got.MapRange(); other.Next() && !e.IsValid(); {
				if o.wrong(k, other.Key(), "") == "" {
					e = other.Value()
				}
			}
		}
		if !e.IsValid() {
			return bad("keys")
		}
		if why := o.wrong(it.Value(), e, path+fmt.Sprintf("[%v]", k)); why != "" {
			return why
		}
	}
	return ""
}

func (o oracle) wrongStruct(want, got reflect.Value, path string) string {
	t := want.Type()
	exported := false
	for i := range t.NumField() {
		f := t.Field(i)
		embedded := f.Anonymous && f.Type.Kind() == reflect.Struct
		if !f.IsExported() && !embedded || o.tag(f) == "-" {
			continue
		}
		exported = exported || f.IsExported()
		path := fmt.Sprintf("%s.%s{%s}", path, f.Name, f.Tag)
		a, b := want.Field(i), got.Field(i)
		switch {
		case !f.IsExported():
			if why := o.wrongStruct(a, b, path); why != "" {
				return why
			}
			continue
		case o.omitted(f, a) && b.IsZero():
			continue
		case f.Anonymous && a.Kind() == reflect.Pointer && !a.IsNil() && b.IsNil() && o.allOmitted(a.Elem()):
			continue
		}
		if why := o.wrong(a, b, path); why != "" {
			return why
		}
	}
	if t.NumField() > 0 && !exported && !reflect.DeepEqual(want.Interface(), got.Interface()) {
		return fmt.Sprintf("methods: %s: wrote %#v, read %#v", path, want, got)
	}
	return ""
}

func (o oracle) tag(f reflect.StructField) string {
	if tag := f.Tag.Get("cbor"); o.cbor && tag != "" {
		return tag
	}
	return f.Tag.Get("json")
}

// omitted reports whether the field is left out for being empty or zero.
func (o oracle) omitted(f reflect.StructField, v reflect.Value) bool {
	_, options, _ := strings.Cut(o.tag(f), ",")
	for _, option := range strings.Split(options, ",") {
		switch option {
		case "omitempty":
			switch v.Kind() {
			case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
				if v.Len() == 0 {
					return true
				}
			case reflect.Struct:
				if o.cbor && v.Type() != reflect.TypeFor[time.Time]() && o.allOmitted(v) {
					return true
				}
			default:
				if v.IsZero() {
					return true
				}
				if (v.Kind() == reflect.Float64 || v.Kind() == reflect.Float32) && v.Float() == 0 {
					return o.cbor
				}
			}
		case "omitzero":
			if z, ok := v.Interface().(interface{ IsZero() bool }); ok && (v.Kind() != reflect.Pointer || !v.IsNil()) && z.IsZero() || v.IsZero() {
				return true
			}
		}
	}
	return false
}

func (o oracle) allOmitted(v reflect.Value) bool {
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && o.tag(f) != "-" && !o.omitted(f, v.Field(i)) {
			return false
		}
	}
	return true
}

// writesNull reports whether v is written as null, as which a pointer to it reads.
func (o oracle) writesNull(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || o.writesNull(v.Elem())
	case reflect.Slice:
		return v.IsNil() || !o.cbor && v.Type() == reflect.TypeFor[json.RawMessage]() && string(v.Bytes()) == "null"
	case reflect.Map:
		return v.IsNil()
	}
	return false
}

// wrongJSON is for what stands in an any.
func wrongJSON(want reflect.Value, got any, path string) string {
	bad := func(kind string) string { return fmt.Sprintf("%s: %s: wrote %#v, read %#v", kind, path, want, got) }
	if kind := lost(want, false); kind != "" {
		return bad(kind)
	}
	switch want.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !want.IsNil() && want.Type().NumMethod() == 0 {
			return wrongJSON(want.Elem(), got, path)
		}
	case reflect.Float32, reflect.Float64:
		if want.Type().NumMethod() > 0 {
			break
		}
		back, exact := numeric(got)
		_, real := got.(float64)
		f := want.Float()
		// A float32 is written as the shortest text that is it, so what is read is
		// the float64 of that text.
		if !exact || back != f && !(real && want.Kind() == reflect.Float32 && float32(back) == float32(f)) {
			return bad("number")
		}
	case reflect.Slice:
		if g, ok := got.([]any); ok && want.Type() == reflect.TypeFor[[]any]() && want.Len() == len(g) {
			for i := range g {
				if why := wrongAny(want.Index(i), g[i], path+"[]"); why != "" {
					return why
				}
			}
			return ""
		}
	case reflect.Map:
		if g, ok := got.(map[string]any); ok && want.Type() == reflect.TypeFor[map[string]any]() && want.Len() == len(g) {
			for it := want.MapRange(); it.Next(); {
				if why := wrongAny(it.Value(), g[it.Key().String()], path+"[]"); why != "" {
					return why
				}
			}
			return ""
		}
	}
	data, err := json.Marshal(want.Interface())
	if err != nil {
		return bad("refused")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil || !likeTree(got, tree) {
		return bad("any")
	}
	return ""
}

func wrongAny(want reflect.Value, got any, path string) string {
	if want.IsNil() {
		if got != nil {
			return fmt.Sprintf("any: %s: wrote nil, read %#v", path, got)
		}
		return ""
	}
	return wrongJSON(want.Elem(), got, path)
}

// numeric is a number as a float64, and whether it is that exactly.
func numeric(x any) (float64, bool) {
	switch x := x.(type) {
	case float64:
		return x, true
	case int64:
		f := float64(x)
		return f, big.NewFloat(f).Cmp(new(big.Float).SetInt64(x)) == 0
	case uint64:
		f := float64(x)
		return f, big.NewFloat(f).Cmp(new(big.Float).SetUint64(x)) == 0
	}
	return 0, false
}

func likeTree(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for k := range want {
			if e, ok := g[k]; !ok || !likeTree(e, want[k]) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for i := range want {
			if !likeTree(g[i], want[i]) {
				return false
			}
		}
		return true
	case json.Number:
		return wrongNumber(got, string(want)) == ""
	}
	return got == want
}

// lost says what of v encoding/json would drop or change without an error.
func lost(v reflect.Value, addressable bool) string {
	t := v.Type()
	if w, isPointer := jsonMethods(t), t.Kind() == reflect.Pointer; w || isPointer {
		if t == reflect.TypeFor[time.Time]() {
			if _, offset := v.Interface().(time.Time).Zone(); offset%60 != 0 {
				return "time"
			}
		}
		if e, ok := v.Interface().(embedsTime); ok && e.Note != "" {
			return "methods"
		}
		if w {
			return ""
		}
		if v.IsNil() {
			return ""
		}
		return lost(v.Elem(), true)
	}
	if jsonMethods(reflect.PointerTo(t)) {
		if !addressable {
			return "methods"
		}
		return ""
	}
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return "text"
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if why := lost(v.Index(i), addressable || v.Kind() == reflect.Slice); why != "" {
				return why
			}
		}
	case reflect.Map:
		if data, err := json.Marshal(v.Interface()); err == nil {
			var m map[string]json.RawMessage
			if json.Unmarshal(data, &m) == nil && len(m) != v.Len() {
				return "keys"
			}
		}
		for it := v.MapRange(); it.Next(); {
			if why := lost(it.Key(), false); why != "" && it.Key().Kind() == reflect.String {
				return why
			}
			if why := lost(it.Value(), false); why != "" {
				return why
			}
		}
	case reflect.Interface:
		if !v.IsNil() {
			return lost(v.Elem(), false)
		}
	case reflect.Struct:
		exported := t.NumField() == 0
		for i := range v.NumField() {
			f := t.Field(i)
			if f.IsExported() || f.Anonymous {
				exported = true
			}
			if f.IsExported() && f.Tag.Get("json") != "-" {
				if why := lost(v.Field(i), addressable); why != "" && !(f.Anonymous && why == "methods") {
					return why
				}
			}
		}
		if !exported {
			return "methods"
		}
	}
	return ""
}

func jsonMethods(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]())
}

// wrongCBOR is for what stands in an any.
func (o oracle) wrongCBOR(want reflect.Value, got any, path string) string {
	bad := func(kind string) string { return fmt.Sprintf("%s: %s: wrote %#v, read %#v", kind, path, want, got) }
	same := func(ok bool, kind string) string {
		if ok {
			return ""
		}
		return bad(kind)
	}
	p := reflect.PointerTo(want.Type())
	switch {
	case want.Type() == reflect.TypeFor[cbor.SimpleValue](), want.Type() == reflect.TypeFor[cbor.ByteString]():
		return same(got == want.Interface(), "value")
	case want.Type() == reflect.TypeFor[time.Time]():
		g, ok := got.(time.Time)
		if !ok {
			return bad("time")
		}
		return o.wrong(want, reflect.ValueOf(g), path)
	case want.Type() == reflect.TypeFor[big.Int]():
		n := want.Interface().(big.Int)
		switch {
		case n.IsInt64():
			return same(got == n.Int64(), "number")
		case n.IsUint64():
			return same(got == n.Uint64(), "number")
		}
		g, ok := got.(big.Int)
		return same(ok && g.Cmp(&n) == 0, "number")
	case p.Implements(reflect.TypeFor[interface{ MarshalBinary() ([]byte, error) }]()) && want.Kind() != reflect.Pointer:
		if e, ok := want.Interface().(embedsTime); ok && e.Note != "" {
			return bad("methods")
		}
		_, ok := got.([]byte)
		return same(ok, "any")
	}
	switch want.Kind() {
	case reflect.Pointer, reflect.Interface:
		if want.IsNil() {
			return same(got == nil, "any")
		}
		return o.wrongCBOR(want.Elem(), got, path+"*")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return same(got == want.Int(), "number")
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if want.Uint() <= math.MaxInt64 {
			return same(got == int64(want.Uint()), "number")
		}
		return same(got == want.Uint(), "number")
	case reflect.Float32, reflect.Float64:
		g, ok := got.(float64)
		return same(ok && (math.Float64bits(g) == math.Float64bits(want.Float()) || g != g && want.Float() != want.Float()), "number")
	case reflect.String:
		return same(got == want.String(), "text")
	case reflect.Bool:
		return same(got == want.Bool(), "any")
	case reflect.Slice, reflect.Array:
		if want.Kind() == reflect.Slice && want.IsNil() {
			return same(got == nil, "any")
		}
		if want.Type().Elem().Kind() == reflect.Uint8 {
			g, ok := got.([]byte)
			return same(ok && string(g) == fmt.Sprintf("%s", want), "any")
		}
		g, ok := got.([]any)
		if !ok || len(g) != want.Len() {
			return bad("list")
		}
		for i := range g {
			if why := o.wrongCBOR(want.Index(i), g[i], path+"[]"); why != "" {
				return why
			}
		}
	case reflect.Map:
		if want.IsNil() {
			return same(got == nil, "any")
		}
		g := reflect.ValueOf(got)
		if g.Kind() != reflect.Map || g.Len() != want.Len() {
			return bad("keys")
		}
		texts := true
		for it := want.MapRange(); it.Next(); {
			found := false
			for other := g.MapRange(); other.Next() && !found; {
				if o.wrongCBOR(it.Key(), other.Key().Interface(), "") == "" {
					found = true
					if why := o.wrongCBOR(it.Value(), other.Value().Interface(), path+"[]"); why != "" {
						return why
					}
				}
			}
			if !found {
				return bad("keys")
			}
			k := it.Key()
			if k.Kind() == reflect.Interface {
				k = k.Elem()
			}
			texts = texts && k.Kind() == reflect.String
		}
		_, byText := got.(map[string]any)
		return same(byText == texts, "keys")
	case reflect.Struct:
		switch got.(type) {
		case map[string]any, map[any]any, []any:
			return ""
		}
		_, isTag := got.(cbor.Tag)
		return same(isTag, "any")
	}
	return ""
}
