package server

import (
	"fmt"

	"github.com/harpia-go/harpia/cache"
)

var _ cache.Codec = Bytes{}

// Bytes is the codec of a cache that is served. Unlike cache.Raw it copies
// neither way: a front end hands on the buffer into which it read a value, and
// sends a value from the memory in which the store returned it. So nothing may
// change a []byte that was given to such a cache or came from it.
type Bytes struct{}

// Encode implements cache.Codec.
func (Bytes) Encode(v any) ([]byte, error) {
	if b, ok := v.([]byte); ok {
		return b, nil
	}
	return nil, fmt.Errorf("server: a served cache takes []byte, not %T", v)
}

// Decode implements cache.Codec.
func (Bytes) Decode(data []byte, v any) error {
	if b, ok := v.(*[]byte); ok {
		*b = data
		return nil
	}
	return fmt.Errorf("server: a served cache gives []byte, not %T", v)
}
