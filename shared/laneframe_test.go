package shared

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"pgregory.net/rapid"
)

// flat is a frame as it is sent.
func flat(f interface{ add(*frameQueue) }) []byte {
	var q frameQueue
	f.add(&q)
	return slices.Concat(q.buffers()...)
}

func drawRequest(t *rapid.T) laneRequest {
	blob := rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 0, 300), rapid.Map(rapid.IntRange(0, 2*frameBuffer), longValue))
	r := laneRequest{
		id: rapid.Uint32().Draw(t, "id"), op: laneOp(rapid.IntRange(int(laneGet), int(laneOps)).Draw(t, "op")),
		left: rapid.Uint32().Draw(t, "left"), expires: rapid.Int64().Draw(t, "expires"),
		key: string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "key")),
	}
	switch r.op {
	case laneSet, laneAdd:
		r.value = blob.Draw(t, "value")
	case laneSwap:
		r.old, r.value = blob.Draw(t, "old"), blob.Draw(t, "value")
	case laneSwapDel:
		r.old = blob.Draw(t, "old")
	case laneCount:
		r.delta = rapid.Int64().Draw(t, "delta")
	}
	return r
}

func drawAnswer(t *rapid.T) laneAnswer {
	return laneAnswer{
		id: rapid.Uint32().Draw(t, "id"), status: codes.Code(rapid.IntRange(0, 16).Draw(t, "status")),
		flags:   rapid.SampledFrom([]uint8{0, flagTrue, flagTooLarge, flagTrue | flagTooLarge}).Draw(t, "flags"),
		expires: rapid.Int64().Draw(t, "expires"), rest: longValue(rapid.IntRange(0, 2*frameBuffer).Draw(t, "rest")),
	}
}

func longValue(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * n)
	}
	return b
}

// What is sent arrives, in whatever pieces the connection brings it.
func TestFramesSurviveTheLane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sent []byte
		var requests []laneRequest
		var answers []laneAnswer
		for range rapid.IntRange(1, 6).Draw(t, "frames") {
			r, a := drawRequest(t), drawAnswer(t)
			requests, answers = append(requests, r), append(answers, a)
			before := len(sent)
			if sent = append(sent, flat(&r)...); len(sent)-before != r.size() {
				t.Fatalf("a frame of %d bytes says that it has %d", len(sent)-before, r.size())
			}
			sent = append(sent, flat(&a)...)
		}
		in := frames{longest: requestHead + 8*frameBuffer}
		pieces := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "pieces"), 0))
		for n := 0; ; {
			frame, _, err := in.next()
			if err != nil {
				t.Fatal(err)
			}
			if frame == nil {
				if len(sent) == 0 {
					if n != 2*len(requests) {
						t.Fatalf("%d of %d frames arrived", n, 2*len(requests))
					}
					return
				}
				piece := min(1+pieces.IntN(1+pieces.IntN(2*frameBuffer)), len(sent))
				m := copy(in.room(), sent[:piece])
				in.read(m)
				sent = sent[m:]
				continue
			}
			if n%2 == 0 {
				got, err := parseRequest(frame)
				want := requests[n/2]
				if err != nil || got.id != want.id || got.op != want.op || got.left != want.left || got.expires != want.expires ||
					got.key != want.key || got.delta != want.delta || !bytes.Equal(got.old, want.old) || !bytes.Equal(got.value, want.value) {
					t.Fatalf("request %d became another: %v", n/2, err)
				}
			} else {
				got, err := parseAnswer(frame)
				want := answers[n/2]
				if err != nil || got.id != want.id || got.status != want.status || got.flags != want.flags ||
					got.expires != want.expires || !bytes.Equal(got.rest, want.rest) {
					t.Fatalf("answer %d became another: %v", n/2, err)
				}
			}
			n++
		}
	})
}

// A frame that is longer than allowed is refused before there is memory for
// it, and the buffer of one that was long is given back.
func TestFrameBuffer(t *testing.T) {
	const longest = 8 << 20
	in := frames{longest: longest}
	a := laneAnswer{rest: make([]byte, longest-answerHead)}
	for sent := flat(&a); len(sent) > 0; {
		if frame, _, err := in.next(); frame != nil || err != nil {
			t.Fatalf("%d bytes, %v", len(frame), err)
		}
		n := copy(in.room(), sent)
		if n == 0 {
			t.Fatal("there is no room")
		}
		in.read(n)
		sent = sent[n:]
	}
	if frame, _, err := in.next(); len(frame) != longest || err != nil {
		t.Fatalf("%d bytes, %v", len(frame), err)
	}
	if in.room(); cap(in.buf) != frameBuffer {
		t.Errorf("%d bytes are kept", cap(in.buf))
	}
	in.read(copy(in.room(), flat(&laneAnswer{rest: make([]byte, longest)})[:100]))
	if _, _, err := in.next(); !errors.Is(err, errFrame) {
		t.Errorf("a frame that is too long: %v", err)
	}
}

// Whatever a plugin is sent is refused or understood, and then it is what is
// sent for it.
func FuzzLaneRequest(f *testing.F) {
	for _, r := range []laneRequest{
		{op: laneGet, key: "k"}, {op: laneSet, key: "k", value: []byte("v"), expires: 1}, {op: laneSwap, key: "k", old: []byte("o"), value: []byte("v")},
		{op: laneSwapDel, key: "k", old: []byte("o")}, {op: laneCount, key: "k", delta: -1}, {op: laneTouch, key: "k"},
	} {
		f.Add(flat(&r)[lengthSize:])
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, err := parseRequest(frame)
		if err != nil {
			if !errors.Is(err, errFrame) {
				t.Errorf("%v", err)
			}
			return
		}
		if again := flat(&r)[lengthSize:]; !bytes.Equal(again, frame) {
			t.Errorf("%x was understood as %x", frame, again)
		}
	})
}

// The same for what a host is answered.
func FuzzLaneAnswer(f *testing.F) {
	f.Add(flat(&laneAnswer{id: 1, flags: flagTrue, rest: []byte("v")})[lengthSize:])
	f.Add(flat(&laneAnswer{status: codes.Unavailable, rest: []byte("the disk")})[lengthSize:])
	f.Fuzz(func(t *testing.T, frame []byte) {
		a, err := parseAnswer(frame)
		if err != nil {
			if !errors.Is(err, errFrame) {
				t.Errorf("%v", err)
			}
			return
		}
		if again := flat(&a)[lengthSize:]; !bytes.Equal(again, frame) {
			t.Errorf("%x was understood as %x", frame, again)
		}
	})
}

// However a stream is cut, and whatever is in it, the buffer neither breaks nor
// grows past the longest frame.
func FuzzLaneFrames(f *testing.F) {
	f.Add(flat(&laneRequest{op: laneGet, key: "k"}), uint64(1))
	f.Add([]byte{0, 0, 0, 0, 255, 255, 255, 255}, uint64(2))
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		const longest = 1 << 20
		random := rand.New(rand.NewPCG(seed, 0))
		in := frames{longest: longest}
		for {
			frame, _, err := in.next()
			if err != nil {
				return
			}
			if frame != nil {
				continue
			}
			if len(stream) == 0 {
				return
			}
			room := in.room()
			if len(room) == 0 || cap(in.buf) > longest+lengthSize+frameBuffer {
				t.Fatalf("room for %d bytes of %d", len(room), cap(in.buf))
			}
			n := copy(room, stream[:1+random.IntN(len(stream))])
			in.read(n)
			stream = stream[n:]
		}
	})
}
