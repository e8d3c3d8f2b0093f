package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// endOnHangup returns a context that SIGHUP ends. A second one ends the program
// at once, as other signals do. Under nohup there is none.
func endOnHangup(ctx context.Context) context.Context {
	if signal.Ignored(syscall.SIGHUP) {
		return ctx
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	return ctx
}

// hangups is what SIGHUP means to a server: that it shall replace its plugin,
// or that the terminal is gone at which it was started, and it shall end.
type hangups struct {
	terminal bool // there was one at the start
	end      context.CancelFunc
	// replace gets a value when the plugin is to be replaced. One stands for
	// all that come before it is received.
	replace chan struct{}
}

// watchHangups catches SIGHUP until ctx ends. The context that it returns ends
// with the terminal. Under nohup nothing is caught.
func watchHangups(ctx context.Context) (context.Context, *hangups) {
	ctx, end := context.WithCancel(ctx)
	h := &hangups{terminal: hasTerminal(), end: end, replace: make(chan struct{}, 1)}
	if signal.Ignored(syscall.SIGHUP) {
		return ctx, h
	}
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	// It stays caught: a shell and the system may both tell of the terminal's
	// end, and the second must not kill a server that flushes.
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-caught:
			}
			if h.terminalGone() {
				return
			}
			select {
			case h.replace <- struct{}{}:
			default:
			}
		}
	}()
	return ctx, h
}

// revival is what a person does to have a plugin started again that failed too
// often.
func revival() string {
	if signal.Ignored(syscall.SIGHUP) {
		return "restart the host"
	}
	return fmt.Sprintf("kill -HUP %d", os.Getpid())
}

// terminalGone reports whether there is no terminal any more, and then ends the
// context.
func (h *hangups) terminalGone() bool {
	if !h.terminal || hasTerminal() {
		return false
	}
	h.end()
	return true
}
