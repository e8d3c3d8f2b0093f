package pluginstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/harpia-go/harpia/cache"
)

// A history of calls on one key. A call that failed has an unknown outcome: it was
// done, or not, before the first later call on the key that succeeded has returned.
// So it never lands on top of a newer value.

type keyCall struct {
	read    bool
	value   string // that was written or found; "": nothing
	unknown bool
	exact   bool // a miss is not allowed where a value is
}

// oneKey is the model of a key: its state is the last value. A miss is always
// allowed, an older value never.
var oneKey = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{""} },
	Step: func(state, input, _ any) []any {
		switch call := input.(keyCall); {
		case call.read && (call.value == "" && !call.exact || call.value == state):
			return []any{state}
		case call.read:
			return nil
		case call.unknown:
			return []any{state, call.value}
		default:
			return []any{call.value}
		}
	},
}).ToModel()

// searchTime bounds the search for an explanation of one history. One with many
// unknown outcomes that takes longer counts as explained.
const searchTime = time.Second

// explained reports whether calls on one key can have happened.
func explained(calls []porcupine.Operation) bool {
	var history []porcupine.Operation
	for _, c := range calls {
		if c.Input.(keyCall).unknown {
			failed := c.Return
			c.Return = 1 << 62
			for _, later := range calls {
				if !later.Input.(keyCall).unknown && later.Call > failed {
					c.Return = min(c.Return, later.Return)
				}
			}
		}
		history = append(history, c)
	}
	return porcupine.CheckOperationsTimeout(oneKey, history, searchTime) != porcupine.Illegal
}

// disturbed is a store whose answers are late at random, out of order, or never
// come, and whose process dies now and then. It returns the calls on each key.
func disturbed(t *testing.T, seed uint64, kind func(*fakePlug)) map[string][]porcupine.Operation {
	random := rand.New(rand.NewPCG(seed, 0))
	var mu sync.Mutex
	chance := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n)
	}
	late := func() (before, after time.Duration) {
		times := [...]time.Duration{0, 0, 0, 0, 0, time.Millisecond, 100 * time.Millisecond, 1900 * time.Millisecond, 3 * time.Second, 6 * time.Second}
		before, after = times[chance(len(times))], times[chance(len(times))]
		if chance(40) == 0 {
			after = 1000 * time.Hour
		}
		return before, after
	}
	f := &fakes{t: t, data: newData(t), make: func(p *fakePlug) {
		kind(p)
		p.wire.late = late
	}}
	s := openFake(t, Options{Hang: 20 * time.Second, Restart: Restart{Failures: 1 << 20}}, f.launch)
	defer s.Close()

	var clock atomic.Int64
	calls := make(map[string][]porcupine.Operation)
	var clients sync.WaitGroup
	for client := range 6 {
		clients.Go(func() {
			for n := range 16 {
				key := fmt.Sprint(chance(3))
				ctx, cancel := context.WithTimeout(t.Context(), []time.Duration{time.Millisecond, time.Second, time.Hour}[chance(3)])
				call, op := keyCall{value: fmt.Sprintf("%d-%d", client, n)}, porcupine.Operation{ClientId: client, Call: clock.Add(1)}
				var err error
				switch chance(5) {
				case 0, 1:
					var e cache.Entry
					e, _, err = s.Get(ctx, key)
					call = keyCall{read: true, value: string(e.Value)}
				case 2:
					call.value = ""
					err = s.Delete(ctx, key)
				case 3:
					err = s.SetMany(ctx, []cache.Item{{Key: key, Entry: entry(call.value)}})
				default:
					err = s.Set(ctx, key, entry(call.value))
				}
				cancel()
				op.Return = clock.Add(1)
				if call.unknown = err != nil; !call.read || err == nil {
					op.Input = call
					mu.Lock()
					calls[key] = append(calls[key], op)
					mu.Unlock()
				}
				if chance(30) == 0 {
					f.last().die()
				}
				time.Sleep(time.Duration(chance(1000)) * time.Millisecond)
			}
		})
	}
	clients.Wait()
	for key := range calls {
		// What a durable store acknowledged is there when its plugin is.
		for s.Info().Durable && s.Status().State != Ready {
			time.Sleep(time.Second)
		}
		op := porcupine.Operation{ClientId: 6, Call: clock.Add(1)}
		e, _, err := s.Get(t.Context(), key)
		if op.Return = clock.Add(1); err == nil {
			op.Input = keyCall{read: true, value: string(e.Value), exact: s.Info().Durable && s.Status().State == Ready}
			calls[key] = append(calls[key], op)
		}
	}
	return calls
}

func TestHistoriesWithLateAnswers(t *testing.T) {
	for name, kind := range map[string]func(*fakePlug){
		"exclusive": func(*fakePlug) {},
		"shared":    sharedStore,
		"durable":   func(p *fakePlug) { p.known.Durable = true },
	} {
		t.Run(name, func(t *testing.T) {
			found := 0
			for seed := range uint64(100) {
				var calls map[string][]porcupine.Operation
				synctest.Test(t, func(t *testing.T) { calls = disturbed(t, seed, kind) })
				for key, history := range calls {
					for _, op := range history {
						if call := op.Input.(keyCall); call.read && call.value != "" {
							found++
						}
					}
					// Outside of the bubble, whose time does not pass meanwhile.
					if !explained(history) {
						t.Errorf("seed %d: what was read under %s has no explanation", seed, key)
					}
				}
			}
			if found < 200 {
				t.Errorf("only %d values were found", found)
			}
		})
	}
}
