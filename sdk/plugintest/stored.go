package plugintest

import (
	"fmt"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/weights"
)

// storedAs are the tensors that a checkpoint holds of a parameter with those values,
// which float32 holds too. The weight of a convolution has a dimension of 1 in the
// middle.
func storedAs(p *graph.Param, values []float64) ([]namedTensor, error) {
	s, shape := p.Source, p.Shape
	if s.Op == graph.SourceReshape && p.Role == graph.RoleConv {
		s, shape = s.Args[0], []int{p.Shape[0], 1, p.Shape[1]}
	}
	if s.Op == graph.SourceTensor {
		return []namedTensor{{s.Names[0], shape, values}}, nil
	}
	parts, err := s.Parts(shape, graph.FromTensor(p.Name))
	if err != nil {
		return nil, fmt.Errorf("parameter %q: %w", p.Name, err)
	}
	narrow := make([]float32, len(values))
	for i, v := range values {
		narrow[i] = float32(v)
	}
	whole := weights.FromMemory(p.Name, p.Shape, narrow)
	out := make([]namedTensor, len(parts))
	for i, part := range parts {
		array, err := weights.Resolve(whole, part.Source)
		if err != nil {
			return nil, fmt.Errorf("parameter %q: %w", p.Name, err)
		}
		own := make([]float32, array.Elements())
		if err := array.Float32(own, 0); err != nil {
			return nil, err
		}
		out[i] = namedTensor{name: part.Name, shape: part.Shape}
		for _, v := range own {
			out[i].values = append(out[i].values, float64(v))
		}
	}
	return out, nil
}
