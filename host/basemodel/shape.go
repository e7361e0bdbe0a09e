package basemodel

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
)

// Shape is a model that has a configuration alone: what a benchmark on random weights
// needs.
type Shape struct {
	Architecture string
	Graph        *graph.Graph
	// StoredType is the type that a checkpoint of the model has, as the configuration
	// says; bfloat16 where it does not.
	StoredType string
}

// OpenShape asks the plugin that answers for a config.json for the Graph, for
// documents of up to maxLength tokens.
func OpenShape(ctx context.Context, configuration []byte, maxLength int, plugins Plugins) (*Shape, error) {
	s := &Shape{StoredType: declaredType(configuration)}
	var err error
	if s.Architecture, err = architecture(configuration); err != nil {
		return nil, err
	}
	plugin, release, err := plugins.Model(ctx, s.Architecture, false)
	if err != nil {
		return nil, err
	}
	defer release()
	s.Graph, err = plugin.Build(ctx, &model.BuildRequest{Configuration: configuration, MaxLength: maxLength})
	if err != nil {
		return nil, fmt.Errorf("the %s: %w", s.Architecture, err)
	}
	return s, nil
}

// declaredType is the "dtype" of a configuration, which older ones call
// "torch_dtype".
func declaredType(configuration []byte) string {
	var c struct {
		New any `json:"dtype"`
		Old any `json:"torch_dtype"`
	}
	if err := json.Unmarshal(configuration, &c); err == nil {
		for _, v := range []any{c.New, c.Old} {
			if s, ok := v.(string); ok && (s == "float32" || s == "float16" || s == "bfloat16") {
				return s
			}
		}
	}
	return "bfloat16"
}
