package cache

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// settle replaces what stands in each any of v by what to makes of it.
func (s *shape) settle(v reflect.Value, to func(any) any) {
	if !s.holds {
		return
	}
	switch s.kind {
	case anyShape:
		if !v.IsNil() {
			if x := to(v.Interface()); x != nil {
				v.Set(reflect.ValueOf(x))
			}
		}
	case pointerShape:
		if !v.IsNil() {
			s.elem.settle(v.Elem(), to)
		}
	case listShape:
		for i := range v.Len() {
			s.elem.settle(v.Index(i), to)
		}
	case mapShape:
		s.settleMap(v, to)
	case structShape:
		for _, p := range s.parts {
			if f, ok := fieldByIndex(v, p.index); ok {
				p.settle(f, to)
			}
		}
	}
}

func (s *shape) settleMap(v reflect.Value, to func(any) any) {
	if m, ok := v.Interface().(map[string]any); ok {
		for k, e := range m {
			switch e.(type) {
			case nil, string, bool:
			default:
				m[k] = to(e)
			}
		}
		return
	}
	if v.IsNil() {
		return
	}
	m := v
	if s.t.Key().Kind() == reflect.Interface {
		m = reflect.MakeMapWithSize(s.t, v.Len())
	}
	for it := v.MapRange(); it.Next(); {
		k, e := it.Key(), reflect.New(s.t.Elem()).Elem()
		if k.Kind() == reflect.Interface && !k.IsNil() {
			k = reflect.ValueOf(to(k.Interface()))
		}
		e.Set(it.Value())
		s.elem.settle(e, to)
		m.SetMapIndex(k, e)
	}
	v.Set(m)
}

// settleJSON gives numbers in x the type that the JSON codec documents.
func settleJSON(x any) any {
	switch x := x.(type) {
	case json.Number:
		return jsonNumber(string(x))
	case []any:
		for i := range x {
			x[i] = settleJSON(x[i])
		}
	case map[string]any:
		for k, e := range x {
			switch e.(type) {
			case json.Number, []any, map[string]any:
				x[k] = settleJSON(e)
			}
		}
	}
	return x
}

// jsonNumber is the number of a JSON text as an int64, a uint64, a float64 whose
// shortest text is the same number, or else a json.Number.
func jsonNumber(text string) any {
	if text != "-0" && !strings.ContainsAny(text, ".eE") {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return n
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return json.Number(text)
	}
	if len(text) <= 15 && math.Abs(f) > 1e-300 && math.Abs(f) < 1e300 {
		return f // so few digits come back from every float64
	}
	if decimalOf(text) != decimalOf(strconv.FormatFloat(f, 'e', -1, 64)) {
		return json.Number(text)
	}
	return f
}

// decimal is a number of a JSON text without the liberties of its writing.
type decimal struct {
	negative bool
	digits   string // without zeros at either end
	exponent int64  // of the digit before the point
}

func decimalOf(text string) decimal {
	var d decimal
	text, d.negative = strings.CutPrefix(text, "-")
	mantissa, exponent := text, ""
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], strings.TrimPrefix(text[i+1:], "+")
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	all := whole + fraction
	if d.digits = strings.TrimLeft(all, "0"); d.digits == "" {
		return d // zero, whatever its exponent
	}
	if exponent != "" {
		n, err := strconv.ParseInt(exponent, 10, 32)
		if err != nil {
			return decimal{digits: text} // out of all bounds: equal to itself
		}
		d.exponent = n
	}
	d.exponent += int64(len(whole)) - int64(len(all)-len(d.digits))
	d.digits = strings.TrimRight(d.digits, "0")
	return d
}

// floatText is how encoding/json writes f.
func floatText(f float64, bits int) string {
	format := byte('f')
	if a := math.Abs(f); a != 0 && (bits == 64 && (a < 1e-6 || a >= 1e21) || bits == 32 && (float32(a) < 1e-6 || float32(a) >= 1e21)) {
		format = 'e'
	}
	return strconv.FormatFloat(f, format, -1, bits)
}

// sameNumber reports whether n, of jsonNumber, is f, a whole number.
func sameNumber(n any, f float64) bool {
	switch n := n.(type) {
	case int64:
		return f >= -1<<63 && f < 1<<63 && int64(f) == n
	case uint64:
		return f >= 0 && f < 1<<64 && uint64(f) == n
	case float64:
		return true
	}
	return false
}

// checkNumber returns why n is no number of JSON. The empty one is written as 0.
func checkNumber(n json.Number) error {
	if n == "" {
		return nil
	}
	if c := n[0]; c != '-' && (c < '0' || c > '9') || !json.Valid([]byte(n)) || strings.TrimSpace(string(n)) != string(n) {
		return errors.New("the json.Number is not a number")
	}
	return nil
}
