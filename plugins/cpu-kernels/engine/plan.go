package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/recompute"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/facts"
)

// A layout is what Bind decided.
type layout struct {
	tokens       int    // the most of a micro-batch
	recompute    string // RecomputeNone or RecomputeLayers
	held         string // how frozen matrices are held
	memory       []kernels.MemoryItem
	flops        float64 // a token, forward and backward
	cacheTokens  int     // of all sequences together
	scratchBytes int64
}

// bound is the plan as checkpoints hold it: what decides the bits of a run.
type bound struct {
	Format    int    `json:"format"`
	Recompute string `json:"recompute"`
	Held      string `json:"held"`
	Tokens    int    `json:"tokens"`
	Kernels   string `json:"kernels"` // instruction set of the matrix products
}

// Micro-batches of so many tokens keep the matrix products busy; larger ones only
// take more memory.
const (
	usualTokens = 1024
	leastTokens = 256
)

// plan decides what is kept and how large micro-batches are, and lays out memory.
func (e *Engine) plan(full *diff.Schedule, kernelOf []kernel) error {
	held, err := e.held()
	if err != nil {
		return err
	}
	e.layout = layout{held: held, tokens: e.microBatch(), recompute: e.options.Recompute}
	if e.layout.recompute == RecomputeAuto {
		e.layout.recompute = RecomputeNone
	}
	limit := e.options.MemoryBytes
	if limit == 0 {
		limit = e.options.AvailableMemory
	}
	if err := e.layOut(full, kernelOf); err != nil {
		return err
	}
	if e.options.Recompute == RecomputeAuto && limit > 0 && e.totalBytes() > limit && e.phases.Train {
		e.layout.recompute = RecomputeLayers
		if err := e.layOut(full, kernelOf); err != nil {
			return err
		}
	}
	for limit > 0 && e.totalBytes() > limit && e.options.MicroBatch == 0 && e.layout.tokens > max(leastTokens, e.settings.MaxLength) {
		e.layout.tokens = max(leastTokens, e.settings.MaxLength, e.layout.tokens/2)
		if err := e.layOut(full, kernelOf); err != nil {
			return err
		}
	}
	if need := e.totalBytes(); limit > 0 && need > limit {
		err := fault.New(fault.LimitTooSmall, "the run needs %s of memory, the limit is %s", bytesText(need), bytesText(limit))
		err.NeedBytes = need
		return err.WithHint("set memory_limit to %s or more, or a smaller max_length", bytesText(need))
	}
	return nil
}

// bytesText is a size, rounded up, so that a limit of that text is enough.
func bytesText(n int64) string {
	for _, u := range []struct {
		name  string
		bytes float64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}} {
		if float64(n) >= u.bytes {
			return fmt.Sprintf("%.2f %s", math.Ceil(100*float64(n)/u.bytes)/100, u.name)
		}
	}
	return fmt.Sprintf("%.0f KiB", math.Ceil(float64(n)/(1<<10)))
}

// held is the type in which matrices of frozen weights are held.
func (e *Engine) held() (string, error) {
	natural := heldFloat32
	if s := e.settings.StoredType; s == heldBFloat16 || s == heldFloat16 {
		natural = s
	}
	return parseHeld(e.settings.WeightType, natural)
}

// heldAs is the type in which a parameter is held.
func (e *Engine) heldAs(p *graph.Param) string {
	if p.Trainable || p.Adapter != "" || len(p.Shape) == 1 || p.Role == graph.RoleConv {
		return heldFloat32
	}
	return e.layout.held
}

func (e *Engine) microBatch() int {
	if e.options.MicroBatch > 0 {
		return max(e.options.MicroBatch, e.settings.MaxLength)
	}
	tokens := usualTokens
	if t := e.settings.TokensPerStep; t > 0 {
		tokens = min(tokens, t)
	}
	return max(tokens, e.settings.MaxLength)
}

// layOut makes the programs for the present layout.
func (e *Engine) layOut(full *diff.Schedule, kernelOf []kernel) error {
	trunk, trunkKernels := e.g, kernelOf
	if e.head != nil {
		trunk = e.head.Trunk
		trunkKernels = make([]kernel, len(e.head.TrunkNodes))
		for i, n := range e.head.TrunkNodes {
			trunkKernels[i] = kernelOf[n]
		}
	}
	options := diff.Options{Adapter: e.settings.Adapter}
	forward := diff.ForwardOnly(trunk, options)
	e.training, e.scoring = nil, e.bind(forward, trunkKernels, e.layout.tokens)
	if full != nil {
		s := full
		if e.head != nil {
			var err error
			if s, err = diff.Differentiate(trunk, options); err != nil {
				// Nothing below the head is trained.
				s = forward
			}
		}
		if e.layout.recompute == RecomputeLayers {
			s = recompute.Plan(s, recompute.Layers(trunk))
		}
		e.training = e.bind(s, trunkKernels, e.layout.tokens)
	}
	e.account(kernelOf)
	return nil
}

// account lists the memory that the plan takes.
func (e *Engine) account(kernelOf []kernel) {
	var weights, adapters, trained, optimizer int64
	for _, p := range e.g.Params {
		n := int64(p.Elements())
		switch {
		case p.Adapter != "" && !p.Trainable: // what an adapter began with
			adapters += n * 4
		case !p.Trainable:
			weights += n * heldBytes(e.heldAs(p))
		default:
			adapters += n * 4
			trained += n * 4
			optimizer += n * 8
		}
	}
	activations := e.scoring.size
	if e.training != nil {
		activations = max(activations, e.training.size)
	} else {
		trained, optimizer = 0, 0
	}
	e.layout.cacheTokens = e.phases.GenerateSequences * e.phases.GenerateLength
	e.layout.scratchBytes = e.scratchEstimate() + 4*(e.nodeScratch(kernelOf)+e.normFloats())
	e.layout.flops = facts.FLOPsPerToken(e.g, e.phases, e.settings.MaxLength)
	e.layout.memory = []kernels.MemoryItem{
		{Category: "weights", Bytes: weights}, {Category: "adapters", Bytes: adapters},
		{Category: "gradients", Bytes: trained}, {Category: "optimizer", Bytes: optimizer},
		{Category: "activations", Bytes: activations}, {Category: "workspace", Bytes: e.layout.scratchBytes},
		{Category: "cache", Bytes: e.cacheBytes()},
	}
}

func (e *Engine) totalBytes() int64 {
	return (&kernels.Plan{Memory: e.layout.memory}).TotalBytes()
}

// nodeScratch is the scratch memory of the node that says it takes the most, in
// float32s. It stands beside the head's: what is released is kept for the next call.
func (e *Engine) nodeScratch(kernelOf []kernel) int64 {
	most := int64(0)
	for i, k := range kernelOf {
		s, ok := k.(scratcher)
		switch {
		case !ok:
		case e.head != nil && slices.Contains(e.head.Nodes, i):
			most = max(most, s.scratchFloats(e.head.rowsAtATime()))
		default:
			most = max(most, s.scratchFloats(e.layout.tokens))
		}
	}
	return most
}

// scratchEstimate is the scratch memory of the widest node and of the head.
func (e *Engine) scratchEstimate() int64 {
	widest := 0
	for _, v := range e.g.Values {
		widest = max(widest, v.Width*v.Slots)
	}
	if e.head == nil {
		return int64(e.layout.tokens) * int64(widest) * 4
	}
	rows := int64(e.head.rowsAtATime())
	return rows*int64(e.g.Vocabulary())*4*int64(1+len(e.head.Nodes)) + int64(e.layout.tokens)*int64(e.head.width)*8
}

// Plan is what Bind answers.
func (e *Engine) Plan(previous []byte) (*kernels.Plan, error) {
	b := bound{Format: 1, Recompute: e.layout.recompute, Held: e.layout.held, Tokens: e.layout.tokens, Kernels: e.instructionSet()}
	data, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	p := &kernels.Plan{
		Device:           kernels.Device{Kind: "cpu", Name: fmt.Sprintf("%s with %v, %d threads", runtime.GOARCH, e.product.Level(), e.pool.Threads()), MemoryBytes: e.options.AvailableMemory},
		MicroBatchTokens: e.layout.tokens, Memory: e.layout.memory, FLOPsPerToken: e.layout.flops, Bound: data,
	}
	p.Choices = append(p.Choices, e.choices()...)
	if e.settings.Precision != "" && e.settings.Precision != "fp32" {
		p.Notes = append(p.Notes, fmt.Sprintf("computes in fp32, not %s: cpu-kernels knows no other precision", e.settings.Precision))
	}
	var old bound
	p.SameAsPrevious = previous == nil || json.Unmarshal(previous, &old) == nil && old.sameBits(b)
	return p, nil
}

// sameBits reports whether two plans give the same losses to the bit. What is
// recomputed and how large micro-batches may be changes where sums are cut.
func (b bound) sameBits(o bound) bool { return b == o }

func (e *Engine) choices() []kernels.Choice {
	out := []kernels.Choice{{
		What: fmt.Sprintf("micro-batches of up to %d tokens", e.layout.tokens),
		Why:  "enough to keep the matrix products busy, and no less than max_length",
	}}
	if e.layout.recompute == RecomputeLayers {
		out = append(out, kernels.Choice{
			What: "activations within a layer are computed again in the backward pass",
			Why:  "recompute = " + e.options.Recompute,
		})
	}
	if e.settings.WeightType == "" || e.settings.WeightType == "auto" {
		out = append(out, kernels.Choice{
			What: "frozen weights are held as " + e.layout.held, Why: "dtype = auto: as the checkpoint holds them, quantised ones as float32",
		})
	}
	return out
}
