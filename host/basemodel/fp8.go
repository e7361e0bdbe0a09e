package basemodel

import (
	"encoding/json"
	"strings"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
)

// scaled is g for checkpoints whose matrices are 8-bit floats with a scale for each
// block of them, as DeepSeek publishes its models: beside NAME.weight stands
// NAME.weight_scale_inv. Matrices that have none are what they are.
func scaled(g *graph.Graph, configuration []byte) (*graph.Graph, error) {
	var c struct {
		Quantization *struct {
			Method string `json:"quant_method"`
			Block  []int  `json:"weight_block_size"`
		} `json:"quantization_config"`
	}
	if err := json.Unmarshal(configuration, &c); err != nil {
		return nil, fault.New(fault.InvalidModel, "config.json: %w", err)
	}
	if c.Quantization == nil || c.Quantization.Method != "fp8" {
		return g, nil
	}
	block := c.Quantization.Block
	if len(block) != 2 || block[0] < 1 || block[1] < 1 {
		return nil, fault.New(fault.Unsupported, "config.json: quantization_config.weight_block_size: %v is not the rows and columns of a block: scales of other kinds are not read", block)
	}
	g = g.Clone()
	for _, p := range g.Params {
		p.Source = p.Source.MapTensors(func(t *graph.Source) *graph.Source {
			if !strings.HasSuffix(t.Names[0], ".weight") {
				return t
			}
			return t.Scaled(graph.FromTensor(t.Names[0]+"_scale_inv"), block[0], block[1]).Else(t)
		})
	}
	return g, nil
}
