package cache

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// structField is a field of a struct as a codec sees it: one of its own, or one
// that an embedded struct brings.
type structField struct {
	name  string // under which it is stored
	where string // as Go code writes it
	index []int
	sf    reflect.StructField
	tag   fieldTag
}

// fieldTag is what a field's tag says.
type fieldTag struct {
	name    string // "": the field's own
	options string // after the first comma
	wins    bool   // over a field without, where both have one name and depth
	skip    bool
}

// jsonTag reads a tag as encoding/json documents it.
func jsonTag(f reflect.StructField) fieldTag {
	tag := f.Tag.Get("json")
	name, options, _ := strings.Cut(tag, ",")
	if !validName(name) {
		name = ""
	}
	return fieldTag{name: name, options: options, wins: name != "", skip: tag == "-"}
}

// validName reports whether encoding/json takes name from a tag.
func validName(name string) bool {
	for _, r := range name {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return name != ""
}

// cborTag reads a tag as fxamacker/cbor documents it: cbor's own, else json's.
func cborTag(f reflect.StructField) fieldTag {
	tag := f.Tag.Get("cbor")
	if tag == "" {
		tag = f.Tag.Get("json")
	}
	name, options, _ := strings.Cut(tag, ",")
	if name != "" && strings.Contains(","+options+",", ",keyasint,") {
		name += " as an integer" // it is another key than the text
	}
	return fieldTag{name: name, options: options, wins: tag != "", skip: tag == "-"}
}

// structFields returns the fields that are stored of struct type t, and those
// that never are because a field of the same name is less deeply embedded. Both
// libraries follow Go's rules for embedded structs; where several fields of one
// name are equally deep they store none of them, which is an error here.
func structFields(t reflect.Type, tag func(reflect.StructField) fieldTag) (stored, hidden []structField, err error) {
	type level struct {
		t     reflect.Type
		where string
		index []int
	}
	seen := map[reflect.Type]bool{t: true}
	taken := map[string]bool{}
	for now := []level{{t: t}}; len(now) > 0; {
		var next []level
		var order []string
		byName := map[string][]structField{}
		for _, l := range now {
			for i := range l.t.NumField() {
				sf := l.t.Field(i)
				under := sf.Type
				if under.Kind() == reflect.Pointer {
					under = under.Elem()
				}
				if !sf.IsExported() && (!sf.Anonymous || under.Kind() != reflect.Struct) {
					continue
				}
				ft := tag(sf)
				if ft.skip {
					continue
				}
				f := structField{name: ft.name, where: l.where + sf.Name, index: append(append([]int{}, l.index...), i), sf: sf, tag: ft}
				if sf.Anonymous && !sf.IsExported() && (sf.Type.Kind() == reflect.Pointer || ft.name != "") {
					return nil, nil, at("."+f.where, fmt.Errorf("%v is embedded and not exported, so that it cannot be set", sf.Type))
				}
				if ft.name == "" && sf.Anonymous && under.Kind() == reflect.Struct {
					if seen[under] {
						hidden = append(hidden, f)
						continue
					}
					next = append(next, level{under, f.where + ".", f.index})
					continue
				}
				if f.name == "" {
					f.name = sf.Name
				}
				if byName[f.name] == nil {
					order = append(order, f.name)
				}
				byName[f.name] = append(byName[f.name], f)
			}
		}
		for _, name := range order {
			same := byName[name]
			if taken[name] {
				hidden = append(hidden, same...)
				continue
			}
			f, unique := dominant(same)
			if !unique {
				return nil, nil, at("."+same[0].where, fmt.Errorf("%s has the same name, %q, so that neither would be stored", same[1].where, name))
			}
			taken[name] = true
			stored = append(stored, f)
			for _, other := range same {
				if other.where != f.where {
					hidden = append(hidden, other)
				}
			}
		}
		for _, l := range next {
			seen[l.t] = true
		}
		now = next
	}
	return stored, hidden, nil
}

// dominant returns the one field of several with one name and depth that is
// stored: the only one, or the only one with a tag.
func dominant(fields []structField) (f structField, unique bool) {
	if len(fields) == 1 {
		return fields[0], true
	}
	n := 0
	for _, other := range fields {
		if other.tag.wins {
			f, n = other, n+1
		}
	}
	return f, n == 1
}

// fieldByIndex is v.FieldByIndex where an embedded pointer on the way may be nil.
func fieldByIndex(v reflect.Value, index []int) (reflect.Value, bool) {
	for i, n := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}, false
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v, true
}
