package weights

import (
	"math"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/halffloat"
)

// TestMean: rows of a mean are the mean, in the type that the rows beside it have.
func TestMean(t *testing.T) {
	c, tensors := sources(t)
	tests := []struct {
		tensor string
		rows   int // of the tensor that count
		dtype  DType
	}{
		{"matrix", 6, dtype.F32}, {"matrix", 2, dtype.F32}, {"wide", 3, dtype.BF16}, {"experts", 3, dtype.F16}, {"blocks", 4, dtype.F32}, {"vector", 24, dtype.F32},
	}
	for _, test := range tests {
		t.Run(test.tensor, func(t *testing.T) {
			whole := tensors[test.tensor]
			cols := len(whole.values) / whole.shape[0]
			s := graph.FromTensor(test.tensor)
			a, err := Resolve(c, graph.ConcatSources(0, s, s.Slice(0, 0, test.rows, 1).Mean(3)))
			if err != nil {
				t.Fatal(err)
			}
			if a.DType() != test.dtype || a.Rows() != whole.shape[0]+3 {
				t.Errorf("%d rows of %v", a.Rows(), a.DType())
			}
			got := make([]float32, a.Elements()-1)
			if err := a.Float32(got, 1); err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				at := i + 1
				var want float32
				if at < len(whole.values) {
					want = whole.values[at]
				} else {
					sum := 0.0
					for row := range test.rows {
						sum += float64(whole.values[row*cols+at%cols])
					}
					want = float32(sum / float64(test.rows))
					switch test.dtype {
					case dtype.BF16:
						want = halffloat.FromBFloat16(halffloat.ToBFloat16(want))
					case dtype.F16:
						want = halffloat.FromFloat16(halffloat.ToFloat16(want))
					}
				}
				if math.Float32bits(v) != math.Float32bits(want) {
					t.Fatalf("element %d is %v, want %v", at, v, want)
				}
			}
		})
	}
	for name, s := range map[string]*graph.Source{
		"no rows": graph.FromTensor("matrix").Mean(0), "of nothing": graph.FromTensor("empty").Mean(1), "of a scalar": graph.FromTensor("scalar").Mean(1),
	} {
		if _, err := Resolve(c, s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
