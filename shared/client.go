package shared

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared/storepb"
)

// The longest that a call may take unless its context says less.
const (
	// CallTimeout is for calls on one key and for batches; a second is added
	// for each 16 MiB that the calls under way carry, or may bring back: what
	// stands before a call takes its time too.
	CallTimeout = 2 * time.Second
	// SlowTimeout is for Clear, Flush, Configure, and between two messages of a
	// Scan.
	SlowTimeout = 30 * time.Second
)

// ErrNoAnswer: the plugin did not answer in the time that a call may take, and
// the caller's context would have allowed more. Such an error also wraps
// cache.ErrUnavailable. A write may yet be done.
var ErrNoAnswer = errors.New("no answer in time")

// ErrBroken: the connection to the plugin broke, or there was none, before the
// call was answered. Such an error also wraps cache.ErrUnavailable. A write may
// yet be done.
var ErrBroken = errors.New("the connection broke")

// Client is the host's side of the wire: a cache.Store with every optional
// method, on a plugin. Before any other call, Describe tells it what the
// plugin can do; what was not declared answers errors.ErrUnsupported without a
// call, and what is over the plugin's limits is refused before it is sent.
//
// A call that gets no answer in time, though its own context would allow
// more, returns cache.ErrUnavailable.
type Client struct {
	rpc  storepb.StoreClient
	info Info
	// recv bounds what one answer may make the host allocate.
	recv grpc.CallOption
	// unguarded lets calls through that the plugin did not declare.
	unguarded bool
	// lane is what the plugin offers.
	lane *storepb.Lane
	// lanes are the fast path of calls on one key; nil: there is none.
	lanes *lanes
	// counts tells what was never sent, once the plugin has ended.
	counts *hostCounts
	// bytes are what the large calls under way carry, or bring back.
	bytes *atomic.Int64
	// answers counts what came back over gRPC.
	answers *atomic.Uint64
	// patient has calls wait as long as their own context does.
	patient bool
}

var (
	_ cache.Store    = (*Client)(nil)
	_ cache.Batcher  = (*Client)(nil)
	_ cache.Adder    = (*Client)(nil)
	_ cache.Swapper  = (*Client)(nil)
	_ cache.Counter  = (*Client)(nil)
	_ cache.Toucher  = (*Client)(nil)
	_ cache.Scanner  = (*Client)(nil)
	_ cache.Clearer  = (*Client)(nil)
	_ cache.Watcher  = (*Client)(nil)
	_ cache.Flusher  = (*Client)(nil)
	_ cache.Limiter  = (*Client)(nil)
	_ cache.Declarer = (*Client)(nil)
)

// NewClient returns a client on a connection to a plugin.
func NewClient(over grpc.ClientConnInterface) *Client {
	c := &Client{rpc: storepb.NewStoreClient(conn{over}), counts: &hostCounts{}, bytes: new(atomic.Int64), answers: new(atomic.Uint64)}
	c.setInfo(Info{Limits: cache.Limits{MaxValue: cache.DefaultMaxValue}})
	return c
}

func (c *Client) setInfo(i Info) {
	c.info = i
	c.recv = grpc.MaxCallRecvMsgSize(i.Limits.MaxValue + messageSlack)
}

// Describe asks the plugin what it is and remembers it. It is called before
// the client is shared, and once more after Configure, since limits and
// capabilities may depend on the settings. A deadline of ctx is taken as it is:
// the start of a plugin may take longer than a call.
func (c *Client) Describe(ctx context.Context) (Info, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = c.within(ctx, CallTimeout)
		defer cancel()
	}
	r, err := c.rpc.Describe(ctx, &storepb.DescribeRequest{})
	if err != nil {
		return Info{}, fromStatus(err)
	}
	info, err := infoFromWire(r)
	if err != nil {
		return Info{}, err
	}
	c.setInfo(info)
	c.lane = r.GetLane()
	return info, nil
}

// Configure checks the settings against what the plugin declares and opens its
// store with them. Errors wrap ErrSetting when other settings would help.
func (c *Client) Configure(ctx context.Context, given []SettingValue) error {
	if _, err := CheckSettings(c.info.Settings, given); err != nil {
		return err
	}
	r := &storepb.ConfigureRequest{}
	for _, v := range given {
		r.Settings = append(r.Settings, &storepb.SettingValue{Name: v.Name, Value: v.Value})
	}
	ctx, cancel := c.within(ctx, SlowTimeout)
	defer cancel()
	_, err := c.rpc.Configure(ctx, r)
	return fromSettingStatus(err)
}

// Info returns what Describe learned.
func (c *Client) Info() Info { return c.info }

// Capabilities implements cache.Declarer.
func (c *Client) Capabilities() cache.Capability { return c.info.Capabilities }

// Limits implements cache.Limiter.
func (c *Client) Limits() cache.Limits { return c.info.Limits }

// Unguarded returns a client that passes on calls which the plugin did not
// declare. The conformance suite sees with it whether the plugin answers them
// as it must.
func (c *Client) Unguarded() cache.Store {
	open := *c
	open.unguarded = true
	return &open
}

// declared refuses a call that the plugin did not declare.
func (c *Client) declared(need cache.Capability) error {
	if c.unguarded || c.info.Capabilities.Has(need) {
		return nil
	}
	return fmt.Errorf("shared: the plugin %s has no %s: %w", c.info.Name, need, errors.ErrUnsupported)
}

// check refuses what need not be sent.
func (c *Client) check(need cache.Capability, key string, e cache.Entry) error {
	if err := c.declared(need); err != nil {
		return err
	}
	return cache.CheckEntry(key, e, c.info.Limits.MaxValue)
}

// Patient returns a client whose calls have no deadline but their context's:
// for a plugin that a debugger may stop for minutes.
func (c *Client) Patient() *Client {
	patient := *c
	patient.patient = true
	return &patient
}

// patience is how long a call of a patient client may take, if its context lets
// it: it fits the lane's 32 bits of milliseconds.
const patience = 30 * 24 * time.Hour

// limit is how long a call may take that may bring back so many bytes, with what
// the calls under way carry.
func (c *Client) limit(bytes int) time.Duration {
	if c.patient {
		return patience
	}
	return CallTimeout + time.Second*time.Duration((c.bytes.Load()+int64(bytes))/(16<<20))
}

// Moved grows with every answer that comes back and everything that the plugin
// takes from the lane: it shows that the plugin makes progress.
func (c *Client) Moved() uint64 {
	n := c.answers.Load()
	if c.lanes != nil {
		n += c.lanes.small.moved.Load() + c.lanes.large.moved.Load()
	}
	return n
}

// within gives ctx a deadline, unless the client is patient.
func (c *Client) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if c.patient {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// failed translates a call's error. The caller's own context explains itself;
// a deadline that was ours says that the plugin does not answer.
func (c *Client) failed(caller context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := caller.Err(); cause != nil {
		return cause
	}
	switch err = fromStatus(err); {
	case errors.Is(err, context.DeadlineExceeded):
		// The plugin knows the deadline too, and its timer may be the first.
		if d, ok := caller.Deadline(); ok && time.Until(d) < timerSkew {
			return context.DeadlineExceeded
		}
		return c.noAnswer()
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: the plugin %s gave the call up", cache.ErrUnavailable, c.info.Name)
	}
	return err
}

// timerSkew is how far apart two timers of one deadline may fire.
const timerSkew = 100 * time.Millisecond

// Get implements cache.Store.
func (c *Client) Get(ctx context.Context, key string) (cache.Entry, bool, error) {
	if err := cache.CheckKey(key); err != nil {
		return cache.Entry{}, false, err
	}
	if c.lanes != nil {
		a, err := c.lanes.call(ctx, c, &laneRequest{op: laneGet, key: key})
		return cache.Entry{Value: a.rest, Expires: cache.ExpiryAt(a.expires)}, a.flags&flagTrue != 0, err
	}
	// An answer may be as large as the limit.
	r, err := unary(ctx, c, 0, c.info.Limits.MaxValue, func(ctx context.Context) (*storepb.GetResponse, error) {
		return c.rpc.Get(ctx, &storepb.GetRequest{Key: []byte(key)}, c.recv)
	})
	if err != nil {
		return cache.Entry{}, false, err
	}
	found := fromLookup(r)
	return found.Entry, found.Found, nil
}

// Set implements cache.Store.
func (c *Client) Set(ctx context.Context, key string, e cache.Entry) error {
	if err := c.check(0, key, e); err != nil {
		return err
	}
	if c.lanes != nil {
		_, err := c.lanes.call(ctx, c, &laneRequest{op: laneSet, key: key, value: e.Value, expires: cache.ExpiryMillis(e.Expires)})
		return err
	}
	_, err := unary(ctx, c, len(e.Value), 0, func(ctx context.Context) (*storepb.SetResponse, error) {
		return c.rpc.Set(ctx, &storepb.SetRequest{Key: []byte(key), Entry: toEntry(e)})
	})
	return err
}

// Delete implements cache.Store.
func (c *Client) Delete(ctx context.Context, key string) error {
	if err := cache.CheckKey(key); err != nil {
		return err
	}
	if c.lanes != nil {
		_, err := c.lanes.call(ctx, c, &laneRequest{op: laneDelete, key: key})
		return err
	}
	_, err := unary(ctx, c, 0, 0, func(ctx context.Context) (*storepb.DeleteResponse, error) {
		return c.rpc.Delete(ctx, &storepb.DeleteRequest{Key: []byte(key)})
	})
	return err
}
