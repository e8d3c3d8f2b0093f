package cache

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// DefaultCompressMin is the length in bytes from which Compressed compresses.
const DefaultCompressMin = 1 << 10

// Compressed wraps a codec and compresses what it writes with DEFLATE (RFC
// 1951) where that makes it shorter. The first byte of the stored value tells:
// 0 as it is, 1 compressed.
type Compressed struct {
	// Codec encodes the values. Nil: JSON.
	Codec Codec
	// Min is the encoded length from which values are compressed. 0:
	// DefaultCompressMin.
	Min int
}

const (
	storedPlain = iota
	storedDeflate
)

func (c Compressed) inner() Codec {
	if c.Codec == nil {
		return JSON{}
	}
	return c.Codec
}

// Encode implements Codec. A value that is longer than Decode would unpack gives
// ErrTooLarge, however short it is once it is compressed.
func (c Compressed) Encode(v any) ([]byte, error) {
	data, err := c.inner().Encode(v)
	if err != nil {
		return nil, err
	}
	return c.pack(data)
}

func (c Compressed) encodeAt(p any) ([]byte, error) {
	data, err := encodeAt(c.inner(), p)
	if err != nil {
		return nil, err
	}
	return c.pack(data)
}

func (c Compressed) checkType(t reflect.Type) error {
	if e := exactOf(c.inner()); e != nil {
		return e.checkType(t)
	}
	return nil
}

func (c Compressed) pack(data []byte) ([]byte, error) {
	if len(data) > DefaultMaxValue {
		return nil, fmt.Errorf("%w: it has %d bytes before it is compressed, more than %d", ErrTooLarge, len(data), DefaultMaxValue)
	}
	limit := c.Min
	if limit <= 0 {
		limit = DefaultCompressMin
	}
	if len(data) >= limit {
		var out bytes.Buffer
		out.WriteByte(storedDeflate)
		w, err := flate.NewWriter(&out, flate.BestSpeed)
		if err != nil {
			return nil, err
		}
		// Writes to a bytes.Buffer do not fail.
		_, _ = w.Write(data)
		_ = w.Close()
		if out.Len() <= len(data) {
			return out.Bytes(), nil
		}
	}
	return append([]byte{storedPlain}, data...), nil
}

// Decode implements Codec. It refuses to unpack more than DefaultMaxValue
// bytes: a few kilobytes from a hostile store could otherwise fill the memory.
func (c Compressed) Decode(data []byte, v any) error {
	if len(data) == 0 {
		return errors.New("cache: a compressed value has at least one byte")
	}
	switch kind, body := data[0], data[1:]; kind {
	case storedPlain:
		return c.inner().Decode(body, v)
	case storedDeflate:
		plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(body)), DefaultMaxValue+1))
		if err != nil {
			return err
		}
		if len(plain) > DefaultMaxValue {
			return fmt.Errorf("%w: it unpacks to more than %d bytes", ErrTooLarge, DefaultMaxValue)
		}
		return c.inner().Decode(plain, v)
	default:
		return fmt.Errorf("cache: the value was not written by Compressed: it begins with byte %d", kind)
	}
}
