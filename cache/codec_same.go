package cache

import (
	"reflect"
	"time"
)

// sameValue reports whether b, which was read back, is what a was meant to be. It
// looks at exported fields, takes nil and empty for equal, and two times if they
// are of one instant and one distance from UTC.
func sameValue(a, b reflect.Value, depth int) bool {
	if depth > maxNesting || a.IsValid() != b.IsValid() || a.IsValid() && a.Type() != b.Type() {
		return false
	}
	if !a.IsValid() {
		return true
	}
	if t, ok := a.Interface().(time.Time); ok {
		u := b.Interface().(time.Time)
		_, x := t.Zone()
		_, y := u.Zone()
		return t.Equal(u) && x == y
	}
	switch a.Kind() {
	case reflect.Struct:
		fields := 0
		for i := range a.NumField() {
			f := a.Type().Field(i)
			if !f.IsExported() || f.Tag.Get("json") == "-" || f.Tag.Get("cbor") == "-" {
				continue
			}
			fields++
			if !sameValue(a.Field(i), b.Field(i), depth+1) {
				return false
			}
		}
		return fields > 0 || reflect.DeepEqual(a.Interface(), b.Interface())
	case reflect.Pointer, reflect.Interface:
		return a.IsNil() == b.IsNil() && (a.IsNil() || sameValue(a.Elem(), b.Elem(), depth+1))
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !sameValue(a.Index(i), b.Index(i), depth+1) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() {
			return false
		}
		for it := a.MapRange(); it.Next(); {
			if !sameValue(it.Value(), b.MapIndex(it.Key()), depth+1) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
