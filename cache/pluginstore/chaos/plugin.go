//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	hclog "github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/harpia-go/harpia/internal/memstore"
	"github.com/harpia-go/harpia/shared"
)

// pluginPrograms are what this program becomes when it is run under another
// name.
func pluginPrograms() map[string]func() {
	return map[string]func(){
		shared.BinaryPrefix + "memory": func() { shared.Serve(&memstore.Store{}) },
		shared.BinaryPrefix + "chaos":  serveChaos,
	}
}

// serveChaos is the plugin that misbehaves.
func serveChaos() {
	m := &mischief{stderr: os.Stderr}
	s := &service{configure: m.configure}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		m.stay()
		os.Exit(0)
	}()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  shared.Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{shared.ProtocolVersion: shared.Plugins(s)},
		Logger:           hclog.New(&hclog.LoggerOptions{Output: os.Stderr, JSONFormat: true, Level: hclog.Error}),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.UnaryInterceptor(m.unary), grpc.MaxRecvMsgSize(16<<20))...)
		},
	})
	m.stay()
}

// configure is the rest of Configure: it reports at the control socket, hears
// there how to start, and opens the data.
func (m *mischief) configure(settings map[string]string) (*data, error) {
	start, err := m.report(settings[settingControl])
	if err != nil {
		return nil, err
	}
	switch start {
	case "exit":
		_, _ = fmt.Fprintln(m.stderr, "ordered not to start")
		os.Exit(3)
	case "hang":
		select {}
	case "refuse":
		return nil, fmt.Errorf("ordered to refuse its settings")
	}
	// A process that a signal has not ended yet may still hold the file.
	deadline := time.Now().Add(200 * time.Millisecond)
	for {
		d, err := openData(settings[settingFile], settings[settingShared] != "true")
		if err == nil || time.Now().After(deadline) {
			return d, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// stay does not return if the process was ordered not to end.
func (m *mischief) stay() {
	if m.refuses.Load() {
		select {}
	}
}

// unary stands between the wire and the service and does as was ordered.
func (m *mischief) unary(ctx context.Context, req any, call *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !isStoreCall(call.FullMethod) {
		return m.health(ctx, req, call, next)
	}
	turn := m.turn(call.FullMethod)
	switch turn.what {
	case "crash-before":
		die()
	case "hang", "deadlock":
		select {}
	case "slow":
		time.Sleep(turn.delay)
	}
	resp, err := next(ctx, req)
	switch turn.what {
	case "crash-after":
		die()
	case "hang-after":
		select {}
	}
	if turn.what == "garbage" {
		return spoil(turn.detail, resp, err)
	}
	return resp, err
}
