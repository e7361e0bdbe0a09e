// Package initial gives a backend the numbers that its parameters begin with, as a
// [kernels.LoadRequest] asks: those of weight files, or drawn ones. Parameters that
// have no Source, which are an adapter's, begin as [Fresh] draws them.
//
// # Drawn numbers
//
// What [kernels.RandomWeights] draws is defined here, so that a seed is the same
// model on every backend. A parameter of two dimensions or more is normal. Its
// element i takes sixteen bits u of Philox4x32-10 (see package dropout): the key is
// dropout's for the seed, step 0 and the parameter's name; the counter is
// (⌊i/8⌋ mod 2³², ⌊i/8⌋ div 2³², 0, 0); of the four outputs the one of index
// ⌊i/2⌋ mod 4 counts, its lower half for an even i and its upper half for an odd
// one. The element is StdDev·Φ⁻¹((u+½)/2¹⁶), with Φ⁻¹ the quantiles of the
// standard normal distribution: a deviate of 65536 values, none beyond 4.4 StdDev.
// A vector is constant: 1 for weights of norms and of maps, 0 for biases, for what
// else has one dimension, and for weights of norms that multiply by 1 + w.
package initial

import (
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/weights"
)

// A Reader fills dst with the elements of a parameter from the given one on. It may
// be called from several goroutines at once.
type Reader func(dst []float32, from int) error

// Values are where the parameters of a Graph begin.
type Values struct {
	checkpoint *weights.Checkpoint // nil: they are drawn
	drawn      *drawn
	elements   int64
}

// Open finds the numbers of every parameter of g that has a Source. Shapes are
// compared before anything is read: a tensor that is missing or of another shape
// is fault.BadWeights, which names it. A request that makes no sense is
// fault.BadInput.
func Open(g *graph.Graph, req *kernels.LoadRequest) (*Values, error) {
	v := &Values{}
	for _, p := range g.Params {
		if p.Source != nil {
			v.elements += int64(p.Elements())
		}
	}
	var err error
	if req.Random != nil {
		if len(req.Checkpoint) > 0 {
			return nil, fault.New(fault.BadInput, "weights are to be read from %s and to be drawn", req.Checkpoint[0])
		}
		v.drawn, err = newDrawn(g, *req.Random)
		return v, err
	}
	if v.checkpoint, err = weights.Open(req.Checkpoint...); err != nil {
		return nil, fault.New(fault.BadWeights, "%w", err)
	}
	if err := v.check(g); err != nil {
		v.checkpoint.Close()
		return nil, err
	}
	return v, nil
}

// check compares every parameter's shape with the checkpoint's.
func (v *Values) check(g *graph.Graph) error {
	for _, p := range g.Params {
		if p.Source == nil {
			continue
		}
		if err := weights.Check(v.checkpoint, p.Source, p.Shape); err != nil {
			return fault.New(fault.BadWeights, "parameter %q: %w", p.Name, err)
		}
	}
	return nil
}

// Elements is how many elements all parameters that have a Source have together.
func (v *Values) Elements() int64 { return v.elements }

// Reader reads a parameter that has a Source.
func (v *Values) Reader(p *graph.Param) (Reader, error) {
	if v.drawn != nil {
		return v.drawn.reader(p), nil
	}
	array, err := weights.Resolve(v.checkpoint, p.Source)
	if err != nil {
		return nil, fault.New(fault.BadWeights, "parameter %q: %w", p.Name, err)
	}
	return func(dst []float32, from int) error {
		if err := array.Float32(dst, from); err != nil {
			return fault.New(fault.BadWeights, "parameter %q: %w", p.Name, err)
		}
		return nil
	}, nil
}

// Unchanged is an error, fault.BadWeights, where a file was changed since Open:
// what was read of it may be anything.
func (v *Values) Unchanged() error {
	if v.checkpoint == nil {
		return nil
	}
	if err := v.checkpoint.Unchanged(); err != nil {
		return fault.New(fault.BadWeights, "%w", err)
	}
	return nil
}

// Close unmaps the files.
func (v *Values) Close() error {
	if v.checkpoint == nil {
		return nil
	}
	return v.checkpoint.Close()
}
