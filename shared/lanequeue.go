package shared

import "net"

// frameQueue is frames to be written: small ones in one buffer, and values that
// are not worth copying where they are.
type frameQueue struct {
	small  []byte
	values []queuedValue
	bytes  int // of values
}

// queuedValue comes after the first at bytes of the buffer. Nobody changes a
// value that was handed over, so it may be written later.
type queuedValue struct {
	at    int
	value []byte
}

// copiedValue is the longest value that is copied: system calls that gather
// cost more than that.
const copiedValue = 32 << 10

func (q *frameQueue) size() int { return len(q.small) + q.bytes }

// value adds the end of a frame.
func (q *frameQueue) value(v []byte) {
	if len(v) <= copiedValue {
		q.small = append(q.small, v...)
		return
	}
	q.values = append(q.values, queuedValue{len(q.small), v})
	q.bytes += len(v)
}

// buffers returns all that is queued, in order.
func (q *frameQueue) buffers() net.Buffers {
	all := make(net.Buffers, 0, 1+2*len(q.values))
	from := 0
	for _, v := range q.values {
		if v.at > from {
			all = append(all, q.small[from:v.at])
		}
		all = append(all, v.value)
		from = v.at
	}
	if len(q.small) > from {
		all = append(all, q.small[from:])
	}
	return all
}

// writeTo writes all, and returns what it could not.
func (q *frameQueue) writeTo(conn net.Conn) (net.Buffers, error) {
	if len(q.values) > 0 {
		all := q.buffers()
		_, err := all.WriteTo(conn)
		return all, err
	}
	n, err := conn.Write(q.small)
	if n == len(q.small) {
		return nil, err
	}
	return net.Buffers{q.small[n:]}, err
}
