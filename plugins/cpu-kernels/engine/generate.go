package engine

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/sampling"
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

// A sequence is a prompt and what follows it.
type sequence struct {
	ids      []int32
	prompt   int // tokens of the prompt
	random   *rand.Rand
	finished bool
}

// Generate continues prompts, all of them a token at a time.
func (e *Engine) Generate(ctx context.Context, req *kernels.GenerateRequest, emit func(kernels.Token) error) error {
	if err := e.loaded(); err != nil {
		return err
	}
	if err := e.checkGenerate(req); err != nil {
		return err
	}
	g := generation{e: e, req: req, emit: emit, adapter: req.Adapter}
	longest := 0
	for i, p := range req.Prompts {
		g.sequences = append(g.sequences, &sequence{
			ids: slices.Clone(p), prompt: len(p), random: sampling.Random(req, i),
		})
		longest = max(longest, len(p))
	}
	if req.MaxTokens == 0 {
		return nil
	}
	g.cache = e.newCache(len(req.Prompts), longest+req.MaxTokens)
	return g.run(ctx)
}

func (e *Engine) checkGenerate(req *kernels.GenerateRequest) error {
	if err := e.knowsAdapter(req.Adapter); err != nil {
		return err
	}
	if len(req.Prompts) == 0 || len(req.Prompts) > e.phases.GenerateSequences {
		return fault.New(fault.BadInput, "%d prompts; the plan has room for %d", len(req.Prompts), e.phases.GenerateSequences)
	}
	if req.MaxTokens < 0 || !(req.Temperature >= 0) || req.TopK < 0 || !(req.TopP >= 0 && req.TopP <= 1) {
		return fault.New(fault.BadInput, "max tokens %d, temperature %v, top-k %d, top-p %v", req.MaxTokens, req.Temperature, req.TopK, req.TopP)
	}
	v := e.vocabulary()
	for i, p := range req.Prompts {
		if len(p) == 0 || len(p)+req.MaxTokens > e.phases.GenerateLength {
			return fault.New(fault.BadInput, "prompt %d has %d tokens and may grow by %d; the plan has room for 1 to %d in all",
				i, len(p), req.MaxTokens, e.phases.GenerateLength)
		}
		for _, id := range p {
			if id < 0 || int(id) >= v {
				return fault.New(fault.BadInput, "prompt %d has the id %d, the vocabulary %d entries", i, id, v)
			}
		}
	}
	return nil
}

type generation struct {
	e         *Engine
	req       *kernels.GenerateRequest
	emit      func(kernels.Token) error
	adapter   string
	sequences []*sequence
	cache     *cache
}

func (g *generation) run(ctx context.Context) error {
	// Each prompt on its own, as far as the plan goes at a time.
	for i, s := range g.sequences {
		for at := 0; at < len(s.ids); {
			n := min(g.e.layout.tokens, len(s.ids)-at)
			if err := g.advance(ctx, g.span(i, at, n), at+n == s.prompt); err != nil {
				return err
			}
			at += n
		}
	}
	for {
		next := rows{}
		for i, s := range g.sequences {
			if !s.finished && next.len() < g.e.layout.tokens {
				next = join(next, g.span(i, len(s.ids)-1, 1))
			}
		}
		if next.len() == 0 {
			return nil
		}
		if err := g.advance(ctx, next, true); err != nil {
			return err
		}
	}
}

// span is n tokens of a sequence from position at on.
func (g *generation) span(i, at, n int) rows {
	var r rows
	for p := at; p < at+n; p++ {
		r.id = append(r.id, g.sequences[i].ids[p])
		r.position = append(r.position, int32(p))
		r.sample = append(r.sample, int32(i))
	}
	return r
}

func join(a, b rows) rows {
	return rows{id: append(a.id, b.id...), position: append(a.position, b.position...), sample: append(a.sample, b.sample...)}
}

// advance runs rows through the model and, where choose, gives each sequence
// among them its next token.
func (g *generation) advance(ctx context.Context, r rows, choose bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := call{rows: r, adapter: g.adapter, cache: g.cache}
	g.e.forward(c)
	if !choose {
		return nil
	}
	var last []int // the last row of each sequence
	for t := range r.len() {
		if t+1 == r.len() || r.sample[t+1] != r.sample[t] {
			last = append(last, t)
		}
	}
	v := g.e.g.Vocabulary()
	var failed error
	g.e.logits(c, last, func(indices []int, logits []float32) {
		for i, t := range indices {
			if failed == nil {
				failed = g.choose(int(r.sample[t]), logits[i*v:(i+1)*v])
			}
		}
	})
	return failed
}

// choose samples the next token of a sequence and emits it.
func (g *generation) choose(i int, logits []float32) error {
	s := g.sequences[i]
	// Ids that have a logit but no embedding cannot be fed back.
	logits = logits[:g.e.vocabulary()]
	id := sampling.Choose(logits, g.req, s.random)
	s.ids = append(s.ids, id)
	t := kernels.Token{Sequence: i, ID: id, LogProb: float32(logProb(logits, id))}
	switch {
	case slices.Contains(g.req.Stop, id):
		t.Finish = kernels.FinishStop
	case len(s.ids)-s.prompt >= g.req.MaxTokens:
		t.Finish = kernels.FinishLength
	}
	s.finished = t.Finish != ""
	return g.emit(t)
}
