package engine

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/honeml/hone/plugins/cuda-kernels/optimizer"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/recompute"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/facts"
)

// A layout is what Bind decided.
type layout struct {
	tokens    int    // the most of a micro-batch
	recompute string // RecomputeNone, RecomputeLayers or, with measures, RecomputeAuto
	measures  []measure
	schedule  *diff.Schedule // the trunk's, with the measures; nil without any
	seconds   float64        // a token, by estimate
}

// bound is the plan as checkpoints hold it: what decides the bits of a run. What is
// computed again or moved does not.
type bound struct {
	Format    int    `json:"format"`
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
	var best *layout
	least := int64(math.MaxInt64)
	for _, tokens := range e.tokenChoices() {
		found, err := e.layoutOf(full, tokens)
		if err != nil {
			return err
		}
		least = min(least, e.totalBytes())
		if !e.fits() {
			continue
		}
		// Fewer tokens at a time are worth it only where they are faster by more than
		// the estimate's error.
		if best == nil || found.seconds < 0.97*best.seconds {
			best = found
		}
		if len(found.measures) == 0 {
			break // smaller ones only take longer
		}
	}
	if best != nil {
		return e.layOut(full, *best)
	}
	err := fault.New(fault.LimitTooSmall, "the run needs %s of the GPU's memory at least, the limit is %s", bytesText(least), bytesText(e.options.MemoryBytes))
	err.NeedBytes = least
	return err.WithHint("set memory_limit to %s or more, or a smaller max_length", bytesText(least))
}

// fits reports whether what is laid out is within the limit.
func (e *Engine) fits() bool {
	return e.options.MemoryBytes == 0 || e.totalBytes() <= e.options.MemoryBytes
}

// tokenChoices are the sizes of micro-batches to try, the largest first.
func (e *Engine) tokenChoices() []int {
	// Prompts are run whole, and a token of every sequence at once.
	least := max(e.settings.MaxLength, e.phases.GenerateLength, e.phases.GenerateSequences)
	if e.options.MicroBatch > 0 {
		return []int{max(e.options.MicroBatch, least)}
	}
	tokens := usualTokens
	if t := e.settings.TokensPerStep; t > 0 {
		tokens = min(tokens, t)
	}
	tokens = max(tokens, least)
	out := []int{tokens}
	for least = max(least, min(leastTokens, tokens)); tokens > least; {
		tokens = max(least, tokens/2)
		out = append(out, tokens)
	}
	return out
}

// layoutOf lays out micro-batches of so many tokens, with as few measures as the limit
// allows.
func (e *Engine) layoutOf(full *diff.Schedule, tokens int) (*layout, error) {
	l := layout{tokens: tokens, recompute: e.options.Recompute}
	if l.recompute == RecomputeAuto || l.recompute == "" || full == nil {
		l.recompute = RecomputeNone
	}
	if err := e.layOut(full, l); err != nil {
		return nil, err
	}
	l.seconds = e.secondsPerToken()
	if e.fits() || e.schedule == nil || e.options.Recompute != RecomputeAuto {
		return &l, nil
	}
	l.recompute = RecomputeAuto
	x := e.newSelection(e.schedule, bucket(tokens))
	rest := e.totalBytes() - e.activations.bytes
	n, ok := x.fit(e.options.MemoryBytes - rest)
	// A layout takes a little more than the peak that fit goes by.
	for step := max(1, len(x.measures)/64); ; n = min(n+step, len(x.measures)) {
		l.measures, l.schedule = x.measures[:n], x.taken(n)
		if err := e.layOut(full, l); err != nil {
			return nil, err
		}
		if !ok || e.fits() || n == len(x.measures) {
			l.seconds = e.secondsPerToken()
			return &l, nil
		}
	}
}

// secondsPerToken estimates the time that a token of a full micro-batch takes.
func (e *Engine) secondsPerToken() float64 {
	k := costs{e, bucket(e.layout.tokens)}
	return (k.loss() + k.schedule(e.scheduled)) / float64(e.layout.tokens)
}

// layOut makes the programs for a layout and lays out all memory.
func (e *Engine) layOut(full *diff.Schedule, l layout) error {
	e.layout = l
	rows := bucket(l.tokens)
	e.memory = arena{}
	e.params = e.layOutParameters(&e.memory)
	e.constants.layOut(&e.memory)
	e.layOutDoRA(&e.memory)
	e.makeOptimizer()
	options := diff.Options{Adapter: e.settings.Adapter}
	trunk := e.head.Trunk
	forward := diff.ForwardOnly(trunk, options)
	e.training, e.scoring, e.schedule, e.scheduled = nil, e.bind(forward, rows), nil, forward
	size := e.scoring.size
	if full != nil {
		s, err := diff.Differentiate(trunk, options)
		if err != nil {
			s = forward // nothing below the head is trained
		} else {
			s.Keeps = e.keeps()
			s.Join(e.trunkGroups())
			e.readsOutput(s)
			e.schedule = s
		}
		e.scheduled = e.keepLess(s)
		e.training = e.bind(e.scheduled, rows)
		size = max(size, e.training.size)
	}
	e.activations = e.memory.take("activations", size)
	e.layOutWorkspaces(rows)
	return nil
}

// keeps says which nodes of the trunk keep something for their backward step.
func (e *Engine) keeps() []bool {
	out := make([]bool, len(e.head.TrunkNodes))
	for i, n := range e.head.TrunkNodes {
		out[i] = e.nodes[n].keptBytes(1) > 0
	}
	return out
}

// keepLess is the schedule with what the layout computes again or moves.
func (e *Engine) keepLess(s *diff.Schedule) *diff.Schedule {
	switch {
	case e.schedule == nil:
		return s
	case e.layout.recompute == RecomputeLayers:
		return recompute.Plan(s, recompute.Layers(s.Graph))
	case e.layout.schedule != nil:
		return e.layout.schedule
	}
	return s
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
	for _, d := range e.doras {
		most = max(most, d.normBytes())
	}
	e.scratchSpan = a.take("workspace", most)
	e.groupSpan = a.take("workspace", e.groupBytes(rows))
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

// Plan is what Bind answers.
func (e *Engine) Plan(previous []byte) (*kernels.Plan, error) {
	b := e.bound()
	data, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	p := &kernels.Plan{
		Device: e.options.Device, MicroBatchTokens: e.layout.tokens, FLOPsPerToken: facts.FLOPsPerToken(e.g, e.phases, e.settings.MaxLength), Bound: data,
		Memory: append([]kernels.MemoryItem{}, e.memory.items...), Choices: e.choices(),
		SecondsPerStep: e.layout.seconds * float64(e.settings.TokensPerStep),
	}
	if e.options.ContextBytes > 0 {
		p.Memory = append(p.Memory, kernels.MemoryItem{Category: "context", Bytes: e.options.ContextBytes})
	}
	var old bound
	p.SameAsPrevious = previous == nil || json.Unmarshal(previous, &old) == nil && old == b
	return p, nil
}

func (e *Engine) bound() bound {
	return bound{
		Format: 2, Precision: e.act.String(), Held: e.held.String(), Tokens: e.layout.tokens, Device: e.options.Device.Name,
	}
}

// PreviousTokens is the size of micro-batches of a plan that Plan gave; 0 where it is
// none.
func PreviousTokens(plan []byte) int {
	var b bound
	if json.Unmarshal(plan, &b) != nil || b.Tokens < 0 {
		return 0
	}
	return b.Tokens
}
