package engine

import (
	"github.com/honeml/hone/plugins/cpu-kernels/gemm"
	"github.com/honeml/hone/plugins/cpu-kernels/isa"
	"github.com/honeml/hone/plugins/cpu-kernels/workers"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/kernels"
)

// An Engine is a Graph bound to this machine. Its methods are called from one
// goroutine at a time.
type Engine struct {
	g        *graph.Graph
	settings kernels.Settings
	options  Options
	phases   kernels.Phases
	pool     *workers.Pool
	product  *gemm.Multiplier
	each     []*gemm.Multiplier // one for each worker of the pool, for products within its pieces

	params  []*matrix   // by parameter; nil before Load
	vectors [][]float32 // parameters of one dimension, and convolutions' weights, as float32
	grads   [][]float32 // by trainable parameter: sums over a step's tokens
	adam    adamState
	norms   map[*graph.Linear][]float32 // of DoRA, for the parameters as they are

	training *program    // nil without the train phase
	scoring  *program    // the forward pass alone
	head     *logitsHead // nil: the logits are computed whole
	arena    []float32
	free     [][]float32 // scratch memory
	layout   layout
}

// Options are the plugin's own settings.
type Options struct {
	Recompute       string // RecomputeAuto, RecomputeNone or RecomputeLayers
	MicroBatch      int    // tokens; 0: chosen
	MemoryBytes     int64  // 0: no limit
	AvailableMemory int64  // what the machine has
}

// What is computed again in the backward pass.
const (
	RecomputeAuto   = "auto"   // none, or layers where the memory does not suffice
	RecomputeNone   = "none"   // everything that the backward pass reads is kept
	RecomputeLayers = "layers" // only what crosses from layer to layer is kept
)

func unsupportedOp(g *graph.Graph, n *graph.Node) error {
	return fault.New(fault.Unsupported, "node %q of %s: cpu-kernels does not implement the operation %s", n.Name, g.Architecture, n.Op.Name())
}

// Bind plans a Graph and lays its memory out. No weight is read and little
// memory taken before Load.
func Bind(req *kernels.BindRequest, o Options, p *workers.Pool) (*Engine, error) {
	e := &Engine{g: req.Graph, settings: req.Settings, options: o, phases: req.Phases, pool: p}
	if err := e.check(); err != nil {
		return nil, err
	}
	if err := e.multipliers(); err != nil {
		return nil, err
	}
	var full *diff.Schedule
	if e.phases.Train {
		var err error
		if full, err = diff.Differentiate(e.g, diff.Options{Adapter: e.settings.Adapter}); err != nil {
			return nil, fault.New(fault.BadInput, "%w", err)
		}
	}
	kernelOf, err := e.kernels(full)
	if err != nil {
		return nil, err
	}
	e.head = e.findHead(kernelOf)
	if err := e.plan(full, kernelOf); err != nil {
		return nil, err
	}
	return e, nil
}

// multipliers prepares matrix products with the instructions that there are.
func (e *Engine) multipliers() error {
	level, err := isa.Detect()
	if err != nil {
		return fault.New(fault.InvalidConfig, "%w", err)
	}
	if e.product, err = gemm.New(e.pool, level); err != nil {
		return fault.New(fault.Unsupported, "%w", err)
	}
	for range e.pool.Threads() {
		m, err := gemm.New(nil, level)
		if err != nil {
			return fault.New(fault.Unsupported, "%w", err)
		}
		e.each = append(e.each, m)
	}
	return nil
}

func (e *Engine) check() error {
	s := e.settings
	if s.MaxLength < 1 {
		return fault.New(fault.BadInput, "a longest document of %d tokens", s.MaxLength)
	}
	if _, err := parseHeld(s.WeightType, heldFloat32); err != nil {
		return fault.New(fault.Unsupported, "%w", err)
	}
	return nil
}

// kernels makes the kernel of each node.
func (e *Engine) kernels(full *diff.Schedule) ([]kernel, error) {
	steps := make([]*diff.Step, len(e.g.Nodes))
	if full != nil {
		steps = full.BackwardSteps()
	}
	out := make([]kernel, len(e.g.Nodes))
	for i, n := range e.g.Nodes {
		k, err := e.newKernel(n, steps[i])
		if err != nil {
			return nil, err
		}
		out[i] = k
	}
	return out, nil
}

// weight is a parameter as a matrix.
func (e *Engine) weight(id graph.ParamID) *matrix { return e.params[id] }

// vector is a parameter as float32; nil for none.
func (e *Engine) vector(id graph.ParamID) []float32 {
	if id == graph.NoParam {
		return nil
	}
	return e.vectors[id]
}

// gradient is where the gradient of a trainable parameter is summed.
func (e *Engine) gradient(id graph.ParamID) []float32 { return e.grads[id] }

// scratch is memory for the length of a call; its contents are arbitrary.
func (e *Engine) scratch(n int) []float32 {
	best := -1
	for i, s := range e.free {
		if cap(s) >= n && (best < 0 || cap(s) < cap(e.free[best])) {
			best = i
		}
	}
	if best < 0 {
		return make([]float32, n)
	}
	s := e.free[best]
	e.free = append(e.free[:best], e.free[best+1:]...)
	return s[:n]
}

// release gives scratch memory back.
func (e *Engine) release(s []float32) { e.free = append(e.free, s[:cap(s)]) }

func (e *Engine) loaded() error {
	if e.params == nil {
		return fault.New(fault.OutOfOrder, "Load has to come first")
	}
	return nil
}
