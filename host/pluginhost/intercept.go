package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/honeml/hone/sdk/fault"
)

// deathNotice is how long a broken connection may be ahead of the news that the
// process has ended. It comes after some milliseconds.
const deathNotice = 2 * time.Second

// unary gives calls that the death of the process breaks their true error.
func (p *Process) unary(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	return p.explain(ctx, method, invoke(ctx, method, req, reply, conn, opts...))
}

// stream is the same for streaming calls.
func (p *Process) stream(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	s, err := open(ctx, desc, conn, method, opts...)
	if err != nil {
		return nil, p.explain(ctx, method, err)
	}
	return &watchedStream{ClientStream: s, ctx: ctx, process: p, method: method}, nil
}

// A watchedStream explains the errors of a stream.
type watchedStream struct {
	grpc.ClientStream
	ctx     context.Context // the caller's: the stream's own ends with the stream
	process *Process
	method  string
}

// SendMsg sends a message; io.EOF says that RecvMsg knows why it cannot.
func (s *watchedStream) SendMsg(m any) error {
	return s.process.explain(s.ctx, s.method, s.ClientStream.SendMsg(m))
}

// RecvMsg receives a message; io.EOF ends the stream.
func (s *watchedStream) RecvMsg(m any) error {
	return s.process.explain(s.ctx, s.method, s.ClientStream.RecvMsg(m))
}

// explain is the error of a call as the host should see it.
func (p *Process) explain(ctx context.Context, method string, err error) error {
	if err == nil || errors.Is(err, io.EOF) || !strings.HasPrefix(method, "/hone.") {
		return err
	}
	switch code := status.Code(err); {
	case code == codes.Unimplemented:
		return fault.New(fault.Unsupported, "plugin %s does not answer %s", p.plugin, method).
			WithHint("the file %s is of another kind than its name says, or of another release", p.plugin.Path)
	case code == codes.Unavailable, code == codes.Canceled && ctx.Err() == nil:
		notice := time.NewTimer(deathNotice)
		defer notice.Stop()
		select {
		case <-p.child.exited:
			return p.child.err
		case <-ctx.Done():
		case <-notice.C:
			return fmt.Errorf("plugin %s: the connection is broken although process %d lives: %w", p.plugin, p.PID(), err)
		}
	}
	return err
}

// Interface guards.
var (
	_ grpc.UnaryClientInterceptor  = (*Process)(nil).unary
	_ grpc.StreamClientInterceptor = (*Process)(nil).stream
)
