// Package kernels is what the author of a kernels plugin implements: a Graph,
// weight files and batches become a loss and adapters, on whatever hardware the
// plugin is for.
//
//	func main() { kernels.Serve(new(backend)) }
//
// The passes that a backend needs stand under sdk/graph; readers of weight files
// in sdk/weights; the names under which adapters are saved in [SavedTensors].
package kernels

import (
	"context"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/graph"
)

// A Backend runs one bound Graph in one process.
//
// Life, in order. The host makes one call at a time but for Close, and calls
// that come out of order are answered fault.OutOfOrder:
//
//  1. Describe and Estimate, at any time. Neither touches a device or a weights
//     file; both are instant.
//  2. Bind, once: asks the device, differentiates and lays out memory for the
//     phases that the run will go through. What it answers is the truth: a run
//     that starts does not run out of memory later. It may refuse, before any
//     weight is read.
//  3. Load, once: reads weights into the bound plan, or draws them, and a PEFT
//     adapter to start from, or draws a fresh one.
//  4. Restore, at most once: takes adapters, optimizer and random state from a
//     checkpoint that Save wrote.
//  5. Train, Score, Generate, Save and ReadTensor, in any order and number, as
//     far as Bind's phases allow.
//  6. Close. After it, and after a call that answered fault.DeviceLost, only the
//     end of the process follows.
//
// A cancelled context ends a call at the next step or token; a step that was
// begun is finished or has no effect.
type Backend interface {
	Describe(ctx context.Context) (*Description, error)
	Estimate(ctx context.Context, req *BindRequest) (*Plan, error)
	Bind(ctx context.Context, req *BindRequest) (*Plan, error)
	Load(ctx context.Context, req *LoadRequest, progress func(done, total int64)) error
	Restore(ctx context.Context, directory string) (*Restored, error)

	// Train takes optimizer steps from next until it answers io.EOF, and reports
	// each in order. next may be called again before report, so that a device
	// never waits for the host; the host has at most two steps outstanding. An
	// error of next or report is returned as it is.
	Train(ctx context.Context, next func() (*Step, error), report func(*StepResult) error) error

	// Score gives, for each token of each batch, the log-probability of that
	// token after those before it; 0 at a document's first token. Dropout is off.
	Score(ctx context.Context, req *ScoreRequest, emit func(logProbs []float32) error) error

	// Generate continues each prompt and emits tokens as they come; the tokens of
	// one sequence in order.
	Generate(ctx context.Context, req *GenerateRequest, emit func(Token) error) error

	// Save writes files into an existing, empty directory and returns their
	// names. It need not sync them: the host does, and renames the directory.
	Save(ctx context.Context, req *SaveRequest) (files []string, err error)

	// ReadTensor gives a trainable parameter, or what belongs to it, in float32,
	// in parts of any size, and its shape.
	ReadTensor(ctx context.Context, req *ReadTensorRequest, emit func([]float32) error) (shape []int, err error)

	Close(ctx context.Context) error
}

// A Description is what a kernels plugin says of itself.
type Description struct {
	Name          string // the plugin's, such as cpu
	Version       string // semantic version of the plugin
	Schema        config.Schema
	Ops           []string // operations of the Graph: graph.OpNames
	Adapters      []string // "lora", "lora_bias", "dora", "pissa", "full" (parameters of the model itself), TokenRows
	Precisions    []string // what activations may be: "bf16", "fp16", "fp32"
	WeightTypes   []string // how frozen weights may be held: "auto", "float32", "bfloat16", "float16"
	Quantizations []string // of frozen weights, at load: "nf4", …
	Objectives    []string // CrossEntropy, …
	Capabilities  []string // optional parts of the protocol that it has
}

// TokenRows is what a Description's Adapters have where a plugin runs and trains rows of
// tokens that an adapter has of its own: see graph.TokenRows.
const TokenRows = "token_rows"

// ExpertBalance is what a Description's Capabilities have where a plugin trains with the
// balancing losses of routes: see graph.Route. One that does not refuses a Graph that has
// them, as fault.Unsupported.
const ExpertBalance = "expert_balance"

// AuxLoss is the metric of a step under which a plugin reports the balancing losses of a
// Graph that has them: those of all routes and documents, as they are added to the
// objective, divided by StepResult.Weight. StepResult.Loss is without them.
const AuxLoss = "train/aux_loss"

// The objectives.
const (
	// CrossEntropy is −Σ weight[t]·log p(id[t] | tokens before t in its
	// document), a sum over the step, never a mean.
	CrossEntropy = "cross_entropy"
)

// A BindRequest asks for a plan.
type BindRequest struct {
	Graph    *graph.Graph
	Settings Settings
	Limits   Limits
	Phases   Phases
	// Previous is Plan.Bound of the checkpoint that will be restored, or nil. A
	// backend that can, binds to that plan, so that losses go on to the bit.
	Previous []byte
}

// Settings are what a run asks for. What changes the mathematics stands here; the
// plugin's own block is Config.
type Settings struct {
	Adapter       string // the adapter that is trained; "" for none
	Seed          uint64 // of initialisation and dropout
	Precision     string // what activations are computed in
	WeightType    string // how frozen weights are held; "auto" is the backend's choice
	StoredType    string // what most of the checkpoint's weights are: "bfloat16", "q4_1", …
	MaxLength     int    // the longest document, in tokens
	TokensPerStep int    // an upper bound on a step's tokens, for estimates
	Optimizer     Optimizer
	Config        map[string]any // for config.Decode
}

// An Optimizer is AdamW (Loshchilov and Hutter, 2019), after clipping of the
// global norm. With g the gradient of the mean loss, t the step from 1:
//
//	g ← g · min(1, MaxGradNorm/(‖g‖ + 1e-6))    if MaxGradNorm > 0
//	m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²
//	θ ← θ − η·WeightDecay·θ − η · (m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + Epsilon)
type Optimizer struct {
	Beta1, Beta2 float64
	Epsilon      float64
	WeightDecay  float64
	MaxGradNorm  float64 // 0: no clipping
}

// Limits bound what a plan may take.
type Limits struct {
	MemoryBytes int64  // 0: what the device has
	Device      string // for Estimate: a device that is not here, such as "H100"
}

// Phases are what a run will do; the plan has room for each.
type Phases struct {
	Train             bool
	Score             bool
	GenerateSequences int // at once; 0: no generation
	GenerateLength    int // prompt and continuation together, in tokens
}

// A Plan is what a run will take.
type Plan struct {
	Device Device
	// MicroBatchTokens is the most tokens that a micro-batch may have; the host
	// packs documents up to it. At least Settings.MaxLength.
	MicroBatchTokens int
	Memory           []MemoryItem // by category; their sum is the peak
	Choices          []Choice     // what is kept, recomputed, moved, and why
	FLOPsPerToken    float64      // forward and backward
	SecondsPerStep   float64      // an estimate; 0: none
	Notes            []string     // where the plan differs from what was asked
	// Bound is the plan in the backend's own form, kept in checkpoints.
	Bound []byte
	// SameAsPrevious says that BindRequest.Previous was met exactly.
	SameAsPrevious bool
}

// TotalBytes is the peak memory of the plan.
func (p *Plan) TotalBytes() int64 {
	var sum int64
	for _, m := range p.Memory {
		sum += m.Bytes
	}
	return sum
}

// A Device is what a plan is for.
type Device struct {
	Kind        string // "cpu", "cuda"
	Name        string // as its maker calls it
	ID          string // UUID, where it has one
	MemoryBytes int64
	Driver      string
}

// A MemoryItem is memory of one category: "weights", "adapters", "gradients",
// "optimizer", "activations", "workspace", "cache", "context".
type MemoryItem struct {
	Category string
	Bytes    int64
}

// A Choice is a decision of the plan, with its price.
type Choice struct {
	What    string  // such as "mlp.gate and mlp.up recomputed"
	Why     string  // such as "the limit is 24 GiB"
	Bytes   int64   // saved
	Seconds float64 // a step, spent
}

// A LoadRequest says what parameters begin with. Package initial reads it for every
// backend.
type LoadRequest struct {
	Checkpoint []string // paths for weights.Open; none where Random is set
	// Random has the parameters drawn that a checkpoint would hold; nil: they are read.
	Random *RandomWeights
	// Adapter is a folder with the files of SavedTensors to start from, such as a
	// PEFT adapter's; "": a fresh one.
	Adapter string
}

// RandomWeights stand in for a checkpoint where only the model's shape matters, as
// in a benchmark. Matrices are drawn from N(0, StdDev²); vectors are what a model has
// before training: weights of norms multiply by 1, biases are 0. The draws depend on the
// seed and the parameter's name alone; package initial defines them.
type RandomWeights struct {
	Seed   uint64
	StdDev float64
}

// Restored says how exactly a checkpoint was taken.
type Restored struct {
	Exact bool     // the run goes on to the bit
	Notes []string // what differs, if not
}

// A Step is one whole optimizer step.
type Step struct {
	Number       int64 // from 1; counters of dropout and Adam go by it
	LearningRate float64
	Objective    string
	Batches      []*graph.Batch // micro-batches; the backend chooses their order
}

// A StepResult is what a step came to.
type StepResult struct {
	Number   int64
	Loss     float64 // the objective, summed over the step's tokens, without balancing losses
	Weight   float64 // the sum of their weights; Loss/Weight is the mean
	GradNorm float64 // of the mean loss's gradient, before clipping
	// Skipped: the loss scale overflowed; nothing was updated, and the run goes on.
	Skipped bool
	// NotFinite: the loss or the gradient is not finite; nothing was updated.
	NotFinite   bool
	Tokens      int64
	Seconds     float64
	BatchLosses []float64 // Loss by micro-batch, in the order of Step.Batches
	// Metrics are numbers by the name that they are logged under, AuxLoss among them. Some
	// have a meaning for the host: memory/peak_bytes; time/F, the seconds that a family F
	// of kernels took; and of the ceilings of a device, ceiling/time/F, the seconds that F
	// would take at them, ceiling/flops/P, the operations a second of a product P, and
	// ceiling/bytes, those that copies read and write in a second.
	Metrics map[string]float64
}

// A ScoreRequest asks for log-probabilities.
type ScoreRequest struct {
	Adapter string // "": the model without an adapter
	Batches []*graph.Batch
}

// A GenerateRequest asks for continuations.
type GenerateRequest struct {
	Adapter     string
	Prompts     [][]int32
	MaxTokens   int     // new tokens for each prompt
	Temperature float64 // 0: the most probable token, ties to the lower id
	TopK        int     // 0: all
	TopP        float64 // 0 or 1: all
	Seed        uint64
	Stop        []int32 // a sequence ends after one of these
}

// A Token is one generated token.
type Token struct {
	Sequence int // index of the prompt
	ID       int32
	LogProb  float32 // under the model, before temperature
	Finish   string  // "" to go on, FinishStop or FinishLength at the last
}

// Why a sequence ended.
const (
	FinishStop   = "stop"
	FinishLength = "length"
)

// A SaveRequest asks for files in Directory.
type SaveRequest struct {
	Directory string
	// WeightsOnly leaves out what only a resumed run needs: the optimizer, the
	// random state and the plan.
	WeightsOnly bool
}

// A ReadTensorRequest names a trainable parameter.
type ReadTensorRequest struct {
	Name string // graph.Param.Name
	Kind TensorKind
}

// A TensorKind says what of a parameter is read.
type TensorKind string

// What can be read.
const (
	TensorValue    TensorKind = "value"    // the parameter in float32
	TensorGradient TensorKind = "gradient" // of the last step's mean loss, before clipping
)
