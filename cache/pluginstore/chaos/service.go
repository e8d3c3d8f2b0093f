//go:build linux

package main

import (
	"bytes"
	"context"
	"math"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/harpia-go/harpia/shared/storepb"
)

// service is the wire's side of data, written from the protocol and not on
// shared.Serve, which would not let its answers be spoilt.
type service struct {
	storepb.UnimplementedStoreServer
	data      *data // set by Configure
	configure func(settings map[string]string) (*data, error)
	shared    bool
}

var _ storepb.StoreServer = (*service)(nil)

// The settings of the store that misbehaves.
const (
	settingFile    = "file"
	settingShared  = "shared"
	settingControl = "control"
)

func (s *service) Describe(context.Context, *storepb.DescribeRequest) (*storepb.DescribeResponse, error) {
	return &storepb.DescribeResponse{
		Name:      "chaos",
		Version:   "1",
		Exclusive: !s.shared,
		MaxValue:  1 << 20,
		Capabilities: []storepb.Capability{
			storepb.Capability_CAPABILITY_BATCH, storepb.Capability_CAPABILITY_ADD, storepb.Capability_CAPABILITY_SWAP,
			storepb.Capability_CAPABILITY_COUNT, storepb.Capability_CAPABILITY_TOUCH, storepb.Capability_CAPABILITY_CLEAR,
			storepb.Capability_CAPABILITY_FLUSH,
		},
		Settings: []*storepb.Setting{
			{Name: settingFile, Source: storepb.SettingSource_SETTING_SOURCE_TARGET, Help: "The file that holds the data; without it, memory does."},
			{Name: settingShared, Type: storepb.SettingType_SETTING_TYPE_BOOL, Default: "false", Help: "Declare that others change the store too."},
			{Name: settingControl, Required: true, Help: "The socket at which orders to misbehave are fetched."},
		},
	}, nil
}

func (s *service) Configure(_ context.Context, r *storepb.ConfigureRequest) (*storepb.ConfigureResponse, error) {
	given := make(map[string]string)
	for _, v := range r.GetSettings() {
		given[v.GetName()] = v.GetValue()
	}
	var err error
	s.shared = given[settingShared] == "true"
	if s.data, err = s.configure(given); err != nil {
		return nil, status.Error(codes.Unknown, err.Error())
	}
	return &storepb.ConfigureResponse{}, nil
}

// on runs f on the data and makes a gRPC status of what goes wrong.
func on[R any](s *service, f func(d *data) (R, error)) (R, error) {
	var r R
	err := s.data.do(func() (err error) {
		r, err = f(s.data)
		return err
	})
	if _, ok := status.FromError(err); !ok {
		err = status.Error(codes.Unknown, err.Error())
	}
	return r, err
}

func fromWire(e *storepb.Entry) entry {
	return entry{value: bytes.Clone(e.GetValue()), expires: e.GetExpiresUnixMs()}
}

func lookup(d *data, key []byte) *storepb.GetResponse {
	e, ok := d.get(string(key))
	if !ok {
		return &storepb.GetResponse{}
	}
	return &storepb.GetResponse{Entry: &storepb.Entry{Value: e.value, ExpiresUnixMs: e.expires}}
}

func (s *service) Get(_ context.Context, r *storepb.GetRequest) (*storepb.GetResponse, error) {
	return on(s, func(d *data) (*storepb.GetResponse, error) { return lookup(d, r.GetKey()), nil })
}

func (s *service) Set(_ context.Context, r *storepb.SetRequest) (*storepb.SetResponse, error) {
	return on(s, func(d *data) (*storepb.SetResponse, error) {
		return &storepb.SetResponse{}, d.put(string(r.GetKey()), fromWire(r.GetEntry()))
	})
}

func (s *service) Delete(_ context.Context, r *storepb.DeleteRequest) (*storepb.DeleteResponse, error) {
	return on(s, func(d *data) (*storepb.DeleteResponse, error) {
		return &storepb.DeleteResponse{}, d.remove(string(r.GetKey()))
	})
}

func (s *service) GetMany(_ context.Context, r *storepb.GetManyRequest) (*storepb.GetManyResponse, error) {
	return on(s, func(d *data) (*storepb.GetManyResponse, error) {
		out := &storepb.GetManyResponse{}
		size := 0
		for _, key := range r.GetKeys() {
			found := lookup(d, key)
			if size += len(found.GetEntry().GetValue()); size > 2<<20 && len(out.Results) > 0 {
				break
			}
			out.Results = append(out.Results, found)
		}
		return out, nil
	})
}

func (s *service) SetMany(_ context.Context, r *storepb.SetManyRequest) (*storepb.SetManyResponse, error) {
	return on(s, func(d *data) (*storepb.SetManyResponse, error) {
		for _, it := range r.GetItems() {
			if err := d.put(string(it.GetKey()), fromWire(it.GetEntry())); err != nil {
				return nil, err
			}
		}
		return &storepb.SetManyResponse{}, nil
	})
}

func (s *service) DeleteMany(_ context.Context, r *storepb.DeleteManyRequest) (*storepb.DeleteManyResponse, error) {
	return on(s, func(d *data) (*storepb.DeleteManyResponse, error) {
		for _, key := range r.GetKeys() {
			if err := d.remove(string(key)); err != nil {
				return nil, err
			}
		}
		return &storepb.DeleteManyResponse{}, nil
	})
}

func (s *service) SetIfAbsent(_ context.Context, r *storepb.SetIfAbsentRequest) (*storepb.SetIfAbsentResponse, error) {
	return on(s, func(d *data) (*storepb.SetIfAbsentResponse, error) {
		if _, ok := d.get(string(r.GetKey())); ok {
			return &storepb.SetIfAbsentResponse{}, nil
		}
		return &storepb.SetIfAbsentResponse{Stored: true}, d.put(string(r.GetKey()), fromWire(r.GetEntry()))
	})
}

func (s *service) CompareAndSwap(_ context.Context, r *storepb.CompareAndSwapRequest) (*storepb.CompareAndSwapResponse, error) {
	return on(s, func(d *data) (*storepb.CompareAndSwapResponse, error) {
		if e, ok := d.get(string(r.GetKey())); !ok || !bytes.Equal(e.value, r.GetOld()) {
			return &storepb.CompareAndSwapResponse{}, nil
		}
		return &storepb.CompareAndSwapResponse{Swapped: true}, d.put(string(r.GetKey()), fromWire(r.GetEntry()))
	})
}

func (s *service) CompareAndDelete(_ context.Context, r *storepb.CompareAndDeleteRequest) (*storepb.CompareAndDeleteResponse, error) {
	return on(s, func(d *data) (*storepb.CompareAndDeleteResponse, error) {
		if e, ok := d.get(string(r.GetKey())); !ok || !bytes.Equal(e.value, r.GetOld()) {
			return &storepb.CompareAndDeleteResponse{}, nil
		}
		return &storepb.CompareAndDeleteResponse{Deleted: true}, d.remove(string(r.GetKey()))
	})
}

func (s *service) Increment(_ context.Context, r *storepb.IncrementRequest) (*storepb.IncrementResponse, error) {
	return on(s, func(d *data) (*storepb.IncrementResponse, error) {
		e, ok := d.get(string(r.GetKey()))
		sum := r.GetDelta()
		if !ok {
			e.expires = r.GetExpiresUnixMs()
		} else {
			n := number(string(e.value))
			if n < math.MinInt64/4 {
				return nil, status.Error(codes.FailedPrecondition, "the value is not a number")
			}
			sum += n
		}
		e.value = []byte(decimal(sum))
		return &storepb.IncrementResponse{Sum: sum, ExpiresUnixMs: e.expires}, d.put(string(r.GetKey()), e)
	})
}

func (s *service) Touch(_ context.Context, r *storepb.TouchRequest) (*storepb.TouchResponse, error) {
	return on(s, func(d *data) (*storepb.TouchResponse, error) {
		e, ok := d.get(string(r.GetKey()))
		if !ok {
			return &storepb.TouchResponse{}, nil
		}
		e.expires = r.GetExpiresUnixMs()
		return &storepb.TouchResponse{Found: true}, d.put(string(r.GetKey()), e)
	})
}

func (s *service) Clear(_ context.Context, r *storepb.ClearRequest) (*storepb.ClearResponse, error) {
	return on(s, func(d *data) (*storepb.ClearResponse, error) {
		return &storepb.ClearResponse{}, d.clear(string(r.GetPrefix()))
	})
}

func (s *service) Flush(context.Context, *storepb.FlushRequest) (*storepb.FlushResponse, error) {
	return &storepb.FlushResponse{}, nil
}
