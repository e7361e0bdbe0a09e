package engine

import (
	"context"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/facts"
	"github.com/honeml/hone/sdk/kernels/generation"
)

// A cache keeps, for each node that looks back, its inputs of earlier tokens.
type cache struct {
	length int // tokens of a sequence
	data   map[cacheKey][]float32
	widths map[cacheKey]int
}

type cacheKey struct {
	node  *graph.Node
	which int // 0: keys, or a convolution's input; 1: values
}

// put keeps row t of rows: the token at its position of the sequence
// rows.sample[t].
func (c *cache) put(n *graph.Node, which, t int, r rows, row []float32) {
	key := cacheKey{n, which}
	at := (int(r.sample[t])*c.length + int(r.position[t])) * c.widths[key]
	copy(c.data[key][at:], row)
}

// rows is all that is kept of a sequence, token after token.
func (c *cache) rows(n *graph.Node, which, sequence int) []float32 {
	key := cacheKey{n, which}
	size := c.length * c.widths[key]
	return c.data[key][sequence*size : (sequence+1)*size]
}

// get is what is kept of one token.
func (c *cache) get(n *graph.Node, which, sequence, position int) []float32 {
	w := c.widths[cacheKey{n, which}]
	return c.rows(n, which, sequence)[position*w : (position+1)*w]
}

// cacheWidths are the widths of what the Graph's nodes keep.
func (e *Engine) cacheWidths() map[cacheKey]int {
	out := map[cacheKey]int{}
	for _, n := range e.g.Nodes {
		switch o := n.Op.(type) {
		case *graph.Attention:
			out[cacheKey{n, 0}] = o.KVHeads * o.KeyWidth
			out[cacheKey{n, 1}] = o.KVHeads * o.ValueWidth
		case *graph.Conv:
			out[cacheKey{n, 0}] = e.g.Values[n.Inputs[0]].Width
		}
	}
	return out
}

func (e *Engine) cacheBytes() int64 {
	total := int64(0)
	for _, w := range e.cacheWidths() {
		total += int64(w) * int64(e.layout.cacheTokens) * 4
	}
	return total
}

func (e *Engine) newCache(sequences, length int) *cache {
	c := &cache{length: length, data: map[cacheKey][]float32{}, widths: e.cacheWidths()}
	for key, w := range c.widths {
		c.data[key] = make([]float32, sequences*length*w)
	}
	return c
}

// Generate continues prompts, all of them a token at a time.
func (e *Engine) Generate(ctx context.Context, req *kernels.GenerateRequest, emit func(kernels.Token) error) error {
	if err := e.loaded(); err != nil {
		return err
	}
	if err := facts.CheckAdapter(e.g, req.Adapter); err != nil {
		return err
	}
	if err := generation.Check(req, e.phases, e.g.IDs()); err != nil {
		return err
	}
	r := runner{e: e, adapter: req.Adapter, cache: e.newCache(len(req.Prompts), generation.Length(req))}
	return generation.Run(ctx, r, req, e.layout.tokens, e.g.IDs(), emit)
}

// A runner runs rows of sequences whose earlier tokens are in its cache.
type runner struct {
	e       *Engine
	adapter string
	cache   *cache
}

// Run is generation.Runner's.
func (r runner) Run(_ context.Context, from generation.Rows, wanted []int, each func(row int, logits []float32) error) error {
	c := call{rows: rows{id: from.ID, position: from.Position, sample: from.Sequence}, adapter: r.adapter, cache: r.cache}
	r.e.forward(c)
	if len(wanted) == 0 {
		return nil
	}
	v := r.e.g.Vocabulary()
	var failed error
	r.e.logits(c, wanted, func(indices []int, logits []float32) {
		for i, t := range indices {
			if failed == nil {
				failed = each(t, logits[i*v:(i+1)*v])
			}
		}
	})
	return failed
}
