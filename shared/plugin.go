package shared

import (
	"context"

	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/harpia-go/harpia/shared/storepb"
)

// Plugins is the set that host and plugin give to go-plugin. On the plugin's
// side server serves the calls; on the host's side it is nil, and Dispense
// returns a *Client.
func Plugins(server storepb.StoreServer) plugin.PluginSet {
	return plugin.PluginSet{PluginName: &grpcPlugin{server: server}}
}

type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server storepb.StoreServer
}

var _ plugin.GRPCPlugin = (*grpcPlugin)(nil)

func (p *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	storepb.RegisterStoreServer(s, p.server)
	return nil
}

func (p *grpcPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return NewClient(conn), nil
}
