package engine

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/honeml/hone/plugins/cuda-kernels/optimizer"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/recompute"
	"github.com/honeml/hone/sdk/kernels"
)

// A layout is what Bind decided.
type layout struct {
	tokens    int    // the most of a micro-batch
	recompute string // RecomputeNone or RecomputeLayers
}

// bound is the plan as checkpoints hold it: what decides the bits of a run.
type bound struct {
	Format    int    `json:"format"`
	Recompute string `json:"recompute"`
	Precision string `json:"precision"`
	Held      string `json:"held"`
	Tokens    int    `json:"tokens"`
	Device    string `json:"device"` // another card gives other bits
}

// Micro-batches of so many tokens keep a large GPU busy.
const (
	usualTokens = 8192
	leastTokens = 512
)

// plan decides what is kept and how large micro-batches are, and lays out memory.
func (e *Engine) plan(full *diff.Schedule) error {
	e.layout = layout{tokens: e.microBatch(), recompute: e.options.Recompute}
	if e.layout.recompute != RecomputeLayers {
		e.layout.recompute = RecomputeNone
	}
	if err := e.layOut(full); err != nil {
		return err
	}
	limit := e.options.MemoryBytes
	if limit == 0 || e.totalBytes() <= limit {
		return nil
	}
	// Smaller micro-batches cost less than computing twice, as long as they keep the
	// GPU busy.
	for _, try := range e.attempts() {
		e.layout = try
		if err := e.layOut(full); err != nil {
			return err
		}
		if e.totalBytes() <= limit {
			return nil
		}
	}
	need := e.totalBytes()
	err := fault.New(fault.LimitTooSmall, "the run needs %s of the GPU's memory at least, the limit is %s", bytesText(need), bytesText(limit))
	err.NeedBytes = need
	return err.WithHint("set memory_limit to %s or more, or a smaller max_length", bytesText(need))
}

// attempts are the layouts to try where the first does not fit, the best first.
func (e *Engine) attempts() []layout {
	least := max(e.settings.MaxLength, e.phases.GenerateLength, e.phases.GenerateSequences, min(leastTokens, e.layout.tokens))
	if e.options.MicroBatch > 0 {
		least = e.layout.tokens
	}
	var out []layout
	add := func(recompute string, from, to int) {
		for tokens := from; ; tokens = max(to, tokens/2) {
			out = append(out, layout{tokens: tokens, recompute: recompute})
			if tokens <= to {
				return
			}
		}
	}
	busy := max(least, min(usualTokens/4, e.layout.tokens))
	if e.layout.recompute == RecomputeNone {
		add(RecomputeNone, e.layout.tokens, busy)
	}
	if e.phases.Train && e.options.Recompute != RecomputeNone {
		add(RecomputeLayers, e.layout.tokens, least)
	} else {
		add(e.layout.recompute, busy, least)
	}
	return out
}

func (e *Engine) microBatch() int {
	// Prompts are run whole, and a token of every sequence at once.
	least := max(e.settings.MaxLength, e.phases.GenerateLength, e.phases.GenerateSequences)
	if e.options.MicroBatch > 0 {
		return max(e.options.MicroBatch, least)
	}
	tokens := usualTokens
	if t := e.settings.TokensPerStep; t > 0 {
		tokens = min(tokens, t)
	}
	return max(tokens, least)
}

// layOut makes the programs for the present layout and lays out all memory.
func (e *Engine) layOut(full *diff.Schedule) error {
	rows := bucket(e.layout.tokens)
	e.memory = arena{}
	e.params = e.layOutParameters(&e.memory)
	e.constants.layOut(&e.memory)
	e.makeOptimizer()
	options := diff.Options{Adapter: e.settings.Adapter}
	trunk := e.head.Trunk
	trunkNodes := make([]node, len(e.head.TrunkNodes))
	for i, n := range e.head.TrunkNodes {
		trunkNodes[i] = e.nodes[n]
	}
	forward := diff.ForwardOnly(trunk, options)
	e.training, e.scoring = nil, e.bind(forward, trunkNodes, rows)
	size := e.scoring.size
	if full != nil {
		s, err := diff.Differentiate(trunk, options)
		if err != nil {
			s = forward // nothing below the head is trained
		}
		if e.layout.recompute == RecomputeLayers {
			s = recompute.Plan(s, recompute.Layers(trunk))
		}
		e.training = e.bind(s, trunkNodes, rows)
		size = max(size, e.training.size)
	}
	e.activations = e.memory.take("activations", size)
	e.layOutWorkspaces(rows)
	return nil
}

// layOutWorkspaces lays out what is neither weights nor activations.
func (e *Engine) layOutWorkspaces(rows int) {
	a := &e.memory
	e.head.layOut(a, rows)
	most := int64(0)
	for i, n := range e.nodes {
		at := rows
		if slices.Contains(e.head.Nodes, i) {
			at = e.head.rows
		}
		most = max(most, n.scratchBytes(at))
	}
	e.scratchSpan = a.take("workspace", most)
	e.batchSpan = a.take("workspace", batchBytes(rows))
	e.keySpan = a.take("workspace", int64(len(e.keys))*8)
	e.products.workspace = a.take("workspace", productBytes)
	e.layOutResults(a, rows)
	e.cacheSpan = a.take("cache", e.cacheBytes())
	e.viewSpan = a.take("cache", e.viewBytes())
}

// makeOptimizer makes the optimizer of the parameters as they are laid out.
func (e *Engine) makeOptimizer() {
	spec := optimizer.Spec{Optimizer: e.settings.Optimizer, Elements: e.params.elements, Copy: e.act}
	if e.scales() {
		spec.Scaling = optimizer.Float16Scaling()
	}
	e.optimizer = optimizer.New(&e.set, spec)
}

// totalBytes is the memory of the plan, the driver's own included.
func (e *Engine) totalBytes() int64 { return e.memory.size + e.options.ContextBytes }

// flops is the arithmetic of a token: forward, and backward where the run trains.
func (e *Engine) flops() float64 {
	total := 0.0
	for _, n := range e.g.Nodes {
		switch o := n.Op.(type) {
		case *graph.Linear:
			w := e.g.Params[o.Weight]
			passes := 1.0
			if e.phases.Train {
				passes++
				if w.Trainable {
					passes++
				}
			}
			total += 2 * float64(w.Elements()) * passes
			if o.Adapter != nil {
				total += 2 * float64(o.Adapter.Rank*(w.Shape[0]+w.Shape[1])) * 3
			}
		case *graph.Attention:
			total += 2 * float64(o.Heads*(o.KeyWidth+o.ValueWidth)*e.settings.MaxLength) / 2 * 3
		}
	}
	return total
}

// Plan is what Bind answers.
func (e *Engine) Plan(previous []byte) (*kernels.Plan, error) {
	b := bound{
		Format: 1, Recompute: e.layout.recompute, Precision: e.act.String(), Held: e.held.String(),
		Tokens: e.layout.tokens, Device: e.options.Device.Name,
	}
	data, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	p := &kernels.Plan{
		Device: e.options.Device, MicroBatchTokens: e.layout.tokens, FLOPsPerToken: e.flops(), Bound: data,
		Memory: append([]kernels.MemoryItem{}, e.memory.items...), Choices: e.choices(),
	}
	if e.options.ContextBytes > 0 {
		p.Memory = append(p.Memory, kernels.MemoryItem{Category: "context", Bytes: e.options.ContextBytes})
	}
	var old bound
	p.SameAsPrevious = previous == nil || json.Unmarshal(previous, &old) == nil && old == b
	return p, nil
}

func (e *Engine) choices() []kernels.Choice {
	out := []kernels.Choice{{
		What: fmt.Sprintf("micro-batches of up to %d tokens", e.layout.tokens),
		Why:  "enough to keep the GPU busy, and no less than max_length",
	}}
	if e.layout.recompute == RecomputeLayers {
		out = append(out, kernels.Choice{
			What: "activations within a layer are computed again in the backward pass", Why: "recompute = " + e.options.Recompute,
		})
	}
	if e.settings.WeightType == "" || e.settings.WeightType == "auto" {
		out = append(out, kernels.Choice{What: "frozen weights are held as " + e.held.String(), Why: "as activations are"})
	}
	return out
}
