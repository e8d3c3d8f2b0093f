//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"syscall"
	"time"
)

// fault is one way to disturb the store. inject may wait for what it needs;
// the store is given time to recover afterwards.
type fault struct {
	name   string
	weight int
	// ordered: only the plugin that takes orders can do it.
	ordered bool
	// fatal: the process that served is dead afterwards, or taken for dead.
	fatal bool
	// lies: the plugin's answers are wrong meanwhile, errors among them.
	lies bool
	// hangs: calls hang, which fail by themselves, and so do those on their keys.
	hangs  bool
	inject func(ctx context.Context, d *disturbance) error
}

// disturbance is what a fault is injected into.
type disturbance struct {
	*run
	rng *rand.Rand
	pid int // of the process that serves
}

// ordered is a fault that is an order.
func ordered(weight int, order string, fatal bool) fault {
	return fault{name: order, weight: weight, ordered: true, fatal: fatal, inject: func(ctx context.Context, d *disturbance) error {
		_, err := d.control.order(ctx, d.pid, order)
		return err
	}}
}

// inCall is a fault that comes with one of the next calls.
func inCall(weight int, what string, fatal bool) fault {
	return fault{name: what, weight: weight, ordered: true, fatal: fatal, inject: func(ctx context.Context, d *disturbance) error {
		_, err := d.control.order(ctx, d.pid, what, 1+d.rng.IntN(20))
		return err
	}}
}

// withKill is an order that shows when the process is killed.
func withKill(weight int, order string) fault {
	return fault{name: order + ", kill", weight: weight, ordered: true, fatal: true, inject: func(ctx context.Context, d *disturbance) error {
		answer, err := d.control.order(ctx, d.pid, order)
		if err != nil {
			return err
		}
		if escaped, err := strconv.Atoi(answer); err == nil {
			d.escaped = append(d.escaped, escaped)
		}
		d.pause(10)
		kill(d.pid)
		return nil
	}}
}

// faults are all that can happen. Those of slowFaults are apart.
func faults() []fault {
	list := []fault{
		{name: "kill", weight: 20, fatal: true, inject: killNow},
		{name: "kill while starting", weight: 10, fatal: true, inject: killWhileStarting},
		{name: "kill while replaying", weight: 8, fatal: true, inject: killWhileReplaying},
		{name: "kill again and again", weight: 4, fatal: true, inject: killAgain},
		{name: "replace", weight: 8, inject: replace},
		{name: "replace and kill", weight: 6, inject: replaceAndKill},
		{name: "kill and reset", weight: 3, fatal: true, inject: func(_ context.Context, d *disturbance) error {
			kill(d.pid)
			d.pause(40)
			d.store.Reset()
			return nil
		}},
		{name: "reset", weight: 1, inject: func(_ context.Context, d *disturbance) error { d.store.Reset(); return nil }},

		{name: "mute, kill", weight: 5, ordered: true, fatal: true, inject: mute},
		ordered(6, "crash", true),
		inCall(8, "crash-before", true),
		inCall(8, "crash-after", true),
		// With no call under way nobody sees the connection break: another is
		// made, and the process lives.
		ordered(6, "sever", false),
		ordered(4, "garble", false),
		withKill(2, "leak"),
		withKill(3, "fork"),
		withKill(2, "escape"),
		withKill(2, "shout"),
		{name: "slow", weight: 2, ordered: true, inject: func(ctx context.Context, d *disturbance) error {
			_, err := d.control.order(ctx, d.pid, "slow", 1+d.rng.IntN(100), 1+d.rng.IntN(20))
			return err
		}},
		{name: "fail to start", weight: 3, ordered: true, fatal: true, inject: failToStart},
	}
	for _, how := range []string{garbageCount, garbageNone, garbageExpired, garbageCode, garbageError, garbageHuge} {
		list = append(list, fault{name: "garbage " + how, weight: 1, ordered: true, lies: true, inject: func(ctx context.Context, d *disturbance) error {
			_, err := d.control.order(ctx, d.pid, "garbage", how, 1+d.rng.IntN(20))
			return err
		}})
	}
	return list
}

func hanging(f fault) fault {
	f.hangs = true
	return f
}

// slowFaults are noticed only by calls and health checks that time out, which
// takes seconds.
func slowFaults() []fault {
	return []fault{
		{name: "SIGSTOP", weight: 3, fatal: true, inject: func(_ context.Context, d *disturbance) error {
			return syscall.Kill(d.pid, syscall.SIGSTOP)
		}},
		hanging(inCall(2, "hang", false)),
		hanging(inCall(2, "hang-after", false)),
		ordered(1, "sick", true),
		ordered(1, "freeze", true),
		hanging(ordered(1, "deadlock", false)),
		ordered(1, "stop", true),
		{name: "hang at the start", weight: 1, ordered: true, fatal: true, inject: func(_ context.Context, d *disturbance) error {
			d.control.onStart("hang")
			kill(d.pid)
			return nil
		}},
		{name: "refuse, replace", weight: 1, ordered: true, inject: func(ctx context.Context, d *disturbance) error {
			if _, err := d.control.order(ctx, d.pid, "refuse"); err != nil {
				return err
			}
			return replace(ctx, d)
		}},
	}
}

// pause waits for up to some milliseconds.
func (d *disturbance) pause(most int) {
	time.Sleep(time.Duration(d.rng.IntN(most*1000)) * time.Microsecond)
}

func killNow(ctx context.Context, d *disturbance) error {
	d.measure(ctx, func() { kill(d.pid) })
	return nil
}

// mute has some writes done and not answered, lets others read and write what
// they wrote, and kills the process.
func mute(ctx context.Context, d *disturbance) error {
	if _, err := d.control.order(ctx, d.pid, "mute", 1+d.rng.IntN(workers-2)); err != nil {
		return err
	}
	time.Sleep(20 * time.Millisecond)
	d.pause(80)
	kill(d.pid)
	return nil
}

// another waits for a process of the plugin that is not the one that served,
// and returns 0 if there is none soon.
func (d *disturbance) another(not int) int {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for _, pid := range marked(d.mark) {
			if pid != not && groupOf(pid) == pid {
				return pid
			}
		}
	}
	return 0
}

func killWhileStarting(_ context.Context, d *disturbance) error {
	kill(d.pid)
	next := d.another(d.pid)
	if next == 0 {
		return fmt.Errorf("no process was started after %d", d.pid)
	}
	d.pause(40)
	kill(next)
	return nil
}

func killWhileReplaying(ctx context.Context, d *disturbance) error {
	kill(d.pid)
	most := 0
	d.bulk(ctx)
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Microsecond) {
		status := d.store.Status()
		most = max(most, status.Journal.Entries)
		if !status.Fallback || status.Journal.Entries < most {
			break
		}
	}
	if next := d.another(d.pid); next != 0 {
		kill(next)
	}
	return nil
}

func killAgain(_ context.Context, d *disturbance) error {
	for range 2 + d.rng.IntN(3) {
		if pid := d.another(0); pid != 0 {
			kill(pid)
		}
		d.pause(80)
	}
	return nil
}

func replace(ctx context.Context, d *disturbance) error {
	if err := d.store.Replace(ctx, ""); err != nil && ctx.Err() == nil {
		return fmt.Errorf("replace: %w", err)
	}
	return nil
}

// replaceAndKill kills one of the two processes on the way; the replacement
// may fail then.
func replaceAndKill(ctx context.Context, d *disturbance) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.store.Replace(ctx, "")
	}()
	if d.rng.IntN(2) == 0 {
		d.pause(60)
		kill(d.pid)
	} else if next := d.another(d.pid); next != 0 {
		d.pause(40)
		kill(next)
	}
	<-done
	return nil
}

// failToStart lets some starts fail, and resets the store once they have.
func failToStart(_ context.Context, d *disturbance) error {
	for range 1 + d.rng.IntN(4) {
		d.control.onStart([]string{"exit", "refuse"}[d.rng.IntN(2)])
	}
	kill(d.pid)
	for deadline := time.Now().Add(10 * time.Second); d.control.startsLeft() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d starts were not tried", d.control.startsLeft())
		}
	}
	d.store.Reset()
	return nil
}
