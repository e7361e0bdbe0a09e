package weights_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/weights"
	"github.com/honeml/hone/sdk/weights/dtype"
)

// scaledFile holds what testdata/gen_scaled.py made with torch and transformers.
func scaledFile(t *testing.T) *weights.Checkpoint {
	t.Helper()
	c, err := weights.Open("testdata/scaled.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func mxfp4Source() *graph.Source {
	return graph.MXFP4(graph.FromTensor("mxfp4.blocks"), graph.FromTensor("mxfp4.scales"))
}

// TestScaled compares every bit, read whole, from the middle on, and moved about.
func TestScaled(t *testing.T) {
	c := scaledFile(t)
	tests := []struct {
		name         string
		source, want *graph.Source
		dtype        weights.DType
	}{
		{"mxfp4", mxfp4Source(), graph.FromTensor("mxfp4.values"), dtype.BF16},
		{"mxfp4, transposed twice", mxfp4Source().Permute(0, 2, 1).Permute(0, 2, 1), graph.FromTensor("mxfp4.values"), dtype.BF16},
		{"mxfp4, every other row", mxfp4Source().Slice(1, 1, 5, 2), graph.FromTensor("mxfp4.values").Slice(1, 1, 5, 2), dtype.BF16},
		{"fp8", graph.FromTensor("fp8.weight").Scaled(graph.FromTensor("fp8.scales"), 4, 8), graph.FromTensor("fp8.values"), dtype.F32},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, want := resolve(t, c, test.source), resolve(t, c, test.want)
			if got.DType() != test.dtype {
				t.Errorf("type %s, want %s", got.DType(), test.dtype)
			}
			for _, from := range []int{0, 1, 33, got.Elements() - 5} {
				a, b := make([]float32, got.Elements()-from), make([]float32, want.Elements()-from)
				if err := got.Float32(a, from); err != nil {
					t.Fatal(err)
				}
				if err := want.Float32(b, from); err != nil {
					t.Fatal(err)
				}
				for i := range b {
					if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
						t.Fatalf("element %d is %v, want %v", from+i, a[i], b[i])
					}
				}
			}
		})
	}
}

func resolve(t *testing.T, c *weights.Checkpoint, s *graph.Source) *weights.Array {
	t.Helper()
	a, err := weights.Resolve(c, s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestScaledRefuses(t *testing.T) {
	c := scaledFile(t)
	from := graph.FromTensor
	tests := []struct {
		name   string
		source *graph.Source
		want   string
	}{
		{"blocks and exponents of different shapes", graph.MXFP4(from("mxfp4.blocks"), from("fp8.scales")), "mxfp4 of blocks [3 5 17 16] and exponents [3 3]"},
		{"numbers that are no bytes", graph.MXFP4(from("fp8.values").Slice(1, 0, 16, 1), from("fp8.values").Slice(1, 0, 1, 1).Reshape(10)), "is no tensor of U8"},
		{"too few scales", from("fp8.weight").Scaled(from("fp8.scales"), 3, 8), "scale of shapes [10 19] and [3 3] by blocks of [3 8]"},
		{"blocks of nothing", from("fp8.weight").Scaled(from("fp8.scales"), 0, 8), "by blocks of [0 8]"},
		{"no exponents", graph.MXFP4(from("mxfp4.blocks"), from("none")), `the checkpoint has no tensor "none"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := weights.Resolve(c, test.source); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// TestParts: what a source joins and turns is found again in what it gives.
func TestParts(t *testing.T) {
	c := scaledFile(t)
	values, weight := graph.FromTensor("mxfp4.scales"), graph.FromTensor("fp8.weight") // whole numbers, and small ones
	tests := map[string]*graph.Source{
		"stacked":           graph.StackSources(1, weight, graph.FromTensor("fp8.values")),
		"joined":            graph.ConcatSources(1, weight, graph.FromTensor("fp8.values")),
		"joined and turned": graph.ConcatSources(0, weight, graph.FromTensor("fp8.values")).Permute(1, 0),
		"turned":            values.Permute(2, 0, 1),
		"shifted":           values.Plus(1),
		"of alternatives":   weight.Permute(1, 0).Else(values),
	}
	for name, source := range tests {
		t.Run(name, func(t *testing.T) {
			whole := resolve(t, c, source)
			parts, err := source.Parts(whole.Shape(), graph.FromTensor("whole"))
			if err != nil {
				t.Fatal(err)
			}
			if len(parts) == 0 || len(parts) > 2 {
				t.Errorf("%d parts", len(parts))
			}
			memory := weights.FromMemory("whole", whole.Shape(), all(t, whole))
			for _, part := range parts {
				got, want := resolve(t, memory, part.Source), resolve(t, c, graph.FromTensor(part.Name))
				if !slices.Equal(got.Shape(), want.Shape()) || !slices.Equal(part.Shape, want.Shape()) {
					t.Errorf("%s has shape %v, said to be %v, want %v", part.Name, got.Shape(), part.Shape, want.Shape())
				}
				if !slices.Equal(all(t, got), all(t, want)) {
					t.Errorf("%s has other values", part.Name)
				}
			}
		})
	}
	if _, err := values.Slice(0, 0, 1, 1).Parts([]int{1, 5, 17}, values); err == nil {
		t.Error("a slice was undone")
	}
}

func all(t *testing.T, a *weights.Array) []float32 {
	t.Helper()
	out := make([]float32, a.Elements())
	if err := a.Float32(out, 0); err != nil {
		t.Fatal(err)
	}
	return out
}
