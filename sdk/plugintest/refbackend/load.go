package refbackend

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/initial"
	"github.com/honeml/hone/sdk/kernels/principal"
	"github.com/honeml/hone/sdk/weights"
)

// Load reads the weights, and an adapter or a fresh one.
func (b *Backend) Load(ctx context.Context, req *kernels.LoadRequest, progress func(done, total int64)) error {
	if err := b.state(false); err != nil {
		return err
	}
	if b.params != nil {
		return fault.New(fault.OutOfOrder, "Load came twice")
	}
	values, err := initial.Open(b.req.Graph, req)
	if err != nil {
		return err
	}
	defer values.Close()
	params, err := b.read(ctx, values, progress)
	if err != nil {
		return err
	}
	if req.Adapter != "" {
		saved := kernels.SavedTensors(b.req.Graph)
		if len(saved) == 0 {
			return fault.New(fault.BadInput, "the graph has no place for what is in %s", req.Adapter)
		}
		if err := readSaved(filepath.Join(req.Adapter, saved[0].File), saved, params); err != nil {
			return err
		}
	} else {
		starts(b.req.Graph, params)
	}
	b.params = params
	b.first, b.second = make([][]float64, len(params)), make([][]float64, len(params))
	for _, p := range b.req.Graph.Trainable() {
		b.first[p.ID], b.second[p.ID] = make([]float64, p.Elements()), make([]float64, p.Elements())
	}
	return nil
}

// read gives every parameter its values.
func (b *Backend) read(ctx context.Context, from *initial.Values, progress func(done, total int64)) ([][]float64, error) {
	var done int64
	params := make([][]float64, len(b.req.Graph.Params))
	for _, p := range b.req.Graph.Params {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if p.Source == nil {
			params[p.ID] = fresh(p, b.req.Settings.Seed)
			continue
		}
		read, err := from.Reader(p)
		if err != nil {
			return nil, err
		}
		values := make([]float32, p.Elements())
		if err := read(values, 0); err != nil {
			return nil, err
		}
		params[p.ID] = widen(values)
		done += 4 * int64(len(values))
		if progress != nil {
			progress(done, 4*from.Elements())
		}
	}
	magnitudes(b.req.Graph, params)
	return params, nil
}

// magnitudes gives those that no checkpoint holds their first values: B is zero, and
// their rows are the model's own.
func magnitudes(g *graph.Graph, params [][]float64) {
	for _, n := range g.Nodes {
		l, ok := n.Op.(*graph.Linear)
		if !ok || l.Adapter == nil || l.Adapter.Magnitude == graph.NoParam || g.Params[l.Adapter.Magnitude].Init != graph.InitRowNorms {
			continue
		}
		in := g.Params[l.Weight].Shape[1]
		for i := range params[l.Adapter.Magnitude] {
			sum := 0.0
			for _, w := range params[l.Weight][i*in : (i+1)*in] {
				sum += w * w
			}
			params[l.Adapter.Magnitude][i] = float64(float32(math.Sqrt(sum)))
		}
	}
}

// starts gives adapters that begin with the principal part of a weight, and that no file
// holds, their first values.
func starts(g *graph.Graph, params [][]float64) {
	for _, o := range principal.Linears(g) {
		shape := g.Params[o.Weight].Shape
		down, up := principal.Factors(o.Adapter, principal.Dense(narrow(params[o.Weight]), shape[0], shape[1]))
		params[o.Adapter.A], params[o.Adapter.B] = widen(down), widen(up)
		params[o.Adapter.Start.A], params[o.Adapter.Start.B] = widen(down), widen(up)
	}
}

// fresh is a parameter that no checkpoint holds, drawn by the seed and its name alone.
func fresh(p *graph.Param, seed uint64) []float64 {
	values := make([]float64, p.Elements())
	if p.Init != graph.InitKaiming {
		return values
	}
	hash := sha256.Sum256([]byte(p.Name))
	rng := rand.New(rand.NewPCG(seed, binary.LittleEndian.Uint64(hash[:])))
	limit := 1 / math.Sqrt(float64(p.Shape[len(p.Shape)-1]))
	for i := range values {
		values[i] = float64(float32((2*rng.Float64() - 1) * limit))
	}
	return values
}

// readSaved reads the trainable parameters from a file that Save wrote, or PEFT.
func readSaved(path string, saved []kernels.SavedTensor, params [][]float64) error {
	c, err := weights.Open(path)
	if err != nil {
		return fault.New(fault.BadWeights, "%w", err)
	}
	defer c.Close()
	for _, s := range saved {
		tensor, err := readTensor(c, s.Key, s.Shape())
		if err != nil {
			return fault.New(fault.BadWeights, "%s: %w", path, err)
		}
		values, start := s.Split(narrow(tensor))
		params[s.Param.ID] = widen(values)
		if s.Start != nil {
			params[s.Start.ID] = widen(start)
		}
	}
	return nil
}

// readTensor is the tensor called name of a file.
func readTensor(c *weights.Checkpoint, name string, shape []int) ([]float64, error) {
	t, ok := c.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("there is no tensor %q", name)
	}
	if !slices.Equal(t.Shape, shape) {
		return nil, fmt.Errorf("tensor %q: shape %v, the graph expects %v", name, t.Shape, shape)
	}
	values := make([]float32, t.Elements())
	if err := t.Float32(values, 0); err != nil {
		return nil, err
	}
	return widen(values), nil
}
