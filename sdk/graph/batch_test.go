package graph_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
)

func twoDocuments() *graph.Batch {
	b := &graph.Batch{}
	b.Append(7, []int32{1, 2, 3}, []float32{9, 1, 0.5})
	b.Append(8, []int32{4}, []float32{9})
	b.Append(9, []int32{5, 6}, []float32{0, 0})
	return b
}

func TestAppend(t *testing.T) {
	want := &graph.Batch{
		ID:       []int32{1, 2, 3, 4, 5, 6},
		Position: []int32{0, 1, 2, 0, 0, 1},
		DocStart: []int32{0, 0, 0, 3, 4, 4},
		DocEnd:   []int32{3, 3, 3, 4, 6, 6},
		Sample:   []int32{7, 7, 7, 8, 9, 9},
		Weight:   []float32{0, 1, 0.5, 0, 0, 0},
	}
	got := twoDocuments()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got.Tokens() != 6 || got.TotalWeight() != 1.5 {
		t.Errorf("%d tokens of weight %v", got.Tokens(), got.TotalWeight())
	}
	if err := got.Validate(7); err != nil {
		t.Error(err)
	}
	if err := (&graph.Batch{}).Validate(7); err != nil {
		t.Errorf("an empty micro-batch: %v", err)
	}
}

func TestBatchErrors(t *testing.T) {
	nan := float32(math.NaN())
	for _, test := range []struct {
		name  string
		spoil func(b *graph.Batch)
		want  string
	}{
		{"a slice too short", func(b *graph.Batch) { b.Weight = b.Weight[:5] }, "slices of 6 and 5 tokens"},
		{"a slice too long", func(b *graph.Batch) { b.Sample = append(b.Sample, 1) }, "slices of 6 and 7 tokens"},
		{"an id beyond the vocabulary", func(b *graph.Batch) { b.ID[4] = 7 }, "token 4 has id 7, the vocabulary 7 entries"},
		{"a negative id", func(b *graph.Batch) { b.ID[0] = -1 }, "token 0 has id -1"},
		{"a document that starts late", func(b *graph.Batch) { b.DocStart[3] = 4 }, "token 3 is in a document from 4 to 4"},
		{"a document that starts early", func(b *graph.Batch) { b.DocStart[3] = 0 }, "token 3 is in a document from 0 to 4"},
		{"a document that ends early", func(b *graph.Batch) { b.DocEnd[1] = 1 }, "token 1 is in a document from 0 to 1"},
		{"a document that ends beyond", func(b *graph.Batch) { b.DocEnd[4] = 7 }, "token 4 is in a document from 4 to 7"},
		{"two ends of one document", func(b *graph.Batch) { b.DocEnd[1] = 2 }, "token 1 disagrees with token 0, of the same document"},
		{"two numbers of one document", func(b *graph.Batch) { b.Sample[2] = 8 }, "token 2 disagrees with token 0, of the same document"},
		{"a position that does not restart", func(b *graph.Batch) { b.Position[3] = 3 }, "token 3 has position 3, 0 tokens into its document"},
		{"a position that stands still", func(b *graph.Batch) { b.Position[2] = 1 }, "token 2 has position 1, 2 tokens into its document"},
		{"a negative weight", func(b *graph.Batch) { b.Weight[1] = -1 }, "token 1 has weight -1"},
		{"a weight that is NaN", func(b *graph.Batch) { b.Weight[1] = nan }, "token 1 has weight NaN"},
		{"an infinite weight", func(b *graph.Batch) { b.Weight[1] = float32(math.Inf(1)) }, "token 1 has weight +Inf"},
		{"a weight at the first", func(b *graph.Batch) { b.Weight[4] = 1 }, "token 4 is a document's first and has weight 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := twoDocuments()
			test.spoil(b)
			if err := b.Validate(7); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// TestShares: a document's weight, spread over its tokens.
func TestShares(t *testing.T) {
	b := &graph.Batch{}
	b.Append(0, []int32{1, 2, 3, 4}, []float32{9, 1, 0, 0.5}) // the first has no prediction
	b.Append(1, []int32{1}, []float32{0})
	b.Append(2, []int32{1, 2}, []float32{0, 3})
	if got, want := b.Shares(), []float64{0.375, 0.375, 0.375, 0.375, 0, 1.5, 1.5}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := new(graph.Batch).Shares(); len(got) != 0 {
		t.Errorf("%v of nothing", got)
	}
}
