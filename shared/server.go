package shared

import (
	"context"
	"fmt"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/harpia-go/harpia/cache"
	"github.com/harpia-go/harpia/shared/storepb"
)

// server is the plugin's side of the wire: it checks what arrives, hands it to
// the store, and answers. A call of a capability that the store does not
// declare is UNIMPLEMENTED, whatever methods the store has.
type server struct {
	storepb.UnimplementedStoreServer
	store      cache.Store
	info       atomic.Pointer[Info] // it may change when the store is configured
	configured atomic.Int32         // unconfigured, configuring or ready
	settings   Settings             // of the store, once it is ready
	// lane is offered to the host; nil: none is.
	lane *laneOffer
	// many hosts come and go, and each configures the store; see serveAlone.
	many bool
}

const (
	unconfigured = iota
	configuring
	ready
)

var _ storepb.StoreServer = (*server)(nil)

func newServer(store cache.Store) *server {
	s := &server{store: store}
	s.look()
	return s
}

func (s *server) look() {
	info := Describe(s.store)
	s.info.Store(&info)
}

func (s *server) Describe(context.Context, *storepb.DescribeRequest) (*storepb.DescribeResponse, error) {
	r := s.info.Load().toWire()
	if s.lane != nil {
		r.Lane = s.lane.toWire()
	}
	return r, nil
}

func (s *server) Configure(ctx context.Context, r *storepb.ConfigureRequest) (*storepb.ConfigureResponse, error) {
	given := make([]SettingValue, len(r.GetSettings()))
	for i, v := range r.GetSettings() {
		given[i] = SettingValue{Name: v.GetName(), Value: v.GetValue()}
	}
	settings, err := CheckSettings(s.info.Load().Settings, given)
	if err != nil {
		return nil, settingStatus(err)
	}
	if s.many && s.configured.Load() == ready {
		return s.configureAgain(settings)
	}
	if !s.configured.CompareAndSwap(unconfigured, configuring) {
		return nil, toStatus(fmt.Errorf("%w: the plugin was configured before", cache.ErrUnavailable))
	}
	if c, ok := s.store.(Configurer); ok {
		if err := c.Configure(ctx, settings); err != nil {
			s.configured.Store(unconfigured)
			return nil, settingStatus(err)
		}
	}
	s.look()
	s.settings = settings
	s.configured.Store(ready)
	return &storepb.ConfigureResponse{}, nil
}

// check refuses a call before Configure, and one of a capability that is not
// declared.
func (s *server) check(need cache.Capability) error {
	if s.configured.Load() != ready {
		return toStatus(fmt.Errorf("%w: the plugin is not configured yet", cache.ErrUnavailable))
	}
	if info := s.info.Load(); !info.Capabilities.Has(need) {
		return status.Errorf(codes.Unimplemented, "%s does not declare %s", info.Name, need)
	}
	return nil
}

// checkKeys refuses the call too if one of its keys is invalid.
func (s *server) checkKeys(need cache.Capability, keys ...[]byte) error {
	if err := s.check(need); err != nil {
		return err
	}
	for _, k := range keys {
		if n := len(k); n == 0 || n > cache.MaxKey {
			return toStatus(cache.CheckKey(string(k)))
		}
	}
	return nil
}

// answerTooLarge is the error of a call whose answer would be a value over the
// store's own limit, which no host takes.
func answerTooLarge(e cache.Entry, most int) error {
	return fmt.Errorf("%w: the store has %d bytes, at most %d are allowed", cache.ErrTooLarge, len(e.Value), most)
}

// entry refuses a value over the store's limit, which the host has checked,
// but another host may not have.
func (s *server) entry(e *storepb.Entry) (cache.Entry, error) {
	if n, most := len(e.GetValue()), s.info.Load().Limits.MaxValue; n > most {
		return cache.Entry{}, toStatus(fmt.Errorf("%w: %d bytes, at most %d are allowed", cache.ErrTooLarge, n, most))
	}
	return fromEntry(e), nil
}

func (s *server) Get(ctx context.Context, r *storepb.GetRequest) (*storepb.GetResponse, error) {
	if err := s.checkKeys(0, r.GetKey()); err != nil {
		return nil, err
	}
	e, found, err := s.store.Get(ctx, string(r.GetKey()))
	if err != nil {
		return nil, toStatus(err)
	}
	if most := s.info.Load().Limits.MaxValue; found && len(e.Value) > most {
		return nil, toStatus(answerTooLarge(e, most))
	}
	return toLookup(e, found), nil
}

func (s *server) Set(ctx context.Context, r *storepb.SetRequest) (*storepb.SetResponse, error) {
	if err := s.checkKeys(0, r.GetKey()); err != nil {
		return nil, err
	}
	e, err := s.entry(r.GetEntry())
	if err != nil {
		return nil, err
	}
	if err := s.store.Set(ctx, string(r.GetKey()), e); err != nil {
		return nil, toStatus(err)
	}
	return &storepb.SetResponse{}, nil
}

func (s *server) Delete(ctx context.Context, r *storepb.DeleteRequest) (*storepb.DeleteResponse, error) {
	if err := s.checkKeys(0, r.GetKey()); err != nil {
		return nil, err
	}
	if err := s.store.Delete(ctx, string(r.GetKey())); err != nil {
		return nil, toStatus(err)
	}
	return &storepb.DeleteResponse{}, nil
}

func (s *server) SetIfAbsent(ctx context.Context, r *storepb.SetIfAbsentRequest) (*storepb.SetIfAbsentResponse, error) {
	if err := s.checkKeys(cache.CanAdd, r.GetKey()); err != nil {
		return nil, err
	}
	e, err := s.entry(r.GetEntry())
	if err != nil {
		return nil, err
	}
	stored, err := cache.SetIfAbsent(ctx, s.store, string(r.GetKey()), e)
	if err != nil {
		return nil, toStatus(err)
	}
	return &storepb.SetIfAbsentResponse{Stored: stored}, nil
}

func (s *server) CompareAndSwap(ctx context.Context, r *storepb.CompareAndSwapRequest) (*storepb.CompareAndSwapResponse, error) {
	if err := s.checkKeys(cache.CanSwap, r.GetKey()); err != nil {
		return nil, err
	}
	e, err := s.entry(r.GetEntry())
	if err != nil {
		return nil, err
	}
	swapped, err := cache.CompareAndSwap(ctx, s.store, string(r.GetKey()), r.GetOld(), e)
	if err != nil {
		return nil, toStatus(err)
	}
	return &storepb.CompareAndSwapResponse{Swapped: swapped}, nil
}

func (s *server) CompareAndDelete(ctx context.Context, r *storepb.CompareAndDeleteRequest) (*storepb.CompareAndDeleteResponse, error) {
	if err := s.checkKeys(cache.CanSwap, r.GetKey()); err != nil {
		return nil, err
	}
	deleted, err := cache.CompareAndDelete(ctx, s.store, string(r.GetKey()), r.GetOld())
	if err != nil {
		return nil, toStatus(err)
	}
	return &storepb.CompareAndDeleteResponse{Deleted: deleted}, nil
}

func (s *server) Increment(ctx context.Context, r *storepb.IncrementRequest) (*storepb.IncrementResponse, error) {
	if err := s.checkKeys(cache.CanCount, r.GetKey()); err != nil {
		return nil, err
	}
	n, expires, err := cache.Increment(ctx, s.store, string(r.GetKey()), r.GetDelta(), cache.ExpiryAt(r.GetExpiresUnixMs()))
	if err != nil {
		return nil, toStatus(err)
	}
	return &storepb.IncrementResponse{Sum: n, ExpiresUnixMs: cache.ExpiryMillis(expires)}, nil
}

func (s *server) Touch(ctx context.Context, r *storepb.TouchRequest) (*storepb.TouchResponse, error) {
	if err := s.checkKeys(cache.CanTouch, r.GetKey()); err != nil {
		return nil, err
	}
	found, err := cache.Touch(ctx, s.store, string(r.GetKey()), cache.ExpiryAt(r.GetExpiresUnixMs()))
	if err != nil {
		return nil, toStatus(err)
	}
	return &storepb.TouchResponse{Found: found}, nil
}

func (s *server) Clear(ctx context.Context, r *storepb.ClearRequest) (*storepb.ClearResponse, error) {
	if err := s.check(cache.CanClear); err != nil {
		return nil, err
	}
	if err := cache.Clear(ctx, s.store, string(r.GetPrefix())); err != nil {
		return nil, toStatus(err)
	}
	return &storepb.ClearResponse{}, nil
}

func (s *server) Flush(ctx context.Context, _ *storepb.FlushRequest) (*storepb.FlushResponse, error) {
	if err := s.check(cache.CanFlush); err != nil {
		return nil, err
	}
	if err := cache.Flush(ctx, s.store); err != nil {
		return nil, toStatus(err)
	}
	return &storepb.FlushResponse{}, nil
}
