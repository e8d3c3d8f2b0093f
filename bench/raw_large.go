package main

import (
	"context"
	"io"
	"net"
	"time"
)

// apart is the limit for large values: each caller has a connection of its
// own, since two ends that both write much on one may wait for each other.
func (p *rawPeer) apart(size int) func(context.Context, int, time.Duration) (sample, error) {
	return func(ctx context.Context, callers int, d time.Duration) (sample, error) {
		conns := make([]net.Conn, callers)
		for i := range conns {
			conn, err := p.dial()
			if err != nil {
				return sample{}, err
			}
			defer conn.Close()
			conns[i] = conn
		}
		in := make([][]byte, callers)
		for i := range in {
			in[i] = make([]byte, 4+size)
		}
		return load{bytes: size, op: func(caller, i int) error {
			request, answer := p.get, in[caller]
			if isSet(caller, i) {
				request, answer = p.set, answer[:4]
			}
			if _, err := conns[caller].Write(request); err != nil {
				return err
			}
			_, err := io.ReadFull(conns[caller], answer)
			return err
		}}.run(ctx, callers, d)
	}
}
