//lint:file-ignore SA5008 The tags that are odd, or of another library, are what is tested.

package cache_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/harpia-go/harpia/cache"
)

// comesBack sets v with each codec and gets want.
func comesBack[V any](t *testing.T, v, want V, codecs ...cache.Codec) {
	t.Helper()
	for _, codec := range codecs {
		c := newCache[V](t, cache.Options{Codec: codec})
		if err := c.Set(t.Context(), "k", v); err != nil {
			t.Errorf("%T: Set(%#v): %v", codec, v, err)
			continue
		}
		got, ok, err := c.Get(t.Context(), "k")
		if err != nil || !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%T: set %#v and got %#v, %v, %v; want %#v", codec, v, got, ok, err, want)
		}
	}
}

// isRefused sets v with each codec, which fails with the path and the reason, and
// leaves nothing.
func isRefused[V any](t *testing.T, v V, why string, codecs ...cache.Codec) {
	t.Helper()
	for _, codec := range codecs {
		c, err := cache.New[V](cache.Options{Codec: codec})
		if err != nil {
			t.Errorf("%T: New: %v; want Set to refuse", codec, err)
			continue
		}
		err = c.Set(t.Context(), "k", v)
		if !errors.Is(err, cache.ErrEncode) || !strings.Contains(err.Error(), why) {
			t.Errorf("%T: Set: %v; want ErrEncode with %q", codec, err, why)
		}
		if got, ok, err := c.Get(t.Context(), "k"); ok || err != nil {
			t.Errorf("%T: Get after a refused Set: %#v, %v, %v", codec, got, ok, err)
		}
		_ = c.Close()
	}
}

// typeIsRefused makes a cache of V, which fails with the path and the reason.
func typeIsRefused[V any](t *testing.T, why string, codecs ...cache.Codec) {
	t.Helper()
	for _, codec := range codecs {
		c, err := cache.New[V](cache.Options{Codec: codec})
		if !errors.Is(err, cache.ErrEncode) || !strings.Contains(err.Error(), why) {
			t.Errorf("%T: New[%v]: %v; want ErrEncode with %q", codec, reflect.TypeFor[V](), err, why)
		}
		if c != nil {
			_ = c.Close()
		}
	}
}

var (
	asJSON   = []cache.Codec{nil, cache.JSON{}, &cache.JSON{}, cache.Compressed{}, cache.Compressed{Min: 1}, &cache.Compressed{Codec: &cache.JSON{}}}
	asCBOR   = []cache.Codec{cache.CBOR{}, &cache.CBOR{}, cache.Compressed{Codec: cache.CBOR{}, Min: 1}}
	allKinds = slices.Concat(asJSON, asCBOR)
)

type part struct{ X, Y int }

// Options of tags and methods that only a newer library than encoding/json knows
// mean nothing, when a value is written and when it is read.
func TestJSONHasOneGrammar(t *testing.T) {
	type inline struct {
		Spec part `json:"spec,inline"`
	}
	comesBack(t, inline{part{1, 2}}, inline{part{1, 2}}, asJSON...)
	type unknown struct {
		Rest map[string]int `json:"rest,unknown"`
	}
	comesBack(t, unknown{map[string]int{"a": 1}}, unknown{map[string]int{"a": 1}}, asJSON...)
	type format struct {
		Took time.Duration `json:"took,format:sec"`
		When time.Time     `json:"when,format:unix"`
		Data []byte        `json:"data,format:hex"`
	}
	f := format{time.Second, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), []byte{1, 2, 255}}
	comesBack(t, f, f, asJSON...)
	type names struct {
		A int `json:"n_a,nocase"`
		B int `json:"na,case:ignore"`
		C int `json:"'quoted'"`
	}
	comesBack(t, names{1, 2, 3}, names{1, 2, 3}, asJSON...)
	comesBack(t, newer{3}, newer{3}, asJSON...)
	comesBack(t, appender{4}, appender{4}, asJSON...)
}

type newer struct{ A int }

func (n newer) MarshalJSONTo(e *jsontext.Encoder) error { return e.WriteToken(jsontext.String("new")) }
func (n *newer) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	_, err := d.ReadToken()
	return err
}

type appender struct{ A int }

func (a appender) AppendText(b []byte) ([]byte, error) { return append(b, "text"...), nil }

// level has methods on its pointer only.
type level struct{ n int }

func (l *level) MarshalText() ([]byte, error) { return fmt.Append(nil, "level ", l.n), nil }
func (l *level) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "level %d", &l.n)
	return err
}

type signed struct{ n int }

func (s *signed) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]int{"signed": s.n}) }
func (s *signed) UnmarshalJSON(data []byte) error {
	var m map[string]int
	err := json.Unmarshal(data, &m)
	s.n = m["signed"]
	return err
}

func TestMethodsOnPointersAreCalled(t *testing.T) {
	n, ok := new(big.Int).SetString("123456789012345678901234567890", 10)
	if !ok {
		t.Fatal("no number")
	}
	comesBack(t, *n, *n, allKinds...)
	comesBack(t, n, n, allKinds...)
	comesBack(t, level{3}, level{3}, asJSON...)
	comesBack(t, signed{4}, signed{4}, asJSON...)
	type holds struct {
		L level
		A [1]signed
		S []level
		P *signed
		B big.Rat
	}
	h := holds{level{1}, [1]signed{{2}}, []level{{3}}, &signed{4}, *big.NewRat(1, 3)}
	comesBack(t, h, h, asJSON...)
	comesBack(t, map[string]*big.Int{"a": n}, map[string]*big.Int{"a": n}, allKinds...)
	comesBack(t, map[string]big.Int{"a": *n}, map[string]big.Int{"a": *n}, asCBOR...)

	// encoding/json calls no such method for what a map or an any holds.
	typeIsRefused[map[string]big.Int](t, "use *big.Int", asJSON...)
	typeIsRefused[struct{ Limits map[string][2]level }](t, "Limits[]", asJSON...)
	isRefused(t, map[string]any{"sum": *n}, `["sum"]: big.Int writes itself by a method on its pointer`, asJSON...)
	isRefused[any](t, struct{ L level }{level{1}}, "L: cache_test.level", asJSON...)
}

func TestNumbersInAnAnyAreExact(t *testing.T) {
	for _, n := range []int64{9007199254740993, math.MaxInt64, math.MinInt64, 0, -1} {
		comesBack[any](t, n, n, allKinds...)
		comesBack[any](t, []any{map[string]any{"n": n}}, []any{map[string]any{"n": n}}, allKinds...)
	}
	comesBack[any](t, uint64(math.MaxUint64), uint64(math.MaxUint64), allKinds...)
	comesBack[any](t, uint64(7), int64(7), allKinds...)
	comesBack[any](t, int8(7), int64(7), allKinds...)
	comesBack[any](t, 0.1, 0.1, allKinds...)
	comesBack[any](t, math.MaxFloat64, math.MaxFloat64, allKinds...)
	comesBack[any](t, 1e19, uint64(1e19), asJSON...)
	comesBack[any](t, 1e19, 1e19, asCBOR...)
	comesBack[any](t, float32(0.1), 0.1, asJSON...)
	comesBack[any](t, json.Number("0.1234567890123456789"), json.Number("0.1234567890123456789"), asJSON...)
	comesBack[any](t, json.Number("1e400"), json.Number("1e400"), asJSON...)
	comesBack[any](t, json.Number("1e-2170000000"), json.Number("1e-2170000000"), asJSON...)
	// A zero is a zero, whatever its exponent.
	comesBack[any](t, json.Number("0e2170000000"), 0.0, asJSON...)
	comesBack[any](t, json.Number("-0.00e-2170000000"), math.Copysign(0, -1), asJSON...)
	huge := new(big.Int).Lsh(big.NewInt(1), 64)
	comesBack[any](t, huge, json.Number("18446744073709551616"), asJSON...)
	comesBack[any](t, *huge, *huge, asCBOR...)
	// Its shortest text is 1152921504606847000, which is another integer.
	isRefused[any](t, []any{float64(1 << 60)}, "[0]: 1152921504606847000", asJSON...)
	comesBack[any](t, float64(1<<60), float64(1<<60), asCBOR...)

	type typed struct{ F float64 }
	comesBack(t, typed{1 << 60}, typed{1 << 60}, allKinds...)
	comesBack[any](t, map[uint64]int{math.MaxUint64: -1}, map[any]any{uint64(math.MaxUint64): int64(-1)}, asCBOR...)
	comesBack[any](t, map[int8]string{1: "a"}, map[any]any{int64(1): "a"}, asCBOR...)
	comesBack(t, map[any]any{int64(1): uint64(math.MaxUint64)}, map[any]any{int64(1): uint64(math.MaxUint64)}, asCBOR...)
}

func TestMapsInAnAnyHaveTextAsKeys(t *testing.T) {
	nested := map[string]any{"a": map[string]any{"b": []any{map[string]any{}}, "n": int64(1), "big": uint64(math.MaxUint64)}}
	comesBack[any](t, nested, nested, allKinds...)
	comesBack(t, nested, nested, allKinds...)
}

func TestTextThatIsNotUTF8IsRefused(t *testing.T) {
	type holds struct {
		Name string
		Tags []string
		By   map[string]*holds
		Any  any
	}
	isRefused(t, holds{Name: "a\xff"}, "Name: the text is not UTF-8", allKinds...)
	isRefused(t, holds{Tags: []string{"a", "\xc3"}}, "Tags[1]: the text is not UTF-8", allKinds...)
	isRefused(t, holds{By: map[string]*holds{"x": {Name: "\xff"}}}, `By["x"].Name: the text`, allKinds...)
	isRefused(t, holds{By: map[string]*holds{"\xff": nil}}, `By["\xff"]: the text`, allKinds...)
	isRefused(t, holds{Any: map[string]any{"a": []any{"\xed\xa0\x80"}}}, `Any["a"][0]: the text`, allKinds...)
	// Under U+FFFD these would be one.
	isRefused(t, map[string]int{"\xff": 1, "\xfe": 2}, `: the text is not UTF-8`, allKinds...)
	isRefused(t, netip.IPv6LinkLocalAllNodes().WithZone("\xff"), "the text is not UTF-8", asJSON...)
	isRefused(t, json.RawMessage("\"\xff\""), "the text is not UTF-8", asJSON...)
	isRefused[any](t, json.RawMessage(`{"a":1,"a":2}`), "a name twice", asJSON...)
	// Two keys that their method writes alike.
	isRefused(t, map[even]int{2: 1, 3: 2}, "the key would come back as another", asJSON...)
	isRefused[any](t, map[even]int{2: 1, 3: 2}, "another key is written in the same way", asJSON...)
	// A key of kind string is written as it is and read by its method.
	isRefused(t, map[upper]int{"a": 1}, `["a"]: the key would come back as another`, asJSON...)
	comesBack(t, map[upper]int{"A": 1}, map[upper]int{"A": 1}, asJSON...)
	isRefused(t, map[any]int{int8(1): 1, int64(1): 2}, "another key is written in the same way", asCBOR...)
	isRefused(t, map[any]int{math.NaN(): 1}, "a NaN cannot be found", asCBOR...)
	isRefused(t, map[float64]int{math.NaN(): 1}, "the key would come back as another", asCBOR...)
	isRefused[any](t, map[any]int{[2]byte{}: 1}, "the key would come back as a", asCBOR...)
	// As they are, bytes may be anything.
	comesBack(t, "\xff", "\xff", nil, cache.Raw{}, cache.Compressed{Codec: cache.Raw{}, Min: 1})
}

type even int

func (e even) MarshalText() ([]byte, error) { return fmt.Append(nil, e/2*2), nil }
func (e *even) UnmarshalText(text []byte) error {
	_, err := fmt.Sscan(string(text), (*int)(e))
	return err
}

type upper string

func (u *upper) UnmarshalText(text []byte) error {
	*u = upper(strings.ToUpper(string(text)))
	return nil
}

func TestTimesKeepTheirFractionAndZone(t *testing.T) {
	type holds struct {
		When time.Time
		Any  any
		Ptr  *time.Time
	}
	zone := time.FixedZone("", -5*3600-30*60)
	when := time.Date(2026, 1, 2, 3, 4, 5, 678901234, zone)
	for _, codec := range allKinds {
		c := newCache[holds](t, cache.Options{Codec: codec})
		mustSet(t, c, "k", holds{when, nil, &when})
		got, _, err := c.Get(t.Context(), "k")
		if err != nil || got.Ptr == nil {
			t.Errorf("%T: %+v, %v", codec, got, err)
			continue
		}
		for _, back := range []time.Time{got.When, *got.Ptr} {
			if _, offset := back.Zone(); !back.Equal(when) || offset != -5*3600-30*60 {
				t.Errorf("%T: %v, want %v", codec, back, when)
			}
		}
	}
	utc := when.UTC()
	comesBack[any](t, utc, utc, asCBOR...)
	comesBack[any](t, []any{utc}, []any{utc.Format(time.RFC3339Nano)}, asJSON...)
	before := time.Date(1583, 1, 1, 0, 0, 0, 1, time.UTC)
	comesBack(t, before, before, allKinds...)

	// RFC 3339 has no seconds in the zone: cutting them moves the time.
	amsterdam := time.Date(1900, 1, 1, 0, 0, 0, 0, time.FixedZone("LMT", 1172))
	isRefused(t, holds{When: amsterdam}, "When: the zone is 19m32s from UTC", allKinds...)
	isRefused(t, holds{Any: []any{amsterdam}}, "Any[0]: the zone", allKinds...)
	isRefused(t, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "the year 10000", allKinds...)
	isRefused(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("", 25*3600)), "a day or more", allKinds...)
	// CBOR writes the zero time as null.
	isRefused(t, holds{Ptr: new(time.Time)}, "Ptr: the zero time", asCBOR...)
	isRefused(t, holds{Any: time.Time{}}, "Any: the zero time", asCBOR...)
	comesBack(t, holds{Ptr: new(time.Time)}, holds{Ptr: new(time.Time)}, asJSON...)
}

type nested struct {
	Next *nested        `json:"n,omitempty"`
	All  map[string]any `json:"a,omitempty"`
}

func TestWhatIsSetCanBeRead(t *testing.T) {
	many := make([]int, 200_000)
	many[len(many)-1] = 7
	comesBack(t, many, many, allKinds...)
	keys := make(map[int]bool, 150_000)
	for i := range 150_000 {
		keys[i] = true
	}
	comesBack(t, keys, keys, allKinds...)
	for levels, refused := range map[int]bool{33: false, 100: false, 9_999: false, 10_000: false, 10_001: true, 50_000: true} {
		v := &nested{}
		for range levels - 1 {
			v = &nested{Next: v}
		}
		var x any = []any{}
		for range levels - 1 {
			x = []any{x}
		}
		if refused {
			isRefused(t, *v, "deeper than 10000", allKinds...)
			isRefused(t, x, "deeper than 10000", allKinds...)
			continue
		}
		for _, codec := range allKinds {
			c := newCache[nested](t, cache.Options{Codec: codec})
			mustSet(t, c, "k", *v)
			if _, ok, err := c.Get(t.Context(), "k"); !ok || err != nil {
				t.Errorf("%T: %d levels: %v, %v", codec, levels, ok, err)
			}
		}
		comesBack(t, x, x, allKinds...)
	}
	raw := json.RawMessage(strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999))
	comesBack(t, raw, raw, asJSON...)
	comesBack(t, []json.RawMessage{raw}, []json.RawMessage{raw}, asJSON...)
	isRefused(t, [][]json.RawMessage{{raw}}, "deeper than 10000", asJSON...)
}

func TestWhatRefersToItselfIsRefused(t *testing.T) {
	round := &nested{}
	round.Next = round
	isRefused(t, *round, "refers to itself", allKinds...)
	m := map[string]any{}
	m["m"] = m
	isRefused[any](t, m, "refers to itself", allKinds...)
	var x any
	x = &x
	isRefused(t, x, "refers to itself", allKinds...)
	typeIsRefused[endless](t, "has no end", allKinds...)
}

type endless *endless

func TestCompressedRefusesWhatItWouldNotUnpack(t *testing.T) {
	codec := cache.Compressed{Codec: cache.Raw{}}
	most := make([]byte, cache.DefaultMaxValue)
	data, err := codec.Encode(most)
	if err != nil {
		t.Fatal(err)
	}
	var back []byte
	if err := codec.Decode(data, &back); err != nil || len(back) != len(most) {
		t.Errorf("the longest value: %d bytes, %v", len(back), err)
	}
	if _, err := codec.Encode(append(most, 0)); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("one byte more: %v", err)
	}
}

type job struct{ C chan int }

type opaque struct{ n int }

type twoNames struct {
	Part
	Other
}

// Other has a name of Part's.
type Other struct{ X int }

type hidden struct {
	Part
	X string
}

// Part is embedded by its exported name.
type Part struct{ X, Y int }

// Real has a field that -0 is not the zero of.
type Real struct{ F float64 }

// Ring embeds itself.
type Ring struct {
	*Ring
	N int
}

type stamped struct {
	time.Time
	Note string
}

type writer struct{ A int }

func (writer) MarshalJSON() ([]byte, error) { return []byte(`"w"`), nil }

type secret string

func (secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// forgetful reads nothing of what it writes.
type forgetful struct{ n int }

func (f forgetful) MarshalJSON() ([]byte, error)   { return json.Marshal(f.n) }
func (f *forgetful) UnmarshalJSON([]byte) error    { return nil }
func (f forgetful) MarshalBinary() ([]byte, error) { return []byte{byte(f.n)}, nil }
func (f *forgetful) UnmarshalBinary([]byte) error  { return nil }

// unordered writes the members of a set in any order.
type unordered struct {
	names map[string]bool
	read  int
}

func (u unordered) MarshalJSON() ([]byte, error) {
	return json.Marshal(slices.Collect(maps.Keys(u.names)))
}
func (u *unordered) UnmarshalJSON(data []byte) error {
	var names []string
	err := json.Unmarshal(data, &names)
	u.names = map[string]bool{}
	for _, n := range names {
		u.names[n] = true
	}
	u.read++
	return err
}

type enum int

func (enum) MarshalText() ([]byte, error) { return []byte("one"), nil }

func TestTypesThatDoNotComeBackAreRefused(t *testing.T) {
	typeIsRefused[fmt.Stringer](t, "its type is not stored", allKinds...)
	typeIsRefused[struct{ In io.Reader }](t, "In: interface io.Reader", allKinds...)
	typeIsRefused[struct{ Err error }](t, "Err: interface error", allKinds...)
	typeIsRefused[[]map[string]fmt.Stringer](t, "[][]: interface", allKinds...)
	typeIsRefused[opaque](t, "no field that is stored", allKinds...)
	typeIsRefused[*opaque](t, "no field that is stored", allKinds...)
	typeIsRefused[struct{ Mu sync.Mutex }](t, "Mu: struct sync.Mutex", allKinds...)
	typeIsRefused[struct{ N atomic.Int64 }](t, "N: struct atomic.Int64", allKinds...)
	typeIsRefused[struct{ F big.Float }](t, "F: struct big.Float", asCBOR...)
	typeIsRefused[struct{ Deep []job }](t, "Deep[].C: type chan int", allKinds...)
	typeIsRefused[func()](t, "type func()", allKinds...)
	typeIsRefused[complex64](t, "type complex64", allKinds...)
	typeIsRefused[twoNames](t, `Part.X: Other.X has the same name, "X"`, allKinds...)
	typeIsRefused[struct{ *part }](t, "part: *cache_test.part is embedded and not exported", allKinds...)
	typeIsRefused[map[[2]int]int](t, "keys", asJSON...)
	typeIsRefused[map[*int]int](t, "keys", asCBOR...)
	typeIsRefused[enum](t, "but not both", asJSON...)
	typeIsRefused[int](t, "raw codec", cache.Raw{}, cache.Compressed{Codec: cache.Raw{}})

	isRefused(t, struct{ P *opaque }{&opaque{1}}, "P: struct", allKinds...)
	comesBack(t, struct{ P *opaque }{}, struct{ P *opaque }{}, allKinds...)
	u, err := url.Parse("https://user:secret@example.com/")
	if err != nil {
		t.Fatal(err)
	}
	isRefused(t, u, "User: struct url.Userinfo", asJSON...)
	isRefused[any](t, opaque{1}, "no field that is stored", allKinds...)
	isRefused[any](t, []any{make(chan int)}, "[0]: type chan int", allKinds...)
	isRefused(t, hidden{Part{X: 1}, "x"}, "Part.X: it is hidden", allKinds...)
	comesBack(t, hidden{Part{Y: 1}, "x"}, hidden{Part{Y: 1}, "x"}, allKinds...)
	isRefused(t, struct {
		Real
		F string
	}{Real{math.Copysign(0, -1)}, "x"}, "Real.F: it is hidden", allKinds...)
	comesBack(t, Ring{N: 1}, Ring{N: 1}, allKinds...)
	isRefused(t, Ring{&Ring{N: 2}, 1}, "Ring: it is hidden", allKinds...)
	isRefused(t, stamped{time.Unix(1, 0).UTC(), "note"}, "it would come back as another value", allKinds...)
	isRefused[any](t, &stamped{time.Unix(1, 0).UTC(), "note"}, "it would come back as another value", allKinds...)
	isRefused(t, writer{1}, "its methods do not read what they write", asJSON...)
	isRefused(t, secret("s"), "it would come back as another value", asJSON...)
	isRefused(t, forgetful{1}, "it would come back as another value", allKinds...)
	set := map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": true, "f": true, "g": true}
	comesBack(t, unordered{set, 7}, unordered{set, 1}, asJSON...)
	isRefused(t, math.NaN(), "NaN is no number of JSON", asJSON...)
	isRefused(t, struct{ F []float32 }{[]float32{0, float32(math.Inf(-1))}}, "F[1]: -Inf", asJSON...)
	isRefused(t, struct{ N json.Number }{"x"}, "N: the json.Number is not a number", asJSON...)

	comesBack(t, struct{}{}, struct{}{}, allKinds...)
	comesBack[error](t, nil, nil, foreign{}) // another's codec may know what to do
	comesBack(t, math.Inf(1), math.Inf(1), asCBOR...)
}

// A refusal has the same text each time, also for concurrent callers.
func TestARefusalNamesThePathEachTime(t *testing.T) {
	type holds struct{ In []twoNames }
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := cache.New[holds](cache.Options{})
			const want = `In[].Part.X: Other.X has the same name, "X", so that neither would be stored`
			if err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("New: %v; want %s", err, want)
			}
			if _, err := (cache.JSON{}).Encode([]any{twoNames{}}); err == nil || !strings.HasPrefix(err.Error(), "[0].Part.X: Other.X") {
				t.Errorf("Encode: %v", err)
			}
		})
	}
	wg.Wait()
}

// foreign is a codec of another package that embeds one of this package.
type foreign struct{ cache.JSON }

func (foreign) Encode(any) ([]byte, error)      { return []byte("mine"), nil }
func (foreign) Decode(data []byte, v any) error { return nil }

func TestACodecThatEmbedsOneIsItself(t *testing.T) {
	m := openMemory(t)
	c := newCache[int](t, cache.Options{Store: m, Codec: foreign{}})
	mustSet(t, c, "k", 1)
	if e, _, err := m.Get(t.Context(), "k"); err != nil || string(e.Value) != "mine" {
		t.Errorf("stored %q, %v", e.Value, err)
	}
}
