package graph_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
)

// shapes are the tensors of a checkpoint.
func shapes(name string) ([]int, bool) {
	s, ok := map[string][]int{
		"a": {6, 4}, "b": {2, 4}, "c": {6, 4}, "conv": {8, 1, 3}, "vector": {6}, "experts": {3, 4, 5}, "scalar": {},
		"scales": {3, 2}, "blocks": {3, 2, 16},
	}[name]
	return s, ok
}

func TestSourceShapes(t *testing.T) {
	a, b, c := graph.FromTensor("a"), graph.FromTensor("b"), graph.FromTensor("c")
	for _, test := range []struct {
		name   string
		source *graph.Source
		text   string
		want   []int
	}{
		{"a tensor", a, "a", []int{6, 4}},
		{"a scalar", graph.FromTensor("scalar"), "scalar", []int{}},
		{"an alternative", graph.FromTensor("missing", "also missing", "b"), "missing|also missing|b", []int{2, 4}},
		{"a slice", a.Slice(0, 2, 5, 1), "slice(a, 0, 2:5:1)", []int{3, 4}},
		{"a slice of columns", a.Slice(1, 0, 2, 1), "slice(a, 1, 0:2:1)", []int{6, 2}},
		{"every second row", a.Slice(0, 0, 6, 2), "slice(a, 0, 0:6:2)", []int{3, 4}},
		{"every second row from the second", a.Slice(0, 1, 6, 2), "slice(a, 0, 1:6:2)", []int{3, 4}},
		{"every fourth row", a.Slice(0, 0, 6, 4), "slice(a, 0, 0:6:4)", []int{2, 4}},
		{"a step beyond all", a.Slice(0, 0, 6, math.MaxInt), "slice(a, 0, 0:6:9223372036854775807)", []int{1, 4}},
		{"an empty slice", a.Slice(0, 3, 3, 1), "slice(a, 0, 3:3:1)", []int{0, 4}},
		{"rows joined", graph.ConcatSources(0, a, b, c), "concat(0, a, b, c)", []int{14, 4}},
		{"columns joined", graph.ConcatSources(1, a, c), "concat(1, a, c)", []int{6, 8}},
		{"stacked", graph.StackSources(0, a, c), "stack(0, a, c)", []int{2, 6, 4}},
		{"stacked at the end", graph.StackSources(2, a, c, a), "stack(2, a, c, a)", []int{6, 4, 3}},
		{"transposed", a.Permute(1, 0), "permute(a, 1 0)", []int{4, 6}},
		{"permuted", graph.FromTensor("experts").Permute(2, 0, 1), "permute(experts, 2 0 1)", []int{5, 3, 4}},
		{"reshaped", graph.FromTensor("conv").Reshape(8, 3), "reshape(conv, 8 3)", []int{8, 3}},
		{"a constant added", a.Plus(1), "add(a, 1)", []int{6, 4}},
		{"scales of blocks", a.Scaled(graph.FromTensor("scales"), 2, 3), "scale(a, scales, 2 3)", []int{6, 4}},
		{"unpacked", graph.MXFP4(graph.FromTensor("blocks"), graph.FromTensor("scales")), "mxfp4(blocks, scales)", []int{3, 64}},
		{"the first that is there", graph.FromTensor("missing").Else(b), "else(missing, b)", []int{2, 4}},
		{"the first of two", a.Else(b), "else(a, b)", []int{6, 4}},
		{"rows of heads permuted", a.Reshape(3, 2, 4).Permute(1, 0, 2).Reshape(6, 4), "reshape(permute(reshape(a, 3 2 4), 1 0 2), 6 4)", []int{6, 4}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.source.Validate(); err != nil {
				t.Error(err)
			}
			got, err := test.source.Shape(shapes)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("shape %v, want %v", got, test.want)
			}
			if got := test.source.String(); got != test.text {
				t.Errorf("text %q, want %q", got, test.text)
			}
		})
	}
}

func TestSourceErrors(t *testing.T) {
	a, b, vector := graph.FromTensor("a"), graph.FromTensor("b"), graph.FromTensor("vector")
	for _, test := range []struct {
		name   string
		source *graph.Source
		want   string
	}{
		{"no such tensor", graph.FromTensor("x"), `the checkpoint has no tensor "x"`},
		{"no such alternatives", graph.FromTensor("x", "y"), `the checkpoint has none of the tensors ["x" "y"]`},
		{"neither of two", graph.FromTensor("x").Else(graph.FromTensor("y")), `no tensor "x"`},
		{"within an expression", graph.FromTensor("x").Plus(1), `no tensor "x"`},
		{"scales of other blocks", a.Scaled(graph.FromTensor("scales"), 3, 3), "scale of shapes [6 4] and [3 2] by blocks of [3 3]"},
		{"blocks of another size", graph.MXFP4(graph.FromTensor("experts"), graph.FromTensor("scales")), "mxfp4 of blocks [3 4 5] and exponents [3 2]"},
		{"a slice beyond the end", a.Slice(0, 0, 7, 1), "source slice(a, 0, 0:7:1): slice 0:7:1 of 6"},
		{"a slice from below 0", a.Slice(0, -1, 2, 1), "slice -1:2:1"},
		{"a slice backwards", a.Slice(0, 3, 2, 1), "slice 3:2:1"},
		{"a slice of step 0", a.Slice(0, 0, 2, 0), "slice 0:2:0"},
		{"a slice of no dimension", a.Slice(2, 0, 2, 1), "dimension 2 of a tensor with 2"},
		{"a slice of a negative dimension", a.Slice(-1, 0, 2, 1), "dimension -1"},
		{"joined along no dimension", graph.ConcatSources(2, a, b), "dimension 2 of a tensor with 2"},
		{"joined with other columns", graph.ConcatSources(1, a, b), "concat of shapes [6 4] and [2 4] along 1"},
		{"joined with fewer dimensions", graph.ConcatSources(0, a, vector), "concat of shapes [6 4] and [6]"},
		{"stacked of two shapes", graph.StackSources(0, a, b), "stack of shapes [6 4] and [2 4]"},
		{"stacked beyond", graph.StackSources(3, a, a), "dimension 3 of a tensor with 3"},
		{"permuted by fewer", a.Permute(0), "permute [0] of a tensor with 2 dimensions"},
		{"permuted twice the same", a.Permute(0, 0), "permute [0 0] is no permutation"},
		{"permuted beyond", a.Permute(0, 2), "permute [0 2] is no permutation"},
		{"reshaped to more", a.Reshape(5, 5), "reshape of [6 4] to [5 5]"},
		{"reshaped to less than nothing", a.Reshape(-6, -4), "reshape of [6 4] to [-6 -4]"},
		{"reshaped beyond all", a.Reshape(1<<40, 1<<40), "reshape of"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.source.Shape(shapes)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			var missing *graph.MissingTensorError
			if want := strings.Contains(test.want, "the checkpoint") || strings.Contains(test.want, "no tensor"); errors.As(err, &missing) != want {
				t.Errorf("error %v is a missing tensor: %v", err, !want)
			}
		})
	}
}

func TestSourceValidate(t *testing.T) {
	deep := graph.FromTensor("a")
	for range 100 {
		deep = deep.Plus(1)
	}
	for _, test := range []struct {
		name   string
		source *graph.Source
		want   string
	}{
		{"nothing", nil, "an operand is missing"},
		{"a missing operand", graph.ConcatSources(0, graph.FromTensor("a"), nil), "an operand is missing"},
		{"a tensor of no name", &graph.Source{Op: graph.SourceTensor}, "a tensor without a name"},
		{"a tensor of an empty name", graph.FromTensor("a", ""), "a tensor without a name"},
		{"a tensor with operands", &graph.Source{Op: graph.SourceTensor, Names: []string{"a"}, Args: []*graph.Source{deep}}, "with operands"},
		{"a slice of two", &graph.Source{Op: graph.SourceSlice, Args: []*graph.Source{deep, deep}}, "slice of 2 operands"},
		{"a sum of none", &graph.Source{Op: graph.SourceAdd}, "add of 0 operands"},
		{"a concat of none", graph.ConcatSources(0), "concat of no operands"},
		{"an else of none", &graph.Source{Op: graph.SourceElse}, "else of no operands"},
		{"no operation", &graph.Source{}, `unknown operation ""`},
		{"too deep", deep, "nested more than 64 deep"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.source.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// TestSourceTensors: every name once, and every tensor exchanged.
func TestSourceTensors(t *testing.T) {
	s := graph.ConcatSources(0, graph.FromTensor("a", "b"), graph.FromTensor("c").Plus(1), graph.FromTensor("a").Else(graph.FromTensor("d")))
	if got := s.Tensors(); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("tensors %v", got)
	}
	renamed := s.MapTensors(func(s *graph.Source) *graph.Source {
		if s.Names[0] == "c" {
			return graph.FromTensor("x").Permute(1, 0)
		}
		return s
	})
	if got, want := renamed.String(), "concat(0, a|b, add(permute(x, 1 0), 1), else(a, d))"; got != want {
		t.Errorf("renamed: %s, want %s", got, want)
	}
	if got, want := s.String(), "concat(0, a|b, add(c, 1), else(a, d))"; got != want {
		t.Errorf("the source itself has changed: %s", got)
	}
	var none *graph.Source
	if none.MapTensors(nil) != nil || none.String() != "none" || none.Tensors() != nil {
		t.Error("a nil source is not nothing")
	}
}
