//go:build linux

package shared

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/harpia-go/harpia/cache"
)

// oversized is a store that finds more under "large" than it says it can.
type oversized struct {
	cache.Store
	max int
}

func (o oversized) Limits() cache.Limits { return cache.Limits{MaxValue: o.max} }

func (o oversized) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	if key == "large" {
		return cache.Entry{Value: make([]byte, o.max+1)}, true, nil
	}
	return o.Store.Get(ctx, key)
}

// A value over the store's own limit costs the call that finds it, and not the
// connection.
func TestAnswerOverTheStoresLimit(t *testing.T) {
	for _, most := range []int{1 << 10, 2 * laneSmall, 20 << 20} {
		store := oversized{memory(t), most}
		clients := map[string]*Client{"lane": openLanes(t, store, false), "gRPC": NewClient(dial(t, newServer(store)))}
		if _, err := clients["gRPC"].Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := clients["gRPC"].Configure(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		for path, c := range clients {
			_, _, err := c.Get(t.Context(), "large")
			if !errors.Is(err, cache.ErrTooLarge) || errors.Is(err, ErrBroken) {
				t.Errorf("%s, %d bytes: %v", path, most, err)
			}
			if _, _, err := c.Get(t.Context(), "other"); err != nil {
				t.Errorf("%s: after it: %v", path, err)
			}
		}
	}
}

// The host takes an answer that is longer than allowed for one that says so, however
// it arrives, and goes on with the next.
func TestHostSkipsAnAnswerThatIsTooLong(t *testing.T) {
	const longest = 1 << 10
	for _, extra := range []int{1, longest, 3 * frameBuffer} {
		l, plugin := laneTo(t, longest)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		go func() {
			for i, r := range framesOf(t, plugin, 1<<20, 2, parseRequest) {
				a := laneAnswer{id: r.id, flags: flagTrue, rest: make([]byte, 3)}
				if i == 0 {
					a.rest = make([]byte, longest+extra)
				}
				text := flat(&a)
				for _, part := range [][]byte{text[:lengthSize+2], text[lengthSize+2 : lengthSize+answerHead], text[lengthSize+answerHead:]} {
					if _, err := plugin.Write(part); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Millisecond)
				}
			}
		}()
		first := make(chan laneAnswer, 1)
		go func() {
			a, err := get(ctx, l, "large", time.Minute)
			if err != nil {
				t.Error(err)
			}
			first <- a
		}()
		time.Sleep(10 * time.Millisecond)
		a, err := get(ctx, l, "other", time.Minute)
		if err != nil || a.status != codes.OK || len(a.rest) != 3 {
			t.Errorf("%d bytes too many: the next answer is %+v, %v", extra, a, err)
		}
		if a := <-first; a.status != codes.ResourceExhausted || len(a.rest) == 0 {
			t.Errorf("%d bytes too many: the answer is %+v", extra, a)
		}
	}
}

// No memory is taken for what is skipped.
func TestSkippedFrameTakesNoMemory(t *testing.T) {
	in := frames{longest: 1 << 10, answers: true}
	head := make([]byte, lengthSize+answerHead)
	binary.LittleEndian.PutUint32(head, 1<<31)
	in.read(copy(in.room(), head))
	if frame, _, err := in.next(); frame == nil || err != nil {
		t.Fatalf("%v, %v", frame, err)
	}
	for range 100 {
		room := in.room()
		if len(room) > 2*frameBuffer || len(room) == 0 {
			t.Fatalf("there is room for %d bytes", len(room))
		}
		in.read(len(room))
		if frame, _, err := in.next(); frame != nil || err != nil {
			t.Fatalf("%v, %v", frame, err)
		}
	}
}
