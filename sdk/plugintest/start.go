package plugintest

import (
	"context"

	goplugin "github.com/hashicorp/go-plugin"

	"github.com/honeml/hone/sdk/internal/loopback"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/model"
)

// An Instance is a running plugin that nobody else uses. S is the Go interface of its
// kind: model.Model, kernels.Backend or logger.Logger.
type Instance[S any] struct {
	Service S
	// Close ends it and takes back what it held.
	Close func()
	// Kill ends its process as SIGKILL does, and returns when it has ended; nil where
	// there is no process of its own.
	Kill func() error
}

// A Start makes a fresh instance. ctx bounds the start, not the instance's life.
type Start[S any] func(ctx context.Context) (*Instance[S], error)

// InProcess starts what create makes: no wire, no process.
func InProcess[S any](create func() S) Start[S] {
	return func(context.Context) (*Instance[S], error) {
		return &Instance[S]{Service: create(), Close: func() {}}, nil
	}
}

// OverGRPC starts what create makes and reaches it through the wire, in memory.
func OverGRPC[S any](create func() S) Start[S] {
	return func(ctx context.Context) (*Instance[S], error) {
		service, stop, err := loopback.Dial(ctx, asPlugin(create()))
		if err != nil {
			return nil, err
		}
		return &Instance[S]{Service: service.(S), Close: stop}, nil
	}
}

// asPlugin is go-plugin's view of a service; nil if S is none.
func asPlugin[S any](service S) goplugin.Plugin {
	switch s := any(service).(type) {
	case kernels.Backend:
		return kernels.NewPlugin(s)
	case logger.Logger:
		return logger.NewPlugin(s)
	case model.Model:
		return model.NewPlugin(s)
	}
	return nil
}
