package cli

import (
	"context"

	"github.com/honeml/hone/host/gpu"
)

// MainOn is Main on a machine whose GPU, or none, is that of machine.
func MainOn(ctx context.Context, machine gpu.Machine, args []string, streams Streams) int {
	a := &app{Streams: streams, version: "test", stop: make(chan struct{}), machine: machine}
	return a.main(ctx, args)
}
