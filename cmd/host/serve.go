package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/spf13/cobra"

	"github.com/harpia-go/harpia/cache/pluginstore"
	"github.com/harpia-go/harpia/internal/reclaim"
	"github.com/harpia-go/harpia/internal/server"
)

// defaultHTTP is reachable from this machine only.
const defaultHTTP = "127.0.0.1:8380"

// serveName is the command to which SIGHUP is not the end.
const serveName = "serve"

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   serveName,
		Short: "Serve the cache over HTTP until interrupted",
		Long: `Serve the cache over HTTP until SIGINT or SIGTERM, which let the requests in
flight finish, flush the store and end its plugin. There is no authentication:
whoever can reach the address can read and write.

A plugin that dies is started again, and --fallback says what serves meanwhile.
"host plugins status" tells how it is.

SIGHUP replaces the plugin by the program that is now found under the store URL,
if it is trusted; no request fails meanwhile, and the old one stays if the new
one does not serve well. It also starts a plugin that failed too often. When the
terminal is closed at which the server was started, SIGHUP ends it as SIGTERM
does; under nohup it does nothing.`,
		Args: cobra.NoArgs,
	}
	addr := cmd.Flags().String("http", defaultHTTP, "`ADDR` to listen on")
	hosts := cmd.Flags().StringArray("http-host", nil, "`NAME` by which clients may call a server on a loopback address, beside localhost; may be repeated")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.serve(cmd.Context(), *addr, *hosts)
	}
	return cmd
}

func (a *app) serve(ctx context.Context, addr string, hosts []string) error {
	// The address first: a wrong one costs no start of a plugin.
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w: cannot listen on %s: %w; choose another address with --http", errUsage, addr, err)
	}
	defer l.Close()
	log, err := a.logger(slog.LevelInfo)
	if err != nil {
		return err
	}
	if a.logLevel == "" {
		a.logLevel = slog.LevelInfo.String()
	}
	a.fallback.orElse(pluginstore.FallbackAuto)
	a.onChange = func(s pluginstore.Status) {
		if s.State == pluginstore.Failed {
			log.Error("the plugin is not started again by itself", "remedy", revival())
		}
	}
	ctx, hangups := watchHangups(ctx)
	defer hangups.end()
	c, err := a.open(ctx)
	if err != nil {
		return err
	}
	memory := new(reclaim.Reclaimer)
	defer memory.Close()
	maxValue := a.store.Limits().MaxValue
	h, err := server.New(server.Options{
		Cache:     c,
		MaxValue:  maxValue,
		Admission: server.NewAdmission(server.MaxBuffered(maxValue), memory),
		Status:    a.status,
		Logger:    log,
		Hosts:     hosts,
	})
	if err != nil {
		return err
	}
	if host, _, err := net.SplitHostPort(l.Addr().String()); err == nil && !net.ParseIP(host).IsLoopback() {
		log.Warn("whoever can reach this address can read and write the cache", "addr", l.Addr().String())
	}
	if err := a.print(fmt.Sprintf("listening on http://%s, store %s", l.Addr(), a.store.URL()),
		map[string]string{"listening": "http://" + l.Addr().String(), "store": a.store.URL()}); err != nil {
		return err
	}
	var replacing sync.WaitGroup
	replacing.Go(func() { a.replacePlugin(ctx, hangups, log) })
	err = h.Serve(ctx, l)
	hangups.end()
	replacing.Wait()
	return err
}
