package data

import (
	"slices"

	"github.com/honeml/hone/sdk/graph"
)

// A Placed is a document of a step with its number in the run.
type Placed struct {
	Document *Document
	Sample   int32
}

// Pack lays documents into micro-batches of at most maxTokens tokens: the
// longest first, each into the fullest micro-batch that still has room (best fit
// decreasing). A document longer than maxTokens has one of its own. Without
// packing, every document has. The result depends on the documents and maxTokens
// alone.
func Pack(documents []Placed, maxTokens int, packing bool) []*graph.Batch {
	byLength := slices.Clone(documents)
	slices.SortStableFunc(byLength, func(a, b Placed) int { return len(b.Document.IDs) - len(a.Document.IDs) })
	var batches []*graph.Batch
	for _, d := range byLength {
		length := len(d.Document.IDs)
		best := -1
		for i, b := range batches {
			if packing && b.Tokens()+length <= maxTokens && (best < 0 || b.Tokens() > batches[best].Tokens()) {
				best = i
			}
		}
		if best < 0 {
			best = len(batches)
			batches = append(batches, &graph.Batch{})
		}
		batches[best].Append(d.Sample, d.Document.IDs, d.Document.Weights())
	}
	return batches
}
