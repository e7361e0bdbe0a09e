// Package refbackend is a kernels backend over the float64 interpreter of package
// interp: correct, complete for all that the interpreter runs, and slow. It is for
// tests: of the host, which then need no real backend, and of package plugintest, whose
// rules it keeps; and for reading, by authors of backends. It trains nothing larger
// than a toy.
//
//	func main() { kernels.Serve(refbackend.New()) }
//
// What is trained, and the optimizer's state, are float32 between steps, so that
// what Save writes is what goes on.
package refbackend

import (
	"context"
	"errors"
	"io"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/kernels"
)

// A Backend is a kernels backend. It is not safe for concurrent calls, but for
// Close.
type Backend struct {
	req      *kernels.BindRequest // nil: not bound
	schedule *diff.Schedule       // nil: the plan has no train phase
	params   [][]float64          // by parameter; nil: not loaded

	first, second [][]float64 // the optimizer's moments, by trainable parameter
	updates       int64       // done so far
	gradients     map[graph.ParamID][]float64
	weight        float64 // of the last step, 0: there was none
	restored      bool
	begun         bool // a step was done
	closed        bool
	rounded       bool
}

// New is a backend in its first state.
func New() *Backend { return new(Backend) }

// NewRounded is a backend that rounds weights, and the result of each operation
// forward and backward, as one would that computes in the run's precision: how far its
// numbers are from New's is what the precision costs.
func NewRounded() *Backend { return &Backend{rounded: true} }

// Describe says what the backend can do.
func (*Backend) Describe(context.Context) (*kernels.Description, error) {
	return &kernels.Description{
		Name: "reference", Version: "1.0.0", Ops: graph.OpNames(), Adapters: []string{"lora", "lora_bias", "dora", "pissa", "full", kernels.TokenRows},
		Precisions: []string{"fp32"}, WeightTypes: []string{"auto", "float32"}, Objectives: []string{kernels.CrossEntropy},
		Capabilities: []string{kernels.ExpertBalance},
		Schema: config.Schema{Attributes: []config.Attribute{{
			Name: "micro_batch_tokens", Type: config.Of(config.Int), Default: 0.0,
			Doc: "The most tokens of a micro-batch; 0 is as many as the longest document has.",
		}}},
	}, nil
}

// state reports a call that comes too early.
func (b *Backend) state(loaded bool) error {
	switch {
	case b.closed:
		return fault.New(fault.OutOfOrder, "the backend is closed")
	case b.req == nil:
		return fault.New(fault.OutOfOrder, "Bind has to come first")
	case loaded && b.params == nil:
		return fault.New(fault.OutOfOrder, "Load has to come first")
	}
	return nil
}

// adapterKnown reports an adapter that the Graph does not have.
func (b *Backend) adapterKnown(name string) error {
	if name == "" {
		return nil
	}
	for _, p := range b.req.Graph.Params {
		if p.Adapter == name {
			return nil
		}
	}
	return fault.New(fault.BadInput, "the graph has no adapter %q", name)
}

// batchFits reports a micro-batch that is none, or too large for the plan.
func (b *Backend) batchFits(batch *graph.Batch) error {
	limit := batchLimit(b.req)
	if batch.Tokens() > limit {
		return fault.New(fault.BadInput, "a micro-batch of %d tokens; the plan has room for %d", batch.Tokens(), limit)
	}
	if err := batch.Validate(b.req.Graph.IDs()); err != nil {
		return fault.New(fault.BadInput, "%w", err)
	}
	return nil
}

// Train does the steps that next gives, one after the other.
func (b *Backend) Train(ctx context.Context, next func() (*kernels.Step, error), report func(*kernels.StepResult) error) error {
	if err := b.state(true); err != nil {
		return err
	}
	if b.schedule == nil {
		return fault.New(fault.OutOfOrder, "the plan has no train phase")
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		step, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		result, err := b.step(ctx, step)
		if err != nil {
			return err
		}
		if err := report(result); err != nil {
			return err
		}
	}
}

// ReadTensor is a trainable parameter, or the gradient of the last step's mean loss
// by it.
func (b *Backend) ReadTensor(_ context.Context, req *kernels.ReadTensorRequest, emit func([]float32) error) ([]int, error) {
	if err := b.state(true); err != nil {
		return nil, err
	}
	for _, p := range b.req.Graph.Trainable() {
		if p.Name != req.Name {
			continue
		}
		values := b.params[p.ID]
		switch req.Kind {
		case kernels.TensorValue:
		case kernels.TensorGradient:
			if b.weight == 0 {
				return nil, fault.New(fault.OutOfOrder, "no step was done, so there is no gradient")
			}
			values = b.gradientOfMean(p)
		default:
			return nil, fault.New(fault.BadInput, "there is no %q of a parameter", req.Kind)
		}
		return p.Shape, emit(narrow(values))
	}
	return nil, fault.New(fault.BadInput, "no trainable parameter is called %q", req.Name)
}

// Close forgets everything.
func (b *Backend) Close(context.Context) error {
	*b = Backend{closed: true}
	return nil
}

func narrow(values []float64) []float32 {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(v)
	}
	return out
}

func widen(values []float32) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}

// Interface guard.
var _ kernels.Backend = (*Backend)(nil)
