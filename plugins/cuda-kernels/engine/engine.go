package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/loss"
	"github.com/honeml/hone/plugins/cuda-kernels/optimizer"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/kernels"
)

// An Engine is a Graph bound to a GPU. Its methods are called from one goroutine at
// a time.
type Engine struct {
	g        *graph.Graph
	settings kernels.Settings
	options  Options
	phases   kernels.Phases

	act      device.Type // of activations
	held     device.Type // of frozen matrices
	matrices []bool      // by parameter: whether it is one
	starts   []bool      // by parameter: whether an adapter began with it

	set    device.Set
	nodes  []node   // by index of the Graph's nodes
	groups []*group // of linears of one input, in the order of the Graph
	doras  []*dora  // of linears with magnitudes
	head   *logitsHead
	keys   []string // modules whose dropout has a key, by index
	loss   *loss.CrossEntropy

	linksRows bool // an embedding is trained, whose gradient goes by rows with the same id

	optimizer  *optimizer.Optimizer
	constants  constants
	cacheSlots []cacheSlot

	layout      layout
	schedule    *diff.Schedule // of the trunk, with everything kept; nil without training below the head
	scheduled   *diff.Schedule // as the layout has it
	memory      arena
	params      parameters
	training    *program // nil without the train phase
	scoring     *program // the forward pass alone
	activations span
	scratchSpan span
	groupSpan   span // what a group's linears leave for its first in the backward pass
	batchSpan   span
	keySpan     span
	cacheSpan   span
	viewSpan    span // of the cache, for a batch of generation
	lossSpan    span // float32 [rows]
	resultSpan  span
	products    products

	optimizerSpan span

	gpu     *device.GPU
	q       *device.Queue
	arena   device.Pointer // 0 before Load
	staging *staging
	mover   *mover

	recordings recordings
	results    *results
	clock      *clock                // nil unless Options.Profile
	tally      *tally                // nil unless Options.Ceilings
	ceilings   *ceilings             // nil until they were measured
	copier     *rows.Scale           // of activations; nil unless Options.Ceilings
	watch      func(n node, c *call) // for tests: sees what each node made in a forward pass
	normsTaken bool                  // of the doras, for the parameters as they are
	stepped    bool                  // a step was done, so there are gradients
	weight     float64               // of the last step: what its gradients are divided by
}

// Options are the plugin's own settings, and what is known of the GPU.
type Options struct {
	Recompute    string // RecomputeAuto, RecomputeNone or RecomputeLayers
	MicroBatch   int    // tokens; 0: chosen
	MemoryBytes  int64  // the most to take; 0: no limit
	ContextBytes int64  // what the driver takes beside the arena
	Eager        bool   // kernels are launched one by one, never as recorded graphs
	Profile      bool   // steps report the time of each family of kernels, and run one by one
	Ceilings     bool   // the last step of training reports what the GPU reaches at its shapes
	Offload      bool   // values may be moved to the host's memory
	Rates        Rates  // of the GPU; zero: those of a usual one
	SharedBytes  int    // shared memory that a block may have; 0: what all GPUs have
	Arch         string // the GPU's, of device.GPU.Arch; "": kernels that run on each
	Processors   int    // multiprocessors
	Library      bool   // for tests: matrix products are cuBLASLt's alone
	Device       kernels.Device
}

// What is computed again in the backward pass.
const (
	RecomputeAuto   = "auto"   // as much as the memory asks for, value by value
	RecomputeNone   = "none"   // everything that the backward pass reads is kept
	RecomputeLayers = "layers" // only what crosses from layer to layer is kept
)

// precisions are the types of activations by the name that a run file gives them.
var precisions = map[string]device.Type{
	"": device.BFloat16, "bf16": device.BFloat16, "fp16": device.Float16, "fp32": device.Float32,
}

// Bind plans a Graph and lays its memory out. It touches no GPU.
func Bind(req *kernels.BindRequest, o Options) (*Engine, error) {
	if o.Rates == (Rates{}) {
		o.Rates = usualRates
	}
	e := &Engine{g: req.Graph, settings: req.Settings, options: o, phases: req.Phases, matrices: matricesOf(req.Graph), starts: startsOf(req.Graph)}
	if err := e.check(); err != nil {
		return nil, err
	}
	if o.Ceilings {
		e.tally = newTally(e.g)
		e.copier = rows.NewScale(&e.set, e.act, e.act)
	}
	var full *diff.Schedule
	if e.phases.Train {
		var err error
		if full, err = diff.Differentiate(e.g, diff.Options{Adapter: e.settings.Adapter}); err != nil {
			return nil, fault.New(fault.BadInput, "%w", err)
		}
	}
	if err := e.makeNodes(full); err != nil {
		return nil, err
	}
	e.head = e.findHead(e.nodes)
	if full != nil {
		e.join(full.BackwardSteps())
	}
	e.loss = loss.New(&e.set, loss.Spec{Vocab: e.g.Vocabulary(), Type: e.typeOf(e.g.Logits), Shared: o.SharedBytes})
	if err := e.plan(full); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Engine) check() error {
	s := e.settings
	if s.MaxLength < 1 {
		return fault.New(fault.BadInput, "a longest document of %d tokens", s.MaxLength)
	}
	var ok bool
	if e.act, ok = precisions[s.Precision]; !ok {
		return fault.New(fault.Unsupported, "precision %q: this backend computes in bf16, fp16 and fp32", s.Precision)
	}
	e.held = e.act
	if s.WeightType != "" && s.WeightType != "auto" {
		held, err := device.ParseType(s.WeightType)
		if err != nil {
			return fault.New(fault.Unsupported, "weights of type %q: this backend holds float32, bfloat16 and float16", s.WeightType)
		}
		e.held = held
	}
	for _, n := range e.g.Nodes {
		if a := graph.AdapterOf(n.Op); a != nil && a.Magnitude != graph.NoParam && a.Rank > rows.MostDoRARank {
			return fault.New(fault.Unsupported, "node %q: cuda-kernels runs adapters with DoRA up to a rank of %d, this one has %d", n.Name, rows.MostDoRARank, a.Rank).
				WithHint("take a smaller rank, or leave dora out of the adapter block")
		}
	}
	return nil
}

// makeNodes makes the node of each operation of the Graph.
func (e *Engine) makeNodes(full *diff.Schedule) error {
	steps := make([]*diff.Step, len(e.g.Nodes))
	if full != nil {
		steps = full.BackwardSteps()
	}
	e.nodes = make([]node, len(e.g.Nodes))
	for i, n := range e.g.Nodes {
		made, err := e.newNode(n, steps[i])
		if err != nil {
			return err
		}
		e.nodes[i] = made
	}
	return nil
}

// addKey gives a module's dropout a place among the keys of a step.
func (e *Engine) addKey(module string) int {
	e.keys = append(e.keys, module)
	return len(e.keys) - 1
}

// keyAt is where the GPU finds a key.
func (e *Engine) keyAt(i int) device.Pointer { return e.at(e.keySpan).Offset(int64(i) * 8) }

func (e *Engine) loaded() error {
	if e.arena == 0 {
		return fault.New(fault.OutOfOrder, "Load has to come first")
	}
	return nil
}

// do runs f on the GPU's thread and answers what f or the queue came to.
func (e *Engine) do(f func() error) error { return e.doFor(cuda.Patience, f) }

// patience is how long so many tokens of training may take, the step before them included:
// many times what is reckoned.
func (e *Engine) patience(tokens int64) time.Duration {
	return cuda.Patience + time.Duration(40*e.layout.seconds*float64(tokens)*float64(time.Second))
}

// doFor is do for what may take so long.
func (e *Engine) doFor(patience time.Duration, f func() error) error {
	err := e.gpu.DoFor(patience, func() error {
		err := f()
		if failed := e.q.Err(); failed != nil {
			return failed
		}
		return err
	})
	if errors.Is(err, cuda.ErrHung) && e.q != nil {
		return fmt.Errorf("%w (launched last: %s)", err, e.q.Latest())
	}
	return err
}

// Close gives the memory back that Load took. The GPU stays open.
func (e *Engine) Close() error {
	if e.gpu == nil {
		return nil
	}
	return e.gpu.Do(func() error {
		if e.arena == 0 {
			return nil
		}
		arena := e.arena
		e.arena = 0
		return errors.Join(e.q.Wait(), e.recordings.close(), e.mover.close(), e.gpu.Free(arena))
	})
}
