// Package loopback serves a plugin in memory and connects to it: the same code of
// server and client as between two processes, messages and all, without a process.
// It is for tests and for package plugintest.
package loopback

import (
	"context"
	"fmt"
	"net"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/honeml/hone/sdk/plugin"
)

// Dial serves p, which model.NewPlugin and its like make, and gives the host's side
// of it: a model.Model, kernels.Backend or logger.Logger. stop ends both; ctx bounds the start alone.
func Dial(ctx context.Context, p goplugin.Plugin) (service any, stop func(), err error) {
	both, ok := p.(goplugin.GRPCPlugin)
	if !ok {
		return nil, nil, fmt.Errorf("a plugin of type %T is not served over gRPC", p)
	}
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(grpc.MaxRecvMsgSize(plugin.MaxMessageBytes), grpc.MaxSendMsgSize(plugin.MaxMessageBytes))
	if err := both.GRPCServer(nil, server); err != nil {
		return nil, nil, err
	}
	served := make(chan struct{})
	go func() {
		_ = server.Serve(listener) // returns when the server stops
		close(served)
	}()
	conn, err := grpc.NewClient("passthrough:///plugin",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(plugin.MaxMessageBytes), grpc.MaxCallSendMsgSize(plugin.MaxMessageBytes)))
	if err == nil {
		service, err = both.GRPCClient(ctx, nil, conn)
	}
	if err != nil {
		server.Stop()
		return nil, nil, err
	}
	return service, func() {
		_ = conn.Close()
		server.Stop()
		<-served
	}, nil
}
