package plugin

import (
	"context"

	"google.golang.org/grpc"
)

// unary gives the standard streams back before the first call is answered.
func (s *streams) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	s.giveBack()
	return handle(ctx, req)
}

// stream is the same for streaming calls.
func (s *streams) stream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	s.giveBack()
	return handle(srv, ss)
}

// Interface guards.
var (
	_ grpc.UnaryServerInterceptor  = (*streams)(nil).unary
	_ grpc.StreamServerInterceptor = (*streams)(nil).stream
)
