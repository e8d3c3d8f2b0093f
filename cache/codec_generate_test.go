package cache

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"time"
)

// maker makes types and values, the same ones of the same seed.
type maker struct{ *rand.Rand }

func newMaker(a, b uint64) maker { return maker{rand.New(rand.NewPCG(a, b))} }

func pick[T any](m maker, from ...T) T { return from[m.IntN(len(from))] }

var scalars = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
	reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
	reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](), reflect.TypeFor[any](),
	reflect.TypeFor[[]any](), reflect.TypeFor[map[string]any](),
}

var mapKeys = []reflect.Type{
	reflect.TypeFor[string](), reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[uint8](), reflect.TypeFor[namedText](),
	reflect.TypeFor[textKey](), reflect.TypeFor[lowerKey](), reflect.TypeFor[oddKey](), reflect.TypeFor[bool](), reflect.TypeFor[time.Time](), reflect.TypeFor[any](),
}

// typ makes a type that is at most deep levels deep, those of the catalogue aside.
func (m maker) typ(deep int) reflect.Type {
	if deep <= 0 {
		if m.IntN(3) == 0 {
			return pick(m, catalogue...)
		}
		return pick(m, scalars...)
	}
	switch m.IntN(7) {
	case 0:
		return reflect.SliceOf(m.typ(deep - 1))
	case 1:
		return reflect.ArrayOf(m.IntN(3), m.typ(deep-1))
	case 2:
		return reflect.MapOf(pick(m, mapKeys...), m.typ(deep-1))
	case 3:
		return reflect.PointerTo(m.typ(deep - 1))
	case 4:
		return m.typ(0)
	default:
		var fields []reflect.StructField
		for i := range m.IntN(5) {
			name := fmt.Sprintf("F%d", i)
			fields = append(fields, reflect.StructField{Name: name, Type: m.typ(deep - 1), Tag: m.tag(i)})
		}
		return reflect.StructOf(fields)
	}
}

func (m maker) tag(i int) reflect.StructTag {
	name := pick(m, "", "", fmt.Sprintf("f%d", i), fmt.Sprintf("F%d", i+1), "name", "<&>", "_", "a.b", "'q'", "-")
	options := pick(m, "", "", "", ",omitempty", ",omitzero", ",string", ",inline", ",unknown", ",format:hex", ",case:ignore", ",omitempty,string", ",other")
	if name == "-" && options == "" && m.IntN(2) == 0 {
		options = ","
	}
	if name == "" && options == "" {
		return ""
	}
	return reflect.StructTag(fmt.Sprintf("json:%q", name+options))
}

func (m maker) text() string {
	return pick(m, "", "a", "b", "text", "null", "é<&>\u2028\x00\"\\", "\xff", "a\xc3", "\xed\xa0\x80", "A", "1", strings.Repeat("x", 70))
}

func (m maker) integer() int64 {
	return pick(m, 0, 1, -1, 7, 255, 1<<31, -1<<31, 1<<53, 1<<53+1, -1<<53-1, math.MaxInt64, math.MinInt64, m.Int64())
}

func (m maker) real() float64 {
	return pick(m, 0, math.Copysign(0, -1), 1, 0.1, -2.5, 1e20, 1e21, 1e-7, 1<<53, 1<<60, 1<<63, 1<<64, -1<<63, math.MaxFloat64, math.SmallestNonzeroFloat64,
		math.NaN(), math.Inf(1), m.Float64(), math.Float64frombits(m.Uint64()), float64(m.Int64()))
}

func (m maker) time() time.Time {
	zone := pick(m, time.UTC, time.Local, time.FixedZone("", 3600), time.FixedZone("CET", -5400), time.FixedZone("LMT", 1172), time.FixedZone("far", 25*3600))
	return pick(m, time.Time{}, time.Time{}.In(zone), time.Now(), time.Unix(m.Int64N(1<<33), m.Int64N(1e9)).In(zone), time.Date(1900, 1, 1, 0, 0, 0, 1, zone),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, zone), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC))
}

// fill gives v, which can be set, a value that is about deep levels deep.
func (m maker) fill(v reflect.Value, deep int) {
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(m.time()))
		return
	case reflect.TypeFor[big.Int]():
		n := new(big.Int).Lsh(big.NewInt(m.integer()), uint(m.IntN(80)))
		v.Set(reflect.ValueOf(n).Elem())
		return
	case reflect.TypeFor[big.Rat]():
		v.Set(reflect.ValueOf(big.NewRat(m.integer(), 1+m.Int64N(9))).Elem())
		return
	case reflect.TypeFor[big.Float]():
		v.Set(reflect.ValueOf(big.NewFloat(1.5)).Elem())
		return
	case reflect.TypeFor[netip.Addr]():
		v.Set(reflect.ValueOf(pick(m, netip.Addr{}, netip.AddrFrom4([4]byte{1, 2, 3, byte(m.IntN(256))}), netip.IPv6LinkLocalAllNodes().WithZone("z\xff"))))
		return
	case reflect.TypeFor[json.Number]():
		v.SetString(pick(m, "", "1", "-0", "1.50", "1e400", "9007199254740993", "18446744073709551616", "0.1", "x", " 1"))
		return
	case reflect.TypeFor[json.RawMessage]():
		v.SetBytes(pick(m, nil, []byte("null"), []byte(`{ "a": [1, "<"] }`), []byte(`"a`), []byte("\"\xff\""), []byte(`{"a":1,"a":2}`), []byte(`"\ud800"`)))
		return
	case reflect.TypeFor[textKey]():
		v.Set(reflect.ValueOf(textKey{m.IntN(5)}))
		return
	case reflect.TypeFor[onValue]():
		v.Set(reflect.ValueOf(onValue{m.IntN(5)}))
		return
	case reflect.TypeFor[onPointerText]():
		v.Set(reflect.ValueOf(onPointerText{m.IntN(5)}))
		return
	case reflect.TypeFor[onValueBinary]():
		v.Set(reflect.ValueOf(onValueBinary{m.text()}))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(m.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(m.integer() >> (64 - v.Type().Bits()))
		if m.IntN(2) == 0 {
			v.SetInt(m.Int64N(9) - 4)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(uint64(m.integer()) >> (64 - v.Type().Bits()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(m.real())
	case reflect.String:
		v.SetString(m.text())
	case reflect.Slice:
		if m.IntN(4) == 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), m.size(deep), 4))
		for i := range v.Len() {
			m.fill(v.Index(i), deep-1)
		}
	case reflect.Array:
		for i := range v.Len() {
			m.fill(v.Index(i), deep-1)
		}
	case reflect.Map:
		if m.IntN(4) == 0 {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for range m.size(deep) {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			if k.Kind() == reflect.Interface {
				k.Set(reflect.ValueOf(pick[any](m, "a", "b", namedText("a"), 1, int8(1), uint(2), true, 1.5, math.NaN(), time.Unix(1, 0), "\xff")))
			} else {
				m.fill(k, deep-1)
			}
			m.fill(e, deep-1)
			v.SetMapIndex(k, e)
		}
	case reflect.Pointer:
		if m.IntN(4) == 0 || deep < -3 {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		m.fill(v.Elem(), deep-1)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			if x := m.anything(deep - 1); x.IsValid() {
				v.Set(x)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				m.fill(v.Field(i), deep-1)
			} else if v.Type().Field(i).Anonymous && v.Field(i).Kind() == reflect.Struct {
				for j := range v.Field(i).NumField() {
					if f := v.Field(i).Field(j); f.CanSet() {
						m.fill(f, deep-1)
					}
				}
			}
		}
	}
}

func (m maker) size(deep int) int {
	if deep < -1 {
		return 0
	}
	return m.IntN(3)
}

// anything makes a value for an any.
func (m maker) anything(deep int) reflect.Value {
	if deep < -1 || m.IntN(8) == 0 {
		return reflect.Value{}
	}
	var t reflect.Type
	switch m.IntN(6) {
	case 0:
		t = reflect.TypeFor[[]any]()
	case 1:
		t = reflect.TypeFor[map[string]any]()
	case 2:
		t = pick(m, reflect.TypeFor[map[int]any](), reflect.TypeFor[map[namedText]string](), reflect.TypeFor[map[any]any](), reflect.TypeFor[map[oddKey]int](),
			reflect.TypeFor[*Inner](), reflect.TypeFor[[]string](), reflect.TypeFor[[2]uint8](), reflect.TypeFor[*onPointer](), reflect.TypeFor[*any]())
	case 3:
		t = pick(m, catalogue...)
	default:
		t = pick(m, scalars...)
	}
	v := reflect.New(t).Elem()
	m.fill(v, deep)
	return v
}
