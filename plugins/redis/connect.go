package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/harpia-go/harpia/cache"
)

const (
	// ringScale is the size of the queue of a connection, as a power of two. It
	// holds all calls that may be under way, so that none waits for a place:
	// that wait would know no context.
	ringScale = 11

	// askSentinels is how often sentinels are asked who the primary is. They
	// also tell when it changes, unless just that message is lost.
	askSentinels = 2 * time.Second

	// testAfter is how long a connection is silent at least before it is tested.
	testAfter = 100 * time.Millisecond

	// mostRedirections is how often a call follows a slot to another node.
	mostRedirections = 16

	// askCluster is how often a cluster's nodes are asked for all the others.
	// What they answer to a call tells of the slot of its key only.
	askCluster = 2 * time.Second
)

// options are those of every client. One connection a server carries all
// calls: what a watch is told leaves out what came over its own connection.
// Nothing is tried again behind the store's back, and a call that is given up
// never breaks the connection of the others (AlwaysPipelining).
func (c *config) options(d dialer) (rueidis.ClientOption, error) {
	password, err := c.currentPassword()
	if err != nil {
		return rueidis.ClientOption{}, err
	}
	return rueidis.ClientOption{
		InitAddress:   c.addresses,
		Username:      c.username,
		Password:      password,
		SelectDB:      c.db,
		ClientName:    c.clientName,
		ClientSetInfo: rueidis.DisableClientSetInfo,
		DialCtxFn:     d.dial,
		// KeepAlive is also how long a connection is silent before it is tested
		// with a PING, and ConnWriteTimeout how long that may take: behind an
		// answer of the largest size too.
		Dialer:            net.Dialer{Timeout: c.timeout, KeepAlive: max(c.timeout, testAfter)},
		ConnWriteTimeout:  c.longest(),
		RingScaleEachConn: ringScale,
		BlockingPipeline:  -1, // however long a pipeline is, it has no connection of its own
		PipelineMultiplex: -1,
		AlwaysPipelining:  true,
		DisableRetry:      true,
		DisableCache:      true,
	}, nil
}

// connect makes a session of s: it asks the addresses what they are, and
// connects accordingly. Its errors are explained by misconfigured and
// unavailable.
func (c *config) connect(ctx context.Context, s *session) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	first, err := c.probe(ctx, s)
	if err != nil {
		return err
	}
	defer first.client.Close()
	o, err := c.options(dialer{c, s})
	if err == nil {
		err = c.choose(ctx, first, s, &o)
	}
	if err != nil {
		return err
	}
	o.OnInvalidations = s.hub.tell
	if s.client, err = newClient(o); err != nil {
		return err
	}
	if s.mode == cluster && s.client.Mode() != rueidis.ClientModeCluster {
		err = fmt.Errorf("%w: redis: %s", cache.ErrUnavailable, answers["CLUSTERDOWN"].text)
	} else if s.facts, err = identify(ctx, s.client); err == nil {
		err = s.supported()
	}
	if err != nil {
		s.client.Close()
		return err
	}
	s.db = c.db
	s.scripts = scriptsFor(s.release)
	return nil
}

// choose makes the session and the options those of the mode.
func (c *config) choose(ctx context.Context, first *probe, s *session, o *rueidis.ClientOption) error {
	s.mode = first.facts.mode
	if c.mode != detect {
		s.mode = c.mode
	}
	o.AlwaysRESP2 = first.resp2
	switch is := first.facts.mode; {
	case is != s.mode && (is == sentinel || s.mode == sentinel):
		return wrongSetting("mode is %s, and what answers at %s is %s", s.mode, first.address, is)
	case s.mode == sentinel:
		return c.watchedOver(ctx, first, o)
	case is != s.mode && s.mode == cluster:
		return wrongSetting("mode is cluster, and the server at %s belongs to none", first.address)
	case s.mode == cluster:
		o.InitAddress = []string{first.address} // it knows the others
		o.ClusterOption = rueidis.ClusterOption{ShardsRefreshInterval: askCluster, MaxMovedRedirections: mostRedirections}
	default:
		o.InitAddress, o.ForceSingleClient = []string{first.address}, true
	}
	return nil
}

// newClient returns a client that has connected, or else none.
func newClient(o rueidis.ClientOption) (rueidis.Client, error) {
	client, err := rueidis.NewClient(o)
	if err != nil && client != nil {
		client.Close()
	}
	return client, err
}

// probe is an address that answers.
type probe struct {
	address string
	client  rueidis.Client
	facts
	resp2     bool // and no RESP3
	anonymous bool // it does not know our user
}

// probe asks all addresses what they are. The first that answers counts,
// unless it is a replica: another one may be a primary.
func (c *config) probe(ctx context.Context, s *session) (*probe, error) {
	type answer struct {
		*probe
		err error
	}
	answers := make(chan answer, len(c.addresses))
	for _, a := range c.addresses {
		s.link.work.Go(func() {
			p, err := c.ask(ctx, a)
			answers <- answer{p, err}
		})
	}
	var replica *probe
	var errs []error
	for left := len(c.addresses); left > 0; left-- {
		switch a := <-answers; {
		case a.err != nil:
			errs = append(errs, a.err)
		case !a.replica:
			s.link.work.Go(func() {
				for range left - 1 {
					if a := <-answers; a.err == nil {
						a.client.Close()
					}
				}
			})
			if replica != nil {
				replica.client.Close()
			}
			return a.probe, nil
		case replica == nil:
			replica = a.probe
		default:
			a.client.Close()
		}
	}
	if replica == nil {
		return nil, worst(errs)
	}
	return replica, nil
}

// worst is the error that says most: one that other settings mend, if any.
func worst(errs []error) error {
	for _, err := range errs {
		if misconfigured(0, err) != nil {
			return err
		}
	}
	return errs[0]
}

// ask connects to one address and asks what it is.
func (c *config) ask(ctx context.Context, address string) (*probe, error) {
	p := &probe{address: address}
	o, err := c.options(dialer{c, nil})
	if err != nil {
		return nil, err
	}
	// A sentinel has no databases.
	o.InitAddress, o.ForceSingleClient, o.SelectDB = []string{address}, true, 0
	p.client, err = newClient(o)
	if redis, ok := rueidis.IsRedisErr(err); ok && word(redis.Error()) == "NOPROTO" {
		o.AlwaysRESP2 = true
		p.client, err = newClient(o)
	}
	// Sentinels may have no password, or no such user, where the servers do.
	if redis, ok := rueidis.IsRedisErr(err); ok && c.mode != standalone && c.mode != cluster && word(redis.Error()) == "WRONGPASS" {
		refused := err
		o.Username, o.Password, p.anonymous = "", "", true
		if p.client, err = newClient(o); err != nil {
			return nil, refused
		}
		defer func() {
			if p.mode != sentinel {
				p.client.Close()
			}
		}()
		if p.facts, err = identify(ctx, p.client); err != nil || p.mode != sentinel {
			return nil, refused
		}
	}
	if err != nil {
		return nil, c.unlessHeard(err)
	}
	if p.facts, err = identify(ctx, p.client); err != nil {
		p.client.Close()
		return nil, err
	}
	p.resp2 = !p.resp3
	return p, nil
}

// watchedOver sets the options for the primary that sentinels watch over.
func (c *config) watchedOver(ctx context.Context, p *probe, o *rueidis.ClientOption) error {
	masters, err := p.client.Do(ctx, p.client.B().Arbitrary("SENTINEL", "MASTERS").Build()).ToArray()
	if err != nil {
		return err
	}
	var names []string
	for _, m := range masters {
		fields, err := m.AsStrMap()
		if err != nil {
			return err
		}
		names = append(names, fields["name"])
	}
	name := c.master
	switch {
	case name == "" && len(names) == 1:
		name = names[0]
	case name == "" || !slices.Contains(names, name):
		return wrongSetting("sentinel_master must be one of those that the sentinels watch over: %s", strings.Join(names, ", "))
	}
	o.Sentinel = rueidis.SentinelOption{
		MasterSet: name, Dialer: o.Dialer, ClientName: o.ClientName, TopologyRefreshInterval: askSentinels,
	}
	if !p.anonymous {
		o.Sentinel.Username, o.Sentinel.Password = o.Username, o.Password
	}
	return nil
}
