package basemodel

import (
	"errors"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
)

// TestScaled: matrices have the scales that the configuration says, whatever joins them.
func TestScaled(t *testing.T) {
	b := graph.New("x")
	x := b.Embed("embed.weight", 8, 4)
	gates := graph.StackSources(0, graph.FromTensor("a.weight"), graph.FromTensor("b.weight"))
	x = b.Linear(x, "up", 4, graph.RoleMLPUp, graph.WeightFrom(gates.Reshape(4, 4)), graph.WithBias(true))
	b.Logits(x)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	const (
		plain = "reshape(stack(0, a.weight, b.weight), 4 4)"
		with  = "reshape(stack(0, else(scale(a.weight, a.weight_scale_inv, 128 64), a.weight), else(scale(b.weight, b.weight_scale_inv, 128 64), b.weight)), 4 4)"
	)
	tests := []struct{ name, config, want, err string }{
		{"no quantisation", `{}`, plain, ""},
		{"another one", `{"quantization_config": {"quant_method": "mxfp4"}}`, plain, ""},
		{"scales", `{"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 64]}}`, with, ""},
		{"one scale a matrix", `{"quantization_config": {"quant_method": "fp8", "weight_block_size": null}}`, "",
			"config.json: quantization_config.weight_block_size: [] is not the rows and columns of a block: scales of other kinds are not read"},
		{"no object", `{"quantization_config": 3}`, "", "config.json: json: cannot unmarshal number into Go struct field"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := scaled(g, []byte(test.config))
			if test.err != "" {
				if err == nil || len(err.Error()) < len(test.err) || err.Error()[:len(test.err)] != test.err ||
					!errors.Is(err, fault.Unsupported) && !errors.Is(err, fault.InvalidModel) {
					t.Errorf("%v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s := got.Params[1].Source.String(); s != test.want {
				t.Errorf("%s, want %s", s, test.want)
			}
			if s := got.Params[2].Source.String(); s != "up.bias" {
				t.Errorf("the bias comes from %s", s)
			}
			if s := g.Params[1].Source.String(); s != plain {
				t.Errorf("the graph was changed: %s", s)
			}
		})
	}
}
