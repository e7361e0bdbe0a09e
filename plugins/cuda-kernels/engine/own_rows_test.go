package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/graph/interp"
)

// tokensCase is a small model some of whose tokens have rows that are trained: with a head
// of its own or one tied to the embedding, and an adapter between.
func tokensCase(t testing.TB, tied bool, hidden, vocabulary int, ids []int) *graphtest.Case {
	t.Helper()
	b := graph.New("Test")
	x := b.Embed("embed", vocabulary, hidden)
	x = b.Add(x, b.Linear(b.RMSNorm(x, "norm", 1e-5), "up", hidden, graph.RoleMLPUp), "sum")
	var options []graph.LinearOption
	if tied {
		options = append(options, graph.Tied(b.Param("embed", []int{vocabulary, hidden}, graph.RoleEmbed)))
	}
	b.Logits(b.Linear(x, "head", vocabulary, graph.RoleHead, options...))
	g, err := b.Graph()
	if err == nil {
		g, err = adapt.Apply(g, adapt.LoRA{Rank: 4, Alpha: 8, Targets: []string{"up"}})
	}
	if err == nil {
		g, err = adapt.TrainTokens(g, "", ids, vocabulary)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(4, uint64(len(ids))))
	c := &graphtest.Case{Graph: g, Batch: &graph.Batch{}, Adapter: adapt.DefaultName, Seed: 5, Step: 1}
	for _, p := range g.Params {
		if p.Trainable { // drawn, as all are; the rows of tokens too, which begin as the table's
			p.Source, p.Init = nil, graph.InitZeros
		}
		values := make([]float64, p.Elements())
		for i := range values {
			values[i] = float64(float32(0.4 * r.NormFloat64()))
		}
		c.Values = append(c.Values, values)
	}
	for sample, length := range []int{5, 8} {
		tokens, weights := make([]int32, length), make([]float32, length)
		for i := range tokens {
			tokens[i], weights[i] = int32(r.IntN(vocabulary)), 1
			if i%2 == 0 {
				tokens[i] = int32(ids[r.IntN(len(ids))])
			}
		}
		c.Batch.Append(int32(sample), tokens, weights)
	}
	return c
}

// TestTokenRows: rows of an adapter's own, in embeddings and heads, forward and backward.
func TestTokenRows(t *testing.T) {
	gpu := openGPU(t)
	limits := map[string]float64{"fp32": 1e-4, "bf16": 0.08, "fp16": 0.02}
	for _, tied := range []bool{false, true} {
		for _, ids := range [][]int{{0}, {3, 11, 12}, {1, 2, 3, 4, 5, 6, 7, 8, 20}} {
			for precision, limit := range limits {
				for _, hidden := range []int{16, 9} {
					t.Run(fmt.Sprintf("tied %v, %d tokens, %s, %d wide", tied, len(ids), precision, hidden), func(t *testing.T) {
						tryCase(t, gpu, tokensCase(t, tied, hidden, 21, ids), precision, limit)
					})
				}
			}
		}
	}
}

// TestRandomTokenRows: the same in random graphs, with adapters on the same linears, and
// tables that are trained themselves.
func TestRandomTokenRows(t *testing.T) {
	gpu := openGPU(t)
	found := 0
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c := graphtest.Random(rand.New(rand.NewPCG(8, seed)), graphtest.Options{Dense: true, TokenRows: true})
			run, err := interp.New(c.Graph, rounded(c, "fp32"), c.Batch, interp.Options{Adapter: c.Adapter})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := run.Forward(); err != nil || c.Batch.TotalWeight() == 0 {
				t.Skip("there is nothing to compare: ", err)
			}
			if slices.ContainsFunc(c.Graph.Nodes, func(n *graph.Node) bool { return graph.RowsOf(n.Op) != nil }) {
				found++
			}
			tryCase(t, gpu, c, "fp32", 1e-2)
		})
	}
	if found == 0 {
		t.Error("no graph has rows of an adapter's own")
	}
}
