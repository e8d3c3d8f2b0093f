package cache_test

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/harpia-go/harpia/cache"
)

type oldInner struct {
	A int
	B string `json:"b,omitempty"`
}

type oldValue struct {
	ID     int64 `json:"id"`
	Name   string
	When   time.Time `json:"when"`
	Data   []byte
	Rate   float64
	Small  float32
	Tags   []string
	Labels map[string]string
	Counts map[int]uint8
	Next   *oldInner
	oldInner
	Raw   json.RawMessage `json:",omitempty"`
	Price json.Number
	Any   any
	Big   *big.Int
	Addr  netip.Addr
	Took  time.Duration
	Array [2]bool
	Nil   *int
}

// The first codecs wrote these bytes, which stores still have.
const (
	oldJSON = "{\"id\":9007199254740993,\"Name\":\"é\\u003c\\u0026\\u003e\\u2028\\\"\",\"when\":\"2026-01-02T03:04:05.678901234+01:00\",\"Data\":\"AP8=\",\"Rate\":0.1,\"Small\":1.5,\"Tags\":[\"a\",\"\"],\"Labels\":{\"k\":\"v\"},\"Counts\":{\"-3\":7},\"Next\":{\"A\":1,\"b\":\"x\"},\"A\":2,\"Raw\":{\"a\":[1,2]},\"Price\":1.50,\"Any\":{\"l\":[1,-2,2.5,\"t\",null,true,{\"x\":\"AQ==\"}],\"n\":18446744073709551615},\"Big\":1180591620717411303424,\"Addr\":\"10.0.0.1\",\"Took\":1000000000,\"Array\":[true,false],\"Nil\":null}"
	oldCBOR = "\xb3bid\x1b\x00 \x00\x00\x00\x00\x00\x01dNameié<&>\u2028\"dwhen\x1aiW'\x95dDataB\x00\xffdRate\xfb?\xb9\x99\x99\x99\x99\x99\x9aeSmall\xfa?\xc0\x00\x00dTags\x82aa`fLabels\xa1akavfCounts\xa1\"\adNext\xa2aA\x01abaxaA\x02cRawK{\"a\":[1,2]}ePriced1.50cAny\xa2al\x87\x01!\xfb@\x04\x00\x00\x00\x00\x00\x00at\xf6\xf5\xa1axA\x01an\x1b\xff\xff\xff\xff\xff\xff\xff\xffcBig\xc2I@\x00\x00\x00\x00\x00\x00\x00\x00dAddrD\n\x00\x00\x01dTook\x1a;\x9a\xca\x00eArray\x82\xf5\xf4cNil\xf6"
)

func oldWant(when time.Time, bytes any) oldValue {
	return oldValue{
		9007199254740993, "é<&>\u2028\"", when, []byte{0, 255}, 0.1, 1.5, []string{"a", ""}, map[string]string{"k": "v"},
		map[int]uint8{-3: 7}, &oldInner{1, "x"}, oldInner{A: 2}, json.RawMessage(`{"a":[1,2]}`), "1.50",
		map[string]any{"n": uint64(18446744073709551615), "l": []any{int64(1), int64(-2), 2.5, "t", nil, true, map[string]any{"x": bytes}}},
		new(big.Int).Lsh(big.NewInt(1), 70), netip.MustParseAddr("10.0.0.1"), time.Second, [2]bool{true, false}, nil,
	}
}

func isRead[V any](t *testing.T, codec cache.Codec, stored string, want V) {
	t.Helper()
	m := openMemory(t)
	if err := m.Set(t.Context(), "k", cache.Entry{Value: []byte(stored)}); err != nil {
		t.Fatal(err)
	}
	c := newCache[V](t, cache.Options{Store: m, Codec: codec})
	got, ok, err := c.Get(t.Context(), "k")
	if !ok || err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%T: %.60q is %+v, %v, %v; want %+v", codec, stored, got, ok, err, want)
	}
}

func TestOldValuesAreRead(t *testing.T) {
	when := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.FixedZone("", 3600))
	isRead(t, cache.JSON{}, oldJSON, oldWant(when, "AQ=="))
	isRead(t, cache.Compressed{}, "\x00"+oldJSON, oldWant(when, "AQ=="))
	isRead(t, cache.CBOR{}, oldCBOR, oldWant(when.Truncate(time.Second).Local(), []byte{1}))

	// A map with keys that are no text, and an integer beyond int64, in an any.
	isRead[any](t, cache.CBOR{}, "\xa3\x01aaab\x02\x1b\xff\xff\xff\xff\xff\xff\xff\xff ", map[any]any{int64(1): "a", "b": int64(2), uint64(18446744073709551615): int64(-1)})
	isRead[any](t, cache.CBOR{}, "\x82\xa1aa\xa1\x01a1\xa1aa\x01", []any{map[string]any{"a": map[any]any{int64(1): "1"}}, map[string]any{"a": int64(1)}})
	isRead(t, cache.CBOR{}, "\x1aiW5\xa5", time.Unix(1767323045, 0))
	isRead(t, cache.CBOR{}, "\xf6", time.Time{})
	isRead[any](t, cache.CBOR{}, "\xfbDK\x1a\xe4\xd6\xe2\xefP", 1e21)
	isRead[any](t, nil, "1e+21", 1e21)
	isRead[any](t, nil, "42", int64(42))
	isRead(t, nil, "\"\ufffd\"", "\"\ufffd\"")
	isRead[any](t, nil, "\"\ufffd\"", "\ufffd")
	isRead(t, cache.Compressed{}, "\x01\x04\xc0\x81\x00\x00\x00\x00\x80 \x97\xcd\xf2\x97\xb8\x00\x00\x00\x80\x0e\x00\x00\xff\xff", strings.Repeat("a", 30))

	type inline struct {
		Spec oldInner `json:"spec,inline"`
	}
	isRead(t, nil, `{"spec":{"A":1,"b":"x"}}`, inline{oldInner{1, "x"}})
	// What is beyond the limits of writing is not beyond those of reading.
	isRead(t, cache.CBOR{}, "\x9a\x00\x03\x0d\x40"+strings.Repeat("\x01", 200_000), func() []int {
		v := make([]int, 200_000)
		for i := range v {
			v[i] = 1
		}
		return v
	}())
}
