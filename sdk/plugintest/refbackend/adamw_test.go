package refbackend

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
)

// TestAdamW holds the optimizer to PyTorch's.
func TestAdamW(t *testing.T) {
	data, err := os.ReadFile("testdata/adamw.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		WeightDecay float64   `json:"weight_decay"`
		MaxGradNorm float64   `json:"max_grad_norm"`
		Epsilon     float64   `json:"epsilon"`
		Start       []float64 `json:"start"`
		Steps       []struct {
			Gradient  []float64 `json:"gradient"`
			Norm      float64   `json:"norm"`
			Parameter []float64 `json:"parameter"`
		} `json:"steps"`
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		n := len(c.Start)
		const weight = 3.0 // gradients are sums over so much
		b := &Backend{
			req: &kernels.BindRequest{
				Graph: &graph.Graph{Params: []*graph.Param{{Shape: []int{n}, Trainable: true}}},
				Settings: kernels.Settings{Optimizer: kernels.Optimizer{
					Beta1: 0.9, Beta2: 0.98, Epsilon: c.Epsilon, WeightDecay: c.WeightDecay, MaxGradNorm: c.MaxGradNorm,
				}},
			},
			params: [][]float64{c.Start}, first: [][]float64{make([]float64, n)}, second: [][]float64{make([]float64, n)},
			gradients: map[graph.ParamID][]float64{0: make([]float64, n)}, weight: weight,
		}
		for s, step := range c.Steps {
			for j, g := range step.Gradient {
				b.gradients[0][j] = g * weight
			}
			norm := b.gradientNorm()
			if math.Abs(norm-step.Norm) > 1e-6*step.Norm {
				t.Errorf("case %d, step %d: the norm is %v, want %v", i, s, norm, step.Norm)
			}
			b.update(1e-2, norm)
			for j, want := range step.Parameter {
				if math.Abs(b.params[0][j]-want) > 1e-6 {
					t.Errorf("case %d, step %d: element %d is %v, want %v", i, s, j, b.params[0][j], want)
				}
			}
		}
	}
}
