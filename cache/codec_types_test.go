//lint:file-ignore SA5008 The tags that are odd, or of another library, are what is tested.

package cache

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// The types that programs have, and those that only look like it.

type inner struct {
	A int
	B string `json:"b,omitempty"`
}

// Inner is embedded by its exported name.
type Inner struct {
	X    int
	Text string `json:",omitempty"`
}

type (
	optionsInline struct {
		Spec Inner `json:"spec,inline"`
		Name string
	}
	optionsUnknown struct {
		A    int
		Rest map[string]int `json:"rest,unknown"`
	}
	optionsFormat struct {
		When time.Time     `json:"when,format:RFC1123"`
		Took time.Duration `json:",format:sec"`
		Data []byte        `json:",format:hex"`
	}
	optionsCase struct {
		A int `json:"NAME,case:ignore"`
		B int `json:"Name,nocase"`
		C int `json:"name,strictcase"`
	}
	optionsQuoted struct {
		A int `json:"'quoted'"`
		B int `json:"a b"`
		C int `json:"-,"`
		D int `json:"é"`
		E int `json:"\"bad"`
	}
	optionsString struct {
		I int      `json:",string"`
		U uint64   `json:",string"`
		F float64  `json:",string"`
		B bool     `json:",string"`
		S string   `json:",string"`
		P *int     `json:",string"`
		Q *string  `json:",string"`
		L []int    `json:",string"`
		M *float32 `json:",string"`
	}
	optionsOmit struct {
		S  Inner            `json:",omitempty"`
		T  time.Time        `json:",omitzero"`
		E  []int            `json:",omitempty"`
		Z  []int            `json:",omitzero"`
		M  map[string]Inner `json:",omitempty"`
		P  *Inner           `json:",omitempty"`
		Y  any              `json:",omitempty"`
		F  float64          `json:",omitempty"`
		St string           `json:",omitempty"`
		N  [0]int           `json:",omitempty"`
		O  sometimes        `json:",omitzero"`
	}
	embedsStruct struct {
		Inner
		C int
	}
	embedsPointer struct {
		*Inner
		C int
	}
	embedsUnexported struct {
		inner
		C int
	}
	embedsHidden struct {
		Inner
		X string
	}
	embedsTwice struct {
		Inner
		Other
	}
	embedsNamed struct {
		Inner `json:"in"`
		X     int
	}
	embedsUnexportedPointer struct {
		*inner
		C int
	}
	embedsTime struct {
		time.Time
		Note string
	}
	embedsMutex struct {
		sync.Mutex
		A int
	}
	recursive struct {
		Name string
		Next *recursive
		All  []recursive
		By   map[string]*recursive
	}
	withUnexported struct {
		A int
		//lint:ignore U1000 The codecs see the field.
		b int
	}
	withIgnored struct {
		A int
		B chan int `json:"-" cbor:"-"`
	}
	pointers struct {
		P **int
		S *[]string
		M *map[string]int
		Y *any
		T *time.Time
		R *json.RawMessage
	}
	raws struct {
		R json.RawMessage
		N json.Number
		M map[string]json.Number
	}
	keys struct {
		T map[textKey]int
		I map[int8]string
		U map[uint64]bool
		N map[namedText]int
		A map[netip.Addr]int
		L map[lowerKey]int
		O map[oddKey]int
	}
	anys struct {
		Y any
		L []any
		M map[string]any
	}
	// Other has a field of Inner's name.
	Other struct{ X int }
)

// sometimes is zero to omitzero when it is not.
type sometimes struct{ A, B int }

func (s sometimes) IsZero() bool { return s.A == 0 }

type namedText string

type namedBytes []byte

type namedByte byte

type namedAny any

type onPointer struct{ N int }

func (o *onPointer) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `"<%d>"`, o.N), nil }
func (o *onPointer) UnmarshalJSON(data []byte) error {
	_, err := fmt.Sscanf(string(data), `"\u003c%d\u003e"`, &o.N)
	if err != nil {
		_, err = fmt.Sscanf(string(data), `"<%d>"`, &o.N)
	}
	return err
}

type onPointerText struct{ n int }

func (o *onPointerText) MarshalText() ([]byte, error) { return fmt.Append(nil, o.n), nil }
func (o *onPointerText) UnmarshalText(text []byte) error {
	_, err := fmt.Sscan(string(text), &o.n)
	return err
}

type onValue struct{ n int }

func (o onValue) MarshalJSON() ([]byte, error) { return json.Marshal([]int{o.n}) }
func (o *onValue) UnmarshalJSON(data []byte) error {
	var a []int
	if err := json.Unmarshal(data, &a); err != nil || len(a) != 1 {
		return errors.Join(err, errors.New("want one number"))
	}
	o.n = a[0]
	return nil
}

type onValueText struct{ Text string }

func (o onValueText) MarshalText() ([]byte, error)     { return []byte("=" + o.Text), nil }
func (o *onValueText) UnmarshalText(text []byte) error { o.Text = string(text[1:]); return nil }

type onValueBinary struct{ text string }

func (o onValueBinary) MarshalBinary() ([]byte, error)     { return []byte(o.text), nil }
func (o *onValueBinary) UnmarshalBinary(data []byte) error { o.text = string(data); return nil }

// writesOnly adds a member that reading ignores.
type writesOnly struct{ A int }

func (w writesOnly) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"A":%d,"double":%d}`, w.A, 2*w.A), nil
}

type readsOnly struct{ A int }

func (r *readsOnly) UnmarshalJSON([]byte) error { r.A = 7; return nil }

type masked string

func (masked) MarshalText() ([]byte, error) { return []byte("***"), nil }

type lower string

func (l *lower) UnmarshalText(text []byte) error {
	*l = lower(strings.ToLower(string(text)))
	return nil
}

type halfText struct{ N int }

func (h halfText) MarshalText() ([]byte, error) { return fmt.Append(nil, h.N), nil }

// broken writes what it does not read, where N is odd.
type broken struct{ N int }

func (b broken) MarshalJSON() ([]byte, error) { return json.Marshal(b.N) }
func (b *broken) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &b.N); err != nil || b.N%2 != 0 {
		return errors.Join(err, errors.New("odd"))
	}
	return nil
}

// newerOnly has the methods of another library than encoding/json.
type newerOnly struct{ A int }

func (n newerOnly) MarshalJSONTo(e *jsontext.Encoder) error {
	return e.WriteToken(jsontext.String("new"))
}
func (n *newerOnly) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	_, err := d.ReadToken()
	n.A = -1
	return err
}

type appends struct{ A int }

func (a appends) AppendText(b []byte) ([]byte, error) { return append(b, "text"...), nil }

type textKey struct{ n int }

func (k textKey) MarshalText() ([]byte, error) { return fmt.Append(nil, k.n), nil }
func (k *textKey) UnmarshalText(text []byte) error {
	_, err := fmt.Sscan(string(text), &k.n)
	return err
}

type lowerKey string

func (l *lowerKey) UnmarshalText(text []byte) error {
	*l = lowerKey(strings.ToLower(string(text)))
	return nil
}

// oddKey writes keys alike.
type oddKey int

func (k oddKey) MarshalText() ([]byte, error) { return fmt.Append(nil, k/2*2), nil }
func (k *oddKey) UnmarshalText(text []byte) error {
	_, err := fmt.Sscan(string(text), (*int)(k))
	return err
}

type keyAsInt struct {
	A int    `cbor:"1,keyasint"`
	B string `cbor:"2,keyasint,omitempty"`
}

type toArray struct {
	_ struct{} `cbor:",toarray"`
	A int
	B string
}

// catalogue has types that reflection cannot make, and some that it could.
var catalogue = []reflect.Type{
	reflect.TypeFor[Inner](), reflect.TypeFor[optionsInline](), reflect.TypeFor[optionsUnknown](), reflect.TypeFor[optionsFormat](),
	reflect.TypeFor[optionsCase](), reflect.TypeFor[optionsQuoted](), reflect.TypeFor[optionsString](), reflect.TypeFor[optionsOmit](),
	reflect.TypeFor[embedsStruct](), reflect.TypeFor[embedsPointer](), reflect.TypeFor[embedsUnexported](), reflect.TypeFor[embedsHidden](),
	reflect.TypeFor[embedsTwice](), reflect.TypeFor[embedsNamed](), reflect.TypeFor[embedsUnexportedPointer](), reflect.TypeFor[embedsTime](),
	reflect.TypeFor[embedsMutex](), reflect.TypeFor[recursive](), reflect.TypeFor[withUnexported](), reflect.TypeFor[withIgnored](),
	reflect.TypeFor[pointers](), reflect.TypeFor[raws](), reflect.TypeFor[keys](), reflect.TypeFor[anys](), reflect.TypeFor[sometimes](),
	reflect.TypeFor[namedText](), reflect.TypeFor[namedBytes](), reflect.TypeFor[[]namedByte](), reflect.TypeFor[namedAny](),
	reflect.TypeFor[onPointer](), reflect.TypeFor[onPointerText](), reflect.TypeFor[onValue](), reflect.TypeFor[onValueText](),
	reflect.TypeFor[onValueBinary](), reflect.TypeFor[writesOnly](), reflect.TypeFor[readsOnly](), reflect.TypeFor[masked](), reflect.TypeFor[lower](),
	reflect.TypeFor[halfText](), reflect.TypeFor[broken](), reflect.TypeFor[newerOnly](), reflect.TypeFor[appends](), reflect.TypeFor[textKey](),
	reflect.TypeFor[keyAsInt](), reflect.TypeFor[toArray](), reflect.TypeFor[struct{}](), reflect.TypeFor[struct{ time.Time }](),
	reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](), reflect.TypeFor[time.Month](), reflect.TypeFor[big.Int](), reflect.TypeFor[big.Rat](),
	reflect.TypeFor[big.Float](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[netip.Prefix](), reflect.TypeFor[url.URL](),
	reflect.TypeFor[json.Number](), reflect.TypeFor[json.RawMessage](),
	reflect.TypeFor[map[any]any](), reflect.TypeFor[map[float64]int](), reflect.TypeFor[map[[2]byte]int](), reflect.TypeFor[map[bool]string](),
	reflect.TypeFor[sync.Mutex](), reflect.TypeFor[atomic.Int64](), reflect.TypeFor[chan int](), reflect.TypeFor[func()](),
	reflect.TypeFor[error](), reflect.TypeFor[fmt.Stringer](), reflect.TypeFor[complex128](), reflect.TypeFor[uintptr](),
}
