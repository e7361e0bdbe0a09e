package kernels

import (
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// TestSavedTensors: the names are PEFT's, which knows the biases of a module with
// an adapter by the module that it wraps.
func TestSavedTensors(t *testing.T) {
	b := graph.New("Test")
	x := b.Embed("embed.weight", 5, 4)
	b.Scope("layers.0")
	x = b.LayerNorm(x, "norm", 1e-5, true)
	x = b.Linear(x, "up", 6, graph.RoleMLPUp, graph.WithBias(true))
	x = b.Linear(x, "down", 4, graph.RoleMLPDown, graph.WithBias(true))
	b.Scope("")
	b.Logits(b.Linear(x, "head", 5, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		lora *adapt.LoRA // nil: full parameters
		file string
		keys []string
	}{
		{
			"adapter alone", &adapt.LoRA{Targets: []string{"up"}}, AdapterFile,
			[]string{"base_model.model.layers.0.up.lora_A.weight", "base_model.model.layers.0.up.lora_B.weight"},
		},
		{
			"with all biases", &adapt.LoRA{Targets: []string{"up"}, Bias: adapt.BiasAll, LoRABias: true}, AdapterFile,
			[]string{
				"base_model.model.layers.0.down.bias", "base_model.model.layers.0.norm.bias", "base_model.model.layers.0.up.base_layer.bias",
				"base_model.model.layers.0.up.lora_A.weight", "base_model.model.layers.0.up.lora_B.bias", "base_model.model.layers.0.up.lora_B.weight",
			},
		},
		{
			"full", nil, TrainedFile,
			[]string{
				"embed.weight", "head.weight", "layers.0.down.bias", "layers.0.down.weight", "layers.0.norm.bias", "layers.0.norm.weight",
				"layers.0.up.bias", "layers.0.up.weight",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			marked := adapt.Full(g)
			if test.lora != nil {
				test.lora.Rank, test.lora.Alpha = 2, 4
				if marked, err = adapt.Apply(g, *test.lora); err != nil {
					t.Fatal(err)
				}
			}
			var keys []string
			for _, s := range SavedTensors(marked) {
				keys = append(keys, s.Key)
				if s.File != test.file {
					t.Errorf("%s is saved in %s, want %s", s.Key, s.File, test.file)
				}
			}
			if slices.Sort(keys); !slices.Equal(keys, test.keys) {
				t.Errorf("%q, want %q", keys, test.keys)
			}
		})
	}
}
