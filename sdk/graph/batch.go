package graph

import (
	"fmt"
	"math"
	"slices"
)

// A Batch is a micro-batch: T tokens of one or more documents laid end to end.
// All slices have length T.
type Batch struct {
	ID       []int32   // token ids
	Position []int32   // position in the document, from 0
	DocStart []int32   // index, in this batch, of the document's first token
	DocEnd   []int32   // index after the document's last token
	Sample   []int32   // the document's number in the run, the same however it is packed
	Weight   []float32 // weight of the prediction of this token from those before it; 0 at a document's first
}

// Tokens is the number of tokens, T.
func (b *Batch) Tokens() int { return len(b.ID) }

// TotalWeight is the sum of the weights: with weights of 0 and 1, the number of
// supervised tokens.
func (b *Batch) TotalWeight() float64 {
	sum := 0.0
	for _, w := range b.Weight {
		sum += float64(w)
	}
	return sum
}

// Shares is, for each token, the sum of the weights of its document divided by the
// document's number of tokens: what a mean over a document's tokens, counted as often
// as its predictions, takes of each of them.
func (b *Batch) Shares() []float64 {
	out := make([]float64, b.Tokens())
	for start := 0; start < len(out); start = int(b.DocEnd[start]) {
		document, sum := out[start:b.DocEnd[start]], 0.0
		for i := range document {
			sum += float64(b.Weight[start+i])
		}
		for i := range document {
			document[i] = sum / float64(len(document))
		}
	}
	return out
}

// Append lays a document of ids at the end of b, with the weight of each token's
// prediction. The first weight is taken as 0.
func (b *Batch) Append(sample int32, ids []int32, weight []float32) {
	start, n := len(b.ID), len(ids)
	end := start + n
	b.ID = append(b.ID, ids...)
	b.Weight = append(b.Weight, weight[:n]...)
	for _, s := range []*[]int32{&b.Position, &b.DocStart, &b.DocEnd, &b.Sample} {
		*s = slices.Grow(*s, n)[:end]
	}
	for i := range n {
		t := start + i
		b.Position[t], b.DocStart[t], b.DocEnd[t], b.Sample[t] = int32(i), int32(start), int32(end), sample
	}
	if n > 0 {
		b.Weight[start] = 0
	}
}

// Validate reports whether b is a micro-batch for a vocabulary of that size:
// slices of one length, ids below vocabulary, documents laid end to end with
// positions from 0, weights finite and not negative, 0 at a document's first.
func (b *Batch) Validate(vocabulary int) error {
	n := len(b.ID)
	for _, l := range []int{len(b.Position), len(b.DocStart), len(b.DocEnd), len(b.Sample), len(b.Weight)} {
		if l != n {
			return fmt.Errorf("micro-batch: slices of %d and %d tokens", n, l)
		}
	}
	if n > math.MaxInt32 {
		return fmt.Errorf("micro-batch: %d tokens", n)
	}
	start := 0
	for t := range n {
		end := int(b.DocEnd[t])
		switch {
		case b.ID[t] < 0 || int(b.ID[t]) >= vocabulary:
			return fmt.Errorf("micro-batch: token %d has id %d, the vocabulary %d entries", t, b.ID[t], vocabulary)
		case int(b.DocStart[t]) != start || end <= t || end > n:
			return fmt.Errorf("micro-batch: token %d is in a document from %d to %d", t, b.DocStart[t], end)
		case t > start && (b.DocEnd[t] != b.DocEnd[start] || b.Sample[t] != b.Sample[start]):
			return fmt.Errorf("micro-batch: token %d disagrees with token %d, of the same document", t, start)
		case int(b.Position[t]) != t-start:
			return fmt.Errorf("micro-batch: token %d has position %d, %d tokens into its document", t, b.Position[t], t-start)
		case !(b.Weight[t] >= 0) || math.IsInf(float64(b.Weight[t]), 0):
			return fmt.Errorf("micro-batch: token %d has weight %v", t, b.Weight[t])
		case t == start && b.Weight[t] != 0:
			return fmt.Errorf("micro-batch: token %d is a document's first and has weight %v", t, b.Weight[t])
		}
		if t+1 == end {
			start = end
		}
	}
	return nil
}
